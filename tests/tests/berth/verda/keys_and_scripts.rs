use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};

use super::{ask, delete, get, is_refused, post, program};
use crate::scripts::SCRIPTS;

const KEY: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane";
const UNKNOWN: &str = "00000000-0000-8000-8000-000000000000";

on_both_databases! {
    async fn keys_have_two_paths_and_bare_ids(app: &TestApp) {
        let program = program(&app.user("jane").await).await;
        let made = post(&program, "/sshkeys", json!({ "name": "my-key", "key": KEY })).await;
        assert_eq!(made.status, 201);
        assert_eq!(made.headers["content-type"], "application/json");
        assert_eq!(made.headers["content-length"], "36", "an id and no quotes around it");
        // The Python SDK takes the body as it is: quotes would become part of the id.
        let Value::String(id) = &made.body else { panic!("{}", made.body) };
        for path in ["/sshkeys", "/ssh-keys"] {
            let list = get(&program, path).await.body;
            // SkyPilot finds its key by the text.
            assert_eq!(list[0]["key"], KEY);
            // Both SDKs take the first of an array, against the document.
            let one = get(&program, &format!("{path}/{id}")).await.body;
            assert_eq!(one, list);
            assert_eq!((&one[0]["id"], &one[0]["name"]), (&json!(id), &json!("my-key")));
            assert!(one[0]["created_at"].as_str().unwrap().ends_with('Z'));
        }
        // dstack adds its key for every instance, and takes each away with its instance.
        let again = post(&program, "/ssh-keys", json!({ "name": "again", "key": KEY })).await;
        assert_eq!(again.status, 201);
        let path = format!("/ssh-keys/{}", again.body.as_str().unwrap());
        assert_eq!(delete(&program, &path, None).await.status, 200);
        let bad = post(&program, "/sshkeys", json!({ "name": "", "key": "x" })).await;
        assert_eq!((bad.status, &bad.body["code"]), (400, &json!("invalid_request")));

        // The Python SDK sends a body with DELETE.
        let gone = delete(&program, "/sshkeys", Some(json!({ "keys": [id] }))).await;
        assert_eq!(gone.status, 200);
        let refusal = delete(&program, &format!("/ssh-keys/{id}"), None).await;
        is_refused(&refusal, 404, "not_found", "SSH key not found");
        for id in [UNKNOWN, "x", "%2e%2e"] {
            let refusal = get(&program, &format!("/sshkeys/{id}")).await;
            assert_eq!((refusal.status, &refusal.body["code"]), (404, &json!("not_found")), "{id}");
        }
        // The Go SDK's own tests delete no keys at all.
        let none = delete(&program, "/sshkeys", Some(json!({ "keys": [] }))).await;
        assert_eq!(none.status, 200);
        let wrong = ask(&program, Method::PATCH, "/sshkeys", None).await;
        is_refused(&wrong, 405, "invalid_request", "This path does not take this method");
    }

    async fn scripts_come_in_pages_with_the_newest_first(app: &TestApp) {
        let program = program(&app.user("jane").await).await;
        let mut ids = Vec::new();
        for number in 0..12 {
            app.clock.advance(chrono::Duration::seconds(1));
            let content = format!("#!/bin/sh\n{number}");
            let wish = json!({ "name": format!("script {number}"), "script": content });
            let made = post(&program, "/scripts", wish).await;
            assert_eq!(made.status, 201);
            ids.push(made.body.as_str().unwrap().to_owned());
        }
        let first = get(&program, "/scripts").await;
        let names = |page: &Value| -> Vec<String> {
            let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
            page.as_array().unwrap().iter().map(name).collect()
        };
        let numbered = |numbers: &[u32]| -> Vec<String> {
            numbers.iter().map(|number| format!("script {number}")).collect()
        };
        assert_eq!(names(&first.body), numbered(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
        let paging = |name: &str| first.headers[name].clone();
        assert_eq!(["x-page", "x-page-size", "x-total-count"].map(paging), ["1", "10", "12"]);
        let second = get(&program, "/scripts?page=2&pageSize=5").await;
        assert_eq!(names(&second.body), numbered(&[6, 5, 4, 3, 2]));
        assert_eq!(second.headers["x-page"], "2");
        assert_eq!(get(&program, "/scripts?page=9").await.body, json!([]));
        for query in ["page=0", "pageSize=101", "pageSize=x"] {
            let refusal = get(&program, &format!("/scripts?{query}")).await;
            assert_eq!((refusal.status, &refusal.body["code"]), (400, &json!("invalid_request")));
        }
        // The Python SDK takes the first of an array.
        let one = get(&program, &format!("/scripts/{}", ids[3])).await.body;
        assert_eq!(one[0]["script"], "#!/bin/sh\n3");
        let bulk = json!({ "scripts": [ids[0], ids[1]] });
        assert_eq!(delete(&program, "/scripts", Some(bulk)).await.status, 200);
        assert_eq!(delete(&program, &format!("/scripts/{}", ids[2]), None).await.status, 200);
        assert_eq!(get(&program, "/scripts").await.headers["x-total-count"], "9");
        // dstack sends the same lines for every instance, and does not say what runs them.
        for _ in 0..2 {
            let wish = json!({ "name": "dstack", "script": "echo hello" });
            let made = post(&program, "/scripts", wish).await;
            assert_eq!(made.status, 201);
            let path = format!("/scripts/{}", made.body.as_str().unwrap());
            assert_eq!(delete(&program, &path, None).await.status, 200);
        }
        // All or none.
        let mixed = json!({ "scripts": [ids[4], UNKNOWN] });
        let refusal = delete(&program, "/scripts", Some(mixed)).await;
        is_refused(&refusal, 404, "not_found", "Script not found");
        assert_eq!(get(&program, "/scripts").await.headers["x-total-count"], "9");
    }

    // The document's most; SkyPilot looks for these two words at the beginning.
    async fn a_project_has_at_most_a_thousand_scripts(app: &TestApp) {
        let program = program(&app.user("jane").await).await;
        SCRIPTS.fill(app, 999).await;
        let wish = |number: u32| json!({ "name": "script", "script": format!("echo {number}") });
        let last = post(&program, "/scripts", wish(1)).await;
        assert_eq!(last.status, 201);
        let refusal = post(&program, "/scripts", wish(2)).await;
        let told = "Limit exceeded: the project has 1000 of these already; delete one first";
        is_refused(&refusal, 400, "invalid_request", told);
        let path = format!("/scripts/{}", last.body.as_str().unwrap());
        assert_eq!(delete(&program, &path, None).await.status, 200);
        assert_eq!(post(&program, "/scripts", wish(2)).await.status, 201);
    }
}
