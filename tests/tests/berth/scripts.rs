//! Scripts. What they have in common with SSH keys is tried in `belongings`.

use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};

use crate::belongings::Noun;

pub const SCRIPTS: Noun = Noun {
    path: "/scripts",
    code: "SCRIPT",
    event: "script",
    table: "scripts (id, pool_id, name, content, digest, created_at)",
    wish: |name| json!({ "name": name, "content": format!("#!/bin/sh\necho {name}\n") }),
};

on_both_databases! {
    async fn a_script_is_kept_as_it_was_sent_and_lists_are_without_it(app: &TestApp) {
        let jane = app.user("jane").await;
        let most = format!("#!/bin/sh\r\n# {}x", "ä".repeat(32_761));
        assert_eq!(most.len(), 64 * 1024);
        for content in ["#!", "echo", "#!/usr/bin/env python3\nprint('\u{1}')\n\n", &most] {
            let wish = json!({ "name": "hello", "content": content });
            let made = jane.post("/scripts", wish).await.data(201);
            assert_eq!((&made["content"], &made["author_id"]), (&json!(content), &json!(jane.id)));
            let id = made["id"].as_str().unwrap();
            assert_eq!(jane.get(&format!("/scripts/{id}")).await.data(200), made);
            let rows = jane.get("/scripts").await.data(200);
            let rows = rows.as_array().unwrap().clone();
            let mut row = made.clone();
            row.as_object_mut().unwrap().remove("content");
            assert!(rows.contains(&row), "{row}");
        }
    }

    async fn every_fault_of_a_script_is_named(app: &TestApp) {
        let jane = app.user("jane").await;
        assert_eq!(jane.post("/scripts", json!({})).await.faults(), ["/name", "/content"]);
        let large = format!("#!{}", "x".repeat(65_535));
        for content in [json!(""), json!(" \n"), json!("#!/bin/sh\0"),
            json!(large), json!(1), Value::Null] {
            let wish = json!({ "name": "", "content": content, "pool_id": 1 });
            let faults = ["/name", "/content", "/pool_id"];
            assert_eq!(jane.post("/scripts", wish).await.faults(), faults);
        }
        assert_eq!(jane.get("/scripts").await.data(200), json!([]));
    }
}
