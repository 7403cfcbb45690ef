//! A server is brought to another model: what it costs, and what becomes of the old one.

use chrono::Duration;
use domain::host::HostId;
use domain::instance::{DriverFault, InstanceId};
use outbound::simulated_instances::Conduct;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Answer, TestApp, on_both_databases};

use super::orders::{Shop, put_plan};
use super::{get, is_refused, post, rows};
use crate::contracts::balance;
use crate::deals::payer;
use crate::furnishing::furnish;
use crate::installs::plain;
use crate::instances::taken;

impl Shop {
    async fn buy(&self, number: i64, keeps_data: bool) -> Answer {
        let target = self.blib("Model large").await;
        let body = json!({
            "order_id": number, "target_blib_id": target, "keep_data": keeps_data
        });
        post(&self.jane, "/api/buy-migration", body).await
    }

    async fn cost(&self, number: i64) -> Value {
        let target = self.blib("Model large").await;
        let body = json!({ "order_id": number, "target_blib_id": target });
        let told = post(&self.jane, "/api/migration-cost", body).await;
        assert_eq!(told.status, 200, "{}", told.body);
        told.body
    }

    async fn statuses(&self) -> Vec<(i64, String)> {
        let orders = rows(&self.jane, "/api/orders").await;
        let mut statuses: Vec<_> = orders
            .iter()
            .map(|order| {
                (order["order_id"].as_i64().unwrap(), order["status"].as_str().unwrap().to_owned())
            })
            .collect();
        statuses.sort_unstable();
        statuses
    }
}

async fn moments(app: &TestApp) {
    for _ in 0..6 {
        app.clock.advance(Duration::seconds(2));
        app.do_jobs().await;
    }
}

/// A server of 1 an hour, half an hour old, and another host.
async fn half_used(app: &TestApp) -> (Shop, i64, String) {
    let shop = Shop::open(app).await;
    let number = shop.ordered(app, json!({})).await;
    app.clock.advance(Duration::minutes(30));
    let other = furnish(app, &shop.boss, "other", json!({ "address": "203.0.113.8" })).await;
    (shop, number, other)
}

