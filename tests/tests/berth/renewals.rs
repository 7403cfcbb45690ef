//! Rentals that are renewed automatically.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::deals::{boss, count, extended, payer, price, rented, status, told};
use crate::pools::{join, new_pool, rent_into};

async fn renew(client: &Client, rental: &str, more: Value) -> Value {
    let mut wish = json!({ "days": 7, "max_price": "80.00" });
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.put(&format!("{rental}/auto-renew"), wish).await.data(200)
}

/// Until `before` the end of the first period.
fn go_to_the_end(app: &TestApp, before: Duration) {
    app.clock.advance(Duration::days(7) - before);
}

async fn end_of(client: &Client, rental: &str) -> String {
    client.get(rental).await.data(200)["rental_end"].as_str().unwrap().to_owned()
}

const REFUSED: &str = "rental.renewal_refused";
const AT_RISK: &str = "rental.renewal_at_risk";

fn refusals(told: &[String]) -> Vec<&str> {
    let wanted = |line: &&String| line.starts_with(REFUSED) || line.starts_with(AT_RISK);
    told.iter().filter(wanted).map(String::as_str).collect()
}

on_both_databases! {
    async fn without_a_mandate_nothing_is_renewed(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        let path = format!("{rental}/auto-renew");
        jane.get(&path).await.refused(404, "MANDATE_NOT_FOUND");
        jane.delete(&path).await.refused(404, "MANDATE_NOT_FOUND");
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "hold");
        assert_eq!(jane.balance_cents().await, 43_000);
    }

    async fn a_mandate_is_given_shown_replaced_and_taken_back(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        let path = format!("{rental}/auto-renew");
        let given = renew(&jane, &rental, json!({ "max_renewals": 2 })).await;
        assert_eq!(given, json!({
            "rental_id": rental.trim_start_matches("/rentals/"), "payer_id": jane.id, "days": 7,
            "max_price": "80.00", "currency": "USD", "max_renewals": 2, "renewals": 0,
            "notice_days": 3, "created_at": "2025-01-21T22:00:00.000Z"
        }));
        assert_eq!(jane.get(&path).await.data(200), given);
        let replaced = renew(&jane, &rental, json!({ "notice_days": 1 })).await;
        assert_eq!(replaced["max_renewals"], Value::Null);
        assert_eq!(replaced["notice_days"], 1);
        jane.delete(&path).await.data(200);
        jane.get(&path).await.refused(404, "MANDATE_NOT_FOUND");
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "hold");
    }

    async fn a_bad_mandate_is_refused(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        let path = format!("{rental}/auto-renew");
        assert_eq!(jane.put(&path, json!({})).await.faults(), ["/days", "/max_price"]);
        let faulty = json!({ "days": 0, "max_price": "a", "max_renewals": 0, "notice_days": 366 });
        let faults = ["/days", "/max_price", "/max_renewals", "/notice_days"];
        assert_eq!(jane.put(&path, faulty).await.faults(), faults);
        for bad in ["0", "-1", "0.001"] {
            let answer = jane.put(&path, json!({ "days": 7, "max_price": bad })).await;
            assert_eq!(answer.faults(), ["/max_price"]);
        }
        let answer = jane.put(&path, json!({ "days": 8, "max_price": "80.00" })).await;
        answer.refused(400, "INVALID_DURATION");
        app.days_pass(9);
        let late = json!({ "days": 7, "max_price": "80.00" });
        jane.put(&path, late).await.refused(409, "RENTAL_ENDED");
    }

    async fn it_renews_once_in_the_last_hour_at_the_price_of_the_day(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let server = app.server("node").await;
        let rental = rented(app, &jane, &server).await;
        renew(&jane, &rental, json!({})).await;
        price(&boss, &server, "79.99").await;
        go_to_the_end(app, Duration::hours(1) + Duration::microseconds(1));
        app.sweep().await;
        assert_eq!(jane.balance_cents().await, 43_000, "not before the last hour");
        app.clock.advance(Duration::microseconds(1));
        for _ in 0..3 {
            app.sweep().await;
        }
        assert_eq!(jane.balance_cents().await, 35_001);
        assert_eq!(end_of(&jane, &rental).await, "2025-02-04T22:00:00.000Z");
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "active", "access was never cut");
        app.days_pass(7);
        app.sweep().await;
        assert_eq!(jane.balance_cents().await, 27_002);
        let mandate = jane.get(&format!("{rental}/auto-renew")).await.data(200);
        assert_eq!(mandate["renewals"], 2);
        let told = told(&jane).await;
        assert_eq!(told.iter().filter(|kind| *kind == "rental.extended").count(), 2);
        assert_eq!(refusals(&told), Vec::<&str>::new());
        assert_eq!(told.iter().filter(|kind| *kind == "rental.renewal_upcoming").count(), 1);
    }

    async fn a_price_above_the_limit_is_not_charged_and_told(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let server = app.server("node").await;
        let rental = rented(app, &jane, &server).await;
        renew(&jane, &rental, json!({ "notice_days": 3 })).await;
        price(&boss, &server, "80.01").await;
        app.clock.advance(Duration::days(4) - Duration::microseconds(1));
        app.sweep().await;
        assert_eq!(refusals(&told(&jane).await), Vec::<&str>::new());
        app.clock.advance(Duration::microseconds(1));
        for _ in 0..2 {
            app.sweep().await;
        }
        let risk = format!("{AT_RISK}: price_above_maximum");
        assert_eq!(refusals(&told(&jane).await), [risk.as_str()], "once");
        app.days_pass(3);
        for _ in 0..30 {
            app.sweep().await;
            app.clock.advance(Duration::hours(1));
        }
        let refused = format!("{REFUSED}: price_above_maximum");
        assert_eq!(refusals(&told(&jane).await), [risk.as_str(), &refused], "once");
        assert_eq!(status(&jane, &rental).await, "hold");
        app.days_pass(1);
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "expired");
        assert_eq!(jane.balance_cents().await, 43_000);
        app.stranger().get(&format!("/servers/available/{server}")).await.data(200);
    }

    async fn a_top_up_during_the_hold_renews_within_an_hour(app: &TestApp) {
        let jane = payer(app, "jane", "130.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        renew(&jane, &rental, json!({})).await;
        go_to_the_end(app, Duration::minutes(30));
        app.sweep().await;
        app.clock.advance(Duration::hours(20));
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "hold");
        let expected =
            [AT_RISK, REFUSED].map(|kind| format!("{kind}: insufficient_balance"));
        assert_eq!(refusals(&told(&jane).await), expected);
        app.deposit("jane", "10.00").await;
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "active");
        assert_eq!(end_of(&jane, &rental).await, "2025-02-04T22:00:00.000Z", "from the old end");
        assert_eq!(jane.balance_cents().await, 0);
        // The next period is told about anew.
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(refusals(&told(&jane).await).len(), 4);
    }

    async fn a_retired_server_and_a_withdrawn_price_are_not_renewed(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let (retired, changed) = (app.server("retired").await, app.server("changed").await);
        for server in [&retired, &changed] {
            let rental = rented(app, &jane, server).await;
            renew(&jane, &rental, json!({})).await;
        }
        boss.delete(&format!("/admin/servers/{retired}")).await.data(200);
        let prices = json!({ "prices": { "30": { "price": "1.00", "hold_days": 2 } } });
        boss.patch(&format!("/admin/servers/{changed}"), prices).await.data(200);
        go_to_the_end(app, Duration::minutes(30));
        app.sweep().await;
        let told = told(&jane).await;
        let mut told = refusals(&told);
        told.sort_unstable();
        assert_eq!(told, [
            &format!("{AT_RISK}: price_withdrawn"), &format!("{AT_RISK}: server_withdrawn"),
            &format!("{REFUSED}: price_withdrawn"), &format!("{REFUSED}: server_withdrawn"),
        ]);
        assert_eq!(jane.balance_cents().await, 36_000);
    }

    async fn it_renews_as_often_as_was_said(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        renew(&jane, &rental, json!({ "max_renewals": 2, "notice_days": 1 })).await;
        for _ in 0..4 {
            go_to_the_end(app, Duration::zero());
            app.sweep().await;
        }
        assert_eq!(count(&jane, "payment").await, 3);
        let expected =
            [format!("{AT_RISK}: mandate_used_up"), format!("{REFUSED}: mandate_used_up")];
        assert_eq!(refusals(&told(&jane).await), expected);
        assert_eq!(status(&jane, &rental).await, "expired");
    }

    async fn whoever_is_no_pool_admin_any_more_does_not_pay(app: &TestApp) {
        let owner = payer(app, "owner", "100.00").await;
        let admin = payer(app, "admin", "500.00").await;
        let user = payer(app, "user", "500.00").await;
        let pool = new_pool(&owner, "Team").await;
        join(&owner, &pool, &admin, "admin").await;
        join(&owner, &pool, &user, "user").await;
        let rental = format!("/rentals/{}", rent_into(&owner, &pool, &app.server("n").await).await);
        app.do_jobs().await;
        let path = format!("{rental}/auto-renew");
        let wish = json!({ "days": 7, "max_price": "80.00" });
        user.put(&path, wish.clone()).await.refused(403, "POOL_ADMIN_REQUIRED");
        app.user("stranger").await.put(&path, wish).await.refused(404, "RENTAL_NOT_FOUND");
        assert_eq!(renew(&admin, &rental, json!({})).await["payer_id"], admin.id);
        assert_eq!(user.get(&path).await.data(200)["payer_id"], admin.id);
        go_to_the_end(app, Duration::zero());
        app.sweep().await;
        assert_eq!((owner.balance_cents().await, admin.balance_cents().await), (3_000, 43_000));
        let member = format!("/pools/{pool}/members/{}", admin.id);
        owner.patch(&member, json!({ "role": "user" })).await.data(200);
        app.days_pass(7);
        app.sweep().await;
        assert_eq!((owner.balance_cents().await, admin.balance_cents().await), (3_000, 43_000));
        assert_eq!(refusals(&told(&admin).await), [format!("{REFUSED}: payer_may_not")]);
        assert_eq!(status(&owner, &rental).await, "hold");
        user.delete(&path).await.refused(403, "POOL_ADMIN_REQUIRED");
        owner.delete(&path).await.data(200);
    }

    async fn after_an_extension_by_hand_it_waits_for_the_new_end(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        renew(&jane, &rental, json!({})).await;
        app.days_pass(5);
        app.sweep().await;
        extended(&jane, &rental).await;
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(count(&jane, "payment").await, 2, "not too early");
        app.days_pass(1);
        app.sweep().await;
        assert_eq!(count(&jane, "payment").await, 3);
        assert_eq!(end_of(&jane, &rental).await, "2025-02-11T22:00:00.000Z");
    }

    async fn a_process_that_was_down_over_the_end_renews_afterwards(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        renew(&jane, &rental, json!({})).await;
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "active");
        assert_eq!(end_of(&jane, &rental).await, "2025-02-04T22:00:00.000Z");
        // Down until even the hold has passed: the server is given up, and nothing is charged.
        app.days_pass(30);
        app.sweep().await;
        assert_eq!(status(&jane, &rental).await, "expired");
        assert_eq!(jane.balance_cents().await, 36_000);
    }

    async fn an_ended_rental_is_not_renewed(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        renew(&jane, &rental, json!({})).await;
        app.days_pass(1);
        jane.post(&format!("{rental}/terminate"), json!({})).await.data(200);
        for _ in 0..3 {
            app.days_pass(6);
            app.sweep().await;
        }
        assert_eq!(jane.balance_cents().await, 49_000);
        assert_eq!(status(&jane, &rental).await, "terminated");
        jane.delete(&format!("{rental}/auto-renew")).await.data(200);
    }
}
