//! The surface of SimplePod's clients.

mod instances;
mod market;
mod orders;
mod ssh_keys;
mod templates;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client};

/// An API key of somebody's.
async fn key(owner: &Client) -> String {
    let wish = json!({ "alias": "simplepod", "permissions": { "*": true } });
    owner.post("/auth/tokens", wish).await.data(201)["token"].as_str().unwrap().to_owned()
}

/// Whoever has an API key, and says so as this API wants it.
struct Program {
    client: Client,
    key: String,
}

impl Program {
    async fn of(owner: &Client) -> Self {
        let mut client = owner.clone();
        client.authorization = None;
        Self { client, key: key(owner).await }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let headers = [("x-auth-token", self.key.as_str())];
        let path = format!("/!simplepod{path}");
        self.client.send(method, &path, &headers, body.as_ref()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, detail: &str) {
    let expected = json!({ "title": "An error occurred", "detail": detail });
    assert_eq!((answer.status, &answer.body), (status, &expected));
}

/// A refusal that names these members.
#[track_caller]
fn violates(answer: &Answer, members: &[&str]) {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let violations = answer.body["violations"].as_array().unwrap();
    let named: Vec<_> =
        violations.iter().map(|fault| fault["propertyPath"].as_str().unwrap()).collect();
    assert_eq!(named, members, "{}", answer.body);
}
