//! Extending a rental.

use serde_json::json;
use tests::{Client, TestApp, on_both_databases};

use crate::pools::{join, new_pool, rent_into};

async fn rented(app: &TestApp, renter: &Client) -> (String, String) {
    let server = app.server("node-1").await;
    let data = renter.rent(&server, 7).await.data(201);
    app.do_jobs().await;
    (server, format!("/rentals/{}", data["rental"]["id"].as_str().unwrap()))
}

fn seven() -> serde_json::Value {
    json!({ "additional_days": 7 })
}

on_both_databases! {
    async fn an_extension_adds_its_days_and_its_price(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let (_, rental) = rented(app, &jane).await;
        app.days_pass(1);
        let jane = app.log_in("jane").await;
        let data = jane.post(&format!("{rental}/extend"), seven()).await.data(200);
        assert_eq!(data["rental"]["rental_end"], "2025-02-04T22:00:00.000Z");
        assert_eq!(data["rental"]["amount"], "140.00");
        assert_eq!(data["rental"]["remaining_days"], 13);
        assert_eq!(data["transaction"]["amount"], 70);
        let seen = jane.get(&rental).await.data(200);
        assert_eq!((&seen["usage_days"], &seen["remaining_days"]), (&json!(1), &json!(13)));
        assert_eq!(jane.balance_cents().await, 36_000);
    }

    async fn an_extension_costs_the_price_of_its_day(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let operator = app.operator("boss").await;
        let (server, rental) = rented(app, &jane).await;
        let prices = json!({ "prices": { "7": { "price": "99.50", "hold_days": 4 } } });
        operator.patch(&format!("/admin/servers/{server}"), prices).await.data(200);
        let data = jane.post(&format!("{rental}/extend"), seven()).await.data(200);
        assert_eq!(data["transaction"]["amount"], 99.5);
        let seen = jane.get(&rental).await.data(200);
        assert_eq!(seen["transaction"]["amount"], 70, "the rental keeps what it was made with");
        assert_eq!((&seen["amount"], &seen["hold_days"]), (&json!("169.50"), &json!(4)));
        let thirty = json!({ "additional_days": 30 });
        let answer = jane.post(&format!("{rental}/extend"), thirty).await;
        answer.refused(400, "INVALID_DURATION");
        assert_eq!(answer.body["data"], json!({ "available_durations": [7] }));
    }

    async fn an_extension_that_was_expected_otherwise_is_not_made(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let (_, rental) = rented(app, &jane).await;
        let extend = format!("{rental}/extend");
        let expecting = |end: &str| json!({ "additional_days": 7, "expected_rental_end": end });
        jane.post(&extend, expecting("2025-01-28T22:00:00.000Z")).await.data(200);
        let again = jane.post(&extend, expecting("2025-01-28T22:00:00.000Z")).await;
        again.refused(409, "EXTENSION_ALREADY_APPLIED");
        let dear = json!({ "additional_days": 7, "max_charge_cents": 1 });
        jane.post(&extend, dear).await.refused(409, "CHARGE_EXCEEDS_MAX");
        jane.post(&extend, expecting("tomorrow")).await.refused(400, "VALIDATION_ERROR");
        jane.post(&extend, json!({})).await.refused(400, "VALIDATION_ERROR");
        assert_eq!(jane.balance_cents().await, 36_000);
    }

    async fn an_extension_on_hold_counts_from_the_old_end(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let (_, rental) = rented(app, &jane).await;
        app.days_pass(8);
        app.sweep().await;
        let jane = app.log_in("jane").await;
        assert_eq!(jane.get(&rental).await.data(200)["status"], "hold");
        let data = jane.post(&format!("{rental}/extend"), seven()).await.data(200);
        assert_eq!(data["rental"]["rental_end"], "2025-02-04T22:00:00.000Z");
        assert_eq!(data["rental"]["status"], "active");
        assert_eq!(data["rental"]["remaining_days"], 6);
        app.sweep().await;
        assert_eq!(jane.get(&rental).await.data(200)["status"], "active");
    }

    async fn an_extension_wholly_in_the_past_is_refused(app: &TestApp) {
        let mut draft = tests::contract::example_server("node-1");
        let tier = |cents| domain::host::Tier {
            price: domain::money::Money::from_cents(cents).unwrap(),
            hold_days: 5,
        };
        let tiers = std::collections::BTreeMap::from([(1, tier(1_000)), (7, tier(7_000))]);
        draft.pricing = domain::host::Pricing::parse(tiers).unwrap();
        let server = app.list_servers(vec![draft]).await.remove(0);
        let jane = app.renter("jane", "500.00").await;
        let data = jane.rent(&server, 1).await.data(201);
        let extend = format!("/rentals/{}/extend", data["rental"]["id"].as_str().unwrap());
        app.days_pass(4);
        let jane = app.log_in("jane").await;
        let answer = jane.post(&extend, json!({ "additional_days": 1 })).await;
        answer.refused(400, "INVALID_DURATION");
        assert_eq!(answer.body["data"], json!({ "available_durations": [7] }));
        assert_eq!(jane.balance_cents().await, 49_000);
        jane.post(&extend, seven()).await.data(200);
    }

    async fn an_ended_rental_is_not_extended(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let (_, rental) = rented(app, &jane).await;
        app.days_pass(9);
        let jane = app.log_in("jane").await;
        let extend = format!("{rental}/extend");
        jane.post(&extend, seven()).await.refused(409, "RENTAL_ENDED");
        app.sweep().await;
        jane.post(&extend, seven()).await.refused(409, "RENTAL_ENDED");
        assert_eq!(jane.balance_cents().await, 43_000);
    }

    async fn a_retired_servers_rental_is_not_extended(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let operator = app.operator("boss").await;
        let (server, rental) = rented(app, &jane).await;
        operator.delete(&format!("/admin/servers/{server}")).await.data(200);
        jane.post(&format!("{rental}/extend"), seven()).await.refused(409, "SERVER_UNAVAILABLE");
        assert_eq!(jane.get(&rental).await.data(200)["status"], "active");
    }

    async fn a_pools_admin_extends_from_their_own_wallet(app: &TestApp) {
        let owner = app.renter("owner", "100.00").await;
        let admin = app.renter("admin", "100.00").await;
        let user = app.renter("user", "100.00").await;
        let outsider = app.renter("outsider", "100.00").await;
        let pool = new_pool(&owner, "Team").await;
        join(&owner, &pool, &admin, "admin").await;
        join(&owner, &pool, &user, "user").await;
        let rental = rent_into(&owner, &pool, &app.server("node-1").await).await;
        let extend = format!("/rentals/{rental}/extend");
        user.post(&extend, seven()).await.refused(403, "POOL_ADMIN_REQUIRED");
        outsider.post(&extend, seven()).await.refused(404, "RENTAL_NOT_FOUND");
        admin.post(&extend, seven()).await.data(200);
        assert_eq!(admin.balance_cents().await, 3_000);
        assert_eq!(owner.balance_cents().await, 3_000);
        admin.post(&extend, seven()).await.refused(400, "INSUFFICIENT_BALANCE");
    }
}
