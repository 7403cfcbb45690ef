//! Templates: what is kept and shown, who changes whose, and where a registry's password is not.

use chrono::Duration;
use domain::error::{Error, Thing};
use domain::template::{self, Registry, Template, TemplateId, TemplateKey, TemplateScope};
use domain::token::Permissions;
use domain::user::{Caller, Role, UserId};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Answer, Client, Kind, TestApp, at_once, on_both_databases};

use crate::belongings::{Team, default_pool};
use crate::sessions::bytes_of;

const UNKNOWN: &str = "0123456789abcdef01234567";
const PASSWORD: &str = "a password of a robot";

fn wish(name: &str) -> Value {
    json!({ "name": name, "image": "ghcr.io/acme/notebook", "disk_gb": 40 })
}

fn with(mut wish: Value, changes: Value) -> Value {
    wish.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    wish
}

/// All that a template can have.
fn whole() -> Value {
    json!({
        "name": "Jupyter", "image": "registry.example:5000/team/jupyter", "tag": "24.04-cuda_12",
        "category": "notebooks", "disk_gb": 65_536, "ports": [8888, 22],
        "start_script": "#!/bin/sh\r\necho ä\n", "build_arguments": "A=1\nB=2",
        "environment": { "TOKEN": "a value of a variable", "EMPTY": "" },
        "notes": "for the\ncourse", "runs_ssh": true, "runs_jupyter": true,
        "registry": { "host": "registry.example:5000", "username": "robot", "password": PASSWORD },
    })
}

fn one(id: &str) -> String {
    format!("/templates/{id}")
}

fn id_of(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

async fn add(client: &Client, wish: Value) -> String {
    id_of(&client.post("/templates", wish).await.data(201))
}

async fn names(client: &Client, path: &str) -> Vec<String> {
    let rows = client.get(path).await.data(200);
    let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(name).collect()
}

fn as_caller(client: &Client) -> Caller {
    Caller {
        user_id: UserId::parse(&client.id).unwrap(),
        role: Role::User,
        permissions: Permissions::everything(),
        ip_allow_list: Vec::new(),
        expires_at: None,
        from: None,
        pool_id: None,
    }
}

async fn numbered(app: &TestApp, client: &Client, number: i64) -> Result<Template, Error> {
    template::numbered(app.app.store.as_ref(), &as_caller(client), number).await
}

/// The password that is kept, opened.
async fn kept(app: &TestApp, client: &Client, id: &str) -> Option<String> {
    let (store, caller) = (app.app.store.as_ref(), as_caller(client));
    let template = template::show(store, &caller, TemplateId::parse(id).unwrap()).await.unwrap();
    let registry = template.registry.as_ref();
    let open = |registry: &Registry| registry.opened(app.app.vault.as_ref(), template.id);
    let password = registry.map(open).transpose().unwrap();
    password.map(|password| password.expose_secret().to_owned())
}

/// Fills every pool, or the operator's, behind the domain's back.
async fn fill(app: &TestApp, count: u32, pool: &str, from: &str) {
    let id = match app.database.kind {
        Kind::Sqlite => "randomblob(16)",
        Kind::Postgres => "gen_random_uuid()",
    };
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO templates SELECT {id}, -row_number() OVER (), {pool}, NULL, 'x', 'x', 'x', \
         '', 1, '[]', '', '', '{{}}', '', {from}.is_default, {from}.is_default, NULL, NULL, NULL, \
         'x', {from}.created_at, {from}.created_at FROM n CROSS JOIN pools {from}"
    );
    let connection = app.database.connect().await;
    connection.execute_unprepared(&sql).await.unwrap();
    connection.close().await.unwrap();
}

fn sorted(answers: Vec<Answer>, status: u16) -> (Vec<Answer>, Vec<Answer>) {
    answers.into_iter().partition(|answer| answer.status == status)
}

