//! Renting: what it takes, what it gives, what is refused.

use serde_json::json;
use tests::contract::example_server;
use tests::{TestApp, on_both_databases};

/// An id that nothing has.
const NOBODY: &str = "507f1f77bcf86cd799439014";

on_both_databases! {
    async fn a_server_is_rented_and_paid(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "100.00").await;
        let data = jane.rent(&server, 7).await.data(201);
        assert_eq!(data["rental"]["status"], "active");
        assert_eq!(data["rental"]["server_id"], server.as_str());
        assert_eq!(data["rental"]["rental_end"], "2025-01-28T22:00:00.000Z");
        assert_eq!(data["rental"]["hold_days"], 2);
        assert_eq!(data["transaction"]["amount"], 70);
        assert_eq!(jane.balance_cents().await, 3_000);
        let offer = format!("/servers/available/{server}");
        app.stranger().get(&offer).await.refused(404, "SERVER_NOT_FOUND");
        assert_eq!(app.stranger().get("/servers/available").await.data(200), json!([]));
    }

    async fn a_rented_server_cannot_be_rented_again(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "200.00").await;
        let john = app.renter("john", "100.00").await;
        jane.rent(&server, 7).await.data(201);
        john.rent(&server, 7).await.refused(409, "SERVER_UNAVAILABLE");
        jane.rent(&server, 7).await.refused(409, "SERVER_UNAVAILABLE");
        assert_eq!(john.balance_cents().await, 10_000);
        assert_eq!(jane.balance_cents().await, 13_000);
    }

    async fn a_wallet_too_low_buys_nothing(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "69.99").await;
        let answer = jane.rent(&server, 7).await;
        answer.refused(400, "INSUFFICIENT_BALANCE");
        assert_eq!(answer.body["data"], json!({ "required_cents": 7000, "available_cents": 6999 }));
        assert_eq!(jane.balance_cents().await, 6_999);
        assert_eq!(jane.get("/rentals").await.data(200), json!([]));
        app.stranger().get(&format!("/servers/available/{server}")).await.data(200);
    }

    async fn only_offered_durations_are_rented(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "500.00").await;
        for days in [1, 8, 29, 3_650] {
            let answer = jane.rent(&server, days).await;
            answer.refused(400, "INVALID_DURATION");
            assert_eq!(answer.body["data"], json!({ "available_durations": [7, 30] }));
        }
        let mut unpriced = example_server("node-2");
        unpriced.pricing = domain::host::Pricing::default();
        let unpriced = app.list_servers(vec![unpriced]).await.remove(0);
        jane.rent(&unpriced, 7).await.refused(400, "NO_PRICING");
        assert_eq!(jane.balance_cents().await, 50_000);
    }

    async fn a_request_that_is_not_valid_names_every_fault(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "100.00").await;
        let path = format!("/servers/{server}/rent");
        let bodies = [
            (json!({}), vec!["/rental_days"]),
            (json!({ "rental_days": 0 }), vec!["/rental_days"]),
            (json!({ "rental_days": "7" }), vec!["/rental_days"]),
            (json!({ "rental_days": 7.5, "pool_id": 5 }), vec!["/rental_days", "/pool_id"]),
            (json!({ "rental_days": 7, "pool_id": "x" }), vec!["/pool_id"]),
            (json!({ "rental_days": 7, "max_charge_cents": -1 }), vec!["/max_charge_cents"]),
            (
                json!({ "rental_days": 1e30, "max_charge_cents": [] }),
                vec!["/rental_days", "/max_charge_cents"],
            ),
        ];
        for (body, paths) in bodies {
            let answer = jane.post(&path, body).await;
            assert_eq!(answer.faults(), paths);
        }
        for id in [NOBODY, "x", "507F1F77BCF86CD799439014"] {
            jane.rent(id, 7).await.refused(404, "SERVER_NOT_FOUND");
        }
        jane.post(&path, json!({ "rental_days": 7.0, "unknown": true })).await.data(201);
    }

    async fn a_charge_above_the_maximum_is_not_made(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "500.00").await;
        let path = format!("/servers/{server}/rent");
        let answer = jane.post(&path, json!({ "rental_days": 7, "max_charge_cents": 6_999 })).await;
        answer.refused(409, "CHARGE_EXCEEDS_MAX");
        assert_eq!(jane.balance_cents().await, 50_000);
        jane.post(&path, json!({ "rental_days": 7, "max_charge_cents": 7_000 })).await.data(201);
    }

    async fn renting_into_a_pool_takes_its_owner_or_an_admin(app: &TestApp) {
        let owner = app.renter("owner", "100.00").await;
        let member = app.renter("member", "100.00").await;
        let outsider = app.renter("outsider", "100.00").await;
        let pool = owner.post("/pools", json!({ "name": "Team" })).await.data(201);
        let pool = pool["id"].as_str().unwrap().to_owned();
        let invitation = json!({ "username": "member", "role": "user" });
        let invited = owner.post(&format!("/pools/{pool}/members"), invitation).await.data(201);
        let accept = format!("/pools/{}/accept", invited["id"].as_str().unwrap());
        let (first, second) = (app.server("node-1").await, app.server("node-2").await);
        let body = json!({ "rental_days": 7, "pool_id": pool });
        let rent = |server: &str| format!("/servers/{server}/rent");

        member.post(&rent(&first), body.clone()).await.refused(404, "POOL_NOT_FOUND");
        member.post(&accept, json!({})).await.data(200);
        member.post(&rent(&first), body.clone()).await.refused(403, "POOL_ADMIN_REQUIRED");
        outsider.post(&rent(&first), body.clone()).await.refused(404, "POOL_NOT_FOUND");
        let unknown = json!({ "rental_days": 7, "pool_id": NOBODY });
        owner.post(&rent(&first), unknown).await.refused(404, "POOL_NOT_FOUND");
        let rented = owner.post(&rent(&first), body.clone()).await.data(201);
        let rental = format!("/rentals/{}", rented["rental"]["id"].as_str().unwrap());
        assert_eq!(member.get(&rental).await.data(200)["pool_id"], pool.as_str());
        outsider.get(&rental).await.refused(404, "RENTAL_NOT_FOUND");

        let role = json!({ "role": "admin" });
        owner.patch(&format!("/pools/{pool}/members/{}", member.id), role).await.data(200);
        member.post(&rent(&second), body).await.data(201);
        assert_eq!(owner.get("/rentals").await.data(200).as_array().unwrap().len(), 2);
        assert_eq!(outsider.balance_cents().await, 10_000);
    }

    async fn a_server_id_finds_the_rental_that_one_may_see(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "100.00").await;
        let john = app.user("john").await;
        let rented = jane.rent(&server, 7).await.data(201);
        let found = jane.get(&format!("/servers/{server}")).await.data(200);
        assert_eq!(found["id"], rented["rental"]["id"]);
        assert_eq!(found["transaction"]["id"], rented["transaction"]["id"]);
        john.get(&format!("/servers/{server}")).await.refused(404, "RENTAL_NOT_FOUND");
        john.get(&format!("/servers/{NOBODY}")).await.refused(404, "RENTAL_NOT_FOUND");
        john.get("/rentals/x").await.refused(404, "RENTAL_NOT_FOUND");
        let operator = app.operator("boss").await;
        let rental = format!("/rentals/{}", rented["rental"]["id"].as_str().unwrap());
        assert_eq!(operator.get(&rental).await.data(200)["status"], "active");
    }

    async fn lists_of_rentals_are_paged_newest_first(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let mut rented = Vec::new();
        for number in 0..5 {
            let server = app.server(&format!("node-{number}")).await;
            app.clock.advance(chrono::Duration::milliseconds(1));
            let data = jane.rent(&server, 7).await.data(201);
            rented.insert(0, data["rental"]["id"].as_str().unwrap().to_owned());
        }
        let ids = |page: &serde_json::Value| -> Vec<String> {
            page.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(&jane.get("/rentals").await.data(200)), rented);
        assert_eq!(ids(&jane.get("/servers").await.data(200)), rented);
        let (mut next, mut seen) = (Some("/api/v1/rentals?limit=2".to_owned()), Vec::new());
        while let Some(path) = next {
            let answer = jane.get(path.strip_prefix("/api/v1").unwrap()).await;
            assert_eq!(answer.headers["x-total-count"], "5");
            let link = answer.headers.get("link").cloned();
            next =
                link.map(|link| link.trim_start_matches('<').split('>').next().unwrap().to_owned());
            seen.extend(ids(&answer.data(200)));
        }
        assert_eq!(seen, rented);
        for query in ["limit=0", "limit=501", "limit=x", "cursor=x"] {
            jane.get(&format!("/rentals?{query}")).await.refused(400, "VALIDATION_ERROR");
        }
    }
}
