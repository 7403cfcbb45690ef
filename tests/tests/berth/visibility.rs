//! Who sees what a pool has: those who have joined it, as long as they belong to it.

use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::belongings::default_pool;
use crate::instances::{fleet, id, ordered};

/// How many rows each list has, and the statuses of single things.
async fn seen(client: &Client, single: &[String]) -> (Vec<usize>, Vec<u16>) {
    let (mut lists, mut statuses) = (Vec::new(), Vec::new());
    for list in ["/instances", "/volumes", "/clusters", "/ssh-keys", "/scripts"] {
        lists.push(client.get(list).await.data(200).as_array().map_or(0, Vec::len));
    }
    for path in single {
        statuses.push(client.get(path).await.status);
    }
    (lists, statuses)
}

on_both_databases! {
    async fn only_who_has_joined_a_pool_sees_what_it_has(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let pool = default_pool(&jane).await;
        let instance = ordered(&jane, json!({})).await;
        let wish = json!({ "name": "data", "type": "NVMe", "size_gb": 5, "location": "FIN-03" });
        let volume = id(&jane.post("/volumes", wish).await.data(201));
        let nodes = json!({
            "plan": "tiny", "image": "ubuntu-24.04", "location": "FIN-03", "hostname": "node",
            "nodes": 2
        });
        let cluster = id(&jane.post("/clusters", nodes).await.data(201));
        let script = json!({ "name": "hello", "content": "#!/bin/sh" });
        jane.post("/scripts", script).await.data(201);
        let single = [("instances", &instance), ("volumes", &volume), ("clusters", &cluster)];
        let single = single.map(|(noun, id)| format!("/{noun}/{id}"));
        let all = (vec![3, 1, 1, 0, 1], vec![200; 3]);
        let nothing = (vec![0; 5], vec![404; 3]);
        assert_eq!(seen(&jane, &single).await, all);

        let john = app.user("john").await;
        let own = default_pool(&john).await;
        let members = format!("/pools/{pool}/members");
        assert_eq!(seen(&john, &single).await, nothing, "a stranger");
        jane.post(&members, json!({ "username": "john", "role": "user" })).await.data(201);
        assert_eq!(seen(&john, &single).await, nothing, "somebody invited");
        let pending = john.get("/pools/invitations/pending").await.data(200);
        let invitation = pending[0]["id"].as_str().unwrap();
        john.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
        assert_eq!(seen(&john, &single).await, all, "a member");
        let of_own = john.get(&format!("/instances?pool_id={own}")).await.data(200);
        assert_eq!(of_own, Value::Array(Vec::new()), "of another pool of theirs");
        jane.delete(&format!("{members}/{}", john.id)).await.data(200);
        assert_eq!(seen(&john, &single).await, nothing, "who was removed");
    }
}