on_both_databases! {
    async fn a_template_is_kept_as_it_was_sent_but_for_the_password(app: &TestApp) {
        let jane = app.user("jane").await;
        let made = jane.post("/templates", whole()).await.data(201);
        let mut expected = whole();
        expected["registry"].as_object_mut().unwrap().remove("password");
        let added = json!({ "id": made["id"], "number": made["number"], "author_id": jane.id,
            "pool_id": default_pool(&jane).await, "created_at": "2025-01-21T22:00:00.000Z",
            "updated_at": "2025-01-21T22:00:00.000Z" });
        assert_eq!(made, with(expected, added));
        let id = id_of(&made);
        assert_eq!(jane.get(&one(&id)).await.data(200), made);
        assert_eq!(kept(app, &jane, &id).await.as_deref(), Some(PASSWORD));
        // A list has what is short of it.
        let row = jane.get("/templates").await.data(200)[0].as_object().unwrap().clone();
        let keys: Vec<_> = row.keys().collect();
        assert_eq!(keys, ["id", "number", "pool_id", "author_id", "name", "image", "tag",
            "category", "disk_gb", "created_at", "updated_at"]);
        assert!(row.iter().all(|(key, value)| made[key] == *value), "{row:?}");
        // Numbers are given once.
        let other = jane.post("/templates", wish("  other ")).await.data(201);
        assert!(other["number"].as_i64().unwrap() > made["number"].as_i64().unwrap());
        let absent = json!({ "name": "other", "tag": "latest", "category": "", "ports": [],
            "start_script": "", "build_arguments": "", "environment": {}, "notes": "",
            "registry": null, "runs_ssh": false, "runs_jupyter": false });
        assert_eq!(with(other.clone(), absent), other);
        let number = made["number"].as_i64().unwrap();
        assert_eq!(numbered(app, &jane, number).await.unwrap().id.to_string(), id);
        jane.delete(&one(&id)).await.data(200);
        jane.get(&one(&id)).await.refused(404, "TEMPLATE_NOT_FOUND");
        let again = jane.post("/templates", wish("again")).await.data(201);
        assert!(again["number"].as_i64() > other["number"].as_i64());
    }

    async fn every_fault_of_a_template_is_named(app: &TestApp) {
        let jane = app.user("jane").await;
        let id = add(&jane, wish("good")).await;
        let required = ["/name", "/image", "/disk_gb"];
        assert_eq!(jane.post("/templates", json!({})).await.faults(), required);
        assert_eq!(jane.put(&one(&id), json!({})).await.faults(), required);
        let long = |count: usize| "x".repeat(count);
        let many: serde_json::Map<String, Value> =
            (0..101).map(|at| (format!("V{at}"), json!(""))).collect();
        for (path, values) in [
            ("/name", vec![json!(""), json!(" "), json!("a\nb"), json!(long(101)), json!(1)]),
            ("/image", vec![json!("a:1"), json!("a b"), json!("a@sha256:1"), json!(long(256))]),
            ("/tag", vec![json!(""), json!("a/b"), json!(long(129)), json!([])]),
            ("/category", vec![json!(long(101)), json!("a\u{1}")]),
            ("/disk_gb", vec![json!(0), json!(65_537), json!("1"), json!(-1), Value::Null]),
            ("/ports", vec![json!([0]), json!([22, 22]), json!([65_536]), json!("22"),
                json!((1..=33).collect::<Vec<_>>())]),
            ("/start_script", vec![json!(long(65_537)), json!("a\0")]),
            ("/build_arguments", vec![json!(long(4_097)), json!({})]),
            ("/environment", vec![json!({ "1A": "" }), json!({ "A": long(4_097) }), json!(many),
                json!({ "A": 1 })]),
            ("/notes", vec![json!(long(4_001)), json!(1)]),
            ("/runs_ssh", vec![json!("yes")]),
            ("/runs_jupyter", vec![json!(1)]),
            ("/registry", vec![json!("host"), json!([])]),
        ] {
            for value in values {
                let wish = with(wish("x"), json!({ (&path[1..]): value }));
                assert_eq!(jane.post("/templates", wish.clone()).await.faults(), [path], "{value}");
                assert_eq!(jane.put(&one(&id), wish).await.faults(), [path], "{value}");
            }
        }
        let registry = json!({ "host": "a b", "username": "\t", "password": long(4_097) });
        let all = json!({ "tag": "/", "registry": registry, "pool_id": 1 });
        let faults = ["/pool_id", "/name", "/image", "/disk_gb", "/tag", "/registry/host",
            "/registry/username", "/registry/password"];
        assert_eq!(jane.post("/templates", all).await.faults(), faults);
        for registry in [json!({}), json!({ "host": "", "username": "", "password": null })] {
            let wish = with(wish("x"), json!({ "registry": registry }));
            let faults = ["/registry/host", "/registry/username", "/registry/password"];
            assert_eq!(jane.post("/templates", wish.clone()).await.faults(), faults);
            assert_eq!(jane.put(&one(&id), wish).await.faults(), faults[..2]);
        }
        assert_eq!(names(&jane, "/templates").await, ["good"]);
    }

    // Seen failing where the scope was left out of the query.
    async fn members_see_and_add_and_nobody_else_does(app: &TestApp) {
        let team = Team::build(app).await;
        let stranger = app.user("stranger").await;
        let into_pool = with(wish("hers"), json!({ "pool_id": team.pool }));
        let made = team.jane.post("/templates", into_pool.clone()).await.data(201);
        let (id, number) = (id_of(&made), made["number"].as_i64().unwrap());
        app.clock.advance(Duration::seconds(1));
        add(&team.john, wish("his")).await;
        let query = format!("/templates?pool_id={}", team.pool);
        for member in [&team.owner, &team.admin, &team.jane, &team.john] {
            assert_eq!(names(member, &query).await, ["hers"]);
            assert_eq!(member.get(&one(&id)).await.data(200), made);
            assert_eq!(numbered(app, member, number).await.unwrap().id.to_string(), id);
        }
        assert_eq!(names(&team.john, "/templates").await, ["his", "hers"], "newest first");
        assert_eq!(names(&team.owner, "/templates").await, ["hers"]);
        assert_eq!(names(&stranger, "/templates").await, [""; 0]);
        let missing = "TEMPLATE_NOT_FOUND";
        stranger.get(&query).await.refused(404, "POOL_NOT_FOUND");
        stranger.post("/templates", into_pool).await.refused(404, "POOL_NOT_FOUND");
        stranger.get(&one(&id)).await.refused(404, missing);
        stranger.put(&one(&id), wish("x")).await.refused(404, missing);
        stranger.delete(&one(&id)).await.refused(404, missing);
        let unseen = numbered(app, &stranger, number).await;
        assert!(matches!(unseen, Err(Error::NotFound(Thing::Template))));
        for id in [UNKNOWN, "x"] {
            team.jane.get(&one(id)).await.refused(404, missing);
            team.jane.put(&one(id), wish("x")).await.refused(404, missing);
            team.jane.delete(&one(id)).await.refused(404, missing);
        }
        let bad = team.jane.get("/templates?pool_id=x&limit=0&cursor=x&search=%01").await;
        assert_eq!(bad.faults(), ["search", "pool_id", "cursor", "limit"]);
        assert_eq!(team.owner.get(&one(&id)).await.data(200), made);
    }

    // Seen failing without `may_take`.
    async fn the_author_admins_and_the_owner_change_and_delete(app: &TestApp) {
        let team = Team::build(app).await;
        let into_pool = |name| with(wish(name), json!({ "pool_id": team.pool }));
        let id = add(&team.jane, into_pool("a")).await;
        team.john.put(&one(&id), wish("b")).await.refused(403, "POOL_ADMIN_REQUIRED");
        team.john.delete(&one(&id)).await.refused(403, "POOL_ADMIN_REQUIRED");
        for (name, member) in [("b", &team.jane), ("c", &team.admin), ("d", &team.owner)] {
            app.clock.advance(Duration::seconds(1));
            let before = member.get(&one(&id)).await.data(200);
            let after = member.put(&one(&id), wish(name)).await.data(200);
            let changes = json!({ "name": name, "updated_at": after["updated_at"] });
            assert_ne!(before["updated_at"], after["updated_at"]);
            assert_eq!(after, with(before, changes), "number, author and pool stay");
            // Once more changes nothing.
            app.clock.advance(Duration::seconds(1));
            assert_eq!(member.put(&one(&id), wish(name)).await.data(200), after);
        }
        let boss = app.operator("boss").await;
        let events = boss.get(&format!("/audit?subject_id={id}")).await.data(200);
        let kinds: Vec<_> =
            events.as_array().unwrap().iter().map(|row| row["kind"].clone()).collect();
        let changed = "template.changed";
        assert_eq!(kinds, [changed, changed, changed, "template.added"]);
        assert_eq!((&events[0]["before"], &events[0]["subject_kind"]),
            (&events[1]["after"], &json!("template")));
        team.jane.delete(&one(&id)).await.data(200);
        team.jane.delete(&one(&id)).await.refused(404, "TEMPLATE_NOT_FOUND");
        for member in [&team.admin, &team.owner] {
            let id = add(&team.jane, into_pool("e")).await;
            member.delete(&one(&id)).await.data(200);
        }
        // Who has left has no say, and a pool that ends takes its own with it.
        let id = add(&team.jane, into_pool("f")).await;
        let membership = format!("/pools/{}/members/{}", team.pool, team.jane.id);
        team.owner.delete(&membership).await.data(200);
        team.jane.put(&one(&id), wish("g")).await.refused(404, "TEMPLATE_NOT_FOUND");
        team.owner.delete(&format!("/pools/{}", team.pool)).await.data(200);
        team.owner.get(&one(&id)).await.refused(404, "TEMPLATE_NOT_FOUND");
    }

    async fn a_password_that_is_not_sent_stays_with_its_registry_and_name(app: &TestApp) {
        let jane = app.user("jane").await;
        let id = add(&jane, whole()).await;
        let registry = |host: &str, username: &str| json!({ "host": host, "username": username });
        let same = registry("registry.example:5000", "robot");
        let next = with(wish("next"), json!({ "registry": same }));
        let answer = jane.put(&one(&id), next.clone()).await.data(200);
        assert_eq!((&answer["name"], &answer["registry"]), (&json!("next"), &same));
        assert_eq!(kept(app, &jane, &id).await.as_deref(), Some(PASSWORD));
        for other in [registry("evil.example", "robot"), registry("registry.example:5000", "x")] {
            let wish = with(wish("next"), json!({ "registry": other }));
            assert_eq!(jane.put(&one(&id), wish).await.faults(), ["/registry/password"]);
            let mut new = other.clone();
            new["password"] = json!("newer");
            let wish = with(next.clone(), json!({ "registry": new }));
            assert_eq!(jane.put(&one(&id), wish).await.data(200)["registry"], other);
            assert_eq!(kept(app, &jane, &id).await.as_deref(), Some("newer"));
            jane.put(&one(&id), whole()).await.data(200);
        }
        assert_eq!(jane.put(&one(&id), wish("none")).await.data(200)["registry"], Value::Null);
        assert_eq!(kept(app, &jane, &id).await, None);
        assert_eq!(jane.put(&one(&id), next).await.faults(), ["/registry/password"]);
    }

    // Seen failing with one context for all rows: it opened.
    async fn a_sealed_password_opens_nowhere_else(app: &TestApp) {
        let jane = app.user("jane").await;
        let (hers, other) = (add(&jane, whole()).await, add(&jane, whole()).await);
        let connection = app.database.connect().await;
        let number = jane.get(&one(&hers)).await.data(200)["number"].clone();
        let sql = format!("UPDATE templates SET registry_password = (SELECT registry_password \
            FROM templates WHERE number <> {number}) WHERE number = {number}");
        connection.execute_unprepared(&sql).await.unwrap();
        connection.close().await.unwrap();
        let (store, caller) = (app.app.store.as_ref(), as_caller(&jane));
        let id = TemplateId::parse(&hers).unwrap();
        let moved = template::show(store, &caller, id).await.unwrap();
        assert!(moved.registry.unwrap().opened(app.app.vault.as_ref(), moved.id).is_err());
        assert_eq!(kept(app, &jane, &other).await.as_deref(), Some(PASSWORD));
    }

    async fn nothing_secret_of_a_template_is_in_the_log(app: &TestApp) {
        let (boss, jane) = (app.operator("boss").await, app.user("jane").await);
        let id = add(&jane, whole()).await;
        jane.put(&one(&id), with(whole(), json!({ "name": "next" }))).await.data(200);
        jane.delete(&one(&id)).await.data(200);
        let events = boss.get(&format!("/audit?subject_id={id}")).await.data(200);
        let text = events.to_string();
        assert_eq!(events.as_array().unwrap().len(), 3);
        assert!(text.contains("TOKEN") && text.contains("registry.example"), "{text}");
        for secret in [PASSWORD, "#!/bin/sh", "a value of a variable", "A=1", "robot"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }

    // Seen failing on PostgreSQL without the pool's lock: four were added.
    async fn a_pool_holds_a_thousand(app: &TestApp) {
        let jane = app.user("jane").await;
        fill(app, 998, "p.id", "p").await;
        let post = |at: usize| {
            let (jane, wish) = (jane.clone(), wish(&format!("t{at}")));
            async move { jane.post("/templates", wish).await }
        };
        let (made, refused) = sorted(at_once((0..8).map(post)).await, 201);
        assert_eq!((made.len(), refused.len()), (2, 6));
        for answer in refused {
            answer.refused(409, "TEMPLATE_LIMIT");
            assert_eq!(answer.body["data"], json!({ "limit": 1_000 }));
        }
        jane.put(&one(&id_of(&made[0].body["data"])), wish("changed")).await.data(200);
        jane.delete(&one(&id_of(&made[1].body["data"]))).await.data(200);
        add(&jane, wish("last")).await;
    }

    async fn the_operator_has_ten_thousand(app: &TestApp) {
        let (boss, jane) = (app.operator("boss").await, app.user("jane").await);
        // Two users have two pools.
        fill(app, 4_999, "NULL", "p").await;
        for _ in 0..2 {
            boss.post("/admin/templates", wish("more")).await.data(201);
        }
        let refused = boss.post("/admin/templates", wish("too many")).await;
        refused.refused(409, "TEMPLATE_LIMIT");
        assert_eq!(refused.body["data"], json!({ "limit": 10_000 }));
        let rows = jane.get("/templates/global").await.data(200);
        assert_eq!(rows.as_array().unwrap().len(), 500, "a list is never that long");
        add(&jane, wish("own")).await;
    }

    async fn a_search_finds_what_names_and_images_contain(app: &TestApp) {
        let jane = app.user("jane").await;
        for (name, image) in [("Jupyter ÄPFEL 100%", "a/one"), ("x_y", "a/Two"), ("z", "jup/3")] {
            add(&jane, with(wish(name), json!({ "image": image }))).await;
            app.clock.advance(Duration::seconds(1));
        }
        for (search, found) in [
            ("JUP", vec!["z", "Jupyter ÄPFEL 100%"]),
            ("%C3%A4pfel", vec!["Jupyter ÄPFEL 100%"]),
            ("a/t", vec!["x_y"]),
            ("%25", vec!["Jupyter ÄPFEL 100%"]),
            ("_", vec!["x_y"]),
            ("%5C", vec![]),
            ("ghcr", vec![]),
            ("", vec!["z", "x_y", "Jupyter ÄPFEL 100%"]),
        ] {
            let path = format!("/templates?search={search}");
            assert_eq!(names(&jane, &path).await, found, "{search}");
        }
        // What was replaced is found by what it is now.
        let id = add(&jane, wish("before")).await;
        jane.put(&one(&id), wish("after")).await.data(200);
        assert_eq!(names(&jane, "/templates?search=BEFORE").await, [""; 0]);
        assert_eq!(names(&jane, "/templates?search=AFTER").await, ["after"]);
    }

    async fn lists_are_paged_and_parts_counted(app: &TestApp) {
        let (boss, jane) = (app.operator("boss").await, app.user("jane").await);
        for name in ["a", "b", "c", "d", "e"] {
            add(&jane, wish(name)).await;
            boss.post("/admin/templates", wish(name)).await.data(201);
            app.clock.advance(Duration::seconds(1));
        }
        for list in ["/templates", "/templates/global"] {
            let (mut found, mut path) = (Vec::new(), format!("{list}?limit=2&search=note"));
            loop {
                let answer = jane.get(&path).await;
                let link = answer.headers.get("link").cloned();
                found.extend(answer.data(200).as_array().unwrap().clone());
                let Some(link) = link else { break };
                let next = link.strip_prefix("</api/v1").unwrap().split('>').next().unwrap();
                next.clone_into(&mut path);
            }
            let names: Vec<_> = found.iter().map(|row| row["name"].as_str().unwrap()).collect();
            assert_eq!(names, ["e", "d", "c", "b", "a"], "{list}");
        }
        let (store, caller) = (app.app.store.as_ref(), as_caller(&jane));
        let search = Some("NOTE".to_owned());
        let own = template::part(store, &caller, (None, search.clone()), (1, 3)).await.unwrap();
        let global = template::global_part(store, &caller, search, (1, 3)).await.unwrap();
        for (part, count) in [own, global] {
            let names: Vec<_> = part.iter().map(|row| row.recipe.name.as_str()).collect();
            assert_eq!((names, count), (vec!["d", "c", "b"], 5));
        }
    }

    async fn the_operators_are_seen_by_all_and_changed_by_operators(app: &TestApp) {
        let (boss, jane) = (app.operator("boss").await, app.user("jane").await);
        let made = boss.post("/admin/templates", whole()).await.data(201);
        let (id, number) = (id_of(&made), made["number"].as_i64().unwrap());
        assert_eq!((&made["pool_id"], &made["author_id"]), (&Value::Null, &Value::Null));
        assert_eq!(names(&jane, "/templates").await, [""; 0]);
        assert_eq!(names(&jane, "/templates/global?search=jup").await, ["Jupyter"]);
        assert_eq!(names(&jane, "/templates/global?search=quux").await, [""; 0]);
        // With what the operator logs in is nobody else's to know.
        let mut seen = made.clone();
        seen["registry"] = Value::Null;
        assert_eq!(jane.get(&one(&id)).await.data(200), seen);
        assert_eq!(numbered(app, &jane, number).await.unwrap().id.to_string(), id);
        for client in [&jane, &boss] {
            client.put(&one(&id), wish("x")).await.refused(404, "TEMPLATE_NOT_FOUND");
            client.delete(&one(&id)).await.refused(404, "TEMPLATE_NOT_FOUND");
        }
        let path = format!("/admin{}", one(&id));
        jane.post("/admin/templates", wish("x")).await.refused(403, "OPERATOR_REQUIRED");
        jane.put(&path, wish("x")).await.refused(403, "OPERATOR_REQUIRED");
        jane.delete(&path).await.refused(403, "OPERATOR_REQUIRED");
        // And an operator does not reach into pools so.
        let hers = format!("/admin{}", one(&add(&jane, wish("hers")).await));
        boss.put(&hers, wish("x")).await.refused(404, "TEMPLATE_NOT_FOUND");
        boss.delete(&hers).await.refused(404, "TEMPLATE_NOT_FOUND");
        let mut next = with(whole(), json!({ "name": "next" }));
        next["registry"].as_object_mut().unwrap().remove("password");
        assert_eq!(boss.put(&path, next).await.data(200)["number"], made["number"]);
        assert_eq!(kept(app, &jane, &id).await.as_deref(), Some(PASSWORD));
        boss.delete(&path).await.data(200);
        jane.get(&one(&id)).await.refused(404, "TEMPLATE_NOT_FOUND");
        let events = boss.get(&format!("/audit?subject_id={id}")).await.data(200);
        assert_eq!(events.as_array().unwrap().len(), 3);
        assert!(!events.to_string().contains(PASSWORD));
    }

    // Seen failing on PostgreSQL without the second look, and without the lock of the operator's:
    // three were done.
    async fn of_equal_deletions_at_once_one_is_done(app: &TestApp) {
        let team = Team::build(app).await;
        let boss = app.operator("boss").await;
        let hers = add(&team.jane, with(wish("x"), json!({ "pool_id": team.pool }))).await;
        let global = id_of(&boss.post("/admin/templates", wish("x")).await.data(201));
        let mut counts = Vec::new();
        for (path, clients) in [
            (one(&hers), [&team.owner, &team.admin, &team.jane]),
            (format!("/admin{}", one(&global)), [&boss; 3]),
        ] {
            let delete = |at: usize| {
                let (client, path) = (clients[at % 3].clone(), path.clone());
                async move { client.delete(&path).await }
            };
            let (done, refused) = sorted(at_once((0..9).map(delete)).await, 200);
            counts.push((done.len(), refused.len()));
            for answer in refused {
                answer.refused(404, "TEMPLATE_NOT_FOUND");
            }
        }
        assert_eq!(counts, [(1, 8), (1, 8)]);
        let deleted = boss.get("/audit?kind=template.deleted").await.data(200);
        assert_eq!(deleted.as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn no_password_of_a_registry_stands_in_the_database() {
    let app = TestApp::start(Kind::Sqlite).await;
    let (boss, jane) = (app.operator("boss").await, app.user("jane").await);
    let id = add(&jane, whole()).await;
    boss.post("/admin/templates", whole()).await.data(201);
    let next = json!({ "host": "r.example", "username": "robot", "password": "the next one" });
    let next = with(whole(), json!({ "registry": next }));
    jane.put(&one(&id), next).await.data(200);
    let bytes = bytes_of(&app);
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    // The control: what is stored in the clear is found.
    assert!(holds("registry.example:5000") && holds("a value of a variable"));
    assert!(!holds(PASSWORD) && !holds("the next one"));
    let key = TemplateKey::Id(TemplateId::parse(&id).unwrap());
    let scope = TemplateScope::Own(as_caller(&jane).viewer(), None);
    let found = app.app.store.reads().template(scope, key).await.unwrap().unwrap();
    assert!(!format!("{found:?}").contains("password of"), "{found:?}");
    app.finish().await;
}
