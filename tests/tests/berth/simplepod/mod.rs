//! The surface of SimplePod's clients.

mod billing;
mod deposits;
mod examples;
mod images;
mod instances;
mod market;
mod orders;
mod pausing;
mod remaking;
mod ssh_keys;
mod summary;
mod templates;

use domain::token::Permission;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tests::{Answer, Client};

/// An API key of somebody's, which may do so much.
async fn key(owner: &Client, permissions: Value) -> String {
    let wish = json!({ "alias": "simplepod", "permissions": permissions });
    owner.post("/auth/tokens", wish).await.data(201)["token"].as_str().unwrap().to_owned()
}

/// Whoever has an API key, and says so as this API wants it.
struct Program {
    client: Client,
    key: String,
}

impl Program {
    async fn of(owner: &Client) -> Self {
        Self::that_may(owner, json!({ "*": true })).await
    }

    async fn that_may(owner: &Client, permissions: Value) -> Self {
        let mut client = owner.clone();
        client.authorization = None;
        Self { client, key: key(owner, permissions).await }
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

/// The rows of a list.
async fn rows(program: &Program, path: &str) -> Vec<Value> {
    let list = program.get(path).await;
    assert_eq!(list.status, 200, "{path}: {}", list.body);
    list.body.as_array().unwrap().clone()
}

/// Fails unless a list answers as pages of two what it answers as a whole, and refuses other pages.
async fn is_paged(program: &Program, path: &str) {
    let all = rows(program, path).await;
    assert!(all.len() > 2, "{path} has only {} rows", all.len());
    let mut walked = Vec::new();
    for page in 1..=all.len() {
        let page = rows(program, &format!("{path}?page={page}&itemsPerPage=2")).await;
        assert!(page.len() <= 2, "{path}");
        walked.extend(page);
    }
    assert_eq!(walked, all, "{path}");
    for (query, property) in [
        ("page=0", "page"),
        ("itemsPerPage=0", "itemsPerPage"),
        ("itemsPerPage=1001", "itemsPerPage"),
    ] {
        let refusal = program.get(&format!("{path}?{query}")).await;
        assert_eq!(refusal.status, 422, "{path}?{query}: {}", refusal.body);
        assert_eq!(refusal.body["violations"][0]["propertyPath"], property);
    }
}

/// Fails unless a path is refused to an API key that lacks one of these permissions, and answers
/// one that has them and no other.
async fn needs(owner: &Client, path: &str, permissions: &[&str]) {
    for lacking in permissions {
        let others = Permission::ALL.iter().map(|permission| permission.path());
        let others: Map<String, Value> =
            others.filter(|of| of != lacking).map(|of| (of.to_owned(), json!(true))).collect();
        let refusal = Program::that_may(owner, others.into()).await.get(path).await;
        assert_eq!(refusal.status, 403, "{path} without {lacking}: {}", refusal.body);
        assert!(refusal.body["detail"].as_str().unwrap().contains(lacking), "{}", refusal.body);
    }
    let those = permissions.iter().map(|of| ((*of).to_owned(), json!(true)));
    let those: Map<String, Value> = those.collect();
    let answer = Program::that_may(owner, those.into()).await.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
}

/// Holds an answer against the one that is kept, without its numbers as names.
fn is_as_kept(name: &str, answer: &Value) {
    let mut answer = answer.clone();
    for row in answer.as_array_mut().into_iter().flatten() {
        for member in ["id", "instanceId"] {
            if row[member].is_i64() {
                row[member] = json!("…");
            }
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_json_snapshot!(format!("simplepod_{name}"), answer));
}
