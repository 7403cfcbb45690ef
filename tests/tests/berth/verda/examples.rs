//! The examples of the published document, against answers of ours.
//!
//! An answer has at least the members of its example, each of the same type or null, and stands as
//! a snapshot besides, ids replaced. A request of the document is sent as it is, but for the ids
//! and names of what it is about; where it cannot be had here, the refusal says why. The examples
//! are copies of the published ones.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use super::{ask, get, halves, post, token};
use crate::belongings::default_pool;
use crate::deals::{boss, payer};
use crate::furnishing::furnish;
use crate::likeness::{self, faults, left_out};

const KEY: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane";
/// Members that the document shows of what there is not: contracts for long terms, and labels of
/// its own makers'.
const NOT_HERE: [&str; 3] = ["long_term_period", "extension_settings", "GPU VRAM"];

fn example(name: &str) -> Value {
    likeness::example("verda", name)
}

fn request(name: &str, change: Value) -> Value {
    likeness::request("verda", name, &change)
}

/// Fails the test unless the answer has what its example has.
#[track_caller]
fn hold(name: &str, answer: &Answer) {
    let faults = faults(&answer.body, &example(name)["response"], &NOT_HERE);
    assert!(faults.is_empty(), "{name}: {faults:#?}\n{:#}", answer.body);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    let shown = labelled(&answer.body, &mut BTreeMap::new());
    settings.bind(|| insta::assert_json_snapshot!(format!("verda_{name}"), shown));
}

/// Ids as `id-1`, `id-2` … in the order in which they appear.
fn labelled(value: &Value, known: &mut BTreeMap<String, usize>) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match key.as_str() {
                "access_token" | "refresh_token" => (key.clone(), json!("…")),
                _ => (key.clone(), labelled(value, known)),
            })
            .collect(),
        Value::Array(rows) => {
            // What came at one instant has no order.
            let mut rows = rows.clone();
            rows.sort_by_key(|row| row["name"].as_str().map(ToOwned::to_owned));
            let mut rows: Vec<Value> = rows.iter().map(|row| labelled(row, known)).collect();
            if rows.iter().all(Value::is_string) {
                rows.sort_by_key(ToString::to_string);
            }
            rows.into()
        }
        Value::String(text) if domain::pool::PoolId::parse_uuid(text).is_some() => {
            let next = known.len() + 1;
            Value::String(format!("id-{}", known.entry(text.clone()).or_insert(next)))
        }
        Value::String(text) if text.len() > 100 || text.contains("/mnt/") => json!("…"),
        other => other.clone(),
    }
}

/// The document's plan, image and place, and a program of somebody with 1,000.
async fn world(app: &TestApp) -> Client {
    let (boss, jane) = (boss(app).await, payer(app, "jane", "1000.00").await);
    let finland = json!({ "name": "Finland 1", "country": "FI" });
    boss.put("/admin/locations/FIN-01", finland).await.data(200);
    let gpu =
        |model: &str, count: u32| json!({ "model": model, "count": count, "memory_mib": 81_920 });
    for (code, name, price) in
        [("1H100.80S.30V", "H100 SXM5 80GB", "3.17"), ("8H200", "H200 SXM5 141GB", "3.39")]
    {
        let model = name.split(' ').next().unwrap();
        let terms = json!([{ "code": "3_MONTHS", "name": "3 months", "months": 3,
            "discount_percent": "14" }]);
        let plan = json!({
            "name": name, "description": "Dedicated Hardware Instance", "locations": ["FIN-01"],
            "shape": { "cpus": 22, "ram_mib": 191_488, "disk_gb": 50, "gpu": gpu(model, 1) },
            "pricing": { "per_hour": price, "spot_per_hour": "0.31", "long_terms": terms }
        });
        boss.put(&format!("/admin/plans/{code}"), plan).await.data(200);
    }
    for code in ["ubuntu-22.04-cuda-12.4-docker", "ubuntu-22.04-cuda-12.4-cluster"] {
        let image = json!({
            "name": "Ubuntu 22.04", "category": "ubuntu", "reference": code,
            "details": ["Ubuntu 22.04", "Minimal Image"]
        });
        boss.put(&format!("/admin/images/{code}"), image).await.data(200);
    }
    for (name, model) in [("metal", "H100"), ("many", "H200")] {
        let capacity = json!({
            "location": "FIN-01", "cpus": 512, "ram_mib": 2_000_000, "gpu": gpu(model, 8),
            "storage": "san", "storage_gb": 100_000
        });
        furnish(app, &boss, name, capacity).await;
    }
    let halves = halves(&jane, &default_pool(&jane).await).await;
    let pair = token(&jane, &halves).await;
    let refresh = json!({ "refresh_token": pair.body["refresh_token"] });
    let again = post(&jane, "/oauth2/token", request("refresh_access_token", refresh)).await;
    for pair in [&pair, &again] {
        assert_eq!(pair.status, 200);
        hold("get_access_token", pair);
    }
    jane.with_token(again.body["access_token"].as_str().unwrap())
}

