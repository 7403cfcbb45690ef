//! The process dies between Stripe, ledger and answer.

use chrono::Duration;
use domain::idempotency::IdempotencyKey;
use domain::payment::{self, CheckOut, CheckoutPages, PaymentContext, PaymentPolicy};
use domain::token::Permissions;
use domain::user::{Caller, Role, UserId};
use tests::{Client, FailingStore, Failure, TestApp, on_both_databases};

use super::{message, money, tell};

/// What a process that dies early works with.
fn dying<'a>(app: &'a TestApp, store: &'a FailingStore<'a>) -> PaymentContext<'a> {
    PaymentContext { store, ..app.app.payment_context().unwrap() }
}

fn check_out(client: &Client, key: &str) -> CheckOut {
    let policy = PaymentPolicy { minimum: money("5"), maximum: money("50") };
    CheckOut {
        caller: Caller {
            user_id: UserId::parse(&client.id).unwrap(),
            role: Role::User,
            permissions: Permissions::everything(),
            ip_allow_list: Vec::new(),
            expires_at: None,
            from: None,
            pool_id: None,
        },
        amount: money("25.00"),
        pages: CheckoutPages {
            success_url: "https://front.example/".to_owned(),
            cancel_url: "https://front.example/".to_owned(),
            save_method: false,
        },
        policy,
        idempotency_key: IdempotencyKey::parse(key).ok(),
    }
}

/// The balance in the database: the access token may have expired.
async fn balance(app: &TestApp, client: &Client) -> i64 {
    let id = UserId::parse(&client.id).unwrap();
    app.app.store.reads().wallet(id).await.unwrap().unwrap().balance.cents_floor()
}

on_both_databases! {
    async fn a_crash_at_any_step_credits_once(app: &TestApp) {
        let jane = app.user("jane").await;
        let mut credited = 0;
        // Opening takes two transactions and a call, hearing one transaction, settling a call and a
        // transaction: die before each transaction, and before and after each call.
        for step in 0..10 {
            let key = format!("key-{step}");
            let store = app.app.store.as_ref();
            let opening = FailingStore::new(store, if step < 2 { step + 1 } else { 9 });
            if let 2 | 3 = step {
                app.cards.fail(1, if step == 2 { Failure::Before } else { Failure::After });
            }
            let opened = payment::check_out(dying(app, &opening), check_out(&jane, &key)).await;
            assert_eq!(opened.is_err(), step < 4, "{step}");
            let context = app.app.payment_context().unwrap();
            let again = payment::check_out(context, check_out(&jane, &key)).await.unwrap();
            let id = again.id.to_string();
            app.cards.pay(&id, "25.00");
            credited += 2_500;
            if step != 4 {
                tell(app, &message(&format!("evt_{step}"), "x", &id)).await;
            }
            if let 5 | 6 = step {
                app.cards.fail(1, if step == 5 { Failure::Before } else { Failure::After });
            }
            let settling = FailingStore::new(app.app.store.as_ref(), if step == 7 { 1 } else { 9 });
            let settled = payment::settle(dying(app, &settling), again.id).await;
            assert_eq!(settled.is_err(), (5..=7).contains(&step), "{step}");
            app.clock.advance(Duration::minutes(3));
            app.settle().await;
            assert_eq!(balance(app, &jane).await, credited, "{step}");
        }
        assert_eq!(app.cards.opened(), 10);
    }
}
