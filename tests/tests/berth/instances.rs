//! Instances through the door: ordered, made, used, charged, deleted.

use chrono::Duration;
use domain::host::HostId;
use domain::instance::{DriverFault, InstanceId, Inventory};
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use crate::catalogue::stock;
use crate::deals::{boss, payer};

/// Says what a server has for instances.
pub async fn furnish(app: &TestApp, boss: &Client, name: &str, change: Value) -> String {
    let server = app.server(name).await;
    let mut body = json!({
        "location": "FIN-03", "storage_gb": 1000, "driver": "simulated", "address": "203.0.113.7",
        "first_port": 20000, "last_port": 20099, "cpus": 64, "ram_mib": 262_144
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    boss.put(&format!("/admin/servers/{server}/capacity"), body).await.data(200);
    server
}

/// A plan `tiny` at 3.60 an hour (a tenth of a cent a second), spot 0.36.
pub async fn tiny(boss: &Client) {
    stock(boss).await;
    let plan = json!({
        "name": "Tiny", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
        "pricing": { "per_hour": "3.6", "spot_per_hour": "0.36" }, "locations": ["FIN-03"]
    });
    boss.put("/admin/plans/tiny", plan).await.data(200);
}

pub fn wish(change: &Value) -> Value {
    let mut body = json!({
        "plan": "tiny", "image": "ubuntu-24.04", "location": "FIN-03", "hostname": "star"
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

/// A fleet of one server, and somebody with 100.00.
pub async fn fleet(app: &TestApp) -> (Client, Client, String) {
    let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
    tiny(&boss).await;
    let host = furnish(app, &boss, "metal", json!({})).await;
    (boss, jane, host)
}

pub fn id(data: &Value) -> String {
    data["id"].as_str().unwrap().to_owned()
}

/// Orders an instance.
pub async fn ordered(client: &Client, change: Value) -> String {
    id(&client.post("/instances", wish(&change)).await.data(201))
}

/// Orders an instance, and lets it be made.
pub async fn running(app: &TestApp, client: &Client, change: Value) -> String {
    let id = ordered(client, change).await;
    app.do_jobs().await;
    assert_eq!(status(client, &id).await, "running");
    id
}

pub async fn show(client: &Client, id: &str) -> Value {
    client.get(&format!("/instances/{id}")).await.data(200)
}

pub async fn status(client: &Client, id: &str) -> String {
    show(client, id).await["status"].as_str().unwrap().to_owned()
}

pub async fn act(client: &Client, id: &str, action: &str) -> Answer {
    client.post(&format!("/instances/{id}/actions"), json!({ "action": action })).await
}

pub fn inventory(app: &TestApp, host: &str) -> Inventory {
    app.instances.inventory_of(HostId::parse(host).unwrap())
}

/// What is taken of a host: CPUs, MiB, graphics processors, instances, GB.
pub async fn taken(boss: &Client, host: &str) -> [u64; 5] {
    let seen = boss.get(&format!("/admin/servers/{host}/capacity")).await.data(200);
    let (capacity, used) = (&seen["capacity"], &seen["capacity"]["used"]);
    let number = |value: &Value| value.as_u64().unwrap();
    [
        number(&used["cpus"]),
        number(&used["ram_mib"]),
        number(&used["gpus"]),
        number(&capacity["instances"]),
        number(&seen["storage_used_gb"]),
    ]
}

/// What an instance has cost, as it is told.
pub async fn cost(client: &Client, id: &str) -> String {
    let charges = client.get(&format!("/instances/{id}/charges")).await.data(200);
    charges["total"].as_str().unwrap().to_owned()
}

async fn wallet(client: &Client) -> String {
    let usage = client.get("/wallet/usage").await.data(200);
    usage["balance"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn an_instance_is_made_used_and_charged_by_the_second(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let made = jane.post("/instances", wish(&json!({ "ports": [22, 8000] }))).await.data(201);
        assert_eq!((&made["status"], &made["ip"]), (&json!("ordered"), &Value::Null));
        assert_eq!(taken(&boss, &host).await, [1, 1024, 0, 1, 10]);
        app.clock.advance(Duration::seconds(7));
        app.do_jobs().await;
        let id = id(&made);
        let seen = show(&jane, &id).await;
        assert_eq!((&seen["status"], &seen["ip"]), (&json!("running"), &json!("203.0.113.7")));
        let ports = json!([
            { "inside": 22, "outside": 20000 }, { "inside": 8000, "outside": 20001 }
        ]);
        assert_eq!(seen["ports"], ports);
        assert_eq!(cost(&jane, &id).await, "0", "nothing before it is ready");
        app.clock.advance(Duration::milliseconds(61_999));
        app.sweep().await;
        assert_eq!(cost(&jane, &id).await, "0.061");
        app.clock.advance(Duration::hours(2));
        jane.delete(&format!("/instances/{id}")).await.data(200);
        assert_eq!(status(&jane, &id).await, "deleting");
        app.clock.advance(Duration::hours(5));
        app.sweep().await;
        assert_eq!(status(&jane, &id).await, "deleted");
        assert_eq!(cost(&jane, &id).await, "7.261", "61 seconds and two hours");
        assert_eq!(wallet(&jane).await, "92.739");
        assert_eq!(taken(&boss, &host).await, [0; 5]);
        assert_eq!(inventory(app, &host), Inventory::default());
    }

    async fn a_charge_is_explained_to_the_second(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let id = running(app, &jane, json!({})).await;
        app.clock.advance(Duration::seconds(125));
        jane.delete(&format!("/instances/{id}")).await.data(200);
        let charges = jane.get(&format!("/instances/{id}/charges")).await.data(200);
        let booking = &charges["bookings"][0];
        assert_eq!(booking["amount"], "0.125");
        let entry = booking["transaction_id"].as_str().unwrap();
        let told = jane.get(&format!("/ledger/entries/{entry}/explain")).await.data(200);
        let steps = told["steps"].to_string();
        assert!(steps.contains("3.6 × 125 / 3600 = 0.125"), "{steps}");
        assert_eq!(told["amount_holds"], true);
    }

    async fn stop_start_restart_and_hibernate(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let id = running(app, &jane, json!({})).await;
        for (action, between, after, held) in [
            ("shutdown", "stopping", "stopped", [1, 1024, 0, 1, 10]),
            ("start", "starting", "running", [1, 1024, 0, 1, 10]),
            ("restart", "restarting", "running", [1, 1024, 0, 1, 10]),
            ("hibernate", "hibernating", "hibernated", [0, 0, 0, 0, 10]),
            ("restore", "starting", "running", [1, 1024, 0, 1, 10]),
            ("force_shutdown", "stopping", "stopped", [1, 1024, 0, 1, 10]),
        ] {
            assert_eq!(act(&jane, &id, action).await.data(200)["status"], between, "{action}");
            app.do_jobs().await;
            assert_eq!(status(&jane, &id).await, after, "{action}");
            assert_eq!(taken(&boss, &host).await, held, "{action}");
            let again = act(&jane, &id, action).await;
            if action != "restart" {
                assert_eq!(again.data(200)["status"], after, "{action} again");
            }
            app.do_jobs().await;
        }
    }

    async fn a_stopped_instance_keeps_its_price_unless_its_plan_says_less(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let plan = json!({
            "name": "Third", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
            "pricing": { "per_hour": "3.6", "stopped_percent": 35 }, "locations": ["FIN-03"]
        });
        boss.put("/admin/plans/third", plan).await.data(200);
        let (whole, third) = (
            running(app, &jane, json!({})).await,
            running(app, &jane, json!({ "plan": "third" })).await,
        );
        for id in [&whole, &third] {
            app.clock.advance(Duration::seconds(50));
            act(&jane, id, "shutdown").await.data(200);
        }
        app.do_jobs().await;
        app.clock.advance(Duration::seconds(1000));
        app.sweep().await;
        assert_eq!(cost(&jane, &whole).await, "1.1");
        assert_eq!(cost(&jane, &third).await, "0.45", "100 seconds, and 1000 at 35 percent");
        act(&jane, &third, "start").await.data(200);
        app.clock.advance(Duration::seconds(10));
        app.do_jobs().await;
        app.clock.advance(Duration::seconds(1));
        assert_eq!(cost(&jane, &third).await, "0.4545", "ten more stopped, one running");
    }

    async fn a_fault_of_the_driver_costs_nothing_and_frees_everything(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let key = "shape_of_the_fault";
        for late in [false, true] {
            for call in 1..=4 {
                let before = app.instances.calls();
                let fault = DriverFault::Refused(key.to_owned());
                app.instances.behave(Conduct {
                    fail_call: Some((before + call, fault)),
                    fails_late: late,
                    remembers: true,
                    ..Conduct::default()
                });
                let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 5 });
                let id = ordered(&jane, json!({ "volumes": [volume] })).await;
                app.do_jobs().await;
                for _ in 0..4 {
                    app.clock.advance(Duration::seconds(2));
                    app.sweep().await;
                }
                let seen = show(&jane, &id).await;
                assert_eq!(seen["status"], "error", "call {call}, late {late}: {seen}");
                assert_eq!(cost(&jane, &id).await, "0");
                for volume in jane.get("/volumes").await.data(200).as_array().unwrap() {
                    let path = format!("/volumes/{}?permanently=true", self::id(volume));
                    jane.delete(&path).await.data(200);
                }
                app.do_jobs().await;
                api::worker::reconcile(&app.app).await.unwrap();
                assert_eq!(inventory(app, &host), Inventory::default(), "call {call}, late {late}");
                assert_eq!(taken(&boss, &host).await, [0; 5], "call {call}, late {late}");
            }
        }
    }

    async fn a_fault_that_passes_is_overcome(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        for call in 1..=3 {
            let fault = DriverFault::Failed("a hiccup".to_owned());
            app.instances.behave(Conduct {
                fail_call: Some((app.instances.calls() + call, fault)),
                remembers: true,
                ..Conduct::default()
            });
            let id = ordered(&jane, json!({})).await;
            app.do_jobs().await;
            assert_eq!(show(&jane, &id).await["last_error"], "a hiccup");
            app.clock.advance(Duration::seconds(3));
            app.do_jobs().await;
            assert_eq!(status(&jane, &id).await, "running", "call {call}");
        }
    }

    async fn what_takes_too_long_is_given_up(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        app.instances.behave(Conduct { looks: 10_000, remembers: true, ..Conduct::default() });
        let id = ordered(&jane, json!({})).await;
        app.do_jobs().await;
        assert_eq!(status(&jane, &id).await, "provisioning");
        app.clock.advance(Duration::minutes(11));
        app.do_jobs().await;
        assert_eq!(status(&jane, &id).await, "error");
        assert_eq!(taken(&boss, &host).await, [0; 5]);
        assert_eq!(inventory(app, &host), Inventory::default());
    }

    async fn what_ends_as_soon_as_it_is_started_is_given_up(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        app.instances.behave(Conduct { exits: true, remembers: true, ..Conduct::default() });
        let id = ordered(&jane, json!({})).await;
        for minute in 0..10 {
            let before = app.instances.calls();
            app.do_jobs().await;
            assert_eq!(status(&jane, &id).await, "provisioning");
            let calls = app.instances.calls() - before;
            assert!((2..=3).contains(&calls), "{calls} calls in minute {minute}, then a pause");
            app.clock.advance(Duration::minutes(1));
        }
        app.do_jobs().await;
        assert_eq!(status(&jane, &id).await, "error");
        assert_eq!((cost(&jane, &id).await, wallet(&jane).await), ("0".into(), "100".into()));
        assert_eq!(taken(&boss, &host).await, [0; 5]);
        assert_eq!(inventory(app, &host), Inventory::default());

        app.instances.behave(Conduct { remembers: true, ..Conduct::default() });
        let id = running(app, &jane, json!({})).await;
        act(&jane, &id, "shutdown").await.data(200);
        app.do_jobs().await;
        app.instances.behave(Conduct { exits: true, remembers: true, ..Conduct::default() });
        act(&jane, &id, "start").await.data(200);
        app.do_jobs().await;
        assert_eq!(status(&jane, &id).await, "starting");
        app.clock.advance(Duration::minutes(11));
        app.do_jobs().await;
        assert_eq!(status(&jane, &id).await, "stopped", "with its data");
        assert_eq!(inventory(app, &host).instances.len(), 1);
    }

    async fn the_reconciler_puts_right_what_hosts_lost_stopped_or_kept(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        let stopped = running(app, &jane, json!({ "hostname": "stopped" })).await;
        let lost = running(app, &jane, json!({ "hostname": "lost" })).await;
        let kept = running(app, &jane, json!({ "hostname": "kept" })).await;
        let spec = app.instances.spec_of(at, InstanceId::parse(&kept).unwrap()).unwrap();
        jane.delete(&format!("/instances/{kept}")).await.data(200);
        app.do_jobs().await;
        let site = {
            let reads = app.app.store.reads();
            reads.capacity(at).await.unwrap().unwrap().site()
        };
        app.app.instances.create(&site, &spec).await.unwrap();
        app.instances.crash(at, InstanceId::parse(&stopped).unwrap());
        app.instances.lose(at, InstanceId::parse(&lost).unwrap());
        app.clock.advance(Duration::seconds(100));
        api::worker::reconcile(&app.app).await.unwrap();
        app.do_jobs().await;
        assert_eq!(status(&jane, &stopped).await, "running");
        assert_eq!(status(&jane, &lost).await, "error");
        assert_eq!(cost(&jane, &lost).await, "0.1");
        assert_eq!(inventory(app, &host).instances.len(), 1);
        let findings = boss.get("/admin/findings").await.data(200);
        let mut kinds: Vec<_> =
            findings.as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["lost_instance", "orphan_instance", "stopped_instance"]);
        assert!(findings.as_array().unwrap().iter().all(|f| f["is_repaired"] == true));
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(boss.get("/admin/findings").await.data(200), findings, "nothing new");
    }

    async fn a_host_that_does_not_answer_gets_nothing_new(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        app.instances.reach(at, false);
        api::worker::reconcile(&app.app).await.unwrap();
        let refused = jane.post("/instances", wish(&json!({}))).await;
        refused.refused(409, "NO_CAPACITY");
        app.instances.reach(at, true);
        api::worker::reconcile(&app.app).await.unwrap();
        running(app, &jane, json!({})).await;
    }
}
