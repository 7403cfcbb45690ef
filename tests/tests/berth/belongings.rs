//! What pools keep for their members, SSH keys and scripts: who sees, adds and deletes them.

use chrono::Duration;
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tests::{Answer, Client, Kind, TestApp, at_once, on_both_databases};

use crate::scripts::SCRIPTS;
use crate::ssh_keys::KEYS;

const UNKNOWN: &str = "0123456789abcdef01234567";

/// What pools keep, of which there are two kinds that behave alike.
#[derive(Clone, Copy)]
pub struct Noun {
    pub path: &'static str,
    /// How its error codes begin.
    pub code: &'static str,
    /// How its events begin.
    pub event: &'static str,
    pub table: &'static str,
    /// A body with this name, which makes a text of its own.
    pub wish: fn(&str) -> Value,
}

const NOUNS: [Noun; 2] = [KEYS, SCRIPTS];

impl Noun {
    fn code(self, end: &str) -> String {
        format!("{}_{end}", self.code)
    }

    pub fn one(self, id: &str) -> String {
        format!("{}/{id}", self.path)
    }

    fn into_pool(self, name: &str, pool: &str) -> Value {
        let mut wish = (self.wish)(name);
        wish["pool_id"] = json!(pool);
        wish
    }

    async fn add(self, client: &Client, name: &str, pool: &str) -> String {
        let made = client.post(self.path, self.into_pool(name, pool)).await.data(201);
        made["id"].as_str().unwrap().to_owned()
    }

    async fn delete(self, client: &Client, ids: &[&str]) -> Answer {
        let body = json!({ "ids": ids });
        client.send(Method::DELETE, self.path, &[], Some(&body)).await
    }

    /// The names of those in a list.
    async fn names(self, client: &Client, query: &str) -> Vec<String> {
        let rows = client.get(&format!("{}{query}", self.path)).await.data(200);
        let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(name).collect()
    }

    /// Fills a pool behind the domain's back.
    pub async fn fill(self, app: &TestApp, count: u32) {
        let (id, digest) = match app.database.kind {
            Kind::Sqlite => ("randomblob(16)", "randomblob(32)"),
            Kind::Postgres => ("gen_random_uuid()", "sha256(i::text::bytea)"),
        };
        let texts = if self.code == "SSH_KEY" { "'x', 'x'" } else { "'x'" };
        let sql = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO {} SELECT {id}, p.id, 'x', {texts}, {digest}, p.created_at \
             FROM n CROSS JOIN pools p",
            self.table
        );
        let connection = app.database.connect().await;
        connection.execute_unprepared(&sql).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// A pool of `owner` with an admin and two users in it.
pub struct Team {
    pub pool: String,
    pub owner: Client,
    pub admin: Client,
    pub jane: Client,
    pub john: Client,
}

impl Team {
    pub async fn build(app: &TestApp) -> Self {
        let owner = app.user("owner").await;
        let made = owner.post("/pools", json!({ "name": "Team" })).await.data(201);
        let pool = made["id"].as_str().unwrap().to_owned();
        let mut members = Vec::new();
        for (username, role) in [("admin", "admin"), ("jane", "user"), ("john", "user")] {
            let member = app.user(username).await;
            let wish = json!({ "username": username, "role": role });
            owner.post(&format!("/pools/{pool}/members"), wish).await.data(201);
            let pending = member.get("/pools/invitations/pending").await.data(200);
            let invitation = pending[0]["id"].as_str().unwrap().to_owned();
            member.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
            members.push(member);
        }
        let [admin, jane, john] = members.try_into().ok().unwrap();
        Self { pool, owner, admin, jane, john }
    }
}

pub async fn default_pool(client: &Client) -> String {
    let pools = client.get("/pools").await.data(200);
    let pools = pools.as_array().unwrap().clone();
    let default = pools.iter().find(|pool| pool["is_default"] == true).unwrap();
    default["id"].as_str().unwrap().to_owned()
}

on_both_databases! {
    // Seen failing without the unique index: ten were added.
    async fn of_equal_texts_at_once_one_is_added(app: &TestApp) {
        let team = Team::build(app).await;
        for noun in NOUNS {
            let wish = noun.into_pool("same", &team.pool);
            let add = |at: usize| {
                let client = [&team.owner, &team.admin, &team.jane, &team.john][at % 4].clone();
                let wish = wish.clone();
                async move { client.post(noun.path, wish).await }
            };
            let answers = at_once((0..10).map(add)).await;
            let (made, refused): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|answer| answer.status == 201);
            assert_eq!((made.len(), refused.len()), (1, 9));
            for answer in refused {
                answer.refused(409, &noun.code("EXISTS"));
            }
            let query = format!("?pool_id={}", team.pool);
            assert_eq!(noun.names(&team.john, &query).await, ["same"]);
            // Another pool, or another text, is no conflict.
            noun.add(&team.owner, "same", &default_pool(&team.owner).await).await;
            let mut other = noun.into_pool("other", &team.pool);
            other["name"] = json!("same");
            team.jane.post(noun.path, other).await.data(201);
        }
    }

