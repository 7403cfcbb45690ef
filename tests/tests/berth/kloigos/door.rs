//! Paths, methods, redirects, documents, and who comes in.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Options, TestApp, on_both_databases};

use super::{delete, get, is_refused, post, rows, server, states, wish, with_host};
use crate::deals::boss;

on_both_databases! {
    async fn a_path_is_found_with_or_without_its_slash_and_by_its_method_alone(app: &TestApp) {
        let boss = boss(app).await;
        let here = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let here = here.build().unwrap();
        let answer = here
            .get(format!("{}/kloigos/api/compute_units?status=FREE&zone=a%20b", app.address))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 307);
        let there = answer.headers()["location"].to_str().unwrap();
        assert_eq!(there, "/kloigos/api/compute_units/?status=FREE&zone=a%20b");
        // A client follows with its token.
        assert_eq!(get(&boss, "/compute_units?status=FREE").await.body, json!([]));

        is_refused(&get(&boss, "/nothing").await, 404, "Not Found");
        is_refused(&get(&boss, "/admin").await, 404, "Not Found");
        for (method, path, allowed) in [
            (Method::GET, "/compute_units/allocate", "POST"),
            (Method::POST, "/compute_units/", "GET"),
            (Method::POST, "/compute_units/deallocate/x", "DELETE"),
            (Method::GET, "/admin/init_server", "POST"),
            (Method::PUT, "/admin/decommission_server/x", "DELETE"),
        ] {
            let path = format!("/!kloigos/api{path}");
            let answer = boss.send(method, &path, &[], None).await;
            is_refused(&answer, 405, "Method Not Allowed");
            assert_eq!(answer.headers["allow"], allowed, "{path}");
        }
    }

    async fn nobody_comes_in_without_a_token(app: &TestApp) {
        let stranger = app.stranger();
        let wrong = stranger.with_token("nonsense");
        for client in [&stranger, &wrong] {
            for answer in [
                get(client, "/compute_units/").await,
                post(client, "/compute_units/allocate", wish(json!({}))).await,
                delete(client, "/compute_units/deallocate/x").await,
                post(client, "/admin/init_server", server("h1", &["0"])).await,
                delete(client, "/admin/decommission_server/x").await,
            ] {
                is_refused(&answer, 401, "Not authenticated");
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            }
        }
        // A token says what it may do.
        let alice = app.user("alice").await;
        let wish_for =
            json!({ "alias": "reads", "permissions": { "instances": { "read": true } } });
        let made = alice.post("/auth/tokens", wish_for).await.data(201);
        let reads = alice.with_token(made["token"].as_str().unwrap());
        assert_eq!(get(&reads, "/compute_units/").await.status, 200);
        assert_eq!(post(&reads, "/compute_units/allocate", wish(json!({}))).await.status, 403);
        assert_eq!(delete(&reads, "/compute_units/deallocate/x").await.status, 403);
    }

    async fn what_is_not_known_is_not_found(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let unknown = delete(&boss, "/compute_units/deallocate/h9_c0-3").await;
        is_refused(&unknown, 404, "Compute Unit not found");
        let free = delete(&boss, "/compute_units/deallocate/h1_c0-3").await;
        is_refused(&free, 409, "The compute unit is not allocated");
        for name in ["h9", "h%209"] {
            let unknown = delete(&boss, &format!("/admin/decommission_server/{name}")).await;
            is_refused(&unknown, 404, "Server not found");
        }
        let alice = app.user("alice").await;
        assert_eq!(delete(&alice, "/admin/decommission_server/h%209").await.status, 403);
    }

    async fn the_document_names_every_operation_and_is_there_to_try(app: &TestApp) {
        let stranger = app.stranger();
        let document = stranger.get("/!kloigos/openapi.json").await;
        assert_eq!(document.status, 200);
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!("kloigos_openapi", document.body);
        });
        assert_eq!(stranger.get("/!kloigos/docs").await.status, 200);
        let script = stranger.get("/!kloigos/docs/swagger-initializer.js").await;
        assert!(script.body.as_str().unwrap().contains("/kloigos/openapi.json"));
        // On a host name of its own it is where its clients know it.
        let own = [("host", "kloigos.example")];
        let document = stranger.send(Method::GET, "/!openapi.json", &own, None).await;
        assert_eq!(document.body["servers"], json!([{ "url": "/api" }]));
        let boss = boss(app).await;
        let list = boss.send(Method::GET, "/!api/compute_units/", &own, None).await;
        assert_eq!((list.status, &list.body), (200, &json!([])));
        assert_eq!(stranger.send(Method::GET, "/!docs/", &own, None).await.status, 200);
    }
}

on_both_databases! {
    with Options { open: true, ..Options::default() };

    async fn without_authentication_all_calls_are_of_one_account(app: &TestApp) {
        // Nobody gets its calls by taking its name.
        let alice = app.user("kloigos").await;
        let anybody = app.stranger();
        let begun = post(&anybody, "/admin/init_server", server("h1", &["0-3", "4-7"])).await;
        assert_eq!(begun.status, 200, "{}", begun.body);
        app.do_jobs().await;
        let unit = post(&anybody, "/compute_units/allocate", wish(json!({}))).await;
        assert_eq!(unit.status, 200, "{}", unit.body);
        // But not for somebody else's page in an operator's browser, however it got here.
        for (name, value, status) in [
            ("origin", "https://evil.example", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("host", "evil.example", 403),
            ("host", "localhost:8080", 200),
            ("host", "[::1]", 200),
            ("sec-fetch-site", "same-origin", 200),
        ] {
            let path = "/!kloigos/api/compute_units/";
            let answer = anybody.send(Method::GET, path, &[(name, value)], None).await;
            assert_eq!(answer.status, status, "{name}: {value}");
        }
        let mistaken = anybody.with_token("nonsense");
        assert_eq!(rows(&mistaken, "?status=ALLOCATED").await.len(), 1);
        assert_eq!(alice.get("/instances").await.data(200), json!([]));
        assert_eq!(delete(&anybody, "/compute_units/deallocate/h1_c0-3").await.status, 200);
        app.do_jobs().await;
        assert_eq!(delete(&anybody, "/admin/decommission_server/h1").await.status, 200);
        app.do_jobs().await;
        assert_eq!(states(&anybody, "").await[0].1, "DECOMMISSIONED");
    }
}

on_both_databases! {
    with Options { lenient: true, ..Options::default() };

    async fn where_an_operator_wants_it_so_what_is_not_known_is_done(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        for path in ["/compute_units/deallocate/h9_c0-3", "/admin/decommission_server/h9"] {
            let answer = delete(&boss, path).await;
            assert_eq!((answer.status, &answer.body), (200, &Value::Null), "{path}");
        }
        let free = delete(&boss, "/compute_units/deallocate/h1_c0-3").await;
        is_refused(&free, 409, "The compute unit is not allocated");
    }
}
