//! Pools: make, list, look, change, delete. And the steps that the files on members and invitations
//! share.

use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

/// An id that nothing has.
pub const NOTHING: &str = "507f1f77bcf86cd799439300";

/// Makes a pool; answers its id.
pub async fn new_pool(owner: &Client, name: &str) -> String {
    let data = owner.post("/pools", json!({ "name": name })).await.data(201);
    data["id"].as_str().unwrap().to_owned()
}

/// Invites somebody; answers the invitation's id.
pub async fn invite(inviter: &Client, pool: &str, username: &str, role: &str) -> String {
    let body = json!({ "username": username, "role": role });
    let data = inviter.post(&format!("/pools/{pool}/members"), body).await.data(201);
    data["id"].as_str().unwrap().to_owned()
}

/// Invites somebody who accepts; answers the membership's id.
pub async fn join(owner: &Client, pool: &str, member: &Client, role: &str) -> String {
    let id = invite(owner, pool, &member.username, role).await;
    member.post(&format!("/pools/{id}/accept"), json!({})).await.data(200);
    id
}

/// Rents a server for 7 days into a pool; answers the rental's id.
pub async fn rent_into(renter: &Client, pool: &str, server: &str) -> String {
    let body = json!({ "rental_days": 7, "pool_id": pool });
    let data = renter.post(&format!("/servers/{server}/rent"), body).await.data(201);
    data["rental"]["id"].as_str().unwrap().to_owned()
}

/// The row of a pool in somebody's list.
pub async fn row(client: &Client, pool: &str) -> Option<Value> {
    let rows = client.get("/pools").await.data(200);
    rows.as_array().unwrap().iter().find(|row| row["id"] == pool).cloned()
}

