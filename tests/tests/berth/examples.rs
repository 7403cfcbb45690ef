//! Every example of the published API, as an answer of ours.
//!
//! Each situation is built as the example has it: its names, dates, days and prices. The answer
//! must then equal the example key by key, in type and value, ids apart; where it may not, the path
//! is named with the reason. The whole answer is a snapshot besides, with ids replaced by `id-1`,
//! `id-2` … in the order in which they appear, so that it also says which are the same. The
//! examples are copies of the published ones and say of which operation.

use std::path::Path;

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use crate::pools::{invite, join, new_pool};

/// Keys that we answer beyond the examples.
const BEYOND: &[&str] = &["data.expires_at"];

/// Absent where nobody has written one.
const NULLABLE: &[&str] = &["data.description"];

struct Example {
    request: Value,
    response: Value,
}

fn example(name: &str) -> Example {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/berth/examples");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let mut example: Value = serde_json::from_str(&text).unwrap();
    Example { request: example["request"].take(), response: example["response"].take() }
}

/// Fails the test unless the answer is the example's, apart from the values at `others`.
#[track_caller]
fn hold(name: &str, answer: &Answer, others: &[&str]) {
    let mut faults = Vec::new();
    compare("", &answer.body, &example(name).response, others, &mut faults);
    assert!(faults.is_empty(), "{name}: {faults:#?}\n{:#}", answer.body);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_json_snapshot!(name, labelled(&answer.body)));
}

/// The faults of `ours`. List indexes are not part of a path.
fn compare(path: &str, ours: &Value, expected: &Value, others: &[&str], faults: &mut Vec<String>) {
    let free = others.iter().any(|other| path.starts_with(other));
    let mut fault = |what: &str| faults.push(format!("{path}: {what}"));
    match (ours, expected) {
        // An empty object of an example stands for any.
        (Value::Object(_), Value::Object(expected)) if expected.is_empty() && free => {}
        (Value::Object(ours), Value::Object(expected)) => {
            let shared: Vec<_> = ours.keys().filter(|key| expected.contains_key(*key)).collect();
            if shared != expected.keys().collect::<Vec<_>>() {
                fault("keys are missing or in another order");
            }
            let at = |key: &str| format!("{path}{}{key}", if path.is_empty() { "" } else { "." });
            for (key, ours) in ours {
                match expected.get(key) {
                    Some(expected) => compare(&at(key), ours, expected, others, faults),
                    None if BEYOND.contains(&at(key).as_str()) => {}
                    None => faults.push(format!("{}: is not in the example", at(key))),
                }
            }
        }
        (Value::Array(ours), Value::Array(expected)) => {
            if ours.is_empty() || (!free && ours.len() != expected.len()) {
                fault("has another length");
            }
            for (index, ours) in ours.iter().enumerate() {
                compare(path, ours, expected.get(index).unwrap_or(&expected[0]), others, faults);
            }
        }
        (Value::Null, _) if free && NULLABLE.contains(&path) => {}
        _ if std::mem::discriminant(ours) != std::mem::discriminant(expected) => {
            fault("has another type");
        }
        _ if !(free || ours == expected || is_id(ours) && is_id(expected)) => {
            fault(&format!("{ours} is not {expected}"));
        }
        _ => {}
    }
}

fn is_id(value: &Value) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    value.as_str().is_some_and(|text| text.len() == 24 && hexadecimal(text))
}

fn labelled(body: &Value) -> Value {
    fn label(value: &mut Value, known: &mut Vec<Value>) {
        match value {
            Value::Object(map) => map.values_mut().for_each(|value| label(value, known)),
            Value::Array(items) => items.iter_mut().for_each(|value| label(value, known)),
            id if is_id(id) => {
                let number = known.iter().position(|other| other == id).unwrap_or_else(|| {
                    known.push(id.clone());
                    known.len() - 1
                });
                *id = json!(format!("id-{}", number + 1));
            }
            _ => {}
        }
    }
    let mut labelled = body.clone();
    label(&mut labelled, &mut Vec::new());
    labelled
}

