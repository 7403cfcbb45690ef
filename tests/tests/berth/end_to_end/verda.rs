//! Verda's SDK for Python, as it is published, against the built binary.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::json;
use tests::{Client, Kind, at_once};

use super::clients::{succeed, tools};
use super::process::Berth;
use super::servers::stock;
use super::with_either_database;

/// Both halves of credentials for somebody's pool.
async fn credentials(client: &Client) -> (String, String) {
    let pools = client.get("/pools").await.data(200);
    let path = format!("/pools/{}/client-credentials", pools[0]["id"].as_str().unwrap());
    let made = client.post(&path, json!({ "alias": "sdk" })).await.data(201);
    let half = |name: &str| made[name].as_str().unwrap().to_owned();
    (half("client_id"), half("client_secret"))
}

with_either_database! {
    async fn the_sdk_looks_around_and_keeps_keys_and_scripts(berth: &mut Berth) {
        berth.configure("BERTH__VERDA__HOST", "verda.example");
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        stock(&operator).await;
        let jane = berth.renter(&operator, "jane", "100.00").await;
        let (id, secret) = credentials(&jane).await;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verda_catalogue.py");
        let mut python = Command::new(tools().join("python"));
        python.arg(script).args([&format!("{}/verda/v1", berth.address), &id, &secret]);
        let printed = succeed(&mut python);
        assert!(printed.contains("all that was expected"), "{printed}");
        let types = "/!v1/instance-types";
        let at_its_host = [("host", "verda.example")];
        let seen = jane.send(Method::GET, types, &at_its_host, None).await;
        assert_eq!((seen.status, seen.body[0]["instance_type"].as_str()), (200, Some("gpu")));
        jane.get(types).await.refused(404, "ROUTE_NOT_FOUND");
    }
}

#[tokio::test]
async fn the_surface_can_be_switched_off() {
    let mut berth = Berth::new(Kind::Sqlite).await;
    berth.configure("BERTH__VERDA__ENABLED", "false");
    berth.start(&["serve"]).await;
    berth.stranger().get("/!verda/v1/instance-types").await.refused(404, "ROUTE_NOT_FOUND");
    berth.finish().await;
}

#[tokio::test]
async fn four_servers_count_a_projects_requests_as_one() {
    let mut first = Berth::new(Kind::Postgres).await;
    first.configure("BERTH__AUTH__SIGNING_KEY", &"1f".repeat(32));
    first.start(&["serve"]).await;
    let mut servers = vec![first];
    for _ in 1..4 {
        let mut server = servers[0].beside();
        server.start(&["serve"]).await;
        servers.push(server);
    }
    let operator = servers[0].operator().await;
    let jane = servers[0].renter(&operator, "jane", "100.00").await;
    let (id, secret) = credentials(&jane).await;
    let wish = json!({
        "grant_type": "client_credentials", "client_id": id, "client_secret": secret
    });
    let pair = jane.post("/!verda/v1/oauth2/token", wish).await.body;
    let program = jane.with_token(pair["access_token"].as_str().unwrap());
    // At once, and well within the minute that the first of them begins.
    let answers = at_once((0..100).map(|number| {
        let client = program.through(&servers[number % servers.len()].address);
        async move { client.get("/!verda/v1/balance").await }
    }));
    let answers = answers.await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(429)), (60, 40));
    while let Some(server) = servers.pop() {
        server.finish().await;
    }
}
