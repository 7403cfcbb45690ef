//! The surface of Verda's clients. Each rule that one of them needs has a test that names it.

mod catalogue;
mod clusters;
mod credentials;
mod examples;
mod instances;
mod isolation;
mod keys_and_scripts;
mod limits;
mod private_types;
mod shapes;
mod tokens;
mod volumes;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client};

use crate::belongings::default_pool;

/// Both halves of new credentials for a pool.
async fn halves(owner: &Client, pool: &str) -> (String, String) {
    let path = format!("/pools/{pool}/client-credentials");
    let made = owner.post(&path, json!({ "alias": "sdk" })).await.data(201);
    let half = |name: &str| made[name].as_str().unwrap().to_owned();
    (half("client_id"), half("client_secret"))
}

/// Any request below the surface's mount point.
async fn ask(client: &Client, method: Method, path: &str, body: Option<Value>) -> Answer {
    client.send(method, &format!("/!verda/v1{path}"), &[], body.as_ref()).await
}

async fn get(client: &Client, path: &str) -> Answer {
    ask(client, Method::GET, path, None).await
}

async fn post(client: &Client, path: &str, body: Value) -> Answer {
    ask(client, Method::POST, path, Some(body)).await
}

async fn delete(client: &Client, path: &str, body: Option<Value>) -> Answer {
    ask(client, Method::DELETE, path, body).await
}

async fn token(client: &Client, (id, secret): &(String, String)) -> Answer {
    let wish = json!({
        "grant_type": "client_credentials", "client_id": id, "client_secret": secret
    });
    post(client, "/oauth2/token", wish).await
}

/// A program of the owner's default pool.
async fn program(owner: &Client) -> Client {
    let halves = halves(owner, &default_pool(owner).await).await;
    let pair = token(owner, &halves).await;
    assert_eq!(pair.status, 200, "{}", pair.body);
    owner.with_token(pair.body["access_token"].as_str().unwrap())
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str, message: &str) {
    let told = (answer.status, &answer.body);
    assert_eq!(told, (status, &json!({ "code": code, "message": message })));
}
