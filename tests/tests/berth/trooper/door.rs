use domain::token::Permission;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tests::{Client, Options, TestApp, on_both_databases};

use super::{get, is_refused, rows};
use crate::deals::boss;
use crate::instances::fleet;

const UNSIGNED: &str = "Missing or invalid Authorization header";
const BLIBS: [&str; 2] = ["/api/blibs", "/api/blibs-private"];

/// The same client with a token that may do so much.
pub async fn that_may(owner: &Client, permissions: Map<String, Value>) -> Client {
    let wish = json!({ "alias": "trooper", "permissions": permissions });
    let made = owner.post("/auth/tokens", wish).await.data(201);
    owner.with_token(made["token"].as_str().unwrap())
}

on_both_databases! {
    async fn one_can_try_whether_one_gets_through(app: &TestApp) {
        let answer = get(&app.stranger(), "/api/test").await;
        assert_eq!((answer.status, answer.body), (200, json!({ "test": "meinstring5" })));
    }

    async fn a_key_is_an_api_token_sent_as_a_bearer(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let session = app.stranger().log_in("jane").await;
        let key = jane.authorization.clone().unwrap();
        let key = key.strip_prefix("Bearer ").unwrap();
        let signed = |authorization: &str| {
            let mut client = jane.clone();
            client.authorization = Some(authorization.to_owned());
            client
        };
        is_refused(&get(&app.stranger(), "/api/blibs-private").await, 401, UNSIGNED);
        assert_eq!(get(&app.stranger(), "/api/blibs").await.status, 200);
        for path in BLIBS {
            for wrong in ["Bearer", "Bearer x", &format!("Basic {key}"), key] {
                is_refused(&get(&signed(wrong), path).await, 401, UNSIGNED);
            }
            is_refused(&get(&session, path).await, 401, UNSIGNED);
            assert_eq!(get(&signed(&format!("bearer  {key} ")), path).await.status, 200);
        }
        let id = jane.get("/auth/tokens").await.data(200);
        let id = id.as_array().unwrap().iter().find(|row| row["alias"] == "lasting").unwrap();
        let path = format!("/auth/tokens/{}", id["id"].as_str().unwrap());
        session.delete(&path).await.data(200);
        for path in BLIBS {
            is_refused(&get(&jane, path).await, 401, UNSIGNED);
        }
    }

    async fn a_key_needs_the_permission_to_look(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let all = Permission::ALL.iter().map(|permission| permission.path().to_owned());
        let (needed, others): (Map<_, _>, Map<_, _>) =
            all.map(|path| (path, json!(true))).partition(|(path, _)| path == "marketplace.read");
        let (lacking, sparing) = (that_may(&jane, others).await, that_may(&jane, needed).await);
        for path in BLIBS {
            let error = "The token lacks the permission marketplace.read";
            is_refused(&get(&lacking, path).await, 403, error);
            assert_eq!(get(&sparing, path).await.status, 200);
        }
    }

    async fn other_paths_and_methods_are_refused_as_everything_is(app: &TestApp) {
        let boss = boss(app).await;
        for path in ["", "/", "/api", "/api/", "/api/nothing", "/api/blibs/1", "/blibs"] {
            is_refused(&get(&boss, path).await, 404, "Not found");
        }
        for path in ["/api/test", "/api/blibs", "/api/blibs-private"] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let answer = boss.send(method, &format!("/!trooper{path}"), &[], None).await;
                is_refused(&answer, 405, "This path does not take this method");
            }
        }
    }

    async fn a_host_name_of_its_own_has_the_paths_of_the_document(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let own = async |path: &str| {
            let headers = [("host", "trooper.example")];
            jane.send(Method::GET, &format!("/!{path}"), &headers, None).await
        };
        assert_eq!(own("api/test").await.body, json!({ "test": "meinstring5" }));
        assert_eq!(own("api/blibs").await.body, json!(rows(&jane, "/api/blibs").await));
        is_refused(&own("nowhere").await, 404, "Not found");
        assert_eq!(jane.get("/!api/test").await.status, 404, "on every other name");
    }

    async fn pages_of_configured_origins_may_call_from_a_browser(app: &TestApp) {
        let http = reqwest::Client::new();
        let url = format!("{}/trooper/api/blibs-private", app.address);
        let origins = [("https://front.example", true), ("https://evil.example", false)];
        for (origin, allowed) in origins {
            let preflight = http.request(Method::OPTIONS, &url).header("origin", origin);
            let preflight = preflight
                .header("access-control-request-method", "GET")
                .header("access-control-request-headers", "authorization,content-type");
            for answer in [
                preflight.send().await.unwrap(),
                http.get(&url).header("origin", origin).send().await.unwrap(),
            ] {
                let echoed = answer.headers().get("access-control-allow-origin");
                assert_eq!(echoed.is_some_and(|value| value == origin), allowed, "{origin}");
            }
        }
    }
}

on_both_databases! {
    with Options { others: false, ..Options::default() };

    async fn where_it_is_switched_off_nothing_is_there(app: &TestApp) {
        let (stranger, own) = (app.stranger(), [("host", "trooper.example")]);
        for path in ["/!trooper/api/test", "/!trooper/api/blibs", "/!api/test"] {
            assert_eq!(stranger.get(path).await.status, 404, "{path}");
            assert_eq!(stranger.send(Method::GET, path, &own, None).await.status, 404, "{path}");
        }
    }
}
