//! Any sequence of rents, extensions, early ends, mandates, outages, payouts, deposits, adjustments
//! and passing time keeps the invariants; every wallet holds exactly what its owner was told, a
//! preview is what is booked, and nobody gets back more than they paid.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tests::{Answer, Client, Kind, TestApp, invariants};

use crate::deals::number;
use crate::outages::promise;
use crate::suppliers::{server_of, supplier};

#[derive(Clone, Debug)]
enum Step {
    Rent { renter: usize, server: usize, days: u32, ready: bool },
    Extend { renter: usize, days: u32 },
    End { renter: usize },
    Renew { renter: usize, days: u32, cents: i64 },
    Outage { server: usize, hours_ago: i64, hours: i64 },
    PayOut,
    Deposit { renter: usize, cents: i64 },
    Adjust { renter: usize, cents: i64 },
    HoursPass(i64),
    Sweep,
}

const RENTERS: usize = 2;
const SERVERS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    let days = prop_oneof![4 => Just(7u32), 2 => Just(30u32), 1 => 1u32..40];
    prop_oneof![
        4 => (0..RENTERS, 0..SERVERS, days.clone(), prop::bool::weighted(0.8))
            .prop_map(|(renter, server, days, ready)| Step::Rent { renter, server, days, ready }),
        3 => (0..RENTERS, days.clone()).prop_map(|(renter, days)| Step::Extend { renter, days }),
        3 => (0..RENTERS).prop_map(|renter| Step::End { renter }),
        2 => (0..RENTERS, days, 1i64..30_000)
            .prop_map(|(renter, days, cents)| Step::Renew { renter, days, cents }),
        3 => (0..SERVERS, 0i64..400, 1i64..200)
            .prop_map(|(server, hours_ago, hours)| Step::Outage { server, hours_ago, hours }),
        1 => Just(Step::PayOut),
        1 => (0..RENTERS, 1i64..50_000).prop_map(|(renter, cents)| Step::Deposit { renter, cents }),
        2 => (0..RENTERS, -30_000i64..30_000)
            .prop_map(|(renter, cents)| Step::Adjust { renter, cents }),
        4 => (1i64..24 * 12).prop_map(Step::HoursPass),
        3 => Just(Step::Sweep),
    ]
}

