//! The ledger can be checked from its first row to its last, and every charge explained.

use domain::wallet::{Verified, take_checkpoint, verify};
use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::json;
use tests::{Client, TestApp, on_both_databases};

async fn verified(app: &TestApp) -> Verified {
    verify(app.app.store.as_ref()).await.unwrap()
}

async fn checkpoint(app: &TestApp) -> bool {
    let (store, clock) = (app.app.store.as_ref(), app.app.clock.as_ref());
    take_checkpoint(store, clock, false).await.unwrap().is_some()
}

/// Two renters, a rental that was extended, one that was ended early, and a correction.
async fn history(app: &TestApp) -> Client {
    let jane = app.renter("jane", "500.00").await;
    app.renter("john", "20.00").await;
    let (first, second) = (app.server("node-1").await, app.server("node-2").await);
    let data = jane.rent(&first, 7).await.data(201);
    let extend = format!("/rentals/{}/extend", data["rental"]["id"].as_str().unwrap());
    jane.post(&extend, json!({ "additional_days": 30 })).await.data(200);
    let data = jane.rent(&second, 7).await.data(201);
    app.do_jobs().await;
    app.days_pass(1);
    let jane = app.log_in("jane").await;
    let end = format!("/rentals/{}/terminate", data["rental"]["id"].as_str().unwrap());
    jane.post(&end, json!({ "expected_refund": "60.00" })).await.data(200);
    jane
}

/// Changes rows as only somebody with the database's password can.
async fn tamper(app: &TestApp, sql: &str) {
    let connection = app.database.connect().await;
    let guards = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "ALTER TABLE postings DISABLE TRIGGER USER; \
             ALTER TABLE entries DISABLE TRIGGER USER; \
             ALTER TABLE checkpoints DISABLE TRIGGER USER; \
             ALTER TABLE checkpoint_heads DISABLE TRIGGER USER"
        }
        _ => {
            "DROP TRIGGER IF EXISTS postings_are_not_updated; \
             DROP TRIGGER IF EXISTS postings_are_not_deleted; \
             DROP TRIGGER IF EXISTS entries_are_not_updated; \
             DROP TRIGGER IF EXISTS entries_are_not_deleted; \
             DROP TRIGGER IF EXISTS checkpoints_are_not_updated; \
             DROP TRIGGER IF EXISTS checkpoint_heads_are_not_updated; \
             DROP TRIGGER IF EXISTS checkpoint_heads_are_not_deleted; \
             PRAGMA foreign_keys = OFF"
        }
    };
    connection.execute_unprepared(guards).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap();
}

const LAST_OF_JANE: &str = "(SELECT id FROM postings p JOIN wallets w ON w.user_id = p.user_id \
     AND p.sequence = w.chain_sequence WHERE w.chain_sequence > 3)";

/// What is done to the rows, what undoes it, and what the check says.
const FORGERIES: [(&str, &str, &str); 9] = [
    (
        "UPDATE postings SET reason = 'x' || reason WHERE kind = 'refund'",
        "UPDATE postings SET reason = substr(reason, 2) WHERE kind = 'refund'",
        "number 5 of the wallet of user JANE: its hash is not that of its contents",
    ),
    (
        "UPDATE postings SET amount_e8 = amount_e8 + 1 WHERE kind = 'charge' AND sequence = 2",
        "UPDATE postings SET amount_e8 = amount_e8 - 1 WHERE kind = 'charge' AND sequence = 2",
        "number 2 of the wallet of user JANE: its hash is not that of its contents",
    ),
    (
        "UPDATE entries SET amount_e8 = amount_e8 + 1 WHERE account = 'revenue'",
        "UPDATE entries SET amount_e8 = amount_e8 - 1 WHERE account = 'revenue'",
        "number 2 of the wallet of user JANE: its hash is not that of its contents",
    ),
    (
        "UPDATE postings SET sequence = 9 WHERE sequence = 3",
        "UPDATE postings SET sequence = 3 WHERE sequence = 9",
        "number 4 of the wallet of user JANE: number 3 of the chain is missing",
    ),
    (
        "UPDATE wallets SET balance_e8 = balance_e8 + 100000000 WHERE chain_sequence > 3",
        "UPDATE wallets SET balance_e8 = balance_e8 - 100000000 WHERE chain_sequence > 3",
        "the wallet of user JANE: its balance is 181, and its entries make 180",
    ),
    (
        "UPDATE wallets SET owed_e8 = 1 WHERE chain_sequence = 1",
        "UPDATE wallets SET owed_e8 = 0 WHERE chain_sequence = 1",
        "its debt is 0.00000001, and its entries make 0",
    ),
    (
        "UPDATE rentals SET refunded_e8 = refunded_e8 - 100000000 WHERE refunded_e8 > 0",
        "UPDATE rentals SET refunded_e8 = refunded_e8 + 100000000 WHERE refunded_e8 > 0",
        "what was given back is 59, and its entries make 60",
    ),
    (
        "UPDATE rentals SET escrow_e8 = 1 WHERE refunded_e8 > 0",
        "UPDATE rentals SET escrow_e8 = 0 WHERE refunded_e8 > 0",
        "its escrow is 0.00000001, and its entries make 0",
    ),
    (
        "UPDATE checkpoint_heads SET sequence = sequence + 10",
        "UPDATE checkpoint_heads SET sequence = sequence - 10",
        " is another now",
    ),
];

