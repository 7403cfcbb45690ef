//! Many at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, at_once, on_both_databases};

const MANY: usize = 64;

fn rent(client: &Client, server: &str) -> impl Future<Output = Answer> + Send + 'static {
    let (client, server) = (client.clone(), server.to_owned());
    async move { client.rent(&server, 7).await }
}

fn count(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let code = answer.body["error"].as_str().unwrap_or("done").to_owned();
        *counts.entry(code).or_insert(0) += 1;
    }
    counts
}

fn counted<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected.into_iter().map(|(code, number)| (code.to_owned(), number)).collect()
}

on_both_databases! {
    // Two things hold it: the lock on the host's row makes the others wait and then see that it is
    // taken, and the unique index on live rentals of one host alone would refuse the second.
    async fn of_64_renters_of_one_server_exactly_one_gets_it(app: &TestApp) {
        let server = app.server("node-1").await;
        let mut renters = Vec::new();
        for number in 0..MANY {
            renters.push(app.renter(&format!("renter-{number}"), "100.00").await);
        }
        let answers = at_once(renters.iter().map(|renter| rent(renter, &server))).await;
        assert_eq!(count(&answers), counted([("SERVER_UNAVAILABLE", MANY - 1), ("done", 1)]));
        let mut charged = 0;
        for renter in &renters {
            charged += 10_000 - renter.balance_cents().await;
        }
        assert_eq!(charged, 7_000);
    }

    async fn a_wallet_for_10_rents_pays_exactly_10_of_64(app: &TestApp) {
        let jane = app.renter("jane", "700.00").await;
        let mut servers = Vec::new();
        for number in 0..MANY {
            servers.push(app.server(&format!("node-{number}")).await);
        }
        let answers = at_once(servers.iter().map(|server| rent(&jane, server))).await;
        assert_eq!(count(&answers), counted([("INSUFFICIENT_BALANCE", MANY - 10), ("done", 10)]));
        assert_eq!(jane.balance_cents().await, 0);
        assert_eq!(jane.get("/rentals").await.data(200).as_array().unwrap().len(), 10);
    }

    async fn equal_idempotency_keys_have_one_effect_and_one_answer(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let server = app.server("node-1").await;
        let path = format!("/servers/{server}/rent");
        let send = || {
            let (jane, path) = (jane.clone(), path.clone());
            async move { jane.post_once(&path, "rent-1", json!({ "rental_days": 7 })).await }
        };
        let answers = at_once((0..MANY).map(|_| send())).await;
        let first = &answers[0];
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &first.body));
        }
        assert_eq!(jane.balance_cents().await, 43_000);

        app.days_pass(1);
        let jane = app.log_in("jane").await;
        let later = jane.post_once(&path, "rent-1", json!({ "rental_days": 7 })).await;
        assert_eq!(later.body, first.body, "a day later, still the first answer");
        let other = jane.post_once(&path, "rent-1", json!({ "rental_days": 30 })).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        let extend =
            format!("/rentals/{}/extend", first.body["data"]["rental"]["id"].as_str().unwrap());
        let other = jane.post_once(&extend, "rent-1", json!({ "additional_days": 7 })).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        jane.post_once(&path, "ä", json!({ "rental_days": 7 }))
            .await
            .refused(400, "VALIDATION_ERROR");
    }

    async fn equal_keys_of_two_people_do_not_meet(app: &TestApp) {
        let (first, second) = (app.server("node-1").await, app.server("node-2").await);
        for (name, server) in [("jane", &first), ("john", &second)] {
            let renter = app.renter(name, "100.00").await;
            let path = format!("/servers/{server}/rent");
            renter.post_once(&path, "key", json!({ "rental_days": 7 })).await.data(201);
        }
    }

    async fn a_refusal_leaves_its_key_unused(app: &TestApp) {
        let jane = app.renter("jane", "10.00").await;
        let server = app.server("node-1").await;
        let path = format!("/servers/{server}/rent");
        let body = json!({ "rental_days": 7 });
        jane.post_once(&path, "key", body.clone()).await.refused(400, "INSUFFICIENT_BALANCE");
        app.deposit("jane", "100.00").await;
        jane.post_once(&path, "key", body).await.data(201);
    }

    async fn of_64_equal_extensions_that_expect_one_end_exactly_one_is_made(app: &TestApp) {
        let jane = app.renter("jane", "10000.00").await;
        let server = app.server("node-1").await;
        let data = jane.rent(&server, 7).await.data(201);
        let path = format!("/rentals/{}/extend", data["rental"]["id"].as_str().unwrap());
        let body =
            json!({ "additional_days": 7, "expected_rental_end": data["rental"]["rental_end"] });
        let send = || {
            let (jane, path, body) = (jane.clone(), path.clone(), body.clone());
            async move { jane.post(&path, body).await }
        };
        let answers = at_once((0..MANY).map(|_| send())).await;
        let expected = counted([("EXTENSION_ALREADY_APPLIED", MANY - 1), ("done", 1)]);
        assert_eq!(count(&answers), expected);
        assert_eq!(jane.balance_cents().await, 1_000_000 - 14_000);
    }

    async fn extending_and_expiring_at_once_ends_in_one_of_the_two(app: &TestApp) {
        for round in 0..8 {
            let name = format!("renter-{round}");
            let jane = app.renter(&name, "500.00").await;
            let server = app.server(&format!("node-{round}")).await;
            let data = jane.rent(&server, 7).await.data(201);
            let rental = data["rental"]["id"].as_str().unwrap().to_owned();
            app.clock.advance(chrono::Duration::days(9) - chrono::Duration::seconds(1));
            let jane = app.log_in(&name).await;
            let extend = {
                let (jane, path) = (jane.clone(), format!("/rentals/{rental}/extend"));
                async move { jane.post(&path, json!({ "additional_days": 7 })).await }
            };
            let (answer, ()) = tokio::join!(extend, async {
                app.clock.advance(chrono::Duration::seconds(1));
                app.sweep().await;
            });
            app.sweep().await;
            let seen: Value = jane.get(&format!("/rentals/{rental}")).await.data(200);
            let expected = if answer.status == 200 { "active" } else { "expired" };
            assert_eq!(seen["status"], expected, "{}", answer.body);
        }
    }
}
