//! Whatever happens to an instance, and whenever sweeps run or the clock jumps for a while, it
//! costs each stretch of its life at that stretch's price for its whole seconds.

use chrono::Duration;
use domain::clock::{Clock, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tests::{Answer, Client, Kind, TestApp};

use crate::catalogue::stock;
use crate::deals::{boss, payer};
use crate::furnishing::furnish;
use crate::instances::{cost, running, status};

#[derive(Clone, Debug)]
enum Step {
    Pass {
        milliseconds: i64,
    },
    Sweep,
    /// Ahead and back, with a sweep between.
    Jump {
        hours: i64,
    },
    Act(&'static str),
    Spot(bool),
    Reprice {
        cents: i64,
    },
    Evict,
}

fn step() -> impl Strategy<Value = Step> {
    let actions = ["start", "shutdown", "force_shutdown", "restart", "hibernate", "restore"];
    prop_oneof![
        6 => (1i64..200_000).prop_map(|milliseconds| Step::Pass { milliseconds }),
        2 => (1i64..50_000_000).prop_map(|milliseconds| Step::Pass { milliseconds }),
        4 => Just(Step::Sweep),
        2 => (1i64..30).prop_map(|hours| Step::Jump { hours }),
        7 => prop::sample::select(actions.to_vec()).prop_map(Step::Act),
        2 => any::<bool>().prop_map(Step::Spot),
        1 => (1i64..500).prop_map(|half| Step::Reprice { cents: 2 * half }),
        1 => Just(Step::Evict),
    ]
}

fn check(kind: Kind) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    runner
        .run(&proptest::collection::vec(step(), 10..50), |steps| {
            runtime.block_on(run(kind, steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_history_costs_what_its_stretches_cost_on_sqlite() {
    check(Kind::Sqlite);
}

#[test]
fn any_history_costs_what_its_stretches_cost_on_postgres() {
    check(Kind::Postgres);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    Hibernated,
    Gone,
}

/// What the history means, reckoned apart from Berth.
struct Model {
    state: State,
    /// The plan's price of an hour in cents, at which orders and changes of kind are made.
    plan_cents: i64,
    /// The instance's own.
    cents: i64,
    is_spot: bool,
    evict_at: Option<Timestamp>,
    since: Timestamp,
    /// What the stretches before this one cost, in hundred-millionths.
    before_e8: i64,
}

impl Model {
    fn new(now: Timestamp) -> Self {
        Self {
            state: State::Running,
            plan_cents: 360,
            cents: 360,
            is_spot: false,
            evict_at: None,
            since: now,
            before_e8: 0,
        }
    }

    fn total_e8(&self, now: Timestamp) -> i64 {
        // Spot at half the price, a stopped one at half of what it costs else: both exact.
        let percent = match self.state {
            State::Running => 100,
            State::Stopped => 50,
            State::Hibernated | State::Gone => 0,
        };
        let price_e8 = self.cents * 1_000_000 * percent / 100;
        let seconds = (now - self.since).num_seconds().max(0);
        self.before_e8 + price_e8 * seconds / 3600
    }

    /// A stretch ends.
    fn cut(&mut self, now: Timestamp) {
        self.before_e8 = self.total_e8(now);
        self.since = now;
    }

    fn become_state(&mut self, state: State, now: Timestamp) {
        if state != self.state {
            self.cut(now);
            self.state = state;
        }
    }

    fn set_spot(&mut self, is_spot: bool, now: Timestamp) {
        if self.is_spot != is_spot {
            self.cut(now);
            self.is_spot = is_spot;
            self.cents = if is_spot { self.plan_cents / 2 } else { self.plan_cents };
            self.evict_at = self.evict_at.filter(|_| is_spot);
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.state == State::Gone || self.evict_at.is_some_and(|at| at <= now)
    }

    /// It goes now, or went when its notice was over.
    fn go(&mut self, now: Timestamp) {
        let until = self.evict_at.map_or(now, |at| at.min(now));
        self.become_state(State::Gone, until);
    }

    /// What an action comes to; `None` if it is refused.
    fn after(&self, action: &str) -> Option<State> {
        Some(match (action, self.state) {
            ("start" | "restore", _) | ("restart", State::Running) => State::Running,
            ("shutdown" | "force_shutdown", State::Running) => State::Stopped,
            ("shutdown" | "force_shutdown", state) => state,
            ("hibernate", _) => State::Hibernated,
            _ => return None,
        })
    }
}

struct World<'a> {
    app: &'a TestApp,
    boss: Client,
    jane: Client,
    id: String,
    model: Model,
}

async fn run(kind: Kind, steps: Vec<Step>) {
    let app = TestApp::start(kind).await;
    let (boss, jane) = (boss(&app).await.lasting().await, payer(&app, "jane", "90000.00").await);
    let jane = jane.lasting().await;
    stock(&boss).await;
    price(&boss, 360).await;
    furnish(&app, &boss, "metal", json!({})).await;
    let id = running(&app, &jane, json!({ "plan": "half" })).await;
    let mut world = World { app: &app, boss, jane, id, model: Model::new(app.clock.now()) };
    for step in steps {
        world.perform(&step).await;
        let now = app.clock.now();
        let told = e8(&cost(&world.jane, &world.id).await);
        let late = world.model.evict_at.filter(|at| *at <= now && world.model.state != State::Gone);
        // What it will not have to pay for is not told before the eviction.
        if late.is_none() {
            assert_eq!(told, world.model.total_e8(now), "after {step:?}");
        }
    }
    world.jane.delete(&format!("/instances/{}", world.id)).await.data(200);
    world.model.go(app.clock.now());
    app.sweep().await;
    assert_eq!(status(&world.jane, &world.id).await, "deleted");
    let total = world.model.total_e8(app.clock.now());
    assert_eq!(e8(&cost(&world.jane, &world.id).await), total);
    let usage = world.jane.get("/wallet/usage").await.data(200);
    assert_eq!(e8(usage["balance"].as_str().unwrap()), 90_000 * 100_000_000 - total);
    app.finish().await;
}

impl World<'_> {
    async fn perform(&mut self, step: &Step) {
        let now = self.app.clock.now();
        match step {
            Step::Pass { milliseconds } => {
                self.app.clock.advance(Duration::milliseconds(*milliseconds));
            }
            Step::Sweep => {
                self.app.sweep().await;
                if self.model.is_over(now) {
                    self.model.go(now);
                }
            }
            Step::Jump { hours } => {
                // A clock that runs ahead evicts too soon.
                if self.model.evict_at.is_none() {
                    self.app.clock.advance(Duration::hours(*hours));
                    self.app.sweep().await;
                    self.app.clock.advance(-Duration::hours(*hours));
                }
            }
            Step::Act(action) => {
                let answer = self.act(json!({ "action": action })).await;
                match self.model.after(action).filter(|_| !self.model.is_over(now)) {
                    Some(state) => {
                        answer.data(200);
                        self.app.do_jobs().await;
                        self.model.become_state(state, now);
                    }
                    None => assert_eq!(answer.status, 409, "{}", answer.body),
                }
            }
            Step::Spot(is_spot) => {
                let body = json!({ "action": "configure_spot", "is_spot": is_spot });
                let answer = self.act(body).await;
                if self.model.is_over(now) {
                    answer.refused(409, "INSTANCE_DELETED");
                } else {
                    answer.data(200);
                    self.model.set_spot(*is_spot, now);
                }
            }
            Step::Reprice { cents } => {
                price(&self.boss, *cents).await;
                self.model.plan_cents = *cents;
            }
            Step::Evict => self.evict(now).await,
        }
    }

    async fn act(&self, body: Value) -> Answer {
        self.jane.post(&format!("/instances/{}/actions", self.id), body).await
    }

    async fn evict(&mut self, now: Timestamp) {
        let path = format!("/admin/instances/{}/evict", self.id);
        let answer = self.boss.post(&path, json!({})).await;
        if !self.model.is_spot {
            answer.refused(409, "NOT_SPOT");
            return;
        }
        answer.data(200);
        if self.model.state != State::Gone && self.model.evict_at.is_none() {
            self.model.evict_at = Some(now + Duration::minutes(2));
        }
    }
}

/// Puts the plan `half` at so much an hour.
async fn price(boss: &Client, cents: i64) {
    let pricing = json!({
        "per_hour": amount(cents), "spot_per_hour": amount(cents / 2), "stopped_percent": 50
    });
    let plan = json!({
        "name": "Half", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
        "pricing": pricing, "locations": ["FIN-03"]
    });
    boss.put("/admin/plans/half", plan).await.data(200);
}

fn amount(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Hundred-millionths of an amount such as `7.261`.
fn e8(amount: &str) -> i64 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{part:0<8}").parse().unwrap()
}
