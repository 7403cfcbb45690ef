use serde_json::json;
use tests::{TestApp, on_both_databases};

use super::{delete, get, halves, post, token};
use crate::belongings::default_pool;

const KEY: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane";

on_both_databases! {
    /// Also where both projects belong to one person.
    async fn projects_see_nothing_of_each_other(app: &TestApp) {
        let (jane, john) = (app.renter("jane", "7.00").await, app.user("john").await);
        let first = default_pool(&jane).await;
        let made = jane.post("/pools", json!({ "name": "Second" })).await.data(201);
        let second = made["id"].as_str().unwrap().to_owned();
        let mut programs = Vec::new();
        let of_john = default_pool(&john).await;
        for (owner, pool) in [(&jane, &first), (&jane, &second), (&john, &of_john)] {
            let pair = token(owner, &halves(owner, pool).await).await.body;
            programs.push(owner.with_token(pair["access_token"].as_str().unwrap()));
        }
        let [one, sister, stranger] = <[_; 3]>::try_from(programs).ok().unwrap();
        let key = post(&one, "/sshkeys", json!({ "name": "secret name", "key": KEY })).await;
        let script = json!({ "name": "secret name", "script": "#!/bin/sh" });
        let script = post(&one, "/scripts", script).await;
        let (key, script) = (key.body.as_str().unwrap(), script.body.as_str().unwrap());
        assert_eq!(get(&one, "/balance").await.body["amount"], 7.0);
        for other in [&sister, &stranger] {
            for (path, id, field) in [("/sshkeys", key, "keys"), ("/scripts", script, "scripts")] {
                let list = get(other, path).await;
                assert_eq!(list.body, json!([]));
                if path == "/scripts" {
                    assert_eq!(list.headers["x-total-count"], "0");
                }
                let member = format!("{path}/{id}");
                let bulk = Some(json!({ field: [id] }));
                for refusal in [
                    get(other, &member).await,
                    delete(other, &member, None).await,
                    delete(other, path, bulk).await,
                ] {
                    assert_eq!(refusal.status, 404);
                    assert!(!refusal.body.to_string().contains("secret name"), "{}", refusal.body);
                }
            }
        }
        // What they add is their own, though it is the same person's.
        post(&sister, "/sshkeys", json!({ "name": "own", "key": KEY })).await;
        for (program, name) in [(&one, "secret name"), (&sister, "own")] {
            let keys = get(program, "/sshkeys").await.body;
            let names: Vec<_> = keys.as_array().unwrap().iter().map(|key| &key["name"]).collect();
            assert_eq!(names, [name]);
        }
        assert_eq!(get(&sister, "/balance").await.body["amount"], 7.0, "one owner pays for both");
        assert_eq!(get(&stranger, "/balance").await.body["amount"], 0.0);
    }
}
