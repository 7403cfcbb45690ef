//! Orders of servers: ordered, started and stopped, named, locked, logged in to.

use chrono::Duration;
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use super::{get, is_refused, post, rows};
use crate::catalogue::{plan, shape, stock};
use crate::contracts::balance;
use crate::deals::{boss, payer};
use crate::furnishing::furnish;
use crate::installs::plain;

/// What is sold: `tiny` at 1 an hour and 30 a week, and `large` at 3; the host has 3 CPUs.
pub struct Shop {
    pub boss: Client,
    pub jane: Client,
    pub host: String,
}

pub async fn put_plan(boss: &Client, code: &str, pricing: Value, disk_gb: u32) {
    let cpus = if code == "tiny" { 1 } else { 2 };
    let plan = json!({
        "name": format!("Model {code}"), "pricing": pricing, "locations": ["FIN-03"],
        "shape": { "cpus": cpus, "ram_mib": 1024 * cpus, "disk_gb": disk_gb },
    });
    boss.put(&format!("/admin/plans/{code}"), plan).await.data(200);
}

impl Shop {
    pub async fn open(app: &TestApp) -> Self {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        stock(&boss).await;
        let mut small = plan("Small", shape(), "0.1381");
        small["is_listed"] = json!(false);
        boss.put("/admin/plans/small", small).await.data(200);
        let week = json!([{ "interval": "WEEK", "price": "30" }]);
        let pricing = json!({ "per_hour": "1", "stopped_percent": 35, "intervals": week });
        put_plan(&boss, "tiny", pricing, 10).await;
        put_plan(&boss, "large", json!({ "per_hour": "3", "stopped_percent": 35 }), 20).await;
        let host = furnish(app, &boss, "metal", json!({ "cpus": 3 })).await;
        Self { boss, jane, host }
    }

    pub async fn blib(&self, name: &str) -> i64 {
        let blibs = rows(&self.jane, "/api/blibs").await;
        let found = blibs.iter().find(|blib| blib["name"] == name).unwrap();
        found["id"].as_i64().unwrap()
    }

    /// The order of the document's example.
    pub async fn wish(&self, change: Value) -> Value {
        let mut body = json!({
            "blib_id": self.blib("Model tiny").await, "price_h": 1, "total_price": 1.0,
            "terms_accepted": true, "contract_interval": "HOUR",
            "second_partition_percentage": 20
        });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    }

    pub async fn ordered(&self, app: &TestApp, change: Value) -> i64 {
        let made = post(&self.jane, "/api/order", self.wish(change).await).await;
        assert_eq!((made.status, &made.body["success"]), (200, &json!(true)), "{}", made.body);
        app.do_jobs().await;
        made.body["orderId"].as_i64().unwrap()
    }

    pub async fn order(&self, number: i64) -> Value {
        let orders = rows(&self.jane, "/api/orders").await;
        orders.into_iter().find(|order| order["order_id"] == number).unwrap()
    }

    pub async fn status(&self, number: i64, action: &str) -> tests::Answer {
        let body = json!({ "serverId": number, "action": action });
        post(&self.jane, "/api/order-status", body).await
    }
}

const DENIED: &str = "Access denied or server not found";