on_both_databases! {
    async fn everybody_has_a_default_pool_that_stays(app: &TestApp) {
        let jane = app.user("jane").await;
        let rows = jane.get("/pools").await.data(200);
        assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
        assert_eq!(
            (&rows[0]["is_default"], &rows[0]["user_role"]),
            (&json!(true), &json!("owner"))
        );
        assert_eq!((&rows[0]["member_count"], &rows[0]["server_count"]), (&json!(1), &json!(0)));
        let id = rows[0]["id"].as_str().unwrap();
        jane.delete(&format!("/pools/{id}")).await.refused(409, "DEFAULT_POOL");
        assert!(row(&jane, id).await.is_some());
    }

    async fn a_pool_gives_back_what_it_was_made_of(app: &TestApp) {
        let jane = app.user("jane").await;
        let settings = json!({
            "n": 1.5, "deep": { "list": [1, "ü", null, true] }, "big": 9_007_199_254_740_993_u64,
            "backslash": "\\u0000 is six characters", "empty": {}
        });
        let body = json!({
            "name": "  Team \u{1f680} ", "description": "two\nlines", "settings": settings,
            "owner_id": NOTHING
        });
        let made = jane.post("/pools", body).await.data(201);
        assert_eq!((&made["name"], &made["owner_id"]), (&json!("Team \u{1f680}"), &json!(jane.id)));
        let shown = jane.get(&format!("/pools/{}", made["id"].as_str().unwrap())).await.data(200);
        for key in ["id", "name", "description", "is_default", "settings", "created_at", "owner_id"]
        {
            assert_eq!(made[key], shown[key], "{key}");
        }
        assert_eq!(shown["settings"], settings);
        assert_eq!(shown["description"], "two\nlines");
        assert_eq!(shown["members"][0]["user"]["username"], "jane");
    }

    async fn a_pool_needs_no_description_and_no_settings(app: &TestApp) {
        let jane = app.user("jane").await;
        for body in
            [json!({ "name": "p" }), json!({ "name": "p", "description": null, "settings": null })]
        {
            let made = jane.post("/pools", body).await.data(201);
            assert_eq!((&made["description"], &made["settings"]), (&Value::Null, &json!({})));
        }
        // Two pools may have one name.
        assert_eq!(jane.get("/pools").await.data(200).as_array().unwrap().len(), 3);
    }

    async fn the_longest_texts_fit_and_longer_ones_do_not(app: &TestApp) {
        let jane = app.user("jane").await;
        let room = 16 * 1024 - r#"{"k":""}"#.len();
        let body = |more: usize| {
            json!({
                "name": "ü".repeat(100 + more), "description": "ü".repeat(500 + more),
                "settings": { "k": "x".repeat(room + more) }
            })
        };
        jane.post("/pools", body(0)).await.data(201);
        let refused = jane.post("/pools", body(1)).await;
        assert_eq!(refused.faults(), ["/name", "/description", "/settings"]);
        assert_eq!(jane.get("/pools").await.data(200).as_array().unwrap().len(), 2);
    }

    async fn a_pool_of_wrong_types_is_refused_with_all_its_faults(app: &TestApp) {
        let jane = app.user("jane").await;
        for (body, faults) in [
            (json!({}), vec!["/name"]),
            (json!({ "name": null }), vec!["/name"]),
            (json!({ "name": "   " }), vec!["/name"]),
            (json!({ "name": "a\u{7}b" }), vec!["/name"]),
            (
                json!({ "name": "a\0b", "description": "\0", "settings": { "k": "\0" } }),
                vec!["/name", "/description", "/settings"],
            ),
            (
                json!({ "name": 7, "description": true, "settings": [] }),
                vec!["/name", "/description", "/settings"],
            ),
            (json!({ "name": "p", "settings": { "\0": 1 } }), vec!["/settings"]),
            (json!({ "name": "p", "settings": "text" }), vec!["/settings"]),
        ] {
            assert_eq!(jane.post("/pools", body.clone()).await.faults(), faults, "{body}");
        }
        for body in [json!([]), json!(["p"]), json!(["p", "text", {}]), json!("p"), json!(null)] {
            assert_eq!(jane.post("/pools", body.clone()).await.status, 400, "{body}");
        }
        assert_eq!(jane.get("/pools").await.data(200).as_array().unwrap().len(), 1);
    }

    async fn patch_and_put_change_what_they_name(app: &TestApp) {
        let jane = app.user("jane").await;
        let pool = new_pool(&jane, "p").await;
        let path = format!("/pools/{pool}");
        app.clock.advance(chrono::Duration::minutes(5));
        jane.patch(&path, json!({ "description": "d", "settings": { "a": 1, "b": 2 } }))
            .await
            .data(200);
        jane.put(&path, json!({ "settings": { "a": 3 }, "name": "ignored", "is_default": true }))
            .await
            .data(200);
        let shown = jane.get(&path).await.data(200);
        assert_eq!((&shown["name"], &shown["description"]), (&json!("p"), &json!("d")));
        assert_eq!((&shown["settings"], &shown["is_default"]), (&json!({ "a": 3 }), &json!(false)));
        assert_eq!(shown["created_at"], "2025-01-21T22:00:00.000Z");
        assert_eq!(shown["updated_at"], "2025-01-21T22:05:00.000Z");
        jane.put(&path, json!({ "description": null })).await.data(200);
        jane.patch(&path, json!({})).await.data(200);
        let shown = jane.get(&path).await.data(200);
        assert_eq!((&shown["description"], &shown["settings"]), (&Value::Null, &json!({ "a": 3 })));
        for body in [
            json!({ "description": "x".repeat(501), "settings": { "k": "x".repeat(16 * 1024) } }),
            json!({ "description": 1, "settings": 1 }),
            json!({ "description": "\0", "settings": { "k": ["\0"] } }),
        ] {
            assert_eq!(
                jane.patch(&path, body.clone()).await.faults(),
                ["/description", "/settings"]
            );
            assert_eq!(jane.put(&path, body).await.faults(), ["/description", "/settings"]);
        }
        assert_eq!(jane.get(&path).await.data(200), shown);
    }

    async fn only_members_know_of_a_pool(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = new_pool(&jane, "p").await;
        // An invitation is not a membership.
        invite(&jane, &pool, "john", "admin").await;
        for id in [pool.as_str(), NOTHING, "nonsense", "507F1F77BCF86CD799439300"] {
            let path = format!("/pools/{id}");
            john.get(&path).await.refused(404, "POOL_NOT_FOUND");
            john.patch(&path, json!({ "description": "mine" }))
                .await
                .refused(404, "POOL_NOT_FOUND");
            john.put(&path, json!({ "description": "mine" })).await.refused(404, "POOL_NOT_FOUND");
            john.delete(&path).await.refused(404, "POOL_NOT_FOUND");
        }
        assert!(row(&john, &pool).await.is_none());
        let path = format!("/pools/{pool}");
        let stranger = app.stranger();
        stranger.get("/pools").await.refused(401, "UNAUTHORIZED");
        stranger.get(&path).await.refused(401, "UNAUTHORIZED");
        stranger.post("/pools", json!({ "name": "p" })).await.refused(401, "UNAUTHORIZED");
        stranger.patch(&path, json!({})).await.refused(401, "UNAUTHORIZED");
        stranger.put(&path, json!({})).await.refused(401, "UNAUTHORIZED");
        stranger.delete(&path).await.refused(401, "UNAUTHORIZED");
        assert_eq!(jane.get(&path).await.data(200)["description"], Value::Null);
    }

    async fn only_the_owner_changes_and_deletes_a_pool(app: &TestApp) {
        let (jane, anna, ulf) =
            (app.user("jane").await, app.user("anna").await, app.user("ulf").await);
        let pool = new_pool(&jane, "p").await;
        join(&jane, &pool, &anna, "admin").await;
        join(&jane, &pool, &ulf, "user").await;
        let path = format!("/pools/{pool}");
        for member in [&anna, &ulf] {
            member
                .patch(&path, json!({ "description": "x" }))
                .await
                .refused(403, "POOL_OWNER_REQUIRED");
            member
                .put(&path, json!({ "description": "x" }))
                .await
                .refused(403, "POOL_OWNER_REQUIRED");
            member.delete(&path).await.refused(403, "POOL_OWNER_REQUIRED");
            assert_eq!(member.get(&path).await.data(200)["description"], Value::Null);
        }
        assert_eq!(row(&jane, &pool).await.unwrap()["user_role"], "owner");
        assert_eq!(row(&anna, &pool).await.unwrap()["user_role"], "admin");
        let seen = row(&ulf, &pool).await.unwrap();
        assert_eq!((&seen["user_role"], &seen["member_count"]), (&json!("user"), &json!(3)));
    }

    async fn a_deleted_pool_leaves_its_rentals_to_their_renters(app: &TestApp) {
        let (jane, anna) = (app.renter("jane", "100.00").await, app.renter("anna", "100.00").await);
        let pool = new_pool(&jane, "p").await;
        join(&jane, &pool, &anna, "admin").await;
        app.user("john").await;
        let invitation = invite(&jane, &pool, "john", "user").await;
        let janes = rent_into(&jane, &pool, &app.server("one").await).await;
        // Of one millisecond, ids and so lists have no order.
        app.clock.advance(chrono::Duration::seconds(1));
        let annas = rent_into(&anna, &pool, &app.server("two").await).await;
        app.do_jobs().await;
        assert_eq!(row(&anna, &pool).await.unwrap()["server_count"], 2);
        let shown = anna.get(&format!("/pools/{pool}")).await.data(200);
        assert_eq!(shown["servers"][0]["name"], "one");
        let two = &shown["servers"][1];
        assert_eq!(
            two,
            &json!({ "id": two["id"], "name": "two", "rental_status": "active", "is_ready": true })
        );
        anna.get(&format!("/rentals/{janes}")).await.data(200);

        jane.delete(&format!("/pools/{pool}")).await.data(200);
        jane.delete(&format!("/pools/{pool}")).await.refused(404, "POOL_NOT_FOUND");
        anna.get(&format!("/pools/{pool}")).await.refused(404, "POOL_NOT_FOUND");
        for (renter, own, other) in [(&jane, &janes, &annas), (&anna, &annas, &janes)] {
            assert!(row(renter, &pool).await.is_none());
            let rental = renter.get(&format!("/rentals/{own}")).await.data(200);
            assert_eq!((&rental["status"], &rental["pool_id"]), (&json!("active"), &Value::Null));
            renter.get(&format!("/rentals/{other}")).await.refused(404, "RENTAL_NOT_FOUND");
            let mine = renter.get("/rentals").await.data(200);
            assert_eq!(mine.as_array().unwrap().len(), 1);
        }
        let john = app.log_in("john").await;
        john.post(&format!("/pools/{invitation}/accept"), json!({}))
            .await
            .refused(404, "INVITATION_NOT_FOUND");
        assert_eq!(john.get("/pools/invitations/pending").await.data(200), json!([]));
    }

    async fn a_pool_counts_no_rental_that_has_ended_even_before_the_sweep(app: &TestApp) {
        let jane = app.renter("jane", "100.00").await;
        let pool = new_pool(&jane, "p").await;
        rent_into(&jane, &pool, &app.server("one").await).await;
        // After 7 days and some of the 2 days of hold, then after all of them.
        for (days, count) in [(8, 1), (1, 0)] {
            app.days_pass(days);
            let jane = app.log_in("jane").await;
            assert_eq!(row(&jane, &pool).await.unwrap()["server_count"], count);
            let shown = jane.get(&format!("/pools/{pool}")).await.data(200);
            assert_eq!(shown["servers"].as_array().unwrap().len(), count);
        }
        app.sweep().await;
    }

    async fn the_pages_of_pools_are_the_whole_list_in_order(app: &TestApp) {
        let jane = app.user("jane").await;
        for number in 0..6 {
            app.clock.advance(chrono::Duration::seconds(1));
            new_pool(&jane, &format!("p{number}")).await;
            let whole = jane.get("/pools").await;
            assert!(
                !whole.headers.contains_key("link") && !whole.headers.contains_key("x-total-count")
            );
            let whole = whole.data(200);
            for limit in [1, 2, 3, 7, 500] {
                assert_eq!(pages(&jane, limit).await, whole, "in pages of {limit}");
            }
        }
        let names: Vec<_> = pages(&jane, 2).await.as_array().unwrap()[1..]
            .iter()
            .map(|row| row["name"].clone())
            .collect();
        assert_eq!(json!(names), json!(["p0", "p1", "p2", "p3", "p4", "p5"]));
    }

    async fn a_page_that_cannot_be_is_refused(app: &TestApp) {
        let jane = app.user("jane").await;
        for (query, fault) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=1.5", "limit"),
            ("limit=1&cursor=zz", "cursor"),
            ("cursor=507F1F77BCF86CD799439300", "cursor"),
            ("cursor=%00", "cursor"),
        ] {
            let answer = jane.get(&format!("/pools?{query}")).await;
            assert_eq!(answer.faults(), [fault], "{query}");
        }
        // What is not known is ignored, and a cursor past the end is the end.
        assert_eq!(jane.get("/pools?colour=red").await.data(200).as_array().unwrap().len(), 1);
        let end = jane.get("/pools?cursor=ffffffffffffffffffffffff").await;
        assert!(!end.headers.contains_key("link"));
        assert_eq!(end.data(200), json!([]));
    }
}

/// The list, put together from its pages by following `Link`.
async fn pages(client: &Client, limit: usize) -> Value {
    let mut rows = Vec::new();
    let mut next = Some(format!("/pools?limit={limit}"));
    let mut total = None;
    while let Some(path) = next {
        let page = client.get(&path).await;
        let count: usize = page.headers["x-total-count"].parse().unwrap();
        assert_eq!(*total.get_or_insert(count), count);
        next = page.headers.get("link").map(|link| {
            let target =
                link.strip_prefix("</api/v1").and_then(|l| l.strip_suffix(">; rel=\"next\""));
            target.unwrap_or_else(|| panic!("{link}")).to_owned()
        });
        let data = page.data(200);
        let page = data.as_array().unwrap();
        assert!(page.len() == limit || next.is_none(), "a page before the last is full");
        rows.extend_from_slice(page);
    }
    assert_eq!(total, Some(rows.len()));
    Value::Array(rows)
}
