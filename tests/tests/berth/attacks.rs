//! What somebody did to break an invariant, and must not succeed with again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration as StdDuration;

use async_trait::async_trait;
use chrono::Duration;
use domain::Error;
use domain::job::{self, JobContext, Taking};
use domain::rental::{Access, RentalId};
use domain::store::Store;
use domain::user::{self, ChangeUser, Password, PasswordHash, Passwords, UserId};
use outbound::simulated::{Behaviour, Simulated};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use secrecy::SecretString;
use serde_json::{Value, json};
use tests::{Client, Kind, PASSWORD, TestApp, TestDatabase, on_both_databases};

/// JSON in a text within JSON, under the key by which `serde_json` follows it.
fn json_within_json(levels: usize, depth: usize) -> Value {
    let mut text = "1".to_owned();
    for _ in 0..levels {
        let inner = format!("{}{text}{}", "[".repeat(depth), "]".repeat(depth));
        let quoted = Value::from(inner).to_string();
        text = format!(r#"{{"$serde_json::private::RawValue":{quoted}}}"#);
    }
    // Read as a map, since reading it as a value is the attack.
    let map: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    Value::Object(map.into_iter().map(|(key, text)| (key, Value::from(text))).collect())
}

fn wish(permissions: &Value, end: Option<&str>, places: &[&str]) -> Value {
    json!({
        "alias": "program", "permissions": permissions, "expires_at": end, "ip_whitelist": places,
    })
}

on_both_databases! {
    // Seen ending the whole process: "thread has overflowed its stack".
    async fn json_within_json_is_refused(app: &TestApp) {
        let deep = json_within_json(8, 120);
        let stranger = app.stranger();
        for path in ["/auth/signup", "/users/auth/login", "/users/auth/refresh"] {
            let body = json!({ "username": deep, "refreshToken": deep });
            stranger.post(path, body).await.refused(400, "MALFORMED_JSON");
        }
        let jane = app.user("jane").await;
        for settings in [json!({ "a": deep }), json_within_json(2, 110)] {
            let body = json!({ "name": "Team", "settings": settings });
            jane.post("/pools", body).await.refused(400, "MALFORMED_JSON");
        }
        jane.get("/pools").await.data(200);
    }

    // Seen ending the whole process, like the one before.
    async fn json_within_the_header_of_a_token_is_not_read(app: &TestApp) {
        // Any header but our own is refused before it is read, so it need not be the attack itself.
        let jane = app.user("jane").await;
        let token = jane.authorization.clone().unwrap().replace("Bearer ", "");
        let (header, rest) = token.split_once('.').unwrap();
        for forged in
            [format!("{header}A.{rest}"), format!("{}.{rest}", &header[1..]), "x".repeat(20_000)]
        {
            app.stranger().with_token(&forged).get("/users/me").await.refused(401, "UNAUTHORIZED");
        }
        jane.get("/users/me").await.data(200);
    }

    async fn settings_may_not_be_too_deep_to_be_read_again(app: &TestApp) {
        let jane = app.user("jane").await;
        let nested = |levels| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        let body = |levels| json!({ "name": format!("Pool {levels}"), "settings": nested(levels) });
        jane.post("/pools", body(32)).await.data(201);
        jane.post("/pools", body(33)).await.refused(400, "VALIDATION_ERROR");
    }

    async fn a_program_cannot_free_itself_or_another(app: &TestApp) {
        let jane = app.user("jane").await;
        let all = json!({ "*": true });
        let end = "2025-01-21T23:00:00.000Z";
        let own =
            jane.post("/auth/tokens", wish(&all, Some(end), &["127.0.0.0/8"])).await.data(201);
        let program = app.stranger().with_token(own["token"].as_str().unwrap());
        let itself = format!("/auth/tokens/{}", own["id"].as_str().unwrap());
        for (end, places) in [
            (None, &["127.0.0.1"][..]),
            (Some("2025-01-21T23:00:00.001Z"), &["127.0.0.1"]),
            (Some(end), &[]),
            (Some(end), &["127.0.0.1", "128.0.0.1"]),
            (Some(end), &["126.0.0.0/7"]),
        ] {
            let body = wish(&all, end, places);
            program.post("/auth/tokens", body.clone()).await.refused(403, "INSUFFICIENT_SCOPE");
            program.put(&itself, body).await.refused(403, "INSUFFICIENT_SCOPE");
        }
        let free = jane.post("/auth/tokens", wish(&all, None, &[])).await.data(201);
        let free = format!("/auth/tokens/{}", free["id"].as_str().unwrap());
        program.put(&free, json!({ "alias": "mine" })).await.refused(403, "INSUFFICIENT_SCOPE");
        program.post("/auth/tokens", wish(&all, Some(end), &["127.0.0.1"])).await.data(201);
        program.put(&itself, json!({ "expires_at": "2025-01-21T22:30:00.000Z" })).await.data(200);
    }

    async fn a_password_change_that_another_overtakes_changes_nothing(app: &TestApp) {
        let jane = app.user("jane").await;
        let overtaken = Overtaken { jane: jane.clone() };
        let (store, clock) = (app.app.store.as_ref(), app.app.clock.as_ref());
        let token = jane.authorization.clone().unwrap().replace("Bearer ", "");
        let session_id = app.app.access_tokens.read(&token, clock.now()).unwrap();
        let caller = domain::session::authenticate(store, clock, session_id, None).await.unwrap();
        let request = ChangeUser {
            caller,
            session_id: None,
            user_id: UserId::parse(&jane.id).unwrap(),
            alias: None,
            password: Some(Password::parse("the one that comes too late").unwrap()),
            current_password: Some(PASSWORD.into()),
        };
        let outcome = user::change(store, clock, &overtaken, request).await;
        assert!(matches!(outcome, Err(Error::Invalid(_))), "{outcome:?}");
        let body = json!({ "username": "jane", "password": OVERTAKING });
        app.stranger().post("/users/auth/login", body).await.data(200);
    }

    async fn guessing_the_present_password_is_limited(app: &TestApp) {
        let jane = app.user("jane").await;
        let path = format!("/users/{}", jane.id);
        let body = json!({ "password": "another long one", "current_password": "a guess" });
        let answer = jane.patch(&path, body).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert!(answer.headers["ratelimit"].starts_with("\"account\""), "{:?}", answer.headers);
    }

    // Seen with the access suspended for a week when only ends and holds that have passed were due.
    async fn a_clock_that_ran_ahead_and_came_back_costs_nobody_their_access(app: &TestApp) {
        let (server, jane) = (app.server("node").await, app.renter("jane", "70.00").await);
        let rental = jane.rent(&server, 7).await.data(201)["rental"]["id"].clone();
        let id = RentalId::parse(rental.as_str().unwrap()).unwrap();
        app.do_jobs().await;
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(app.driver.access(id), Some(Access::Suspended));
        app.days_pass(-8);
        app.sweep().await;
        assert_eq!(app.driver.access(id), Some(Access::Granted));
        let shown = jane.get(&format!("/rentals/{}", rental.as_str().unwrap())).await.data(200);
        assert_eq!((&shown["status"], &shown["remaining_days"]), (&json!("active"), &json!(7)));
    }

    async fn a_rental_ends_within_twenty_years(app: &TestApp) {
        let operator = app.operator("olga").await;
        let (server, jane) = (app.server("node").await, app.renter("jane", "70.00").await);
        let prices = json!({ "prices": { "3650": { "price": "0.01" } } });
        operator.patch(&format!("/admin/servers/{server}"), prices).await.data(200);
        let rental = jane.rent(&server, 3_650).await.data(201)["rental"]["id"].clone();
        let extend = format!("/rentals/{}/extend", rental.as_str().unwrap());
        jane.post(&extend, json!({ "additional_days": 3_650 })).await.data(200);
        jane.post(&extend, json!({ "additional_days": 3_650 }))
            .await
            .refused(400, "VALIDATION_ERROR");
        assert_eq!(jane.balance_cents().await, 6_998);
    }

    // Seen answering 500: the unique key of live jobs.
    async fn a_dead_job_beside_a_live_one_of_its_rental_can_be_retried(app: &TestApp) {
        let operator = app.operator("olga").await;
        let (server, jane) = (app.server("node").await, app.renter("jane", "140.00").await);
        let rental = jane.rent(&server, 7).await.data(201)["rental"]["id"].clone();
        while operator_list(&app.log_in(&operator.username).await).await.is_empty() {
            let down = Simulated::new(Behaviour { fail_call: Some(1), ..Behaviour::default() });
            let context = JobContext { driver: &down, ..app.app.job_context() };
            job::run_next(context, Taking::All).await.unwrap();
            app.clock.advance(Duration::minutes(6));
        }
        let (operator, jane) =
            (app.log_in(&operator.username).await, app.log_in(&jane.username).await);
        let extend = format!("/rentals/{}/extend", rental.as_str().unwrap());
        jane.post(&extend, json!({ "additional_days": 7 })).await.data(200);
        let dead = operator_list(&operator).await;
        let retry = format!("/admin/jobs/{}/retry", dead[0]["id"].as_str().unwrap());
        operator.post(&retry, json!({})).await.data(200);
        assert!(operator_list(&operator).await.is_empty());
        app.do_jobs().await;
        let id = RentalId::parse(rental.as_str().unwrap()).unwrap();
        assert_eq!(app.driver.access(id), Some(Access::Granted));
    }

    async fn a_client_that_never_reads_is_cut_off(app: &TestApp) {
        for number in 0..40 {
            app.server(&format!("node-{number}")).await;
        }
        let address = app.address.strip_prefix("http://").unwrap().to_owned();
        let cut_off = tokio::task::spawn_blocking(move || {
            let mut connection = TcpStream::connect(address).unwrap();
            // Many answers at once, so that they do not all fit into the buffers between the two.
            let request = "GET /api/v1/servers/available HTTP/1.1\r\nHost: berth\r\n\r\n";
            connection.set_write_timeout(Some(StdDuration::from_secs(2))).unwrap();
            while connection.write_all(request.repeat(16).as_bytes()).is_ok() {}
            // The deadline of the tests' server is 2 s; the system looks at ever longer intervals.
            std::thread::sleep(StdDuration::from_secs(8));
            let mut rest = Vec::new();
            connection.set_read_timeout(Some(StdDuration::from_secs(5))).unwrap();
            match connection.read_to_end(&mut rest) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        });
        assert!(cut_off.await.unwrap(), "the connection is still open");
    }

    async fn head_is_get_without_the_body(app: &TestApp) {
        app.server("node").await;
        let http = reqwest::Client::new();
        for path in ["/api/v1/servers/available", "/api/v1/servers/available?limit=1", "/healthz"] {
            let url = format!("{}{path}", app.address);
            let head = http.head(&url).send().await.unwrap();
            let get = http.get(&url).send().await.unwrap();
            assert_eq!(head.status(), 200, "{path}");
            for name in ["content-length", "content-type", "etag", "x-total-count"] {
                assert_eq!(head.headers().get(name), get.headers().get(name), "{path}: {name}");
            }
            assert!(head.bytes().await.unwrap().is_empty());
        }
        let nowhere = http.head(format!("{}/api/v1/nowhere", app.address)).send().await.unwrap();
        assert_eq!(nowhere.status(), 404);
        let change = http.head(format!("{}/api/v1/auth/signup", app.address)).send().await.unwrap();
        assert_eq!(change.status(), 405);
    }

    async fn only_pages_of_configured_origins_may_call_from_a_browser(app: &TestApp) {
        let http = reqwest::Client::new();
        let url = format!("{}/api/v1/users/me", app.address);
        let origins = [("https://front.example", true), ("https://evil.example", false)];
        for (origin, allowed) in origins {
            let preflight = http.request(Method::OPTIONS, &url).header("origin", origin);
            let preflight = preflight
                .header("access-control-request-method", "GET")
                .header("access-control-request-headers", "authorization,idempotency-key");
            let answer = preflight.send().await.unwrap();
            let echoed = answer.headers().get("access-control-allow-origin").cloned();
            assert_eq!(echoed.is_some_and(|value| value == origin), allowed, "{origin}");
            let answer = http.get(&url).header("origin", origin).send().await.unwrap();
            assert_eq!(answer.status(), 401);
            let echoed = answer.headers().get("access-control-allow-origin").cloned();
            assert_eq!(echoed.is_some_and(|value| value == origin), allowed, "{origin}");
        }
    }

    async fn a_body_with_a_key_twice_is_refused(app: &TestApp) {
        let http = reqwest::Client::new();
        let body = r#"{"username":"jane","username":"john","password":"x"}"#;
        let request = http.post(format!("{}/api/v1/users/auth/login", app.address)).body(body);
        let response = request.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(response.status(), 400);
        let answer = response.text().await.unwrap();
        assert!(answer.contains("MALFORMED_JSON") && answer.contains("username"), "{answer}");
    }

    async fn an_external_id_is_given_once(app: &TestApp) {
        let operator = app.operator("olga").await;
        let server = app.server("node").await;
        let path = format!("/admin/servers/{server}");
        let answer = operator.patch(&path, json!({ "external_id": "another" })).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["data"][0]["path"], "/external_id");
        let method = Method::GET;
        operator.send(method, &path, &[], None).await.data(200);
    }
}