on_both_databases! {
    async fn what_there_is_to_look_at(app: &TestApp) {
        let program = world(app).await;
        for (name, path) in [
            ("get_balance", "/balance"),
            ("get_images", "/images"),
            ("get_locations", "/locations"),
            ("get_volume_types", "/volume-types"),
            ("get_instance_types", "/instance-types"),
            ("get_instance_availabilities", "/instance-availability"),
            ("get_long_term_periods", "/long-term/periods/instances"),
        ] {
            hold(name, &get(&program, path).await);
        }
        let there = get(&program, "/instance-availability/1H100.80S.30V").await.body;
        assert_eq!(there, example("get_instance_availability")["response"]);
        // Lists of which the document shows one element.
        for (name, path) in [("get_cluster_types", "/cluster-types"),
            ("get_cluster_availabilities", "/cluster-availability")] {
            let mut list = get(&program, path).await;
            list.body = list.body[0].take();
            hold(name, &list);
        }
        // Of `get_container_types` nothing is sold here.
        assert_eq!(get(&program, "/container-types").await.body, json!([]));
        // The credentials of the document are nobody's here.
        let wrong = request("get_access_token", json!({}));
        let refused = post(&program, "/oauth2/token", wrong).await;
        assert_eq!(refused.status, 401);
        hold("get_access_token_refused", &refused);
    }

    async fn parts_of_bodies(app: &TestApp) {
        let program = world(app).await;
        let disk = request("schema_os_volume", json!({}));
        // The kind of disk is named as the operator named it.
        let volume = request("schema_volume", json!({ "type": "NVMe" }));
        let own = json!({
            "ssh_key_ids": [], "startup_script_id": null, "coupon": null,
            "existing_volumes": [], "contract": "SPOT", "pricing": null,
            "os_volume": disk, "volumes": [volume]
        });
        let unknown = request("schema_volume", json!({}));
        let mut tape = request("create_instance", own.clone());
        tape["volumes"] = json!([unknown]);
        let refused = post(&program, "/instances", tape).await;
        assert_eq!((refused.status, &refused.body["message"]),
            (400, &json!("type must be one of NVMe")));
        let made = post(&program, "/instances", request("create_instance", own)).await;
        assert_eq!(made.status, 202, "{}", made.body);
        app.do_jobs().await;
        let volumes = get(&program, "/volumes").await;
        for part in [&disk, &volume] {
            let is_it = |row: &&Value| row["name"] == part["name"]
                && row["size"].as_u64() == part["size"].as_str().unwrap().parse().ok();
            let there = volumes.body.as_array().unwrap().iter().filter(is_it).count();
            assert_eq!(there, 2, "both have one name and size in the document");
        }

        let shared = request("schema_shared_volume", json!({}));
        let existing = request("schema_existing_shared_volume", json!({}));
        let cluster = |existing: Value| request("create_cluster", json!({
            "ssh_key_ids": [], "startup_script_id": null, "cluster_type": "2x8H200",
            "shared_volume": shared, "existing_volumes": existing
        }));
        let refused = post(&program, "/clusters", cluster(json!([existing]))).await;
        assert_eq!((refused.status, &refused.body["message"]), (400, &json!(
            "existing_volumes is not for clusters: each gets a volume of its own")));
        let made = post(&program, "/clusters", cluster(json!([]))).await.body;
        app.do_jobs().await;
        let seen = get(&program, &format!("/clusters/{}", made["id"].as_str().unwrap())).await;
        let (ours, size) = (&seen.body["shared_volumes"][0], &shared["size"]);
        assert_eq!((&ours["name"], &ours["size_in_gigabytes"]), (&shared["name"], size));
    }

    async fn keys_and_scripts(app: &TestApp) {
        let program = world(app).await;
        let key = request("create_ssh_key", json!({ "key": KEY }));
        let key = post(&program, "/sshkeys", key).await.body;
        hold("get_ssh_keys", &get(&program, "/sshkeys").await);
        // Not the object of the document: an array of the one, as every client takes it.
        let mut one = get(&program, &format!("/sshkeys/{}", key.as_str().unwrap())).await;
        one.body = one.body[0].take();
        hold("get_ssh_key", &one);
        let script = post(&program, "/scripts", request("create_script", json!({}))).await.body;
        hold("get_scripts", &get(&program, "/scripts").await);
        let mut one = get(&program, &format!("/scripts/{}", script.as_str().unwrap())).await;
        one.body = one.body[0].take();
        hold("get_script", &one);
        let keys = request("delete_ssh_keys", json!({ "keys": [key] }));
        assert_eq!(ask(&program, Method::DELETE, "/sshkeys", Some(keys)).await.status, 200);
        let scripts = request("delete_scripts", json!({ "scripts": [script] }));
        assert_eq!(ask(&program, Method::DELETE, "/scripts", Some(scripts)).await.status, 200);
    }

    async fn instances_and_volumes(app: &TestApp) {
        let program = world(app).await;
        let key = request("create_ssh_key", json!({ "key": KEY }));
        let key = post(&program, "/sshkeys", key).await;
        let script = post(&program, "/scripts", request("create_script", json!({}))).await.body;
        let volume = json!({ "instance_id": null, "instance_ids": [] });
        let volume = post(&program, "/volumes", request("create_volume", volume)).await.body;
        let own = json!({
            "ssh_key_ids": [key.body], "startup_script_id": script, "existing_volumes": [volume]
        });
        let with_coupon = request("create_instance", own.clone());
        let with_coupon = post(&program, "/instances", with_coupon).await;
        assert_eq!(with_coupon.body["message"], "coupon is not known here; leave it out");
        let mut own = request("create_instance", own);
        own["coupon"] = Value::Null;
        let instance = post(&program, "/instances", own).await;
        assert_eq!(instance.status, 202, "{}", instance.body);
        let instance = instance.body.as_str().unwrap().to_owned();
        app.do_jobs().await;
        let one = get(&program, &format!("/instances/{instance}")).await;
        hold("get_instance", &one);
        hold("get_instances", &get(&program, "/instances").await);
        hold("get_volumes", &get(&program, "/volumes").await);
        let disk = one.body["os_volume_id"].as_str().unwrap().to_owned();
        hold("get_volume", &get(&program, &format!("/volumes/{disk}")).await);
        let stop = json!({ "id": [instance], "action": "shutdown" });
        let done = ask(&program, Method::PUT, "/instances",
            Some(request("perform_instance_action", stop.clone()))).await;
        assert_eq!(done.status, 202);
        let mut both = stop.clone();
        both["id"] = json!([instance, "x"]);
        both["action"] = json!("boot");
        app.do_jobs().await;
        let mut some = ask(&program, Method::PUT, "/instances",
            Some(request("perform_instance_action", both))).await;
        assert_eq!(some.status, 207);
        some.body = json!([some.body[1]]);
        hold("perform_instance_action", &some);
        app.do_jobs().await;
        let quiet = request("perform_instance_action_deprecated", stop);
        assert_eq!(post(&program, "/instances/action", quiet).await.status, 202);
        app.do_jobs().await;
        let detach = request("perform_volume_action", json!({
            "id": [volume], "instance_id": instance
        }));
        let detached = ask(&program, Method::PUT, "/volumes", Some(detach)).await;
        assert_eq!(detached.status, 202, "{}", detached.body);
        let path = format!("/volumes/{}", volume.as_str().unwrap());
        let body = request("delete_volume", json!({}));
        assert_eq!(ask(&program, Method::DELETE, &path, Some(body)).await.status, 202);
        hold("get_volumes_in_trash", &get(&program, "/volumes/trash").await);
    }

    async fn clusters(app: &TestApp) {
        let program = world(app).await;
        let key = request("create_ssh_key", json!({ "key": KEY }));
        let key = post(&program, "/sshkeys", key).await;
        let script = post(&program, "/scripts", request("create_script", json!({}))).await.body;
        let own = json!({
            "ssh_key_ids": [key.body], "startup_script_id": script, "cluster_type": "2x8H200"
        });
        let made = post(&program, "/clusters", request("create_cluster", own)).await;
        hold("create_cluster", &made);
        app.do_jobs().await;
        let id = made.body["id"].as_str().unwrap();
        hold("get_cluster", &get(&program, &format!("/clusters/{id}")).await);
        let one = request("schema_perform_cluster_action", json!({ "id": id }));
        let bulk = request("perform_cluster_actions", json!({ "actions": [one] }));
        assert_eq!(ask(&program, Method::PUT, "/clusters", Some(bulk)).await.status, 202);
    }
}

/// So that an example that comes to the folder is held too.
#[test]
fn no_example_is_left_out() {
    let mut left_out = left_out("tests/berth/verda/examples", include_str!("examples.rs"));
    left_out.retain(|name| name != "get_container_types");
    assert!(left_out.is_empty(), "{left_out:?}");
}
