//! Messages and their signatures.

use tests::{TestApp, on_both_databases, signature};

use super::{WEBHOOK, message, open, tell};

const RECORDED: &str = "68fe7ca8b3df263b2d39b521e9745f1e064eece2c1585db955e39e5662ca9039";

on_both_databases! {
    async fn a_message_needs_a_good_signature_of_now(app: &TestApp) {
        let jane = app.user("jane").await;
        let id = open(&jane, "25.00").await;
        app.cards.pay(&id, "25.00");
        // Recorded: HMAC-SHA-256 of "1737496800.{…}" by WEBHOOK_SECRET, from Python's hmac.
        let body = r#"{"id":"evt_recorded","data":{"object":{}}}"#;
        let good = RECORDED;
        let send = async |header: &str, body: &str| {
            app.stranger().post_text(WEBHOOK, &[("stripe-signature", header)], body).await
        };
        assert_eq!(send(&format!("t=1737496800,v1={good}"), body).await.status, 200);
        let rolled = format!("t=1737496800,v1={},v1={good},v0=x", "0".repeat(64));
        assert_eq!(send(&rolled, body).await.status, 200);
        let wrong = "5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd";
        let headers = [
            String::new(),
            "t=1737496800".to_owned(),
            format!("v1={good}"),
            format!("t=1737496801,v1={good}"),
            format!("t=1737496800,v1={wrong}"),
            format!("t=1737496800,v0={good}"),
            format!("t=1737496800,t=1737496800,v1={good}"),
            format!("t=1737496800,v1={}", &good[..62]),
            format!("t=x,v1={good}"),
        ];
        for header in headers {
            send(&header, body).await.refused(400, "INVALID_SIGNATURE");
        }
        send(&format!("t=1737496800,v1={good}"), &body.replace("{}", "1"))
            .await
            .refused(400, "INVALID_SIGNATURE");
        let event = message("evt_1", "checkout.session.completed", &id);
        for seconds in [-301, 301] {
            let at = app.app.clock.now().timestamp() + seconds;
            send(&signature(&event, at), &event).await.refused(400, "INVALID_SIGNATURE");
        }
        app.settle().await;
        assert_eq!(jane.balance_cents().await, 0);
        for seconds in [-300, 300] {
            let at = app.app.clock.now().timestamp() + seconds;
            assert_eq!(send(&signature(&event, at), &event).await.status, 200);
        }
        // About nothing of ours.
        let foreign = message("evt_2", "checkout.session.completed", "0123456789abcdef01234567");
        assert_eq!(tell(app, &foreign).await.status, 200);
        app.settle().await;
        assert_eq!(jane.balance_cents().await, 2_500);
    }
}
