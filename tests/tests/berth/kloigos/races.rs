//! Many who want units at once, through several servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::instance::DriverFault;
use outbound::simulated_instances::Conduct;
use serde_json::json;
use tests::{Answer, Client, TestApp, on_both_databases};
use tokio::sync::Semaphore;

use super::{allocated, boss, delete, post, rows, server, states, wish, with_host};

/// Sends so many wishes, 16 at a time, through each of these servers in turn.
async fn wishes(clients: &[Client], count: usize) -> Vec<Answer> {
    let at_once = Arc::new(Semaphore::new(16));
    let tasks: Vec<_> = clients
        .iter()
        .cycle()
        .take(count)
        .map(|client| {
            let (client, at_once) = (client.clone(), at_once.clone());
            tokio::spawn(async move {
                let _turn = at_once.acquire().await.unwrap();
                post(&client, "/compute_units/allocate", wish(json!({ "cpu_count": 1 }))).await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// The names of the units that were given out.
fn given(answers: &[Answer]) -> Vec<&str> {
    let done = answers.iter().filter(|answer| answer.status == 200);
    done.map(|answer| answer.body["compute_id"].as_str().unwrap()).collect()
}

fn refused(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).filter(|status| *status != 200).collect()
}

/// An operator at each of four servers, who shares 400 free units of four hosts.
async fn with_400(app: &TestApp) -> Vec<Client> {
    let boss = boss(app).await;
    let ranges: Vec<String> = (0..100).map(|cpu: u32| cpu.to_string()).collect();
    let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
    for number in 1..=4 {
        let begun = post(&boss, "/admin/init_server", server(&format!("h{number}"), &ranges)).await;
        assert_eq!(begun.status, 200);
    }
    app.do_jobs().await;
    assert_eq!(rows(&boss, "?status=FREE").await.len(), 400);
    let mut clients = vec![boss.clone()];
    for _ in 0..3 {
        clients.push(boss.through(&app.another_server().await));
    }
    clients
}

on_both_databases! {
    async fn of_100_who_want_one_of_400_all_get_one_of_their_own(app: &TestApp) {
        let clients = with_400(app).await;
        let answers = wishes(&clients, 100).await;
        assert_eq!(refused(&answers), Vec::<u16>::new());
        let given: BTreeSet<&str> = given(&answers).into_iter().collect();
        assert_eq!(given.len(), 100);
        assert_eq!(rows(&clients[0], "?status=ALLOCATED").await.len(), 100);
    }

    async fn of_420_who_want_one_of_400_exactly_20_are_refused(app: &TestApp) {
        let clients = with_400(app).await;
        let answers = wishes(&clients, 420).await;
        assert_eq!(refused(&answers), [460; 20]);
        let given: BTreeSet<&str> = given(&answers).into_iter().collect();
        assert_eq!(given.len(), 400);
        assert_eq!(rows(&clients[0], "?status=FREE").await.len(), 0);
    }

    // Seen failing without counting the units that are held; and on PostgreSQL where a unit was
    // taken without its lock, or not looked at again under it.
    async fn a_host_is_decommissioned_or_its_units_are_allocated_never_both(app: &TestApp) {
        let boss = boss(app).await;
        for round in 0..6 {
            let name = format!("r{round}");
            assert_eq!(
                post(&boss, "/admin/init_server", server(&name, &["0", "1", "2"])).await.status,
                200
            );
            app.do_jobs().await;
            let wishes: Vec<_> = (0..4)
                .map(|_| {
                    let client = boss.clone();
                    tokio::spawn(async move {
                        post(&client, "/compute_units/allocate", wish(json!({ "cpu_count": 1 })))
                            .await
                    })
                })
                .collect();
            let ended = delete(&boss, &format!("/admin/decommission_server/{name}")).await;
            let mut given = 0;
            for wish in wishes {
                let answer = wish.await.unwrap();
                assert!([200, 460].contains(&answer.status), "{}", answer.body);
                given += usize::from(answer.status == 200);
            }
            match ended.status {
                200 => assert_eq!(given, 0, "of a host that is gone"),
                409 => assert_eq!(given, 3),
                other => panic!("{other}: {}", ended.body),
            }
            for (unit, _) in states(&boss, "?status=ALLOCATED").await {
                assert_eq!(
                    delete(&boss, &format!("/compute_units/deallocate/{unit}")).await.status,
                    200
                );
            }
            app.do_jobs().await;
            delete(&boss, &format!("/admin/decommission_server/{name}")).await;
            app.do_jobs().await;
        }
    }

    async fn two_who_name_the_same_new_host_at_once_cut_it_once(app: &TestApp) {
        let boss = boss(app).await;
        let inits = (0..8).map(|_| {
            let client = boss.clone();
            async move { post(&client, "/admin/init_server", server("h1", &["0-3", "4-7"])).await }
        });
        let answers = tests::at_once(inits).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        app.do_jobs().await;
        assert_eq!(rows(&boss, "").await.len(), 2);
        assert_eq!(states(&boss, "?status=FREE").await.len(), 2);
    }

    // Seen failing where what a worker finds when it is done was not looked at: two had the unit.
    async fn a_worker_that_comes_too_late_takes_a_unit_from_nobody(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        app.instances.behave(Conduct {
            fail_call: Some((app.instances.calls() + 1, DriverFault::Failed("no".to_owned()))),
            remembers: true,
            ..Conduct::default()
        });
        let failed = post(&boss, "/compute_units/allocate", wish(json!({}))).await;
        assert_eq!(failed.status, 470);
        let delay = Duration::from_secs(2);
        app.instances.behave(Conduct { delay, remembers: true, ..Conduct::default() });
        boss.post("/admin/compute-units/h1_c0-3/retry", json!({})).await.data(200);
        let overtaken = async {
            tokio::time::sleep(delay / 4).await;
            // The first worker's lease is over while it makes the unit whole.
            app.instances.behave(Conduct { remembers: true, ..Conduct::default() });
            app.clock.advance(chrono::Duration::minutes(4));
            app.do_jobs().await;
            allocated(&boss, json!({})).await;
        };
        tokio::join!(app.do_jobs(), overtaken);
        assert_eq!(states(&boss, "").await[0].1, "ALLOCATED");
        assert_eq!(post(&boss, "/compute_units/allocate", wish(json!({}))).await.status, 460);
    }

    // Seen failing on PostgreSQL where nobody waited for who has the unit for a moment.
    async fn who_cannot_pay_keeps_a_unit_from_nobody(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        let price = json!({ "price_per_cpu_hour": "0.25" });
        boss.patch("/admin/compute-hosts/h1", price).await.data(200);
        let poor = app.user("poor").await;
        let rich = app.renter("rich", "100.00").await;
        for _ in 0..8 {
            // Those who cannot pay have the unit for a moment each.
            let wishes = (0..8).map(|number| {
                let client = if number == 7 { rich.clone() } else { poor.clone() };
                async move { post(&client, "/compute_units/allocate", wish(json!({}))).await }
            });
            let answers = tests::at_once(wishes).await;
            let (won, lost) = answers.split_last().unwrap();
            assert_eq!(won.status, 200, "{}", won.body);
            // Whether they could have paid is asked before it is gone, or it is gone.
            assert!(lost.iter().all(|answer| [402, 460].contains(&answer.status)), "{lost:?}");
            delete(&rich, "/compute_units/deallocate/h1_c0-3").await;
            app.do_jobs().await;
        }
    }

    async fn a_unit_that_two_give_back_at_once_is_given_back_once(app: &TestApp) {
        let boss = with_host(app, &["0-3"]).await;
        for _ in 0..4 {
            let name = allocated(&boss, json!({})).await;
            let path = format!("/compute_units/deallocate/{name}");
            let both = (0..4).map(|_| {
                let (client, path) = (boss.clone(), path.clone());
                async move { delete(&client, &path).await }
            });
            let answers = tests::at_once(both).await;
            assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
            app.do_jobs().await;
            assert_eq!(states(&boss, "").await[0].1, "FREE");
        }
    }
}
