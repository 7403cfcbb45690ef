//! Volumes through the door.

use chrono::Duration;
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::deals::payer;
use crate::furnishing::furnish;
use crate::instances::{act, fleet, id, inventory, ordered, running, show, status, wish};

async fn made(app: &TestApp, client: &Client, size_gb: u32) -> String {
    let body = json!({ "name": "data", "type": "NVMe", "size_gb": size_gb, "location": "FIN-03" });
    let id = id(&client.post("/volumes", body).await.data(201));
    app.do_jobs().await;
    id
}

async fn seen(client: &Client, id: &str) -> Value {
    client.get(&format!("/volumes/{id}")).await.data(200)
}

on_both_databases! {
    async fn a_volume_is_attached_to_a_stopped_instance_and_found_at_its_start(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let volume = made(app, &jane, 10).await;
        let instance = running(app, &jane, json!({})).await;
        let attach = format!("/volumes/{volume}/attach");
        let to = json!({ "instance_id": instance, "mount_path": "/data" });
        jane.post(&attach, to.clone()).await.refused(409, "INSTANCE_NOT_STOPPED");
        act(&jane, &instance, "shutdown").await.data(200);
        app.do_jobs().await;
        let system = json!({ "instance_id": instance, "mount_path": "/etc/x" });
        assert_eq!(jane.post(&attach, system).await.faults(), ["/mount_path"]);
        assert_eq!(jane.post(&attach, to.clone()).await.data(200)["status"], "attached");
        jane.post(&attach, to).await.refused(409, "VOLUME_IN_USE");
        jane.delete(&format!("/volumes/{volume}")).await.refused(409, "VOLUME_IN_USE");
        assert_eq!(show(&jane, &instance).await["volume_ids"], json!([volume]));
        act(&jane, &instance, "start").await.data(200);
        app.do_jobs().await;
        let at = domain::host::HostId::parse(&host).unwrap();
        let of = domain::instance::InstanceId::parse(&instance).unwrap();
        let spec = app.instances.spec_of(at, of).unwrap();
        assert_eq!((spec.mounts.len(), spec.mounts[0].path.as_str()), (1, "/data"));
        let detach = format!("/volumes/{volume}/detach");
        jane.post(&detach, json!({})).await.refused(409, "INSTANCE_NOT_STOPPED");
        jane.delete(&format!("/instances/{instance}")).await.data(200);
        app.do_jobs().await;
        assert_eq!(seen(&jane, &volume).await["status"], "detached");
    }

    async fn a_volume_costs_its_price_while_it_exists_and_nothing_in_the_trash(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let volume = made(app, &jane, 73).await;
        let path = format!("/volumes/{volume}");
        app.clock.advance(Duration::hours(100));
        app.sweep().await;
        jane.patch(&path, json!({ "size_gb": 146 })).await.data(200);
        app.do_jobs().await;
        app.clock.advance(Duration::hours(100));
        jane.delete(&path).await.data(200);
        app.clock.advance(Duration::hours(95));
        app.sweep().await;
        let charges = jane.get(&format!("{path}/charges")).await.data(200);
        assert_eq!(charges["total"], "6", "73 × 0.20 × 100 / 730, then twice that");
        assert_eq!(seen(&jane, &volume).await["status"], "trashed");
        jane.post(&format!("{path}/restore"), json!({})).await.data(200);
        jane.post(&format!("{path}/restore"), json!({})).await.refused(409, "VOLUME_NOT_IN_TRASH");
        app.clock.advance(Duration::hours(50));
        jane.delete(&path).await.data(200);
        app.clock.advance(Duration::hours(96));
        jane.post(&format!("{path}/restore"), json!({})).await.refused(409, "VOLUME_NOT_IN_TRASH");
        app.sweep().await;
        let charges = jane.get(&format!("{path}/charges")).await.data(200);
        assert_eq!(charges["total"], "8");
        assert_eq!(seen(&jane, &volume).await["status"], "deleted");
        assert_eq!(inventory(app, &host).volumes, []);
        assert_eq!(jane.delete(&path).await.data(200)["status"], "deleted", "done before");
    }

    async fn a_copy_a_smaller_size_and_what_does_not_fit(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let volume = made(app, &jane, 400).await;
        let clone = format!("/volumes/{volume}/clone");
        let copy = jane.post(&clone, json!({})).await.data(201);
        assert_eq!(copy["name"], "data-clone");
        app.do_jobs().await;
        assert_eq!(seen(&jane, &id(&copy)).await["status"], "detached");
        jane.post(&clone, json!({})).await.refused(409, "NO_CAPACITY");
        let smaller = jane.patch(&format!("/volumes/{volume}"), json!({ "size_gb": 1 })).await;
        assert_eq!(smaller.faults(), ["/size_gb"]);
    }

    async fn a_copy_is_looked_at_until_it_is_done_and_an_instance_waits_for_it(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let volume = made(app, &jane, 10).await;
        app.instances.behave(Conduct { copy_looks: 3, remembers: true, ..Conduct::default() });
        let before = app.instances.calls();
        let copy = jane.post(&format!("/volumes/{volume}/clone"), json!({})).await.data(201);
        let copy = id(&copy);
        let with = json!({ "volumes": [{ "id": copy, "mount_path": "/data" }] });
        let instance = ordered(&jane, with).await;
        for _ in 0..3 {
            app.do_jobs().await;
            assert_eq!(seen(&jane, &copy).await["status"], "creating");
            assert_eq!(status(&jane, &instance).await, "ordered");
            app.clock.advance(Duration::seconds(1));
        }
        app.do_jobs().await;
        assert_eq!(seen(&jane, &copy).await["status"], "attached");
        app.clock.advance(Duration::seconds(1));
        app.do_jobs().await;
        assert_eq!(status(&jane, &instance).await, "running");
        // Made, asked for four times by one job, then the instance made, started and seen.
        assert_eq!(app.instances.calls() - before, 1 + 4 + 3);
    }

    async fn a_volume_that_is_being_copied_is_deleted_after_that(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let volume = made(app, &jane, 10).await;
        app.instances.behave(Conduct { copy_looks: 2, remembers: true, ..Conduct::default() });
        let copy = jane.post(&format!("/volumes/{volume}/clone"), json!({})).await.data(201);
        let copy = id(&copy);
        jane.delete(&format!("/volumes/{volume}?permanently=true")).await.data(200);
        for _ in 0..2 {
            app.do_jobs().await;
            assert_eq!(seen(&jane, &volume).await["status"], "deleting");
            assert_eq!(inventory(app, &host).volumes.len(), 2);
            app.clock.advance(Duration::seconds(1));
        }
        app.do_jobs().await;
        app.clock.advance(Duration::seconds(1));
        app.do_jobs().await;
        assert_eq!(seen(&jane, &volume).await["status"], "deleted");
        assert_eq!(seen(&jane, &copy).await["status"], "detached");
        assert_eq!(inventory(app, &host).volumes.len(), 1);
    }

    async fn an_instance_goes_to_where_its_volume_is(app: &TestApp) {
        let (boss, jane, first) = fleet(app).await;
        let volume = made(app, &jane, 10).await;
        let second = furnish(app, &boss, "metal-2", json!({ "cpus": 1 })).await;
        let with = json!({ "volumes": [{ "id": volume, "mount_path": "/data" }] });
        let instance = running(app, &jane, with).await;
        assert_eq!(inventory(app, &first).instances.len(), 1);
        assert_eq!(inventory(app, &second).instances.len(), 0);
        let elsewhere = running(app, &jane, json!({})).await;
        assert_eq!(inventory(app, &second).instances.len(), 1, "the best fit");
        act(&jane, &elsewhere, "shutdown").await.data(200);
        let other = made(app, &jane, 10).await;
        app.do_jobs().await;
        let to = json!({ "instance_id": elsewhere });
        let far = jane.post(&format!("/volumes/{other}/attach"), to).await;
        let is_far = seen(&jane, &other).await["status"] == "detached";
        if is_far {
            far.refused(409, "VOLUME_ELSEWHERE");
        }
        let deletion = json!({
            "action": "delete", "volume_ids": [volume], "delete_permanently": true
        });
        jane.post(&format!("/instances/{instance}/actions"), deletion).await.data(200);
        app.do_jobs().await;
        assert_eq!(seen(&jane, &volume).await["status"], "deleted");
    }

    async fn several_actions_tell_of_each(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let bob = payer(app, "bob", "100.00").await;
        let (mine, theirs) =
            (running(app, &jane, json!({})).await, running(app, &bob, json!({})).await);
        let fresh = ordered(&jane, json!({})).await;
        let body = json!({ "ids": [mine, theirs, fresh], "action": "shutdown" });
        let results = jane.post("/instances/actions", body).await.data(207);
        let mut told: Vec<_> = results.as_array().unwrap().iter().collect();
        told.sort_by_key(|result| result["instance_id"] != json!(mine));
        assert_eq!(told[0]["status"], "accepted");
        let errors: Vec<_> = told[1..].iter().map(|result| result["error"].clone()).collect();
        assert!(errors.contains(&json!("INSTANCE_NOT_FOUND")), "{errors:?}");
        assert!(errors.contains(&json!("INSTANCE_BUSY")), "{errors:?}");
        app.do_jobs().await;
        assert_eq!(status(&bob, &theirs).await, "running");
        assert_eq!(status(&jane, &mine).await, "stopped");
    }

    async fn an_order_sent_twice_is_one(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let first = jane.post_once("/instances", "order-1", wish(&json!({}))).await.data(201);
        let again = jane.post_once("/instances", "order-1", wish(&json!({}))).await.data(201);
        assert_eq!(first["id"], again["id"]);
        let other = wish(&json!({ "hostname": "x" }));
        let other = jane.post_once("/instances", "order-1", other).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(jane.get("/instances").await.data(200).as_array().unwrap().len(), 1);
    }
}
