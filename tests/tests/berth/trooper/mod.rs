//! The surface of Trooper's clients. They come with API tokens, as do those of the deals.

mod blibs;
mod door;

use serde_json::{Value, json};
use tests::{Answer, Client};

/// The answer to a path of the document.
async fn get(client: &Client, path: &str) -> Answer {
    client.get(&format!("/!trooper{path}")).await
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
