//! What instances are made of: locations and images, and what plans have in common with them.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, at_once, on_both_databases};

use crate::deals::boss;

/// The least of an instance's shape.
pub fn shape() -> Value {
    json!({ "cpus": 2, "ram_mib": 4096, "disk_gb": 20 })
}

pub fn plan(name: &str, shape: Value, per_hour: &str) -> Value {
    json!({ "name": name, "shape": shape, "pricing": { "per_hour": per_hour } })
}

pub fn image() -> Value {
    json!({ "name": "Ubuntu 24.04", "category": "ubuntu", "details": ["Docker 28"],
        "reference": "docker.io/library/ubuntu:24.04" })
}

/// A location `FIN-03`, a plan `small` that is sold there, an image `ubuntu-24.04`.
pub async fn stock(boss: &Client) {
    let helsinki = json!({ "name": "Helsinki", "country": "FI" });
    boss.put("/admin/locations/FIN-03", helsinki).await.data(200);
    let mut small = plan("Small", shape(), "0.1381");
    small["locations"] = json!(["FIN-03"]);
    boss.put("/admin/plans/small", small).await.data(200);
    boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
}

/// The codes of a list.
pub async fn codes(client: &Client, path: &str) -> Vec<String> {
    let rows = client.get(path).await.data(200);
    let code = |row: &Value| row["code"].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(code).collect()
}

/// The codes of all pages of a list, and how many pages.
pub async fn walked(client: &Client, path: &str) -> (Vec<String>, usize) {
    let (found, pages) = walked_rows(client, path).await;
    (found.iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect(), pages)
}

/// The rows of all pages of a list, and how many pages.
pub async fn walked_rows(client: &Client, path: &str) -> (Vec<Value>, usize) {
    let (mut found, mut pages, mut path) = (Vec::new(), 0, path.to_owned());
    loop {
        let mut answer = client.get(&path).await;
        let link = answer.headers.remove("link");
        found.extend(answer.data(200).as_array().unwrap().clone());
        pages += 1;
        let Some(link) = link else {
            return (found, pages);
        };
        let next = link.strip_prefix("</api/v1").unwrap().split('>').next().unwrap();
        next.clone_into(&mut path);
    }
}

/// What happened to things of a kind, the oldest first.
pub async fn changes(boss: &Client, kind: &str) -> Vec<Value> {
    let rows = boss.get(&format!("/audit?kind={kind}")).await.data(200);
    rows.as_array().unwrap().iter().rev().cloned().collect()
}

/// Puts the same ten times at once.
async fn put_at_once(boss: &Client, path: &'static str, body: &Value) -> Vec<Answer> {
    let put = |_| {
        let (boss, body) = (boss.clone(), body.clone());
        async move { boss.put(path, body).await }
    };
    at_once((0..10).map(put)).await
}