on_both_databases! {
    async fn what_is_left_is_taken_off_what_the_new_one_costs(app: &TestApp) {
        let (shop, number, _) = half_used(app).await;
        let options = get(&shop.jane, &format!("/api/migration-options?order_id={number}")).await;
        let large = shop.blib("Model large").await;
        let tiny = shop.blib("Model tiny").await;
        let expected = json!({
            "success": true,
            "currentOrder": { "id": number, "title": "Model tiny", "status": "running",
                "contract_interval": "HOUR", "paid_until": "2025-01-21T23:00:00.000Z" },
            "currentBlib": { "id": tiny, "name": "Model tiny", "gpu_type": "", "gpu_num": 0,
                "price_h": 1.0 },
            "availableBlibs": [{ "id": large, "name": "Model large", "gpu_type": "", "gpu_num": 0,
                "price_h": 3.0, "country_code": "FI", "is_available": true,
                "additionalCostPerCycle": 2.0 }]
        });
        assert_eq!((options.status, options.body), (200, expected));
        assert_eq!(shop.cost(number).await, json!({
            "success": true, "upgradeCost": 3.0, "remainingValue": 0.5, "totalDue": 2.5,
            "additionalCostPerCycle": 2.0, "nextBillingDate": "2025-01-21T23:30:00.000Z",
            "currentRate": { "amount": 1.0, "display": "$1.00/hour" },
            "newRate": { "amount": 3.0, "display": "$3.00/hour" }
        }));
        let bought = shop.buy(number, true).await;
        let new = bought.body["new_order_id"].as_i64().unwrap();
        let told = json!({ "success": true, "message": "Migration initiated successfully",
            "new_order_id": new });
        assert_eq!((bought.status, bought.body), (200, told));
        assert_eq!(balance(&shop.jane).await, "96.5");
        moments(app).await;
        assert_eq!(shop.statuses().await, [(new, "running".to_owned())]);
        let order = shop.order(new).await;
        assert_eq!((&order["blib_name"], &order["title"]),
            (&json!("Model large"), &json!("Model tiny")));
        assert_eq!(rows(&shop.boss, "/api/orders").await.len(), 0, "nobody else's");
        let told = get(&shop.jane, &format!("/api/order-status-history?order_id={number}")).await;
        let lines = told.body["history"].as_array().unwrap().clone();
        let texts: Vec<_> = lines.iter().map(|line| line["status_txt"].as_str().unwrap()).collect();
        assert_eq!(texts[..4], ["Server deleted", "Server migrated successfully",
            "Server stopped successfully", "Migration to another server initiated"]);
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!((shop.order(new).await["status"].as_str(), balance(&shop.jane).await.as_str()),
            (Some("frozen"), "96.5"), "its hour is over");
    }

    async fn the_data_comes_along_and_the_old_one_stands_still(app: &TestApp) {
        let (shop, number, _) = half_used(app).await;
        let native = shop.jane.get("/instances").await.data(200)[0].clone();
        let old_id = InstanceId::parse(native["id"].as_str().unwrap()).unwrap();
        app.instances.behave(Conduct { copy_looks: 2, ..Conduct::default() });
        let bought = shop.buy(number, true).await;
        let new = bought.body["new_order_id"].as_i64().unwrap();
        for refused in [
            shop.status(number, "running").await,
            shop.status(number, "frozen").await,
            shop.buy(number, true).await,
        ] {
            assert_eq!(refused.status, 409, "{}", refused.body);
        }
        moments(app).await;
        assert_eq!(shop.statuses().await, [(new, "running".to_owned())]);
        let seen = shop.jane.get("/instances").await.data(200);
        let id = InstanceId::parse(seen[0]["id"].as_str().unwrap()).unwrap();
        let hosted = shop.boss.get("/admin/instances?status=running").await.data(200);
        let host = HostId::parse(hosted[0]["server_id"].as_str().unwrap()).unwrap();
        assert_eq!(app.instances.data_of(host, id), Some(old_id));
    }

    async fn a_password_that_somebody_chose_comes_along(app: &TestApp) {
        let shop = Shop::open(app).await;
        let wish = json!({ "plan": "tiny", "image": "ubuntu-24.04", "location": "FIN-03",
            "hostname": "box", "interval": "HOUR", "password": "tr0ub4dor&3" });
        let short = json!({ "password": "1234567" });
        let mut wrong = wish.clone();
        wrong.as_object_mut().unwrap().extend(short.as_object().unwrap().clone());
        assert_eq!(shop.jane.post("/instances", wrong).await.faults(), ["/password"]);
        let made = shop.jane.post("/instances", wish).await.data(201);
        app.do_jobs().await;
        let path = format!("/instances/{}", made["id"].as_str().unwrap());
        assert_eq!(shop.jane.get(&path).await.data(200)["password"], "tr0ub4dor&3");
        let number = rows(&shop.jane, "/api/orders").await[0]["order_id"].as_i64().unwrap();
        furnish(app, &shop.boss, "other", json!({ "address": "203.0.113.8" })).await;
        let bought = shop.buy(number, true).await;
        assert_eq!(bought.status, 200, "{}", bought.body);
        moments(app).await;
        let new = bought.body["new_order_id"].as_i64().unwrap();
        assert_eq!(shop.statuses().await, [(new, "running".to_owned())]);
        let told = post(&shop.jane, "/api/credentials", json!({ "serverId": new })).await;
        assert_eq!(told.body["password"], "tr0ub4dor&3", "{}", told.body);
        let seen = shop.jane.get("/instances?status=running").await.data(200);
        let id = InstanceId::parse(seen[0]["id"].as_str().unwrap()).unwrap();
        let hosted = shop.boss.get("/admin/instances?status=running").await.data(200);
        let host = HostId::parse(hosted[0]["server_id"].as_str().unwrap()).unwrap();
        let password = app.instances.spec_of(host, id).unwrap().password.unwrap();
        assert_eq!(password.expose_secret(), "tr0ub4dor&3");
    }

    async fn too_little_money_or_room_changes_nothing(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        shop.ordered(app, json!({})).await;
        app.clock.advance(Duration::minutes(30));
        let before = (balance(&shop.jane).await, rows(&shop.jane, "/api/orders").await);
        is_refused(&shop.buy(number, true).await, 409, "No host has room for this now");
        put_plan(&shop.boss, "large", json!({ "per_hour": "1000" }), 20).await;
        let other = furnish(app, &shop.boss, "other", json!({})).await;
        is_refused(&shop.buy(number, true).await, 400, "Insufficient budget for migration");
        put_plan(&shop.boss, "large", json!({ "per_hour": "3" }), 5).await;
        let error = "plan: has a disk of 5 GB, and the data is on one of 10: migrate without the \
            data, or to a larger plan";
        is_refused(&shop.buy(number, true).await, 400, error);
        let joe = payer(app, "joe", "100.00").await;
        let body = json!({ "order_id": number, "target_blib_id": shop.blib("Model large").await });
        let denied = post(&joe, "/api/buy-migration", body.clone()).await;
        is_refused(&denied, 403, "Access denied or server not found");
        let denied = post(&joe, "/api/migration-cost", body).await;
        is_refused(&denied, 403, "Access denied or server not found");
        assert_eq!((balance(&shop.jane).await, rows(&shop.jane, "/api/orders").await), before);
        assert_eq!(taken(&shop.boss, &other).await, [0; 5]);
    }

    async fn whichever_step_fails_the_old_one_is_as_before(app: &TestApp) {
        let (shop, number, other) = half_used(app).await;
        let before = balance(&shop.jane).await;
        // The disk is carried after a stop; then it is made, started and looked at.
        let steps = [(true, 2..=5), (false, 1..=3)];
        let of = |(keeps, steps): (bool, std::ops::RangeInclusive<u64>)| {
            steps.map(move |step| (keeps, step))
        };
        let steps = steps.into_iter().flat_map(of);
        for (keeps_data, step) in steps {
            let fault = DriverFault::Refused("it is broken".to_owned());
            let fail_call = Some((app.instances.calls() + step, fault));
            app.instances.behave(Conduct { fail_call, ..Conduct::default() });
            let bought = shop.buy(number, keeps_data).await;
            assert_eq!(bought.status, 200, "{}", bought.body);
            let new = bought.body["new_order_id"].as_i64().unwrap();
            moments(app).await;
            let at = format!("with its data: {keeps_data}, step {step}");
            let expected = [(number, "running".to_owned()), (new, "error".to_owned())];
            let statuses = shop.statuses().await;
            assert!(expected.iter().all(|row| statuses.contains(row)), "{at}: {statuses:?}");
            assert_eq!(balance(&shop.jane).await, before, "{at}");
            assert_eq!(taken(&shop.boss, &other).await, [0; 5], "{at}");
        }
        assert_eq!(taken(&shop.boss, &shop.host).await, [1, 1024, 0, 1, 10]);
        shop.buy(number, true).await;
        moments(app).await;
        assert!(!shop.statuses().await.iter().any(|(id, _)| *id == number));
    }

    async fn a_smaller_one_gives_back_what_is_too_much_when_it_is_ready(app: &TestApp) {
        let (shop, _, _) = half_used(app).await;
        let large = shop.blib("Model large").await;
        let wish = json!({ "blib_id": large, "price_h": 3, "total_price": 3 });
        let number = shop.ordered(app, wish).await;
        assert_eq!(balance(&shop.jane).await, "96");
        app.clock.advance(Duration::minutes(15));
        let tiny = shop.blib("Model tiny").await;
        let body = json!({ "order_id": number, "target_blib_id": tiny, "keep_data": false });
        let told = post(&shop.jane, "/api/migration-cost", body.clone()).await;
        assert_eq!(told.body["totalDue"], -1.25);
        app.instances.behave(Conduct { looks: 3, ..Conduct::default() });
        let bought = post(&shop.jane, "/api/buy-migration", body).await;
        assert_eq!((bought.status, balance(&shop.jane).await.as_str()), (200, "96"));
        assert_eq!(shop.order(number).await["status"], "running", "until the new one is ready");
        moments(app).await;
        assert_eq!(balance(&shop.jane).await, "97.25");
        let new = bought.body["new_order_id"].as_i64().unwrap();
        assert_eq!(shop.order(new).await["status"], "running");
    }

    async fn who_deletes_the_new_one_while_it_is_made_has_the_old_one_again(app: &TestApp) {
        let (shop, number, _) = half_used(app).await;
        let before = balance(&shop.jane).await;
        app.instances.behave(Conduct { looks: 1_000, ..Conduct::default() });
        let bought = shop.buy(number, true).await;
        assert_eq!(bought.status, 200, "{}", bought.body);
        moments(app).await;
        let made = shop.jane.get("/instances").await.data(200);
        let new = made.as_array().unwrap().iter().find(|it| it["status"] == "provisioning");
        let path = format!("/instances/{}", new.unwrap()["id"].as_str().unwrap());
        app.instances.behave(Conduct::default());
        shop.jane.delete(&path).await.data(200);
        moments(app).await;
        assert_eq!(shop.statuses().await, [(number, "running".to_owned())]);
        assert_eq!(balance(&shop.jane).await, before);
        let order = shop.order(number).await;
        assert_ne!(order["paid_until"], "2025-01-21T23:00:00.000Z", "it stood still meanwhile");
    }

    // Seen failing without the time in between: it ran on for nothing, as often as one likes.
    async fn what_runs_until_the_new_one_is_ready_is_paid_if_that_is_called_off(app: &TestApp) {
        let (shop, number, _) = half_used(app).await;
        let before = balance(&shop.jane).await;
        app.instances.behave(Conduct { looks: 1_000, ..Conduct::default() });
        assert_eq!(shop.buy(number, false).await.status, 200);
        app.do_jobs().await;
        app.clock.advance(Duration::minutes(5));
        let made = shop.jane.get("/instances").await.data(200);
        let new = made.as_array().unwrap().iter().find(|it| it["status"] == "provisioning");
        let path = format!("/instances/{}", new.unwrap()["id"].as_str().unwrap());
        shop.jane.delete(&path).await.data(200);
        assert_eq!(balance(&shop.jane).await, before);
        let order = shop.order(number).await;
        assert_eq!(order["paid_until"], "2025-01-21T23:00:00.000Z", "as if nothing had been");
    }

    async fn what_was_credited_comes_back_with_the_rest_if_both_are_gone(app: &TestApp) {
        let (shop, _, _) = half_used(app).await;
        let large = shop.blib("Model large").await;
        let wish = json!({ "blib_id": large, "price_h": 3, "total_price": 3 });
        let number = shop.ordered(app, wish).await;
        app.clock.advance(Duration::minutes(15));
        app.instances.behave(Conduct { looks: 1_000, ..Conduct::default() });
        let tiny = shop.blib("Model tiny").await;
        let body = json!({ "order_id": number, "target_blib_id": tiny, "keep_data": false });
        assert_eq!(post(&shop.jane, "/api/buy-migration", body).await.status, 200);
        app.do_jobs().await;
        let all = shop.jane.get("/instances").await.data(200);
        let of = |status: &str, plan: &str| {
            let mut rows = all.as_array().unwrap().iter();
            let row = rows.find(|it| it["status"] == status && it["plan"] == plan).unwrap();
            row["id"].as_str().unwrap().to_owned()
        };
        let (old, new) = (of("running", "large"), of("provisioning", "tiny"));
        assert_eq!(balance(&shop.jane).await, "96");
        shop.boss.delete(&format!("/admin/instances/{old}")).await.data(200);
        assert_eq!(balance(&shop.jane).await, "96", "it went into the new one");
        shop.jane.delete(&format!("/instances/{new}")).await.data(200);
        assert_eq!(balance(&shop.jane).await, "98.25", "three quarters of 3");
    }

    async fn nothing_is_installed_on_what_gets_its_disk_from_another(app: &TestApp) {
        let (shop, number, _) = half_used(app).await;
        let software = plain("PyTorch Environment");
        let added = shop.boss.post("/admin/software", software).await.data(201);
        let install = |order: i64| {
            let body = json!({ "order_id": order, "template_id": added["number"] });
            post(&shop.jane, "/api/template-install-add", body)
        };
        assert_eq!(install(number).await.status, 200);
        moments(app).await;
        app.instances.behave(Conduct { copy_looks: 2, ..Conduct::default() });
        let new = shop.buy(number, true).await.body["new_order_id"].as_i64().unwrap();
        assert_eq!(install(new).await.status, 409);
        moments(app).await;
        let order = shop.order(new).await;
        assert_eq!(order["status"], "running");
        assert_eq!(order["template_installs"][0]["status_readable"], "Completed", "{order}");
        assert_eq!(install(new).await.status, 409, "it came along");
    }
}
