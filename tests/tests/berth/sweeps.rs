//! Sweeps that meet something broken and go on.

use chrono::Duration;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tests::{Kind, TestApp, on_both_databases};

use crate::deals::{number, payer};
use crate::instances::{fleet, id, inventory, running, status, taken};

/// Changes the database behind the back of the server.
pub async fn sql(app: &TestApp, statements: &str) {
    let connection = app.database.connect().await;
    connection.execute_unprepared(statements).await.unwrap();
    connection.close().await.unwrap();
}

/// Doubles the rows of `volumes`; the new ones cannot be read and are to be destroyed before the
/// others.
fn doubled(kind: Kind) -> String {
    let id = match kind {
        Kind::Sqlite => "randomblob(16)",
        Kind::Postgres => "gen_random_uuid()",
    };
    format!(
        "CREATE TEMP TABLE copies AS SELECT * FROM volumes;
         UPDATE copies SET id = {id}, state = '{{}}',
             delete_at = '2025-01-02T00:00:00.000000+00:00';
         INSERT INTO volumes SELECT * FROM copies;
         DROP TABLE copies"
    )
}

on_both_databases! {
    // Seen failing without `each_due`: the second one stayed.
    async fn an_instance_that_cannot_be_read_does_not_keep_another_from_being_evicted(
        app: &TestApp,
    ) {
        let (boss, jane, _) = fleet(app).await;
        let mut spot = Vec::new();
        for hostname in ["first", "second"] {
            let id = running(app, &jane, json!({ "is_spot": true, "hostname": hostname })).await;
            boss.post(&format!("/admin/instances/{id}/evict"), json!({})).await.data(200);
            app.clock.advance(Duration::seconds(1));
            spot.push(id);
        }
        sql(app, "UPDATE instances SET phase = '{}' WHERE hostname = 'first'").await;
        app.clock.advance(Duration::minutes(2));
        app.sweep().await;
        assert_eq!(status(&jane, &spot[1]).await, "deleted");
    }

    // Seen failing with batches that what cannot be read fills.
    async fn more_unreadable_volumes_than_a_batch_has_do_not_fill_the_trash(app: &TestApp) {
        let (boss, jane, host) = fleet(app).await;
        let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 7, "location": "FIN-03" });
        let volume = id(&jane.post("/volumes", volume).await.data(201));
        app.do_jobs().await;
        jane.delete(&format!("/volumes/{volume}")).await.data(200);
        for _ in 0..8 {
            sql(app, &doubled(app.database.kind)).await;
        }
        assert_eq!(number(app, "SELECT count(*) FROM volumes").await, 256);
        app.clock.advance(Duration::hours(97));
        app.sweep().await;
        sql(app, "DELETE FROM volumes WHERE CAST(state AS text) = '{}'").await;
        let seen = jane.get(&format!("/volumes/{volume}")).await.data(200);
        assert_eq!(seen["status"], "deleted");
        assert_eq!(inventory(app, &host).volumes, []);
        assert_eq!(taken(&boss, &host).await, [0; 5]);
    }

    // Seen failing without `each_due`: the second payer kept what they had.
    async fn a_payer_who_cannot_be_read_does_not_keep_another_from_being_deleted(app: &TestApp) {
        fleet(app).await;
        for name in ["bad", "good"] {
            let poor = payer(app, name, "4.00").await;
            running(app, &poor, json!({ "hostname": name })).await;
            app.clock.advance(Duration::seconds(1));
        }
        for _ in 0..4 {
            app.clock.advance(Duration::minutes(30));
            app.sweep().await;
        }
        sql(app, "UPDATE instances SET phase = '{}' WHERE hostname = 'bad'").await;
        app.clock.advance(Duration::hours(73));
        app.sweep().await;
        let good = "SELECT count(*) FROM instances WHERE hostname = 'good' AND status = 'deleted'";
        assert_eq!(number(app, good).await, 1);
    }

    // Seen failing with `?` after each sweep.
    async fn a_sweep_that_fails_does_not_stop_those_after_it(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let spot = running(app, &jane, json!({ "is_spot": true })).await;
        boss.post(&format!("/admin/instances/{spot}/evict"), json!({})).await.data(200);
        app.clock.advance(Duration::minutes(2));
        sql(app, "ALTER TABLE rentals RENAME COLUMN ready_by TO broken").await;
        let failure = api::worker::move_on(&app.app).await.unwrap_err();
        assert!(failure.for_the_log().contains("ready_by"), "{}", failure.for_the_log());
        sql(app, "ALTER TABLE rentals RENAME COLUMN broken TO ready_by").await;
        app.do_jobs().await;
        assert_eq!(status(&jane, &spot).await, "deleted");
    }
}
