use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, TestApp, at_once, on_both_databases};

use super::{ask, delete, get, is_refused, post, program};
use crate::instances::fleet;

async fn made(app: &TestApp, program: &Client, name: &str) -> String {
    let body = json!({
        "type": "NVMe", "name": name, "size": 10, "location_code": "FIN-03", "instance_id": null
    });
    let made = post(program, "/volumes", body).await;
    assert_eq!(made.status, 202, "{}", made.body);
    app.do_jobs().await;
    made.body.as_str().unwrap().to_owned()
}

async fn seen(program: &Client, id: &str) -> Value {
    get(program, &format!("/volumes/{id}")).await.body
}

async fn put(program: &Client, body: Value) -> tests::Answer {
    ask(program, Method::PUT, "/volumes", Some(body)).await
}

on_both_databases! {
    // The Go SDK puts the location into `type`; both SDKs take an array of ids.
    async fn a_clone_is_answered_by_an_array(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let volume = made(app, &program, "data").await;
        for change in [json!({ "type": "FIN-03" }), json!({ "type": "NVMe", "name": "b" }),
            json!({ "name": null, "type": null }), json!({ "location_code": "FIN-03" })] {
            let mut body = json!({ "id": [volume], "action": "clone" });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let answer = put(&program, body).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
            let copy = answer.body[0].as_str().unwrap();
            assert_eq!(seen(&program, copy).await["status"], "cloning");
            app.do_jobs().await;
            assert_eq!(seen(&program, copy).await["status"], "detached");
        }
        let elsewhere = json!({ "id": volume, "action": "clone", "location_code": "ICE-01" });
        let told = "a clone has the type and the location of its volume";
        is_refused(&put(&program, elsewhere).await, 400, "invalid_request", told);
        let cancel = put(&program, json!({ "id": volume, "action": "cancel" })).await;
        let told = "The volume is not being cloned, so there is nothing to cancel";
        is_refused(&cancel, 400, "invalid_request", told);
        let copy = put(&program, json!({ "id": volume, "action": "clone" })).await.body;
        let cancel = put(&program, json!({ "id": copy, "action": "cancel" })).await;
        assert_eq!(cancel.status, 202);
        app.do_jobs().await;
        assert_eq!(seen(&program, copy[0].as_str().unwrap()).await["status"], "deleted");
    }

    // Terraform deletes volumes in the moment after their instance.
    async fn a_volume_of_an_instance_that_leaves_can_be_deleted(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let volume = made(app, &program, "data").await;
        let wish = json!({
            "instance_type": "tiny", "image": "ubuntu-24.04", "hostname": "star",
            "location_code": "FIN-03", "existing_volumes": [volume]
        });
        let instance = post(&program, "/instances", wish).await.body;
        app.do_jobs().await;
        let path = format!("/volumes/{volume}");
        let early = delete(&program, &path, None).await;
        assert_eq!((early.status, &early.body["code"]), (409, &json!("conflict")));
        let gone = json!({ "id": instance, "action": "delete", "volume_ids": [] });
        ask(&program, Method::PUT, "/instances", Some(gone)).await;
        assert_eq!(seen(&program, &volume).await["status"], "detaching");
        app.clock.advance(chrono::Duration::minutes(10));
        let body = json!({ "is_permanent": true });
        assert_eq!(delete(&program, &path, Some(body)).await.status, 202);
        let cost = jane.get(&format!("/volumes/{}/charges", native(&volume))).await.data(200);
        // However long its host takes.
        app.clock.advance(chrono::Duration::minutes(20));
        app.do_jobs().await;
        let last = jane.get(&format!("/volumes/{}/charges", native(&volume))).await.data(200);
        assert_eq!(cost["total"], last["total"]);
        assert_eq!(seen(&program, &volume).await["is_permanently_deleted"], true);
        assert_eq!(delete(&program, &path, None).await.status, 204);
    }

    // Seen failing on PostgreSQL without the locks of pool and volume.
    async fn tags_are_ten_however_many_come_at_once(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let volume = made(app, &program, "data").await;
        let add = |number: usize| {
            let (program, path) = (program.clone(), format!("/volumes/{volume}/tags"));
            async move { post(&program, &path, json!({ "key": format!("k{number}") })).await }
        };
        let answers = at_once((0..12).map(add)).await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(201), count(400)), (10, 2));
        let tags = seen(&program, &volume).await["tags"].clone();
        assert_eq!(tags.as_array().unwrap().len(), 10);
        // Any two of the twelve may be those that came too late.
        let key = tags[0]["key"].as_str().unwrap();
        let again = at_once((0..4).map(|_| {
            let (program, path) = (program.clone(), format!("/volumes/{volume}/tags/{key}"));
            async move { delete(&program, &path, None).await }
        }));
        let again = again.await;
        assert_eq!(again.iter().filter(|answer| answer.status == 204).count(), 1);
    }

    async fn what_is_wrong_with_a_volume_is_told(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let body = |change: Value| {
            let mut body = json!({
                "type": "NVMe", "name": "data", "size": 10, "location_code": "FIN-03"
            });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            body
        };
        for (change, told) in [
            (json!({ "location_code": null }), "location_code is required"),
            (json!({ "type": "tape" }), "type must be one of NVMe"),
            (json!({ "size": 0 }), "size must be 1 to 1000000"),
            (json!({ "instance_ids": ["a", "b"] }),
                "instance_ids names several, and a volume has one instance"),
        ] {
            let refusal = post(&program, "/volumes", body(change)).await;
            is_refused(&refusal, 400, "invalid_request", told);
        }
        let volume = made(app, &program, "data").await;
        for (change, told) in [
            (json!({ "action": "resize", "size": 5 }),
                "size must be at least 10: volumes do not shrink"),
            (json!({ "action": "resize" }), "size is required"),
            (json!({ "action": "explode" }), "action must be attach, detach, delete, rename, \
                resize, restore, clone, cancel, create, export or transfer"),
        ] {
            let mut action = json!({ "id": volume });
            action.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            is_refused(&put(&program, action).await, 400, "invalid_request", told);
        }
        let export = put(&program, json!({ "id": volume, "action": "export" })).await;
        assert_eq!((export.status, &export.body["code"]), (403, &json!("forbidden_action")));
        let restore = put(&program, json!({ "id": volume, "action": "restore" })).await;
        assert_eq!((restore.status, &restore.body["code"]), (409, &json!("conflict")));
    }
}

fn native(id: &str) -> String {
    domain::volume::VolumeId::parse_uuid(id).unwrap().to_string()
}
