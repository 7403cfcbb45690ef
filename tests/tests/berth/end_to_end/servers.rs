//! Several servers on one database.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{Answer, Client, Kind, at_once};

use super::process::{Berth, list_server};

const SERVERS: usize = 4;
/// Of each server.
const CLIENTS: usize = 8;
/// Graphics processors of each host.
const EACH: usize = 4;

/// Sells the plan `gpu` on exactly as many graphics processors as there are clients.
pub async fn stock(operator: &Client) -> Vec<String> {
    let helsinki = json!({ "name": "Helsinki", "country": "FI" });
    operator.put("/admin/locations/FIN-03", helsinki).await.data(200);
    let gpu = |count: usize| json!({ "model": "H100", "count": count, "memory_mib": 81920 });
    let plan = json!({
        "name": "GPU", "pricing": { "per_hour": "3.6" }, "locations": ["FIN-03"],
        "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10, "gpu": gpu(1) }
    });
    operator.put("/admin/plans/gpu", plan).await.data(200);
    let image = json!({ "name": "Box", "category": "linux", "reference": "box" });
    operator.put("/admin/images/box", image).await.data(200);
    let mut hosts = Vec::new();
    for number in 0..SERVERS * CLIENTS / EACH {
        let host = list_server(operator, &format!("metal-{number}")).await;
        let capacity = json!({
            "location": "FIN-03", "storage_gb": 1000, "cpus": 64, "ram_mib": 65536,
            "address": "203.0.113.7", "first_port": 20000, "last_port": 20099,
            "driver": "simulated", "gpu": gpu(EACH)
        });
        operator.put(&format!("/admin/servers/{host}/capacity"), capacity).await.data(200);
        hosts.push(host);
    }
    hosts
}

fn order(client: &Client) -> impl Future<Output = Answer> + Send + 'static {
    let client = client.clone();
    async move {
        let wish =
            json!({ "plan": "gpu", "image": "box", "location": "FIN-03", "hostname": "star" });
        client.post("/instances", wish).await
    }
}

async fn status(client: &Client, made: &Value) -> Value {
    let path = format!("/instances/{}", made["id"].as_str().unwrap());
    client.get(&path).await.data(200)["status"].clone()
}

#[tokio::test]
async fn clients_of_four_servers_claim_exactly_enough_places() {
    let mut first = Berth::new(Kind::Postgres).await;
    first.configure("BERTH__AUTH__SIGNING_KEY", &"1f".repeat(32));
    first.start(&["serve"]).await;
    let mut servers = vec![first];
    for _ in 1..SERVERS {
        let mut server = servers[0].beside();
        server.start(&["serve"]).await;
        servers.push(server);
    }
    let operator = servers[0].operator().await;
    let hosts = stock(&operator).await;
    let mut clients = Vec::new();
    for number in 0..SERVERS * CLIENTS {
        let renter = servers[0].renter(&operator, &format!("renter-{number}"), "100.00").await;
        clients.push(renter.through(&servers[number % SERVERS].address));
    }
    let answers = at_once(clients.iter().map(order)).await;
    let made: Vec<Value> = answers.into_iter().map(|answer| answer.data(201)).collect();
    for host in &hosts {
        let seen = operator.get(&format!("/admin/servers/{host}/capacity")).await.data(200);
        let slots = seen["slots"].as_array().unwrap().iter();
        assert_eq!(slots.filter(|slot| slot["kind"] == "gpu").count(), EACH);
    }
    order(&clients[0]).await.refused(409, "NO_CAPACITY");
    // Whoever has the job, and whichever server is asked.
    let began = Instant::now();
    for (client, made) in clients.iter().zip(&made) {
        while status(client, made).await != "running" {
            assert!(began.elapsed() < Duration::from_mins(1), "an instance is not made");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    while let Some(server) = servers.pop() {
        server.finish().await;
    }
}
