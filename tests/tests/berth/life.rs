//! A rental's life as time passes: active, hold, expired, wiped, offered again.

use domain::rental::{Access, RentalId};
use serde_json::json;
use tests::{Client, TestApp, on_both_databases};

async fn rented(app: &TestApp, renter: &Client) -> (String, String) {
    let server = app.server("node-1").await;
    let data = renter.rent(&server, 7).await.data(201);
    (server, data["rental"]["id"].as_str().unwrap().to_owned())
}

async fn status(app: &TestApp, rental: &str) -> String {
    let jane = app.log_in("jane").await;
    let seen = jane.get(&format!("/rentals/{rental}")).await.data(200);
    seen["status"].as_str().unwrap().to_owned()
}

fn access(app: &TestApp, rental: &str) -> Option<Access> {
    app.driver.access(RentalId::parse(rental).unwrap())
}

on_both_databases! {
    async fn time_moves_a_rental_through_its_life(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let (server, rental) = rented(app, &jane).await;
        let offer = format!("/servers/available/{server}");
        app.do_jobs().await;
        assert_eq!(access(app, &rental), Some(Access::Granted));

        app.days_pass(7);
        app.sweep().await;
        assert_eq!(status(app, &rental).await, "hold");
        assert_eq!(access(app, &rental), Some(Access::Suspended));
        app.stranger().get(&offer).await.refused(404, "SERVER_NOT_FOUND");

        app.days_pass(2);
        app.sweep().await;
        assert_eq!(status(app, &rental).await, "expired");
        assert_eq!(access(app, &rental), None, "the data are wiped");
        app.stranger().get(&offer).await.data(200);
        let john = app.renter("john", "100.00").await;
        john.rent(&server, 7).await.data(201);
    }

    async fn a_rental_that_ended_while_the_process_was_down_expires_once(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let (server, rental) = rented(app, &jane).await;
        app.do_jobs().await;
        app.days_pass(400);
        assert_eq!(status(app, &rental).await, "expired", "before any sweep has seen it");
        app.sweep().await;
        app.sweep().await;
        assert_eq!(status(app, &rental).await, "expired");
        app.stranger().get(&format!("/servers/available/{server}")).await.data(200);
        assert_eq!(app.log_in("jane").await.balance_cents().await, 3_000);
    }

    async fn a_server_is_not_offered_before_it_is_wiped(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let (server, _) = rented(app, &jane).await;
        app.do_jobs().await;
        app.days_pass(10);
        let parts = &app.app;
        let (store, clock) = (parts.store.as_ref(), parts.clock.as_ref());
        domain::rental::expire_due(store, clock, parts.random.as_ref()).await.unwrap();
        let john = app.renter("john", "100.00").await;
        john.rent(&server, 7).await.refused(409, "SERVER_UNAVAILABLE");
        app.do_jobs().await;
        john.rent(&server, 7).await.data(201);
    }

    async fn a_retired_server_is_wiped_and_not_offered_again(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let (server, rental) = rented(app, &jane).await;
        app.do_jobs().await;
        let operator = app.operator("boss").await;
        operator.delete(&format!("/admin/servers/{server}")).await.data(200);
        app.days_pass(10);
        app.sweep().await;
        assert_eq!(access(app, &rental), None);
        app.stranger()
            .get(&format!("/servers/available/{server}"))
            .await
            .refused(404, "SERVER_NOT_FOUND");
        let operator = app.log_in("boss").await;
        let seen = operator.get(&format!("/admin/servers/{server}")).await.data(200);
        assert_eq!((&seen["occupancy"], &seen["is_listed"]), (&json!("free"), &json!(false)));
    }

    async fn a_clock_that_jumps_back_ends_nothing(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let (_, rental) = rented(app, &jane).await;
        app.do_jobs().await;
        app.days_pass(8);
        app.sweep().await;
        app.days_pass(-5);
        app.sweep().await;
        assert_eq!(status(app, &rental).await, "active");
        app.days_pass(5);
        app.sweep().await;
        assert_eq!(status(app, &rental).await, "hold");
    }

    async fn lost_work_is_found_again(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let (_, rental) = rented(app, &jane).await;
        let connection = app.database.connect().await;
        sea_orm::ConnectionTrait::execute_unprepared(&connection, "DELETE FROM jobs")
            .await
            .unwrap();
        app.do_jobs().await;
        assert_eq!(access(app, &rental), None);
        let parts = &app.app;
        let (store, clock) = (parts.store.as_ref(), parts.clock.as_ref());
        let found = domain::rental::realign(store, clock, parts.random.as_ref()).await.unwrap();
        assert_eq!(found, 1);
        app.do_jobs().await;
        assert_eq!(access(app, &rental), Some(Access::Granted));
    }
}