async fn person(app: &TestApp, username: &str, alias: &str) -> Client {
    let client = app.user(username).await;
    client.put(&format!("/users/{}", client.id), json!({ "alias": alias })).await.data(200);
    client
}

/// The examples' team at 2025-01-21T22:00: made on the 15th, joined by four on the 16th, changed on
/// the 20th, when `john_doe` was invited. Answers its owner, who has 1000.00, and the pool.
async fn team(app: &TestApp) -> (Client, String) {
    // Of one millisecond, ids and so lists have no order.
    app.clock.advance(-(Duration::days(6) + Duration::hours(12) + Duration::seconds(1)));
    let lead = person(app, "team_lead", "Team Lead").await;
    person(app, "jane_admin", "Jane Smith").await;
    for name in ["dev_one", "dev_two", "dev_three", "john_doe"] {
        app.user(name).await;
    }
    app.clock.advance(Duration::seconds(1));
    let pool = new_pool(&lead, "Development Team").await;

    app.clock.advance(Duration::hours(25));
    let lead = app.log_in("team_lead").await;
    join(&lead, &pool, &app.log_in("jane_admin").await, "admin").await;
    app.clock.advance(Duration::seconds(1));
    for name in ["dev_one", "dev_two", "dev_three"] {
        join(&lead, &pool, &app.log_in(name).await, "user").await;
    }

    app.clock.advance(Duration::days(4) + Duration::minutes(210) - Duration::seconds(1));
    let lead = app.log_in("team_lead").await;
    let description = json!({ "description": "Pool for development team resources" });
    lead.patch(&format!("/pools/{pool}"), description).await.data(200);
    invite(&lead, &pool, "john_doe", "user").await;

    app.clock.advance(Duration::days(1) + Duration::minutes(450));
    app.deposit("team_lead", "1000.00").await;
    (app.log_in("team_lead").await, pool)
}

/// Rents the example server into the pool, as the example of renting does.
async fn rent(app: &TestApp, lead: &Client, pool: &str, name: &str) -> Answer {
    let server = app.server(name).await;
    let mut body = example("rent_server").request;
    body["pool_id"] = json!(pool);
    let answer = lead.post(&format!("/servers/{server}/rent"), body).await;
    app.do_jobs().await;
    answer
}

