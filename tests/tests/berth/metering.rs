//! What runs is paid for: wallets that run dry, clocks that jump, things that change hands.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::deals::payer;
use crate::instances::{act, cost, fleet, id, inventory, ordered, running, status, taken, wish};

async fn told(client: &Client, kind: &str) -> usize {
    let rows = client.get("/notifications").await.data(200);
    rows.as_array().unwrap().iter().filter(|row| row["kind"] == kind).count()
}

async fn usage(client: &Client) -> Value {
    client.get("/wallet/usage").await.data(200)
}

/// Lets minutes pass, with a sweep after each step.
async fn pass(app: &TestApp, minutes: i64, step: i64) {
    for _ in 0..minutes / step {
        app.clock.advance(Duration::minutes(step));
        app.sweep().await;
    }
}

on_both_databases! {
    async fn a_wallet_that_runs_dry_is_warned_stopped_and_its_things_deleted_once_each(
        app: &TestApp,
    ) {
        let (boss, _, host) = fleet(app).await;
        let poor = payer(app, "poor", "90.00").await;
        let id = running(app, &poor, json!({})).await;
        let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 10, "location": "FIN-03" });
        poor.post("/volumes", volume).await.data(201);
        app.sweep().await;
        assert_eq!(usage(&poor).await["standing"], Value::Null, "25 hours");
        pass(app, 120, 30).await;
        assert_eq!(usage(&poor).await["standing"], "warned");
        pass(app, 22 * 60, 60).await;
        assert_eq!(status(&poor, &id).await, "running");
        pass(app, 120, 10).await;
        assert_eq!(status(&poor, &id).await, "stopped");
        assert_eq!(usage(&poor).await["standing"], "stopped");
        assert_eq!(usage(&poor).await["balance"], "0");
        act(&poor, &id, "start").await.refused(400, "INSUFFICIENT_BALANCE");
        poor.post("/instances", wish(&json!({}))).await.refused(400, "INSUFFICIENT_BALANCE");
        pass(app, 70 * 60, 60).await;
        assert_eq!(status(&poor, &id).await, "stopped");
        pass(app, 180, 60).await;
        assert_eq!(status(&poor, &id).await, "deleted");
        assert_eq!(poor.get("/volumes").await.data(200), json!([]));
        assert_eq!(taken(&boss, &host).await, [0; 5]);
        assert_eq!(inventory(app, &host).volumes, []);
        pass(app, 600, 60).await;
        for (kind, times) in [
            ("wallet.running_dry", 1),
            ("wallet.ran_dry", 1),
            ("instance.stopped_unpaid", 1),
            ("instance.deleted_unpaid", 1),
        ] {
            assert_eq!(told(&poor, kind).await, times, "{kind}");
        }
    }

    async fn whoever_pays_in_time_keeps_everything(app: &TestApp) {
        let (_, _, _) = fleet(app).await;
        let poor = payer(app, "poor", "4.00").await;
        let id = running(app, &poor, json!({})).await;
        pass(app, 120, 10).await;
        assert_eq!(status(&poor, &id).await, "stopped");
        assert_eq!(cost(&poor, &id).await, "4.2", "to the sweep that stopped it");
        app.deposit("poor", "200.00").await;
        app.sweep().await;
        assert_eq!(usage(&poor).await["balance"], "199.8", "what was owed is paid first");
        assert_eq!(usage(&poor).await["per_hour"], "3.6", "it holds its place");
        act(&poor, &id, "start").await.data(200);
        app.do_jobs().await;
        pass(app, 80 * 60, 60).await;
        assert_eq!(status(&poor, &id).await, "stopped", "55 hours later again");
        assert_eq!(told(&poor, "wallet.ran_dry").await, 2);
    }

    async fn a_clock_that_jumps_neither_charges_nor_spares_a_second(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let id = running(app, &jane, json!({})).await;
        for hours in [5, -5, 3, -2, 1, -2] {
            app.clock.advance(Duration::hours(hours));
            app.sweep().await;
            app.sweep().await;
        }
        app.clock.advance(Duration::seconds(90));
        jane.delete(&format!("/instances/{id}")).await.data(200);
        app.sweep().await;
        assert_eq!(cost(&jane, &id).await, "0.09");
        assert_eq!(usage(&jane).await["balance"], "99.91");
    }

    async fn what_a_clock_that_ran_ahead_took_is_given_back_at_once(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        running(app, &jane, json!({})).await;
        app.clock.advance(Duration::hours(20));
        app.sweep().await;
        assert_eq!(usage(&jane).await["balance"], "28");
        app.clock.advance(-Duration::hours(20));
        app.sweep().await;
        assert_eq!(usage(&jane).await["balance"], "100");
    }

    async fn who_has_nothing_gets_no_larger_volume_and_none_out_of_the_trash(app: &TestApp) {
        fleet(app).await;
        let poor = payer(app, "poor", "4.00").await;
        let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 1, "location": "FIN-03" });
        let path = format!("/volumes/{}", id(&poor.post("/volumes", volume).await.data(201)));
        app.do_jobs().await;
        let grow = |size_gb: u32| poor.patch(&path, json!({ "size_gb": size_gb }));
        grow(20_000).await.refused(400, "INSUFFICIENT_BALANCE");
        grow(1_000_001).await.refused(400, "VALIDATION_ERROR");
        grow(2).await.data(200);
        poor.delete(&path).await.data(200);
        running(app, &poor, json!({})).await;
        pass(app, 120, 10).await;
        poor.post(&format!("{path}/restore"), json!({})).await.refused(400, "INSUFFICIENT_BALANCE");
    }

    async fn however_often_it_is_swept_the_total_is_the_same(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let bob = payer(app, "bob", "100.00").await;
        let (often, never) =
            (running(app, &jane, json!({})).await, running(app, &bob, json!({})).await);
        for _ in 0..20 {
            app.clock.advance(Duration::milliseconds(77_777));
            let swept = jane.get("/wallet/usage").await;
            swept.data(200);
            app.sweep().await;
        }
        for (client, id) in [(&jane, &often), (&bob, &never)] {
            client.delete(&format!("/instances/{id}")).await.data(200);
        }
        assert_eq!(cost(&jane, &often).await, "1.555", "1555 whole seconds");
        assert_eq!(cost(&bob, &never).await, "1.555");
    }

    async fn after_a_transfer_the_other_pools_owner_pays(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let bob = payer(app, "bob", "50.00").await;
        let id = running(app, &jane, json!({})).await;
        let pool = self::id(&bob.post("/pools", json!({ "name": "Bobs" })).await.data(201));
        let path = format!("/instances/{id}/transfer");
        jane.post(&path, json!({ "pool_id": pool })).await.refused(404, "POOL_NOT_FOUND");
        let invite = json!({ "username": "jane", "role": "admin" });
        bob.post(&format!("/pools/{pool}/members"), invite).await.data(201);
        let invitation = jane.get("/pools/invitations/pending").await.data(200);
        let accept = format!("/pools/{}/accept", self::id(&invitation[0]));
        jane.post(&accept, json!({})).await.data(200);
        app.clock.advance(Duration::seconds(1000));
        jane.post(&path, json!({ "pool_id": pool })).await.data(200);
        app.clock.advance(Duration::seconds(500));
        bob.delete(&format!("/instances/{id}")).await.data(200);
        app.sweep().await;
        assert_eq!(usage(&jane).await["balance"], "99");
        assert_eq!(usage(&bob).await["balance"], "49.5");
        let delete = format!("/pools/{pool}");
        assert_eq!(cost(&bob, &id).await, "1.5");
        bob.delete(&delete).await.data(200);
    }

    async fn a_pool_with_something_running_cannot_be_deleted(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let pool = id(&jane.post("/pools", json!({ "name": "Team" })).await.data(201));
        ordered(&jane, json!({ "pool_id": pool })).await;
        jane.delete(&format!("/pools/{pool}")).await.refused(409, "POOL_IN_USE");
    }
}
