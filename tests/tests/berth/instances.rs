//! Instances through the door: ordered, made, used, charged, deleted.

use chrono::Duration;
use domain::host::HostId;
use domain::instance::{DriverFault, InstanceId, Inventory};
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use crate::catalogue::stock;
use crate::deals::{boss, payer};
use crate::furnishing::furnish;

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
            let asked = act(&jane, &id, action).await.data(200);
            assert_eq!(asked["status"], between, "{action}");
            assert_eq!(asked["wanted"], after, "{action}");
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
        let (boss, jane, _) = fleet(app).await;
        for call in 1..=3 {
            let fault = DriverFault::Failed("a hiccup".to_owned());
            app.instances.behave(Conduct {
                fail_call: Some((app.instances.calls() + call, fault)),
                remembers: true,
                ..Conduct::default()
            });
            let id = ordered(&jane, json!({})).await;
            app.do_jobs().await;
            let told = "its host failed; it is tried again";
            assert_eq!(show(&jane, &id).await["last_error"], told);
            let state = if call == 1 { "ordered" } else { "provisioning" };
            let seen = boss.get(&format!("/admin/instances?status={state}")).await.data(200);
            assert_eq!(seen[0]["driver_fault"], "a hiccup");
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
        assert_eq!(status(&jane, &lost).await, "running", "a host may be slow to tell");
        app.clock.advance(Duration::minutes(11));
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(status(&jane, &lost).await, "error");
        assert_eq!(cost(&jane, &lost).await, "0.1", "until it was missed");
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

    async fn what_came_back_after_it_was_given_up_is_left_to_the_operator(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        let id = running(app, &jane, json!({})).await;
        let spec = app.instances.spec_of(at, InstanceId::parse(&id).unwrap()).unwrap();
        app.instances.lose(at, InstanceId::parse(&id).unwrap());
        for hours in [0, 23] {
            app.clock.advance(Duration::hours(hours));
            api::worker::reconcile(&app.app).await.unwrap();
            let why = "a host that lost all has its disk off";
            assert_eq!(status(&jane, &id).await, "running", "{why}");
        }
        app.clock.advance(Duration::hours(2));
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(status(&jane, &id).await, "error");
        assert_eq!(cost(&jane, &id).await, "0", "it was missing at once");
        let site = app.app.store.reads().capacity(at).await.unwrap().unwrap().site();
        app.app.instances.create(&site, &spec).await.unwrap();
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(inventory(app, &host).instances.len(), 1, "the only copy of somebody's data");
        let findings = boss.get("/admin/findings").await.data(200);
        let mut findings = findings.as_array().unwrap().iter();
        let orphan = findings.find(|finding| finding["kind"] == "orphan_instance").unwrap();
        assert_eq!(orphan["is_repaired"], false);
        let path = format!("/admin/findings/{}/remove", self::id(orphan));
        boss.post(&path, json!({})).await.data(200);
        assert_eq!(inventory(app, &host), Inventory::default());
        jane.delete(&format!("/instances/{id}")).await.data(200);
        assert_eq!(jane.get("/instances").await.data(200), json!([]), "off the list");
    }

    async fn an_instance_started_while_it_stops_is_paid_for(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let plan = json!({
            "name": "Free", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
            "pricing": { "per_hour": "3.6", "stopped_percent": 0 }, "locations": ["FIN-03"]
        });
        boss.put("/admin/plans/free", plan).await.data(200);
        for (stop, free) in [("hibernate", "tiny"), ("shutdown", "free")] {
            let id = running(app, &jane, json!({ "plan": free })).await;
            act(&jane, &id, stop).await.data(200);
            app.clock.advance(Duration::seconds(5));
            act(&jane, &id, "start").await.data(200);
            app.do_jobs().await;
            assert_eq!(status(&jane, &id).await, "running");
            app.clock.advance(Duration::seconds(100));
            assert_eq!(cost(&jane, &id).await, "0.1", "{stop}");
        }
    }

    async fn a_start_that_fails_leaves_it_stopped_at_that_price(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let plan = json!({
            "name": "Half", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
            "pricing": { "per_hour": "3.6", "stopped_percent": 50 }, "locations": ["FIN-03"]
        });
        boss.put("/admin/plans/half", plan).await.data(200);
        let id = running(app, &jane, json!({ "plan": "half" })).await;
        // A restart stops it, makes it as it is wanted, and starts it.
        let fault = DriverFault::Refused("no".to_owned());
        let fail_call = Some((app.instances.calls() + 3, fault));
        app.instances.behave(Conduct { fail_call, remembers: true, ..Conduct::default() });
        act(&jane, &id, "restart").await.data(200);
        app.do_jobs().await;
        let seen = show(&jane, &id).await;
        assert_eq!((&seen["status"], &seen["last_error"]),
            (&json!("stopped"), &json!("its host refused to make it")));
        app.clock.advance(Duration::seconds(1000));
        assert_eq!(cost(&jane, &id).await, "0.5");
        act(&jane, &id, "start").await.data(200);
        app.do_jobs().await;
        assert_eq!(status(&jane, &id).await, "running");
    }

    async fn what_is_ordered_counts_before_it_runs(app: &TestApp) {
        let (_, _, _) = fleet(app).await;
        let poor = payer(app, "poor", "8.00").await;
        for _ in 0..2 {
            ordered(&poor, json!({})).await;
        }
        poor.post("/instances", wish(&json!({}))).await.refused(400, "INSUFFICIENT_BALANCE");
        app.do_jobs().await;
        poor.post("/instances", wish(&json!({}))).await.refused(400, "INSUFFICIENT_BALANCE");
    }

    async fn hosts_that_lack_only_ports_do_not_hide_the_one_that_has_some(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "1000.00").await);
        tiny(&boss).await;
        for number in 0..10 {
            let one = json!({ "first_port": 20000, "last_port": 20000 });
            furnish(app, &boss, &format!("metal-{number}"), one).await;
        }
        for _ in 0..10 {
            ordered(&jane, json!({})).await;
        }
        furnish(app, &boss, "large", json!({ "cpus": 65, "ram_mib": 300_000 })).await;
        ordered(&jane, json!({})).await;
    }

    async fn two_volumes_cannot_be_at_one_path(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 1, "mount_path": "/data" });
        let twice = wish(&json!({ "volumes": [volume, volume] }));
        jane.post("/instances", twice).await.refused(400, "VALIDATION_ERROR");
        assert_eq!(taken(&boss, &host).await, [0; 5]);
    }

    async fn operators_see_and_delete_everybodys_instances(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let bob = payer(app, "bob", "100.00").await;
        let (janes, _) =
            (running(app, &jane, json!({})).await, running(app, &bob, json!({})).await);
        let of = |query: String| {
            let boss = boss.clone();
            async move {
                let rows = boss.get(&format!("/admin/instances?{query}")).await.data(200);
                rows.as_array().unwrap().len()
            }
        };
        assert_eq!(of(format!("server_id={host}")).await, 2);
        assert_eq!(of(format!("payer_id={}", jane.id)).await, 1);
        assert_eq!(of("status=stopped".to_owned()).await, 0);
        jane.get("/admin/instances").await.refused(403, "OPERATOR_REQUIRED");
        jane.delete(&format!("/admin/instances/{janes}")).await.refused(403, "OPERATOR_REQUIRED");
        for _ in 0..2 {
            boss.delete(&format!("/admin/instances/{janes}")).await.data(200);
        }
        app.do_jobs().await;
        assert_eq!(status(&jane, &janes).await, "deleted");
        let told = jane.get("/notifications").await.data(200);
        assert_eq!(told[0]["kind"], "instance.taken_down");
        assert_eq!(of(format!("server_id={host}")).await, 1);
    }

    async fn an_instances_history_names_who_and_not_from_where(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let id = running(app, &jane, json!({})).await;
        let history = jane.get(&format!("/instances/{id}/history")).await.data(200);
        let ordered = history.as_array().unwrap().last().unwrap();
        assert_eq!(ordered["actor"]["id"], jane.id);
        assert_eq!(ordered["actor"]["address"], Value::Null);
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
