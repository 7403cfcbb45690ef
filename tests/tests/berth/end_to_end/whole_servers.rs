//! Servers that are rented as a whole, handed over and taken back over SSH by the built binary.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::Client;
use tests::ssh_host::SshHost;

use super::process::{Berth, list_server};
use super::with_either_database;

const DEADLINE: Duration = Duration::from_mins(2);

/// Waits until the renter's access is so.
async fn until(renter: &Client, rental: &str, access: &str) {
    let began = Instant::now();
    loop {
        let seen = renter.get(&format!("/rentals/{rental}/access")).await.data(200);
        if seen["access"] == access {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{seen}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn add_key(client: &Client, name: &str, line: &str) {
    client.post("/ssh-keys", json!({ "name": name, "public_key": line })).await.data(201);
}

with_either_database! {
    async fn a_rented_server_lets_its_renter_s_keys_in_until_it_is_given_back(berth: &mut Berth) {
        let host = SshHost::start();
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        let server = list_server(&operator, "metal").await;
        let private = std::fs::read_to_string(&host.key).unwrap();
        let identity = json!({ "private_key": private });
        operator.put("/admin/ssh-identities/default", identity).await.data(200);
        let login = json!({ "address": host.address.ip(), "port": host.address.port() });
        operator.put(&format!("/admin/servers/{server}/login"), login).await.data(200);

        let alice = berth.renter(&operator, "alice", "100.00").await;
        let (laptop, line) = host.new_key("laptop");
        add_key(&alice, "laptop", &line).await;
        let rented = alice.rent(&server, 7).await.data(201);
        let rental = rented["rental"]["id"].as_str().unwrap();
        until(&alice, rental, "granted").await;
        let seen = alice.get(&format!("/rentals/{rental}/access")).await.data(200);
        let address = host.address.ip().to_string();
        assert_eq!((&seen["address"], &seen["username"]), (&json!(address), &json!("renter")));
        let root = host.ssh("renter", &laptop, "sudo id -u; echo mine >file");
        assert_eq!(String::from_utf8_lossy(&root.stdout).trim(), "0", "{root:?}");

        // Keys that come later get in when they are asked to.
        let (phone, line) = host.new_key("phone");
        add_key(&alice, "phone", &line).await;
        assert!(!host.ssh("renter", &phone, "true").status.success());
        alice.post(&format!("/rentals/{rental}/access"), json!({})).await.data(200);
        until(&alice, rental, "granted").await;
        assert!(host.ssh("renter", &phone, "cat file").status.success());
        assert!(host.ssh("renter", &laptop, "true").status.success());

        // Nobody else looks at it, or lets anybody in.
        let bob = berth.renter(&operator, "bob", "100.00").await;
        let path = format!("/rentals/{rental}/access");
        bob.get(&path).await.refused(404, "RENTAL_NOT_FOUND");
        bob.post(&path, json!({})).await.refused(404, "RENTAL_NOT_FOUND");

        let ended = alice.post(&format!("/rentals/{rental}/terminate"), json!({})).await;
        ended.data(200);
        until(&alice, rental, "wiped").await;
        assert!(!host.ssh("renter", &laptop, "true").status.success());
        assert!(!host.run("id renter").status.success());
        assert!(!host.path("/home/renter").exists());
        alice.post(&path, json!({})).await.refused(409, "RENTAL_ENDED");
        // The next one gets it clean.
        add_key(&bob, "laptop", &host.new_key("other").1).await;
        let rented = bob.rent(&server, 7).await.data(201);
        until(&bob, rented["rental"]["id"].as_str().unwrap(), "granted").await;
        assert!(!host.ssh("renter", &laptop, "true").status.success());
        assert!(!host.path("/home/renter/file").exists());
    }
}
