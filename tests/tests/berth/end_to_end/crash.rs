//! The server dies while many rent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::Client;
use tokio::task::JoinSet;

use super::process::{Berth, list_server};
use super::with_either_database;

const CLIENTS: usize = 16;
const SERVERS: usize = 160;
/// The server dies once so many rents were acknowledged.
const KILLS: [usize; 2] = [25, 70];

/// What a client was told of a rent: its status and body, or nothing because the server died.
type Told = Option<(u16, Value)>;

/// Rents that one client has asked for, by server. The key is made from the server's id.
struct Renter {
    client: Client,
    told: BTreeMap<String, Told>,
}

with_either_database! {
    async fn what_was_acknowledged_before_a_kill_is_there_and_what_was_not_happens_once(
        berth: &mut Berth,
    ) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            servers.push(list_server(&operator, &format!("node-{number}")).await);
        }
        let servers: Arc<[String]> = servers.into();
        let mut renters = Vec::new();
        for number in 0..CLIENTS {
            let name = format!("renter-{number}");
            let client = berth.renter(&operator, &name, "9000.00").await;
            renters.push(Renter { client, told: BTreeMap::new() });
        }
        let (attempts, acknowledged) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for wanted in KILLS {
            let mut running = JoinSet::new();
            for renter in renters.drain(..) {
                let (servers, attempts) = (servers.clone(), attempts.clone());
                running.spawn(rent_until_it_dies(renter, servers, attempts, acknowledged.clone()));
            }
            while acknowledged.load(Ordering::SeqCst) < wanted {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            berth.kill();
            renters = running.join_all().await;
            berth.start(&["serve"]).await;
            for renter in &mut renters {
                settle(renter).await;
            }
        }
        let rented = renters.iter().flat_map(|renter| renter.told.values());
        let rented = rented.filter(|told| told.as_ref().is_some_and(|(status, _)| *status == 201));
        assert!(rented.count() >= KILLS[1]);
    }
}

/// Every server is asked for twice, by different clients as a rule.
async fn rent_until_it_dies(
    mut renter: Renter,
    servers: Arc<[String]>,
    attempts: Arc<AtomicUsize>,
    acknowledged: Arc<AtomicUsize>,
) -> Renter {
    loop {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst);
        let server =
            servers.get(attempt / 2).expect("more servers than are rented before the kill");
        if renter.told.contains_key(server) {
            continue;
        }
        let told = rent(&renter.client, server).await;
        let dead = told.is_none();
        if matches!(told, Some((201, _))) {
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        renter.told.insert(server.clone(), told);
        if dead {
            return renter;
        }
    }
}

async fn rent(client: &Client, server: &str) -> Told {
    let path = format!("/servers/{server}/rent");
    let key = format!("rent-{server}");
    let headers = [("idempotency-key", key.as_str())];
    let body = json!({ "rental_days": 7 });
    let answer = client.try_send(reqwest::Method::POST, &path, &headers, Some(&body)).await.ok()?;
    Some((answer.status, answer.body))
}

/// Retries every rent of a client after the restart, and compares with what it was told and owns.
async fn settle(renter: &mut Renter) {
    let mut rentals = Vec::new();
    for (server, told) in &mut renter.told {
        let again = rent(&renter.client, server).await.expect("the server is back");
        match told {
            Some(told) if told.0 == 201 => assert_eq!(*told, again, "an acknowledged rent changed"),
            Some(_) => {}
            None => assert!([201, 409].contains(&again.0), "{again:?}"),
        }
        let third = rent(&renter.client, server).await.expect("the server is back");
        assert_eq!(again, third, "the same key gave two answers");
        if again.0 == 201 {
            rentals.push(again.1["data"]["rental"]["id"].as_str().unwrap().to_owned());
        }
        *told = Some(again);
    }
    let owned = renter.client.get("/rentals").await.data(200);
    let owned = owned.as_array().unwrap().iter();
    let mut owned: Vec<_> = owned.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    owned.sort();
    rentals.sort();
    assert_eq!(owned, rentals);
    let spent = 7_000 * i64::try_from(rentals.len()).unwrap();
    assert_eq!(renter.client.balance_cents().await, 900_000 - spent);
}
