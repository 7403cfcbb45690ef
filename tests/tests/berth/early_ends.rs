//! Ending a rental before its time.

use chrono::Duration;
use domain::rental::{Access, RentalId, RentalPolicy};
use serde_json::json;
use tests::{Options, TestApp, on_both_databases};

use crate::deals::{
    boss, count, ended, extended, moves, payer, price, refund_of, rented, status, told, unready,
};
use crate::pools::{join, new_pool, rent_into};

fn access(app: &TestApp, rental: &str) -> Option<Access> {
    app.driver.access(RentalId::parse(rental.trim_start_matches("/rentals/")).unwrap())
}

on_both_databases! {
    async fn whole_unused_days_are_given_back_as_the_preview_says(app: &TestApp) {
        let jane = payer(app, "jane", "100.00").await;
        let server = app.server("node").await;
        let rental = rented(app, &jane, &server).await;
        app.clock.advance(Duration::hours(25));
        let preview = jane.get(&format!("{rental}/termination-preview")).await.data(200);
        assert_eq!(preview, json!({
            "rental_id": rental.trim_start_matches("/rentals/"),
            "refund_amount": "50.00", "currency": "USD", "fee_percent": "0.00",
            "never_ready": false,
            "periods": [{
                "period_start": "2025-01-21T22:00:00.000Z",
                "period_end": "2025-01-28T22:00:00.000Z",
                "paid": "70.00", "returned_before": "0.00", "days": 7, "unused_days": 5,
                "refund_amount": "50.00"
            }],
            "calculated_at": "2025-01-22T23:00:00.000Z"
        }));
        assert_eq!(ended(&jane, &rental).await, "50.00", "a begun day is a used one");
        assert_eq!(jane.balance_cents().await, 8_000);
        assert_eq!(
            moves(&jane).await,
            [("refund".to_owned(), 50.0), ("payment".to_owned(), 70.0)]
        );
        let seen = jane.get(&rental).await.data(200);
        assert_eq!((&seen["status"], &seen["amount"]), (&json!("terminated"), &json!("70.00")));
    }

    async fn the_server_is_wiped_and_offered_again(app: &TestApp) {
        let (jane, john) =
            (payer(app, "jane", "100.00").await, payer(app, "john", "100.00").await);
        let server = app.server("node").await;
        let rental = rented(app, &jane, &server).await;
        assert_eq!(access(app, &rental), Some(Access::Granted));
        ended(&jane, &rental).await;
        john.rent(&server, 7).await.refused(409, "SERVER_UNAVAILABLE");
        app.do_jobs().await;
        assert_eq!(access(app, &rental), None, "the data are wiped");
        john.rent(&server, 7).await.data(201);
    }

    async fn an_early_end_that_gives_back_something_else_is_not_made(app: &TestApp) {
        let jane = payer(app, "jane", "100.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        let refund = refund_of(&jane, &rental).await;
        app.days_pass(1);
        let terminate = format!("{rental}/terminate");
        let answer = jane.post(&terminate, json!({ "expected_refund": refund })).await;
        answer.refused(409, "REFUND_CHANGED");
        assert!(answer.body["message"].as_str().unwrap().contains("60.00"), "{}", answer.body);
        assert_eq!((status(&jane, &rental).await, jane.balance_cents().await), (
            "active".to_owned(),
            3_000
        ));
        app.do_jobs().await;
        assert_eq!(access(app, &rental), Some(Access::Granted));
        for bad in ["sixty", "-1", "1e3"] {
            let answer = jane.post(&terminate, json!({ "expected_refund": bad })).await;
            assert!([400, 409].contains(&answer.status), "{}", answer.body);
        }
        jane.post(&terminate, json!({ "expected_refund": "60" })).await.data(200);
    }

    async fn without_an_expectation_it_ends_all_the_same(app: &TestApp) {
        let jane = payer(app, "jane", "100.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        let data = jane.post(&format!("{rental}/terminate"), json!({})).await.data(200);
        assert_eq!(data["refund_amount"], "70.00", "not a whole day was used");
        assert_eq!(data["rental"]["refunded"], "70.00");
    }

    async fn each_payer_gets_back_what_they_paid_at_the_price_they_paid(app: &TestApp) {
        let boss = boss(app).await;
        let (owner, admin) =
            (payer(app, "owner", "100.00").await, payer(app, "admin", "500.00").await);
        let pool = new_pool(&owner, "Team").await;
        join(&owner, &pool, &admin, "admin").await;
        let server = app.server("node").await;
        let rental = format!("/rentals/{}", rent_into(&owner, &pool, &server).await);
        app.do_jobs().await;
        price(&boss, &server, "99.40").await;
        extended(&admin, &rental).await;
        price(&boss, &server, "30.01").await;
        extended(&admin, &rental).await;
        app.days_pass(3);
        let preview = owner.get(&format!("{rental}/termination-preview")).await.data(200);
        let shares: Vec<_> = preview["periods"]
            .as_array()
            .unwrap()
            .iter()
            .map(|share| (share["unused_days"].as_u64().unwrap(), share["refund_amount"].clone()))
            .collect();
        assert_eq!(shares, [(4, json!("40.00")), (7, json!("99.40")), (7, json!("30.01"))]);
        assert_eq!(ended(&admin, &rental).await, "169.41");
        assert_eq!(owner.balance_cents().await, 7_000);
        assert_eq!(admin.balance_cents().await, 50_000);
        assert_eq!(count(&admin, "refund").await, 2, "one for each period");
        assert!(told(&owner).await.contains(&"rental.terminated".to_owned()));
    }

    async fn on_hold_nothing_is_left_to_give_back(app: &TestApp) {
        let jane = payer(app, "jane", "100.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        app.days_pass(8);
        app.sweep().await;
        assert_eq!(ended(&jane, &rental).await, "0.00");
        assert_eq!(count(&jane, "refund").await, 0, "nothing is booked where nothing moves");
    }

    async fn what_has_ended_cannot_be_ended(app: &TestApp) {
        let jane = payer(app, "jane", "500.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        let (terminate, preview) =
            (format!("{rental}/terminate"), format!("{rental}/termination-preview"));
        jane.post(&terminate, json!({})).await.data(200);
        jane.post(&terminate, json!({})).await.refused(409, "RENTAL_ENDED");
        jane.get(&preview).await.refused(409, "RENTAL_ENDED");
        let extend = format!("{rental}/extend");
        let seven = json!({ "additional_days": 7 });
        jane.post(&extend, seven).await.refused(409, "RENTAL_ENDED");
        let other = rented(app, &jane, &app.server("other").await).await;
        app.days_pass(9);
        // Expired by the clock, also before a sweep has written that down.
        jane.post(&format!("{other}/terminate"), json!({})).await.refused(409, "RENTAL_ENDED");
        app.sweep().await;
        jane.post(&format!("{other}/terminate"), json!({})).await.refused(409, "RENTAL_ENDED");
    }

    async fn only_the_renter_and_the_pools_admins_end_a_rental(app: &TestApp) {
        let owner = payer(app, "owner", "100.00").await;
        let (user, stranger) = (app.user("user").await, app.user("stranger").await);
        let pool = new_pool(&owner, "Team").await;
        join(&owner, &pool, &user, "user").await;
        let rental = rent_into(&owner, &pool, &app.server("node").await).await;
        app.do_jobs().await;
        let terminate = format!("/rentals/{rental}/terminate");
        user.post(&terminate, json!({})).await.refused(403, "POOL_ADMIN_REQUIRED");
        stranger.post(&terminate, json!({})).await.refused(404, "RENTAL_NOT_FOUND");
        let preview = format!("/rentals/{rental}/termination-preview");
        assert_eq!(user.get(&preview).await.data(200)["refund_amount"], "70.00");
        stranger.get(&preview).await.refused(404, "RENTAL_NOT_FOUND");
        assert_eq!(owner.balance_cents().await, 3_000);
        let nothing = "/rentals/0123456789abcdef01234567/terminate";
        owner.post(nothing, json!({})).await.refused(404, "RENTAL_NOT_FOUND");
    }

    async fn the_same_key_ends_once_and_answers_again(app: &TestApp) {
        let jane = payer(app, "jane", "100.00").await;
        let rental = rented(app, &jane, &app.server("node").await).await;
        app.days_pass(1);
        let terminate = format!("{rental}/terminate");
        let first = jane.post_once(&terminate, "end", json!({})).await;
        app.days_pass(1);
        let again = jane.post_once(&terminate, "end", json!({})).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        let other = jane.post_once(&terminate, "end", json!({ "expected_refund": "1.00" })).await;
        other.refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(jane.balance_cents().await, 9_000);
    }

    async fn before_it_is_ready_all_of_it_is_given_back(app: &TestApp) {
        let jane = payer(app, "jane", "200.00").await;
        let rental = unready(&jane, &app.server("node").await).await;
        extended(&jane, &rental).await;
        app.clock.advance(Duration::minutes(70));
        app.sweep_without_jobs().await;
        assert_eq!(status(&jane, &rental).await, "active", "its time is not over yet");
        let preview = jane.get(&format!("{rental}/termination-preview")).await.data(200);
        assert_eq!(preview["never_ready"], true);
        assert_eq!(ended(&jane, &rental).await, "140.00");
        app.do_jobs().await;
        app.days_pass(30);
        app.sweep().await;
        assert_eq!(jane.balance_cents().await, 20_000, "given back exactly once");
    }

    // Set-up takes 15 minutes, and an hour more is allowed.
    async fn what_does_not_become_ready_in_time_is_given_back_by_itself(app: &TestApp) {
        let jane = payer(app, "jane", "200.00").await;
        let rental = unready(&jane, &app.server("node").await).await;
        extended(&jane, &rental).await;
        app.clock.advance(Duration::minutes(75) - Duration::seconds(1));
        app.sweep_without_jobs().await;
        assert_eq!(status(&jane, &rental).await, "active");
        app.clock.advance(Duration::seconds(1));
        for _ in 0..3 {
            app.sweep_without_jobs().await;
        }
        assert_eq!(status(&jane, &rental).await, "terminated");
        assert_eq!(jane.balance_cents().await, 20_000);
        assert_eq!(count(&jane, "refund").await, 2);
        app.days_pass(30);
        app.sweep().await;
        assert_eq!(jane.balance_cents().await, 20_000);
        assert_eq!(access(app, &rental), None);
    }

    async fn what_expired_unready_while_the_process_was_down_is_given_back(app: &TestApp) {
        let jane = payer(app, "jane", "100.00").await;
        let server = app.server("node").await;
        let rental = unready(&jane, &server).await;
        app.days_pass(400);
        assert_eq!(status(&jane, &rental).await, "expired");
        jane.post(&format!("{rental}/terminate"), json!({})).await.refused(409, "RENTAL_ENDED");
        for _ in 0..3 {
            app.sweep().await;
        }
        assert_eq!(jane.balance_cents().await, 10_000);
        assert_eq!(count(&jane, "refund").await, 1);
        assert_eq!(status(&jane, &rental).await, "expired");
        jane.rent(&server, 7).await.data(201);
    }

    async fn a_day_that_is_no_whole_cent_is_rounded_once_and_down(app: &TestApp) {
        let boss = boss(app).await;
        let jane = payer(app, "jane", "500.00").await;
        // (price, days used, refund): 6/7 of 10.00 is 8.571…, 1/7 of 0.05 is 0.00714….
        let cases = [
            ("10.00", 1, "8.57"), ("10.00", 2, "7.14"), ("10.00", 6, "1.42"), ("0.05", 6, "0.00"),
            ("99.99", 3, "57.13"), ("0.07", 6, "0.01"),
        ];
        for (number, (paid, used, refund)) in cases.into_iter().enumerate() {
            let server = app.server(&format!("node-{number}")).await;
            price(&boss, &server, paid).await;
            let rental = rented(app, &jane, &server).await;
            app.days_pass(used);
            assert_eq!(ended(&jane, &rental).await, refund, "{paid} after {used} days");
        }
    }

    // In Europe clocks went forward on 30 March 2025, in America on 9 March; days are 24 hours.
    async fn a_change_to_summer_time_shifts_nothing(app: &TestApp) {
        let jane = payer(app, "jane", "200.00").await;
        app.clock.advance(Duration::days(65) + Duration::minutes(30));
        let rental = rented(app, &jane, &app.server("node").await).await;
        let seen = jane.get(&rental).await.data(200);
        assert_eq!(seen["rental_start"], "2025-03-27T22:30:00.000Z");
        assert_eq!(seen["rental_end"], "2025-04-03T22:30:00.000Z");
        app.days_pass(4);
        assert_eq!(refund_of(&jane, &rental).await, "30.00");
        app.clock.advance(-Duration::microseconds(1));
        assert_eq!(refund_of(&jane, &rental).await, "30.00");
        app.clock.advance(Duration::microseconds(2));
        assert_eq!(refund_of(&jane, &rental).await, "20.00");
        app.clock.advance(Duration::days(3) - Duration::microseconds(2));
        assert_eq!(status(&jane, &rental).await, "active");
        app.clock.advance(Duration::microseconds(1));
        assert_eq!(status(&jane, &rental).await, "hold");
    }
}

mod with_a_fee {
    use super::*;

    fn options() -> Options {
        let policy = RentalPolicy { early_end_fee_bp: 333, ready_within: Duration::hours(1) };
        Options { policy, ..Options::default() }
    }

    on_both_databases! {
        with options();

        // 5/7 of 70.00 is 50.00; 3.33 percent of that is 1.665, and the rest is rounded down.
        async fn the_fee_of_the_terms_is_kept(app: &TestApp) {
            let jane = payer(app, "jane", "100.00").await;
            let rental = rented(app, &jane, &app.server("node").await).await;
            app.days_pass(2);
            let preview = jane.get(&format!("{rental}/termination-preview")).await.data(200);
            assert_eq!(preview["fee_percent"], "3.33");
            assert_eq!(ended(&jane, &rental).await, "48.33");
            assert_eq!(jane.balance_cents().await, 7_833);
        }

        async fn no_fee_is_kept_for_what_never_became_ready(app: &TestApp) {
            let jane = payer(app, "jane", "100.00").await;
            let rental = unready(&jane, &app.server("node").await).await;
            assert_eq!(ended(&jane, &rental).await, "70.00");
        }

        async fn a_quote_names_the_fee(app: &TestApp) {
            let jane = payer(app, "jane", "100.00").await;
            let asked = json!({ "server_id": app.server("node").await, "rental_days": 7 });
            let quote = jane.post("/quotes", asked).await.data(201);
            let rule = json!({ "kind": "unused_days", "fee_percent": "3.33" });
            assert_eq!(quote["refund_rule"], rule);
        }
    }
}
