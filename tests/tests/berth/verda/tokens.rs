use chrono::Duration;
use serde_json::json;
use tests::{TestApp, on_both_databases};

use super::{get, halves, is_refused, post, program, token};
use crate::belongings::default_pool;
use crate::deals::payer;

const WRONG: &str = "Invalid client id or client secret";
const MISSING: &str = "Access token is missing or invalid";

on_both_databases! {
    async fn a_token_works_as_long_as_it_says_and_its_refresh_token_gets_the_next(app: &TestApp) {
        let jane = payer(app, "jane", "12.34").await;
        let halves = halves(&jane, &default_pool(&jane).await).await;
        let pair = token(&jane, &halves).await;
        assert_eq!(pair.status, 200);
        assert_eq!(pair.body["token_type"], "Bearer");
        assert_eq!(pair.body["scope"], "cloud-api-v1");
        // The Go SDK reads an integer.
        assert_eq!(pair.body["expires_in"].as_i64(), Some(3_600));
        let access = pair.body["access_token"].as_str().unwrap().to_owned();
        let program = jane.with_token(&access);
        // No client asks again when it is told 401 before that.
        app.clock.advance(Duration::seconds(3_600));
        let balance = get(&program, "/balance").await;
        let expected = json!({ "amount": 12.34, "currency": "usd" });
        assert_eq!((balance.status, balance.body), (200, expected));
        app.clock.advance(Duration::seconds(1));
        is_refused(&get(&program, "/balance").await, 401, "unauthorized_request", MISSING);

        let refresh = &pair.body["refresh_token"];
        let wish = json!({ "grant_type": "refresh_token", "refresh_token": refresh });
        let next = post(&program, "/oauth2/token", wish).await;
        assert_eq!(next.status, 200, "a bad bearer is no hindrance (SkyPilot sends one)");
        assert_ne!(next.body["access_token"], pair.body["access_token"]);
        let program = jane.with_token(next.body["access_token"].as_str().unwrap());
        assert_eq!(get(&program, "/balance").await.status, 200);
        for wrong in [&pair.body["access_token"], &json!("nonsense"), &json!("")] {
            let wish = json!({ "grant_type": "refresh_token", "refresh_token": wrong });
            let refusal = post(&jane, "/oauth2/token", wish).await;
            is_refused(&refusal, 401, "unauthorized_request", "Invalid refresh token");
        }
        let refresh = jane.with_token(next.body["refresh_token"].as_str().unwrap());
        is_refused(&get(&refresh, "/balance").await, 401, "unauthorized_request", MISSING);
    }

    async fn forms_are_read_as_well_and_what_is_wrong_is_told(app: &TestApp) {
        let jane = app.user("jane").await;
        let (id, secret) = halves(&jane, &default_pool(&jane).await).await;
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        // The Go SDK tries a form where JSON is not understood.
        let pair = jane.post_text("/!verda/v1/oauth2/token", &kind, &form).await;
        assert_eq!(pair.status, 200, "{}", pair.body);

        let other = jane.id.clone();
        for halves in [(id.clone(), "no".into()), (other, secret), ("x".into(), "y".into())] {
            is_refused(&token(&jane, &halves).await, 401, "unauthorized_request", WRONG);
        }
        for (wish, message) in [
            (json!({}), "grant_type is not specified"),
            (json!({ "grant_type": "password" }), "unsupported grant type"),
            (
                json!({ "grant_type": "client_credentials" }),
                "client_id and client_secret are required",
            ),
            (json!({ "grant_type": "refresh_token" }), "refresh_token is required"),
        ] {
            let refusal = post(&jane, "/oauth2/token", wish).await;
            is_refused(&refusal, 400, "invalid_request", message);
        }
        // The Python SDK reads every error as JSON, also that of a path that is not.
        let nowhere = get(&jane, "/nowhere").await;
        is_refused(&nowhere, 404, "not_found", "Resource not found, or invalid path");
        let broken = jane.post_text("/!verda/v1/oauth2/token", &[], "{").await;
        assert_eq!((broken.status, &broken.body["code"]), (400, &json!("invalid_request")));
    }

    async fn only_a_programs_own_tokens_open_the_surface_and_open_nothing_else(app: &TestApp) {
        let jane = app.user("jane").await;
        let program = program(&jane).await;
        is_refused(&get(&jane, "/balance").await, 401, "unauthorized_request", MISSING);
        let lasting = jane.lasting().await;
        is_refused(&get(&lasting, "/balance").await, 401, "unauthorized_request", MISSING);
        program.get("/pools").await.refused(401, "UNAUTHORIZED");
    }
}