on_both_databases! {
    async fn an_order_is_made_at_the_price_that_was_seen(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        let order = shop.order(number).await;
        let expected = json!({
            "order_id": number, "serverId": number, "title": "Model tiny", "status": "running",
            "status_user": "running", "server_name": order["server_name"],
            "machine_name": format!("model-tiny_{number:06}"), "ip": "203.0.113.7",
            "ssh_port": 20000, "price_h": 1.0, "paid_until": "2025-01-21T23:00:00.000Z",
            "contract_interval": "HOUR", "is_locked": false, "is_low_priority": false,
            "blib_name": "Model tiny", "blib_gpu_type": "", "blib_gpu_num": 0,
            "country_code": "FI", "last_error": null, "template_installs": []
        });
        assert_eq!(order, expected);
        assert_eq!(balance(&shop.jane).await, "99");
        let week = json!({ "contract_interval": "WEEK", "total_price": 30 });
        shop.ordered(app, week).await;
        assert_eq!(balance(&shop.jane).await, "69");
        assert_eq!(rows(&shop.jane, "/api/orders?limit=1").await.len(), 1);
        assert_eq!(rows(&payer(app, "joe", "1.00").await, "/api/orders").await.len(), 0);
    }

    async fn what_is_wrong_with_an_order_is_told_and_nothing_ordered(app: &TestApp) {
        let shop = Shop::open(app).await;
        let day = json!({ "contract_interval": "DAY", "total_price": 24 });
        let cases = [
            (json!({ "terms_accepted": false }), 400, "You must accept the terms and conditions."),
            (json!({ "terms_accepted": null }), 400, "You must accept the terms and conditions."),
            (json!({ "contract_interval": "hour" }), 400, "Invalid or missing contract interval."),
            (json!({ "contract_interval": null }), 400, "Invalid or missing contract interval."),
            (json!({ "total_price": 0.99 }), 400,
                "The price is 1.00 now, not 0.99; look at the offer again"),
            // To the last digit: what is told can be sent.
            (json!({ "total_price": 1.000_000_01 }), 400,
                "The price is 1.00 now, not 1.00000001; look at the offer again"),
            (json!({ "price_h": 1.01 }), 400,
                "The price is 1.00 now, not 1.01; look at the offer again"),
            (json!({ "price_h": null }), 400,
                "price_h: must be the price of the offer, a number"),
            (json!({ "second_partition_percentage": 101 }), 400,
                "second_partition_percentage: must be 0 to 100"),
            (json!({ "blib_id": 0 }), 404, "Blib not found"),
            (json!({ "templates": [{ "id": 0 }] }), 404, "Template not found"),
        ];
        for (change, status, error) in cases {
            let answer = post(&shop.jane, "/api/order", shop.wish(change).await).await;
            is_refused(&answer, status, error);
        }
        let poor = payer(app, "joe", "10.00").await;
        let refused = post(&poor, "/api/order", shop.wish(day).await).await;
        let error = "Insufficient budget: 24.00 is needed and there is 10.00";
        is_refused(&refused, 400, error);
        let unsigned = post(&app.stranger(), "/api/order", shop.wish(json!({})).await).await;
        let error = json!({ "error": "Missing or invalid Authorization header", "next": "login" });
        assert_eq!((unsigned.status, unsigned.body), (401, error));
        assert_eq!(rows(&shop.jane, "/api/orders").await.len(), 0);
        assert_eq!((balance(&shop.jane).await, balance(&poor).await),
            ("100".to_owned(), "10".to_owned()));
        for _ in 0..3 {
            shop.ordered(app, json!({})).await;
        }
        let full = post(&shop.jane, "/api/order", shop.wish(json!({})).await).await;
        is_refused(&full, 409, "No host has room for this now");
        assert_eq!(balance(&shop.jane).await, "97");
    }

    async fn two_who_want_the_last_one_do_not_both_get_it(app: &TestApp) {
        let shop = Shop::open(app).await;
        let joe = payer(app, "joe", "100.00").await;
        shop.ordered(app, json!({})).await;
        shop.ordered(app, json!({})).await;
        let wish = shop.wish(json!({})).await;
        let order = |client| post(client, "/api/order", wish.clone());
        let (one, two) = tokio::join!(order(&shop.jane), order(&joe));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let balances = [balance(&shop.jane).await, balance(&joe).await];
        let jane_won = one.status == 200;
        assert_eq!(balances, if jane_won { ["97", "100"] } else { ["98", "99"] });
    }

    async fn a_server_is_started_stopped_restarted_and_frozen(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        for (action, word, next, then) in [
            ("stopped", "stop", "stopping", "stopped"),
            ("running", "start", "starting", "running"),
            ("restarted", "restart", "restarting", "running"),
            ("frozen", "freeze", "freezing", "frozen"),
        ] {
            let answer = shop.status(number, action).await;
            let message = format!("Server {word} initiated successfully");
            let told = json!({ "success": true, "message": message, "status": next });
            assert_eq!((answer.status, answer.body), (200, told));
            let wanted = shop.order(number).await["status_user"].clone();
            assert_eq!(wanted, json!(action), "at once");
            app.do_jobs().await;
            assert_eq!(shop.order(number).await["status"], then);
            app.clock.advance(Duration::minutes(1));
        }
        let again = shop.status(number, "frozen").await;
        assert_eq!((again.status, &again.body["status"]), (200, &json!("frozen")));
        let path = format!("/api/order-status-history?order_id={number}");
        let told = get(&shop.jane, &path).await;
        let history = told.body["history"].as_array().unwrap();
        let lines: Vec<_> = history.iter().map(|line| {
            (line["status_user"].as_str().unwrap(), line["status_txt"].as_str().unwrap())
        }).collect();
        assert_eq!(lines, [
            ("frozen", "Server frozen successfully"),
            ("frozen", "Server frozen by user"),
            ("running", "Server started successfully"),
            ("restarted", "Server stopped to be restarted"),
            ("restarted", "Server restart requested by user"),
        ]);
        assert_eq!(history[0]["status_since"], "2025-01-21T22:03:00.000Z");
        let wrong = shop.status(number, "sleeping").await;
        let error = "action: must be running, stopped, restarted or frozen";
        assert_eq!((wrong.status, wrong.body), (400, json!({ "success": false, "error": error })));
    }

    async fn a_frozen_server_comes_to_another_host_only_if_it_may(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        shop.status(number, "frozen").await;
        app.do_jobs().await;
        for _ in 0..3 {
            shop.ordered(app, json!({})).await;
        }
        let full = shop.status(number, "running").await;
        let error = "No host has room for this now";
        assert_eq!((full.status, full.body), (409, json!({ "success": false, "error": error })));
        assert_eq!(shop.order(number).await["status"], "frozen");
        let wish = json!({ "serverId": number, "action": "running", "migration_allowed": true });
        let nowhere = post(&shop.jane, "/api/order-status", wish.clone()).await;
        assert_eq!(nowhere.status, 409, "{}", nowhere.body);
        let other = furnish(app, &shop.boss, "other", json!({ "address": "203.0.113.8" })).await;
        app.instances.behave(Conduct { copy_looks: 2, ..Conduct::default() });
        let moved = post(&shop.jane, "/api/order-status", wish).await;
        assert_eq!(moved.status, 200, "{}", moved.body);
        for _ in 0..4 {
            app.clock.advance(Duration::seconds(2));
            app.do_jobs().await;
        }
        let order = shop.order(number).await;
        assert_eq!((&order["status"], &order["ip"]), (&json!("running"), &json!("203.0.113.8")));
        assert_eq!(crate::instances::taken(&shop.boss, &other).await, [1, 1024, 0, 1, 10]);
        let before = crate::instances::taken(&shop.boss, &shop.host).await;
        assert_eq!(before, [3, 3072, 0, 3, 30], "nothing of it is left");
    }

    async fn a_locked_server_is_left_as_it_is(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        let lock = |on: Value| {
            post(&shop.jane, "/api/order-lock", json!({ "serverId": number, "is_locked": on }))
        };
        let locked = lock(json!(true)).await;
        assert_eq!((locked.status, locked.body), (200, json!({ "success": true, "updated": 1 })));
        assert_eq!(shop.order(number).await["is_locked"], true);
        let refused = shop.status(number, "stopped").await;
        let error = "Server is locked and cannot be modified";
        assert_eq!((refused.status, refused.body),
            (403, json!({ "success": false, "error": error })));
        is_refused(&lock(Value::Null).await, 400, "is_locked: must be true or false");
        lock(json!(false)).await;
        assert_eq!(shop.status(number, "stopped").await.status, 200);
    }

    async fn a_server_is_named_and_logged_in_to_by_whom_it_belongs(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        let title = json!({ "serverId": number, "title": "My New Server Title" });
        let named = post(&shop.jane, "/api/order-title", title.clone()).await;
        let message = json!({ "success": true, "message": "Title updated successfully" });
        assert_eq!((named.status, named.body), (200, message));
        assert_eq!(shop.order(number).await["title"], "My New Server Title");
        let ask = |client| post(client, "/api/credentials", json!({ "serverId": number }));
        let told = ask(&shop.jane).await;
        let password = told.body["password"].as_str().unwrap().to_owned();
        let expected = json!({
            "success": true, "ip": "203.0.113.7", "ssh_port": 20000, "username": "root",
            "password": password, "status": "running"
        });
        assert_eq!((told.status, told.body), (200, expected));
        assert_eq!(password.len(), 32);
        assert_eq!(ask(&shop.jane).await.body["password"], password, "the same each time");
        let joe = payer(app, "joe", "1.00").await;
        is_refused(&ask(&joe).await, 403, DENIED);
        is_refused(&post(&joe, "/api/order-title", title).await, 403, DENIED);
        let lock = json!({ "serverId": number, "is_locked": true });
        is_refused(&post(&joe, "/api/order-lock", lock).await, 403, DENIED);
        let stop = json!({ "serverId": number, "action": "stopped" });
        let stopped = post(&joe, "/api/order-status", stop).await;
        assert_eq!((stopped.status, stopped.body),
            (403, json!({ "success": false, "error": DENIED })));
        let path = format!("/api/order-status-history?order_id={number}");
        is_refused(&get(&joe, &path).await, 403, DENIED);
        assert_eq!(shop.order(number).await["status"], "running");
    }

    async fn templates_of_an_order_are_installed_when_it_runs(app: &TestApp) {
        let shop = Shop::open(app).await;
        let software = plain("PyTorch Environment");
        let added = shop.boss.post("/admin/software", software).await.data(201);
        let template = added["number"].as_i64().unwrap();
        let chosen = json!({ "templates": [{ "id": template, "name": "PyTorch Environment" }] });
        let number = shop.ordered(app, chosen).await;
        for _ in 0..3 {
            app.clock.advance(Duration::seconds(5));
            app.do_jobs().await;
        }
        let installs = shop.order(number).await["template_installs"].clone();
        let (name, status) = (&installs[0]["template_name"], &installs[0]["status_readable"]);
        assert_eq!((name, status), (&json!("PyTorch Environment"), &json!("Completed")));
        let twice = json!({ "templates": [{ "id": template }, { "id": template }] });
        let refused = post(&shop.jane, "/api/order", shop.wish(twice).await).await;
        assert_eq!((refused.status, balance(&shop.jane).await.as_str()), (409, "99"));
    }
}
