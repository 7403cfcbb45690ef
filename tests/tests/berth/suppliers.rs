//! Other people's servers: what their owners earn, and what they are paid.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::deals::{boss, ended, extended, number, payer, price, rented, unready};

pub const IBAN: &str = "DE89370400440532013000";

/// Makes somebody a supplier who keeps 85 percent; answers them.
pub async fn supplier(app: &TestApp, boss: &Client, name: &str) -> Client {
    let client = app.user(name).await.lasting().await;
    commission(boss, name, "15.00").await;
    client
}

pub async fn commission(boss: &Client, name: &str, percent: &str) -> Value {
    let terms = json!({
        "commission_percent": percent, "account_holder": format!("{name} Ltd"), "iban": IBAN
    });
    boss.put(&format!("/admin/suppliers/{name}"), terms).await.data(200)
}

/// Lists a server of this supplier.
pub async fn server_of(app: &TestApp, boss: &Client, supplier: &str, name: &str) -> String {
    let server = app.server(name).await;
    let owner = json!({ "supplier": supplier });
    boss.patch(&format!("/admin/servers/{server}"), owner).await.data(200);
    server
}

/// What a supplier's account shows: escrow, earned, payable.
pub async fn account(supplier: &Client) -> [String; 3] {
    let data = supplier.get("/supplier").await.data(200);
    ["escrow", "earned", "payable"].map(|key| data[key].as_str().unwrap().to_owned())
}

async fn earned_e8(app: &TestApp) -> i64 {
    number(app, "SELECT earned_e8 FROM suppliers").await
}