    // Seen failing without the limit, and on PostgreSQL without the pool's lock: three were added.
    async fn a_pool_holds_a_thousand(app: &TestApp) {
        let jane = app.user("jane").await;
        for noun in NOUNS {
            noun.fill(app, 998).await;
            let add = |at: usize| {
                let (jane, wish) = (jane.clone(), (noun.wish)(&format!("k{at}")));
                async move { jane.post(noun.path, wish).await }
            };
            let answers = at_once((0..8).map(add)).await;
            let (made, refused): (Vec<_>, Vec<_>) =
                answers.into_iter().partition(|answer| answer.status == 201);
            assert_eq!((made.len(), refused.len()), (2, 6));
            for answer in refused {
                answer.refused(409, &noun.code("LIMIT"));
                assert_eq!(answer.body["data"], json!({ "limit": 1_000 }));
            }
            let id = made[0].body["data"]["id"].as_str().unwrap();
            jane.delete(&noun.one(id)).await.data(200);
            jane.post(noun.path, (noun.wish)("last")).await.data(201);
        }
    }

    // Seen failing without `role_of` in `home_for_update`, and without the scope in the query.
    async fn members_see_and_add_and_nobody_else_does(app: &TestApp) {
        let team = Team::build(app).await;
        let stranger = app.user("stranger").await;
        let mate = app.user("invited").await;
        let wish = json!({ "username": "invited", "role": "user" });
        team.owner.post(&format!("/pools/{}/members", team.pool), wish).await.data(201);
        for noun in NOUNS {
            let id = noun.add(&team.jane, "hers", &team.pool).await;
            app.clock.advance(Duration::seconds(1));
            noun.add(&team.john, "his", &default_pool(&team.john).await).await;
            let query = format!("?pool_id={}", team.pool);
            for member in [&team.owner, &team.admin, &team.jane, &team.john] {
                assert_eq!(noun.names(member, &query).await, ["hers"]);
                assert_eq!(member.get(&noun.one(&id)).await.data(200)["name"], "hers");
            }
            assert_eq!(noun.names(&team.john, "").await, ["his", "hers"], "newest first");
            assert_eq!(noun.names(&team.owner, "").await, ["hers"]);
            for other in [&stranger, &mate] {
                assert!(noun.names(other, "").await.is_empty());
                let list = other.get(&format!("{}{query}", noun.path)).await;
                list.refused(404, "POOL_NOT_FOUND");
                let add = other.post(noun.path, noun.into_pool("x", &team.pool)).await;
                add.refused(404, "POOL_NOT_FOUND");
                let missing = noun.code("NOT_FOUND");
                other.get(&noun.one(&id)).await.refused(404, &missing);
                other.delete(&noun.one(&id)).await.refused(404, &missing);
                noun.delete(other, &[&id]).await.refused(404, &missing);
            }
            let bad = stranger.get(&format!("{}?pool_id=x&limit=0&cursor=x", noun.path)).await;
            assert_eq!(bad.faults(), ["pool_id", "cursor", "limit"]);
            for id in [UNKNOWN, "x"] {
                let answer = team.jane.get(&noun.one(id)).await;
                answer.refused(404, &noun.code("NOT_FOUND"));
            }
            let nowhere = team.jane.post(noun.path, noun.into_pool("x", UNKNOWN)).await;
            nowhere.refused(404, "POOL_NOT_FOUND");
        }
    }

