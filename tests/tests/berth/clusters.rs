//! Clusters: all of it, or nothing.

use chrono::Duration;
use domain::instance::{DriverFault, Inventory};
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::furnishing::furnish;
use crate::instances::{fleet, id, inventory, taken, wish};

async fn seen(client: &Client, id: &str) -> Value {
    client.get(&format!("/clusters/{id}")).await.data(200)
}

fn cluster(nodes: u32) -> Value {
    let volume = json!({ "name": "shared", "type": "NVMe", "size_gb": 20, "mount_path": "/share" });
    wish(&json!({ "nodes": nodes, "shared_volume": volume }))
}

on_both_databases! {
    async fn a_cluster_is_made_and_deleted_as_one(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let made = jane.post("/clusters", cluster(3)).await.data(201);
        assert_eq!(made["status"], "provisioning");
        app.do_jobs().await;
        app.clock.advance(Duration::seconds(2));
        app.do_jobs().await;
        let path = id(&made);
        let running = seen(&jane, &path).await;
        assert_eq!(running["status"], "running");
        let names: Vec<_> = running["nodes"].as_array().unwrap().iter().collect();
        assert_eq!(names[2]["hostname"], "star-3");
        for node in &names {
            let at = domain::host::HostId::parse(&host).unwrap();
            let of = node["instance_id"].as_str().unwrap();
            let of = domain::instance::InstanceId::parse(of).unwrap();
            assert_eq!(app.instances.spec_of(at, of).unwrap().mounts[0].path, "/share");
            let path = format!("/instances/{}", node["instance_id"].as_str().unwrap());
            jane.delete(&path).await.refused(409, "PART_OF_CLUSTER");
        }
        jane.delete(&format!("/clusters/{path}")).await.data(200);
        app.do_jobs().await;
        assert_eq!(seen(&jane, &path).await["status"], "deleted");
        assert_eq!(taken(&boss, &host).await, [0, 0, 0, 0, 20], "the volume is in the trash");
        assert_eq!(jane.get("/volumes?status=trashed").await.data(200)[0]["name"], "shared");
    }

    async fn a_node_that_does_not_start_again_stays_stopped_and_so_does_nothing_else(
        app: &TestApp,
    ) {
        let (boss, jane, host) = fleet(app).await;
        let made = jane.post("/clusters", cluster(2)).await.data(201);
        app.do_jobs().await;
        let path = id(&made);
        let node = seen(&jane, &path).await["nodes"][0]["instance_id"].as_str().unwrap().to_owned();
        let fault = DriverFault::Refused("no".to_owned());
        let fail_call = Some((app.instances.calls() + 3, fault));
        app.instances.behave(Conduct { fail_call, remembers: true, ..Conduct::default() });
        crate::instances::act(&jane, &node, "restart").await.data(200);
        app.do_jobs().await;
        let nodes = seen(&jane, &path).await["nodes"].clone();
        let mut states: Vec<_> =
            nodes.as_array().unwrap().iter().map(|node| node["status"].as_str().unwrap()).collect();
        states.sort_unstable();
        assert_eq!(states, ["running", "stopped"]);
        crate::instances::act(&jane, &node, "delete_stuck").await.refused(409, "PART_OF_CLUSTER");
        // A host that has neither any more: the shared volume goes its way with the last of them.
        let at = domain::host::HostId::parse(&host).unwrap();
        for id in inventory(app, &host).instances.into_keys() {
            app.instances.lose(at, id);
        }
        for _ in 0..2 {
            api::worker::reconcile(&app.app).await.unwrap();
            app.clock.advance(Duration::hours(25));
        }
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(seen(&jane, &path).await["status"], "error");
        assert_eq!(jane.get("/volumes?status=trashed").await.data(200)[0]["name"], "shared");
        assert_eq!(taken(&boss, &host).await, [0, 0, 0, 0, 20]);
    }

    async fn a_cluster_that_does_not_fit_is_refused_whole(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        furnish(app, &boss, "metal-2", json!({ "cpus": 2 })).await;
        jane.post("/clusters", cluster(65)).await.refused(400, "INSUFFICIENT_BALANCE");
        app.deposit("jane", "1000.00").await;
        jane.post("/clusters", cluster(65)).await.refused(409, "NO_CAPACITY");
        assert_eq!(taken(&boss, &host).await, [0; 5]);
        assert_eq!(jane.get("/clusters").await.data(200), json!([]));
        assert_eq!(jane.get("/instances").await.data(200), json!([]));
    }

    async fn a_cluster_with_a_node_that_cannot_be_made_is_taken_back(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        for call in 2..=9 {
            let fault = DriverFault::Refused("no".to_owned());
            app.instances.behave(Conduct {
                fail_call: Some((app.instances.calls() + call, fault)),
                remembers: true,
                ..Conduct::default()
            });
            let id = id(&jane.post("/clusters", cluster(3)).await.data(201));
            for _ in 0..4 {
                app.do_jobs().await;
                app.clock.advance(Duration::seconds(2));
            }
            app.sweep().await;
            assert_eq!(seen(&jane, &id).await["status"], "error", "call {call}");
            assert_eq!(taken(&boss, &host).await[..4], [0; 4], "call {call}");
            for volume in jane.get("/volumes?status=trashed").await.data(200).as_array().unwrap() {
                let path = format!("/volumes/{}?permanently=true", self::id(volume));
                jane.delete(&path).await.data(200);
            }
            app.do_jobs().await;
            assert_eq!(inventory(app, &host), Inventory::default(), "call {call}");
            assert_eq!(taken(&boss, &host).await, [0; 5], "call {call}");
        }
    }
}
