//! Software on instances: put there, tried again, taken away.

use chrono::Duration;
use domain::Error;
use domain::host::HostId;
use domain::install::{self, ActOnInstall, InstallKey};
use domain::instance::{InstanceId, Task};
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, at_once, on_both_databases};

use crate::belongings::Team;
use crate::deals::{boss, payer};
use crate::furnishing::furnish;
use crate::instances::{act, fleet, id, running, tiny};
use crate::software::{as_caller, whole, wish, with};

const UNKNOWN: &str = "0123456789abcdef01234567";

pub fn below(instance: &str) -> String {
    format!("/instances/{instance}/installs")
}

pub async fn add(client: &Client, instance: &str, body: Value) -> Answer {
    client.post(&below(instance), body).await
}

pub async fn seen(client: &Client, path: &str) -> Value {
    client.get(path).await.data(200)
}

pub async fn state(client: &Client, path: &str) -> String {
    seen(client, path).await["status"].as_str().unwrap().to_owned()
}

/// Software with both scripts and no options.
pub fn plain(name: &str) -> Value {
    with(wish(name), json!({ "remove_script": "#!/bin/sh\necho out" }))
}

pub async fn software(client: &Client, wish: Value) -> String {
    id(&client.post("/software", wish).await.data(201))
}

/// Puts plain software onto an instance; answers the path of the install.
pub async fn queued(client: &Client, instance: &str) -> String {
    let software = software(client, plain("tools")).await;
    let made = add(client, instance, json!({ "software_id": software })).await.data(202);
    format!("{}/{}", below(instance), id(&made))
}

/// The scripts that ran in an instance, by the simulated driver.
pub fn ran(app: &TestApp, host: &str, instance: &str) -> Vec<Task> {
    let (host, instance) = (HostId::parse(host).unwrap(), InstanceId::parse(instance).unwrap());
    app.instances.tasks_of(host, instance)
}

pub fn conduct() -> Conduct {
    Conduct { remembers: true, ..Conduct::default() }
}

/// Scripts that end with this status, and after so many looks.
pub fn scripts_end(app: &TestApp, task_status: i64, task_looks: u32) {
    app.instances.behave(Conduct { task_status, task_looks, ..conduct() });
}

pub async fn retry(client: &Client, path: &str) -> Answer {
    client.post(&format!("{path}/retry"), json!({})).await
}

/// Lets time pass until an install is so.
pub async fn until(app: &TestApp, client: &Client, (path, status): (&str, &str)) {
    for _ in 0..30 {
        app.do_jobs().await;
        if state(client, path).await == status {
            return;
        }
        app.clock.advance(Duration::seconds(30));
    }
    panic!("{} is not {status}", seen(client, path).await);
}

