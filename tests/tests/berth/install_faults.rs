//! Software on instances where something comes in between: answers that are lost, hosts that are
//! silent, instances that stop or go.

use chrono::Duration;
use domain::host::HostId;
use domain::install;
use domain::instance::{DriverFault, InstanceId};
use outbound::simulated_instances::Conduct;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tests::{TestApp, on_both_databases};

use crate::installs::{
    add, below, conduct, plain, queued, ran, retry, scripts_end, seen, software, state, until,
};
use crate::instances::{act, fleet, ordered, running, status};

on_both_databases! {
    // Seen failing with a run that is named anew by each try.
    async fn a_script_runs_once_also_when_only_the_answer_was_lost(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        for call in 1..=2 {
            let path = queued(&jane, &instance).await;
            let lost = (app.instances.calls() + call, DriverFault::Failed("lost".to_owned()));
            let conduct = Conduct { fail_call: Some(lost), fails_late: true, ..conduct() };
            app.instances.behave(conduct);
            let before = ran(app, &host, &instance).len();
            app.do_jobs().await;
            assert_eq!(state(&jane, &path).await, "running", "the {call}. answer is lost");
            until(app, &jane, (&path, "completed")).await;
            assert_eq!(ran(app, &host, &instance).len() - before, 1);
            assert_eq!(seen(&jane, &path).await["runs"], 1);
        }
    }

    // Seen failing without the look at `run.until`: it ran on.
    async fn a_script_that_takes_an_hour_is_ended(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        scripts_end(app, 0, u32::MAX);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        app.clock.advance(Duration::minutes(59));
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "running");
        app.clock.advance(Duration::minutes(1));
        app.do_jobs().await;
        let failure = seen(&jane, &path).await["failure"].clone();
        assert_eq!(failure["message"], "the script took longer than an hour");
        let cut = ran(app, &host, &instance)[0].name.clone();
        let site = |id: &str| HostId::parse(id).unwrap();
        let of = InstanceId::parse(&instance).unwrap();
        assert!(app.instances.is_cut_off(site(&host), of, &cut), "nothing runs on");
        // One that ended in time is done, however late that is seen.
        retry(&jane, &path).await.data(202);
        app.do_jobs().await;
        scripts_end(app, 0, 0);
        app.clock.advance(Duration::hours(3));
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "completed");
    }

    async fn a_host_that_is_silent_for_an_hour_fails_it_and_no_job_dies(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let at = HostId::parse(&host).unwrap();
        scripts_end(app, 0, u32::MAX);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        app.instances.reach(at, false);
        api::worker::reconcile(&app.app).await.unwrap();
        for _ in 0..70 {
            app.clock.advance(Duration::minutes(1));
            app.do_jobs().await;
        }
        let failure = seen(&jane, &path).await["failure"].clone();
        assert_eq!(failure["message"], "its host did not answer in time");
        // What is ordered while it is silent waits for it.
        let late = queued(&jane, &instance).await;
        app.clock.advance(Duration::hours(3));
        app.do_jobs().await;
        assert_eq!(state(&jane, &late).await, "queued");
        assert_eq!(boss.get("/admin/jobs/dead").await.data(200), json!([]));
        app.instances.reach(at, true);
        scripts_end(app, 0, 0);
        api::worker::reconcile(&app.app).await.unwrap();
        until(app, &jane, (&late, "completed")).await;
    }

    async fn what_a_host_refuses_fails_at_once(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let refused = "a secret of the host".to_owned();
        let full = "the instance's disk may be full: there was no room for the script or for \
                    how it ended";
        for (call, fault, message) in [
            (1, DriverFault::Refused(refused.clone()), "its host refused to run the script"),
            (1, DriverFault::NoRoom(refused.clone()), full),
            (2, DriverFault::NoRoom(refused), full),
        ] {
            let fail_call = Some((app.instances.calls() + call, fault));
            app.instances.behave(Conduct { fail_call, ..conduct() });
            let path = queued(&jane, &instance).await;
            app.do_jobs().await;
            assert_eq!(seen(&jane, &path).await["failure"]["message"], message);
        }
    }

    // Seen failing without `install::resume`: it stayed queued.
    async fn it_waits_for_its_instance(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = ordered(&jane, json!({})).await;
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        assert_eq!(status(&jane, &instance).await, "running");
        app.clock.advance(Duration::seconds(1));
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "completed");
        act(&jane, &instance, "hibernate").await.data(200);
        app.do_jobs().await;
        let second = queued(&jane, &instance).await;
        jane.delete(&path).await.data(202);
        app.clock.advance(Duration::days(1));
        let calls = app.instances.calls();
        app.do_jobs().await;
        app.clock.advance(Duration::days(1));
        app.do_jobs().await;
        assert_eq!((state(&jane, &second).await, state(&jane, &path).await),
            ("queued".to_owned(), "removing".to_owned()));
        assert_eq!(app.instances.calls(), calls);
        act(&jane, &instance, "start").await.data(200);
        app.do_jobs().await;
        assert_eq!(state(&jane, &second).await, "completed");
        jane.get(&path).await.refused(404, "INSTALL_NOT_FOUND");
        assert_eq!(ran(app, &host, &instance).len(), 3);
    }

    async fn an_instance_that_stops_ends_its_script(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let (at, instance) =
            (HostId::parse(&host).unwrap(), running(app, &jane, json!({})).await);
        let cut = json!("the instance stopped before the script had ended");
        for stop in ["shutdown", "restart", "crash"] {
            scripts_end(app, 0, 3);
            let path = queued(&jane, &instance).await;
            app.do_jobs().await;
            assert_eq!(state(&jane, &path).await, "running");
            if stop == "crash" {
                app.instances.crash(at, InstanceId::parse(&instance).unwrap());
            } else {
                act(&jane, &instance, stop).await.data(200);
            }
            app.do_jobs().await;
            app.clock.advance(Duration::seconds(2));
            app.do_jobs().await;
            let failed = seen(&jane, &path).await;
            assert_eq!((&failed["status"], &failed["failure"]["message"]),
                (&json!("failed"), &cut), "{stop}");
            match stop {
                "shutdown" => drop(act(&jane, &instance, "start").await.data(200)),
                _ => api::worker::reconcile(&app.app).await.unwrap(),
            }
            app.do_jobs().await;
            scripts_end(app, 0, 0);
            retry(&jane, &path).await.data(202);
            until(app, &jane, (&path, "completed")).await;
        }
        // What had ended before the instance did is done.
        scripts_end(app, 0, 1);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        scripts_end(app, 0, 0);
        let name = ran(app, &host, &instance).last().unwrap().name.clone();
        app.instances.finish_task(at, InstanceId::parse(&instance).unwrap(), &name);
        act(&jane, &instance, "shutdown").await.data(200);
        app.do_jobs().await;
        until(app, &jane, (&path, "completed")).await;
        // A host that has lost what it knew of a script does not run it again.
        act(&jane, &instance, "start").await.data(200);
        app.do_jobs().await;
        scripts_end(app, 0, 3);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        app.instances.lose(at, InstanceId::parse(&instance).unwrap());
        app.clock.advance(Duration::seconds(2));
        app.do_jobs().await;
        assert_eq!(seen(&jane, &path).await["failure"]["message"], cut);
    }

    // Seen failing without `delete_installs_of`: they stayed.
    async fn a_deleted_instance_takes_its_installs_along(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        scripts_end(app, 0, u32::MAX);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        jane.delete(&format!("/instances/{instance}")).await.data(200);
        let software = software(&jane, plain("late")).await;
        let late = add(&jane, &instance, json!({ "software_id": software })).await;
        late.refused(409, "INSTANCE_DELETED");
        app.clock.advance(Duration::seconds(5));
        app.do_jobs().await;
        assert_eq!(status(&jane, &instance).await, "deleted");
        jane.get(&path).await.refused(404, "INSTALL_NOT_FOUND");
        retry(&jane, &path).await.refused(404, "INSTALL_NOT_FOUND");
        assert_eq!(seen(&jane, &below(&instance)).await, json!([]));
        app.clock.advance(Duration::hours(2));
        app.do_jobs().await;
        assert_eq!(boss.get("/admin/jobs/dead").await.data(200), json!([]));
        let told = jane.get("/notifications").await.data(200).to_string();
        assert!(!told.contains("install."), "{told}");
    }

    // Seen failing without the sweep.
    async fn an_install_without_a_job_gets_one_again(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let path = queued(&jane, &instance).await;
        let connection = app.database.connect().await;
        connection.execute_unprepared("DELETE FROM jobs").await.unwrap();
        connection.close().await.unwrap();
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "queued");
        let realign = async || {
            let (store, random) = (app.app.store.as_ref(), app.app.random.as_ref());
            install::realign(store, random, app.app.clock.now()).await.unwrap()
        };
        assert_eq!((realign().await, realign().await), (1, 0));
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "completed");
        // One that waits for its instance has none, and needs none.
        act(&jane, &instance, "shutdown").await.data(200);
        app.do_jobs().await;
        queued(&jane, &instance).await;
        app.do_jobs().await;
        assert_eq!(realign().await, 0);
        assert_eq!(ran(app, &host, &instance).len(), 1);
    }
}
