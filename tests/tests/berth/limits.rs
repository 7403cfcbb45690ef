//! Limits on guessing passwords and refresh tokens.

use std::num::NonZeroU32;

use api::auth::LimitsConfig;
use chrono::Duration;
use serde_json::json;
use tests::{Answer, Options, PASSWORD, TestApp, on_both_databases};

/// Five attempts a minute from an address at a route, three on an account.
fn few() -> Options {
    let number = |n| NonZeroU32::new(n).unwrap();
    let limits = LimitsConfig { per_address: number(5), per_account: number(3) };
    Options { limits, ..Options::default() }
}

async fn attempt(app: &TestApp, login: &str, password: &str) -> Answer {
    let body = json!({ "username": login, "password": password });
    app.stranger().post("/users/auth/login", body).await
}

/// Fails unless the answer tells of these limits.
#[track_caller]
fn tells(answer: &Answer, policies: &str, state: &str) {
    assert_eq!(answer.headers["ratelimit-policy"], policies, "{}", answer.body);
    assert_eq!(answer.headers["ratelimit"], state, "{}", answer.body);
}

/// Fails unless it is a refusal for so many seconds.
#[track_caller]
fn come_again(answer: &Answer, most: u64) {
    answer.refused(429, "RATE_LIMITED");
    let seconds: u64 = answer.headers["retry-after"].parse().unwrap();
    assert!((1..=most).contains(&seconds), "Retry-After: {seconds}");
}

const BOTH: &str = "\"address\";q=5;w=60, \"account\";q=3;w=60";
const ADDRESS: &str = "\"address\";q=5;w=60";

on_both_databases! {
    with few();

    async fn the_fourth_log_in_on_an_account_must_wait(app: &TestApp) {
        app.stranger().sign_up("jane").await;
        for (left, seconds) in [(2, 20), (1, 40), (0, 60)] {
            let answer = attempt(app, "JANE", "a wrong password").await;
            answer.refused(401, "INVALID_CREDENTIALS");
            tells(
                &answer,
                BOTH,
                &format!(
                    "\"address\";r={};t={}, \"account\";r={left};t={seconds}",
                    left + 2,
                    (3 - left) * 12
                ),
            );
        }
        // The right password does not help now.
        let answer = attempt(app, "jane", PASSWORD).await;
        come_again(&answer, 21);
        assert_eq!(answer.headers["ratelimit-policy"], BOTH);
        assert!(answer.headers["ratelimit"].contains("\"account\";r=0"));
        let wait = answer.headers["retry-after"].parse().unwrap();
        app.clock.advance(Duration::seconds(wait));
        attempt(app, "jane", PASSWORD).await.data(200);
        come_again(&attempt(app, "jane", PASSWORD).await, 21);
    }

    async fn an_account_that_does_not_exist_is_limited_alike(app: &TestApp) {
        for _ in 0..3 {
            attempt(app, "nobody", PASSWORD).await.refused(401, "INVALID_CREDENTIALS");
        }
        come_again(&attempt(app, "nobody", PASSWORD).await, 21);
    }

    async fn the_sixth_log_in_from_an_address_must_wait_whatever_the_account(app: &TestApp) {
        for number in 0..5 {
            attempt(app, &format!("user{number}"), PASSWORD)
                .await
                .refused(401, "INVALID_CREDENTIALS");
        }
        let answer = attempt(app, "another", PASSWORD).await;
        come_again(&answer, 13);
        assert_eq!(answer.headers["ratelimit-policy"], ADDRESS);
        assert!(answer.headers["ratelimit"].starts_with("\"address\";r=0"));
        // What a client writes into the header is not where it comes from.
        let body = json!({ "username": "another", "password": PASSWORD });
        let headers = [("x-forwarded-for", "203.0.113.7")];
        let answer = app
            .stranger()
            .send(reqwest::Method::POST, "/users/auth/login", &headers, Some(&body))
            .await;
        come_again(&answer, 13);
        app.clock.advance(Duration::seconds(60));
        for number in 0..5 {
            attempt(app, &format!("user{number}"), PASSWORD)
                .await
                .refused(401, "INVALID_CREDENTIALS");
        }
    }

    async fn faulty_attempts_count_too(app: &TestApp) {
        for _ in 0..5 {
            let answer = app.stranger().post("/users/auth/login", json!({})).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.headers["ratelimit-policy"], ADDRESS);
        }
        come_again(&app.stranger().post("/users/auth/login", json!({})).await, 13);
    }

    async fn refreshes_are_limited_apart_from_log_ins(app: &TestApp) {
        app.stranger().sign_up("jane").await;
        let answer = attempt(app, "jane", PASSWORD).await;
        tells(&answer, BOTH, "\"address\";r=4;t=12, \"account\";r=2;t=20");
        let mut session = answer.data(200);
        for left in (1..5).rev() {
            let body = json!({ "refreshToken": session["refreshToken"] });
            let answer = app.stranger().post("/users/auth/refresh", body).await;
            tells(&answer, ADDRESS, &format!("\"address\";r={left};t={}", (5 - left) * 12));
            session = answer.data(200);
        }
        let body = json!({ "refreshToken": "berth_rt_unknown" });
        let answer = app.stranger().post("/users/auth/refresh", body.clone()).await;
        answer.refused(401, "INVALID_REFRESH_TOKEN");
        tells(&answer, ADDRESS, "\"address\";r=0;t=60");
        come_again(&app.stranger().post("/users/auth/refresh", body).await, 13);
        attempt(app, "jane", PASSWORD).await.data(200);
        // A refused attempt used nothing up: the token still works later.
        app.clock.advance(Duration::seconds(13));
        let body = json!({ "refreshToken": session["refreshToken"] });
        app.stranger().post("/users/auth/refresh", body).await.data(200);
    }

    async fn other_routes_are_not_limited(app: &TestApp) {
        app.stranger().sign_up("jane").await;
        for _ in 0..20 {
            let answer = app.stranger().get("/users/me").await;
            answer.refused(401, "UNAUTHORIZED");
            assert!(!answer.headers.contains_key("ratelimit"));
        }
    }
}
