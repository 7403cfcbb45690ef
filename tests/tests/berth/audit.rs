//! Who did what, from where, and what it was before.

use serde_json::{Value, json};
use tests::{Client, Kind, TestApp, on_both_databases};

use crate::deals::{boss, ended, payer, rented};

async fn log(client: &Client, query: &str) -> Vec<Value> {
    let rows = client.get(&format!("/audit?{query}")).await.data(200);
    rows.as_array().unwrap().clone()
}

fn kinds(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["kind"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn an_event_says_who_from_where_and_before_and_after(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let rental = rented(app, &jane, &app.server("node").await).await;
        jane.post(&format!("{rental}/extend"), json!({ "additional_days": 7 })).await.data(200);
        let id = rental.trim_start_matches("/rentals/");
        let rows = log(&boss, &format!("subject_id={id}&kind=rental.extended")).await;
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!(row["actor"], json!({ "kind": "user", "id": jane.id, "address": "127.0.0.1" }));
        assert_eq!((&row["subject_kind"], &row["subject_id"]), (&json!("rental"), &json!(id)));
        assert_eq!(row["before"]["amount_e8"], 7_000_000_000_i64);
        assert_eq!(row["after"]["amount_e8"], 14_000_000_000_i64);
        assert_eq!(row["created_at"], "2025-01-21T22:00:00.000Z");
        let rows = log(&boss, &format!("subject_id={id}")).await;
        let granted = rows.iter().find(|row| row["kind"] == "rental.access_granted").unwrap();
        let system = json!({ "kind": "system", "id": null, "address": null });
        assert_eq!(granted["actor"], system);
        let rows = log(&boss, &format!("subject_id={}&kind=wallet.deposited", jane.id)).await;
        let console = json!({ "kind": "console", "id": null, "address": null });
        assert_eq!(rows[0]["actor"], console, "the test's deposit came from there");
    }

    async fn a_users_password_and_e_mail_are_not_in_the_log(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let change = json!({ "alias": "J", "password": "another long secret",
            "current_password": tests::PASSWORD });
        jane.patch(&format!("/users/{}", jane.id), change).await.data(200);
        let text = serde_json::to_string(&log(&boss, "").await).unwrap();
        for secret in ["another long secret", tests::PASSWORD, "jane@example.org", "argon2"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(kinds(&log(&boss, &format!("actor_id={}", jane.id)).await).len() > 1);
    }

    async fn a_user_sees_what_they_did_and_what_was_done_to_them(app: &TestApp) {
        let boss = boss(app).await;
        let (jane, john) =
            (payer(app, "jane", "100.00").await, payer(app, "john", "100.00").await);
        let rental = rented(app, &jane, &app.server("node").await).await;
        ended(&jane, &rental).await;
        let body = json!({ "username": "jane", "amount": "1.00", "reason": "sorry" });
        boss.post("/admin/adjustments", body).await.data(201);
        let own = log(&jane, "").await;
        let of_jane = |row: &&Value| {
            row["actor"]["id"] == jane.id.as_str() || row["subject_id"] == jane.id.as_str()
        };
        assert_eq!(own.iter().filter(of_jane).count(), own.len());
        let kinds = kinds(&own);
        for kind in ["rental.started", "rental.terminated", "wallet.refunded", "wallet.adjusted"] {
            assert!(kinds.contains(&kind), "{kind} not in {kinds:?}");
        }
        // Filters narrow what one may see; they do not widen it.
        let id = rental.trim_start_matches("/rentals/");
        assert_eq!(log(&john, &format!("subject_id={id}")).await, Vec::<Value>::new());
        for filter in [format!("actor_id={}", jane.id), format!("subject_id={}", jane.id)] {
            assert_eq!(log(&john, &filter).await, Vec::<Value>::new(), "{filter}");
        }
        let told = john.get("/notifications").await.data(200);
        assert!(!told.to_string().contains(&jane.id), "{told}");
        assert!(log(&boss, "").await.len() > own.len());
        app.stranger().get("/audit").await.refused(401, "UNAUTHORIZED");
    }

    async fn an_operators_token_without_admin_read_sees_their_own_only(app: &TestApp) {
        let boss = boss(app).await;
        payer(app, "jane", "100.00").await;
        let wish = json!({ "alias": "a", "permissions": { "profile": { "read": true } } });
        let made = boss.post("/auth/tokens", wish).await.data(201);
        let narrow = boss.with_token(made["token"].as_str().unwrap());
        for row in log(&narrow, "").await {
            let named = [&row["actor"]["id"], &row["subject_id"]];
            assert!(named.contains(&&json!(boss.id)), "{row}");
        }
    }

    async fn it_is_filtered_and_paged(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let rental = rented(app, &jane, &app.server("node").await).await;
        app.days_pass(1);
        ended(&jane, &rental).await;
        app.do_jobs().await;
        let all = log(&boss, "").await;
        let ids: Vec<i64> =
            all.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect();
        assert!(ids.is_sorted_by(|a, b| a > b), "newest first: {ids:?}");
        let later = log(&boss, "start_date=2025-01-22T22:00:00Z").await;
        let earlier = log(&boss, "end_date=2025-01-22T22:00:00Z").await;
        assert!(!later.is_empty() && !earlier.is_empty());
        assert_eq!(later.len() + earlier.len(), all.len());
        let by_jane = log(&boss, &format!("actor_id={}", jane.id)).await;
        assert_eq!(
            kinds(&by_jane).into_iter().filter(|kind| kind.starts_with("rental.")).count(),
            2
        );
        let mut paged = Vec::new();
        let mut path = "/audit?limit=3".to_owned();
        loop {
            let answer = boss.get(&path).await;
            let link = answer.headers.get("link").cloned();
            let rows = answer.data(200);
            assert!(rows.as_array().unwrap().len() <= 3);
            paged.extend(rows.as_array().unwrap().clone());
            let Some(link) = link else { break };
            let next = link.split(['<', '>']).nth(1).unwrap();
            next[next.find("/audit").unwrap()..].clone_into(&mut path);
        }
        assert_eq!(paged, all);
        for bad in ["actor_id=x", "subject_id=x", "start_date=x", "end_date=x", "limit=501"] {
            let answer = boss.get(&format!("/audit?{bad}")).await;
            assert_eq!(answer.faults(), [bad.split('=').next().unwrap()]);
        }
    }

    async fn an_adjustment_names_what_it_corrects(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        app.renter("john", "10.00").await;
        let page = jane.get("/wallet/transactions").await.data(200);
        let wrong = page["transactions"][0]["id"].as_str().unwrap();
        let adjust = |username: &str, corrects: &str| {
            json!({ "username": username, "amount": "-5.00", "reason": "typed twice",
                "corrects": corrects })
        };
        let path = "/admin/adjustments";
        boss.post(path, adjust("jane", wrong)).await.data(201);
        let rows = log(&boss, "kind=wallet.adjusted").await;
        assert_eq!(rows[0]["after"]["corrects"], wrong);
        assert_eq!(rows[0]["before"]["balance_e8"], 50_000_000_000_i64);
        assert_eq!(rows[0]["after"]["balance_e8"], 49_500_000_000_i64);
        assert_eq!(boss.post(path, adjust("john", wrong)).await.faults(), ["/corrects"]);
        assert_eq!(boss.post(path, adjust("jane", "x")).await.faults(), ["/corrects"]);
        let nothing = adjust("jane", "0123456789abcdef01234567");
        assert_eq!(boss.post(path, nothing).await.faults(), ["/corrects"]);
    }

    async fn nobody_changes_what_was_recorded(app: &TestApp) {
        app.renter("jane", "500.00").await;
        let connection = app.database.connect().await;
        let mut changes = vec![
            "UPDATE events SET kind = 'x'".to_owned(),
            "UPDATE events SET data = data".to_owned(),
            "DELETE FROM events".to_owned(),
        ];
        if app.database.kind == Kind::Postgres {
            changes.push("TRUNCATE events".to_owned());
        }
        for change in changes {
            let outcome = sea_orm::ConnectionTrait::execute_unprepared(&connection, &change).await;
            let error = outcome.err().unwrap_or_else(|| panic!("{change}")).to_string();
            assert!(error.contains("append-only"), "{change}: {error}");
        }
        connection.close().await.unwrap();
    }
}
