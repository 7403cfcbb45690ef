//! What operators do over HTTP: money, servers, users, dead jobs.

use chrono::Duration;
use domain::job::{self, JobContext, Taking};
use domain::rental::{Access, RentalId};
use outbound::simulated::{Behaviour, Simulated};
use serde_json::{Value, json};
use tests::{Client, TestApp, at_once, on_both_databases};

fn booking(amount: &str) -> Value {
    json!({ "username": "jane", "amount": amount, "reason": "bank transfer 4711" })
}

async fn transactions(client: &Client) -> u64 {
    let data = client.get("/wallet/transactions").await.data(200);
    data["pagination"]["total"].as_u64().unwrap()
}

on_both_databases! {
    async fn time_is_only_moved_in_a_rehearsal(app: &TestApp) {
        let boss = app.operator("boss").await;
        let clock = boss.get("/admin/clock").await.data(200);
        assert_eq!(clock, json!({ "manual": false, "now": "2025-01-21T22:00:00.000Z" }));
        let ahead = json!({ "advance_hours": 1 });
        boss.post("/admin/clock", ahead).await.refused(409, "CLOCK_NOT_MANUAL");
    }

    async fn a_deposit_is_booked_and_its_owner_sees_it(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.user("jane").await);
        let booked = operator.post("/admin/deposits", booking("100.00")).await.data(201);
        let id = booked["id"].as_str().unwrap();
        assert_eq!(booked, json!({
            "id": id, "user_id": jane.id, "amount": 100, "balance": "100.00", "currency": "USD",
            "created_at": "2025-01-21T22:00:00.000Z"
        }));
        let seen = jane.get(&format!("/wallet/transactions/{id}")).await.data(200);
        assert_eq!((&seen["amount"], &seen["reason"]), (&json!(100), &json!("bank transfer 4711")));
        assert_eq!(jane.balance_cents().await, 10_000);
        // A name is known without regard to case.
        let body = json!({ "username": "JANE", "amount": "0.50", "reason": "x" });
        assert_eq!(operator.post("/admin/deposits", body).await.data(201)["balance"], "100.50");
    }

    async fn an_adjustment_goes_down_to_zero_and_not_below(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.renter("jane", "10.00").await);
        let data = operator.post("/admin/adjustments", booking("2.50")).await.data(201);
        assert_eq!((&data["amount"], &data["balance"]), (&json!(2.5), &json!("12.50")));
        let before = transactions(&jane).await;
        let refusal = operator.post_once("/admin/adjustments", "key", booking("-12.51")).await;
        refusal.refused(400, "INSUFFICIENT_BALANCE");
        assert_eq!((jane.balance_cents().await, transactions(&jane).await), (1_250, before));
        // The refusal left no record: the same key may be used again.
        let data =
            operator.post_once("/admin/adjustments", "key", booking("-12.50")).await.data(201);
        assert_eq!((&data["amount"], &data["balance"]), (&json!(-12.5), &json!("0.00")));
        operator
            .post("/admin/adjustments", booking("-0.01"))
            .await
            .refused(400, "INSUFFICIENT_BALANCE");
        assert_eq!((jane.balance_cents().await, transactions(&jane).await), (0, before + 1));
    }

    async fn sixty_four_equal_keys_at_once_book_once(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.user("jane").await);
        let answers = at_once((0..64).map(|_| {
            let operator = operator.clone();
            let body = booking("25.00");
            async move { operator.post_once("/admin/deposits", "wire-4711", body).await }
        }))
        .await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &answers[0].body));
        }
        assert_eq!((jane.balance_cents().await, transactions(&jane).await), (2_500, 1));
        let other = operator.post_once("/admin/deposits", "wire-4711", booking("26.00")).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        let other = operator.post_once("/admin/adjustments", "wire-4711", booking("25.00")).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        // Another operator's key is another key.
        let second = app.operator("otto").await;
        second.post_once("/admin/deposits", "wire-4711", booking("25.00")).await.data(201);
        assert_eq!(jane.balance_cents().await, 5_000);
    }

    async fn adjustments_at_once_never_overdraw(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.renter("jane", "10.00").await);
        let answers = at_once((0..16).map(|_| {
            let operator = operator.clone();
            async move { operator.post("/admin/adjustments", booking("-3.00")).await }
        }))
        .await;
        let (booked, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == 201);
        assert_eq!((booked.len(), refused.len()), (3, 13));
        for answer in refused {
            answer.refused(400, "INSUFFICIENT_BALANCE");
        }
        assert_eq!(jane.balance_cents().await, 100);
    }

    async fn an_amount_is_a_decimal_string_in_whole_cents(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.user("jane").await);
        for amount in ["5", "5.0", "5.00", "0.01", "1000000", "005"] {
            operator.post("/admin/deposits", booking(amount)).await.data(201);
        }
        assert_eq!(jane.balance_cents().await, 100_002_001);
        let texts = [
            "", " ", "0", "0.00", "-0", "-1", "1.001", "1e3", "1000000.01", "NaN", "inf", "1,000",
            "+1", "0x10", "５", "1.0.0", "$5", "99999999999999999999999999",
        ];
        let values = [json!(5), json!(null), json!(true), json!(["5"]), json!({})];
        for amount in texts.into_iter().map(Value::from).chain(values) {
            let body = json!({ "username": "jane", "amount": amount, "reason": "x" });
            let answer = operator.post("/admin/deposits", body).await;
            assert_eq!(answer.faults(), ["/amount"], "{amount}");
        }
        let zero = operator.post("/admin/adjustments", booking("0.00")).await;
        zero.refused(400, "VALIDATION_ERROR");
        assert_eq!(transactions(&jane).await, 6);
    }

    async fn a_reason_has_1_to_500_characters(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.user("jane").await);
        let body = |reason: &str| json!({ "username": "jane", "amount": "1.00", "reason": reason });
        for reason in ["x", &"ü".repeat(500), "it's 50% \\ \"off\"; DROP TABLE wallets"] {
            operator.post("/admin/deposits", body(reason)).await.data(201);
        }
        for reason in ["", "   ", "two\nlines", "nul\0", &"x".repeat(501)] {
            let answer = operator.post("/admin/deposits", body(reason)).await;
            assert_eq!(answer.faults(), ["/reason"]);
        }
        let answer = operator.post("/admin/deposits", json!({})).await;
        assert_eq!(answer.faults(), ["/username", "/amount", "/reason"]);
        assert_eq!(jane.balance_cents().await, 300);
    }

    async fn only_operators_book_and_only_for_users_that_exist(app: &TestApp) {
        let (operator, jane) = (app.operator("olga").await, app.user("jane").await);
        for path in ["/admin/deposits", "/admin/adjustments"] {
            let body = json!({ "username": "nobody", "amount": "1.00", "reason": "x" });
            operator.post(path, body).await.refused(404, "USER_NOT_FOUND");
            let body = json!({ "username": "x".repeat(5_000), "amount": "1.00", "reason": "x" });
            assert_eq!(operator.post(path, body).await.faults(), ["/username"]);
            jane.post(path, booking("1.00")).await.refused(403, "OPERATOR_REQUIRED");
            app.stranger().post(path, booking("1.00")).await.refused(401, "UNAUTHORIZED");
        }
        for key in ["", "two words", &"k".repeat(256)] {
            let answer = operator.post_once("/admin/deposits", key, booking("1.00")).await;
            answer.refused(400, "VALIDATION_ERROR");
        }
        for path in ["/admin/users", "/admin/servers", "/admin/jobs/dead"] {
            jane.get(path).await.refused(403, "OPERATOR_REQUIRED");
            app.stranger().get(path).await.refused(401, "UNAUTHORIZED");
        }
        assert_eq!(jane.balance_cents().await, 0);
    }

    async fn operators_see_every_user_and_no_password(app: &TestApp) {
        let operator = app.operator("olga").await;
        app.clock.advance(Duration::seconds(1));
        app.user("jane").await;
        let answer = operator.get("/admin/users").await;
        let text = answer.body.to_string();
        assert!(!text.contains("argon2") && !text.contains("password"), "{text}");
        let users = answer.data(200);
        let names: Vec<_> = users.as_array().unwrap().iter().map(|u| &u["username"]).collect();
        assert_eq!(names, ["olga", "jane"]);
    }
}

