//! Many who want the same places at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, at_once, on_both_databases};

use crate::deals::boss;
use crate::furnishing::furnish;
use crate::instances::{taken, tiny, wish};

const CLIENTS: usize = 32;

fn order(client: &Client, body: Value) -> impl Future<Output = Answer> + Send + 'static {
    let client = client.clone();
    async move { client.post("/instances", body).await }
}

fn count(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let code = answer.body["error"].as_str().unwrap_or("done").to_owned();
        *counts.entry(code).or_insert(0) += 1;
    }
    counts
}

async fn renters(app: &TestApp) -> Vec<Client> {
    let mut renters = Vec::new();
    for number in 0..CLIENTS {
        renters.push(app.renter(&format!("renter-{number}"), "100.00").await);
    }
    renters
}

on_both_databases! {
    async fn exactly_enough_graphics_processors_are_enough_and_no_two_get_one(app: &TestApp) {
        let boss = boss(app).await;
        tiny(&boss).await;
        let plan = json!({
            "name": "GPU", "pricing": { "per_hour": "3.6" }, "locations": ["FIN-03"],
            "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10,
                "gpu": { "model": "H100", "count": 1, "memory_mib": 81920 } }
        });
        boss.put("/admin/plans/gpu", plan).await.data(200);
        let gpu = json!({ "gpu": { "model": "H100", "count": 4, "memory_mib": 81920 } });
        let mut hosts = Vec::new();
        for number in 0..CLIENTS / 4 {
            hosts.push(furnish(app, &boss, &format!("metal-{number}"), gpu.clone()).await);
        }
        let renters = renters(app).await;
        let wish = wish(&json!({ "plan": "gpu" }));
        let answers = at_once(renters.iter().map(|renter| order(renter, wish.clone()))).await;
        assert_eq!(count(&answers), BTreeMap::from([("done".to_owned(), CLIENTS)]));
        for host in &hosts {
            let seen = boss.get(&format!("/admin/servers/{host}/capacity")).await.data(200);
            let slots = seen["slots"].as_array().unwrap();
            assert_eq!(slots.iter().filter(|slot| slot["kind"] == "gpu").count(), 4);
        }
        let one_more = renters[0].post("/instances", wish).await;
        one_more.refused(409, "NO_CAPACITY");
    }

    async fn of_32_who_want_10_ports_ten_get_one_each(app: &TestApp) {
        let boss = boss(app).await;
        tiny(&boss).await;
        let few = json!({ "first_port": 20000, "last_port": 20009 });
        let host = furnish(app, &boss, "metal", few).await;
        let renters = renters(app).await;
        let wish = wish(&json!({}));
        let answers = at_once(renters.iter().map(|renter| order(renter, wish.clone()))).await;
        let expected = [("NO_CAPACITY".to_owned(), CLIENTS - 10), ("done".to_owned(), 10)];
        assert_eq!(count(&answers), BTreeMap::from(expected));
        assert_eq!(taken(&boss, &host).await[3], 10);
    }

    async fn what_is_deleted_by_several_at_once_is_given_back_once(app: &TestApp) {
        let boss = boss(app).await;
        tiny(&boss).await;
        let host = furnish(app, &boss, "metal", json!({})).await;
        let jane = app.renter("jane", "100.00").await;
        let id = crate::instances::running(app, &jane, json!({})).await;
        let delete = |_| {
            let (jane, path) = (jane.clone(), format!("/instances/{id}"));
            async move { jane.delete(&path).await }
        };
        for answer in at_once((0..8).map(delete)).await {
            answer.data(200);
        }
        tokio::join!(app.do_jobs(), app.do_jobs(), app.do_jobs());
        assert_eq!(taken(&boss, &host).await, [0; 5]);
    }
}