fn check(kind: Kind) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let steps = proptest::collection::vec(step(), 10..60);
    runner
        .run(&steps, |steps| {
            runtime.block_on(run(kind, steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_sequence_keeps_the_invariants_on_sqlite() {
    check(Kind::Sqlite);
}

#[test]
fn any_sequence_keeps_the_invariants_on_postgres() {
    check(Kind::Postgres);
}

/// What a renter was told so far.
struct Told {
    client: Client,
    /// What the wallet holds by answers, and by the transactions of what others did.
    cents: i64,
    rental: Option<String>,
}

struct World {
    boss: Client,
    servers: Vec<String>,
    told: Vec<Told>,
}

async fn run(kind: Kind, steps: Vec<Step>) {
    let app = TestApp::start(kind).await;
    let boss = app.operator("boss").await.lasting().await;
    supplier(&app, &boss, "iron").await;
    // The operator's own, a supplier's, and a supplier's with a promise.
    let own = app.server("node-0").await;
    let plain = server_of(&app, &boss, "iron", "node-1").await;
    let promised = server_of(&app, &boss, "iron", "node-2").await;
    promise(&boss, &promised, 60, 300).await;
    promise(&boss, &own, 0, 50).await;
    let mut world = World { boss, servers: vec![own, plain, promised], told: Vec::new() };
    for number in 0..RENTERS {
        let client = app.renter(&format!("renter-{number}"), "300.00").await.lasting().await;
        world.told.push(Told { client, cents: 30_000, rental: None });
    }
    for step in steps {
        perform(&app, &mut world, step).await;
    }
    invariants::check(&app.database).await;
    for told in &world.told {
        assert_eq!(told.client.balance_cents().await, told.cents);
    }
    // Until everything has ended and is earned: nothing stays in escrow.
    app.days_pass(400);
    for _ in 0..2 {
        app.sweep().await;
    }
    assert_eq!(number(&app, "SELECT count(*) FROM rentals WHERE escrow_e8 > 0").await, 0);
    app.finish().await;
}

async fn perform(app: &TestApp, world: &mut World, step: Step) {
    match step {
        Step::Rent { renter, server, days, ready } => {
            let told = &mut world.told[renter];
            let answer = told.client.rent(&world.servers[server], days).await;
            if let Some(data) = charged(told, &answer) {
                told.rental = data["rental"]["id"].as_str().map(ToOwned::to_owned);
            }
            if ready {
                app.do_jobs().await;
            }
        }
        Step::Extend { renter, days } => {
            let told = &mut world.told[renter];
            if let Some(rental) = told.rental.clone() {
                let path = format!("/rentals/{rental}/extend");
                let answer = told.client.post(&path, json!({ "additional_days": days })).await;
                charged(told, &answer);
            }
        }
        Step::End { renter } => end(&mut world.told[renter]).await,
        Step::Renew { renter, days, cents } => {
            let told = &world.told[renter];
            if let Some(rental) = &told.rental {
                let path = format!("/rentals/{rental}/auto-renew");
                let wish = json!({ "days": days, "max_price": amount(cents) });
                let answer = told.client.put(&path, wish).await;
                assert!([200, 400, 409].contains(&answer.status), "{}", answer.body);
            }
        }
        Step::Outage { server, hours_ago, hours } => {
            let before = transactions(world).await;
            let server = &world.servers[server];
            outage(app, &world.boss, server, (hours_ago, hours)).await;
            moved_by_others(world, &before).await;
        }
        Step::PayOut => {
            let wish = json!({ "minimum": "0.01" });
            world.boss.post("/admin/payouts", wish).await.data(201);
        }
        Step::Deposit { renter, cents } => book(world, renter, "deposits", cents).await,
        Step::Adjust { renter, cents } => book(world, renter, "adjustments", cents).await,
        Step::HoursPass(hours) => app.clock.advance(chrono::Duration::hours(hours)),
        Step::Sweep => {
            let before = transactions(world).await;
            app.sweep().await;
            moved_by_others(world, &before).await;
        }
    }
}

/// Each renter's transactions, newest first, with how many there are.
async fn transactions(world: &World) -> Vec<(usize, Vec<Value>)> {
    let mut all = Vec::new();
    for told in &world.told {
        let page = told.client.get("/wallet/transactions?limit=100").await.data(200);
        let total = usize::try_from(page["pagination"]["total"].as_u64().unwrap()).unwrap();
        all.push((total, page["transactions"].as_array().unwrap().clone()));
    }
    all
}

/// Renewals, refunds and credits that only the renters' transactions told them of.
async fn moved_by_others(world: &mut World, before: &[(usize, Vec<Value>)]) {
    let after = transactions(world).await;
    for ((told, (count, rows)), (before, _)) in world.told.iter_mut().zip(after).zip(before) {
        for row in &rows[..count - before] {
            let amount = format!("{:.2}", row["amount"].as_f64().unwrap());
            match row["transaction_type"].as_str().unwrap() {
                "payment" => told.cents -= cents(&json!(amount)),
                "refund" => told.cents += cents(&json!(amount)),
                kind => panic!("{kind}"),
            }
        }
    }
}

/// Ends the renter's rental: what is booked is what the preview said.
async fn end(told: &mut Told) {
    let Some(rental) = told.rental.clone() else {
        return;
    };
    let preview = told.client.get(&format!("/rentals/{rental}/termination-preview")).await;
    let ended = told.client.post(&format!("/rentals/{rental}/terminate"), json!({})).await;
    if preview.status == 409 {
        ended.refused(409, "RENTAL_ENDED");
        return;
    }
    let (preview, ended) = (preview.data(200), ended.data(200));
    assert_eq!(preview["refund_amount"], ended["refund_amount"]);
    told.cents += cents(&ended["refund_amount"]);
    let (paid, refunded) = (&ended["rental"]["amount"], &ended["rental"]["refunded"]);
    assert!(cents(refunded) <= cents(paid), "{ended}");
}

async fn outage(app: &TestApp, boss: &Client, server: &str, (hours_ago, hours): (i64, i64)) {
    let now = domain::clock::Clock::now(app.clock.as_ref());
    let from = now - chrono::Duration::hours(hours_ago + hours);
    let until = now - chrono::Duration::hours(hours_ago);
    let body = json!({ "server_id": server, "started_at": from.to_rfc3339(),
        "ended_at": until.to_rfc3339(), "evidence": "a test" });
    let answer = boss.post("/admin/outages", body).await;
    if answer.status != 201 {
        answer.refused(409, "OUTAGE_OVERLAPS");
    }
}

/// Of an amount with two decimals.
fn cents(amount: &Value) -> i64 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// The data of a success, whose charge the renter now knows; a refusal charges nothing.
fn charged(told: &mut Told, answer: &Answer) -> Option<Value> {
    if answer.status >= 400 {
        assert!([400, 409].contains(&answer.status), "{}", answer.body);
        return None;
    }
    let data = answer.body["data"].clone();
    told.cents -= data["transaction"]["amount"].as_i64().unwrap() * 100;
    Some(data)
}

async fn book(world: &mut World, renter: usize, kind: &str, cents: i64) {
    let told = &mut world.told[renter];
    let body =
        json!({ "username": told.client.username, "amount": amount(cents), "reason": "a test" });
    let answer = world.boss.post(&format!("/admin/{kind}"), body).await;
    if answer.status == 201 {
        told.cents += cents;
    } else {
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
}
