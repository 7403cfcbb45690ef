//! API tokens.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

const UNKNOWN: &str = "/auth/tokens/0123456789abcdef01234567";

/// Makes a token; answers its details with the secret.
async fn create(owner: &Client, permissions: Value) -> Value {
    let body = json!({ "alias": "script", "permissions": permissions });
    owner.post("/auth/tokens", body).await.data(201)
}

fn bearing(app: &TestApp, token: &Value) -> Client {
    app.stranger().with_token(token["token"].as_str().unwrap())
}

fn path(token: &Value) -> String {
    format!("/auth/tokens/{}", token["id"].as_str().unwrap())
}

on_both_databases! {
    async fn a_secret_is_shown_once(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = create(&jane, json!({ "*": true })).await;
        let secret = token["token"].as_str().unwrap();
        assert!(secret.starts_with("berth_") && secret.len() == 44, "{secret}");
        assert_eq!(token["prefix"], secret[..10]);
        let mut answers = vec![jane.get("/auth/tokens").await, jane.get(&path(&token)).await];
        answers.push(bearing(app, &token).get("/auth/tokens/me").await);
        answers.push(jane.put(&path(&token), json!({ "alias": "renamed" })).await);
        for answer in answers {
            assert!(!answer.body.to_string().contains(&secret[10..]), "{}", answer.body);
            let data = answer.data(200);
            let shown = if data.is_array() { &data[0] } else { &data };
            assert_eq!((&shown["id"], &shown["prefix"]), (&token["id"], &token["prefix"]));
            assert_eq!(shown.get("token"), None);
        }
        app.clock.advance(Duration::seconds(1));
        let another = create(&jane, json!({ "*": true })).await;
        assert_ne!(token["token"], another["token"]);
        let list = jane.get("/auth/tokens").await.data(200);
        assert_eq!(
            (&list[0]["id"], &list[1]["id"]),
            (&another["id"], &token["id"]),
            "newest first"
        );
    }

    async fn a_token_is_accepted_bare_and_as_bearer_and_a_typing_error_is_not(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = create(&jane, json!({ "profile": { "read": true } })).await;
        let secret = token["token"].as_str().unwrap();
        let last = if secret.ends_with('0') { "1" } else { "0" };
        let typo = format!("{}{last}", &secret[..43]);
        for (header, status) in [
            (secret.to_owned(), 200),
            (format!("Bearer {secret}"), 200),
            (format!("bearer  {secret} "), 200),
            (typo.clone(), 401),
            (format!("Bearer {typo}"), 401),
            (secret[..43].to_owned(), 401),
            (format!("{secret}0"), 401),
            (secret.to_uppercase(), 401),
            (secret[6..].to_owned(), 401),
        ] {
            let mut client = app.stranger();
            client.authorization = Some(header.clone());
            assert_eq!(client.get("/users/me").await.status, status, "{header}");
        }
    }

    async fn a_tree_of_permissions_is_read_in_every_spelling(app: &TestApp) {
        let jane = app.user("jane").await;
        for (tree, rentals, wallet, pools) in [
            (json!({ "*": true }), 200, 200, 200),
            (json!({ "rentals": { "read": true } }), 200, 403, 403),
            (json!({ "rentals.read": true, "wallet": { "read": true } }), 200, 200, 403),
            (json!({ "rentals": { "*": true } }), 200, 403, 403),
            (json!({ "rentals.*": true, "wallet.*": false }), 200, 403, 403),
            (json!({ "rentals": { "read": false }, "pools": { "read": true } }), 403, 403, 200),
            (json!({ "*": false }), 403, 403, 403),
            (json!({ "rentals": {} }), 403, 403, 403),
            (json!({}), 403, 403, 403),
        ] {
            let client = bearing(app, &create(&jane, tree.clone()).await);
            for (path, status, permission) in [
                ("/rentals", rentals, "rentals.read"),
                ("/servers", rentals, "rentals.read"),
                ("/wallet/balances", wallet, "wallet.read"),
                ("/wallet/transactions", wallet, "wallet.read"),
                ("/pools", pools, "pools.read"),
            ] {
                let answer = client.get(path).await;
                assert_eq!(answer.status, status, "{tree} {path}: {}", answer.body);
                if status == 403 {
                    answer.refused(403, "INSUFFICIENT_SCOPE");
                    assert_eq!(answer.body["data"], json!({ "permission": permission }));
                    assert!(answer.body["message"].as_str().unwrap().contains(permission));
                }
            }
        }
    }

    async fn a_token_is_checked_before_it_is_made(app: &TestApp) {
        let jane = app.user("jane").await;
        let answer = jane.post("/auth/tokens", json!({})).await;
        assert_eq!(answer.faults(), ["/alias", "/permissions"]);
        let body = json!({
            "alias": 7, "expires_at": true, "ip_whitelist": "127.0.0.1", "permissions": [],
        });
        let answer = jane.post("/auth/tokens", body).await;
        assert_eq!(answer.faults(), ["/alias", "/expires_at", "/ip_whitelist", "/permissions"]);
        for tree in [
            json!({ "rentals": { "burn": true } }),
            json!({ "rentals": 1 }),
            json!({ "rentals": true }),
            json!({ "a\u{0}": true }),
            json!({ "": true }),
            json!({ "rentals": { "read": { "x": true } } }),
        ] {
            let body = json!({ "alias": "script", "permissions": tree });
            assert_eq!(jane.post("/auth/tokens", body).await.faults(), ["/permissions"], "{tree}");
        }
        for (key, value) in [
            ("alias", json!("")),
            ("alias", json!("a\u{0}b")),
            ("alias", json!("x".repeat(101))),
            ("expires_at", json!("tomorrow")),
            ("expires_at", json!("2025-01-21T22:00:00Z")),
            ("expires_at", json!("99999-01-01T00:00:00Z")),
            ("expires_at", json!(1_900_000_000)),
            ("ip_whitelist", json!(["127.0.0"])),
            ("ip_whitelist", json!(["10.0.0.0/33"])),
            ("ip_whitelist", json!([7])),
            ("ip_whitelist", json!(["\u{0}"])),
            ("ip_whitelist", json!(vec!["10.0.0.1"; 101])),
        ] {
            let mut body = json!({ "alias": "script", "permissions": {} });
            body[key] = value.clone();
            let answer = jane.post("/auth/tokens", body).await;
            assert_eq!(answer.faults(), [format!("/{key}")], "{value:.40}");
        }
        jane.post("/auth/tokens", json!([])).await.refused(400, "MALFORMED_JSON");
        assert_eq!(jane.get("/auth/tokens").await.data(200), json!([]));
    }

    async fn a_token_grants_no_more_than_it_holds(app: &TestApp) {
        let jane = app.user("jane").await;
        let all = create(&jane, json!({ "*": true })).await;
        let some =
            create(&jane, json!({ "tokens": { "*": true }, "pools": { "read": true } })).await;
        let some_client = bearing(app, &some);
        let wish = |tree: Value| json!({ "alias": "more", "permissions": tree });
        for tree in [
            json!({ "*": true }),
            json!({ "pools": { "write": true } }),
            json!({ "pools.*": true }),
        ] {
            let answer = some_client.post("/auth/tokens", wish(tree.clone())).await;
            answer.refused(403, "INSUFFICIENT_SCOPE");
            let answer = some_client.put(&path(&some), json!({ "permissions": tree })).await;
            answer.refused(403, "INSUFFICIENT_SCOPE");
        }
        // Nor does it touch one that can do more, not even to lengthen its life.
        let longer = json!({ "expires_at": null });
        some_client.put(&path(&all), longer).await.refused(403, "INSUFFICIENT_SCOPE");
        some_client
            .post("/auth/tokens", wish(json!({ "pools": { "read": true } })))
            .await
            .data(201);
        assert_eq!(jane.get("/auth/tokens").await.data(200).as_array().unwrap().len(), 3);
    }

    async fn a_renters_token_is_no_operators(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = create(&jane, json!({ "*": true })).await;
        bearing(app, &token).get("/admin/users").await.refused(403, "OPERATOR_REQUIRED");
    }

    async fn a_token_stops_at_its_end(app: &TestApp) {
        let jane = app.user("jane").await;
        let end = "2025-01-21T23:00:00.000Z";
        let body = json!({ "alias": "s", "permissions": { "*": true }, "expires_at": end });
        let token = jane.post("/auth/tokens", body).await.data(201);
        assert_eq!(token["expires_at"], "2025-01-21T23:00:00.000Z");
        let client = bearing(app, &token);
        app.clock.advance(Duration::hours(1) - Duration::seconds(1));
        client.get("/users/me").await.data(200);
        app.clock.advance(Duration::seconds(1));
        client.get("/users/me").await.refused(401, "UNAUTHORIZED");
        client.get("/auth/tokens/me").await.refused(401, "UNAUTHORIZED");
        // Its owner may give it more time.
        let jane = app.log_in("jane").await;
        let past = json!({ "expires_at": "2025-01-21T22:59:59.000Z" });
        assert_eq!(jane.put(&path(&token), past).await.faults(), ["/expires_at"]);
        jane.put(&path(&token), json!({ "expires_at": null })).await.data(200);
        client.get("/users/me").await.data(200);
    }

    async fn a_token_works_from_its_addresses_only(app: &TestApp) {
        let jane = app.user("jane").await;
        for (allowed, status) in [
            (json!(["127.0.0.1"]), 200),
            (json!(["10.0.0.0/8", "127.0.0.0/8"]), 200),
            (json!([]), 200),
            (json!(null), 200),
            (json!(["0.0.0.0/0"]), 200),
            (json!(["127.0.0.2"]), 401),
            (json!(["10.0.0.0/8", "2001:db8::/32"]), 401),
            (json!(["::/0"]), 401),
        ] {
            let body =
                json!({ "alias": "s", "permissions": { "*": true }, "ip_whitelist": allowed });
            let token = jane.post("/auth/tokens", body).await.data(201);
            if allowed.is_array() {
                assert_eq!(token["ip_whitelist"], allowed);
            }
            let client = bearing(app, &token);
            assert_eq!(client.get("/users/me").await.status, status, "{allowed}");
            // What a client says of itself is not believed.
            let headers = [("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1")];
            let answer = client.send(reqwest::Method::GET, "/users/me", &headers, None).await;
            assert_eq!(answer.status, status, "{allowed}");
        }
    }

    async fn the_last_use_is_noted_to_the_minute(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = create(&jane, json!({ "*": true })).await;
        assert_eq!((&token["last_used_at"], &token["last_used_ip"]), (&Value::Null, &Value::Null));
        let client = bearing(app, &token);
        let used = async || {
            let data = jane.get(&path(&token)).await.data(200);
            (data["last_used_at"].clone(), data["last_used_ip"].clone())
        };
        assert_eq!(used().await.0, Value::Null);
        client.get("/users/me").await.data(200);
        assert_eq!(used().await, (json!("2025-01-21T22:00:00.000Z"), json!("127.0.0.1")));
        app.clock.advance(Duration::seconds(59));
        client.get("/users/me").await.data(200);
        assert_eq!(used().await.0, "2025-01-21T22:00:00.000Z");
        app.clock.advance(Duration::seconds(1));
        client.get("/users/me").await.data(200);
        assert_eq!(used().await.0, "2025-01-21T22:01:00.000Z");
    }

    async fn a_change_takes_effect_at_once_and_keeps_the_rest(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = create(&jane, json!({ "rentals": { "read": true } })).await;
        let client = bearing(app, &token);
        client.get("/rentals").await.data(200);
        let body = json!({ "permissions": { "pools": { "read": true } } });
        let changed = jane.put(&path(&token), body).await.data(200);
        assert_eq!((&changed["alias"], &changed["prefix"]), (&token["alias"], &token["prefix"]));
        client.get("/rentals").await.refused(403, "INSUFFICIENT_SCOPE");
        client.get("/pools").await.data(200);
        jane.put(&path(&token), json!({ "ip_whitelist": ["10.0.0.1"] })).await.data(200);
        client.get("/pools").await.refused(401, "UNAUTHORIZED");
        let changed = jane.put(&path(&token), json!({ "ip_whitelist": [] })).await.data(200);
        assert_eq!(changed["permissions"], json!({ "pools": { "read": true } }));
        client.get("/pools").await.data(200);
        let answer =
            jane.put(&path(&token), json!({ "alias": 7, "permissions": { "x": 1 } })).await;
        assert_eq!(answer.faults(), ["/alias", "/permissions"]);
    }

    async fn a_deleted_token_stops_at_once(app: &TestApp) {
        let jane = app.user("jane").await;
        let token = create(&jane, json!({ "*": true })).await;
        let client = bearing(app, &token);
        client.get("/users/me").await.data(200);
        jane.delete(&path(&token)).await.data(200);
        client.get("/users/me").await.refused(401, "UNAUTHORIZED");
        jane.delete(&path(&token)).await.refused(404, "TOKEN_NOT_FOUND");
        jane.get(&path(&token)).await.refused(404, "TOKEN_NOT_FOUND");
        jane.put(&path(&token), json!({ "alias": "x" })).await.refused(404, "TOKEN_NOT_FOUND");
        assert_eq!(jane.get("/auth/tokens").await.data(200), json!([]));
        // It may end itself.
        let token = create(&jane, json!({ "tokens": { "write": true } })).await;
        bearing(app, &token).delete(&path(&token)).await.data(200);
        bearing(app, &token).get("/auth/tokens/me").await.refused(401, "UNAUTHORIZED");
    }

    async fn another_persons_token_is_not_found(app: &TestApp) {
        let jane = app.user("jane").await;
        let john = app.user("john").await;
        let token = create(&jane, json!({ "*": true })).await;
        for path in [&path(&token), UNKNOWN, "/auth/tokens/7", "/auth/tokens/%00"] {
            john.get(path).await.refused(404, "TOKEN_NOT_FOUND");
            john.put(path, json!({ "alias": "mine" })).await.refused(404, "TOKEN_NOT_FOUND");
            john.delete(path).await.refused(404, "TOKEN_NOT_FOUND");
        }
        assert_eq!(john.get("/auth/tokens").await.data(200), json!([]));
        assert_eq!(jane.get(&path(&token)).await.data(200)["alias"], "script");
        bearing(app, &token).get("/users/me").await.data(200);
    }

    async fn a_log_in_is_no_api_token(app: &TestApp) {
        app.user("jane").await.get("/auth/tokens/me").await.refused(401, "UNAUTHORIZED");
    }

    async fn a_user_holds_at_most_100_tokens(app: &TestApp) {
        let jane = app.user("jane").await;
        for _ in 0..99 {
            create(&jane, json!({})).await;
        }
        let body = json!({ "alias": "last", "permissions": {} });
        let (one, two) =
            tokio::join!(jane.post("/auth/tokens", body.clone()), jane.post("/auth/tokens", body));
        let (made, refused) = if one.status == 201 { (one, two) } else { (two, one) };
        assert_eq!(refused.faults(), ["/alias"]);
        jane.delete(&path(&made.data(201))).await.data(200);
        create(&jane, json!({})).await;
        assert_eq!(jane.get("/auth/tokens").await.data(200).as_array().unwrap().len(), 100);
    }
}
