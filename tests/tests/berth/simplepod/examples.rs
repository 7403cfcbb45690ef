//! The examples of the published document, against answers of ours.
//!
//! An answer has at least the members of its example, each of the same type or null, and stands as
//! a snapshot besides, without what names things. A request of the document is sent as it is, but
//! for the numbers of what it is about; where it cannot be had here, the refusal says why.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, TestApp, on_both_databases};

use super::Program;
use super::orders::{Market, image_number};
use crate::gpu_offers::{big, offered, small};
use crate::likeness::{self, faults, left_out};
use crate::ssh_keys::public_key;

fn example(name: &str) -> Value {
    likeness::example("simplepod", name)
}

fn request(name: &str, change: Value) -> Value {
    likeness::request("simplepod", name, &change)
}

/// Fails the test unless the answer has what its example has, and is as it was.
#[track_caller]
fn hold(name: &str, kept: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{kept}: {}", answer.body);
    let faults = faults(&answer.body, &example(name)["response"], &[]);
    assert!(faults.is_empty(), "{kept}: {faults:#?}\n{:#}", answer.body);
    keep(kept, answer);
}

/// Fails the test unless the answer is as it was.
#[track_caller]
fn keep(name: &str, answer: &Answer) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    let shown = unnamed(&answer.body);
    settings.bind(|| insta::assert_json_snapshot!(format!("simplepod_example_{name}"), shown));
}

/// The same without numbers and names that others are given in every run.
fn unnamed(value: &Value) -> Value {
    const NAMES: [&str; 9] = [
        "id",
        "hashId",
        "supportId",
        "instanceMarket",
        "destPort",
        "url",
        "consoleSystem",
        "publicKey",
        "rri",
    ];
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let is_name = NAMES.contains(&name.as_str()) && !value.is_null();
                (name.clone(), if is_name { json!("…") } else { unnamed(value) })
            };
            members.iter().map(member).collect()
        }
        Value::Array(rows) => rows.iter().map(unnamed).collect(),
        other => other.clone(),
    }
}

/// A refusal exactly as in the document.
#[track_caller]
fn is_unknown(answer: &Answer) {
    assert_eq!((answer.status, &answer.body), (401, &example("refused")["response"]));
}

/// Somebody whose key is none.
fn unknown(program: &Program) -> Program {
    Program { client: program.client.clone(), key: "apiKey".to_owned() }
}

async fn delete(program: &Program, path: &str) -> Answer {
    program.ask(Method::DELETE, path, None).await
}

