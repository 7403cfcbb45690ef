//! Instances get larger disks, or another template.

use chrono::Duration;
use domain::host::HostId;
use domain::instance::{DriverFault, InstanceId};
use outbound::simulated_instances::Conduct;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, TestApp, on_both_databases};

use super::orders::{Market, template};
use super::pausing::Machine;
use super::{Program, is_refused, violates};
use crate::deals::payer;
use crate::gpu_offers::{big, offered};
use crate::instances::{cost, taken};

impl Machine {
    async fn put(&self, change: Value) -> Answer {
        let path = format!("/instances/{}", self.seen["id"]);
        self.market.program.put(&path, change).await
    }

    async fn reboot(&self, app: &TestApp) {
        reboot(&self.market, &self.seen).await;
        app.do_jobs().await;
    }
}

async fn reboot(market: &Market, seen: &Value) {
    let body = json!({ "instanceIds": [seen["id"]] });
    let answer = market.program.ask(Method::PATCH, "/instances/reboot", Some(body)).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
}

/// The ports of a server that are held, with who holds them.
async fn held(market: &Market) -> usize {
    let path = format!("/admin/servers/{}/capacity", market.server);
    let seen = market.boss.get(&path).await.data(200);
    let slots = seen["slots"].as_array().unwrap().iter();
    slots.filter(|slot| slot["kind"] == "port").count()
}

