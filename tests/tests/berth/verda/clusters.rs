use chrono::Duration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use super::{ask, get, is_refused, post, program};
use crate::deals::payer;
use crate::furnishing::furnish;
use crate::instances::fleet;

/// Sells a plan with a graphics processor, on two servers of two each that share a storage.
async fn gpus(app: &TestApp) -> (Client, Client) {
    let (boss, jane, _) = fleet(app).await;
    let gpu = |count: u32| json!({ "model": "H200", "count": count, "memory_mib": 144_384 });
    let plan = json!({
        "name": "H200 SXM5 141GB", "locations": ["FIN-03"], "pricing": { "per_hour": "3.39" },
        "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10, "gpu": gpu(1) }
    });
    boss.put("/admin/plans/1H200", plan).await.data(200);
    let two = json!({ "storage": "san", "storage_gb": 1000, "gpu": gpu(2) });
    furnish(app, &boss, "one", two.clone()).await;
    furnish(app, &boss, "two", two).await;
    (boss, jane)
}

fn wish(change: &Value) -> Value {
    let mut body = json!({
        "hostname": "many", "cluster_type": "2x1H200", "image": "ubuntu-24.04", "description": "",
        "ssh_key_ids": [], "contract": "PAY_AS_YOU_GO", "location_code": "FIN-03",
        "startup_script_id": null, "shared_volume": { "name": "home", "size": 100 }
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

async fn seen(program: &Client, id: &str) -> Value {
    get(program, &format!("/clusters/{id}")).await.body
}

on_both_databases! {
    // The Python SDK waits for this very word, for a quarter of an hour if it has passed.
    async fn a_cluster_is_provisioning_for_as_long_as_clients_look(app: &TestApp) {
        let (_, jane) = gpus(app).await;
        let program = program(&jane).await;
        let made = post(&program, "/clusters", wish(&json!({}))).await;
        assert_eq!(made.status, 202);
        let id = made.body["id"].as_str().unwrap();
        app.do_jobs().await;
        let fresh = seen(&program, id).await;
        assert_eq!((&fresh["status"], &fresh["cluster_type"]),
            (&json!("provisioning"), &json!("2x1H200")));
        assert_eq!(get(&program, "/clusters").await.body, json!([fresh]));
        app.clock.advance(Duration::seconds(10));
        let cluster = seen(&program, id).await;
        assert_eq!((&cluster["status"], &cluster["ip"]),
            (&json!("running"), &json!("203.0.113.7")));
        assert_eq!(cluster["price_per_hour"], 6.78);
        // Terraform takes a missing answer to what it computes for a fault.
        for name in ["auto_rental_extension", "turn_to_pay_as_you_go"] {
            assert_eq!(cluster[name], json!(false), "{name}");
        }
        assert_eq!(cluster["worker_nodes"].as_array().unwrap().len(), 2);
        assert_eq!(cluster["shared_volumes"][0]["mount_point"], "/home");
        assert_eq!(get(&program, "/instances").await.body, json!([]), "nodes are no instances");

        let none = json!({ "actions": [] });
        let refusal = ask(&program, Method::PUT, "/clusters", Some(none)).await;
        is_refused(&refusal, 400, "invalid_request", "actions must be 1 to 100");
        let action = json!({ "id": id, "action": "discontinue" });
        for body in [json!({ "actions": [action] }), action] {
            assert_eq!(ask(&program, Method::PUT, "/clusters", Some(body)).await.status, 202);
        }
        app.do_jobs().await;
        assert_eq!(seen(&program, id).await["status"], "discontinued");
        assert_eq!(get(&program, "/clusters").await.body, json!([]));
        // The Go SDK says that shared volumes stay and are deleted by hand.
        let volumes = get(&program, "/volumes").await.body;
        assert_eq!((&volumes[0]["name"], &volumes[0]["status"]),
            (&json!("home"), &json!("detached")));
    }

    async fn what_could_be_had_counts_all_nodes(app: &TestApp) {
        let (_, jane) = gpus(app).await;
        let program = program(&jane).await;
        let types = get(&app.stranger(), "/cluster-types").await.body;
        let named = |row: &Value| row["cluster_type"].as_str().unwrap().to_owned();
        let names: Vec<_> = types.as_array().unwrap().iter().map(named).collect();
        assert_eq!(names, ["2x1H200", "4x1H200"]);
        assert_eq!(types[1]["gpu"]["number_of_gpus"], 4);
        assert_eq!(types[1]["price_per_hour"], "13.56");
        let here = get(&program, "/cluster-availability?location_code=FIN-03").await.body;
        assert_eq!(here, json!([{
            "location_code": "FIN-03", "availabilities": ["2x1H200", "4x1H200"]
        }]));
        // One processor less, and four find no place together.
        let one = json!({
            "plan": "1H200", "image": "ubuntu-24.04", "location": "FIN-03", "hostname": "star"
        });
        jane.post("/instances", one).await.data(201);
        for (kind, is_there) in [("2x1H200", true), ("4x1H200", false), ("3x1H200", false),
            ("2xnothing", false), ("nothing", false)] {
            let answer = get(&program, &format!("/cluster-availability/{kind}")).await;
            assert_eq!((answer.status, answer.body), (200, json!(is_there)), "{kind}");
        }
        let four = wish(&json!({ "cluster_type": "4x1H200" }));
        let refusal = post(&program, "/clusters", four).await;
        is_refused(&refusal, 503, "service_unavailable", "No capacity available");
        for (change, told) in [
            (json!({ "cluster_type": "16H200" }), "Invalid cluster type"),
            (json!({ "contract": "LONG_TERM" }), "contract must be PAY_AS_YOU_GO"),
            (json!({ "location_code": null }), "location_code is required"),
            (json!({ "shared_volume": null }), "shared_volume is required"),
            (json!({ "image": "dos" }), "image is no image that is offered"),
            (json!({ "existing_volumes": [{ "id": "x" }] }),
                "existing_volumes is not for clusters: each gets a volume of its own"),
        ] {
            let refusal = post(&program, "/clusters", wish(&change)).await;
            is_refused(&refusal, 400, "invalid_request", told);
        }
    }

    async fn clusters_of_others_are_not_there(app: &TestApp) {
        let (_, jane) = gpus(app).await;
        let john = payer(app, "john", "1.00").await;
        let (program, stranger) = (program(&jane).await, crate::verda::program(&john).await);
        let made = post(&program, "/clusters", wish(&json!({}))).await.body;
        let id = made["id"].as_str().unwrap();
        let path = format!("/clusters/{id}");
        let action = json!({ "actions": [{ "id": id, "action": "discontinue" }] });
        let tag = json!({ "key": "k" });
        for refusal in [
            get(&stranger, &path).await,
            ask(&stranger, Method::PUT, "/clusters", Some(action)).await,
            post(&stranger, &format!("{path}/tags"), tag).await,
        ] {
            is_refused(&refusal, 404, "not_found", "Invalid cluster id");
        }
        assert_eq!(get(&stranger, "/clusters").await.body, json!([]));
    }
}