on_both_databases! {
    async fn an_honest_ledger_is_whole(app: &TestApp) {
        history(app).await;
        assert!(checkpoint(app).await);
        assert!(!checkpoint(app).await, "one a day");
        app.days_pass(1);
        app.deposit("john", "1.00").await;
        assert!(checkpoint(app).await);
        let seen = verified(app).await;
        assert_eq!(seen.discrepancy, None);
        let counts = (seen.wallets, seen.postings, seen.rentals, seen.checkpoints);
        assert_eq!(counts, (2, 7, 2, 2));
        let total = |kind: &str| seen.totals[kind].to_string();
        assert_eq!([total("wallet"), total("revenue"), total("cash_clearing")], [
            "201.00", "320.00", "-521.00",
        ]);
    }

    async fn every_forgery_is_found_and_its_row_named(app: &TestApp) {
        let jane = history(app).await;
        assert!(checkpoint(app).await);
        for (forgery, undo, found) in FORGERIES {
            tamper(app, forgery).await;
            let discrepancy = verified(app).await.discrepancy;
            let told = discrepancy.map(|fault| fault.to_string()).unwrap_or_default();
            assert!(told.contains(&found.replace("JANE", &jane.id)), "{forgery}: {told}");
            tamper(app, undo).await;
            assert_eq!(verified(app).await.discrepancy, None, "{undo}");
        }
    }

    async fn a_chain_that_was_cut_short_does_not_fit_its_checkpoint(app: &TestApp) {
        let jane = history(app).await;
        assert!(checkpoint(app).await);
        // The last posting disappears, and the wallet is made to fit: only the checkpoint knows.
        let cut = format!(
            "UPDATE wallets SET balance_e8 = balance_e8 - 6000000000, chain_sequence = 4, \
             chain_hash = (SELECT previous_hash FROM postings WHERE id = {LAST_OF_JANE}) \
             WHERE chain_sequence = 5; \
             DELETE FROM entries WHERE posting_id IN (SELECT id FROM postings WHERE sequence = 5); \
             UPDATE rentals SET refunded_e8 = 0; DELETE FROM postings WHERE sequence = 5"
        );
        tamper(app, &cut).await;
        app.tamper();
        let told = verified(app).await.discrepancy.unwrap().to_string();
        let expected = format!("checkpoint 1: posting 5 of user {} is another now", jane.id);
        assert_eq!(told, expected);
    }

    async fn a_charge_is_explained_down_to_its_rounding(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let mut draft = tests::contract::example_server("node-1");
        let tier = domain::host::Tier {
            price: domain::money::Money::from_cents(10_000).unwrap(),
            hold_days: 1,
        };
        draft.pricing = domain::host::Pricing::parse([(30, tier)].into()).unwrap();
        let server = app.list_servers(vec![draft]).await.remove(0);
        let data = jane.rent(&server, 30).await.data(201);
        app.do_jobs().await;
        app.days_pass(22);
        let jane = app.log_in("jane").await;
        let path = format!("/rentals/{}/terminate", data["rental"]["id"].as_str().unwrap());
        let ended = jane.post(&path, json!({})).await.data(200);
        assert_eq!(ended["refund_amount"], "26.66");
        let refund = ended["transactions"][0]["id"].as_str().unwrap();
        let explained = jane.get(&format!("/ledger/entries/{refund}/explain")).await.data(200);
        assert_eq!(explained["rounding"], json!({
            "exact": "26.666666666666",
            "booked": "26.66",
            "rule": "rounded down to the cent, at most what is left of the charge",
        }));
        let charge = data["transaction"]["id"].as_str().unwrap();
        let steps = explained["steps"].as_array().unwrap();
        assert_eq!(steps[0], format!("charge {charge} paid 100 for 30 days"));
        assert_eq!(steps[4], "100 × 8 / 30 × (1 − 0 / 10000)");
        let both = (&explained["amount_holds"], &explained["hash_holds"]);
        assert_eq!(both, (&json!(true), &json!(true)));

        let john = app.user("john").await;
        let path = format!("/ledger/entries/{refund}/explain");
        john.get(&path).await.refused(404, "TRANSACTION_NOT_FOUND");
        let boss = app.operator("boss").await;
        boss.get(&path).await.data(200);
    }

    async fn the_owner_of_a_wallet_sees_its_chain(app: &TestApp) {
        let jane = history(app).await;
        let all = jane.get("/wallet/ledger").await.data(200);
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), 5);
        for pair in all.windows(2) {
            assert_eq!(pair[0]["hash"], pair[1]["previous_hash"]);
        }
        let page = jane.get("/wallet/ledger?limit=2&cursor=3").await;
        assert_eq!(page.data(200).as_array().unwrap()[..], all[3..5]);
        jane.get("/wallet/ledger?cursor=x").await.refused(400, "VALIDATION_ERROR");
        assert!(checkpoint(app).await);
        let checkpoints = jane.get("/ledger/checkpoints").await.data(200);
        assert_eq!(checkpoints[0]["number"], 1);
        assert_eq!(checkpoints[0]["totals"]["wallet"], "200");
    }
}
