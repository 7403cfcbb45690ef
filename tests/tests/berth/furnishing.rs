//! Servers that carry instances.

use serde_json::{Value, json};
use tests::{Answer, Client, TestApp};

/// Says what a server has for instances.
pub async fn furnish(app: &TestApp, boss: &Client, name: &str, change: Value) -> String {
    let server = app.server(name).await;
    furnish_anew(boss, &server, &change).await.data(200);
    server
}

pub async fn furnish_anew(boss: &Client, server: &str, change: &Value) -> Answer {
    let mut body = json!({
        "location": "FIN-03", "storage_gb": 1000, "driver": "simulated", "address": "203.0.113.7",
        "first_port": 20000, "last_port": 20099, "cpus": 64, "ram_mib": 262_144
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    boss.put(&format!("/admin/servers/{server}/capacity"), body).await
}
