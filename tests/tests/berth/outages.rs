//! Servers that were down, and what whoever paid for that time gets.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use crate::deals::{boss, count, ended, extended, payer, price, rented, told, unready};
use crate::suppliers::{account, server_of, supplier};

pub async fn promise(boss: &Client, server: &str, grace_minutes: u32, credit_percent: u32) {
    let sla = json!({ "grace_minutes": grace_minutes, "credit_percent": credit_percent });
    boss.patch(&format!("/admin/servers/{server}"), json!({ "sla": sla })).await.data(200);
}

pub fn outage(server: &str, from: &str, until: &str) -> Value {
    json!({
        "server_id": server, "started_at": from, "ended_at": until, "evidence": "ticket 815"
    })
}

/// Records that a server was down; answers what was given for it.
async fn down(boss: &Client, server: &str, from: &str, until: &str) -> Vec<String> {
    let recorded = boss.post("/admin/outages", outage(server, from, until)).await.data(201);
    let credits = recorded["credits"].as_array().unwrap().clone();
    credits.iter().map(|credit| credit["amount"].as_str().unwrap().to_owned()).collect()
}

async fn refused(boss: &Client, server: &str, from: &str, until: &str) -> Answer {
    boss.post("/admin/outages", outage(server, from, until)).await
}

const NOTHING: [&str; 0] = [];

