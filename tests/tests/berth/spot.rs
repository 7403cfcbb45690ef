//! Spot instances: cheaper, and taken back after a notice.

use chrono::Duration;
use serde_json::json;
use tests::{TestApp, on_both_databases};

use crate::deals::{boss, payer};
use crate::furnishing::furnish;
use crate::instances::{act, cost, fleet, running, show, status, tiny, wish};

on_both_databases! {
    async fn an_ordinary_instance_that_finds_no_place_makes_spot_instances_leave(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        tiny(&boss).await;
        furnish(app, &boss, "metal", json!({ "cpus": 2 })).await;
        let first = running(app, &jane, json!({ "is_spot": true, "hostname": "first" })).await;
        app.clock.advance(Duration::seconds(1));
        let second = running(app, &jane, json!({ "is_spot": true, "hostname": "second" })).await;
        let bob = payer(app, "bob", "100.00").await;
        let spot = wish(&json!({ "is_spot": true }));
        bob.post("/instances", spot).await.refused(409, "NO_CAPACITY");
        assert!(show(&jane, &second).await["evict_at"].is_null(), "spot does not displace spot");
        for _ in 0..3 {
            bob.post("/instances", wish(&json!({}))).await.refused(409, "NO_CAPACITY");
        }
        assert!(show(&jane, &first).await["evict_at"].is_null(), "one is enough");
        assert_eq!(show(&jane, &second).await["evict_at"], "2025-01-21T22:02:01.000Z");
        app.clock.advance(Duration::seconds(119));
        app.sweep().await;
        assert_eq!(status(&jane, &second).await, "running");
        app.clock.advance(Duration::seconds(1));
        app.sweep().await;
        assert_eq!(status(&jane, &second).await, "deleted");
        assert_eq!(cost(&jane, &second).await, "0.012", "120 seconds at the spot price");
        running(app, &bob, json!({})).await;
        assert_eq!(status(&jane, &first).await, "running");
    }

    async fn each_volume_of_an_evicted_instance_goes_where_its_owner_said(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let volume = |name: &str| {
            json!({ "name": name, "type": "NVMe", "size_gb": 1, "on_eviction": name })
        };
        let kept = "keep_detached";
        let names = [kept, "move_to_trash", "delete_permanently"];
        let volumes: Vec<_> = names.map(volume).into();
        let id = running(app, &jane, json!({ "is_spot": true, "volumes": volumes })).await;
        boss.post(&format!("/admin/instances/{id}/evict"), json!({})).await.data(200);
        let told = jane.get("/notifications").await.data(200);
        assert_eq!(told[0]["kind"], "instance.eviction_noticed");
        app.clock.advance(Duration::minutes(2));
        app.sweep().await;
        assert_eq!(status(&jane, &id).await, "deleted");
        for (at, name) in ["detached", "trashed", "deleted"].into_iter().zip(names) {
            let rows = jane.get(&format!("/volumes?status={at}")).await.data(200);
            assert_eq!(rows.as_array().unwrap().len(), 1, "{at}");
            assert_eq!(rows[0]["name"], name);
        }
        app.clock.advance(Duration::hours(97));
        app.sweep().await;
        let deleted = jane.get("/volumes?status=deleted").await.data(200);
        assert_eq!(deleted.as_array().unwrap().len(), 2, "the trash is emptied after 96 hours");
    }

    async fn what_is_hibernated_makes_no_room_and_stays(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        tiny(&boss).await;
        furnish(app, &boss, "metal", json!({ "cpus": 1 })).await;
        let asleep = running(app, &jane, json!({ "is_spot": true, "hostname": "asleep" })).await;
        act(&jane, &asleep, "hibernate").await.data(200);
        app.do_jobs().await;
        running(app, &jane, json!({ "hostname": "awake" })).await;
        jane.post("/instances", wish(&json!({}))).await.refused(409, "NO_CAPACITY");
        assert!(show(&jane, &asleep).await["evict_at"].is_null());
    }

    async fn a_price_is_not_for_another_shape(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let id = running(app, &jane, json!({})).await;
        let smaller = json!({
            "name": "Tiny", "shape": { "cpus": 1, "ram_mib": 512, "disk_gb": 10 },
            "pricing": { "per_hour": "0.1", "spot_per_hour": "0.01" }, "locations": ["FIN-03"]
        });
        boss.put("/admin/plans/tiny", smaller).await.data(200);
        let spot = json!({ "action": "configure_spot", "is_spot": true });
        let asked = jane.post(&format!("/instances/{id}/actions"), spot).await;
        asked.refused(400, "VALIDATION_ERROR");
    }

    async fn an_ordinary_instance_is_not_evicted_and_can_become_a_spot_instance(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let id = running(app, &jane, json!({})).await;
        let evict = format!("/admin/instances/{id}/evict");
        boss.post(&evict, json!({})).await.refused(409, "NOT_SPOT");
        app.clock.advance(Duration::seconds(100));
        let spot = json!({ "action": "configure_spot", "is_spot": true });
        jane.post(&format!("/instances/{id}/actions"), spot).await.data(200);
        app.clock.advance(Duration::seconds(100));
        act(&jane, &id, "shutdown").await.data(200);
        assert_eq!(cost(&jane, &id).await, "0.11");
        boss.post(&evict, json!({})).await.data(200);
    }
}