on_both_databases! {
    async fn a_location_is_made_changed_and_shown_to_everybody(app: &TestApp) {
        let boss = boss(app).await;
        let path = "/admin/locations/FIN-03";
        let wish = json!({ "name": " Helsinki ", "country": "FI" });
        let made = boss.put(path, wish.clone()).await.data(200);
        assert_eq!((&made["code"], &made["name"]), (&json!("FIN-03"), &json!("Helsinki")));
        app.clock.advance(Duration::hours(1));
        assert_eq!(boss.put(path, wish).await.data(200), made, "nothing to change");
        let wish = json!({ "name": "Helsinki 3", "country": "FI" });
        let changed = boss.put(path, wish).await.data(200);
        assert_eq!(changed["created_at"], made["created_at"]);
        assert_ne!(changed["updated_at"], made["updated_at"]);
        boss.put("/admin/locations/~a.B_9-", json!({ "name": "A", "country": "DE" }))
            .await
            .data(200);
        let all = app.stranger().get("/locations").await.data(200);
        assert_eq!(all[0], changed);
        assert_eq!(walked(&app.stranger(), "/locations?limit=1").await.1, 2);
        let events = changes(&boss, "location.changed").await;
        assert_eq!(events.len(), 3);
        assert_eq!(events[0]["before"], Value::Null);
        assert_eq!(events[1]["before"], events[0]["after"]);
        assert_eq!(events[1]["after"]["name"], "Helsinki 3");
        assert_eq!(events[0]["subject_id"], events[1]["subject_id"]);
        assert_ne!(events[1]["subject_id"], events[2]["subject_id"]);
    }

    async fn every_fault_of_a_location_and_an_image_is_named(app: &TestApp) {
        let boss = boss(app).await;
        let bad = format!("/admin/locations/{}", "x".repeat(65));
        let faults = ["code", "/name", "/country"];
        assert_eq!(boss.put(&bad, json!({})).await.faults(), faults);
        let wish = json!({ "name": "\n", "country": "fi" });
        assert_eq!(boss.put("/admin/locations/a%20b", wish).await.faults(), faults);
        let faults = ["code", "/name", "/category", "/reference"];
        assert_eq!(boss.put("/admin/images/%C3%A9", json!({})).await.faults(), faults);
        let wish = json!({ "name": "", "category": 1, "details": ["", "\t"], "reference": "a b",
            "username": "Root", "min_disk_gb": -1, "is_default": "no", "is_listed": 1 });
        let faulty = boss.put("/admin/images/a", wish).await;
        let mut faults = faulty.faults();
        faults.sort_unstable();
        let all = ["/category", "/details/0", "/details/1", "/is_default", "/is_listed",
            "/min_disk_gb", "/name", "/reference", "/username"];
        assert_eq!(faults, all);
        for (key, value) in [
            ("reference", json!("x".repeat(256))),
            ("reference", json!("ü")),
            ("reference", json!("")),
            ("username", json!("")),
            ("username", json!("x".repeat(33))),
            ("details", json!(vec!["x"; 51])),
            ("min_disk_gb", json!(1_000_001)),
        ] {
            let mut wish = image();
            wish[key] = value;
            assert_eq!(boss.put("/admin/images/a", wish).await.faults(), [format!("/{key}")]);
        }
        assert!(codes(&boss, "/admin/images").await.is_empty());
    }

    // Seen failing with `failed` in the place of `overtaken`: PostgreSQL's losers got 500.
    async fn of_equal_puts_at_once_one_makes_it(app: &TestApp) {
        let boss = boss(app).await;
        let location = json!({ "name": "Helsinki", "country": "FI" });
        for (path, body, kind) in [
            ("/admin/locations/FIN-03", location, "location.changed"),
            ("/admin/plans/a", plan("A", shape(), "1"), "plan.changed"),
            ("/admin/images/a", image(), "image.changed"),
        ] {
            let answers = put_at_once(&boss, path, &body).await;
            let first = answers[0].clone().data(200);
            for answer in answers {
                assert_eq!(answer.data(200), first);
            }
            assert_eq!(changes(&boss, kind).await.len(), 1);
        }
        assert_eq!(boss.get("/plans/a/prices").await.data(200).as_array().unwrap().len(), 1);
    }

    async fn an_image_is_shown_without_what_is_started(app: &TestApp) {
        let boss = boss(app).await;
        let made = boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        assert_eq!(made["reference"], "docker.io/library/ubuntu:24.04");
        assert_eq!((&made["username"], &made["min_disk_gb"]), (&json!("root"), &json!(0)));
        assert_eq!((&made["is_default"], &made["is_listed"]), (&json!(false), &json!(true)));
        app.clock.advance(Duration::hours(1));
        let again = boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        assert_eq!(again, made, "nothing to change");
        let seen = app.stranger().get("/images/ubuntu-24.04").await.data(200);
        assert_eq!((&seen["id"], &seen["details"]), (&made["id"], &json!(["Docker 28"])));
        let mut hidden = image();
        hidden["is_listed"] = json!(false);
        hidden["username"] = json!("ubuntu");
        boss.put("/admin/images/hidden", hidden.clone()).await.data(200);
        boss.put("/admin/images/debian", image()).await.data(200);
        let public = app.stranger().get("/images").await.data(200);
        assert_eq!(public.as_array().unwrap().len(), 2);
        for row in public.as_array().unwrap().iter().chain([&seen]) {
            assert!(row.get("reference").is_none() && row.get("is_listed").is_none());
        }
        assert_eq!(codes(&app.stranger(), "/images").await, ["debian", "ubuntu-24.04"]);
        assert_eq!(walked(&app.stranger(), "/images?limit=1").await.1, 2);
        let all = ["debian", "hidden", "ubuntu-24.04"];
        assert_eq!(codes(&boss, "/admin/images").await, all);
        let (found, pages) = walked(&boss, "/admin/images?limit=2").await;
        assert_eq!((found.as_slice(), pages), (all.map(str::to_owned).as_slice(), 2));
        for code in ["hidden", "none", "%00"] {
            let answer = app.stranger().get(&format!("/images/{code}")).await;
            answer.refused(404, "IMAGE_NOT_FOUND");
        }
        let events = changes(&boss, "image.changed").await;
        assert_eq!(events.len(), 3);
        assert_eq!(events[1]["after"]["username"], "ubuntu");
        hidden["is_listed"] = json!(true);
        boss.put("/admin/images/hidden", hidden).await.data(200);
        let events = changes(&boss, "image.changed").await;
        assert_eq!(events[3]["before"], events[1]["after"]);
    }
}