on_both_databases! {
    // 70.00 for 7 days is 0.41666… an hour.
    async fn the_promised_part_of_the_price_is_given_back_rounded_up(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let server = app.server("node").await;
        promise(&boss, &server, 30, 200).await;
        rented(app, &jane, &server).await;
        app.days_pass(3);
        let body = outage(&server, "2025-01-22T10:00:00Z", "2025-01-22T11:00:00Z");
        let first = boss.post_once("/admin/outages", "815", body.clone()).await;
        let again = boss.post_once("/admin/outages", "815", body).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        let recorded = first.data(201);
        let credit = &recorded["credits"][0];
        assert_eq!((&credit["amount"], &credit["user_id"]), (&json!("0.84"), &json!(jane.id)));
        assert_eq!(recorded["outage"]["author_id"], boss.id);
        assert_eq!(jane.balance_cents().await, 3_084);
        let id = credit["transaction_id"].as_str().unwrap();
        let seen = jane.get(&format!("/wallet/transactions/{id}")).await.data(200);
        assert_eq!((&seen["transaction_type"], &seen["amount"]), (&json!("refund"), &json!(0.84)));
        assert_eq!(seen["reason"], "Downtime: ticket 815");
        assert_eq!(told(&jane).await.last().unwrap(), "wallet.credited");
        let all = boss.get("/admin/outages").await.data(200);
        assert_eq!(all, json!([recorded["outage"]]));
        let of_another = "/admin/outages?server_id=0123456789abcdef01234567";
        assert_eq!(boss.get(of_another).await.data(200), json!([]));
    }

    async fn up_to_the_grace_nothing_is_given_and_beyond_it_all(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let server = app.server("node").await;
        promise(&boss, &server, 60, 100).await;
        rented(app, &jane, &server).await;
        app.days_pass(3);
        let day = |time: &str| format!("2025-01-23T{time}Z");
        assert_eq!(down(&boss, &server, &day("10:00:00"), &day("11:00:59")).await, NOTHING);
        assert_eq!(down(&boss, &server, &day("12:00:00"), &day("13:01:00")).await, ["0.43"]);
    }

    async fn no_more_is_given_than_was_paid(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let server = app.server("node").await;
        promise(&boss, &server, 0, 1_000).await;
        let rental = rented(app, &jane, &server).await;
        app.days_pass(2);
        let (noon, later) = ("2025-01-22T12:00:00Z", "2025-01-23T12:00:00Z");
        assert_eq!(down(&boss, &server, "2025-01-21T22:00:00Z", noon).await, ["58.34"]);
        assert_eq!(down(&boss, &server, noon, later).await, ["11.66"], "what is left of 70.00");
        let end = "2025-01-23T22:00:00Z";
        assert_eq!(down(&boss, &server, later, end).await, NOTHING);
        assert_eq!(jane.balance_cents().await, 10_000);
        assert_eq!(ended(&jane, &rental).await, "0.00");
        let seen = jane.get(&rental).await.data(200);
        assert_eq!((&seen["amount"], &seen["status"]), (&json!("70.00"), &json!("terminated")));
    }

    async fn an_outage_over_two_periods_is_given_at_the_price_of_each(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let server = app.server("node").await;
        promise(&boss, &server, 0, 100).await;
        let rental = rented(app, &jane, &server).await;
        price(&boss, &server, "140.00").await;
        extended(&jane, &rental).await;
        app.days_pass(9);
        app.sweep().await;
        let (from, until) = ("2025-01-27T22:00:00Z", "2025-01-29T22:00:00Z");
        assert_eq!(down(&boss, &server, from, until).await, ["10.00", "20.00"]);
        // Of the second period 120 of 140 are left to be given back, 5 days are unused.
        assert_eq!(ended(&jane, &rental).await, "100.00");
        assert_eq!(jane.balance_cents().await, 50_000 - 21_000 + 3_000 + 10_000);
    }

    async fn only_the_time_that_was_paid_for_counts(app: &TestApp) {
        let boss = boss(app).await;
        let (jane, john) =
            (payer(app, "jane", "100.00").await, payer(app, "john", "100.00").await);
        let server = app.server("node").await;
        promise(&boss, &server, 0, 100).await;
        app.days_pass(1);
        let first = rented(app, &jane, &server).await;
        app.days_pass(1);
        assert_eq!(ended(&jane, &first).await, "60.00");
        app.do_jobs().await;
        app.clock.advance(Duration::hours(12));
        rented(app, &john, &server).await;
        app.days_pass(10);
        app.sweep().await;
        // From before the first rental until long after the second one's end.
        let (from, until) = ("2025-01-20T00:00:00Z", "2025-02-03T00:00:00Z");
        assert_eq!(down(&boss, &server, from, until).await, ["10.00", "70.00"]);
        assert_eq!((jane.balance_cents().await, john.balance_cents().await), (10_000, 10_000));
    }

    async fn without_a_promise_nothing_is_given(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let server = app.server("node").await;
        rented(app, &jane, &server).await;
        // What is promised later holds for later rentals.
        promise(&boss, &server, 0, 1_000).await;
        app.days_pass(2);
        let (from, until) = ("2025-01-22T00:00:00Z", "2025-01-23T00:00:00Z");
        assert_eq!(down(&boss, &server, from, until).await, NOTHING);
        assert_eq!(count(&jane, "refund").await, 0);
    }

    async fn a_withdrawn_promise_holds_for_who_got_it(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let server = app.server("node").await;
        promise(&boss, &server, 0, 100).await;
        rented(app, &jane, &server).await;
        let none = json!({ "sla": null });
        boss.patch(&format!("/admin/servers/{server}"), none).await.data(200);
        app.days_pass(2);
        let (from, until) = ("2025-01-22T00:00:00Z", "2025-01-23T00:00:00Z");
        assert_eq!(down(&boss, &server, from, until).await, ["10.00"]);
    }

    async fn time_before_it_was_ready_is_no_downtime(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "200.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        promise(&boss, &server, 0, 1_000).await;
        unready(&jane, &server).await;
        app.clock.advance(Duration::hours(1));
        let (from, until) = ("2025-01-21T22:00:00Z", "2025-01-21T22:30:00Z");
        assert_eq!(down(&boss, &server, from, until).await, NOTHING);
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(jane.balance_cents().await, 20_000);
        assert_eq!(account(&iron).await, ["0.00", "0.00", "0.00"], "nothing stays behind");

        app.clock.advance(Duration::hours(1));
        rented(app, &jane, &server).await;
        app.days_pass(1);
        let (from, until) = ("2025-01-22T00:00:00Z", "2025-01-22T02:00:00Z");
        assert_eq!(down(&boss, &server, from, until).await, ["4.17"], "from one o'clock on");
    }

    async fn what_overlaps_lies_ahead_or_is_nowhere_is_refused(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let (server, other) = (app.server("node").await, app.server("other").await);
        for server in [&server, &other] {
            promise(&boss, server, 0, 100).await;
        }
        rented(app, &jane, &server).await;
        app.days_pass(2);
        let at = |hour: u32| format!("2025-01-23T{hour:02}:00:00Z");
        assert_eq!(down(&boss, &server, &at(10), &at(12)).await, ["0.84"]);
        for (from, until) in [(10, 12), (9, 11), (11, 13), (10, 11), (9, 13)] {
            let answer = refused(&boss, &server, &at(from), &at(until)).await;
            answer.refused(409, "OUTAGE_OVERLAPS");
        }
        assert_eq!(jane.balance_cents().await, 3_084);
        assert_eq!(down(&boss, &server, &at(12), &at(13)).await, ["0.42"], "they only touch");
        assert_eq!(down(&boss, &other, &at(10), &at(12)).await, NOTHING);
        let ahead = refused(&boss, &server, &at(20), "2025-01-23T22:00:00.001Z").await;
        assert_eq!(ahead.faults(), ["/ended_at"]);
        let backwards = refused(&boss, &server, &at(15), &at(14)).await;
        assert_eq!(backwards.faults(), ["/ended_at"]);
        let nowhere = refused(&boss, "0123456789abcdef01234567", &at(1), &at(2)).await;
        nowhere.refused(404, "SERVER_NOT_FOUND");
        let faults = ["/server_id", "/started_at", "/ended_at", "/evidence"];
        assert_eq!(boss.post("/admin/outages", json!({})).await.faults(), faults);
    }
}
