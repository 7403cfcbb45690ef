//! Balances and transactions.

use domain::user::UserId;
use domain::wallet::{Account, ChainHead, Entry, PostingKind, TransactionFilter, TransactionSort};
use serde_json::json;
use tests::{TestApp, on_both_databases};

on_both_databases! {
    async fn transactions_add_up_to_the_balance(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let server = app.server("node-1").await;
        let rented = jane.rent(&server, 7).await.data(201);
        let extend = format!("/rentals/{}/extend", rented["rental"]["id"].as_str().unwrap());
        jane.post(&extend, json!({ "additional_days": 30 })).await.data(200);

        let page = jane.get("/wallet/transactions").await.data(200);
        let rows = page["transactions"].as_array().unwrap();
        let kinds: Vec<_> =
            rows.iter().map(|row| row["transaction_type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["payment", "payment", "credit"], "newest first");
        let amounts: Vec<_> = rows.iter().map(|row| row["amount"].as_i64().unwrap()).collect();
        assert_eq!(amounts, [240, 70, 500]);
        assert_eq!(jane.balance_cents().await, (500 - 70 - 240) * 100);
        assert_eq!(
            page["pagination"],
            json!({ "total": 3, "page": 1, "limit": 20, "totalPages": 1 })
        );
        assert_eq!(rows[1]["id"], rented["transaction"]["id"]);
        assert_eq!(rows[1]["metadata"]["rental_id"], rented["rental"]["id"]);
        assert_eq!(rows[1]["status"], "completed");
        let one =
            jane.get(&format!("/wallet/transactions/{}", rows[1]["id"].as_str().unwrap())).await;
        assert_eq!(&one.data(200), &rows[1]);
        let balances = jane.get("/wallet/balances").await.data(200);
        assert_eq!(balances, json!({ "general_balance": "190.00", "currency": "USD" }));
        assert_eq!(jane.get("/wallet/balances/general").await.data(200), balances);
    }

    async fn somebody_elses_transaction_is_not_found(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let john = app.user("john").await;
        let page = jane.get("/wallet/transactions").await.data(200);
        let path =
            format!("/wallet/transactions/{}", page["transactions"][0]["id"].as_str().unwrap());
        jane.get(&path).await.data(200);
        john.get(&path).await.refused(404, "TRANSACTION_NOT_FOUND");
        john.get("/wallet/transactions/x").await.refused(404, "TRANSACTION_NOT_FOUND");
        let none = john.get("/wallet/transactions").await.data(200);
        assert_eq!(none["transactions"], json!([]));
    }

    async fn transactions_are_filtered_sorted_and_paged(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        for amount in ["3.50", "1.25", "2.00"] {
            app.days_pass(1);
            app.deposit("jane", amount).await;
        }
        let jane = app.log_in(&jane.username).await;
        let amounts = async |query: &str| {
            let page = jane.get(&format!("/wallet/transactions?{query}")).await.data(200);
            let rows = page["transactions"].as_array().unwrap().clone();
            let amounts: Vec<f64> =
                rows.iter().map(|row| row["amount"].as_f64().unwrap()).collect();
            (amounts, page["pagination"]["total"].as_u64().unwrap())
        };
        assert_eq!(amounts("sort_by=amount&sort_order=asc").await.0, [1.25, 2.0, 3.5, 500.0]);
        assert_eq!(amounts("sort_order=asc").await.0, [500.0, 3.5, 1.25, 2.0]);
        assert_eq!(amounts("limit=3&page=2").await, (vec![500.0], 4));
        assert_eq!(amounts("page=9").await, (vec![], 4));
        assert_eq!(amounts("transaction_type=payment,refund").await, (vec![], 0));
        assert_eq!(amounts("transaction_type=credit").await.1, 4);
        assert_eq!(amounts("start_date=2025-01-23&end_date=2025-01-24").await.0, [1.25]);
        assert_eq!(amounts("start_date=2025-01-23T22:00:00.000Z").await.0, [2.0, 1.25]);
        let faults = [
            "page=0", "limit=101", "sort_by=colour", "sort_order=up", "transaction_type=gift",
            "start_date=yesterday",
        ];
        for fault in faults {
            let answer = jane.get(&format!("/wallet/transactions?{fault}")).await;
            assert_eq!(answer.faults(), [fault.split('=').next().unwrap()]);
        }
    }

    async fn every_chain_of_postings_can_be_recomputed(app: &TestApp) {
        let jane = app.renter("jane", "500.00").await;
        let server = app.server("node-1").await;
        jane.rent(&server, 7).await.data(201);
        let user_id = UserId::parse(&jane.id).unwrap();
        let filter = TransactionFilter::default();
        let sort = TransactionSort::CreatedAt { descending: false };
        let reads = app.app.store.reads();
        let (postings, total) = reads.postings_of(user_id, &filter, sort, (0, 100)).await.unwrap();
        assert_eq!(total, 2);
        let mut before = ChainHead::genesis(user_id).hash;
        for posting in postings {
            assert_eq!(posting.previous_hash, before);
            let own = Entry { account: Account::Wallet(user_id), amount: posting.amount };
            let against = |account| Entry { account, amount: posting.amount.negated() };
            let entries = match posting.kind {
                PostingKind::Charge => [against(Account::Revenue), own],
                _ => [own, against(Account::CashClearing)],
            };
            assert_eq!(posting.basis.is_some(), posting.kind == PostingKind::Charge);
            assert_eq!(posting.digest(&entries), posting.hash);
            before = posting.hash;
        }
        assert_eq!(before, reads.wallet(user_id).await.unwrap().unwrap().head.hash);
    }
}