    // Seen failing without `may_take`, and where some of the ids sufficed.
    async fn the_author_admins_and_the_owner_delete_all_or_none(app: &TestApp) {
        let team = Team::build(app).await;
        for noun in NOUNS {
            let mut ids = Vec::new();
            for name in ["a", "b", "c", "d"] {
                ids.push(noun.add(&team.jane, name, &team.pool).await);
                app.clock.advance(Duration::seconds(1));
            }
            let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| ids[at].as_str());
            let own = noun.add(&team.john, "own", &team.pool).await;
            let query = format!("?pool_id={}", team.pool);
            team.john.delete(&noun.one(a)).await.refused(403, "POOL_ADMIN_REQUIRED");
            noun.delete(&team.john, &[&own, a]).await.refused(403, "POOL_ADMIN_REQUIRED");
            let missing = noun.code("NOT_FOUND");
            noun.delete(&team.owner, &[a, UNKNOWN]).await.refused(404, &missing);
            assert_eq!(noun.names(&team.john, &query).await, ["own", "d", "c", "b", "a"]);
            team.jane.delete(&noun.one(a)).await.data(200);
            team.jane.delete(&noun.one(a)).await.refused(404, &missing);
            team.admin.delete(&noun.one(b)).await.data(200);
            // Of two pools at once, and one of them named twice.
            let elsewhere = noun.add(&team.owner, "e", &default_pool(&team.owner).await).await;
            noun.delete(&team.owner, &[c, &elsewhere, c]).await.data(200);
            noun.delete(&team.john, &[&own]).await.data(200);
            assert_eq!(noun.names(&team.owner, "").await, ["d"]);
            let kind = format!("{}.deleted", noun.event);
            let boss = app.operator(&format!("boss-{}", noun.event)).await;
            let events = boss.get(&format!("/audit?kind={kind}")).await.data(200);
            assert_eq!(events.as_array().unwrap().len(), 5);
            let added = boss.get(&format!("/audit?subject_id={b}")).await.data(200);
            assert_eq!(added[0]["before"], added[1]["after"]);
            assert_eq!(added[1]["kind"], format!("{}.added", noun.event));
            assert!(!added.to_string().contains("#!"), "a script may hold secrets");
            let nothing = noun.delete(&team.jane, &[]).await;
            assert_eq!(nothing.faults(), ["/ids"]);
            let many = vec![d; 1_001];
            assert_eq!(noun.delete(&team.jane, &many).await.faults(), ["/ids"]);
            let bad = noun.delete(&team.jane, &["x", d, "y"]).await;
            assert_eq!(bad.faults(), ["/ids/0", "/ids/2"]);
        }
    }

    async fn who_has_left_has_no_say(app: &TestApp) {
        let team = Team::build(app).await;
        for noun in NOUNS {
            noun.add(&team.jane, "hers", &team.pool).await;
        }
        let membership = format!("/pools/{}/members/{}", team.pool, team.jane.id);
        team.owner.delete(&membership).await.data(200);
        for noun in NOUNS {
            assert!(noun.names(&team.jane, "").await.is_empty());
            let rows = team.owner.get(noun.path).await.data(200);
            let id = rows[0]["id"].as_str().unwrap().to_owned();
            let missing = noun.code("NOT_FOUND");
            team.jane.delete(&noun.one(&id)).await.refused(404, &missing);
            assert_eq!(rows[0]["author_id"], team.jane.id, "what they added stays");
        }
    }

    // Seen failing without ON DELETE CASCADE: the pool could not be deleted.
    async fn a_deleted_pool_takes_its_own_with_it(app: &TestApp) {
        let team = Team::build(app).await;
        let mut ids = Vec::new();
        for noun in NOUNS {
            ids.push(noun.add(&team.jane, "gone", &team.pool).await);
            noun.add(&team.jane, "stays", &default_pool(&team.jane).await).await;
        }
        team.owner.delete(&format!("/pools/{}", team.pool)).await.data(200);
        for (noun, id) in NOUNS.into_iter().zip(&ids) {
            assert_eq!(noun.names(&team.jane, "").await, ["stays"]);
            team.jane.get(&noun.one(id)).await.refused(404, &noun.code("NOT_FOUND"));
        }
    }

    // Seen failing on PostgreSQL without the second look, behind the pool's lock: two were done.
    async fn of_equal_deletions_at_once_one_is_done(app: &TestApp) {
        let team = Team::build(app).await;
        for noun in NOUNS {
            let id = noun.add(&team.jane, "once", &team.pool).await;
            let delete = |at: usize| {
                let client = [&team.owner, &team.admin, &team.jane][at % 3].clone();
                let path = noun.one(&id);
                async move { client.delete(&path).await }
            };
            let answers = at_once((0..9).map(delete)).await;
            let done = answers.iter().filter(|answer| answer.status == 200).count();
            assert_eq!(done, 1);
            for answer in answers.iter().filter(|answer| answer.status != 200) {
                answer.refused(404, &noun.code("NOT_FOUND"));
            }
        }
    }

    async fn a_list_is_paged(app: &TestApp) {
        let jane = app.user("jane").await;
        for noun in NOUNS {
            for name in ["a", "b", "c", "d", "e"] {
                jane.post(noun.path, (noun.wish)(name)).await.data(201);
                app.clock.advance(Duration::seconds(1));
            }
            let (mut found, mut path) = (Vec::new(), format!("{}?limit=2", noun.path));
            loop {
                let answer = jane.get(&path).await;
                let link = answer.headers.get("link").cloned();
                found.extend(answer.data(200).as_array().unwrap().clone());
                let Some(link) = link else { break };
                let next = link.strip_prefix("</api/v1").unwrap().split('>').next().unwrap();
                next.clone_into(&mut path);
            }
            let names: Vec<_> = found.iter().map(|row| row["name"].as_str().unwrap()).collect();
            assert_eq!(names, ["e", "d", "c", "b", "a"]);
        }
    }
}