on_both_databases! {
    async fn a_larger_disk_costs_more_at_once_and_is_there_after_a_reboot(app: &TestApp) {
        let it = Machine::of(app).await;
        let spec = || app.instances.spec_of(HostId::parse(&it.market.server).unwrap(),
            InstanceId::parse(&it.id).unwrap()).unwrap();
        app.clock.advance(Duration::hours(1));
        let path = format!("/instances/{}", it.seen["id"]);
        // Of 100 GB, 32 are its own.
        assert_eq!(it.market.program.get(&path).await.body["diskSizeMax"], 100);
        // Twice at once is once.
        let wish = json!({ "diskSize": 64 });
        let twice = tokio::join!(it.put(wish.clone()), it.put(wish));
        for answer in [twice.0, twice.1] {
            assert_eq!((answer.status, &answer.body["diskSize"]), (200, &json!(64)));
        }
        assert_eq!(taken(&it.market.boss, &it.market.server).await[4], 64);
        assert_eq!(it.native().await["price_per_hour"], "4.32");
        app.clock.advance(Duration::hours(1));
        assert_eq!(cost(&it.market.jane, &it.id).await, "8.28", "3.96 and 4.32");
        assert_eq!(spec().disk_gb, 32, "until it is started anew");
        it.reboot(app).await;
        assert_eq!(spec().disk_gb, 64);
        // Also of one that is paused, whose disk is all that it costs.
        it.paused(app).await;
        assert_eq!(it.put(json!({ "diskSize": 96 })).await.body["diskSize"], 96);
        app.clock.advance(Duration::hours(10));
        assert_eq!(cost(&it.market.jane, &it.id).await, "19.08", "and ten times 1.08");
        assert_eq!(it.resume(json!({})).await.status, 200);
        app.do_jobs().await;
        assert_eq!(spec().disk_gb, 96);
        let gone = it.market.program.ask(Method::DELETE, &path, None).await;
        assert_eq!(gone.status, 204);
        app.do_jobs().await;
        assert_eq!(taken(&it.market.boss, &it.market.server).await, [0; 5]);
    }

    // Seen failing without the look at what is left to pay: the last one had its disk.
    async fn a_disk_that_cannot_become_so_stays_as_it_is(app: &TestApp) {
        let it = Machine::of(app).await;
        for (wish, name) in [(json!(31), "smaller"), (json!("64"), "text"), (json!(1.5), "part")] {
            let refused = it.put(json!({ "diskSize": wish, "name": name })).await;
            violates(&refused, &["diskSize"]);
        }
        let full = it.put(json!({ "diskSize": 101, "name": "large" })).await;
        assert_eq!(full.status, 409, "{}", full.body);
        let joe = Program::of(&payer(app, "joe", "100.00").await).await;
        let path = format!("/instances/{}", it.seen["id"]);
        is_refused(&joe.put(&path, json!({ "diskSize": 64 })).await, 404, "Not Found");
        // With nothing left to pay for it.
        let id = format!("/instances/{}", it.id);
        it.market.jane.patch(&id, json!({ "is_locked": true })).await.data(200);
        let locked = it.put(json!({ "diskSize": 64, "name": "locked" })).await;
        assert_eq!(locked.status, 409, "{}", locked.body);
        it.market.jane.patch(&id, json!({ "is_locked": false })).await.data(200);
        app.clock.advance(Duration::minutes(1_500));
        app.sweep().await;
        let poor = it.put(json!({ "diskSize": 96, "name": "poor" })).await;
        assert_eq!(poor.status, 402, "{}", poor.body);
        let seen = it.native().await;
        assert_eq!((&seen["name"], &seen["price_per_hour"]), (&it.seen["name"], &json!("3.96")));
        assert_eq!(taken(&it.market.boss, &it.market.server).await[4], 32);
    }

    // Seen failing with ports that are never given back, of which three were held after the reboot,
    // and with those of each template held until then.
    async fn another_template_is_had_after_a_reboot(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        app.do_jobs().await;
        assert_eq!(held(&market).await, 2);
        let other = json!({ "name": "db", "imageName": "postgres", "defaultTag": "17",
            "exposePorts": "443,5432", "startScript": "",
            "envVariables": [{ "name": "D", "value": "4" }] });
        let other = template(&market.program, other).await;
        let path = format!("/instances/{}", made["id"]);
        let before = market.program.get(&path).await.body;
        let changed = market.program.put(&path, json!({ "instanceTemplate": other })).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!(changed.body["instanceTemplate"]["imageName"], "postgres");
        // Nobody else gets the ports that its container still has.
        assert_eq!(market.spec(app, &made).image, "nginx:1.27");
        assert_eq!(held(&market).await, 3);
        reboot(&market, &made).await;
        app.do_jobs().await;
        let spec = market.spec(app, &made);
        assert_eq!((spec.image.as_str(), spec.edition, spec.script), ("postgres:17", 1, None));
        assert_eq!((spec.environment.len(), spec.environment["D"].as_str()), (1, "4"));
        assert_eq!(spec.ports.iter().map(|port| port.inside).collect::<Vec<_>>(), [443, 5432]);
        assert_eq!(held(&market).await, 2);
        let kept = before["ports"]["direct"].as_array().unwrap().iter();
        let kept = kept.filter(|port| port["srcPort"] == 443).map(|port| port["destPort"].clone());
        assert_eq!(kept.collect::<Vec<_>>(), [json!(spec.ports[0].outside.to_string())]);
        // Again and again, with what the request says of it, and taken back before it was had.
        let third = template(&market.program, json!({ "exposePorts": "1000,1001" })).await;
        for _ in 0..3 {
            for number in [market.template, third, other] {
                let wish = json!({ "instanceTemplate": number, "startScript": "date",
                    "envVariables": [{ "name": "E", "value": "5" }] });
                assert_eq!(market.program.put(&path, wish).await.status, 200);
                assert!(held(&market).await <= 4, "those of two at most");
            }
        }
        reboot(&market, &made).await;
        app.do_jobs().await;
        let spec = market.spec(app, &made);
        assert_eq!((spec.edition, spec.environment["E"].as_str()), (10, "5"));
        assert_eq!(held(&market).await, 2);
        assert_eq!(market.program.ask(Method::DELETE, &path, None).await.status, 204);
        app.do_jobs().await;
        assert_eq!(held(&market).await, 0);
    }

    async fn what_cannot_be_started_with_another_template_is_started_by_a_reboot(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        app.do_jobs().await;
        let path = format!("/instances/{}", made["id"]);
        let other = template(&market.program, json!({ "imageName": "nowhere" })).await;
        let changed = market.program.put(&path, json!({ "instanceTemplate": other })).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let fault = DriverFault::Refused("there is no such image".to_owned());
        reboot(&market, &made).await;
        // After the stop.
        let fail_call = Some((app.instances.calls() + 2, fault));
        app.instances.behave(Conduct { fail_call, ..Conduct::default() });
        app.do_jobs().await;
        let id = made["hashId"].as_str().unwrap().strip_prefix("rri_").unwrap().to_owned();
        let status = async || {
            market.jane.get(&format!("/instances/{id}")).await.data(200)["status"].clone()
        };
        assert_eq!(status().await, "stopped");
        assert_eq!(market.spec(app, &made).edition, 0, "what there was is there");
        reboot(&market, &made).await;
        app.do_jobs().await;
        assert_eq!((status().await, market.spec(app, &made).edition), (json!("running"), 1));
    }

    // Natively: SimplePod's clients pause machines alone.
    // Seen failing with a move that brings the old disk.
    async fn a_template_that_was_chosen_in_hibernation_is_had_elsewhere_too(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        app.do_jobs().await;
        let id = made["hashId"].as_str().unwrap().strip_prefix("rri_").unwrap().to_owned();
        let path = format!("/instances/{id}");
        let act = async |action: Value| {
            market.jane.post(&format!("{path}/actions"), action).await
        };
        act(json!({ "action": "hibernate" })).await.data(200);
        app.do_jobs().await;
        let other = template(&market.program, json!({ "imageName": "postgres" })).await;
        let wish = json!({ "instanceTemplate": other });
        let changed = market.program.put(&format!("/instances/{}", made["id"]), wish).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let elsewhere = offered(app, &market.boss, "elsewhere", big()).await;
        let resume = json!({ "action": "resume", "server_id": elsewhere });
        act(resume.clone()).await.data(200);
        let spot = json!({ "action": "configure_spot", "is_spot": true });
        assert_eq!(act(spot).await.status, 409, "on its way");
        act(resume).await.data(200);
        app.do_jobs().await;
        assert_eq!(market.jane.get(&path).await.data(200)["status"], "running");
        let (at, id) = (HostId::parse(&elsewhere).unwrap(), InstanceId::parse(&id).unwrap());
        let spec = app.instances.spec_of(at, id).unwrap();
        assert_eq!((spec.is_carried, spec.edition), (false, 1), "nothing of the old disk");
        assert_eq!(taken(&market.boss, &market.server).await, [0; 5]);
    }

    async fn a_template_that_does_not_fit_is_refused(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let made = market.rent(json!({})).await;
        let path = format!("/instances/{}", made["id"]);
        let other = template(&market.program, json!({ "name": "other" })).await;
        let early = market.program.put(&path, json!({ "instanceTemplate": other })).await;
        assert_eq!(early.status, 409, "it is being made: {}", early.body);
        app.do_jobs().await;
        let large = template(&market.program, json!({ "diskSize": 64 })).await;
        let joe = Program::of(&payer(app, "joe", "100.00").await).await;
        let his = template(&joe, json!({})).await;
        for wish in [json!(large), json!(his), json!(999_999), json!({ "id": his })] {
            let change = json!({ "instanceTemplate": wish, "name": "never" });
            violates(&market.program.put(&path, change).await, &["instanceTemplate"]);
        }
        // What it was made from may be gone, and what was shown be sent back.
        let own = format!("/instances/templates/{}", market.template);
        assert_eq!(market.program.ask(Method::DELETE, &own, None).await.status, 204);
        let shown = market.program.get(&path).await.body;
        assert_eq!(market.program.put(&path, shown).await.status, 200);
        assert_eq!(market.spec(app, &made).edition, 0);
    }

    async fn a_machine_has_no_template(app: &TestApp) {
        let it = Machine::of(app).await;
        let other = template(&it.market.program, json!({ "name": "other" })).await;
        violates(&it.put(json!({ "instanceTemplate": other })).await, &["instanceTemplate"]);
    }
}