async fn operator_list(operator: &Client) -> Vec<Value> {
    operator.get("/admin/jobs/dead").await.data(200).as_array().unwrap().clone()
}

/// The password that [`Overtaken`] sets.
const OVERTAKING: &str = "the one that comes in time";

/// Finds every password right, and lets another change come in between.
struct Overtaken {
    jane: Client,
}

#[async_trait]
impl Passwords for Overtaken {
    async fn hash(&self, _: &Password) -> domain::Result<PasswordHash> {
        let body = json!({ "password": OVERTAKING, "current_password": PASSWORD });
        self.jane.patch(&format!("/users/{}", self.jane.id), body).await.data(200);
        Ok(PasswordHash::from_phc("too late".to_owned()))
    }

    async fn verify(&self, _: &SecretString, _: Option<&PasswordHash>) -> domain::Result<bool> {
        Ok(true)
    }
}

// Seen with every later write failing ("cannot start a transaction within a transaction") when
// BEGIN ran in the caller's own future.
#[tokio::test]
async fn a_writer_who_goes_away_while_another_process_writes_blocks_nobody() {
    let database = TestDatabase::create(Kind::Sqlite).await;
    let store = persistence::connect(&database.url, 2).await.unwrap();
    store.migrate(&database.url).await.unwrap();
    let other = database.connect().await;
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let gone = tokio::time::timeout(StdDuration::from_millis(200), store.begin()).await;
    assert!(gone.is_err(), "the other process holds the lock");
    other.execute_unprepared("COMMIT").await.unwrap();
    for _ in 0..3 {
        store.begin().await.unwrap().commit().await.unwrap();
    }
    // Nor does it keep the lock.
    other.execute_unprepared("BEGIN IMMEDIATE; COMMIT").await.unwrap();
    other.close().await.unwrap();
    store.close().await;
    database.remove().await;
}