/// Fails the jobs that may run, as often as asked, a while apart.
async fn fail_jobs(app: &TestApp, times: usize) {
    for _ in 0..times {
        let down = Simulated::new(Behaviour { fail_call: Some(1), ..Behaviour::default() });
        let context = JobContext { driver: &down, ..app.app.job_context() };
        assert!(job::run_next(context, Taking::All).await.unwrap());
        app.clock.advance(Duration::minutes(6));
    }
}

on_both_databases! {
    async fn a_job_that_failed_too_often_waits_for_an_operator(app: &TestApp) {
        let operator = app.operator("olga").await;
        let (server, jane) = (app.server("node").await, app.renter("jane", "70.00").await);
        let rental = jane.rent(&server, 7).await.data(201)["rental"]["id"].clone();
        let path = format!("/rentals/{}", rental.as_str().unwrap());
        fail_jobs(app, 9).await;
        let operator = app.log_in(&operator.username).await;
        assert_eq!(operator.get("/admin/jobs/dead").await.data(200), json!([]));
        fail_jobs(app, 1).await;
        app.do_jobs().await;
        let (mine, olga) = (jane.clone(), app.log_in("olga").await);
        let jane = app.log_in("jane").await;
        mine.get(&path).await.refused(401, "UNAUTHORIZED");
        let rental_id = RentalId::parse(rental.as_str().unwrap()).unwrap();
        assert_eq!(
            (jane.get(&path).await.data(200)["status"].as_str(), app.driver.access(rental_id)),
            (Some("active"), None)
        );
        let dead = olga.get("/admin/jobs/dead").await.data(200);
        let id = dead[0]["id"].as_str().unwrap();
        assert_eq!(dead, json!([{
            "id": id, "work": { "kind": "align_access", "rental_id": rental }, "attempts": 10,
            "last_error": dead[0]["last_error"], "created_at": "2025-01-21T22:00:00.000Z"
        }]));
        assert!(dead[0]["last_error"].as_str().unwrap().contains("failed on call 1"), "{dead}");

        let retry = format!("/admin/jobs/{id}/retry");
        jane.post(&retry, json!({})).await.refused(403, "OPERATOR_REQUIRED");
        olga.post(&retry, json!({})).await.data(200);
        assert_eq!(olga.get("/admin/jobs/dead").await.data(200), json!([]));
        olga.post(&retry, json!({})).await.refused(404, "JOB_NOT_FOUND");
        olga.post("/admin/jobs/nothing/retry", json!({})).await.refused(404, "JOB_NOT_FOUND");
        app.do_jobs().await;
        assert_eq!(app.driver.access(rental_id), Some(Access::Granted));
    }
}
