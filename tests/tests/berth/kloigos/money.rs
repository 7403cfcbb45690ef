//! Units are free, unless an operator prices them; and what else their instances do and do not.

use domain::compute_unit::{self, ServerName};
use domain::money::Money;
use domain::user::Operator;
use serde_json::json;
use tests::{Client, TestApp, on_both_databases};

use super::{allocated, delete, post, states, wish, with_host};

async fn price(app: &TestApp, per_cpu_hour: &str) {
    let (store, clock) = (app.app.store.as_ref(), app.app.clock.as_ref());
    let hostname = ServerName::parse("h1").unwrap();
    let price = Money::parse(per_cpu_hour).unwrap();
    compute_unit::price(store, clock, &Operator::Console, &hostname, price).await.unwrap();
}

async fn id_of_the_only(client: &Client) -> String {
    let seen = client.get("/instances").await.data(200);
    assert_eq!(seen.as_array().unwrap().len(), 1);
    seen[0]["id"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn a_unit_costs_nothing_as_a_rule(app: &TestApp) {
        with_host(app, &["0-3"]).await;
        let alice = app.user("alice").await.lasting().await;
        allocated(&alice, json!({})).await;
        app.clock.advance(chrono::Duration::hours(5));
        app.sweep().await;
        assert_eq!(delete(&alice, "/compute_units/deallocate/h1_c0-3").await.status, 200);
        app.do_jobs().await;
        assert_eq!(alice.balance_cents().await, 0);
    }

    async fn a_priced_unit_is_paid_by_the_second_from_when_it_is_ready(app: &TestApp) {
        with_host(app, &["0-3", "4-7"]).await;
        price(app, "0.25").await;
        let poor = app.user("poor").await;
        let refused = post(&poor, "/compute_units/allocate", wish(json!({}))).await;
        assert_eq!(refused.status, 402, "{}", refused.body);
        assert_eq!(states(&poor, "?status=FREE").await.len(), 2);
        let alice = app.renter("alice", "10.00").await.lasting().await;
        let name = allocated(&alice, json!({})).await;
        // Whoever has one keeps its price.
        price(app, "99").await;
        app.clock.advance(chrono::Duration::hours(2));
        assert_eq!(delete(&alice, &format!("/compute_units/deallocate/{name}")).await.status, 200);
        app.clock.advance(chrono::Duration::hours(2));
        app.do_jobs().await;
        app.sweep().await;
        assert_eq!(alice.balance_cents().await, 800);
    }

    async fn who_runs_out_of_money_is_stopped_and_keeps_the_unit_for_a_while(app: &TestApp) {
        with_host(app, &["0-3"]).await;
        price(app, "0.25").await;
        let alice = app.renter("alice", "3.00").await.lasting().await;
        let name = allocated(&alice, json!({})).await;
        let id = id_of_the_only(&alice).await;
        app.clock.advance(chrono::Duration::hours(4));
        app.sweep().await;
        assert_eq!(alice.get(&format!("/instances/{id}")).await.data(200)["status"], "stopped");
        assert_eq!(states(&alice, "").await, [(name, "UNAVAILABLE".to_owned())]);
        app.clock.advance(chrono::Duration::hours(73));
        app.sweep().await;
        app.sweep().await;
        assert_eq!(states(&alice, "").await[0].1, "FREE");
    }

    async fn what_costs_nothing_is_taken_from_nobody_for_debts_elsewhere(app: &TestApp) {
        with_host(app, &["0-3", "4-7"]).await;
        let alice = app.renter("alice", "3.00").await.lasting().await;
        let free = allocated(&alice, json!({})).await;
        price(app, "0.25").await;
        let priced = allocated(&alice, json!({})).await;
        app.clock.advance(chrono::Duration::hours(4));
        app.sweep().await;
        let seen = states(&alice, "").await;
        assert_eq!(
            seen,
            [(free.clone(), "ALLOCATED".to_owned()), (priced, "UNAVAILABLE".to_owned())]
        );
        app.clock.advance(chrono::Duration::hours(73));
        app.sweep().await;
        app.sweep().await;
        assert_eq!(states(&alice, "?status=ALLOCATED").await, [(free, "ALLOCATED".to_owned())]);
        assert_eq!(states(&alice, "?status=FREE").await.len(), 1);
    }

    async fn a_unit_is_stopped_and_started_and_nothing_else(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let alice = app.user("alice").await.lasting().await;
        let name = allocated(&alice, json!({})).await;
        let id = id_of_the_only(&alice).await;
        let act = async |action: &str| {
            let path = format!("/instances/{id}/actions");
            alice.post(&path, json!({ "action": action })).await
        };
        act("hibernate").await.refused(409, "NOT_FOR_UNITS");
        for (action, status) in
            [("shutdown", "stopped"), ("start", "running"), ("restart", "running")]
        {
            act(action).await.data(200);
            app.do_jobs().await;
            let seen = alice.get(&format!("/instances/{id}")).await.data(200);
            assert_eq!(seen["status"], status, "{action}");
            let shown = if status == "running" { "ALLOCATED" } else { "UNAVAILABLE" };
            assert_eq!(states(&alice, "").await[0].1, shown);
        }
        // An operator takes it back.
        boss.delete(&format!("/admin/instances/{id}")).await.data(200);
        app.do_jobs().await;
        assert_eq!(states(&alice, "").await, [(name, "FREE".to_owned())]);
    }
}
