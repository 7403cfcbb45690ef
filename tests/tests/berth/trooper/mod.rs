//! The surface of Trooper's clients. They come with API tokens, as do those of the deals.

mod blibs;
mod door;
mod migration;
mod orders;
mod private_blibs;
mod templates;

use serde_json::{Map, Value, json};
use tests::{Answer, Client};

/// The answer to a path of the document.
async fn get(client: &Client, path: &str) -> Answer {
    client.get(&format!("/!trooper{path}")).await
}

async fn post(client: &Client, path: &str, body: Value) -> Answer {
    client.post(&format!("/!trooper{path}"), body).await
}

/// The same client with a token that may do so much.
async fn that_may(owner: &Client, permissions: Map<String, Value>) -> Client {
    let wish = json!({ "alias": "trooper", "permissions": permissions });
    let made = owner.post("/auth/tokens", wish).await.data(201);
    owner.with_token(made["token"].as_str().unwrap())
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, &answer.body), (status, &json!({ "error": error })));
}

/// The rows of a list.
async fn rows(client: &Client, path: &str) -> Vec<Value> {
    let list = get(client, path).await;
    assert_eq!(list.status, 200, "{path}: {}", list.body);
    list.body.as_array().unwrap().clone()
}
