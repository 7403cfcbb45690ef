//! `berth` alone, as the README has it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, invariants};

use super::process::Berth;

/// How many servers the catalogue that comes with the project has.
const SERVERS: usize = 1_173;
/// How many simulated hosts carry instances, 28 of them of its plans; renters do not see them as
/// servers.
const INSTANCE_HOSTS: usize = 28 + 16;
const PLANS: usize = 24;
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
    assert_eq!(servers.as_array().unwrap().len(), SERVERS + INSTANCE_HOSTS);
    let offered = berth.stranger().get("/servers/available").await.data(200);
    assert_eq!(offered.as_array().unwrap().len(), SERVERS);
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
    assert_eq!(servers.as_array().unwrap().len(), SERVERS + INSTANCE_HOSTS);
    // Her session has outlived the restart, because the generated key is kept.
    assert_eq!(alice.balance_cents().await, balance);
    let file = berth.folder.join("data/berth.sqlite");
    invariants::check_at(&format!("sqlite://{}", file.display())).await;
    berth.finish().await;
}

/// A program of somebody's project, at Verda's surface.
async fn program(client: &Client) -> Client {
    let pools = client.get("/pools").await.data(200);
    let path = format!("/pools/{}/client-credentials", pools[0]["id"].as_str().unwrap());
    let made = client.post(&path, json!({ "alias": "sdk" })).await.data(201);
    let wish = json!({
        "grant_type": "client_credentials",
        "client_id": made["client_id"], "client_secret": made["client_secret"]
    });
    let pair = client.post("/!verda/v1/oauth2/token", wish).await.body;
    client.with_token(pair["access_token"].as_str().unwrap())
}

fn texts(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_demo_sells_instances_of_real_types() {
    let mut berth = Berth::in_an_empty_folder();
    berth.start(&["demo"]).await;
    let types = "/!verda/v1/instance-types";
    let types = berth.stranger().send(Method::GET, types, &[], None).await.body;
    assert_eq!(types.as_array().unwrap().len(), PLANS);
    let v100 = types.as_array().unwrap().iter().find(|kind| kind["instance_type"] == "1V100.6V");
    let v100 = v100.unwrap();
    assert_eq!(v100["gpu"]["description"], "1x Tesla V100 16GB");
    assert_eq!(v100["price_per_hour"], "0.1381");
    let images = ["debian-12", "ubuntu-24.04", "ubuntu-24.04-cuda-12.8-open-docker"];
    assert_eq!(v100["supported_os"], json!(images));

    let bob = log_in(&berth, "bob").await;
    let program = program(&bob).await;
    let locations = program.get("/!verda/v1/locations").await.body;
    let places = [
        "Europe-EE",
        "Europe-NO",
        "Europe-PL",
        "FIN-01",
        "FIN-02",
        "FIN-03",
        "ICE-01",
        "North-America-CA",
    ];
    assert_eq!(texts(&locations, "code"), places);
    let available = program.get("/!verda/v1/instance-availability").await.body;
    let counts = available.as_array().unwrap().iter();
    let counts = counts.map(|here| here["availabilities"].as_array().unwrap().len());
    // What has a price on demand: at FIN-03 all but 2B300, 2B200, 4B200, 8B200 and 8RTXPRO6000.
    // Elsewhere graphics processors are sold one by one, and no types.
    assert_eq!(counts.collect::<Vec<_>>(), [0, 0, 0, 5, 7, 16, 5, 0]);
    let rows = berth.stranger().get("/gpu-offers?sort=price,-gpus").await.data(200);
    assert_eq!(rows.as_array().unwrap().len(), 74, "so many GPUs there are");
    assert_eq!(
        (&rows[0]["gpu_model"], &rows[0]["gpus"], &rows[0]["terms"]["per_gpu"]),
        (&json!("RTX A2000"), &json!(8), &json!("0.06"))
    );
    let spot = program.get("/!verda/v1/instance-availability/8B200.240V?is_spot=true").await;
    assert_eq!(spot.body, true);

    let wish = json!({
        "plan": "1V100.6V", "image": "ubuntu-24.04", "location": "FIN-01", "hostname": "star"
    });
    let path = bob.post("/instances", wish).await.data(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/instances/{path}");
    let began = Instant::now();
    let made = loop {
        let made = bob.get(&path).await.data(200);
        if made["status"] == "running" {
            break made;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it is not made: {made}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(made["ip"].as_str().unwrap().starts_with("192.0.2."), "{made}");
    assert_eq!(berth.stop().code(), Some(0));
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
