//! Logging in, refreshing, logging out; and where secrets must not be.

use async_trait::async_trait;
use chrono::Duration;
use domain::Error;
use domain::error::Unauthenticated;
use domain::session::{self, LogIn};
use domain::user::{Password, PasswordHash, Passwords};
use secrecy::SecretString;
use serde_json::{Value, json};
use tests::{Answer, Client, Kind, PASSWORD, TestApp, on_both_databases};

/// A new session of somebody who has an account.
async fn signed_in(app: &TestApp, login: &str) -> Value {
    let body = json!({ "username": login, "password": PASSWORD });
    app.stranger().post("/users/auth/login", body).await.data(200)
}

async fn refresh(client: &Client, session: &Value) -> Answer {
    client.post("/users/auth/refresh", json!({ "refreshToken": session["refreshToken"] })).await
}

fn client(app: &TestApp, session: &Value) -> Client {
    app.stranger().with_token(session["token"].as_str().unwrap())
}

on_both_databases! {
    async fn one_logs_in_by_name_or_address_in_any_case(app: &TestApp) {
        let jane = app.user("jane").await;
        for (key, login) in [
            ("username", "jane"),
            ("username", "JANE"),
            ("email", "jane@example.org"),
            ("email", "Jane@EXAMPLE.org"),
            ("username", "jane@example.org"),
            ("email", "Jane"),
        ] {
            let body = json!({ key: login, "password": PASSWORD });
            let answer = app.stranger().post("/users/auth/login", body).await;
            assert_eq!(answer.body["message"], "Login successful");
            let data = answer.data(200);
            assert_eq!(data["user"]["id"], jane.id, "{login}");
            assert_eq!(
                (&data["expires_in"], &data["refresh_expires_in"]),
                (&json!(900), &json!(2_592_000))
            );
            assert_eq!(data["expires_at"], "2025-01-21T22:15:00.000Z");
            assert_eq!(data["refresh_expires_at"], "2025-02-20T22:00:00.000Z");
        }
    }

    async fn an_unknown_user_and_a_wrong_password_look_the_same(app: &TestApp) {
        app.user("jane").await;
        let mut answers = Vec::new();
        for (login, password) in [
            ("jane", "not the password"),
            ("nobody", PASSWORD),
            ("nobody@example.org", PASSWORD),
            ("jane", ""),
            ("%", PASSWORD),
            ("jane ", PASSWORD),
            ("jane", "CORRECT HORSE BATTERY"),
            ("", PASSWORD),
        ] {
            let body = json!({ "username": login, "password": password });
            let answer = app.stranger().post("/users/auth/login", body).await;
            answer.refused(401, "INVALID_CREDENTIALS");
            answers.push((answer.body, answer.headers["www-authenticate"].clone()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }

    async fn a_log_in_hears_of_all_its_faults_at_once(app: &TestApp) {
        let stranger = app.stranger();
        let long = "x".repeat(1_025);
        for (body, paths) in [
            (json!({}), vec!["/username", "/password"]),
            (json!({ "username": 7, "password": false }), vec!["/username", "/password"]),
            (
                json!({ "username": "a\u{0}b", "password": "a\u{0}b" }),
                vec!["/username", "/password"],
            ),
            (json!({ "email": [], "password": null }), vec!["/email", "/password"]),
            (json!({ "username": "jane", "password": long }), vec!["/password"]),
            (
                json!({ "username": long, "email": long, "password": PASSWORD }),
                vec!["/username", "/email"],
            ),
        ] {
            let answer = stranger.post("/users/auth/login", body.clone()).await;
            let found = answer.faults();
            assert_eq!(found, paths, "{body:.60}");
        }
        for body in [json!([]), json!(null)] {
            stranger.post("/users/auth/login", body).await.refused(400, "MALFORMED_JSON");
        }
    }

    async fn an_access_token_lives_15_minutes(app: &TestApp) {
        let jane = app.user("jane").await;
        app.clock.advance(Duration::minutes(15) - Duration::seconds(1));
        jane.get("/users/me").await.data(200);
        app.clock.advance(Duration::seconds(1));
        jane.get("/users/me").await.refused(401, "UNAUTHORIZED");
    }

    async fn a_refresh_gives_a_new_pair_and_the_old_access_token_is_ignored(app: &TestApp) {
        app.user("jane").await;
        let first = signed_in(app, "jane").await;
        app.clock.advance(Duration::minutes(20));
        let stale = client(app, &first);
        stale.get("/users/me").await.refused(401, "UNAUTHORIZED");
        let second = refresh(&stale, &first).await.data(200);
        assert_ne!(first["refreshToken"], second["refreshToken"]);
        assert_eq!(second["user"]["username"], "jane");
        client(app, &second).get("/users/me").await.data(200);
        let third = refresh(&app.stranger().with_token("garbage"), &second).await.data(200);
        client(app, &third).get("/users/me").await.data(200);
    }

    // Seen failing without `end_session` in `session::refresh`: the access token still worked.
    async fn a_refresh_token_that_comes_again_ends_its_whole_family(app: &TestApp) {
        app.user("jane").await;
        let other = signed_in(app, "jane").await;
        let first = signed_in(app, "jane").await;
        let second = refresh(&app.stranger(), &first).await.data(200);
        let third = refresh(&app.stranger(), &second).await.data(200);
        refresh(&app.stranger(), &first).await.refused(401, "REFRESH_TOKEN_REUSED");
        for session in [&first, &second, &third] {
            client(app, session).get("/users/me").await.refused(401, "UNAUTHORIZED");
            refresh(&app.stranger(), session).await.refused(401, "INVALID_REFRESH_TOKEN");
        }
        client(app, &other).get("/users/me").await.data(200);
        refresh(&app.stranger(), &other).await.data(200);
    }

    async fn of_two_refreshes_at_once_one_wins_and_the_family_ends(app: &TestApp) {
        app.user("jane").await;
        for _ in 0..5 {
            let session = signed_in(app, "jane").await;
            let (one, two) = (app.stranger(), app.stranger());
            let (one, two) = tokio::join!(refresh(&one, &session), refresh(&two, &session));
            let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
            lost.refused(401, "REFRESH_TOKEN_REUSED");
            let won = won.data(200);
            client(app, &won).get("/users/me").await.refused(401, "UNAUTHORIZED");
            refresh(&app.stranger(), &won).await.refused(401, "INVALID_REFRESH_TOKEN");
        }
    }

    async fn a_refresh_token_lives_30_days_from_its_own_birth(app: &TestApp) {
        app.user("jane").await;
        let first = signed_in(app, "jane").await;
        let other = signed_in(app, "jane").await;
        app.days_pass(29);
        let second = refresh(&app.stranger(), &first).await.data(200);
        app.days_pass(1);
        refresh(&app.stranger(), &other).await.refused(401, "INVALID_REFRESH_TOKEN");
        app.days_pass(29);
        refresh(&app.stranger(), &second).await.refused(401, "INVALID_REFRESH_TOKEN");
    }

    async fn a_refresh_token_must_be_one(app: &TestApp) {
        app.user("jane").await;
        let session = signed_in(app, "jane").await;
        let stranger = app.stranger();
        for body in [
            json!({}),
            json!({ "refreshToken": 7 }),
            json!({ "refreshToken": "a\u{0}" }),
            json!({ "refreshToken": null }),
            json!({ "refreshToken": "x".repeat(257) }),
        ] {
            assert_eq!(
                stranger.post("/users/auth/refresh", body).await.faults(),
                ["/refreshToken"]
            );
        }
        for body in [json!({ "refreshToken": "" }), json!({ "refreshToken": session["token"] })] {
            let answer = stranger.post("/users/auth/refresh", body).await;
            answer.refused(401, "INVALID_REFRESH_TOKEN");
        }
        let unknown = json!({ "refreshToken": format!("berth_rt_{}", "0".repeat(64)) });
        stranger.post("/users/auth/refresh", unknown).await.refused(401, "INVALID_REFRESH_TOKEN");
        // A refresh token is no access token.
        let wrong_way = stranger.with_token(session["refreshToken"].as_str().unwrap());
        wrong_way.get("/users/me").await.refused(401, "UNAUTHORIZED");
        refresh(&stranger, &session).await.data(200);
    }

    async fn a_log_out_ends_all_sessions_of_the_account_but_no_api_token(app: &TestApp) {
        let jane = app.user("jane").await;
        let john = app.user("john").await;
        let elsewhere = signed_in(app, "jane").await;
        let body = json!({ "alias": "script", "permissions": { "*": true } });
        let token = jane.post("/auth/tokens", body).await.data(201);
        let answer = jane.post("/users/auth/logout", json!({})).await;
        assert_eq!(answer.body["message"], "Logout successful");
        answer.data(200);
        jane.get("/users/me").await.refused(401, "UNAUTHORIZED");
        jane.post("/users/auth/logout", json!({})).await.refused(401, "UNAUTHORIZED");
        client(app, &elsewhere).get("/users/me").await.refused(401, "UNAUTHORIZED");
        refresh(&app.stranger(), &elsewhere).await.refused(401, "INVALID_REFRESH_TOKEN");
        client(app, &token).get("/users/me").await.data(200);
        john.get("/users/me").await.data(200);
        app.log_in("jane").await.get("/users/me").await.data(200);
    }

    // Seen failing, with a session opened, without the second look in `session::log_in`.
    async fn a_log_in_that_a_new_password_overtakes_opens_nothing(app: &TestApp) {
        let jane = app.user("jane").await;
        let overtaken = Overtaken { jane: jane.clone() };
        let parts = &app.app;
        let request = LogIn {
            from: None,
            login: "jane".to_owned(),
            password: PASSWORD.into(),
            lifetime: Duration::days(30),
        };
        let (store, clock, random) =
            (parts.store.as_ref(), parts.clock.as_ref(), parts.random.as_ref());
        let outcome = session::log_in(store, clock, random, &overtaken, request).await;
        let refused: domain::Result<()> = Err(Error::Unauthenticated(Unauthenticated::Password));
        assert_eq!(format!("{:?}", outcome.map(|_| ())), format!("{refused:?}"));
        jane.get("/users/me").await.data(200);
    }

    async fn a_forged_access_token_is_refused(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = jane.authorization.clone().unwrap().replace("Bearer ", "");
        let parts: Vec<&str> = token.split('.').collect();
        // {"alg":"none","typ":"JWT"}, once with the signature left out and once with it kept.
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let forged = [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{}.{}.{}A", parts[0], parts[1], parts[2]),
            String::new(),
            ".".into(),
            "..".into(),
            "ü".into(),
            "x".repeat(5_000),
        ];
        for token in forged {
            app.stranger().with_token(&token).get("/users/me").await.refused(401, "UNAUTHORIZED");
        }
        for header in ["", "Bearer", "Bearer ", "Basic amFuZTpqYW5l", &format!("Basic {token}")] {
            let mut client = app.stranger();
            client.authorization = Some(header.to_owned());
            client.get("/users/me").await.refused(401, "UNAUTHORIZED");
        }
    }
}

/// Finds every password right, and changes it before it says so.
struct Overtaken {
    jane: Client,
}

#[async_trait]
impl Passwords for Overtaken {
    async fn hash(&self, _: &Password) -> domain::Result<PasswordHash> {
        Err(Error::internal("nothing is hashed in a log-in"))
    }

    async fn verify(&self, _: &SecretString, _: Option<&PasswordHash>) -> domain::Result<bool> {
        let body = json!({ "password": "another long one", "current_password": PASSWORD });
        self.jane.patch(&format!("/users/{}", self.jane.id), body).await.data(200);
        Ok(true)
    }
}

/// The bytes of every file of the database, the write-ahead log among them.
pub fn bytes_of(app: &TestApp) -> Vec<u8> {
    let file = app.database.url.strip_prefix("sqlite://").unwrap();
    let folder = std::path::Path::new(file).parent().unwrap();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

#[tokio::test]
async fn no_secret_stands_in_the_database() {
    let app = TestApp::start(Kind::Sqlite).await;
    let jane = app.user("jane").await;
    let session = signed_in(&app, "jane").await;
    let newer = refresh(&app.stranger(), &session).await.data(200);
    let body = json!({ "alias": "script", "permissions": { "*": true } });
    let token = jane.post("/auth/tokens", body).await.data(201)["token"].clone();
    app.stranger().with_token(token.as_str().unwrap()).get("/users/me").await.data(200);
    let new_password = "a password like no other";
    let body = json!({ "password": new_password, "current_password": PASSWORD });
    jane.patch(&format!("/users/{}", jane.id), body).await.data(200);

    let bytes = bytes_of(&app);
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    // The control: what is stored in the clear is found.
    assert!(
        holds("jane@example.org") && holds("$argon2id$") && holds(&token.as_str().unwrap()[..10])
    );
    let access = jane.authorization.clone().unwrap().replace("Bearer ", "");
    let mut secrets = vec![PASSWORD, new_password, &access, token.as_str().unwrap()];
    for session in [&session, &newer] {
        secrets.extend(["token", "refreshToken"].map(|key| session[key].as_str().unwrap()));
    }
    for secret in secrets {
        // A secret without its recognisable prefix must not be there either.
        let body = secret.trim_start_matches("berth_rt_").trim_start_matches("berth_");
        assert!(!holds(secret) && !holds(body), "found {secret:.12}… in the database");
    }
    app.finish().await;
}