on_both_databases! {
    async fn looking_at_pools_answers_as_in_the_examples(app: &TestApp) {
        let (lead, pool) = team(app).await;
        for name in ["node-us-nyc-1", "node-us-nyc-2", "node-us-nyc-3"] {
            rent(app, &lead, &pool, name).await.data(201);
            app.clock.advance(Duration::seconds(1));
        }
        let list = lead.get("/pools").await;
        // The list begins with the default pool; the example's is the second.
        hold("list_pools", &list, &["data"]);
        let mut faults = Vec::new();
        compare(
            "data",
            &list.body["data"][1],
            &example("list_pools").response["data"][0],
            &[],
            &mut faults,
        );
        assert!(faults.is_empty(), "{faults:#?}");

        let detail = lead.get(&format!("/pools/{pool}")).await;
        // The example has one member and one server; the owner is a member too, and one is invited.
        let invited = &detail.body["data"]["members"][5];
        assert_eq!(
            (&invited["is_authorized"], &invited["joined_at"]),
            (&json!(false), &Value::Null)
        );
        let mut accepted = detail.clone();
        accepted.body["data"]["members"].as_array_mut().unwrap().truncate(2);
        accepted.body["data"]["members"].as_array_mut().unwrap().remove(0);
        accepted.body["data"]["servers"].as_array_mut().unwrap().truncate(1);
        compare("", &accepted.body, &example("show_pool").response, &[], &mut faults);
        assert!(faults.is_empty(), "{faults:#?}\n{:#}", accepted.body);
        let mut members = detail.clone();
        members.body["data"]["members"].as_array_mut().unwrap().truncate(2);
        hold("show_pool", &members, &["data.members", "data.servers"]);
    }

    async fn changing_pools_answers_as_in_the_examples(app: &TestApp) {
        let lead = app.user("team_lead").await;
        let made = lead.post("/pools", example("create_pool").request).await;
        // The example answers `{}`, we what was sent.
        hold("create_pool", &made, &["data.settings"]);
        assert_eq!(made.body["data"]["settings"], example("create_pool").request["settings"]);
        let path = format!("/pools/{}", made.body["data"]["id"].as_str().unwrap());
        hold("update_pool", &lead.patch(&path, example("update_pool").request).await, &[]);
        let shown = lead.get(&path).await.data(200);
        for (key, value) in example("update_pool").request.as_object().unwrap() {
            assert_eq!(&shown[key], value);
        }
        hold("delete_pool", &lead.delete(&path).await, &[]);
    }

    async fn invitations_are_answered_as_in_the_examples(app: &TestApp) {
        let (lead, pool) = team(app).await;
        let john = app.log_in("john_doe").await;
        let pending = john.get("/pools/invitations/pending").await;
        hold("pending_invitations", &pending, &[]);
        let id = pending.body["data"][0]["id"].as_str().unwrap();
        hold("reject_invitation", &john.post(&format!("/pools/{id}/reject"), json!({})).await, &[]);
        let id = invite(&lead, &pool, "john_doe", "user").await;
        hold("accept_invitation", &john.post(&format!("/pools/{id}/accept"), json!({})).await, &[]);
    }

    async fn members_are_answered_as_in_the_examples(app: &TestApp) {
        app.user("new_developer").await;
        app.clock.advance(Duration::minutes(15));
        let lead = app.user("team_lead").await;
        let pool = new_pool(&lead, "Development Team").await;
        let members = format!("/pools/{pool}/members");
        let invited = lead.post(&members, example("invite_member").request).await;
        hold("invite_member", &invited, &[]);
        let id = invited.body["data"]["id"].as_str().unwrap();
        let developer = app.log_in("new_developer").await;
        developer.post(&format!("/pools/{id}/accept"), json!({})).await.data(200);
        let member = format!("{members}/{}", developer.id);
        let promoted = lead.patch(&member, example("update_member_role").request).await;
        hold("update_member_role", &promoted, &[]);
        hold("remove_member", &lead.delete(&member).await, &[]);
    }

    async fn renting_answers_as_in_the_example(app: &TestApp) {
        let (lead, pool) = team(app).await;
        hold("rent_server", &rent(app, &lead, &pool, "node-us-nyc-1").await, &[]);
    }

    async fn rentals_are_answered_as_in_the_examples(app: &TestApp) {
        let (lead, pool) = team(app).await;
        let rented = rent(app, &lead, &pool, "node-us-nyc-1").await.data(201);
        let id = rented["rental"]["id"].as_str().unwrap();
        // The examples are from a day later.
        app.days_pass(1);
        let lead = app.log_in("team_lead").await;
        hold("list_rentals", &lead.get("/rentals").await, &[]);
        hold("list_servers", &lead.get("/servers").await, &[]);
        let shown = lead.get(&format!("/rentals/{id}")).await;
        hold("show_rental", &shown, &[]);
        assert_eq!(shown.body["data"]["transaction"]["id"], rented["transaction"]["id"]);
        hold("show_server", &lead.get(&format!("/servers/{id}")).await, &[]);
        let extended =
            lead.post(&format!("/rentals/{id}/extend"), example("extend_rental").request).await;
        hold("extend_rental", &extended, &[]);
    }

    async fn the_marketplace_answers_as_in_the_example(app: &TestApp) {
        app.server("node-us-nyc-1").await;
        // Prices are empty in the example; ours are those that it can be rented at.
        let listed = app.stranger().get("/servers/available").await;
        hold("browse_servers", &listed, &["data.pricing.prices", "data.pricing.price_tiers"]);
    }
}

#[test]
fn every_example_is_held() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/berth");
    let this = std::fs::read_to_string(folder.join("examples.rs")).unwrap();
    for file in std::fs::read_dir(folder.join("examples")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(this.contains(&format!("hold(\"{name}\"")), "{name}");
    }
}