on_both_databases! {
    async fn what_there_is_to_rent(app: &TestApp) {
        let market = Market::of(app, big()).await;
        offered(app, &market.boss, "small", small()).await;
        image_number(app, &market.boss).await;
        let (active, program) = ("rentalStatus=active", &market.program);
        for (name, kept, path) in [
            ("market_list", "market_list", &format!("/instances/market/list?{active}")),
            ("market_list", "market_list_of_machines",
                &format!("/instances/market/list?mode=vm&{active}")),
            ("images", "images", &"/instances/images/list".to_owned()),
        ] {
            hold(name, kept, &program.get(path).await);
            is_unknown(&unknown(program).get(path).await);
        }
    }

    async fn templates(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let (boss, program) = (&market.boss, &market.program);
        let wish = json!({ "name": "PyTorch", "image": "pytorch/pytorch", "tag": "2.5",
            "category": "ml", "disk_gb": 64, "ports": [8888], "runs_jupyter": true });
        let global = boss.post("/admin/templates", wish).await.data(201)["number"].clone();
        let list = program.get("/instances/global-templates/list").await;
        hold("global_templates", "global_templates", &list);
        let one = program.get(&format!("/instances/global-templates/{global}")).await;
        hold("template", "global_template", &one);

        app.clock.advance(chrono::Duration::seconds(1));
        let created = request("create_template", json!({}));
        let made = program.post("/instances/templates", created).await;
        assert_eq!(made.status, 201, "{}", made.body);
        keep("create_template", &made);
        hold("templates", "templates", &program.get("/instances/templates/list").await);
        let path = format!("/instances/templates/{}", made.body["id"]);
        hold("template", "template", &program.get(&path).await);
        let updated = program.put(&path, request("update_template", json!({}))).await;
        assert_eq!(updated.status, 200, "{}", updated.body);
        keep("update_template", &updated);
        is_unknown(&delete(&unknown(program), &path).await);
        assert_eq!(delete(program, &path).await.status, 204);
    }

    async fn a_container(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let program = &market.program;
        let template = format!("/instances/templates/{}", market.template);
        let ours = json!({ "instanceMarket": format!("/instances/market/{}", market.row),
            "instanceTemplate": template });
        let made = program.post("/instances", request("create_container", ours)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        keep("create_container", &made);
        app.do_jobs().await;
        app.clock.advance(chrono::Duration::minutes(30));
        hold("instances", "instances", &program.get("/instances/list").await);
        let path = format!("/instances/{}", made.body["id"]);
        hold("instance", "instance", &program.get(&path).await);
        let ours = json!({ "instanceTemplate": template });
        let updated = program.put(&path, request("update_instance", ours)).await;
        assert_eq!(updated.status, 200, "{}", updated.body);
        keep("update_instance", &updated);
        let reboot = request("reboot", json!({ "instanceIds": [made.body["id"]] }));
        let reboot = program.ask(Method::PATCH, "/instances/reboot", Some(reboot)).await;
        assert_eq!((reboot.status, &reboot.body), (204, &Value::Null));
        is_unknown(&delete(&unknown(program), &path).await);
        assert_eq!(delete(program, &path).await.status, 204);
    }

    async fn a_machine(app: &TestApp) {
        let market = Market::of(app, small()).await;
        let program = &market.program;
        let image = image_number(app, &market.boss).await;
        let key = json!({ "name": "laptop", "publicKey": public_key("laptop") });
        let key = program.post("/user-ssh-keys", key).await;
        keep("create_ssh_key", &key);
        keep("ssh_keys", &program.get("/user-ssh-keys/list").await);
        let ours = json!({ "instanceMarket": format!("/instances/market/{}", market.row),
            "instanceVmImage": format!("/instances/images/{image}"),
            "userSshKey": format!("/user-ssh-keys/{}", key.body["id"]) });
        // With what logs in to Linux, and what logs in to Windows: both do.
        let made = program.post("/instances", request("create_machine", ours)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        app.do_jobs().await;
        let path = format!("/instances/{}", made.body["id"]);
        hold("instance", "machine", &program.get(&path).await);
        hold("instances", "machines", &program.get("/instances/list").await);
        let seen = program.get(&path).await.body;
        let pause = request("pause", json!({ "instanceIds": [seen["supportId"]] }));
        let pause = program.ask(Method::PATCH, "/instances/pause", Some(pause)).await;
        assert_eq!((pause.status, &pause.body), (204, &Value::Null));
        app.do_jobs().await;
        assert_eq!(program.get(&path).await.body["status"], "paused");
        let ours = json!({ "instanceMarket": format!("/instances/market/{}", market.row),
            "instance": seen["supportId"] });
        let resumed = program.post("/instances/resume", request("resume", ours)).await;
        assert_eq!(resumed.status, 200, "{}", resumed.body);
        app.do_jobs().await;
        assert_eq!(program.get(&path).await.body["status"], "active");
        hold("summary", "summary", &program.get("/instances/summary").await);
    }
}

/// So that an example that comes to the folder is held too.
#[test]
fn no_example_is_left_out() {
    let left_out = left_out("tests/berth/simplepod/examples", include_str!("examples.rs"));
    assert!(left_out.is_empty(), "{left_out:?}");
}
