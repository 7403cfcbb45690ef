//! Signing up, looking at one's account and changing it.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{PASSWORD, TestApp, at_once, on_both_databases};

fn wish(username: &str) -> Value {
    let email = format!("{username}@example.org");
    json!({ "username": username, "email": email, "password": PASSWORD })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

on_both_databases! {
    async fn a_new_account_is_a_renter_with_an_empty_wallet_and_a_default_pool(app: &TestApp) {
        let body = with(wish("Jane_1"), "alias", json!("  Jane Smith "));
        let answer = app.stranger().post("/auth/signup", body).await;
        assert_eq!(answer.body["message"], "User registered successfully");
        let user = answer.data(201);
        assert_eq!(
            (&user["username"], &user["email"], &user["alias"], &user["role"]),
            (&json!("Jane_1"), &json!("Jane_1@example.org"), &json!("Jane Smith"), &json!("user"))
        );
        assert_eq!(user["created_at"], "2025-01-21T22:00:00.000Z");
        assert!(!user.to_string().contains("argon2"), "{user}");

        let jane = app.log_in("Jane_1").await;
        assert_eq!(user["id"], jane.id);
        assert_eq!(jane.balance_cents().await, 0);
        let pools = jane.get("/pools").await.data(200);
        assert_eq!(pools.as_array().unwrap().len(), 1);
        assert_eq!(pools[0]["is_default"], true);
    }

    async fn a_sign_up_hears_of_all_its_faults_at_once(app: &TestApp) {
        let stranger = app.stranger();
        let body =
            json!({ "username": "a b", "email": "nowhere", "password": "short", "alias": "" });
        let answer = stranger.post("/auth/signup", body).await;
        assert_eq!(answer.faults(), ["/username", "/email", "/password", "/alias"]);
        let answer = stranger.post("/auth/signup", json!({})).await;
        assert_eq!(answer.faults(), ["/username", "/email", "/password"]);
        let answer = stranger.send(Method::POST, "/auth/signup", &[], None).await;
        assert_eq!(answer.faults(), ["/username", "/email", "/password"]);
        let body = json!({ "username": 7, "email": ["a@b.de"], "password": null, "alias": {} });
        let answer = stranger.post("/auth/signup", body).await;
        assert_eq!(answer.faults(), ["/username", "/email", "/password", "/alias"]);
    }

    async fn a_body_that_is_no_object_is_refused(app: &TestApp) {
        let stranger = app.stranger();
        for body in [
            json!([]),
            json!(["jane", "jane@example.org", PASSWORD]),
            json!("text"),
            json!(7),
            json!(true),
            Value::Null,
        ] {
            stranger.post("/auth/signup", body).await.refused(400, "MALFORMED_JSON");
        }
    }

    async fn a_body_that_is_no_json_is_refused(app: &TestApp) {
        let http = reqwest::Client::new();
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let surrogate = "{\"username\":\"\\ud800\",\"refreshToken\":\"\\ud800\"}";
        let nested = format!("{{\"username\":{deep},\"refreshToken\":{deep}}}");
        for path in ["/auth/signup", "/users/auth/login", "/users/auth/refresh"] {
            for body in ["{", "username=jane", surrogate, "\u{feff}{}", &deep, &nested] {
                let request = http.post(format!("{}/api/v1{path}", app.address));
                let request =
                    request.header("content-type", "application/json").body(body.to_owned());
                let response = request.send().await.unwrap();
                assert_eq!(response.status(), 400, "{path}: {body:.40}");
                let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
                assert_eq!(answer["error"], "MALFORMED_JSON", "{path}: {body:.40}");
            }
            let request = http.post(format!("{}/api/v1{path}", app.address)).body("{}");
            assert_eq!(request.send().await.unwrap().status(), 415, "{path}");
        }
    }

    async fn odd_and_long_texts_are_refused_and_never_break_anything(app: &TestApp) {
        let stranger = app.stranger();
        let long = "x".repeat(100_000);
        let odd = [
            "",
            " ",
            "a\u{0}b",
            "\u{0}",
            "jane\n",
            "ja ne",
            "häns",
            "\u{202e}enaj",
            "' OR 1=1 --",
            &long,
        ];
        for text in odd {
            for key in ["username", "email", "password"] {
                let answer =
                    stranger.post("/auth/signup", with(wish("jane"), key, json!(text))).await;
                assert_eq!(answer.faults(), [format!("/{key}")], "{text:.20}");
            }
        }
        for alias in ["", " ", "a\u{0}b", "tab\there", &long] {
            let answer =
                stranger.post("/auth/signup", with(wish("jane"), "alias", json!(alias))).await;
            assert_eq!(answer.faults(), ["/alias"], "{alias:.20}");
        }
        let local = format!("{}@example.org", "a".repeat(65));
        for email in ["@b.de", "a@b", "a@b..de", "a@-b.de", "a@b@c.de", "a b@c.de", &local] {
            let answer =
                stranger.post("/auth/signup", with(wish("jane"), "email", json!(email))).await;
            assert_eq!(answer.faults(), ["/email"], "{email}");
        }
        // Every refusal changed nothing, and text beyond ASCII is welcome where it makes sense.
        let body = json!({
            "username": "jane", "email": "jane@bücher.example",
            "password": "zwölf 🐎 zeichen", "alias": "Jäne 🐎",
        });
        assert_eq!(stranger.post("/auth/signup", body).await.data(201)["alias"], "Jäne 🐎");
    }

    async fn a_common_password_or_ones_own_name_is_refused(app: &TestApp) {
        let common = [
            "password1234",
            "PassWord1234",
            "aaaaaaaaaaaa",
            "111222333444",
            "jane_developer",
            "JANE_developer@example.org",
        ];
        for password in common {
            let body = with(wish("jane_developer"), "password", json!(password));
            let answer = app.stranger().post("/auth/signup", body).await;
            assert_eq!(answer.faults(), ["/password"], "{password}");
        }
    }

    async fn names_and_addresses_are_taken_in_any_case(app: &TestApp) {
        app.user("jane").await;
        let stranger = app.stranger();
        let body = with(wish("JANE"), "email", json!("other@example.org"));
        stranger.post("/auth/signup", body).await.refused(409, "USERNAME_TAKEN");
        let body = with(wish("john"), "email", json!("Jane@Example.ORG"));
        stranger.post("/auth/signup", body).await.refused(409, "EMAIL_TAKEN");
        stranger.post("/auth/signup", wish("jane")).await.refused(409, "USERNAME_TAKEN");
    }

    async fn of_64_who_want_one_name_at_once_one_gets_it(app: &TestApp) {
        let answers = at_once((0..64).map(|number| {
            let stranger = app.stranger();
            // Half of them differ in the address, and the case does not matter.
            let name = if number % 2 == 0 { "jane" } else { "Jane" };
            let email = if number % 4 < 2 {
                "jane@example.org".into()
            } else {
                format!("{number}@example.org")
            };
            let body = with(wish(name), "email", json!(email));
            async move {
                loop {
                    let answer = stranger.post("/auth/signup", body.clone()).await;
                    // Hashing is limited to a few at once; the others are told to come again.
                    if answer.status != 429 {
                        return answer;
                    }
                    assert!(answer.headers.contains_key("retry-after"));
                }
            }
        }))
        .await;
        let with_status = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with_status(201), with_status(409)), (1, 63));
        let operator = app.operator("boss").await;
        assert_eq!(operator.get("/admin/users").await.data(200).as_array().unwrap().len(), 2);
    }

    async fn one_sees_ones_own_account_and_invitations(app: &TestApp) {
        let owner = app.user("owner").await;
        let jane = app.user("jane").await;
        let pool = owner.post("/pools", json!({ "name": "Team" })).await.data(201);
        let path = format!("/pools/{}/members", pool["id"].as_str().unwrap());
        owner.post(&path, json!({ "username": "jane", "role": "user" })).await.data(201);
        for path in ["/users/me", "/users/auth/me"] {
            let data = jane.get(path).await.data(200);
            assert_eq!((&data["id"], &data["username"]), (&json!(jane.id), &json!("jane")));
            assert_eq!(data["pending_pool_invitations"][0]["pool_name"], "Team");
            app.stranger().get(path).await.refused(401, "UNAUTHORIZED");
        }
    }

    async fn an_alias_is_changed_kept_and_removed(app: &TestApp) {
        let jane = app.user("jane").await;
        let path = format!("/users/{}", jane.id);
        assert_eq!(jane.put(&path, json!({ "alias": "J" })).await.data(200)["alias"], "J");
        assert_eq!(jane.patch(&path, json!({})).await.data(200)["alias"], "J");
        assert_eq!(jane.patch(&path, json!({ "alias": "J" })).await.data(200)["alias"], "J");
        for alias in [json!(7), json!(""), json!("a\u{0}"), json!("x".repeat(101))] {
            assert_eq!(jane.patch(&path, json!({ "alias": alias })).await.faults(), ["/alias"]);
        }
        assert_eq!(
            jane.patch(&path, json!({ "alias": null })).await.data(200)["alias"],
            Value::Null
        );
        assert_eq!(jane.get("/users/me").await.data(200)["alias"], Value::Null);
    }

    async fn nobody_changes_another_account(app: &TestApp) {
        let jane = app.user("jane").await;
        let john = app.user("john").await;
        let new = "another long one";
        let body = json!({ "alias": "Mine", "password": new, "current_password": PASSWORD });
        let path = format!("/users/{}", jane.id);
        john.put(&path, body.clone()).await.refused(403, "NOT_YOUR_ACCOUNT");
        john.patch(&path, body.clone()).await.refused(403, "NOT_YOUR_ACCOUNT");
        app.operator("boss")
            .await
            .patch(&path, body.clone())
            .await
            .refused(403, "NOT_YOUR_ACCOUNT");
        app.stranger().patch(&path, body.clone()).await.refused(401, "UNAUTHORIZED");
        // Whether the account exists is not told.
        let unknown = "/users/0123456789abcdef01234567";
        john.patch(unknown, body.clone()).await.refused(403, "NOT_YOUR_ACCOUNT");
        john.patch("/users/me%00", body).await.refused(404, "USER_NOT_FOUND");
        assert_eq!(app.log_in("jane").await.get("/users/me").await.data(200)["alias"], Value::Null);
    }

    async fn a_new_password_needs_the_present_one(app: &TestApp) {
        let jane = app.user("jane").await;
        let path = format!("/users/{}", jane.id);
        let new = "another long one";
        let answer = jane.patch(&path, json!({ "password": new, "alias": "J" })).await;
        assert_eq!(answer.faults(), ["/current_password"]);
        let body = json!({ "password": new, "current_password": "not the present one" });
        assert_eq!(jane.patch(&path, body).await.faults(), ["/current_password"]);
        let body = json!({ "password": "password1234", "current_password": 7 });
        assert_eq!(jane.patch(&path, body).await.faults(), ["/password", "/current_password"]);
        let body = json!({ "password": new, "current_password": "x".repeat(1_025) });
        assert_eq!(jane.patch(&path, body).await.faults(), ["/current_password"]);
        // The account's own name is as weak here as at the sign-up.
        let body = json!({ "password": "Jane@example.org", "current_password": PASSWORD });
        assert_eq!(jane.patch(&path, body).await.faults(), ["/password"]);
        app.log_in("jane").await;
        assert_eq!(jane.get("/users/me").await.data(200)["alias"], Value::Null);
    }

    async fn a_new_password_ends_the_other_sessions_and_keeps_this_one(app: &TestApp) {
        let jane = app.user("jane").await;
        let elsewhere = app.log_in("jane").await;
        let john = app.user("john").await;
        let new = "another long one";
        let body = json!({ "password": new, "current_password": PASSWORD });
        jane.put(&format!("/users/{}", jane.id), body).await.data(200);
        jane.get("/users/me").await.data(200);
        elsewhere.get("/users/me").await.refused(401, "UNAUTHORIZED");
        john.get("/users/me").await.data(200);

        let log_in = |password| json!({ "username": "jane", "password": password });
        let old = app.stranger().post("/users/auth/login", log_in(PASSWORD)).await;
        old.refused(401, "INVALID_CREDENTIALS");
        app.stranger().post("/users/auth/login", log_in(new)).await.data(200);
    }
}
