use chrono::Duration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use super::{ask, get, halves, is_refused, post, program, token};
use crate::deals::payer;
use crate::instances::{fleet, id};

const UNKNOWN: &str = "fb68976d-fd34-4b2d-adbe-c205e8e3d1d3";
const KEY: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane\n";

/// What the Python SDK sends, nulls and all.
fn wish(change: &Value) -> Value {
    let mut body = json!({
        "instance_type": "tiny", "image": "ubuntu-24.04", "ssh_key_ids": [],
        "startup_script_id": null, "hostname": "star", "description": "", "os_volume": null,
        "location_code": "FIN-03", "volumes": [], "existing_volumes": [], "is_spot": false,
        "coupon": null
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

async fn ordered(program: &Client, change: Value) -> String {
    let made = post(program, "/instances", wish(&change)).await;
    assert_eq!(made.status, 202, "{}", made.body);
    // Both SDKs and SkyPilot take the body as it is.
    assert_eq!(made.headers["content-length"], "36");
    made.body.as_str().unwrap().to_owned()
}

async fn seen(program: &Client, id: &str) -> Value {
    let answer = get(program, &format!("/instances/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn put(program: &Client, path: &str, body: Value) -> Answer {
    ask(program, Method::PUT, path, Some(body)).await
}

async fn act(program: &Client, id: &str, action: &str) -> Answer {
    put(program, "/instances", json!({ "id": [id], "action": action })).await
}

on_both_databases! {
    async fn what_was_sent_is_answered_as_it_was(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        // Terraform takes any other text than its file's, and another order of keys, for a change.
        let key = post(&program, "/ssh-keys", json!({ "name": "one", "key": KEY })).await.body;
        let other = post(&program, "/ssh-keys", json!({ "name": "two", "key": KEY })).await.body;
        let shown = get(&program, &format!("/ssh-keys/{}", key.as_str().unwrap())).await.body;
        assert_eq!(shown[0]["key"], KEY);
        let image = get(&program, "/images").await.body[0]["id"].clone();
        let change = json!({
            "ssh_key_ids": [other, key], "image": image, "description": "two\nlines\n",
            "os_volume": { "name": "system", "size": "30" },
            "volumes": [
                { "name": "data", "size": 10, "type": "NVMe", "on_spot_discontinue": null }
            ],
            "tags": [{ "key": "Team", "value": "red" }]
        });
        let id = ordered(&program, change).await;
        let fresh = seen(&program, &id).await;
        // dstack takes any other state of a new one for a failure, SkyPilot fails at `ordered`.
        assert_eq!((&fresh["status"], &fresh["ip"]), (&json!("provisioning"), &Value::Null));
        assert_eq!(fresh["ssh_key_ids"], json!([other, key]));
        assert_eq!((&fresh["image"], &fresh["description"]), (&image, &json!("two\nlines\n")));
        assert_eq!(fresh["startup_script_id"], Value::Null);
        assert_eq!(fresh["tags"], json!([{ "id": "team", "key": "team", "value": "red" }]));
        app.do_jobs().await;
        let made = seen(&program, &id).await;
        assert_eq!((&made["status"], &made["ip"]), (&json!("running"), &json!("203.0.113.7")));
        assert_eq!(made["volume_ids"].as_array().unwrap().len(), 2);
        assert_eq!(made["price_per_hour"], 3.6);
        let disk = format!("/volumes/{}", made["os_volume_id"].as_str().unwrap());
        let disk = get(&program, &disk).await.body;
        assert_eq!(disk["size"], 30, "the document writes sizes as text");
    }

    // dstack knows its images by heart.
    async fn an_image_is_ordered_by_another_name_of_it(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let name = "2404f580-1300-1111-82b3-f199fb9b701b";
        let wrong = post(&program, "/instances", wish(&json!({ "image": name }))).await;
        let told = "image or existing_volumes names a volume that there is not";
        is_refused(&wrong, 400, "invalid_request", told);
        let image = json!({
            "name": "CUDA", "category": "ubuntu", "reference": "cuda", "aliases": [name]
        });
        boss.put("/admin/images/cuda", image).await.data(200);
        let bad = json!({ "name": "x", "category": "x", "reference": "x", "aliases": ["a b"] });
        assert_eq!(boss.put("/admin/images/bad", bad).await.faults(), ["/aliases"]);
        let id = ordered(&program, json!({
            "image": name, "pricing": "FIXED_PRICE",
            "os_volume": { "name": "OS volume", "size": 20 }
        })).await;
        app.do_jobs().await;
        assert_eq!(seen(&program, &id).await["os_name"], "CUDA");
        // As dstack lets it go: nothing is left that costs.
        let body = json!({
            "id": [id], "action": "delete", "volume_ids": null, "delete_permanently": true
        });
        assert_eq!(put(&program, "/instances", body.clone()).await.status, 202);
        app.do_jobs().await;
        assert_eq!(get(&program, "/volumes").await.body, json!([]));
        assert_eq!(get(&program, "/volumes/trash").await.body, json!([]));
        assert_eq!(put(&program, "/instances", body).await.status, 204);
    }

    // dstack compares these texts; the Go SDK wants an array of results with 202 and 207.
    async fn actions_are_answered_in_the_words_that_clients_compare(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let id = ordered(&program, json!({})).await;
        let early = act(&program, &id, "shutdown").await;
        is_refused(&early, 400, "invalid_request", "Can't shutdown a provisioning instance");
        let early = act(&program, &id, "hibernate").await;
        is_refused(&early, 400, "invalid_request", "Can't hibernate a provisioning instance");
        app.do_jobs().await;
        let running = act(&program, &id, "hibernate").await;
        is_refused(&running, 400, "invalid_request", "Can't hibernate a running instance");
        let done = act(&program, &id, "force_shutdown").await;
        let result = json!([{ "action": "force_shutdown", "instanceId": id, "status": "success" }]);
        assert_eq!((done.status, done.body), (202, result));
        app.do_jobs().await;
        assert_eq!(act(&program, &id, "shutdown").await.status, 204);
        // By the deprecated path, without a body.
        let body = json!({ "id": id, "action": "boot" });
        let quiet = post(&program, "/instances/action", body).await;
        assert_eq!((quiet.status, quiet.headers["content-length"].as_str()), (202, "0"));
        app.do_jobs().await;
        // The Python SDK has `restore`, the document has not.
        for (action, status) in [("shutdown", "offline"), ("restore", "running")] {
            assert_eq!(act(&program, &id, action).await.status, 202);
            app.do_jobs().await;
            assert_eq!(seen(&program, &id).await["status"], status);
        }
        for (body, told) in [
            (json!({ "id": [UNKNOWN], "action": "delete" }),
                (404, "not_found", "Invalid instance id")),
            (json!({ "id": "x", "action": "delete" }), (404, "not_found", "Invalid instance id")),
            (json!({ "id": [], "action": "delete" }),
                (400, "invalid_request", "id names no instance")),
            (json!({ "action": "delete" }), (400, "invalid_request", "id is required")),
            (json!({ "id": id }), (400, "invalid_request", "action is required")),
        ] {
            let (status, code, message) = told;
            is_refused(&put(&program, "/instances", body).await, status, code, message);
        }
        let transfer = act(&program, &id, "transfer").await;
        assert_eq!((transfer.status, &transfer.body["code"]), (403, &json!("forbidden_action")));
        let unknown = act(&program, &id, "explode").await;
        assert_eq!((unknown.status, &unknown.body["code"]), (400, &json!("invalid_request")));
        let both = json!({ "id": [id, "x"], "action": "delete" });
        let both = put(&program, "/instances", both).await;
        assert_eq!(both.status, 207);
        assert_eq!(both.body[1], json!({
            "action": "delete", "instanceId": "x", "status": "error",
            "error": "Invalid instance id", "statusCode": 404
        }));
        // Gone at once for its owner: SkyPilot knows no state in between.
        assert_eq!(seen(&program, &id).await["status"], "discontinued");
        assert_eq!(get(&program, "/instances").await.body, json!([]));
        let gone = get(&program, "/instances?status=discontinued").await.body;
        assert_eq!(gone[0]["id"], id.as_str());
        let late = act(&program, &id, "start").await;
        is_refused(&late, 400, "invalid_request", "Can't start a discontinued instance");
        assert_eq!(act(&program, &id, "discontinue").await.status, 204);
    }

    async fn an_evicted_one_is_discontinued_though_no_sweep_came(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let spot = ordered(&program, json!({ "contract": "SPOT" })).await;
        app.do_jobs().await;
        let made = seen(&program, &spot).await;
        assert_eq!((&made["contract"], &made["price_per_hour"]), (&json!("SPOT"), &json!(0.36)));
        let native = domain::instance::InstanceId::parse_uuid(&spot).unwrap();
        boss.post(&format!("/admin/instances/{native}/evict"), json!({})).await.data(200);
        app.clock.advance(Duration::minutes(3));
        let late = act(&program, &spot, "delete").await;
        is_refused(&late, 400, "invalid_request", "Can't discontinue a discontinued instance");
        app.sweep().await;
        assert_eq!(seen(&program, &spot).await["status"], "discontinued");
        let kept = get(&program, "/volumes").await.body;
        assert_eq!(kept[0]["status"], "detached", "by default it is kept");
    }

    async fn what_is_wrong_with_an_order_is_told(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        for (change, told) in [
            (json!({ "location_code": null }), "location_code is required"),
            (json!({ "instance_type": null }), "instance_type is required"),
            (json!({ "image": null }), "image is required"),
            (json!({ "hostname": null }), "hostname is required"),
            (json!({ "instance_type": "large" }), "instance_type is no plan that is offered"),
            (json!({ "location_code": "ICE-01" }), "location_code the plan is not offered there"),
            (json!({ "image": "dos" }), "image is neither an image nor a volume that was a disk"),
            (json!({ "contract": "LONG_TERM" }), "contract LONG_TERM is not offered here"),
            (json!({ "pricing": "DYNAMIC_PRICE" }), "pricing must be FIXED_PRICE, or left out"),
            (json!({ "coupon": "COUPON" }), "coupon is not known here; leave it out"),
            (json!({ "ssh_key_ids": ["x"] }), "ssh_key_ids must be ids of SSH keys"),
            (json!({ "ssh_key_ids": [UNKNOWN] }),
                "ssh_key_ids each must be a key of the pool, named once"),
            (json!({ "startup_script_id": UNKNOWN }), "startup_script_id is no script of the pool"),
            (json!({ "os_volume": { "size": "much" } }), "os_volume.size must be a whole number"),
            (json!({ "volumes": [{ "name": "x", "size": 1 }] }), "volumes.type is required"),
        ] {
            let refusal = post(&program, "/instances", wish(&change)).await;
            is_refused(&refusal, 400, "invalid_request", told);
        }
        // The Go SDK leaves out what is empty, and a later document need not have a description.
        let mut short = wish(&json!({ "startup_script_id": "" }));
        let body = short.as_object_mut().unwrap();
        for name in ["description", "os_volume", "volumes", "existing_volumes", "coupon"] {
            body.remove(name);
        }
        assert_eq!(post(&program, "/instances", short).await.status, 202);
        let poor = payer(app, "poor", "0.01").await;
        let poor = crate::verda::program(&poor).await;
        let refusal = post(&poor, "/instances", wish(&json!({}))).await;
        assert_eq!((refusal.status, &refusal.body["code"]), (402, &json!("insufficient_funds")));
        let large = json!({ "os_volume": { "name": "x", "size": 5000 } });
        let refusal = post(&program, "/instances", wish(&large)).await;
        is_refused(&refusal, 503, "service_unavailable", "No capacity available");
        // Any state that some client knows can be asked for.
        for status in ["pending", "hibernating", "ordered", "error"] {
            let none = get(&program, &format!("/instances?status={status}")).await;
            assert_eq!((none.status, none.body), (200, json!([])), "{status}");
        }
        assert_eq!(get(&program, "/instances?status=x").await.status, 400);
    }

    async fn what_is_deprecated_goes_on(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let types = get(&app.stranger(), "/instance-types").await.body;
        assert_eq!(get(&program, "/instances/types").await.body, types);
        assert_eq!(get(&program, "/instances/availability/tiny").await.body, json!(true));
        assert_eq!(get(&program, "/container-types").await.body, json!([]));
        for path in ["/long-term/periods", "/long-term/periods/instances",
            "/long-term/periods/clusters"] {
            assert_eq!(get(&app.stranger(), path).await.status, 200);
        }
        let wrong = ask(&program, Method::DELETE, "/balance", None).await;
        is_refused(&wrong, 405, "invalid_request", "This path does not take this method");
    }

    async fn prices_are_told_by_the_day_they_came_on(app: &TestApp) {
        let (boss, ..) = fleet(app).await;
        let mut plan = boss.get("/plans/tiny").await.data(200);
        for (days, price) in [(3, "4.5"), (0, "5.5"), (2, "0.1381")] {
            app.clock.advance(Duration::days(days));
            let body = json!({
                "name": plan["name"], "shape": plan["shape"], "locations": ["FIN-03"],
                "pricing": { "per_hour": price }
            });
            plan = boss.put("/admin/plans/tiny", body).await.data(200);
        }
        let path = "/instance-types/price-history";
        let history = get(&app.stranger(), path).await.body;
        let prices: Vec<_> = history["tiny"].as_array().unwrap().iter()
            .map(|day| day["fixed_price_per_hour"].as_str().unwrap()).collect();
        assert_eq!(prices, ["0.1381", "5.50", "3.60"], "the last one of each day");
        app.clock.advance(Duration::days(32));
        assert_eq!(get(&app.stranger(), path).await.body["tiny"], json!([]));
        let longer = get(&app.stranger(), &format!("{path}?num_of_months=2")).await.body;
        assert_eq!(longer["tiny"].as_array().unwrap().len(), 3);
    }

    /// Through any call, id, list or error.
    async fn projects_do_not_reach_each_others_instances(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let john = payer(app, "john", "100.00").await;
        let second = id(&jane.post("/pools", json!({ "name": "Second" })).await.data(201));
        let halves = halves(&jane, &second).await;
        let sister = token(&jane, &halves).await.body;
        let sister = jane.with_token(sister["access_token"].as_str().unwrap());
        let (program, stranger) = (program(&jane).await, crate::verda::program(&john).await);
        let volume = json!({ "name": "data", "size": 10, "type": "NVMe" });
        let instance = ordered(&program, json!({ "volumes": [volume] })).await;
        app.do_jobs().await;
        let shown = seen(&program, &instance).await;
        let volume = shown["volume_ids"][1].as_str().unwrap();
        let disk = shown["os_volume_id"].as_str().unwrap();
        for other in [&sister, &stranger] {
            let mine = ordered(other, json!({})).await;
            app.do_jobs().await;
            assert_eq!(act(other, &mine, "shutdown").await.status, 202);
            app.do_jobs().await;
            for path in ["/instances", "/instances?status=running", "/volumes", "/clusters",
                "/volumes/trash", "/instances?status=discontinued"] {
                let list = get(other, path).await.body.to_string();
                for id in [&instance, volume, disk] {
                    assert!(!list.contains(id), "{path}: {list}");
                }
            }
            let tag = json!({ "key": "k", "value": "v" });
            let attach = |id: &str, to: &str| {
                json!({ "id": id, "action": "attach", "instance_id": to })
            };
            let new = json!({ "name": "x", "size": 1, "type": "NVMe", "location_code": "FIN-03",
                "instance_id": instance });
            for (answer, message) in [
                (get(other, &format!("/instances/{instance}")).await, "Invalid instance id"),
                (act(other, &instance, "delete").await, "Invalid instance id"),
                (post(other, &format!("/instances/{instance}/tags"), tag.clone()).await,
                    "Invalid instance id"),
                (post(other, "/volumes", new).await, "Invalid instance id"),
                (get(other, &format!("/volumes/{volume}")).await, "Invalid volume id"),
                (ask(other, Method::DELETE, &format!("/volumes/{volume}"), None).await,
                    "Invalid volume id"),
                (put(other, "/volumes", attach(volume, &mine)).await, "Invalid volume id"),
                (post(other, &format!("/volumes/{volume}/tags"), tag).await, "Invalid volume id"),
                (post(other, "/instances", wish(&json!({ "image": disk }))).await,
                    "image or existing_volumes names a volume that there is not"),
                (post(other, "/instances", wish(&json!({ "existing_volumes": [volume] }))).await,
                    "image or existing_volumes names a volume that there is not"),
            ] {
                assert!([400, 404].contains(&answer.status), "{}", answer.body);
                assert_eq!(answer.body["message"], message);
            }
        }
        assert_eq!(seen(&program, &instance).await, shown);
    }
}
