//! Plans that are for some pools only: whoever is in none of these finds nothing.

use chrono::Duration;
use domain::page::Page;
use domain::plan::{PlanCode, PlanFilter, PlanScope};
use domain::user::{UserId, Viewer};
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use crate::belongings::{Team, default_pool};
use crate::catalogue::{changes, codes, walked};
use crate::contracts::{Paid, balance};
use crate::deals::boss;
use crate::furnishing::furnish;
use crate::instances::{act, fleet, id, ordered, running, status, tiny, wish};

/// A plan `own`, like `tiny`, for these pools.
async fn put(boss: &Client, pools: Value) -> Value {
    let plan = json!({
        "name": "Own", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
        "pricing": { "per_hour": "2", "spot_per_hour": "0.2" }, "locations": ["FIN-03"],
        "pools": pools
    });
    boss.put("/admin/plans/own", plan).await.data(200)
}

/// A team with money and a plan of its own, and a host for it.
async fn team(app: &TestApp) -> (Client, Team) {
    let (boss, team) = (boss(app).await, Team::build(app).await);
    app.deposit("owner", "100.00").await;
    tiny(&boss).await;
    furnish(app, &boss, "metal", json!({})).await;
    let made = put(&boss, json!([team.pool])).await;
    assert_eq!(made["pools"], json!([team.pool]));
    (boss, team)
}

/// All that somebody is told of a plan: its rows in lists, and the statuses of what names it.
async fn seen(client: &Client, code: &str) -> (usize, [u16; 2]) {
    let mut rows = 0;
    for list in ["/plans", "/plans?location=FIN-03", "/plans?min_cpus=1&limit=500"] {
        rows += codes(client, list).await.iter().filter(|found| *found == code).count();
    }
    let (found, _) = walked(client, "/plans?limit=1").await;
    rows += found.iter().filter(|found| *found == code).count();
    let single = [format!("/plans/{code}"), format!("/plans/{code}/prices")];
    let shown = client.get(&single[0]).await;
    assert_eq!(shown.body["data"]["pools"], Value::Null, "whose it is too is not theirs to know");
    (rows, [shown.status, client.get(&single[1]).await.status])
}

const ALL: (usize, [u16; 2]) = (4, [200, 200]);
const NOTHING: (usize, [u16; 2]) = (0, [404, 404]);

/// What comes of orders of a plan for a pool: an instance, a spot one, a cluster.
async fn orders(client: &Client, plan: &str, pool: Option<&str>) -> Vec<Answer> {
    let wish = |change: Value| {
        let mut wish = wish(&json!({ "plan": plan, "pool_id": pool }));
        wish.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        wish
    };
    vec![
        client.post("/instances", wish(json!({}))).await,
        client.post("/instances", wish(json!({ "is_spot": true }))).await,
        client.post("/instances", wish(json!({ "interval": "HOUR" }))).await,
        client.post("/clusters", wish(json!({ "nodes": 2 }))).await,
    ]
}

/// Whether the plan is refused to the last letter as one that there never was.
async fn is_unknown(client: &Client, pool: Option<&str>) {
    let own = orders(client, "own", pool).await;
    for (own, none) in own.iter().zip(orders(client, "none", pool).await) {
        assert_eq!(own.faults(), ["/plan"]);
        assert_eq!(own.body["data"], none.body["data"]);
        assert_eq!((own.status, &own.body["message"]), (none.status, &none.body["message"]));
    }
    let own = client.get("/plans/own").await;
    own.refused(404, "PLAN_NOT_FOUND");
    assert_eq!(own.body["message"], client.get("/plans/none").await.body["message"]);
}

