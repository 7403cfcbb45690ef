use chrono::Duration;
use reqwest::Method;
use serde_json::json;
use tests::{TestApp, on_both_databases};

use super::{get, halves, is_refused, token};
use crate::belongings::default_pool;

const MISSING: &str = "Access token is missing or invalid";

on_both_databases! {
    async fn credentials_are_made_listed_and_revoked_by_who_runs_the_pool(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = default_pool(&jane).await;
        let of_john = default_pool(&john).await;
        let path = format!("/pools/{pool}/client-credentials");
        let (id, secret) = halves(&jane, &pool).await;
        assert_eq!(secret.len(), 42);
        let listed = jane.get(&path).await.data(200);
        assert_eq!(listed[0]["client_id"], id.as_str());
        assert_eq!(listed[0]["author_id"], jane.id.as_str());
        assert!(listed[0]["last_used_at"].is_null());
        assert!(!listed.to_string().contains(&secret), "the secret is shown once");

        let pair = token(&jane, &(id.clone(), secret.clone())).await.body;
        let program = jane.with_token(pair["access_token"].as_str().unwrap());
        app.clock.advance(Duration::seconds(90));
        assert_eq!(get(&program, "/balance").await.status, 200);
        let used = jane.get(&path).await.data(200)[0]["last_used_at"].clone();
        assert_eq!(used, json!("2025-01-21T22:01:30.000Z"));

        // Who is not in the pool, or does not run it.
        john.get(&path).await.refused(404, "POOL_NOT_FOUND");
        john.post(&path, json!({ "alias": "mine" })).await.refused(404, "POOL_NOT_FOUND");
        john.delete(&format!("{path}/{id}")).await.refused(404, "POOL_NOT_FOUND");
        let members = format!("/pools/{pool}/members");
        jane.post(&members, json!({ "username": "john", "role": "user" })).await.data(201);
        let pending = john.get("/pools/invitations/pending").await.data(200);
        let invitation = pending[0]["id"].as_str().unwrap();
        john.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
        john.get(&path).await.refused(403, "POOL_ADMIN_REQUIRED");
        john.post(&path, json!({ "alias": "mine" })).await.refused(403, "POOL_ADMIN_REQUIRED");

        // Revoked, they and what was got with them are worth nothing.
        let elsewhere = format!("/pools/{of_john}/client-credentials/{id}");
        john.delete(&elsewhere).await.refused(404, "CLIENT_CREDENTIAL_NOT_FOUND");
        jane.delete(&format!("{path}/{id}")).await.data(200);
        jane.delete(&format!("{path}/{id}")).await.refused(404, "CLIENT_CREDENTIAL_NOT_FOUND");
        is_refused(&get(&program, "/balance").await, 401, "unauthorized_request", MISSING);
        assert_eq!(token(&jane, &(id, secret)).await.status, 401);
        jane.post(&path, json!({})).await.refused(400, "VALIDATION_ERROR");
    }

    async fn credentials_work_as_long_as_their_maker_belongs_to_the_pool(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = default_pool(&jane).await;
        let members = format!("/pools/{pool}/members");
        jane.post(&members, json!({ "username": "john", "role": "admin" })).await.data(201);
        let pending = john.get("/pools/invitations/pending").await.data(200);
        let invitation = pending[0]["id"].as_str().unwrap();
        john.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
        let halves = halves(&john, &pool).await;
        let pair = token(&john, &halves).await.body;
        let program = john.with_token(pair["access_token"].as_str().unwrap());
        assert_eq!(get(&program, "/balance").await.status, 200);
        // A lesser role sees no balance and adds no instances.
        let role = format!("{members}/{}", john.id);
        jane.send(Method::PATCH, &role, &[], Some(&json!({ "role": "user" }))).await.data(200);
        let refusal = get(&program, "/balance").await;
        let told = "Only the pool's owner and admins may do this";
        is_refused(&refusal, 403, "forbidden_action", told);
        jane.delete(&role).await.data(200);
        is_refused(&get(&program, "/balance").await, 401, "unauthorized_request", MISSING);
        assert_eq!(token(&john, &halves).await.status, 401);
        // Nor when they come back: they may have been removed because the secret was known.
        jane.post(&members, json!({ "username": "john", "role": "admin" })).await.data(201);
        let pending = john.get("/pools/invitations/pending").await.data(200);
        let invitation = pending[0]["id"].as_str().unwrap();
        john.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
        assert_eq!(token(&john, &halves).await.status, 401);
        is_refused(&get(&program, "/balance").await, 401, "unauthorized_request", MISSING);
        let path = format!("/pools/{pool}/client-credentials");
        assert_eq!(john.get(&path).await.data(200), json!([]));
    }

    async fn a_limited_token_makes_no_credentials(app: &TestApp) {
        let jane = app.user("jane").await;
        let path = format!("/pools/{}/client-credentials", default_pool(&jane).await);
        let wish = json!({ "alias": "few", "permissions": { "credentials": { "write": true } } });
        let made = jane.post("/auth/tokens", wish).await.data(201);
        let few = jane.with_token(made["token"].as_str().unwrap());
        few.post(&path, json!({ "alias": "more" })).await.refused(403, "INSUFFICIENT_SCOPE");
        let wish = json!({
            "alias": "here", "permissions": { "*": true }, "ip_whitelist": ["127.0.0.1"]
        });
        let made = jane.post("/auth/tokens", wish).await.data(201);
        let here = jane.with_token(made["token"].as_str().unwrap());
        here.post(&path, json!({ "alias": "anywhere" })).await.refused(403, "INSUFFICIENT_SCOPE");
    }
}
