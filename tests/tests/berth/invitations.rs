//! Invitations: to give, to answer, to take back, and to miss.

use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use crate::pools::{NOTHING, invite, join, new_pool, row};

async fn accept(client: &Client, invitation: &str) -> Answer {
    client.post(&format!("/pools/{invitation}/accept"), json!({})).await
}

async fn reject(client: &Client, invitation: &str) -> Answer {
    client.post(&format!("/pools/{invitation}/reject"), json!({})).await
}

async fn pending(client: &Client) -> Vec<Value> {
    client.get("/pools/invitations/pending").await.data(200).as_array().unwrap().clone()
}

async fn try_invite(inviter: &Client, pool: &str, username: &str, role: &str) -> Answer {
    let body = json!({ "username": username, "role": role });
    inviter.post(&format!("/pools/{pool}/members"), body).await
}

on_both_databases! {
    async fn an_accepted_invitation_is_a_membership(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = new_pool(&jane, "p").await;
        // Of one millisecond, ids and so lists have no order.
        app.clock.advance(chrono::Duration::seconds(1));
        let id = invite(&jane, &pool, "john", "admin").await;
        assert!(row(&john, &pool).await.is_none());
        assert_eq!(row(&jane, &pool).await.unwrap()["member_count"], 1);
        let me = john.get("/users/auth/me").await.data(200);
        let open = pending(&john).await;
        assert_eq!(json!(open), me["pending_pool_invitations"]);
        assert_eq!(open.len(), 1);
        assert_eq!(
            (&open[0]["id"], &open[0]["pool_id"], &open[0]["role"]),
            (&json!(id), &json!(pool), &json!("admin"))
        );
        assert_eq!(open[0]["expires_at"], "2025-02-04T22:00:01.000Z");
        assert_eq!(open[0]["invited_by"]["username"], "jane");
        app.clock.advance(chrono::Duration::minutes(1));
        accept(&john, &id).await.data(200);
        assert_eq!(row(&john, &pool).await.unwrap()["user_role"], "admin");
        assert_eq!(row(&jane, &pool).await.unwrap()["member_count"], 2);
        let members = john.get(&format!("/pools/{pool}")).await.data(200)["members"].clone();
        assert_eq!(
            (&members[1]["id"], &members[1]["joined_at"]),
            (&json!(id), &json!("2025-01-21T22:01:01.000Z"))
        );
        assert!(pending(&john).await.is_empty());
        for answer in [accept(&john, &id).await, reject(&john, &id).await] {
            answer.refused(409, "INVITATION_ANSWERED");
        }
        try_invite(&jane, &pool, "john", "user").await.refused(409, "ALREADY_MEMBER");
    }

    async fn a_rejected_invitation_is_over_and_can_be_given_again(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let pool = new_pool(&jane, "p").await;
        let id = invite(&jane, &pool, "john", "user").await;
        reject(&john, &id).await.data(200);
        for answer in [accept(&john, &id).await, reject(&john, &id).await] {
            answer.refused(409, "INVITATION_ANSWERED");
        }
        assert!(row(&john, &pool).await.is_none());
        assert!(pending(&john).await.is_empty());
        let again = invite(&jane, &pool, "john", "user").await;
        assert_ne!(again, id);
        accept(&john, &again).await.data(200);
    }

    async fn an_invitation_is_answered_by_nobody_else(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let (other, stranger) = (app.user("other").await, app.stranger());
        let pool = new_pool(&jane, "p").await;
        let id = invite(&jane, &pool, "john", "user").await;
        for client in [&jane, &other] {
            accept(client, &id).await.refused(404, "INVITATION_NOT_FOUND");
            reject(client, &id).await.refused(404, "INVITATION_NOT_FOUND");
        }
        for unknown in [NOTHING, "nonsense", &pool] {
            for client in [&jane, &john] {
                accept(client, unknown).await.refused(404, "INVITATION_NOT_FOUND");
                reject(client, unknown).await.refused(404, "INVITATION_NOT_FOUND");
            }
        }
        accept(&stranger, &id).await.refused(401, "UNAUTHORIZED");
        reject(&stranger, &id).await.refused(401, "UNAUTHORIZED");
        stranger.get("/pools/invitations/pending").await.refused(401, "UNAUTHORIZED");
        assert!(pending(&other).await.is_empty());
        assert_eq!(pending(&john).await.len(), 1);
    }

    async fn an_invitation_lives_for_14_days(app: &TestApp) {
        let jane = app.user("jane").await;
        app.user("john").await;
        let pool = new_pool(&jane, "p").await;
        let id = invite(&jane, &pool, "john", "user").await;
        app.clock.advance(chrono::Duration::days(14) - chrono::Duration::milliseconds(1));
        assert_eq!(pending(&app.log_in("john").await).await.len(), 1);
        app.clock.advance(chrono::Duration::milliseconds(1));
        let (jane, john) = (app.log_in("jane").await, app.log_in("john").await);
        assert!(pending(&john).await.is_empty());
        assert_eq!(
            john.get("/users/auth/me").await.data(200)["pending_pool_invitations"],
            json!([])
        );
        let members = jane.get(&format!("/pools/{pool}")).await.data(200)["members"].clone();
        assert_eq!(members.as_array().unwrap().len(), 1);
        accept(&john, &id).await.refused(410, "INVITATION_EXPIRED");
        reject(&john, &id).await.refused(410, "INVITATION_EXPIRED");
        assert!(row(&john, &pool).await.is_none());
        // It does not stand in the way of the next one.
        let again = invite(&jane, &pool, "john", "user").await;
        accept(&john, &id).await.refused(404, "INVITATION_NOT_FOUND");
        accept(&john, &again).await.data(200);
    }

    async fn open_invitations_are_seen_by_the_owner_and_admins(app: &TestApp) {
        let jane = app.user("jane").await;
        let (anna, ulf) = (app.user("anna").await, app.user("ulf").await);
        app.user("john").await;
        let pool = new_pool(&jane, "p").await;
        join(&jane, &pool, &anna, "admin").await;
        join(&jane, &pool, &ulf, "user").await;
        let id = invite(&anna, &pool, "john", "admin").await;
        for (client, count) in [(&jane, 4), (&anna, 4), (&ulf, 3)] {
            let members = client.get(&format!("/pools/{pool}")).await.data(200)["members"].clone();
            let members = members.as_array().unwrap();
            assert_eq!(members.len(), count);
            let open = members.iter().find(|m| m["id"] == json!(id));
            assert_eq!(open.is_some(), count == 4);
            if let Some(open) = open {
                assert_eq!(
                    (&open["is_authorized"], &open["joined_at"]),
                    (&json!(false), &Value::Null)
                );
            }
            assert_eq!(row(client, &pool).await.unwrap()["member_count"], 3);
        }
    }

    async fn the_owner_and_admins_invite_into_roles_up_to_admin(app: &TestApp) {
        let jane = app.user("jane").await;
        let (anna, ulf, john) =
            (app.user("anna").await, app.user("ulf").await, app.user("john").await);
        for name in ["kay1", "kay2", "kay3"] {
            app.user(name).await;
        }
        let pool = new_pool(&jane, "p").await;
        try_invite(&john, &pool, "kay1", "user").await.refused(404, "POOL_NOT_FOUND");
        try_invite(&app.stranger(), &pool, "kay1", "user").await.refused(401, "UNAUTHORIZED");
        try_invite(&jane, NOTHING, "kay1", "user").await.refused(404, "POOL_NOT_FOUND");
        try_invite(&jane, "nonsense", "kay1", "user").await.refused(404, "POOL_NOT_FOUND");
        join(&jane, &pool, &anna, "admin").await;
        join(&jane, &pool, &ulf, "user").await;
        try_invite(&ulf, &pool, "kay1", "user").await.refused(403, "POOL_ADMIN_REQUIRED");
        try_invite(&ulf, &pool, "nobody", "user").await.refused(403, "POOL_ADMIN_REQUIRED");
        invite(&anna, &pool, "kay1", "admin").await;
        invite(&anna, &pool, "kay2", "user").await;
        // Names are told apart without regard to case.
        invite(&jane, &pool, "KAY3", "admin").await;
        try_invite(&jane, &pool, "kay3", "user").await.refused(409, "ALREADY_INVITED");
        for role in ["owner", "OWNER"] {
            try_invite(&jane, &pool, "john", role).await.refused(400, "VALIDATION_ERROR");
            try_invite(&anna, &pool, "john", role).await.refused(400, "VALIDATION_ERROR");
        }
        // An invitee is not a member yet.
        try_invite(&app.log_in("kay1").await, &pool, "john", "user")
            .await
            .refused(404, "POOL_NOT_FOUND");
    }

    async fn who_cannot_be_invited_is_refused(app: &TestApp) {
        let jane = app.user("jane").await;
        let anna = app.user("anna").await;
        let pool = new_pool(&jane, "p").await;
        join(&jane, &pool, &anna, "admin").await;
        let long = "a".repeat(100);
        for unknown in ["nobody", &long] {
            try_invite(&jane, &pool, unknown, "user").await.refused(404, "USER_NOT_FOUND");
        }
        for oneself in [&jane, &anna] {
            let answer = try_invite(oneself, &pool, &oneself.username, "user").await;
            answer.refused(409, "ALREADY_MEMBER");
        }
        try_invite(&anna, &pool, "jane", "user").await.refused(409, "ALREADY_MEMBER");
        let longer = "a".repeat(101);
        for username in [
            json!(longer),
            json!(""),
            json!("a b"),
            json!("jöhn"),
            json!("a\0"),
            json!("a@b"),
            json!(1),
            json!(null),
        ] {
            let body = json!({ "username": username, "role": "user" });
            let answer = jane.post(&format!("/pools/{pool}/members"), body).await;
            assert_eq!(answer.faults(), ["/username"]);
        }
        let nothing = jane.post(&format!("/pools/{pool}/members"), json!({})).await;
        assert_eq!(nothing.faults(), ["/username", "/role"]);
    }

    async fn an_invitation_is_withdrawn_by_removing_the_invitee(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let anna = app.user("anna").await;
        let pool = new_pool(&jane, "p").await;
        join(&jane, &pool, &anna, "admin").await;
        for (by, named) in
            [(&jane, john.id.clone()), (&anna, john.id.clone()), (&anna, String::new())]
        {
            let id = invite(&jane, &pool, "john", "user").await;
            let member = if named.is_empty() { &id } else { &named };
            by.delete(&format!("/pools/{pool}/members/{member}")).await.data(200);
            by.delete(&format!("/pools/{pool}/members/{member}"))
                .await
                .refused(404, "MEMBER_NOT_FOUND");
            accept(&john, &id).await.refused(404, "INVITATION_NOT_FOUND");
            reject(&john, &id).await.refused(404, "INVITATION_NOT_FOUND");
            assert!(pending(&john).await.is_empty());
        }
        // Who is only invited cannot take part, not even by leaving.
        invite(&jane, &pool, "john", "admin").await;
        john.delete(&format!("/pools/{pool}/members/{}", john.id))
            .await
            .refused(404, "POOL_NOT_FOUND");
        // An admin does not withdraw the offer of admin that the owner made.
        anna.delete(&format!("/pools/{pool}/members/{}", john.id))
            .await
            .refused(403, "POOL_OWNER_REQUIRED");
        assert_eq!(pending(&john).await.len(), 1);
    }

    async fn invitations_are_listed_newest_first(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            let pool = new_pool(&jane, name).await;
            ids.insert(0, json!(invite(&jane, &pool, "john", "user").await));
            app.clock.advance(chrono::Duration::seconds(1));
        }
        let seen: Vec<_> = pending(&john).await.iter().map(|row| row["id"].clone()).collect();
        assert_eq!(seen, ids);
    }

    async fn an_answer_takes_an_empty_body_of_json(app: &TestApp) {
        let (jane, john) = (app.user("jane").await, app.user("john").await);
        let headers = [("content-type", "application/json")];
        app.clock.advance(chrono::Duration::seconds(1));
        for (verb, expected) in [("reject", 200), ("accept", 200), ("accept", 409)] {
            let pool = jane.get("/pools").await.data(200)[0]["id"].as_str().unwrap().to_owned();
            let id = if expected == 200 { invite(&jane, &pool, "john", "user").await } else {
                let shown = jane.get(&format!("/pools/{pool}")).await.data(200);
                shown["members"][1]["id"].as_str().unwrap().to_owned()
            };
            let path = format!("/pools/{id}/{verb}");
            let answer = john.send("POST".parse().unwrap(), &path, &headers, None).await;
            assert_eq!(answer.status, expected, "{}", answer.body);
        }
    }
}
