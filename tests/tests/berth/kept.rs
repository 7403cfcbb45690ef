//! What is kept of the catalogue between requests must never be wrong for long.

use std::time::Duration;

use domain::host;
use domain::store::Store;
use domain::user::Operator;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, TestApp, on_both_databases};

async fn list(app: &TestApp, known: &str) -> Answer {
    let headers = [("if-none-match", known)];
    app.stranger().send(Method::GET, "/servers/available", &headers, None).await
}

async fn total(app: &TestApp) -> String {
    let answer = app.stranger().get("/servers/available?limit=1&min_cpu_cores=1").await;
    answer.headers["x-total-count"].clone()
}

fn count(answer: &Answer) -> usize {
    answer.body["data"].as_array().unwrap().len()
}

on_both_databases! {
    // Seen failing with one server too many when a commit did not note its change.
    async fn the_complete_list_and_totals_follow_every_change_at_once(app: &TestApp) {
        let operator = app.operator("olga").await;
        let jane = app.renter("jane", "70.00").await;
        let servers = [app.server("a").await, app.server("b").await, app.server("c").await];
        let first = list(app, "\"nothing\"").await;
        assert_eq!((first.status, count(&first), total(app).await.as_str()), (200, 3, "3"));
        let tag = &first.headers["etag"];
        let again = list(app, tag).await;
        assert_eq!((again.status, &again.headers["etag"], &again.body), (304, tag, &json!(null)));
        assert_eq!(list(app, "*").await.status, 304);

        jane.rent(&servers[0], 7).await.data(201);
        let rented = list(app, tag).await;
        assert_eq!((rented.status, count(&rented), total(app).await.as_str()), (200, 2, "2"));
        assert_ne!(&rented.headers["etag"], tag);
        operator.delete(&format!("/admin/servers/{}", servers[1])).await.data(200);
        assert_eq!((count(&list(app, tag).await), total(app).await.as_str()), (1, "1"));
        let price = json!({ "prices": { "7": { "price": "1.23" } } });
        operator.patch(&format!("/admin/servers/{}", servers[2]), price).await.data(200);
        let cheaper = list(app, tag).await;
        assert_eq!(cheaper.body["data"][0]["pricing"]["prices"]["7"], "1.23");
        app.days_pass(9);
        app.sweep().await;
        assert_eq!((count(&list(app, tag).await), total(app).await.as_str()), (2, "2"));
    }

    async fn what_another_process_changes_is_seen_within_two_seconds(app: &TestApp) {
        let server = app.server("a").await;
        assert_eq!((count(&list(app, "").await), total(app).await.as_str()), (1, "1"));
        let other = persistence::connect(&app.database.url, 1).await.unwrap();
        let id = host::HostId::parse(&server).unwrap();
        host::retire(&other, app.app.clock.as_ref(), &Operator::Console, id).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        assert_eq!((count(&list(app, "").await), total(app).await.as_str()), (0, "0"));
        other.close().await;
    }

    async fn the_complete_list_is_compressed_for_those_who_take_it(app: &TestApp) {
        app.server("a").await;
        for (accepted, encoding, magic) in [
            ("gzip", "gzip", &[0x1f, 0x8b][..]),
            ("br, gzip;q=0.5", "gzip", &[0x1f, 0x8b]),
            ("identity", "identity", b"{"),
            ("gzip;q=0", "identity", b"{"),
            ("br", "identity", b"{"),
        ] {
            let url = format!("{}/api/v1/servers/available", app.address);
            let request = reqwest::Client::new().get(url).header("accept-encoding", accepted);
            let response = request.send().await.unwrap();
            let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap());
            let sent = header("content-encoding").unwrap_or("identity").to_owned();
            assert_eq!(sent, encoding, "{accepted}");
            assert!(header("vary").unwrap().to_lowercase().contains("accept-encoding"));
            let body = response.bytes().await.unwrap();
            assert!(body.starts_with(magic), "{accepted}: {:?}", &body[..10]);
        }
    }

    async fn a_cursor_belongs_to_its_order(app: &TestApp) {
        for name in ["a", "b", "c"] {
            app.server(name).await;
        }
        let stranger = app.stranger();
        let answer = stranger.get("/servers/available?limit=1&sort=ram").await;
        let link = &answer.headers["link"];
        let (_, cursor) = link.split_once("cursor=").unwrap();
        let (cursor, _) = cursor.split_once('>').unwrap();
        for sort in ["sort=-ram", "sort=storage", "sort=newest", ""] {
            let path = format!("/servers/available?limit=1&{sort}&cursor={cursor}");
            stranger.get(&path).await.refused(400, "VALIDATION_ERROR");
        }
        let path = format!("/servers/available?limit=1&sort=ram&cursor={cursor}");
        stranger.get(&path).await.data(200);
    }
}
