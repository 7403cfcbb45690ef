//! Verda's SDK for Python, as it is published, against the built binary.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use serde_json::json;
use tests::{Client, Kind, at_once};

use super::clients::{succeed, tools};
use super::process::{Berth, list_server};
use super::servers::stock;
use super::with_either_database;

const KEY: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane\n";

/// Both halves of credentials for somebody's pool.
pub async fn credentials(client: &Client) -> (String, String) {
    let pools = client.get("/pools").await.data(200);
    let path = format!("/pools/{}/client-credentials", pools[0]["id"].as_str().unwrap());
    let made = client.post(&path, json!({ "alias": "sdk" })).await.data(201);
    let half = |name: &str| made[name].as_str().unwrap().to_owned();
    (half("client_id"), half("client_secret"))
}

/// Runs one of the scripts that drive the SDK; it says when all was as expected.
fn sdk(berth: &Berth, script: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let mut python = Command::new(tools().join("python"));
    python.arg(script).arg(format!("{}/verda/v1", berth.address)).args(arguments);
    let printed = succeed(&mut python);
    assert!(printed.contains("all that was expected"), "{printed}");
}

with_either_database! {
    async fn the_sdk_looks_around_and_keeps_keys_and_scripts(berth: &mut Berth) {
        berth.configure("BERTH__VERDA__HOST", "verda.example");
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        stock(&operator).await;
        let jane = berth.renter(&operator, "jane", "100.00").await;
        let (id, secret) = credentials(&jane).await;
        sdk(berth, "verda_catalogue.py", &[&id, &secret]);
        let types = "/!v1/instance-types";
        let at_its_host = [("host", "verda.example")];
        let seen = jane.send(Method::GET, types, &at_its_host, None).await;
        assert_eq!((seen.status, seen.body[0]["instance_type"].as_str()), (200, Some("gpu")));
        jane.get(types).await.refused(404, "ROUTE_NOT_FOUND");
    }
}

/// Sells a plan on demand and as spot, on one server for all there is to do.
async fn fleet(operator: &Client) {
    let helsinki = json!({ "name": "Finland 3", "country": "FI" });
    operator.put("/admin/locations/FIN-03", helsinki).await.data(200);
    let gpu = |count: u32| json!({ "model": "H100", "count": count, "memory_mib": 81_920 });
    let plan = json!({
        "name": "H100 SXM5 80GB", "locations": ["FIN-03"],
        "pricing": { "per_hour": "2.29", "spot_per_hour": "0.8015" },
        "shape": { "cpus": 4, "ram_mib": 4096, "disk_gb": 20, "gpu": gpu(1) }
    });
    operator.put("/admin/plans/1H100.80S.4V", plan).await.data(200);
    let image = json!({ "name": "Ubuntu 24.04", "category": "ubuntu", "reference": "ubuntu" });
    operator.put("/admin/images/ubuntu-24.04", image).await.data(200);
    let host = list_server(operator, "metal").await;
    let capacity = json!({
        "location": "FIN-03", "storage_gb": 2000, "cpus": 64, "ram_mib": 65_536,
        "address": "203.0.113.7", "addresses": ["203.0.113.8", "203.0.113.9", "203.0.113.10"],
        "first_port": 20000, "last_port": 20099, "driver": "simulated", "gpu": gpu(8)
    });
    operator.put(&format!("/admin/servers/{host}/capacity"), capacity).await.data(200);
}

/// Runs the lines of Python that the README has, with values for their names; answers what they
/// print.
pub fn lines_of_the_readme(berth: &Berth, values: [&str; 6]) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, block) = readme.split_once("```python\n").unwrap();
    let (lines, _) = block.split_once("```").unwrap();
    assert_eq!(lines.lines().count(), 5);
    let lines = lines.replace("http://localhost:8080", &berth.address);
    let names = "CLIENT_ID, CLIENT_SECRET, PUBLIC_KEY_FILE, TYPE, IMAGE, LOCATION";
    let script = format!("import sys\n{names} = sys.argv[1:]\n{lines}");
    succeed(Command::new(tools().join("python")).args(["-c", &script]).args(values))
}

with_either_database! {
    async fn the_lines_of_the_readme_deploy_a_simulated_instance(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        fleet(&operator).await;
        let jane = berth.renter(&operator, "jane", "100.00").await;
        let (id, secret) = credentials(&jane).await;
        let key = berth.folder.join("key.pub");
        std::fs::write(&key, KEY).unwrap();
        let sold = ["1H100.80S.4V", "ubuntu-24.04", "FIN-03"];
        let [plan, image, location] = sold;
        let values = [&id, &secret, key.to_str().unwrap(), plan, image, location];
        let printed = lines_of_the_readme(berth, values);
        assert!(printed.starts_with("running 203.0.113.8 "), "{printed}");
    }

    async fn the_sdk_has_instances_volumes_and_clusters(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        fleet(&operator).await;
        let jane = berth.renter(&operator, "jane", "100.00").await;
        let (id, secret) = credentials(&jane).await;
        let names = ["1H100.80S.4V", "ubuntu-24.04", "FIN-03"];
        sdk(berth, "verda_instances.py", &[&[id.as_str(), &secret], &names[..]].concat());
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
