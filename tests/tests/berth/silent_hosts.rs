//! Hosts that do not answer for a while.

use std::time::{Duration as StdDuration, Instant};

use chrono::Duration;
use domain::host::HostId;
use domain::instance::InstanceId;
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::catalogue::changes;
use crate::furnishing::furnish;
use crate::instances::{act, fleet, id, inventory, ordered, running, status, taken};

async fn reconcile(app: &TestApp) {
    api::worker::reconcile(&app.app).await.unwrap();
}

async fn findings(boss: &Client) -> Vec<(String, bool)> {
    let rows = boss.get("/admin/findings").await.data(200);
    let read = |row: &Value| (row["kind"].as_str().unwrap().to_owned(), row["is_repaired"] == true);
    rows.as_array().unwrap().iter().map(read).collect()
}

on_both_databases! {
    // Seen failing with jobs that die of their host's silence.
    async fn what_is_wanted_while_a_host_is_silent_is_done_when_it_answers(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        let (kept, stopped) =
            (running(app, &jane, json!({})).await, running(app, &jane, json!({})).await);
        let deleted = running(app, &jane, json!({})).await;
        let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 7, "location": "FIN-03" });
        let volume = id(&jane.post("/volumes", volume).await.data(201));
        app.do_jobs().await;
        app.instances.reach(at, false);
        let never_made = ordered(&jane, json!({})).await;
        jane.delete(&format!("/instances/{deleted}")).await.data(200);
        jane.delete(&format!("/volumes/{volume}?permanently=true")).await.data(200);
        act(&jane, &stopped, "shutdown").await.data(200);
        app.do_jobs().await;
        for _ in 0..30 {
            app.clock.advance(Duration::minutes(2));
            reconcile(app).await;
            app.sweep().await;
        }
        assert_eq!(status(&jane, &never_made).await, "error", "its owner is told all the same");
        assert_eq!(taken(&boss, &host).await, [4, 4096, 0, 4, 47], "until it answers");
        assert_eq!(boss.get("/admin/jobs/dead").await.data(200), json!([]));
        app.instances.reach(at, true);
        reconcile(app).await;
        app.clock.advance(Duration::seconds(30));
        app.do_jobs().await;
        assert_eq!(status(&jane, &deleted).await, "deleted");
        assert_eq!(status(&jane, &stopped).await, "stopped");
        assert_eq!(status(&jane, &kept).await, "running");
        assert_eq!(taken(&boss, &host).await, [2, 2048, 0, 2, 20]);
        let there = inventory(app, &host);
        assert_eq!((there.instances.len(), there.volumes.len()), (2, 0));
    }

    // A job that waits costs its host no calls, which would keep the others' lanes busy.
    async fn a_silent_host_is_asked_by_the_reconciler_alone(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        for _ in 0..3 {
            let id = running(app, &jane, json!({})).await;
            jane.delete(&format!("/instances/{id}")).await.data(200);
        }
        app.instances.reach(HostId::parse(&host).unwrap(), false);
        reconcile(app).await;
        let calls = app.instances.calls();
        for _ in 0..10 {
            app.clock.advance(Duration::minutes(1));
            app.do_jobs().await;
        }
        assert_eq!(app.instances.calls(), calls);
    }

    // Seen failing with findings that stay open: one.
    async fn every_outage_of_a_host_is_a_finding_of_its_own(app: &TestApp) {
        let (boss, _, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        let (open, closed) = (("unreachable_host".to_owned(), false), true);
        let closed = (open.0.clone(), closed);
        for outages in 1..=3 {
            app.instances.reach(at, false);
            reconcile(app).await;
            reconcile(app).await;
            let mut wanted = vec![closed.clone(); outages];
            wanted[0] = open.clone();
            assert_eq!(findings(&boss).await, wanted, "newest first");
            app.clock.advance(Duration::minutes(1));
            app.instances.reach(at, true);
            reconcile(app).await;
            reconcile(app).await;
            assert_eq!(findings(&boss).await, vec![closed.clone(); outages]);
        }
    }

    // Seen failing where only what the host has is believed.
    async fn a_host_that_knows_nothing_of_itself_can_answer_again(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        app.instances.behave(Conduct::default());
        app.instances.reach(at, false);
        reconcile(app).await;
        app.instances.reach(at, true);
        reconcile(app).await;
        running(app, &jane, json!({})).await;
    }

    async fn whoever_removes_an_orphan_stands_in_the_log(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let at = HostId::parse(&host).unwrap();
        let known = running(app, &jane, json!({})).await;
        let mut spec = app.instances.spec_of(at, InstanceId::parse(&known).unwrap()).unwrap();
        spec.id = InstanceId::parse("0123456789abcdef01234567").unwrap();
        let site = app.app.store.reads().capacity(at).await.unwrap().unwrap().site();
        app.app.instances.create(&site, &spec).await.unwrap();
        reconcile(app).await;
        let finding = id(&boss.get("/admin/findings").await.data(200)[0]);
        assert_eq!(changes(&boss, "host.orphan_removed").await, Vec::<Value>::new());
        boss.post(&format!("/admin/findings/{finding}/remove"), json!({})).await.data(200);
        assert_eq!(inventory(app, &host).instances.len(), 1);
        let told = changes(&boss, "host.orphan_removed").await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["after"]["subject"], spec.id.to_string());
        assert_eq!(told[0]["after"]["kind"], "unknown_instance");
    }

    // Seen failing host by host: 8 s. One that fails stops none of the others.
    async fn hosts_are_asked_several_at_once(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let mut hosts = Vec::new();
        for number in 0..15 {
            hosts.push(furnish(app, &boss, &format!("node-{number}"), json!({})).await);
        }
        let lost = running(app, &jane, json!({})).await;
        for host in hosts.iter().step_by(2) {
            app.instances.reach(HostId::parse(host).unwrap(), false);
        }
        app.instances.behave(Conduct {
            delay: StdDuration::from_millis(500),
            remembers: true,
            ..Conduct::default()
        });
        let began = Instant::now();
        reconcile(app).await;
        assert!(began.elapsed() < StdDuration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(findings(&boss).await.len(), 8);
        assert_eq!(status(&jane, &lost).await, "running");
    }
}
