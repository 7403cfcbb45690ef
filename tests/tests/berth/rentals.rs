//! Renting and extending.

use serde_json::json;
use tests::{TestApp, on_both_databases};

on_both_databases! {
    async fn a_server_is_rented_and_paid(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "100.00").await;
        let data = jane.rent(&server, 7).await.data(201);
        assert_eq!(data["rental"]["status"], "active");
        assert_eq!(data["rental"]["hold_days"], 2);
        assert_eq!(data["transaction"]["amount"], 70);
        assert_eq!(jane.balance_cents().await, 3_000);
        app.do_jobs().await;
        app.stranger().get(&format!("/servers/available/{server}")).await.refused(404, "SERVER_NOT_FOUND");
    }

    async fn a_rented_server_cannot_be_rented_again(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "100.00").await;
        let john = app.renter("john", "100.00").await;
        jane.rent(&server, 7).await.data(201);
        john.rent(&server, 7).await.refused(409, "SERVER_UNAVAILABLE");
        assert_eq!(john.balance_cents().await, 10_000);
    }

    async fn a_wallet_too_low_buys_nothing(app: &TestApp) {
        let server = app.server("node-1").await;
        let jane = app.renter("jane", "69.99").await;
        let answer = jane.rent(&server, 7).await;
        answer.refused(400, "INSUFFICIENT_BALANCE");
        assert_eq!(answer.body["data"], json!({ "required_cents": 7000, "available_cents": 6999 }));
        assert_eq!(jane.balance_cents().await, 6_999);
    }
}
