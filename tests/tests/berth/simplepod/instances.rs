use chrono::Duration;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};

use super::orders::{Market, template};
use super::{Program, is_refused, violates};
use crate::deals::payer;
use crate::gpu_offers::big;
use crate::instances::{cost, taken};

fn path(instance: &Value) -> String {
    format!("/instances/{}", instance["id"])
}

/// The id of the native surface.
fn native(instance: &Value) -> &str {
    instance["hashId"].as_str().unwrap().strip_prefix("rri_").unwrap()
}

async fn delete(program: &Program, path: &str) -> u16 {
    program.ask(Method::DELETE, path, None).await.status
}

async fn reboot(program: &Program, ids: Value) -> tests::Answer {
    program.ask(Method::PATCH, "/instances/reboot", Some(json!({ "instanceIds": ids }))).await
}

on_both_databases! {
    async fn an_instance_lives_as_in_the_document(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({ "gpuCount": 2 })).await;
        assert_eq!((&made["status"], &made["ports"]["direct"]), (&json!("created"), &json!([])));
        app.do_jobs().await;
        app.clock.advance(Duration::minutes(30));
        let mut seen = market.program.get(&path(&made)).await.body;
        for member in ["id", "hashId", "supportId", "instanceTemplate", "ports"] {
            assert!(!seen[member].is_null(), "{member}");
        }
        let number = seen["instanceTemplate"]["id"].take();
        assert_eq!(number, market.template);
        let url = seen["ports"]["direct"][0]["url"].as_str().unwrap().to_owned();
        let outside = seen["ports"]["direct"][0]["destPort"].as_str().unwrap().to_owned();
        assert!(url.starts_with("http://") && url.ends_with(&format!(":{outside}/")), "{url}");
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| {
            insta::assert_json_snapshot!("simplepod_instance", seen, {
                ".id" => "…", ".hashId" => "…", ".supportId" => "…",
                ".createdAt" => "…", ".expiresAt" => "…", ".autoRenewAt" => "…",
                ".consoleSystem" => "…",
                ".ports.direct[].destPort" => "…", ".ports.direct[].url" => "…",
            });
        });
        let listed = market.program.get("/instances/list").await.body;
        assert_eq!((listed[0]["id"].clone(), listed.as_array().unwrap().len()),
            (made["id"].clone(), 1));

        // 2 × 0.34 an hour and 32 × 0.05 a month of 730 hours: 498 ÷ 730 × 0.5.
        assert_eq!(delete(&market.program, &path(&made)).await, 204);
        app.do_jobs().await;
        assert_eq!(cost(&market.jane, native(&made)).await, "0.34109589");
        assert_eq!(taken(&market.boss, &market.server).await, [0, 0, 0, 0, 0]);
        is_refused(&market.program.get(&path(&made)).await, 404, "Not Found");
        assert_eq!(delete(&market.program, &path(&made)).await, 404);
        assert_eq!(market.program.get("/instances/list").await.body, json!([]));
    }

    async fn each_of_its_three_names_is_the_instance(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        for name in ["id", "hashId", "supportId"] {
            let name = made[name].to_string();
            let seen = market.program.get(&format!("/instances/{}", name.trim_matches('"'))).await;
            assert_eq!((seen.status, &seen.body["id"]), (200, &made["id"]));
        }
        for odd in ["0", "-1", "V_", "V_aaaa", "rri_x", "rri_0123456789abcdef01234567", "x"] {
            let answer = market.program.get(&format!("/instances/{odd}")).await;
            is_refused(&answer, 404, "Not Found");
        }
    }

    async fn the_list_is_searched_and_paged(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let first = market.rent(json!({})).await;
        app.clock.advance(Duration::seconds(1));
        let second = market.rent(json!({})).await;
        let named = json!({ "name": "sensible_pangolin", "notes": "mine" });
        assert_eq!(market.program.put(&path(&first), named).await.status, 200);
        let found = async |query: &str| {
            let answer = market.program.get(&format!("/instances/list?{query}")).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let rows = answer.body.as_array().unwrap().clone();
            rows.into_iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
        };
        let (first, second) = (first["id"].clone(), second["id"].clone());
        assert_eq!(found("").await, [second.clone(), first.clone()]);
        assert_eq!(found("search=PANGOLIN").await, std::slice::from_ref(&first));
        assert_eq!(found("search=nginx").await, [second.clone(), first.clone()]);
        assert!(found("search=nothing").await.is_empty());
        assert_eq!(found("page=2&itemsPerPage=1").await, [first]);
        let refused = market.program.get("/instances/list?page=0&itemsPerPage=1001").await;
        violates(&refused, &["page", "itemsPerPage"]);
    }

    async fn settings_are_changed_and_the_next_start_has_them(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        app.do_jobs().await;
        let change = json!({
            "isAutoRenewOn": false, "priceAutoRenewMax": 0.5, "notes": "notes here",
            "name": "sensible_pangolin", "startScript": "date",
            "envVariables": [{ "name": "C", "value": "3" }],
        });
        let seen = market.program.put(&path(&made), change).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        assert_eq!((&seen.body["notes"], &seen.body["name"], &seen.body["priceAutoRenewMax"],
            &seen.body["isAutoRenewOn"], &seen.body["autoRenewAt"]),
            (&json!("notes here"), &json!("sensible_pangolin"), &json!(0.5), &json!(false),
            &json!(null)));
        assert_eq!(reboot(&market.program, json!([made["id"]])).await.status, 204);
        app.do_jobs().await;
        let spec = market.spec(app, &made);
        assert_eq!((spec.script.as_deref(), spec.environment.len()), (Some("date"), 1));
        assert_eq!(spec.environment["C"], "3");
        // What was shown can be sent back as it is, with one thing changed.
        let mut whole = market.program.get(&path(&made)).await.body;
        whole["name"] = json!("pangolin");
        let after = market.program.put(&path(&made), whole.clone()).await.body;
        assert_eq!((&after["name"], &after["priceAutoRenewMax"], &after["isAutoRenewOn"]),
            (&json!("pangolin"), &json!(0.5), &json!(false)));
        let any = json!({ "priceAutoRenewMax": 0, "isAutoRenewOn": true });
        let after = market.program.put(&path(&made), any).await.body;
        // 0 becomes a float on the wire.
        assert_eq!((&after["priceAutoRenewMax"], &after["isAutoRenewOn"]),
            (&json!(0.0), &json!(true)));
        for (change, member) in [
            (json!({ "name": "" }), "name"),
            (json!({ "notes": "x".repeat(501) }), "notes"),
            (json!({ "priceAutoRenewMax": -1 }), "priceAutoRenewMax"),
            (json!({ "priceAutoRenewMax": "x" }), "priceAutoRenewMax"),
            (json!({ "instanceTemplate": "/instances/templates/999" }), "instanceTemplate"),
            (json!({ "instanceTemplate": [1] }), "instanceTemplate"),
            (json!({ "diskSize": 64 }), "diskSize"),
            (json!({ "envVariables": [{ "name": "1", "value": "" }] }), "envVariables"),
        ] {
            violates(&market.program.put(&path(&made), change).await, &[member]);
        }
    }

    // Seen failing with the first refusal as the answer: the third was not rebooted.
    async fn several_are_rebooted_and_those_that_cannot_be_are_told(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let first = market.rent(json!({})).await;
        let second = market.rent(json!({})).await;
        app.do_jobs().await;
        let john = Program::of(&payer(app, "john", "100.00").await).await;
        let his = template(&john, json!({})).await;
        let wish = market.wish(json!({ "instanceTemplate": his }));
        let his = john.post("/instances", wish).await.body;
        let calls = app.instances.calls();
        let ids = json!([first["id"], his["id"], second["hashId"], "x", first["supportId"]]);
        let answer = reboot(&market.program, ids).await;
        violates(&answer, &["instanceIds[1]", "instanceIds[3]"]);
        assert_eq!(answer.body["violations"][0]["message"], "Not Found");
        for instance in [&first, &second] {
            let seen = market.program.get(&path(instance)).await.body;
            assert_eq!(seen["status"], "rebooting");
        }
        app.do_jobs().await;
        assert!(app.instances.calls() > calls + 6, "both were stopped, made and started");
        for instance in [&first, &second] {
            assert_eq!(market.program.get(&path(instance)).await.body["status"], "active");
        }
        for wrong in [json!([]), json!(vec![1; 101])] {
            violates(&reboot(&market.program, wrong).await, &["instanceIds"]);
        }
        let broken = market.program.ask(Method::PATCH, "/instances/reboot", Some(json!({
            "instanceIds": "1"
        })));
        assert_eq!(broken.await.status, 400);
    }

    async fn nobody_else_reaches_it(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        app.do_jobs().await;
        let before = market.program.get(&path(&made)).await.body;
        let john = Program::of(&payer(app, "john", "100.00").await).await;
        assert_eq!(john.get("/instances/list").await.body, json!([]));
        for name in ["id", "hashId", "supportId"] {
            let path = format!("/instances/{}", made[name].to_string().trim_matches('"'));
            is_refused(&john.get(&path).await, 404, "Not Found");
            is_refused(&john.put(&path, json!({ "name": "his" })).await, 404, "Not Found");
            assert_eq!(delete(&john, &path).await, 404);
        }
        assert_eq!(market.program.get(&path(&made)).await.body, before);
        // Without the permission its owner's own program does not, either.
        let wish = json!({ "alias": "weak", "permissions": { "marketplace": { "read": true } } });
        let weak = market.jane.post("/auth/tokens", wish).await.data(201);
        let weak = Program {
            client: john.client.clone(),
            key: weak["token"].as_str().unwrap().to_owned(),
        };
        for answer in [
            weak.get("/instances/list").await,
            weak.get(&path(&made)).await,
            weak.put(&path(&made), json!({ "name": "x" })).await,
            weak.post("/instances", market.wish(json!({}))).await,
        ] {
            assert_eq!(answer.status, 403, "{}", answer.body);
        }
    }

    async fn a_host_that_does_not_answer_hides_only_its_figures(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        app.do_jobs().await;
        let seen = market.program.get(&path(&made)).await.body;
        assert!(seen["cpuUsage"].is_number() && seen["memUsage"].is_number(), "{seen}");
        let host = domain::host::HostId::parse(&market.server).unwrap();
        app.instances.reach(host, false);
        let seen = market.program.get(&path(&made)).await;
        assert_eq!((seen.status, &seen.body["cpuUsage"]), (200, &json!(null)));
        assert_eq!(seen.body["status"], "active");
    }
}
