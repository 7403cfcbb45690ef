//! What is wrong with a request, in the framework's words; and what goes wrong on a host.

use std::time::Duration;

use domain::compute_unit::UnitFilter;
use domain::instance::DriverFault;
use outbound::simulated_instances::Conduct;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use super::{allocated, delete, get, is_refused, post, rows, server, states, wish, with_host};
use crate::deals::boss;

const ALLOCATE: &str = "/compute_units/allocate";
const INIT: &str = "/admin/init_server";

/// Fails the test unless the request is refused with these faults: kind, place, words.
async fn is_malformed(client: &Client, path: &str, body: Value, faults: &[(&str, Value, &str)]) {
    let answer = post(client, path, body.clone()).await;
    assert_eq!(answer.status, 422, "{body}: {}", answer.body);
    let told = answer.body["detail"].as_array().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|fault| {
            (fault["type"].as_str().unwrap(), fault["loc"].clone(), fault["msg"].as_str().unwrap())
        })
        .collect();
    assert_eq!(told, faults, "{body}");
}

/// The driver fails on its next call, or on a later one.
fn fail(app: &TestApp, later: u64, fault: DriverFault) {
    let fail_call = Some((app.instances.calls() + 1 + later, fault));
    app.instances.behave(Conduct { fail_call, remembers: true, ..Conduct::default() });
}

fn failed(words: &str) -> DriverFault {
    DriverFault::Failed(words.to_owned())
}

async fn status_of(client: &Client, name: &str) -> String {
    states(client, &format!("?compute_id={name}")).await[0].1.clone()
}

