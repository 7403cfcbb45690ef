//! The surface of Kloigos's clients.

mod door;
mod faults;
mod lifecycle;
mod money;
mod operators;
mod races;

use serde_json::{Value, json};
use tests::{Answer, Client, TestApp};

use crate::deals::boss;
use crate::ssh_keys::public_key;

/// The answer to a path of the document.
async fn get(client: &Client, path: &str) -> Answer {
    client.get(&format!("/!kloigos/api{path}")).await
}

async fn post(client: &Client, path: &str, body: Value) -> Answer {
    client.post(&format!("/!kloigos/api{path}"), body).await
}

async fn delete(client: &Client, path: &str) -> Answer {
    client.delete(&format!("/!kloigos/api{path}")).await
}

/// A host that is to be cut so.
fn server(hostname: &str, cpu_ranges: &[&str]) -> Value {
    json!({ "ip": "192.0.2.7", "region": "us-east-1", "zone": "a", "hostname": hostname,
        "cpu_ranges": cpu_ranges })
}

/// A wish for a unit of 4 CPUs, or another one.
fn wish(change: Value) -> Value {
    let mut whole = json!({ "tags": { "deployment_id": "web_app_v1" },
        "ssh_public_key": public_key("me") });
    let Value::Object(change) = change else { panic!("{change} is no object") };
    whole.as_object_mut().unwrap().extend(change);
    whole
}

/// The rows of the list.
async fn rows(client: &Client, query: &str) -> Vec<Value> {
    let list = get(client, &format!("/compute_units/{query}")).await;
    assert_eq!(list.status, 200, "{query}: {}", list.body);
    list.body.as_array().unwrap().clone()
}

/// Names and states of the rows of the list.
async fn states(client: &Client, query: &str) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows(client, query).await;
    rows.iter().map(|row| (text(row, "compute_id"), text(row, "status"))).collect()
}

/// An operator with a host that was cut so.
async fn with_host(app: &TestApp, cpu_ranges: &[&str]) -> Client {
    let boss = boss(app).await;
    let begun = post(&boss, "/admin/init_server", server("h1", cpu_ranges)).await;
    assert_eq!((begun.status, &begun.body), (200, &Value::Null));
    app.do_jobs().await;
    boss
}

/// The name of the unit that somebody gets.
async fn allocated(client: &Client, with: Value) -> String {
    let unit = post(client, "/compute_units/allocate", wish(with)).await;
    assert_eq!(unit.status, 200, "{}", unit.body);
    assert_eq!(unit.body["status"], "ALLOCATED");
    unit.body["compute_id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, detail: &str) {
    assert_eq!((answer.status, &answer.body), (status, &json!({ "detail": detail })));
}