on_both_databases! {
    async fn rent_waits_in_escrow_and_is_earned_day_by_day(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        rented(app, &jane, &server).await;
        assert_eq!(account(&iron).await, ["70.00", "0.00", "0.00"]);
        app.clock.advance(Duration::days(1) - Duration::microseconds(1));
        app.sweep().await;
        assert_eq!(account(&iron).await, ["70.00", "0.00", "0.00"], "no day has passed");
        app.clock.advance(Duration::microseconds(1));
        for _ in 0..3 {
            app.sweep().await;
        }
        assert_eq!(account(&iron).await, ["60.00", "8.50", "8.50"]);
        app.clock.advance(Duration::hours(36));
        app.sweep().await;
        assert_eq!(account(&iron).await, ["50.00", "17.00", "17.00"]);
        app.days_pass(30);
        for _ in 0..3 {
            app.sweep().await;
        }
        assert_eq!(account(&iron).await, ["0.00", "59.50", "59.50"]);
        assert_eq!(iron.balance_cents().await, 0, "a wallet is for renting, a payout for earnings");
    }

    // 99.99 / 7 is 14.28428571 428… a day; the operator's 3.33 percent of that is rounded down.
    async fn days_that_are_no_whole_cents_are_exact_to_eight_decimals(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        supplier(app, &boss, "iron").await;
        commission(&boss, "iron", "3.33").await;
        let server = server_of(app, &boss, "iron", "node").await;
        price(&boss, &server, "99.99").await;
        rented(app, &jane, &server).await;
        let mut before = 0;
        let mut earned = 0;
        for day in 1..=7 {
            app.days_pass(1);
            app.sweep().await;
            let until = 9_999_000_000 * day / 7;
            let rent = until - before;
            before = until;
            earned += rent - rent * 333 / 10_000;
            assert_eq!(earned_e8(app).await, earned, "after {day} days");
        }
        assert_eq!(before, 9_999_000_000);
        assert_eq!(number(app, "SELECT escrow_e8 FROM rentals").await, 0);
    }

    async fn all_days_at_once_make_the_same_rent_as_day_by_day(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        rented(app, &jane, &server).await;
        app.days_pass(400);
        app.sweep().await;
        assert_eq!(earned_e8(app).await, 5_950_000_000);
        let sql = "SELECT CAST(-COALESCE(SUM(amount_e8), 0) AS bigint) FROM entries \
                   WHERE account = 'revenue'";
        assert_eq!(number(app, sql).await, -1_050_000_000, "the operator's commission");
    }

    async fn after_a_hold_the_days_of_an_extension_are_earned_day_by_day(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        let rental = rented(app, &jane, &server).await;
        app.clock.advance(Duration::hours(8 * 24 + 12));
        app.sweep().await;
        assert_eq!(account(&iron).await, ["0.00", "59.50", "59.50"]);
        let sql = "SELECT count(*) FROM events WHERE kind = 'supplier.earned'";
        assert_eq!(number(app, sql).await, 1);
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(number(app, sql).await, 1, "nothing is earned on hold, and nothing told");
        extended(&jane, &rental).await;
        app.sweep().await;
        assert_eq!(account(&iron).await, ["60.00", "68.00", "68.00"], "the eighth day");
        app.days_pass(1);
        app.sweep().await;
        assert_eq!(account(&iron).await, ["50.00", "76.50", "76.50"]);
    }

    async fn an_early_end_is_refunded_out_of_escrow_and_the_rest_is_earned(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        let rental = rented(app, &jane, &server).await;
        app.clock.advance(Duration::hours(60));
        app.sweep().await;
        assert_eq!(account(&iron).await, ["50.00", "17.00", "17.00"]);
        assert_eq!(ended(&jane, &rental).await, "40.00");
        assert_eq!(account(&iron).await, ["10.00", "17.00", "17.00"]);
        for _ in 0..2 {
            app.sweep().await;
        }
        assert_eq!(account(&iron).await, ["0.00", "25.50", "25.50"], "the begun day as well");
        app.days_pass(30);
        app.sweep().await;
        assert_eq!(account(&iron).await, ["0.00", "25.50", "25.50"]);
    }

    async fn days_earned_by_a_clock_that_ran_ahead_are_taken_back_by_an_early_end(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        let rental = rented(app, &jane, &server).await;
        app.days_pass(5);
        app.sweep().await;
        assert_eq!(account(&iron).await, ["20.00", "42.50", "42.50"]);
        app.clock.advance(Duration::days(-4));
        assert_eq!(ended(&jane, &rental).await, "60.00");
        assert_eq!(account(&iron).await, ["0.00", "42.50", "8.50"], "40.00 less 15 percent");
        for _ in 0..2 {
            app.days_pass(3);
            app.sweep().await;
        }
        assert_eq!(account(&iron).await, ["0.00", "42.50", "8.50"]);
    }

    async fn nothing_is_earned_with_a_server_that_never_became_ready(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        unready(&jane, &server).await;
        app.days_pass(3);
        app.sweep().await;
        app.sweep().await;
        assert_eq!(account(&iron).await, ["0.00", "0.00", "0.00"]);
        assert_eq!(jane.balance_cents().await, 10_000);
    }

    async fn a_changed_commission_leaves_running_rentals_alone(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let (first, second) = (
            server_of(app, &boss, "iron", "first").await,
            server_of(app, &boss, "iron", "second").await,
        );
        let old = rented(app, &jane, &first).await;
        let changed = commission(&boss, "iron", "50").await;
        assert_eq!(changed["commission_percent"], "50.00");
        rented(app, &jane, &second).await;
        // The extension of the old one, too, is under its old terms.
        extended(&jane, &old).await;
        app.days_pass(1);
        app.sweep().await;
        assert_eq!(account(&iron).await, ["190.00", "13.50", "13.50"]);
        // Nor does a new owner take over what runs.
        supplier(app, &boss, "steel").await;
        boss.patch(&format!("/admin/servers/{first}"), json!({ "supplier": "steel" }))
            .await
            .data(200);
        app.days_pass(1);
        app.sweep().await;
        assert_eq!(account(&iron).await, ["170.00", "27.00", "27.00"]);
        for bad in ["100.01", "-1", "1e1", "12.345"] {
            let terms = json!({
                "commission_percent": bad, "account_holder": "Iron", "iban": IBAN
            });
            let answer = boss.put("/admin/suppliers/iron", terms).await;
            assert_eq!(answer.faults(), ["/commission_percent"], "{bad}");
        }
    }

    async fn a_commission_of_all_or_nothing(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let (all, none) =
            (supplier(app, &boss, "all").await, supplier(app, &boss, "none").await);
        commission(&boss, "all", "100").await;
        commission(&boss, "none", "0").await;
        for owner in ["all", "none"] {
            let server = server_of(app, &boss, owner, owner).await;
            rented(app, &jane, &server).await;
        }
        app.days_pass(30);
        app.sweep().await;
        assert_eq!(account(&all).await, ["0.00", "0.00", "0.00"]);
        assert_eq!(account(&none).await, ["0.00", "70.00", "70.00"]);
    }

    async fn downtime_is_taken_from_what_is_payable_also_below_zero(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "100.00").await);
        let iron = supplier(app, &boss, "iron").await;
        let server = server_of(app, &boss, "iron", "node").await;
        let sla = json!({ "sla": { "grace_minutes": 0, "credit_percent": 100 } });
        boss.patch(&format!("/admin/servers/{server}"), sla).await.data(200);
        rented(app, &jane, &server).await;
        app.days_pass(1);
        app.sweep().await;
        let paid = boss.post("/admin/payouts", json!({ "minimum": "0.01" })).await.data(201);
        assert_eq!((&paid["count"], &paid["total"]), (&json!(1), &json!("8.50")));
        assert_eq!(account(&iron).await, ["60.00", "8.50", "0.00"]);
        let outage = json!({
            "server_id": server, "started_at": "2025-01-21T22:00:00Z",
            "ended_at": "2025-01-22T22:00:00Z", "evidence": "ticket 1"
        });
        let recorded = boss.post("/admin/outages", outage).await.data(201);
        assert_eq!(recorded["credits"][0]["amount"], "10.00");
        assert_eq!(account(&iron).await, ["60.00", "8.50", "-8.50"]);
        let paid = boss.post("/admin/payouts", json!({ "minimum": "0.01" })).await.data(201);
        assert_eq!(paid["count"], 0);
        app.days_pass(2);
        app.sweep().await;
        assert_eq!(account(&iron).await, ["40.00", "25.50", "8.50"]);
        assert_eq!(jane.balance_cents().await, 4_000);
    }

    async fn whoever_has_the_minimum_is_paid_and_the_others_wait(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let (iron, steel) =
            (supplier(app, &boss, "iron").await, supplier(app, &boss, "steel").await);
        let (first, second) = (
            server_of(app, &boss, "iron", "first").await,
            server_of(app, &boss, "steel", "second").await,
        );
        price(&boss, &first, "99.99").await;
        rented(app, &jane, &first).await;
        rented(app, &jane, &second).await;
        app.days_pass(1);
        app.sweep().await;
        // 12.14164286 and 8.50.
        assert_eq!(account(&iron).await[2], "12.14");
        let nobody = boss.post("/admin/payouts", json!({})).await.data(201);
        assert_eq!((&nobody["run"]["minimum"], &nobody["count"]), (&json!("50.00"), &json!(0)));
        app.clock.advance(Duration::seconds(1));
        let wish = json!({ "minimum": "8.51" });
        let paid = boss.post_once("/admin/payouts", "run-1", wish.clone()).await;
        let again = boss.post_once("/admin/payouts", "run-1", wish).await;
        assert_eq!((again.status, &again.body), (201, &paid.body));
        let paid = paid.data(201);
        assert_eq!((&paid["count"], &paid["total"]), (&json!(1), &json!("12.14")));
        assert_eq!(number(app, "SELECT count(*) FROM payouts").await, 1);
        assert_eq!(account(&iron).await[2], "0.00", "the fraction of a cent stays payable");
        assert_eq!(account(&steel).await[2], "8.50");
        let other = boss.post_once("/admin/payouts", "run-1", json!({ "minimum": "1" })).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        for bad in ["0", "-1", "0.001"] {
            let answer = boss.post("/admin/payouts", json!({ "minimum": bad })).await;
            assert_eq!(answer.faults(), ["/minimum"], "{bad}");
        }
        let runs = boss.get("/admin/payouts").await.data(200);
        assert_eq!(runs.as_array().unwrap().len(), 2);
        assert_eq!(runs[0], paid["run"], "newest first");
        let path = format!("/admin/payouts/{}", paid["run"]["id"].as_str().unwrap());
        let payouts = boss.get(&path).await.data(200);
        let id = payouts[0]["id"].as_str().unwrap();
        assert_eq!(payouts, json!([{
            "id": id, "run_id": paid["run"]["id"], "supplier_id": iron.id, "amount": "12.14",
            "account_holder": "iron Ltd", "iban": IBAN, "created_at": "2025-01-22T22:00:01.000Z"
        }]));
        assert_eq!(iron.get("/supplier").await.data(200)["payouts"], payouts);
        let csv = boss.get(&format!("{path}/csv")).await;
        assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
        assert_eq!(csv.body.as_str().unwrap(), format!(
            "reference,account_holder,iban,amount,currency\n{id},iron Ltd,{IBAN},12.14,USD\n"
        ));
        let nowhere = "/admin/payouts/0123456789abcdef01234567";
        boss.get(nowhere).await.refused(404, "PAYOUT_RUN_NOT_FOUND");
        boss.get(&format!("{nowhere}/csv")).await.refused(404, "PAYOUT_RUN_NOT_FOUND");
    }

    async fn a_name_that_looks_like_a_formula_is_no_formula_for_a_spreadsheet(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        supplier(app, &boss, "iron").await;
        let terms = json!({
            "commission_percent": "0", "account_holder": "=1+1,\"2\"", "iban": IBAN
        });
        boss.put("/admin/suppliers/iron", terms).await.data(200);
        let server = server_of(app, &boss, "iron", "node").await;
        rented(app, &jane, &server).await;
        app.days_pass(7);
        app.sweep().await;
        let paid = boss.post("/admin/payouts", json!({})).await.data(201);
        let run = paid["run"]["id"].as_str().unwrap();
        let csv = boss.get(&format!("/admin/payouts/{run}/csv")).await;
        let csv = csv.body.as_str().unwrap();
        assert!(csv.contains(",\"'=1+1,\"\"2\"\"\",DE"), "{csv}");
    }

    async fn a_supplier_sees_their_own_account_only(app: &TestApp) {
        let (boss, jane) = (boss(app).await, payer(app, "jane", "500.00").await);
        let iron = supplier(app, &boss, "iron").await;
        app.clock.advance(Duration::seconds(1));
        let steel = supplier(app, &boss, "steel").await;
        let server = server_of(app, &boss, "iron", "node").await;
        rented(app, &jane, &server).await;
        assert_eq!(account(&iron).await, ["70.00", "0.00", "0.00"]);
        assert_eq!(account(&steel).await, ["0.00", "0.00", "0.00"]);
        jane.get("/supplier").await.refused(404, "SUPPLIER_NOT_FOUND");
        for path in ["/admin/suppliers", "/admin/payouts"] {
            iron.get(path).await.refused(403, "OPERATOR_REQUIRED");
        }
        let all = boss.get("/admin/suppliers").await.data(200);
        let names: Vec<_> = all.as_array().unwrap().iter().map(|row| &row["username"]).collect();
        assert_eq!(names, ["iron", "steel"], "by age");
        let nobody = json!({ "supplier": "nobody" });
        let answer = boss.patch(&format!("/admin/servers/{server}"), nobody).await;
        assert!([400, 404].contains(&answer.status), "{}", answer.body);
        let bad = json!({
            "commission_percent": "15", "account_holder": "I", "iban": "DE88370400440532013000"
        });
        assert_eq!(boss.put("/admin/suppliers/jane", bad).await.faults(), ["/iban"]);
        let nobody = json!({ "commission_percent": "15", "account_holder": "I", "iban": IBAN });
        boss.put("/admin/suppliers/nobody", nobody).await.refused(404, "USER_NOT_FOUND");
    }
}