on_both_databases! {
    async fn a_malformed_request_is_refused_as_the_framework_refuses_it(app: &TestApp) {
        let boss = boss(app).await;
        let missing = |name: &str| ("missing", json!(["body", name]), "Field required");
        is_malformed(&boss, ALLOCATE, json!({}), &[missing("tags"), missing("ssh_public_key")])
            .await;
        let all = ["ip", "region", "zone", "hostname", "cpu_ranges"].map(missing);
        is_malformed(&boss, INIT, json!({}), &all).await;
        let parsing = "Input should be a valid integer, unable to parse string as an integer";
        let text = "Input should be a valid string";
        is_malformed(
            &boss,
            ALLOCATE,
            wish(json!({ "cpu_count": "four", "region": 7 })),
            &[
                ("int_parsing", json!(["body", "cpu_count"]), parsing),
                ("string_type", json!(["body", "region"]), text),
            ],
        )
        .await;
        is_malformed(
            &boss,
            ALLOCATE,
            wish(json!({ "ssh_public_key": null, "tags": [] })),
            &[
                ("dict_type", json!(["body", "tags"]), "Input should be a valid dictionary"),
                ("string_type", json!(["body", "ssh_public_key"]), text),
            ],
        )
        .await;
        let mut odd = server("h1", &[]);
        odd["cpu_ranges"] = json!(["0-3", 4]);
        is_malformed(&boss, INIT, odd, &[("string_type", json!(["body", "cpu_ranges", 1]), text)])
            .await;

        // One whole answer, and those without a body that could be read.
        let answer = post(&boss, ALLOCATE, json!({ "ssh_public_key": "x" })).await;
        assert_eq!(
            answer.body,
            json!({ "detail": [{ "type": "missing", "loc": ["body", "tags"],
            "msg": "Field required", "input": { "ssh_public_key": "x" } }] })
        );
        let path = format!("/!kloigos/api{ALLOCATE}");
        let authorization = boss.authorization.clone().unwrap();
        let headers =
            [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let none = boss.post_text(&path, &headers, "").await;
        assert_eq!(
            (none.status, none.body),
            (
                422,
                json!({ "detail": [{ "type": "missing",
            "loc": ["body"], "msg": "Field required", "input": null }] })
            )
        );
        let broken = boss.post_text(&path, &headers, "{not json}").await;
        assert_eq!(
            (broken.status, broken.body),
            (
                422,
                json!({ "detail": [{ "type": "json_invalid",
            "loc": ["body", 1], "msg": "JSON decode error", "input": {},
            "ctx": { "error": "Expecting property name enclosed in double quotes" } }] })
            )
        );
        let list = boss.post_text(&path, &headers, "[1]").await;
        assert_eq!(list.body["detail"][0]["type"], "model_attributes_type");
        let query = get(&boss, "/compute_units/?cpu_count=x").await;
        assert_eq!(
            (query.status, &query.body),
            (
                422,
                &json!({ "detail": [{ "type": "int_parsing",
            "loc": ["query", "cpu_count"], "msg": parsing, "input": "x" }] })
            )
        );
    }

    async fn what_cannot_be_is_refused_before_anything_is_done(app: &TestApp) {
        let boss = boss(app).await;
        let value = |at: Value, words: &'static str| ("value_error", at, words);
        for (cpu_ranges, at, words) in [
            (
                json!(["3-0"]),
                json!(["body", "cpu_ranges", 0]),
                "Value error, '3-0' is no CPU range such as 0-3, 0-7:2, 5 or 0,2,4",
            ),
            (
                json!(["0-3", "x"]),
                json!(["body", "cpu_ranges", 1]),
                "Value error, 'x' is no CPU range such as 0-3, 0-7:2, 5 or 0,2,4",
            ),
            (
                json!(["0-3", "2-5"]),
                json!(["body", "cpu_ranges", 1]),
                "Value error, '2-5' overlaps with '0-3'",
            ),
            (
                json!(["0-3", "0-3"]),
                json!(["body", "cpu_ranges", 1]),
                "Value error, '0-3' overlaps with '0-3'",
            ),
            (json!([]), json!(["body", "cpu_ranges"]), "Value error, must be 1 to 555 CPU ranges"),
        ] {
            let mut body = server("h1", &[]);
            body["cpu_ranges"] = cpu_ranges;
            is_malformed(&boss, "/admin/init_server", body, &[value(at, words)]).await;
        }
        let mut body = server("h 1", &["0"]);
        (body["ip"], body["region"]) = (json!("metal.example"), json!(" "));
        is_malformed(
            &boss,
            "/admin/init_server",
            body,
            &[
                value(json!(["body", "ip"]), "Value error, must be an IPv4 or IPv6 address"),
                value(
                    json!(["body", "hostname"]),
                    "Value error, a code is 1 to 64 letters, digits, dots, \
                underscores, tildes and dashes",
                ),
            ],
        )
        .await;
        assert_eq!(rows(&boss, "").await, Vec::<Value>::new());
        // A key that would be two lines, or an option, in a file of keys.
        for key in ["nonsense", "command=\"sh\" ssh-ed25519 AAAA", "ssh-ed25519 AAAA\nssh-rsa AAAA"]
        {
            let answer =
                post(&boss, "/compute_units/allocate", wish(json!({ "ssh_public_key": key })))
                    .await;
            assert_eq!(answer.status, 422, "{key}");
            assert_eq!(answer.body["detail"][0]["loc"], json!(["body", "ssh_public_key"]));
            assert_eq!(answer.body["detail"][0]["input"], key);
        }
        let many: serde_json::Map<String, Value> =
            (0..65).map(|number| (number.to_string(), json!("x"))).collect();
        for tags in [json!(many), json!({ "a": "x".repeat(17_000) }), json!({ "a": "\0" })] {
            let answer =
                post(&boss, "/compute_units/allocate", wish(json!({ "tags": tags }))).await;
            assert_eq!(answer.status, 422);
            assert_eq!(answer.body["detail"][0]["loc"], json!(["body", "tags"]));
        }
    }

    // Seen failing where the unit was free at once, and where its user could have it made whole.
    async fn an_allocation_that_fails_is_told_so_and_leaves_its_unit_to_an_operator(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let alice = app.user("alice").await;
        // In the middle of each step: making, starting, waiting.
        for step in 0..3 {
            fail(app, step, failed("the disk is full"));
            let answer = post(&alice, "/compute_units/allocate", wish(json!({}))).await;
            is_refused(&answer, 470, "Error running allocating playbook");
            assert_eq!(status_of(&boss, "h1_c0-3").await, "ALLOCATION_FAIL", "{step}");
            app.do_jobs().await;
            assert_eq!(status_of(&boss, "h1_c0-3").await, "ALLOCATION_FAIL", "{step}");
            let none = post(&alice, "/compute_units/allocate", wish(json!({}))).await;
            is_refused(&none, 460, "No free Compute Unit found to match your request");
            let gone = delete(&alice, "/compute_units/deallocate/h1_c0-3").await;
            is_refused(&gone, 409, "The compute unit is not allocated");
            assert_eq!(delete(&boss, "/compute_units/deallocate/h1_c0-3").await.status, 200);
            app.do_jobs().await;
            assert_eq!(status_of(&boss, "h1_c0-3").await, "FREE", "{step}");
        }
        allocated(&alice, json!({})).await;
    }

    // Seen failing without giving the allocation up.
    async fn nobody_waits_for_a_host_that_does_not_answer_longer_than_a_bound(app: &TestApp) {
        let boss = with_host(app, &["0-3", "4-7"]).await;
        // It takes looks without end, until the bound of 8 seconds.
        app.instances.behave(Conduct { looks: 1_000, remembers: true, ..Conduct::default() });
        let began = std::time::Instant::now();
        let answer = post(&boss, "/compute_units/allocate", wish(json!({}))).await;
        is_refused(&answer, 470, "Error running allocating playbook");
        assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
        assert_eq!(status_of(&boss, "h1_c0-3").await, "ALLOCATION_FAIL");
        // Others get theirs meanwhile.
        app.instances.behave(Conduct { remembers: true, ..Conduct::default() });
        assert_eq!(allocated(&boss, json!({})).await, "h1_c4-7");
        app.do_jobs().await;
        assert_eq!(status_of(&boss, "h1_c0-3").await, "ALLOCATION_FAIL");
    }

    async fn a_host_that_cannot_be_cut_says_why_and_is_tried_again(app: &TestApp) {
        let boss = boss(app).await;
        // In the middle of each step: looking, preparing, the first unit, the second.
        for step in 0..4 {
            fail(app, step, failed("it does not answer"));
            let begun = post(&boss, "/admin/init_server", server("h1", &["0-3", "4-7"])).await;
            assert_eq!(begun.status, 200, "{step}");
            app.do_jobs().await;
            assert_eq!(states(&boss, "").await, [("h1".to_owned(), "INIT_FAIL".to_owned())]);
            let none = post(&boss, "/compute_units/allocate", wish(json!({}))).await;
            assert_eq!(none.status, 460, "{step}");
        }
        assert_eq!(
            post(&boss, "/admin/init_server", server("h1", &["0-3", "4-7"])).await.status,
            200
        );
        app.do_jobs().await;
        assert_eq!(states(&boss, "?status=FREE").await.len(), 2);
        // The first unit, the second, what both had.
        for step in [0, 1, 1] {
            fail(app, step, failed("it does not answer"));
            assert_eq!(delete(&boss, "/admin/decommission_server/h1").await.status, 200);
            app.do_jobs().await;
            let there = states(&boss, "").await;
            assert_eq!(there, [("h1".to_owned(), "DECOMMISSION_FAIL".to_owned())], "{step}");
            let early = post(&boss, "/admin/init_server", server("h1", &["0-3"])).await;
            assert_eq!(early.status, 409, "{step}");
        }
        assert_eq!(delete(&boss, "/admin/decommission_server/h1").await.status, 200);
        app.do_jobs().await;
        assert_eq!(states(&boss, "").await[0].1, "DECOMMISSIONED");
    }

    // Seen failing where the outcome of a look counted all the same, and where its failure did.
    async fn what_is_wanted_of_a_host_changes_while_it_is_looked_at(app: &TestApp) {
        let boss = boss(app).await;
        // It can be looked at, or not: that counts for nothing any more.
        for fault in [None, Some(failed("it does not answer"))] {
            let fail_call = fault.map(|fault| (app.instances.calls() + 1, fault));
            let delay = Duration::from_secs(1);
            app.instances.behave(Conduct {
                delay,
                fail_call,
                remembers: true,
                ..Conduct::default()
            });
            let begun = post(&boss, "/admin/init_server", server("h1", &["0-3"])).await;
            assert_eq!(begun.status, 200);
            let ended = async {
                tokio::time::sleep(delay / 2).await;
                assert_eq!(delete(&boss, "/admin/decommission_server/h1").await.status, 200);
            };
            tokio::join!(app.do_jobs(), ended);
            app.do_jobs().await;
            let seen = boss.get("/admin/compute-hosts/h1").await.data(200);
            assert_eq!(
                (&seen["host"]["phase"], &seen["units"]),
                (&json!("decommissioned"), &json!([]))
            );
        }
    }

    async fn cpus_that_are_not_there_are_told(app: &TestApp) {
        app.instances.behave(Conduct { cpus: Some(4), remembers: true, ..Conduct::default() });
        let boss = with_host(app, &["0-3", "4-7"]).await;
        assert_eq!(states(&boss, "").await[0].1, "INIT_FAIL");
        let fewer = post(&boss, "/admin/init_server", server("h1", &["0-1", "2-3"])).await;
        assert_eq!(fewer.status, 200);
        app.do_jobs().await;
        assert_eq!(states(&boss, "?status=FREE").await.len(), 2);
    }

    // Seen failing where giving back once more did not hasten the job.
    async fn a_unit_that_cannot_be_wiped_says_so_and_is_nobodys_until_it_is(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let alice = app.user("alice").await;
        allocated(&alice, json!({})).await;
        fail(app, 0, failed("it does not answer"));
        assert_eq!(delete(&alice, "/compute_units/deallocate/h1_c0-3").await.status, 200);
        app.do_jobs().await;
        assert_eq!(status_of(&alice, "h1_c0-3").await, "DEALLOCATION_FAIL");
        assert_eq!(post(&alice, "/compute_units/allocate", wish(json!({}))).await.status, 460);
        // It is tried again by itself, and at once where somebody asks.
        app.do_jobs().await;
        assert_eq!(status_of(&alice, "h1_c0-3").await, "DEALLOCATION_FAIL");
        assert_eq!(delete(&alice, "/compute_units/deallocate/h1_c0-3").await.status, 200);
        app.do_jobs().await;
        assert_eq!(status_of(&boss, "h1_c0-3").await, "FREE");
    }

    async fn units_of_a_host_that_does_not_answer_are_unavailable(app: &TestApp) {
        let boss = with_host(app, &["0-3", "4-7"]).await;
        let name = allocated(&boss, json!({})).await;
        let host_id =
            app.app.store.reads().compute_hosts(&UnitFilter::default()).await.unwrap()[0].host_id;
        app.instances.reach(host_id, false);
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(status_of(&boss, &name).await, "ALLOCATED");
        assert_eq!(status_of(&boss, "h1_c4-7").await, "UNAVAILABLE");
        assert_eq!(post(&boss, "/compute_units/allocate", wish(json!({}))).await.status, 460);
        app.instances.reach(host_id, true);
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(status_of(&boss, "h1_c4-7").await, "FREE");
    }

    // Seen failing where silence counted as any other failure, and where the host was not asked.
    async fn what_a_host_that_is_away_had_comes_back_with_it(app: &TestApp) {
        let boss = with_host(app, &["0-3", "4-7"]).await;
        let reads = app.app.store.reads();
        let host_id = reads.compute_hosts(&UnitFilter::default()).await.unwrap()[0].host_id;
        app.instances.reach(host_id, false);
        let answer = post(&boss, "/compute_units/allocate", wish(json!({}))).await;
        is_refused(&answer, 470, "Error running allocating playbook");
        // One is enough to learn it: the other unit is not tried.
        let none = post(&boss, "/compute_units/allocate", wish(json!({}))).await;
        is_refused(&none, 460, "No free Compute Unit found to match your request");
        assert_eq!(status_of(&boss, "h1_c0-3").await, "ALLOCATION_FAIL");
        assert_eq!(status_of(&boss, "h1_c4-7").await, "UNAVAILABLE");
        app.instances.reach(host_id, true);
        api::worker::reconcile(&app.app).await.unwrap();
        app.clock.advance(chrono::Duration::minutes(1));
        app.do_jobs().await;
        assert_eq!(states(&boss, "?status=FREE").await.len(), 2);
    }

    async fn a_database_is_never_asked_for_what_it_cannot_keep(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let odd = wish(json!({ "region": "\0" }));
        assert_eq!(post(&boss, "/compute_units/allocate", odd).await.status, 460);
        for query in ["compute_id", "hostname", "region", "zone", "status", "deployment_id"] {
            assert_eq!(rows(&boss, &format!("?{query}=%00")).await.len(), 0, "{query}");
        }
        let unknown = delete(&boss, "/compute_units/deallocate/%00").await;
        is_refused(&unknown, 404, "Compute Unit not found");
        let retried = boss.post("/admin/compute-units/%00/retry", json!({})).await;
        retried.refused(404, "COMPUTE_UNIT_NOT_FOUND");
        let many = vec![json!(0); 100_000];
        let mut body = server("h2", &[]);
        body["cpu_ranges"] = json!(many);
        let answer = post(&boss, "/admin/init_server", body.clone()).await;
        assert_eq!(answer.body["detail"][0]["type"], "too_long");
        let alice = app.user("alice").await;
        assert_eq!(post(&alice, "/admin/init_server", body).await.status, 403);
        let odd = wish(json!({ "tags": { "a": many } }));
        let answer = post(&alice, "/compute_units/allocate", odd).await;
        assert_eq!(answer.body["detail"].as_array().unwrap().len(), 100);
    }
}
