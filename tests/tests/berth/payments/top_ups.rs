//! Wallets that run low.

use chrono::Duration;
use domain::money::Money;
use domain::user::Operator;
use domain::wallet::{self, Book};
use serde_json::{Value, json};
use tests::{Client, Failure, TestApp, on_both_databases};

use super::{CHECKOUT, join, message, tell};

/// Pays 25.00 and keeps the card.
async fn save_card(app: &TestApp, client: &Client) {
    let body = json!({ "amount": "25.00", "success_url": "https://front.example/",
        "cancel_url": "https://front.example/", "save_method": true });
    let data = client.post(CHECKOUT, body).await.data(201);
    let id = data["id"].as_str().unwrap();
    app.cards.pay(id, "25.00");
    tell(app, &message("evt_saved", "checkout.session.completed", id)).await;
    app.settle().await;
}

/// Brings a balance to this many cents.
async fn spend(app: &TestApp, client: &Client, down_to: i64) {
    let amount = Money::from_cents(down_to - client.balance_cents().await).unwrap();
    let request = Book {
        operator: Operator::Console,
        username: client.username.clone(),
        amount,
        reason: "spent".to_owned(),
        corrects: None,
        idempotency_key: None,
    };
    let (store, clock, random) =
        (app.app.store.as_ref(), app.app.clock.as_ref(), app.app.random.as_ref());
    wallet::adjust(store, clock, random, request).await.unwrap();
}

on_both_databases! {
    async fn a_wallet_that_runs_low_is_topped_up_within_the_month(app: &TestApp) {
        let jane = app.user("jane").await;
        let plan = json!({ "threshold": "20.00", "amount": "50.00", "monthly_max": "100.00" });
        jane.put("/wallet/auto-top-up", plan.clone()).await.refused(409, "NO_SAVED_METHOD");
        save_card(app, &jane).await;
        let data = jane.put("/wallet/auto-top-up", plan).await.data(200);
        assert_eq!((&data["is_on"], &data["stopped"]), (&json!(true), &Value::Null));
        app.settle().await;
        assert_eq!((jane.balance_cents().await, app.cards.charges()), (2_500, 0));
        for (balance, charges) in [(5_500, 1), (5_500, 2), (500, 2)] {
            spend(app, &jane, 500).await;
            join((0..4).map(|_| app.settle())).await;
            assert_eq!((jane.balance_cents().await, app.cards.charges()), (balance, charges));
        }
        // The next month, which begins in ten days.
        app.days_pass(12);
        app.settle().await;
        let jane = app.log_in("jane").await;
        assert_eq!((jane.balance_cents().await, app.cards.charges()), (5_500, 3));
        jane.delete("/wallet/auto-top-up").await.data(200);
        jane.get("/wallet/auto-top-up").await.refused(404, "AUTO_TOP_UP_NOT_FOUND");
    }

    async fn a_lost_answer_charges_a_card_once_and_a_declined_one_stops(app: &TestApp) {
        let jane = app.user("jane").await;
        save_card(app, &jane).await;
        let plan = json!({ "threshold": "30.00", "amount": "50.00", "monthly_max": "500.00" });
        jane.put("/wallet/auto-top-up", plan.clone()).await.data(200);
        app.cards.fail(1, Failure::After);
        app.settle().await;
        assert_eq!((jane.balance_cents().await, app.cards.charges()), (2_500, 1));
        app.clock.advance(Duration::minutes(2));
        app.settle().await;
        assert_eq!((jane.balance_cents().await, app.cards.charges()), (7_500, 1));
        app.cards.decline();
        spend(app, &jane, 500).await;
        for _ in 0..3 {
            app.settle().await;
        }
        let data = jane.get("/wallet/auto-top-up").await.data(200);
        assert_eq!((&data["is_on"], &data["stopped"]), (&json!(false), &json!("card_declined")));
        let told = jane.get("/notifications").await.data(200).to_string();
        assert!(told.contains("auto_top_up_stopped"), "{told}");
        assert_eq!(jane.balance_cents().await, 500);
    }
}
