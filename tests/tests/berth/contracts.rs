//! Instances whose time is paid in advance.

use chrono::Duration;
use domain::host::HostId;
use domain::instance::{DriverFault, InstanceId};
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::catalogue::stock;
use crate::deals::{boss, moves, payer};
use crate::furnishing::furnish;
use crate::instances::{act, cost, id, show, status, taken, wish};

/// A plan at 1 an hour, 7 a day, 30 a week, of which a stopped instance costs 35 %.
async fn plan(boss: &Client, change: Value) {
    let mut pricing = json!({ "per_hour": "1", "stopped_percent": 35, "intervals": [
        { "interval": "DAY", "price": "7" }, { "interval": "WEEK", "price": "30" },
        { "interval": "MONTH", "price": "99.99999999" }] });
    pricing.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let plan = json!({
        "name": "Tiny", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
        "pricing": pricing, "locations": ["FIN-03"]
    });
    boss.put("/admin/plans/tiny", plan).await.data(200);
}

pub struct Paid {
    pub boss: Client,
    pub jane: Client,
    pub host: String,
    pub id: String,
}

impl Paid {
    /// Somebody with 100.00, and what they pay in advance.
    pub async fn with(app: &TestApp, change: Value) -> Self {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        stock(&boss).await;
        plan(&boss, json!({})).await;
        let host = furnish(app, &boss, "metal", json!({})).await;
        let id = id(&jane.post("/instances", wish(&change)).await.data(201));
        app.do_jobs().await;
        Self { boss, jane, host, id }
    }

    async fn seen(&self) -> Value {
        show(&self.jane, &self.id).await
    }

    /// Its status, when its paid time ends, and how many seconds of it are left.
    async fn stands(&self) -> (String, Option<String>, i64) {
        let seen = self.seen().await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let left = seen["paid_seconds"].as_i64().unwrap();
        (text(&seen["status"]).unwrap(), text(&seen["expires_at"]), left)
    }

    async fn act(&self, app: &TestApp, action: &str) {
        act(&self.jane, &self.id, action).await.data(200);
        app.do_jobs().await;
    }

    async fn balance(&self) -> String {
        balance(&self.jane).await
    }
}

pub async fn balance(client: &Client) -> String {
    let usage = client.get("/wallet/usage").await.data(200);
    usage["balance"].as_str().unwrap().to_owned()
}

fn stand(status: &str, ends: Option<&str>, left: i64) -> (String, Option<String>, i64) {
    (status.to_owned(), ends.map(str::to_owned), left)
}

const HOUR: i64 = 3_600;

