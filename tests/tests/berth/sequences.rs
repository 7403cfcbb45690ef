//! Any sequence of rents, extensions, deposits, adjustments and passing time keeps the invariants,
//! and every wallet holds exactly what its owner was told.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tests::{Answer, Client, Kind, TestApp};

#[derive(Clone, Debug)]
enum Step {
    Rent { renter: usize, server: usize, days: u32 },
    Extend { renter: usize, days: u32 },
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
        4 => (0..RENTERS, 0..SERVERS, days.clone())
            .prop_map(|(renter, server, days)| Step::Rent { renter, server, days }),
        4 => (0..RENTERS, days).prop_map(|(renter, days)| Step::Extend { renter, days }),
        1 => (0..RENTERS, 1i64..50_000).prop_map(|(renter, cents)| Step::Deposit { renter, cents }),
        2 => (0..RENTERS, -30_000i64..30_000)
            .prop_map(|(renter, cents)| Step::Adjust { renter, cents }),
        3 => (1i64..24 * 12).prop_map(Step::HoursPass),
        2 => Just(Step::Sweep),
    ]
}

fn check(kind: Kind) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let steps = proptest::collection::vec(step(), 5..40);
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
    cents: i64,
    rental: Option<String>,
}

async fn run(kind: Kind, steps: Vec<Step>) {
    let app = TestApp::start(kind).await;
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        servers.push(app.server(&format!("node-{number}")).await);
    }
    let mut told = Vec::new();
    for number in 0..RENTERS {
        let client = app.renter(&format!("renter-{number}"), "300.00").await;
        told.push(Told { client, cents: 30_000, rental: None });
    }
    app.operator("boss").await;
    for step in steps {
        perform(&app, &servers, &mut told, step).await;
    }
    for told in &told {
        let client = app.log_in(&told.client.username).await;
        assert_eq!(client.balance_cents().await, told.cents);
    }
    app.sweep().await;
    app.finish().await;
}

async fn perform(app: &TestApp, servers: &[String], told: &mut [Told], step: Step) {
    match step {
        Step::Rent { renter, server, days } => {
            let told = &mut told[renter];
            let answer = told.client.rent(&servers[server], days).await;
            if let Some(data) = charged(told, &answer) {
                told.rental = data["rental"]["id"].as_str().map(ToOwned::to_owned);
            }
        }
        Step::Extend { renter, days } => {
            let told = &mut told[renter];
            if let Some(rental) = told.rental.clone() {
                let path = format!("/rentals/{rental}/extend");
                let answer = told.client.post(&path, json!({ "additional_days": days })).await;
                charged(told, &answer);
            }
        }
        Step::Deposit { renter, cents } => book(app, &mut told[renter], "deposits", cents).await,
        Step::Adjust { renter, cents } => book(app, &mut told[renter], "adjustments", cents).await,
        Step::HoursPass(hours) => {
            app.clock.advance(chrono::Duration::hours(hours));
            // Access tokens have run out.
            for told in told {
                told.client = app.log_in(&told.client.username).await;
            }
        }
        Step::Sweep => app.sweep().await,
    }
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

async fn book(app: &TestApp, told: &mut Told, kind: &str, cents: i64) {
    let operator = app.log_in("boss").await;
    let sign = if cents < 0 { "-" } else { "" };
    let amount = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
    let body = json!({ "username": told.client.username, "amount": amount, "reason": "a test" });
    let answer = operator.post(&format!("/admin/{kind}"), body).await;
    if answer.status == 201 {
        told.cents += cents;
    } else {
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
}
