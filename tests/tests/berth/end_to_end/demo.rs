//! `berth` alone, as the README has it.

use std::process::{Command, Stdio};

use tests::{Client, invariants};

use super::process::Berth;

/// How many servers the catalogue that comes with the project has.
const SERVERS: usize = 1_173;
const PASSWORD: &str = "berth-demo-password";

async fn log_in(berth: &Berth, username: &str) -> Client {
    let body = serde_json::json!({ "username": username, "password": PASSWORD });
    let data = berth.stranger().post("/users/auth/login", body).await.data(200);
    berth.stranger().with_token(data["token"].as_str().unwrap())
}

/// The lines to paste: those that are indented.
fn printed_session(berth: &Berth) -> String {
    let out = berth.read("out.txt");
    let lines = out.lines().filter_map(|line| line.strip_prefix("  "));
    lines.fold(String::from("set -euo pipefail\n"), |script, line| script + line + "\n")
}

#[tokio::test]
async fn berth_alone_is_a_marketplace_whose_printed_session_works() {
    let mut berth = Berth::in_an_empty_folder();
    berth.start(&[]).await;
    let operator = log_in(&berth, "operator").await;
    let servers = operator.get("/admin/servers").await.data(200);
    assert_eq!(servers.as_array().unwrap().len(), SERVERS);
    let alice = log_in(&berth, "alice").await;
    assert_eq!(alice.balance_cents().await, 50_000);
    assert_eq!(log_in(&berth, "bob").await.balance_cents().await, 25_000);

    let mut bash = Command::new("bash");
    let pasted = bash.args(["-c", &printed_session(&berth)]).stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8_lossy(&pasted.stdout);
    assert!(pasted.status.success(), "{printed} {}", String::from_utf8_lossy(&pasted.stderr));
    for answer in ["Available servers retrieved", "Rental retrieved", "Rental extended", "payment"]
    {
        assert!(printed.contains(answer), "no {answer:?} in {printed}");
    }
    let rentals = alice.get("/rentals").await.data(200);
    assert_eq!(rentals.as_array().unwrap().len(), 1);
    assert_eq!(rentals[0]["remaining_days"], 14);
    let balance = alice.balance_cents().await;

    assert_eq!(berth.stop().code(), Some(0));
    berth.start(&["demo"]).await;
    let users = log_in(&berth, "operator").await.get("/admin/users").await.data(200);
    assert_eq!(users.as_array().unwrap().len(), 3);
    let servers = operator.get("/admin/servers").await.data(200);
    assert_eq!(servers.as_array().unwrap().len(), SERVERS);
    // Her session has outlived the restart, because the generated key is kept.
    assert_eq!(alice.balance_cents().await, balance);
    let file = berth.folder.join("data/berth.sqlite");
    invariants::check_at(&format!("sqlite://{}", file.display())).await;
    berth.finish().await;
}

#[tokio::test]
async fn serve_never_creates_users() {
    let mut berth = Berth::in_an_empty_folder();
    berth.start(&["serve"]).await;
    assert_eq!(berth.succeed(&["admin", "users"]), "");
    assert_eq!(berth.succeed(&["admin", "server", "list"]), "");
    berth.finish().await;
}