on_both_databases! {
    async fn an_interval_is_paid_at_once_and_runs_from_when_it_is_ready(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        stock(&boss).await;
        plan(&boss, json!({})).await;
        furnish(app, &boss, "metal", json!({})).await;
        let order = wish(&json!({ "interval": "DAY", "interval_price": "7" }));
        let made = jane.post("/instances", order).await.data(201);
        assert_eq!((&made["interval"], &made["interval_price"]), (&json!("DAY"), &json!("7")));
        assert_eq!((&made["expires_at"], &made["paid_seconds"]), (&json!(null), &json!(24 * HOUR)));
        assert_eq!(balance(&jane).await, "93");
        app.clock.advance(Duration::minutes(5));
        app.do_jobs().await;
        let seen = show(&jane, &id(&made)).await;
        assert_eq!(seen["expires_at"], "2025-01-22T22:05:00.000Z");
        assert_eq!(seen["price_per_hour"], "0.29166666");
        app.clock.advance(Duration::hours(6));
        app.sweep().await;
        assert_eq!(show(&jane, &id(&made)).await["paid_seconds"], 18 * HOUR);
        assert_eq!((cost(&jane, &id(&made)).await, balance(&jane).await),
            ("7".to_owned(), "93".to_owned()));
        assert_eq!(moves(&jane).await.len(), 1, "one payment");
    }

    async fn what_is_stopped_lasts_longer_and_what_is_frozen_for_ever(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "DAY" })).await;
        app.clock.advance(Duration::hours(3));
        it.act(app, "shutdown").await;
        assert_eq!(it.stands().await,
            stand("stopped", Some("2025-01-24T13:00:00.000Z"), 21 * HOUR), "21 ÷ 0.35 = 60 hours");
        app.clock.advance(Duration::hours(20));
        it.act(app, "hibernate").await;
        assert_eq!(it.stands().await, stand("hibernated", None, 14 * HOUR));
        assert_eq!(taken(&it.boss, &it.host).await, [0, 0, 0, 0, 10], "its disk");
        app.clock.advance(Duration::days(100));
        app.sweep().await;
        it.act(app, "start").await;
        assert_eq!(it.stands().await.2, 14 * HOUR);
        it.act(app, "restart").await;
        app.clock.advance(Duration::hours(13));
        app.sweep().await;
        assert_eq!(it.stands().await.2, HOUR);
        assert_eq!(it.balance().await, "93");
    }

    // Seen failing without the stage in which nothing is used: the day began with the order.
    async fn what_cannot_be_made_is_given_back_whole(app: &TestApp) {
        let fault = DriverFault::Refused("no such image".to_owned());
        app.instances.behave(Conduct { fail_call: Some((1, fault)), ..Conduct::default() });
        let it = Paid::with(app, json!({ "interval": "MONTH" })).await;
        assert_eq!((status(&it.jane, &it.id).await.as_str(), it.balance().await.as_str()),
            ("error", "100"));
        assert_eq!(cost(&it.jane, &it.id).await, "0");
        it.jane.delete(&format!("/instances/{}", it.id)).await.data(200);
        app.sweep().await;
        assert_eq!(it.balance().await, "100", "once");
    }

    async fn who_changes_their_mind_before_it_is_ready_has_paid_nothing(app: &TestApp) {
        app.instances.behave(Conduct { looks: 1_000, ..Conduct::default() });
        let it = Paid::with(app, json!({ "interval": "WEEK" })).await;
        assert_eq!((it.seen().await["status"].as_str().unwrap(), it.balance().await.as_str()),
            ("provisioning", "70"));
        it.jane.delete(&format!("/instances/{}", it.id)).await.data(200);
        assert_eq!(it.balance().await, "100");
        app.clock.advance(Duration::seconds(30));
        app.sweep().await;
        assert_eq!((status(&it.jane, &it.id).await.as_str(), it.balance().await.as_str()),
            ("deleted", "100"));
    }

    async fn who_ends_it_gets_nothing_back(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "WEEK" })).await;
        it.jane.delete(&format!("/instances/{}", it.id)).await.data(200);
        app.sweep().await;
        assert_eq!((status(&it.jane, &it.id).await.as_str(), it.balance().await.as_str()),
            ("deleted", "70"));
    }

    async fn what_an_operator_takes_away_or_a_host_loses_is_given_back(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "DAY" })).await;
        app.clock.advance(Duration::hours(6));
        it.boss.delete(&format!("/admin/instances/{}", it.id)).await.data(200);
        assert_eq!(it.balance().await, "98.25", "three quarters of 7");
        app.sweep().await;
        assert_eq!(cost(&it.jane, &it.id).await, "1.75");
        app.instances.behave(Conduct { remembers: true, ..Conduct::default() });
        let order = wish(&json!({ "interval": "DAY" }));
        // A host that has nothing at all is waited for longer.
        it.jane.post("/instances", order.clone()).await.data(201);
        let id = id(&it.jane.post("/instances", order).await.data(201));
        app.do_jobs().await;
        app.clock.advance(Duration::hours(12));
        app.instances.lose(HostId::parse(&it.host).unwrap(), InstanceId::parse(&id).unwrap());
        api::worker::reconcile(&app.app).await.unwrap();
        app.do_jobs().await;
        app.clock.advance(Duration::minutes(11));
        api::worker::reconcile(&app.app).await.unwrap();
        app.do_jobs().await;
        assert_eq!((status(&it.jane, &id).await.as_str(), it.balance().await.as_str()),
            ("error", "87.75"), "half of 7");
    }

    // Seen failing with what is missing renewed: another 30 were gone.
    async fn what_is_missing_at_its_end_is_not_paid_for_again(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "WEEK" })).await;
        app.instances.behave(Conduct { remembers: true, ..Conduct::default() });
        // A host that has nothing at all is waited for longer.
        it.jane.post("/instances", wish(&json!({ "interval": "DAY" }))).await.data(201);
        app.do_jobs().await;
        app.clock.advance(Duration::weeks(1) - Duration::minutes(6));
        let (host, id) = (HostId::parse(&it.host).unwrap(), InstanceId::parse(&it.id).unwrap());
        app.instances.lose(host, id);
        api::worker::reconcile(&app.app).await.unwrap();
        app.clock.advance(Duration::minutes(7));
        api::worker::move_on(&app.app).await.unwrap();
        assert_eq!(it.balance().await, "63", "30 for the week and 7 for the other's day");
        app.clock.advance(Duration::minutes(5));
        api::worker::reconcile(&app.app).await.unwrap();
        // 6 minutes of a week of 10,080 are 0.017857142…
        assert_eq!((status(&it.jane, &it.id).await.as_str(), it.balance().await.as_str()),
            ("error", "63.01785714"));
    }

    async fn a_week_is_renewed_at_the_price_of_the_day(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "WEEK" })).await;
        plan(&it.boss, json!({ "intervals": [{ "interval": "WEEK", "price": "40" }] })).await;
        app.clock.advance(Duration::weeks(1) - Duration::seconds(1));
        app.sweep().await;
        assert_eq!((it.stands().await.2, it.balance().await.as_str()), (1, "70"));
        // Late by an hour, of the next week.
        app.clock.advance(Duration::seconds(1) + Duration::hours(1));
        app.sweep().await;
        assert_eq!(it.stands().await,
            stand("running", Some("2025-02-04T22:00:00.000Z"), 167 * HOUR));
        assert_eq!((it.balance().await.as_str(), it.seen().await["interval_price"].as_str()),
            ("30", Some("40")));
        let sweep = || api::worker::move_on(&app.app);
        app.clock.advance(Duration::weeks(1));
        let (one, two) = tokio::join!(sweep(), sweep());
        assert!(one.is_ok() && two.is_ok());
        app.sweep().await;
        assert_eq!((status(&it.jane, &it.id).await.as_str(), it.balance().await.as_str()),
            ("hibernated", "30"), "40 are not there");
        assert_eq!(it.seen().await["last_error"], "frozen: what was paid is used up");
    }

    async fn what_is_too_dear_or_not_wanted_or_short_is_frozen(app: &TestApp) {
        let mut it = Paid::with(app, json!({ "interval": "WEEK", "auto_renew": false })).await;
        for change in [
            json!({ "interval": "WEEK", "max_renewal_price": "29.99" }),
            json!({ "interval": "DAY" }),
            json!({ "interval": "HOUR" }),
        ] {
            let paid = it.balance().await;
            app.clock.advance(Duration::weeks(1));
            app.sweep().await;
            assert_eq!(it.stands().await, stand("hibernated", None, 0), "before {change}");
            assert_eq!(it.balance().await, paid);
            assert_eq!(taken(&it.boss, &it.host).await, [0, 0, 0, 0, 10]);
            it.jane.delete(&format!("/instances/{}", it.id)).await.data(200);
            app.sweep().await;
            it.id = id(&it.jane.post("/instances", wish(&change)).await.data(201));
            app.do_jobs().await;
        }
    }

    async fn a_stopped_one_is_frozen_with_its_place(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "HOUR" })).await;
        it.act(app, "shutdown").await;
        app.clock.advance(Duration::hours(2));
        app.sweep().await;
        assert_eq!(status(&it.jane, &it.id).await, "stopped");
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!((it.stands().await, taken(&it.boss, &it.host).await),
            (stand("hibernated", None, 0), [0, 0, 0, 0, 10]));
    }

    async fn a_frozen_one_is_paid_for_again_when_it_is_started(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "HOUR", "max_renewal_price": "2" })).await;
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(it.stands().await, stand("hibernated", None, 0));
        plan(&it.boss, json!({ "per_hour": "2.5" })).await;
        act(&it.jane, &it.id, "start").await.refused(409, "CHARGE_EXCEEDS_MAX");
        let raised = json!({ "max_renewal_price": "2.5" });
        it.jane.patch(&format!("/instances/{}", it.id), raised).await.data(200);
        let start = || act(&it.jane, &it.id, "start");
        let (one, two) = tokio::join!(start(), start());
        assert_eq!((one.status, two.status), (200, 200));
        app.do_jobs().await;
        assert_eq!((it.stands().await.2, it.balance().await.as_str()), (HOUR, "96.5"));
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        plan(&it.boss, json!({ "per_hour": "97" })).await;
        let raised = json!({ "max_renewal_price": null });
        it.jane.patch(&format!("/instances/{}", it.id), raised).await.data(200);
        start().await.refused(400, "INSUFFICIENT_BALANCE");
        assert_eq!((it.stands().await, it.balance().await.as_str()),
            (stand("hibernated", None, 0), "96.5"));
    }

    async fn what_was_agreed_to_must_be_the_price(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "HOUR" })).await;
        let order = |change: Value| it.jane.post("/instances", wish(&change));
        let answer = order(json!({ "interval": "DAY", "interval_price": "6.99999999" })).await;
        answer.refused(409, "PRICE_CHANGED");
        let told = json!({ "price": "7.00", "expected_price": "6.99999999" });
        assert_eq!(answer.body["data"], told);
        order(json!({ "interval_price": "7" })).await.refused(400, "VALIDATION_ERROR");
        order(json!({ "interval": "day" })).await.refused(400, "VALIDATION_ERROR");
        order(json!({ "interval": "DAY", "is_spot": true })).await.refused(400, "VALIDATION_ERROR");
        // A year has no price of its own: that of its hours.
        order(json!({ "interval": "YEAR" })).await.refused(400, "INSUFFICIENT_BALANCE");
        assert_eq!(it.balance().await, "99");
        plan(&it.boss, json!({ "per_hour": null, "spot_per_hour": "0.1" })).await;
        order(json!({ "interval": "YEAR" })).await.refused(400, "NO_PRICING");
        order(json!({ "interval": "DAY" })).await.data(201);
    }

    async fn who_pays_in_advance_is_not_stopped_for_what_others_cost(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "WEEK" })).await;
        let other = id(&it.jane.post("/instances", wish(&json!({}))).await.data(201));
        app.do_jobs().await;
        app.clock.advance(Duration::hours(71));
        app.sweep().await;
        assert_eq!(status(&it.jane, &other).await, "stopped");
        assert_eq!((status(&it.jane, &it.id).await.as_str(), it.balance().await.as_str()),
            ("running", "0"));
        app.clock.advance(Duration::hours(96));
        app.sweep().await;
        assert_eq!(status(&it.jane, &other).await, "deleted");
        assert_eq!(it.stands().await.2, HOUR, "a week is 168 hours");
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(it.stands().await, stand("hibernated", None, 0));
    }

    async fn a_locked_one_is_left_as_it_is(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "HOUR" })).await;
        let path = format!("/instances/{}", it.id);
        let lock = |on: bool| it.jane.patch(&path, json!({ "is_locked": on }));
        assert_eq!(lock(true).await.data(200)["is_locked"], true);
        for action in ["shutdown", "hibernate", "restart", "configure_spot"] {
            let body = json!({ "action": action, "is_spot": true });
            let answer = it.jane.post(&format!("/instances/{}/actions", it.id), body).await;
            answer.refused(409, "INSTANCE_LOCKED");
        }
        let gone = it.jane.delete(&format!("/instances/{}", it.id)).await;
        gone.refused(409, "INSTANCE_LOCKED");
        lock(false).await.data(200);
        it.act(app, "shutdown").await;
        assert_eq!(status(&it.jane, &it.id).await, "stopped");
    }
}
