//! What operators see and do about hosts that are cut, and about how hosts are logged in to.

use domain::host::HostId;
use domain::instance::DriverFault;
use domain::remote::{KeptLogins, KeyVerdict, LoginBook, Outcome, Step};
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use super::{allocated, delete, post, server, states, wish, with_host};
use crate::deals::boss;

/// Two keys by which a host may be known.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJl8YrZ6ZKUZbnDkGJVYZPoTnCqmdTdYz3NRYVJgZ4Xn";
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

fn fail(app: &TestApp, later: u64) {
    let fault = DriverFault::Failed("no space left".to_owned());
    let fail_call = Some((app.instances.calls() + 1 + later, fault));
    app.instances.behave(Conduct { fail_call, remembers: true, ..Conduct::default() });
}

async fn shown(boss: &Client) -> Value {
    boss.get("/admin/compute-hosts/h1").await.data(200)
}

/// What a driver asks and notes.
fn book(app: &TestApp) -> KeptLogins {
    KeptLogins {
        store: app.app.store.clone(),
        vault: app.app.vault.clone(),
        clock: app.app.clock.clone(),
        random: app.app.random.clone(),
    }
}

on_both_databases! {
    async fn an_operator_sees_why_and_tries_again(app: &TestApp) {
        let boss = boss(app).await;
        fail(app, 1);
        post(&boss, "/admin/init_server", server("h1", &["0-3", "4-7"])).await;
        app.do_jobs().await;
        let seen = shown(&boss).await;
        assert_eq!(
            (&seen["host"]["phase"], &seen["host"]["reason"]),
            (&json!("init_failed"), &json!("no space left"))
        );
        boss.post("/admin/compute-hosts/h1/retry", json!({})).await.data(200);
        app.do_jobs().await;
        let seen = shown(&boss).await;
        assert_eq!(
            (&seen["host"]["phase"], &seen["host"]["reason"]),
            (&json!("ready"), &Value::Null)
        );
        assert_eq!(seen["host"]["limits"], "systemd");
        let list = boss.get("/admin/compute-hosts").await.data(200);
        assert_eq!(list, json!([seen["host"]]));
        boss.post("/admin/compute-hosts/h1/retry", json!({}))
            .await
            .refused(409, "NOTHING_TO_RETRY");

        // An allocation, which leaves its unit to the operator; another one, which is not wiped.
        fail(app, 0);
        assert_eq!(post(&boss, "/compute_units/allocate", wish(json!({}))).await.status, 470);
        app.do_jobs().await;
        let unit = shown(&boss).await["units"][0].clone();
        assert_eq!(
            (&unit["status"], &unit["reason"]),
            (&json!("ALLOCATION_FAIL"), &json!("no space left"))
        );
        boss.post("/admin/compute-units/h1_c0-3/retry", json!({})).await.data(200);
        assert_eq!(states(&boss, "?compute_id=h1_c0-3").await[0].1, "UNAVAILABLE");
        fail(app, 0);
        app.do_jobs().await;
        assert_eq!(states(&boss, "?compute_id=h1_c0-3").await[0].1, "ALLOCATION_FAIL");
        boss.post("/admin/compute-units/h1_c0-3/retry", json!({})).await.data(200);
        app.do_jobs().await;
        assert_eq!(states(&boss, "?compute_id=h1_c0-3").await[0].1, "FREE");
        boss.post("/admin/compute-units/h1_c0-3/retry", json!({}))
            .await
            .refused(409, "NOTHING_TO_RETRY");
        boss.post("/admin/compute-units/h9/retry", json!({}))
            .await
            .refused(404, "COMPUTE_UNIT_NOT_FOUND");

        allocated(&boss, json!({})).await;
        fail(app, 0);
        delete(&boss, "/compute_units/deallocate/h1_c0-3").await;
        app.do_jobs().await;
        let unit = shown(&boss).await["units"][0].clone();
        assert_eq!(
            (&unit["status"], &unit["reason"]),
            (&json!("DEALLOCATION_FAIL"), &json!("no space left"))
        );
        // It would be tried again later; an operator need not wait.
        boss.post("/admin/compute-units/h1_c0-3/retry", json!({})).await.data(200);
        app.do_jobs().await;
        assert_eq!(states(&boss, "?compute_id=h1_c0-3").await[0].1, "FREE");
    }

    async fn a_host_that_never_answers_again_is_forgotten(app: &TestApp) {
        let boss = with_host(app, &["0-3", "4-7"]).await;
        let forget = async || boss.delete("/admin/compute-hosts/h1").await;
        forget().await.refused(409, "SERVER_ANSWERS");
        let name = allocated(&boss, json!({})).await;
        let id = shown(&boss).await["host"]["server_id"].as_str().unwrap().to_owned();
        let host_id = HostId::parse(&id).unwrap();
        delete(&boss, &format!("/compute_units/deallocate/{name}")).await;
        app.do_jobs().await;
        app.instances.reach(host_id, false);
        delete(&boss, "/admin/decommission_server/h1").await;
        app.do_jobs().await;
        assert_eq!(states(&boss, "").await[0].1, "DECOMMISSION_FAIL");
        assert_eq!(forget().await.data(200)["phase"], "decommissioned");
        assert_eq!(forget().await.data(200)["phase"], "decommissioned");
        // Another machine comes in its place, at another address.
        app.instances.reach(host_id, true);
        let mut other = server("h1", &["0-3"]);
        other["ip"] = json!("192.0.2.8");
        assert_eq!(post(&boss, "/admin/init_server", other).await.status, 200);
        app.do_jobs().await;
        assert_eq!(states(&boss, "").await, [("h1_c0-3".to_owned(), "FREE".to_owned())]);
        let elsewhere = post(&boss, "/admin/init_server", server("h1", &["0-3"])).await;
        assert_eq!(elsewhere.body["detail"][0]["loc"], json!(["body", "ip"]));
    }

    // Seen failing where units that are held did not count.
    async fn who_has_a_unit_of_a_dead_host_loses_it_and_pays_until_it_fell_silent(app: &TestApp) {
        let boss = with_host(app, &["0-3", "4-7", "8-11"]).await.lasting().await;
        let alice = app.renter("alice", "10.00").await.lasting().await;
        let price = json!({ "price_per_cpu_hour": "0.25" });
        boss.patch("/admin/compute-hosts/h1", price).await.data(200);
        let kept = allocated(&alice, json!({})).await;
        let leaving = allocated(&alice, json!({})).await;
        let id = shown(&boss).await["host"]["server_id"].as_str().unwrap().to_owned();
        let host_id = HostId::parse(&id).unwrap();
        let forget =
            async |query: &str| boss.delete(&format!("/admin/compute-hosts/h1{query}")).await;
        // Nobody loses anything by a slip.
        forget("?end_instances=true").await.refused(409, "SERVER_ANSWERS");
        app.clock.advance(chrono::Duration::hours(2));
        app.instances.reach(host_id, false);
        api::worker::reconcile(&app.app).await.unwrap();
        delete(&alice, &format!("/compute_units/deallocate/{leaving}")).await;
        app.clock.advance(chrono::Duration::hours(3));
        app.sweep().await;
        assert_eq!(alice.balance_cents().await, 1000 - 5 * 100 - 2 * 100);
        forget("").await.refused(409, "UNITS_ALLOCATED");
        assert_eq!(forget("?end_instances=x").await.faults(), ["end_instances"]);
        alice
            .delete("/admin/compute-hosts/h1?end_instances=true")
            .await
            .refused(403, "OPERATOR_REQUIRED");
        let lasts = states(&alice, "?status=ALLOCATED").await;
        assert_eq!(lasts, [(kept.clone(), "ALLOCATED".to_owned())]);
        let both = tests::at_once([0, 1].map(|_| {
            let boss = boss.clone();
            async move { boss.delete("/admin/compute-hosts/h1?end_instances=true").await }
        }))
        .await;
        for answer in both {
            assert_eq!(answer.data(200)["phase"], "decommissioned");
        }
        // The three hours of silence are given back.
        assert_eq!(alice.balance_cents().await, 1000 - 4 * 100);
        let instances = alice.get("/instances").await.data(200);
        let ends: Vec<_> =
            instances.as_array().unwrap().iter().map(|one| one["status"].as_str()).collect();
        assert_eq!(ends, [Some("error"), Some("error")], "{instances}");
        app.do_jobs().await;
        // It comes back from a new disk, and nothing of that is known any more.
        app.instances.reach(host_id, true);
        assert_eq!(post(&boss, "/admin/init_server", server("h1", &["0-3"])).await.status, 200);
        app.do_jobs().await;
        assert_eq!(states(&alice, "").await, [("h1_c0-3".to_owned(), "FREE".to_owned())]);
        assert_eq!(allocated(&alice, json!({})).await, kept);
    }

    async fn a_region_is_no_place_where_anything_else_is_sold(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let codes = async || {
            let list = boss.get("/locations").await.data(200);
            let codes = list.as_array().unwrap().iter().map(|one| one["code"].to_string());
            codes.collect::<Vec<_>>()
        };
        let before = codes().await;
        assert!(!before.contains(&"\"us-east-1\"".to_owned()), "{before:?}");
        let metal = app.server("metal").await;
        let capacity = json!({ "location": "us-east-1", "storage_gb": 10, "driver": "simulated",
            "address": "192.0.2.9", "first_port": 1, "last_port": 2, "cpus": 1, "ram_mib": 64 });
        let path = format!("/admin/servers/{metal}/capacity");
        assert_eq!(boss.put(&path, capacity.clone()).await.faults(), ["/location"]);
        let put = async |country: &str| {
            let place = json!({ "name": "Virginia", "country": country });
            boss.put("/admin/locations/us-east-1", place).await
        };
        assert_eq!(put("ZZ").await.faults(), ["/country"]);
        // Until somebody says where it is.
        put("US").await.data(200);
        assert_eq!(codes().await.len(), before.len() + 1);
        boss.put(&path, capacity).await.data(200);
        let unit = allocated(&boss, json!({})).await;
        assert_eq!(unit, "h1_c0-3");
    }

    async fn a_host_that_takes_nothing_new_is_drained_of_its_units(app: &TestApp) {
        let boss = with_host(app, &["0-3", "4-7"]).await;
        let name = allocated(&boss, json!({})).await;
        let id = shown(&boss).await["host"]["server_id"].as_str().unwrap().to_owned();
        let capacity = format!("/admin/servers/{id}/capacity");
        boss.patch(&capacity, json!({ "is_draining": true })).await.data(200);
        assert_eq!(post(&boss, "/compute_units/allocate", wish(json!({}))).await.status, 460);
        let there = states(&boss, "").await;
        assert_eq!(there[0], (name, "ALLOCATED".to_owned()));
        assert_eq!(there[1].1, "UNAVAILABLE");
        boss.patch(&capacity, json!({ "is_draining": false })).await.data(200);
        allocated(&boss, json!({})).await;
        // Nothing else is made of it.
        let body = json!({ "location": "us-east-1", "storage_gb": 10, "driver": "simulated",
            "address": "192.0.2.7", "first_port": 1, "last_port": 2, "cpus": 1, "ram_mib": 64 });
        boss.put(&capacity, body.clone()).await.refused(409, "CUT_INTO_UNITS");
        let other = app.server("metal").await;
        let mut body = body;
        body["driver"] = json!("ssh");
        let refused = boss.put(&format!("/admin/servers/{other}/capacity"), body).await;
        assert_eq!(refused.faults(), ["/driver"]);
    }

    async fn keys_of_the_operator_are_made_or_brought_and_never_shown(app: &TestApp) {
        let boss = boss(app).await;
        let made = boss.put("/admin/ssh-identities/default", json!({})).await.data(200);
        let public = made["public_key"].as_str().unwrap();
        assert!(public.starts_with("ssh-ed25519 AAAA"), "{public}");
        assert_eq!(made.as_object().unwrap().len(), 3);
        let private = include_str!("../../../../domain/src/ssh_key/examples/ed25519.pub");
        for wrong in ["", "nonsense", private] {
            let answer =
                boss.put("/admin/ssh-identities/mine", json!({ "private_key": wrong })).await;
            assert_eq!(answer.faults(), ["/private_key"], "{wrong}");
        }
        let list = boss.get("/admin/ssh-identities").await.data(200);
        assert_eq!(list, json!([made]));
        let id = app.server("metal").await;
        let login = format!("/admin/servers/{id}/login");
        boss.get(&login).await.refused(404, "SERVER_NOT_FOUND");
        let unknown = boss.put(&login, json!({ "address": "192.0.2.7", "identity": "mine" })).await;
        assert_eq!(unknown.faults(), ["/identity"]);
        let wrong = json!({ "address": "metal", "port": 0, "username": "-x", "host_key": "x" });
        assert_eq!(boss.put(&login, wrong).await.faults(), ["/address", "/host_key"]);
        let wrong = json!({ "address": "::1", "port": 0, "username": "-x" });
        assert_eq!(boss.put(&login, wrong).await.faults(), ["/username", "/port"]);
        boss.put(&login, json!({ "address": "192.0.2.7" })).await.data(200);
        boss.delete("/admin/ssh-identities/default").await.refused(409, "IDENTITY_IN_USE");
        boss.put("/admin/ssh-identities/other", json!({})).await.data(200);
        boss.put(&login, json!({ "address": "192.0.2.7", "identity": "other" })).await.data(200);
        boss.delete("/admin/ssh-identities/default").await.data(200);
        boss.delete("/admin/ssh-identities/default").await.refused(404, "SSH_IDENTITY_NOT_FOUND");
    }

    async fn the_key_of_the_first_contact_is_the_host_s_until_an_operator_says_otherwise(
        app: &TestApp,
    ) {
        let boss = boss(app).await;
        boss.put("/admin/ssh-identities/default", json!({})).await.data(200);
        let id = app.server("metal").await;
        let login = format!("/admin/servers/{id}/login");
        boss.put(&login, json!({ "address": "192.0.2.7" })).await.data(200);
        let (book, host_id) = (book(app), HostId::parse(&id).unwrap());
        let [key, other] = [KEY, OTHER].map(|text| domain::remote::HostKey::parse(text).unwrap());
        assert_eq!(book.key_shown(host_id, &key).await.unwrap(), KeyVerdict::Known);
        assert_eq!(boss.get(&login).await.data(200)["host_key"], KEY);
        for _ in 0..2 {
            let changed = KeyVerdict::Changed { known: key.clone() };
            assert_eq!(book.key_shown(host_id, &other).await.unwrap(), changed);
        }
        let seen = boss.get(&login).await.data(200);
        assert_eq!((&seen["host_key"], &seen["shown_key"]), (&json!(KEY), &json!(OTHER)));
        assert_eq!(seen["shown_key_fingerprint"], other.fingerprint());
        // It is told once, to whoever reads what happened.
        let events = boss.get("/audit?limit=50").await.data(200);
        let told =
            events.as_array().unwrap().iter().filter(|event| event["kind"] == "host.key_changed");
        assert_eq!(told.count(), 1);
        // Saving the login again accepts nothing; giving the key does.
        boss.put(&login, json!({ "address": "192.0.2.8" })).await.data(200);
        assert!(matches!(
            book.key_shown(host_id, &other).await.unwrap(),
            KeyVerdict::Changed { .. }
        ));
        boss.put(&login, json!({ "address": "192.0.2.8", "host_key": OTHER })).await.data(200);
        assert_eq!(book.key_shown(host_id, &other).await.unwrap(), KeyVerdict::Known);
        assert!(matches!(book.key_shown(host_id, &key).await.unwrap(), KeyVerdict::Changed { .. }));
    }

    async fn what_was_done_on_a_host_is_kept_for_30_days(app: &TestApp) {
        let boss = boss(app).await.lasting().await;
        let id = app.server("metal").await;
        let (book, host_id) = (book(app), HostId::parse(&id).unwrap());
        for (name, subject) in [("inspect", None), ("make_unit", Some("c0-3".to_owned()))] {
            let step = Step { host_id, subject, name };
            let begun = book.begun(&step).await.unwrap();
            book.ended(begun, &Outcome::new(Some(0), "done")).await.unwrap();
            app.clock.advance(chrono::Duration::seconds(1));
        }
        let cut_off = Step { host_id, subject: Some("c0-3".to_owned()), name: "remove_unit" };
        book.begun(&cut_off).await.unwrap();
        let journal = format!("/admin/servers/{id}/journal");
        let entries = boss.get(&journal).await.data(200);
        let told: Vec<_> = entries
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                (
                    entry["step"].as_str().unwrap(),
                    entry["output"].as_str().unwrap(),
                    entry["ended_at"].is_null(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [("remove_unit", "", true), ("make_unit", "done", false), ("inspect", "done", false)]
        );
        let of_one = boss.get(&format!("{journal}?subject=c0-3&limit=1")).await;
        assert!(of_one.headers.contains_key("link"));
        assert_eq!(of_one.data(200).as_array().unwrap().len(), 1);
        app.days_pass(31);
        domain::remote::forget(app.app.store.as_ref(), app.app.clock.as_ref()).await.unwrap();
        assert_eq!(boss.get(&journal).await.data(200), json!([]));
        boss.get("/admin/servers/0123456789abcdef01234567/journal")
            .await
            .refused(404, "SERVER_NOT_FOUND");
    }
}