on_both_databases! {
    // Seen failing without `is_private` in `persistence::plan::within` (a stranger saw 4 rows), and
    // without `Plan::is_for` in `Plan::is_offered_to` (201).
    async fn only_who_is_in_its_pools_sees_and_orders_a_plan(app: &TestApp) {
        let (boss, team) = team(app).await;
        let mallory = app.renter("mallory", "100.00").await;
        for member in [&team.owner, &team.admin, &team.jane] {
            assert_eq!(seen(member, "own").await, ALL);
        }
        for other in [&app.stranger(), &mallory, &boss] {
            assert_eq!((seen(other, "own").await, seen(other, "tiny").await), (NOTHING, ALL));
        }
        let pool = Some(team.pool.as_str());
        for made in orders(&team.admin, "own", pool).await {
            assert_eq!(made.status, 201, "{}", made.body);
        }
        team.jane.post("/instances", wish(&json!({ "plan": "own", "pool_id": pool }))).await
            .refused(403, "POOL_ADMIN_REQUIRED");
        // Also to its members, for a pool that it is not for.
        let own = orders(&team.owner, "own", None).await;
        let none = orders(&team.owner, "none", None).await;
        for (own, none) in own.iter().zip(&none) {
            assert_eq!((own.faults(), &own.body["data"]), (vec!["/plan"], &none.body["data"]));
        }
        is_unknown(&mallory, None).await;
        mallory.post("/instances", wish(&json!({ "plan": "own", "pool_id": pool }))).await
            .refused(404, "POOL_NOT_FOUND");
        let all = boss.get("/admin/plans").await.data(200);
        let pools = all.as_array().unwrap().iter().map(|plan| &plan["pools"]);
        let expected = [json!(null), json!([team.pool]), json!(null)];
        assert_eq!(pools.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        let event = changes(&boss, "plan.changed").await.pop().unwrap();
        assert_eq!(event["after"]["pools"], json!([team.pool]));
    }

    async fn who_leaves_or_loses_it_finds_nothing(app: &TestApp) {
        let (boss, mut team) = team(app).await;
        team.owner = team.owner.lasting().await;
        let (pool, other) = (team.pool.as_str(), default_pool(&team.owner).await);
        let running = running(app, &team.admin, json!({ "plan": "own", "pool_id": pool })).await;
        team.owner.delete(&format!("/pools/{pool}/members/{}", team.admin.id)).await.data(200);
        assert_eq!(seen(&team.admin, "own").await, NOTHING);
        app.deposit("admin", "50.00").await;
        is_unknown(&team.admin, None).await;
        // For another pool of the same owner's, and for none.
        put(&boss, json!([other])).await;
        assert_eq!((seen(&team.owner, "own").await, seen(&team.jane, "own").await), (ALL, NOTHING));
        is_unknown_in(&team.owner, pool).await;
        let nobody = put(&boss, json!([])).await;
        assert_eq!((&nobody["pools"], seen(&team.owner, "own").await), (&json!([]), NOTHING));
        is_unknown(&team.owner, None).await;
        // What is paid by the second goes on, and starts again.
        app.clock.advance(Duration::hours(1));
        app.sweep().await;
        assert_eq!(status(&team.owner, &running).await, "running");
        for (action, now) in [("shutdown", "stopped"), ("start", "running"),
            ("hibernate", "hibernated"), ("start", "running")] {
            act(&team.owner, &running, action).await.data(200);
            app.clock.advance(Duration::seconds(5));
            app.do_jobs().await;
            assert_eq!(status(&team.owner, &running).await, now);
        }
        put(&boss, Value::Null).await;
        assert_eq!(seen(&app.stranger(), "own").await, ALL, "it is everybody's again");
    }

    // Seen failing without `Plan::is_for` in `Plan::is_offered_to`: renewed, for 30.
    async fn paid_time_of_a_plan_that_became_others_is_not_renewed(app: &TestApp) {
        let it = Paid::with(app, json!({ "interval": "WEEK" })).await;
        let own = default_pool(&it.jane).await;
        let others = json!([default_pool(&app.user("john").await).await]);
        let plan = |pools: Value| json!({
            "name": "Tiny", "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
            "pricing": { "intervals": [{ "interval": "WEEK", "price": "30" }] },
            "locations": ["FIN-03"], "pools": pools
        });
        it.boss.put("/admin/plans/tiny", plan(json!([own]))).await.data(200);
        app.clock.advance(Duration::weeks(1));
        app.sweep().await;
        assert_eq!((status(&it.jane, &it.id).await.as_str(), balance(&it.jane).await.as_str()),
            ("running", "40"));
        it.boss.put("/admin/plans/tiny", plan(others)).await.data(200);
        app.clock.advance(Duration::weeks(1) - Duration::seconds(1));
        app.sweep().await;
        assert_eq!(status(&it.jane, &it.id).await, "running", "to the end of what was paid");
        app.clock.advance(Duration::seconds(1));
        app.sweep().await;
        assert_eq!((status(&it.jane, &it.id).await.as_str(), balance(&it.jane).await.as_str()),
            ("hibernated", "40"));
        act(&it.jane, &it.id, "start").await.refused(400, "NO_PRICING");
    }

    // Seen failing without `instance::transfer::require_for` (200).
    async fn an_instance_goes_to_no_pool_that_its_plan_is_not_for(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let made = async |name: &str| {
            id(&jane.post("/pools", json!({ "name": name })).await.data(201))
        };
        let (first, second) = (default_pool(&jane).await, made("Second").await);
        let third = made("Third").await;
        put(&boss, json!([first, second])).await;
        let instance = running(app, &jane, json!({ "plan": "own" })).await;
        let path = format!("/instances/{instance}/transfer");
        let refused = jane.post(&path, json!({ "pool_id": third })).await;
        assert_eq!(refused.faults(), ["/pool_id"]);
        jane.post(&path, json!({ "pool_id": second })).await.data(200);
        put(&boss, Value::Null).await;
        jane.post(&path, json!({ "pool_id": third })).await.data(200);
    }

    // Seen failing with `Plan::pools` made of the rows of `plan_pools` alone: it was for all.
    async fn a_plan_whose_pools_are_deleted_is_for_nobody(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let made = jane.post("/pools", json!({ "name": "Passing" })).await.data(201);
        let (pool, own) = (id(&made), default_pool(&jane).await);
        put(&boss, json!([own, pool])).await;
        let path = format!("/pools/{pool}");
        let instance = running(app, &jane, json!({ "plan": "own", "pool_id": pool })).await;
        jane.delete(&path).await.refused(409, "POOL_IN_USE");
        jane.delete(&format!("/instances/{instance}")).await.data(200);
        app.sweep().await;
        jane.delete(&path).await.data(200);
        let left = boss.get("/admin/plans").await.data(200)[1].clone();
        assert_eq!((&left["code"], &left["pools"]), (&json!("own"), &json!([own])));
        let last = id(&jane.post("/pools", json!({ "name": "Last" })).await.data(201));
        put(&boss, json!([last])).await;
        assert_eq!(seen(&jane, "own").await, ALL);
        jane.delete(&format!("/pools/{last}")).await.data(200);
        let left = boss.get("/admin/plans").await.data(200)[1].clone();
        assert_eq!((&left["code"], &left["pools"]), (&json!("own"), &json!([])));
        assert_eq!((seen(&jane, "own").await, seen(&app.stranger(), "own").await),
            (NOTHING, NOTHING));
    }

    async fn a_pool_that_is_deleted_meanwhile_is_one_that_there_is_not(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        for round in 0..8 {
            let made = jane.post("/pools", json!({ "name": format!("P{round}") })).await;
            let pool = id(&made.data(201));
            let plan = json!({ "name": "Own", "pricing": {}, "pools": [pool],
                "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 } });
            let path = format!("/pools/{pool}");
            let (put, gone) =
                tokio::join!(boss.put("/admin/plans/own", plan), jane.delete(&path));
            gone.data(200);
            if put.status != 200 {
                assert_eq!(put.faults(), ["/pools/0"]);
            }
            let stored = boss.get("/admin/plans").await.data(200);
            let own = stored.as_array().unwrap().iter().find(|plan| plan["code"] == "own");
            assert!(own.is_none_or(|own| own["pools"] == json!([])), "{own:?}");
        }
    }

    async fn every_fault_of_its_pools_is_named(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let own = default_pool(&jane).await;
        let faults = async |pools: Value| {
            let plan = json!({ "name": "Own", "pricing": {}, "pools": pools,
                "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 } });
            let answer = boss.put("/admin/plans/own", plan).await;
            answer.faults().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let unknown = "0123456789abcdef01234567";
        assert_eq!(faults(json!("x")).await, ["/pools"]);
        assert_eq!(faults(json!([1])).await, ["/pools"]);
        assert_eq!(faults(json!([own, "x", ""])).await, ["/pools/1", "/pools/2"]);
        assert_eq!(faults(json!([own, unknown, own])).await, ["/pools/2"]);
        assert_eq!(faults(json!([own, unknown])).await, ["/pools/1"]);
        let many: Vec<_> = (0..101).map(|number| format!("{number:024x}")).collect();
        assert_eq!(faults(json!(many)).await, ["/pools"]);
        assert!(!codes(&boss, "/admin/plans").await.contains(&"own".to_owned()));
    }

    async fn a_list_takes_as_many_statements_for_many_private_plans_as_for_one(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let mut pools = vec![default_pool(&jane).await];
        put(&boss, json!(pools)).await;
        let viewer = Viewer::whole(UserId::parse(&jane.id).unwrap());
        let counted = async || {
            let scope = PlanScope::Seen(viewer);
            let filter = PlanFilter { scope, ..PlanFilter::default() };
            let all = Page { after: None, limit: None };
            let look = async {
                let reads = app.app.store.reads();
                let code = PlanCode::parse("own").unwrap();
                reads.plan_coded(scope, &code).await.unwrap().unwrap();
                reads.plans(&filter, &all).await.unwrap().len()
            };
            persistence::counting_statements(look).await
        };
        let (few, before) = counted().await;
        for name in ["A", "B", "C", "D"] {
            pools.push(id(&jane.post("/pools", json!({ "name": name })).await.data(201)));
            let plan = json!({ "name": name, "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
                "pricing": {}, "locations": ["FIN-03"], "pools": pools });
            boss.put(&format!("/admin/plans/{name}"), plan).await.data(200);
        }
        let (many, after) = counted().await;
        assert_eq!((few, many, after), (3, 7, before));
        ordered(&jane, json!({ "plan": "own" })).await;
    }
}

/// The same for a pool of theirs that it is not for, though they see it.
async fn is_unknown_in(client: &Client, pool: &str) {
    let own = orders(client, "own", Some(pool)).await;
    for (own, none) in own.iter().zip(orders(client, "none", Some(pool)).await) {
        assert_eq!((own.faults(), &own.body["data"]), (vec!["/plan"], &none.body["data"]));
    }
}
