use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};

use super::{Program, is_as_kept, is_paged, is_refused, needs, rows};
use crate::catalogue::image;
use crate::deals::boss;

const LIST: &str = "/instances/images/list";

on_both_databases! {
    async fn what_machines_are_made_of_is_listed(app: &TestApp) {
        let boss = boss(app).await;
        for (code, change) in [
            ("windows-2025", json!({ "name": "Windows Server 2025", "category": "windows",
                "min_disk_gb": 60, "details": [] })),
            ("ubuntu-24.04", json!({ "name": "Ubuntu 24.04", "min_disk_gb": 20 })),
            ("oracle", json!({ "name": "ÖKO_Linux", "category": "other" })),
            ("old", json!({ "name": "Ubuntu 12.04", "is_listed": false })),
        ] {
            let mut body = image();
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            boss.put(&format!("/admin/images/{code}"), body).await.data(200);
        }
        let jane = app.user("jane").await;
        let program = Program::of(&jane).await;
        let found = rows(&program, LIST).await;
        is_as_kept("images", &json!(found));
        is_paged(&program, LIST).await;
        for (search, expected) in [
            ("ubuntu", &["Ubuntu 24.04"][..]),
            ("SERVER", &["Windows Server 2025"]),
            ("%C3%B6ko", &["ÖKO_Linux"]),
            ("%25", &[]),
            ("o_l", &["ÖKO_Linux"]),
            ("windows-2025", &["Windows Server 2025"]),
            ("nothing", &[]),
        ] {
            let found = rows(&program, &format!("{LIST}?search={search}")).await;
            let names: Vec<_> = found.iter().map(|row: &Value| row["name"].clone()).collect();
            assert_eq!(names, expected, "{search}");
        }
        needs(&jane, LIST, &["marketplace.read"]).await;
        let nobody = Program { key: "x".to_owned(), client: program.client.clone() };
        is_refused(&nobody.get(LIST).await, 401, "Invalid credentials.");
    }
}