on_both_databases! {
    async fn software_is_put_there_with_what_was_chosen_and_taken_away(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let software = id(&boss.post("/admin/software", whole()).await.data(201));
        let secret = "a secret; $(reboot) `x` '\"";
        let config = json!({ "password": secret, "workers": "-1.5" });
        let body = json!({ "software_id": software, "config": config });
        let made = add(&jane, &instance, body).await.data(202);
        let whole_config = json!({ "python_version": "3.12", "password": secret,
            "workers": "-1.5", "notebook": "false" });
        let expected = json!({ "id": made["id"], "number": made["number"], "name": "PyTorch",
            "instance_id": instance, "software_id": software, "status": "queued",
            "config": whole_config, "runs": 0, "failure": null,
            "created_at": made["created_at"], "changed_at": made["created_at"] });
        assert_eq!(made, expected);
        let path = format!("{}/{}", below(&instance), id(&made));
        app.clock.advance(Duration::seconds(3));
        app.do_jobs().await;
        let done = seen(&jane, &path).await;
        let changes = json!({ "status": "completed", "runs": 1, "changed_at": done["changed_at"] });
        assert_eq!(done, with(made.clone(), changes));
        assert_ne!(done["changed_at"], done["created_at"]);
        assert_eq!(seen(&jane, &below(&instance)).await, json!([done]));
        let scripts = ran(app, &host, &instance);
        assert_eq!(scripts.len(), 1);
        assert_eq!(scripts[0].script, whole()["install_script"].as_str().unwrap());
        let variables: Vec<_> = scripts[0].environment.iter().collect();
        let named = |key: &'static str, value: &'static str| (key.to_owned(), value.to_owned());
        let expected = [named("NOTEBOOK", "false"), named("PASSWORD", secret),
            named("PYTHON_VERSION", "3.12"), named("WORKERS", "-1.5")];
        assert_eq!(variables, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
        // The operator's change or end of it changes nothing of what is there.
        boss.delete(&format!("/admin/software/{software}")).await.data(200);
        let removed = jane.delete(&path).await.data(202);
        assert_eq!(removed["status"], "removing");
        assert_eq!(jane.delete(&path).await.data(202)["status"], "removing", "again");
        app.do_jobs().await;
        jane.get(&path).await.refused(404, "INSTALL_NOT_FOUND");
        jane.delete(&path).await.refused(404, "INSTALL_NOT_FOUND");
        assert_eq!(seen(&jane, &below(&instance)).await, json!([]));
        let scripts = ran(app, &host, &instance);
        assert_eq!((scripts.len(), scripts[1].script.as_str()), (2, "echo out"));
        assert_eq!(scripts[0].environment, scripts[1].environment);
        // What happened, and none of what was chosen.
        let events = boss.get(&format!("/audit?subject_id={}", id(&made))).await.data(200);
        let kinds: Vec<_> =
            events.as_array().unwrap().iter().map(|row| row["kind"].clone()).collect();
        assert_eq!(kinds, ["install.removed", "install.removal_requested", "install.completed",
            "install.queued"]);
        assert!(!events.to_string().contains("reboot"), "{events}");
    }

    async fn every_value_is_checked(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let software = software(&jane, whole()).await;
        let good = json!({ "password": "x" });
        for (change, faults) in [
            (json!({ "password": null }), vec!["/config"]),
            (json!({ "python_version": "3.10" }), vec!["/config/python_version"]),
            (json!({ "python_version": "" }), vec!["/config/python_version"]),
            (json!({ "workers": "two" }), vec!["/config/workers"]),
            (json!({ "workers": "" }), vec!["/config/workers"]),
            (json!({ "workers": 2 }), vec!["/config"]),
            (json!({ "notebook": "yes" }), vec!["/config/notebook"]),
            (json!({ "password": "x".repeat(4_097) }), vec!["/config/password"]),
            (json!({ "a/b": "x", "notebook": "" }), vec!["/config/a~1b", "/config/notebook"]),
        ] {
            let config = with(good.clone(), change.clone());
            let body = json!({ "software_id": software, "config": config });
            assert_eq!(add(&jane, &instance, body).await.faults(), faults, "{change}");
        }
        let without = json!({ "software_id": software });
        let refused = add(&jane, &instance, without).await;
        assert_eq!(refused.faults(), ["/config/password"]);
        assert_eq!(refused.body["data"][0]["message"], "is required");
        assert_eq!(add(&jane, &instance, json!({ "config": [] })).await.faults(),
            ["/software_id", "/config"]);
        app.do_jobs().await;
        assert_eq!(seen(&jane, &below(&instance)).await, json!([]));
        assert_eq!(ran(app, &host, &instance), []);
    }

    async fn a_failed_script_is_told_and_tried_again(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        scripts_end(app, 7, 0);
        let path = queued(&jane, &instance).await;
        retry(&jane, &path).await.refused(409, "INSTALL_NOT_FAILED");
        app.do_jobs().await;
        let failed = seen(&jane, &path).await;
        let name = ran(app, &host, &instance)[0].name.clone();
        let failure = json!({ "during": "install", "message": "the script ended with status 7",
            "output": format!("{name} is simulated\n") });
        assert_eq!((&failed["status"], &failed["failure"]), (&json!("failed"), &failure));
        let told = jane.get("/notifications").await.data(200);
        assert_eq!(told[0]["kind"], "install.failed");
        assert!(!told[0].to_string().contains("is simulated"), "what is printed may be secret");
        scripts_end(app, 0, 0);
        let again = retry(&jane, &path).await.data(202);
        assert_eq!((&again["status"], &again["failure"]), (&json!("queued"), &Value::Null));
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "completed");
        retry(&jane, &path).await.refused(409, "INSTALL_NOT_FAILED");
        let scripts = ran(app, &host, &instance);
        assert_eq!(scripts.len(), 2);
        assert_ne!(scripts[0].name, scripts[1].name);
        // A removal that fails is tried again, or given up by who asks twice.
        scripts_end(app, 1, 0);
        jane.delete(&path).await.data(202);
        app.do_jobs().await;
        assert_eq!(seen(&jane, &path).await["failure"]["during"], "remove");
        assert_eq!(retry(&jane, &path).await.data(202)["status"], "removing");
        app.do_jobs().await;
        assert_eq!(seen(&jane, &path).await["failure"]["during"], "remove");
        assert_eq!(ran(app, &host, &instance).len(), 4);
        jane.delete(&path).await.data(202);
        jane.get(&path).await.refused(404, "INSTALL_NOT_FOUND");
        app.do_jobs().await;
        assert_eq!(ran(app, &host, &instance).len(), 4);
    }

    async fn a_script_that_runs_is_waited_for_and_not_removed(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        scripts_end(app, 0, 5);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        assert_eq!(state(&jane, &path).await, "running");
        jane.delete(&path).await.refused(409, "INSTALL_RUNNING");
        retry(&jane, &path).await.refused(409, "INSTALL_NOT_FAILED");
        let calls = app.instances.calls();
        for _ in 0..10 {
            app.do_jobs().await;
        }
        assert_eq!(app.instances.calls(), calls, "not before a second is over");
        until(app, &jane, (&path, "completed")).await;
        // What was never begun is removed at once, without its script.
        act(&jane, &instance, "shutdown").await.data(200);
        app.do_jobs().await;
        let path = queued(&jane, &instance).await;
        jane.delete(&path).await.data(202);
        app.do_jobs().await;
        jane.get(&path).await.refused(404, "INSTALL_NOT_FOUND");
        assert_eq!(ran(app, &host, &instance).len(), 1);
    }

    // Seen failing on PostgreSQL without the locks on pool and instance: the unique index held.
    async fn the_same_software_is_there_once_and_32_at_most(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let body = json!({ "software_id": software(&jane, plain("tools")).await });
        let post = |_| {
            let (jane, path, body) = (jane.clone(), below(&instance), body.clone());
            async move { jane.post(&path, body).await }
        };
        let answers = at_once((0..4).map(post)).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 202) {
            answer.refused(409, "ALREADY_INSTALLED");
        }
        app.do_jobs().await;
        assert_eq!(ran(app, &host, &instance).len(), 1);
        add(&jane, &instance, body.clone()).await.refused(409, "ALREADY_INSTALLED");
        let path = format!("{}/{}", below(&instance), id(&seen(&jane, &below(&instance)).await[0]));
        jane.delete(&path).await.data(202);
        app.do_jobs().await;
        add(&jane, &instance, body).await.data(202);
        for _ in 0..30 {
            queued(&jane, &instance).await;
        }
        let mut more = Vec::new();
        for at in 0..3 {
            more.push(software(&jane, plain(&format!("more {at}"))).await);
        }
        let post = |software: &String| {
            let (jane, path) = (jane.clone(), below(&instance));
            let body = json!({ "software_id": software });
            async move { jane.post(&path, body).await }
        };
        let answers = at_once(more.iter().map(post)).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 202).collect();
        assert_eq!(refused.len(), 2);
        refused[0].refused(409, "INSTALL_LIMIT");
        assert_eq!(refused[0].body["data"], json!({ "limit": 32 }));
        app.do_jobs().await;
        assert_eq!(seen(&jane, &below(&instance)).await.as_array().unwrap().len(), 32);
    }

    async fn the_same_key_puts_it_there_once(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let instance = running(app, &jane, json!({})).await;
        let body = json!({ "software_id": software(&jane, whole()).await,
            "config": { "password": "x" } });
        let path = below(&instance);
        let first = jane.post_once(&path, "key", body.clone()).await.data(202);
        app.do_jobs().await;
        let again = jane.post_once(&path, "key", body.clone()).await.data(202);
        assert_eq!((&again["id"], &again["status"]), (&first["id"], &json!("completed")));
        assert_eq!(ran(app, &host, &instance).len(), 1);
        let other = with(body.clone(), json!({ "config": { "password": "y" } }));
        jane.post_once(&path, "key", other).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
        jane.delete(&format!("{path}/{}", id(&first))).await.data(202);
        app.do_jobs().await;
        jane.post_once(&path, "key", body).await.refused(404, "INSTALL_NOT_FOUND");
    }

    async fn members_see_admins_change_and_strangers_find_nothing(app: &TestApp) {
        let (boss, team) = (boss(app).await, Team::build(app).await);
        tiny(&boss).await;
        let host = furnish(app, &boss, "metal", json!({})).await;
        let jane = payer(app, "stranger", "100.00").await;
        app.deposit("owner", "100.00").await;
        let own = running(app, &jane, json!({})).await;
        let instance = running(app, &team.owner, json!({ "pool_id": team.pool })).await;
        let into_pool = with(plain("tools"), json!({ "pool_id": team.pool }));
        let body = json!({ "software_id": software(&team.owner, into_pool).await });
        add(&team.jane, &instance, body.clone()).await.refused(403, "POOL_ADMIN_REQUIRED");
        scripts_end(app, 1, 0);
        let made = add(&team.admin, &instance, body.clone()).await.data(202);
        app.do_jobs().await;
        let path = format!("{}/{}", below(&instance), id(&made));
        assert_eq!(state(&team.jane, &path).await, "failed");
        retry(&team.jane, &path).await.refused(403, "POOL_ADMIN_REQUIRED");
        team.jane.delete(&path).await.refused(403, "POOL_ADMIN_REQUIRED");
        let missing = "INSTALL_NOT_FOUND";
        let elsewhere = format!("{}/{}", below(&own), id(&made));
        for (client, path) in [(&jane, &path), (&jane, &elsewhere), (&team.owner, &elsewhere)] {
            client.get(path).await.refused(404, missing);
            client.delete(path).await.refused(404, missing);
            retry(client, path).await.refused(404, missing);
        }
        for of in ["x", UNKNOWN] {
            jane.get(&format!("{}/{of}", below(&own))).await.refused(404, missing);
            jane.get(&below(of)).await.refused(404, "INSTANCE_NOT_FOUND");
        }
        jane.get(&below(&instance)).await.refused(404, "INSTANCE_NOT_FOUND");
        add(&jane, &instance, body.clone()).await.refused(404, "INSTANCE_NOT_FOUND");
        add(&jane, &own, body).await.refused(404, "SOFTWARE_NOT_FOUND");
        // By its number it is as hidden.
        let key = InstallKey::Number(made["number"].as_i64().unwrap());
        let (store, clock, random) =
            (app.app.store.as_ref(), app.app.clock.as_ref(), app.app.random.as_ref());
        let request = |client: &Client| ActOnInstall { caller: as_caller(client), key };
        assert!(install::retry(store, clock, random, &request(&jane)).await.is_err());
        let retried = install::retry(store, clock, random, &request(&team.admin)).await.unwrap();
        assert_eq!(retried.id.to_string(), id(&made));
        let ids = [InstanceId::parse(&instance).unwrap(), InstanceId::parse(&own).unwrap()];
        for (client, count) in [(&jane, 0), (&team.jane, 1)] {
            let found = install::of_instances(store, &as_caller(client), &ids).await.unwrap();
            assert_eq!(found.len(), count);
        }
        let many = vec![ids[0]; install::MOST_INSTANCES + 1];
        let refused = install::of_instances(store, &as_caller(&jane), &many).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        assert_eq!(ran(app, &host, &instance).len(), 1);
    }

    // Seen failing without `by` in `Install::retried`: the owner was told twice.
    async fn who_asked_last_is_told_of_a_failure(app: &TestApp) {
        let (boss, team) = (boss(app).await, Team::build(app).await);
        tiny(&boss).await;
        furnish(app, &boss, "metal", json!({})).await;
        app.deposit("owner", "100.00").await;
        let instance = running(app, &team.owner, json!({ "pool_id": team.pool })).await;
        scripts_end(app, 1, 0);
        let path = queued(&team.owner, &instance).await;
        app.do_jobs().await;
        assert_eq!((told(&team.owner).await, told(&team.admin).await), (1, 0));
        retry(&team.admin, &path).await.data(202);
        app.do_jobs().await;
        assert_eq!((told(&team.owner).await, told(&team.admin).await), (1, 1));
        team.owner.delete(&path).await.data(202);
        team.admin.delete(&path).await.data(202);
        app.do_jobs().await;
        assert_eq!((told(&team.owner).await, told(&team.admin).await), (2, 1));
    }

    async fn it_goes_with_its_instance_to_another_pool(app: &TestApp) {
        let (_, jane, host) = fleet(app).await;
        let team = id(&jane.post("/pools", json!({ "name": "Team" })).await.data(201));
        let instance = running(app, &jane, json!({})).await;
        scripts_end(app, 0, 1);
        let path = queued(&jane, &instance).await;
        app.do_jobs().await;
        let john = app.user("john").await;
        let members = format!("/pools/{team}/members");
        let invited = json!({ "username": "john", "role": "admin" });
        jane.post(&members, invited).await.data(201);
        let invitation = id(&john.get("/pools/invitations/pending").await.data(200)[0]);
        john.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
        john.get(&path).await.refused(404, "INSTALL_NOT_FOUND");
        let transfer = format!("/instances/{instance}/transfer");
        jane.post(&transfer, json!({ "pool_id": team })).await.data(200);
        assert_eq!(state(&john, &path).await, "running");
        until(app, &john, (&path, "completed")).await;
        john.delete(&path).await.data(202);
        until_gone(app, &john, &path).await;
        assert_eq!(ran(app, &host, &instance).len(), 2);
    }
}

async fn until_gone(app: &TestApp, client: &Client, path: &str) {
    for _ in 0..10 {
        app.do_jobs().await;
        app.clock.advance(Duration::seconds(30));
    }
    client.get(path).await.refused(404, "INSTALL_NOT_FOUND");
}

/// How many failures somebody was told of.
async fn told(client: &Client) -> usize {
    let rows = client.get("/notifications").await.data(200);
    rows.as_array().unwrap().iter().filter(|row| row["kind"] == "install.failed").count()
}
