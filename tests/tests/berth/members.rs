//! Members of pools: who may invite, promote and remove whom, and what it does to rentals.

use serde_json::{Value, json};
use tests::{Client, TestApp, on_both_databases};

use crate::pools::{NOTHING, invite, join, new_pool, rent_into, row};

/// A pool of `jane` with the admins `anna` and `adam` and the users `ulf` and `ute`.
struct Team {
    pool: String,
    jane: Client,
    anna: Client,
    adam: Client,
    ulf: Client,
    ute: Client,
}

impl Team {
    async fn new(app: &TestApp) -> Self {
        let jane = app.renter("jane", "100.00").await;
        let pool = new_pool(&jane, "team").await;
        let (anna, adam) = (app.renter("anna", "100.00").await, app.user("adam").await);
        let (ulf, ute) = (app.user("ulf").await, app.user("ute").await);
        for (member, role) in [(&anna, "admin"), (&adam, "admin"), (&ulf, "user"), (&ute, "user")] {
            join(&jane, &pool, member, role).await;
        }
        Self { pool, jane, anna, adam, ulf, ute }
    }

    fn path(&self, member: &str) -> String {
        format!("/pools/{}/members/{member}", self.pool)
    }

    /// Username and role of each member, as this one sees them.
    async fn seen_by(&self, client: &Client) -> Vec<(String, String)> {
        let data = client.get(&format!("/pools/{}", self.pool)).await.data(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let members = data["members"].as_array().unwrap().iter();
        members.map(|m| (text(&m["user"]["username"]), text(&m["role"]))).collect()
    }

    async fn role_of(&self, username: &str) -> Option<String> {
        let members = self.seen_by(&self.jane).await;
        members.into_iter().find(|(name, _)| name == username).map(|(_, role)| role)
    }
}

on_both_databases! {
    async fn a_role_is_one_of_two_words(app: &TestApp) {
        let team = Team::new(app).await;
        app.user("john").await;
        for body in [
            json!({}),
            json!({ "role": null }),
            json!({ "role": "owner" }),
            json!({ "role": "Admin" }),
            json!({ "role": 1 }),
            json!({ "role": "" }),
            json!({ "role": "user\0" }),
            json!({ "role": ["user"] }),
        ] {
            team.jane
                .patch(&team.path(&team.ulf.id), body.clone())
                .await
                .refused(400, "VALIDATION_ERROR");
            team.jane
                .put(&team.path(&team.ulf.id), body.clone())
                .await
                .refused(400, "VALIDATION_ERROR");
            let mut body = body;
            body["username"] = json!("john");
            let answer = team.jane.post(&format!("/pools/{}/members", team.pool), body).await;
            assert_eq!(answer.faults(), ["/role"]);
        }
        assert_eq!(team.role_of("ulf").await.unwrap(), "user");
        assert_eq!(team.role_of("john").await, None);
    }

    async fn the_owner_changes_roles_by_user_id_or_membership_id(app: &TestApp) {
        let team = Team::new(app).await;
        let members = team.jane.get(&format!("/pools/{}", team.pool)).await.data(200);
        let members = members["members"].as_array().unwrap();
        let ute = members.iter().find(|m| m["user"]["username"] == "ute").unwrap();
        let ute_membership = ute["id"].as_str().unwrap();
        assert_ne!(ute_membership, team.ute.id);
        let body = json!({ "role": "admin", "unknown": 1 });
        team.jane.patch(&team.path(&team.ulf.id), body.clone()).await.data(200);
        team.jane.patch(&team.path(&team.ulf.id), body.clone()).await.data(200);
        team.jane.put(&team.path(ute_membership), body).await.data(200);
        assert_eq!(team.role_of("ulf").await.unwrap(), "admin");
        assert_eq!(team.role_of("ute").await.unwrap(), "admin");
        team.jane.put(&team.path(&team.ulf.id), json!({ "role": "user" })).await.data(200);
        assert_eq!(team.role_of("ulf").await.unwrap(), "user");
        // The new admin is one at once.
        app.user("john").await;
        invite(&team.ute, &team.pool, "john", "user").await;
    }

    async fn nobody_but_the_owner_changes_roles(app: &TestApp) {
        let team = Team::new(app).await;
        for client in [&team.anna, &team.ulf] {
            for target in [&team.jane, &team.anna, &team.ulf, &team.ute] {
                let path = team.path(&target.id);
                client
                    .patch(&path, json!({ "role": "admin" }))
                    .await
                    .refused(403, "POOL_OWNER_REQUIRED");
                client
                    .put(&path, json!({ "role": "user" }))
                    .await
                    .refused(403, "POOL_OWNER_REQUIRED");
            }
        }
        let john = app.user("john").await;
        john.patch(&team.path(&john.id), json!({ "role": "admin" }))
            .await
            .refused(404, "POOL_NOT_FOUND");
        john.delete(&team.path(&team.ulf.id)).await.refused(404, "POOL_NOT_FOUND");
        app.stranger()
            .patch(&team.path(&team.ulf.id), json!({ "role": "admin" }))
            .await
            .refused(401, "UNAUTHORIZED");
        app.stranger().delete(&team.path(&team.ulf.id)).await.refused(401, "UNAUTHORIZED");
        let expected = [
            ("jane", "owner"),
            ("anna", "admin"),
            ("adam", "admin"),
            ("ulf", "user"),
            ("ute", "user"),
        ];
        let mut seen = team.seen_by(&team.ulf).await;
        seen.sort();
        let mut expected = expected.map(|(name, role)| (name.to_owned(), role.to_owned()));
        expected.sort();
        assert_eq!(seen, expected);
    }

    async fn the_owner_stays_the_owner(app: &TestApp) {
        let team = Team::new(app).await;
        // The owner's membership has the pool's id.
        for id in [&team.jane.id, &team.pool] {
            team.jane
                .patch(&team.path(id), json!({ "role": "admin" }))
                .await
                .refused(409, "OWNER_ROLE_FIXED");
            team.jane
                .put(&team.path(id), json!({ "role": "user" }))
                .await
                .refused(409, "OWNER_ROLE_FIXED");
            team.jane.delete(&team.path(id)).await.refused(409, "OWNER_ROLE_FIXED");
            team.anna.delete(&team.path(id)).await.refused(409, "OWNER_ROLE_FIXED");
            team.ulf.delete(&team.path(id)).await.refused(403, "POOL_ADMIN_REQUIRED");
        }
        assert_eq!(team.role_of("jane").await.unwrap(), "owner");
    }

    async fn who_is_not_a_member_cannot_be_changed_or_removed(app: &TestApp) {
        let team = Team::new(app).await;
        let john = app.user("john").await;
        for id in [john.id.as_str(), NOTHING, "nonsense"] {
            team.jane
                .patch(&team.path(id), json!({ "role": "user" }))
                .await
                .refused(404, "MEMBER_NOT_FOUND");
            team.jane
                .put(&team.path(id), json!({ "role": "user" }))
                .await
                .refused(404, "MEMBER_NOT_FOUND");
            team.jane.delete(&team.path(id)).await.refused(404, "MEMBER_NOT_FOUND");
            team.anna.delete(&team.path(id)).await.refused(404, "MEMBER_NOT_FOUND");
        }
        // A membership of another pool is not one of this.
        let other = new_pool(&team.jane, "other").await;
        let membership = join(&team.jane, &other, &john, "user").await;
        team.jane.delete(&team.path(&membership)).await.refused(404, "MEMBER_NOT_FOUND");
        assert!(row(&john, &other).await.is_some());
    }

    async fn admins_remove_users_only_and_the_owner_everybody(app: &TestApp) {
        let team = Team::new(app).await;
        team.ulf.delete(&team.path(&team.ute.id)).await.refused(403, "POOL_ADMIN_REQUIRED");
        team.ulf.delete(&team.path(&team.anna.id)).await.refused(403, "POOL_ADMIN_REQUIRED");
        team.ulf.delete(&team.path(NOTHING)).await.refused(403, "POOL_ADMIN_REQUIRED");
        team.anna.delete(&team.path(&team.adam.id)).await.refused(403, "POOL_OWNER_REQUIRED");
        assert_eq!(row(&team.jane, &team.pool).await.unwrap()["member_count"], 5);
        team.anna.delete(&team.path(&team.ute.id)).await.data(200);
        team.anna.delete(&team.path(&team.ute.id)).await.refused(404, "MEMBER_NOT_FOUND");
        team.jane.delete(&team.path(&team.adam.id)).await.data(200);
        assert_eq!(row(&team.jane, &team.pool).await.unwrap()["member_count"], 3);
        for gone in [&team.ute, &team.adam] {
            assert!(row(gone, &team.pool).await.is_none());
            gone.get(&format!("/pools/{}", team.pool)).await.refused(404, "POOL_NOT_FOUND");
        }
        // And they can come back.
        join(&team.anna, &team.pool, &team.ute, "user").await;
        assert_eq!(team.role_of("ute").await.unwrap(), "user");
    }

    async fn members_leave_by_themselves(app: &TestApp) {
        let team = Team::new(app).await;
        for leaving in [&team.anna, &team.ulf] {
            leaving.delete(&team.path(&leaving.id)).await.data(200);
            leaving.delete(&team.path(&leaving.id)).await.refused(404, "POOL_NOT_FOUND");
            leaving.get(&format!("/pools/{}", team.pool)).await.refused(404, "POOL_NOT_FOUND");
        }
        assert_eq!(row(&team.jane, &team.pool).await.unwrap()["member_count"], 3);
    }

    async fn who_leaves_loses_the_pools_rentals_and_takes_their_own(app: &TestApp) {
        let team = Team::new(app).await;
        let janes = rent_into(&team.jane, &team.pool, &app.server("one").await).await;
        let annas = rent_into(&team.anna, &team.pool, &app.server("two").await).await;
        for (client, rental) in
            [(&team.ulf, &janes), (&team.ulf, &annas), (&team.anna, &janes), (&team.jane, &annas)]
        {
            let seen = client.get(&format!("/rentals/{rental}")).await.data(200);
            assert_eq!(seen["pool_id"], json!(team.pool));
        }
        team.jane.delete(&team.path(&team.anna.id)).await.data(200);
        team.anna.get(&format!("/rentals/{janes}")).await.refused(404, "RENTAL_NOT_FOUND");
        team.anna.get(&format!("/servers/{janes}")).await.refused(404, "RENTAL_NOT_FOUND");
        let extend = json!({ "additional_days": 7 });
        team.anna
            .post(&format!("/rentals/{janes}/extend"), extend)
            .await
            .refused(404, "RENTAL_NOT_FOUND");
        assert_eq!(team.anna.get("/rentals").await.data(200).as_array().unwrap().len(), 1);
        assert_eq!(
            team.anna.get(&format!("/rentals/{annas}")).await.data(200)["pool_id"],
            Value::Null
        );
        for left in [&team.jane, &team.ulf] {
            left.get(&format!("/rentals/{annas}")).await.refused(404, "RENTAL_NOT_FOUND");
            left.get(&format!("/rentals/{janes}")).await.data(200);
        }
        assert_eq!(row(&team.jane, &team.pool).await.unwrap()["server_count"], 1);
        let into = json!({ "rental_days": 7, "pool_id": team.pool });
        let three = app.server("three").await;
        team.anna
            .post(&format!("/servers/{three}/rent"), into)
            .await
            .refused(404, "POOL_NOT_FOUND");
    }

    async fn users_see_the_pools_rentals_and_admins_also_extend_them(app: &TestApp) {
        let team = Team::new(app).await;
        let rental = rent_into(&team.jane, &team.pool, &app.server("one").await).await;
        let extend = || json!({ "additional_days": 7 });
        let path = format!("/rentals/{rental}/extend");
        team.ulf.post(&path, extend()).await.refused(403, "POOL_ADMIN_REQUIRED");
        team.anna.post(&path, extend()).await.data(200);
        // The wallet of who extends pays.
        assert_eq!(
            (team.jane.balance_cents().await, team.anna.balance_cents().await),
            (3_000, 3_000)
        );
        let into = json!({ "rental_days": 7, "pool_id": team.pool });
        let two = app.server("two").await;
        team.ulf
            .post(&format!("/servers/{two}/rent"), into)
            .await
            .refused(403, "POOL_ADMIN_REQUIRED");
    }
}
