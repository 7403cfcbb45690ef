//! Models that are for some pools only: to others there are none of them, also not in what is kept.

use domain::plan;
use domain::token::ApiTokenSecret;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, on_both_databases};

use super::orders::Shop;
use super::{get, is_refused, post, rows};
use crate::belongings::default_pool;
use crate::contracts::balance;
use crate::deals::payer;
use crate::furnishing::furnish;

const LISTS: [&str; 2] = ["/api/blibs", "/api/blibs-private"];

/// The plan `large` of the shop, for these pools.
async fn put(boss: &Client, pools: Value) {
    let plan = json!({
        "name": "Model large", "pools": pools, "locations": ["FIN-03"],
        "shape": { "cpus": 2, "ram_mib": 2048, "disk_gb": 20 },
        "pricing": { "per_hour": "3", "stopped_percent": 35 }
    });
    boss.put("/admin/plans/large", plan).await.data(200);
}

/// The model, where it is in a list.
async fn large(client: &Client, path: &str) -> Option<Value> {
    rows(client, path).await.into_iter().find(|blib| blib["name"] == "Model large")
}

async fn told(client: &Client) -> [bool; 2] {
    [large(client, LISTS[0]).await.is_some(), large(client, LISTS[1]).await.is_some()]
}

async fn order(client: &Client, blib: &Value) -> Answer {
    let body = json!({ "blib_id": blib, "price_h": 3, "total_price": 3, "terms_accepted": true,
        "contract_interval": "HOUR" });
    post(client, "/api/order", body).await
}

on_both_databases! {
    async fn only_accounts_that_a_model_is_for_find_and_order_it(app: &TestApp) {
        let shop = Shop::open(app).await;
        let joe = payer(app, "joe", "100.00").await;
        let number = large(&app.stranger(), LISTS[0]).await.unwrap()["id"].clone();
        put(&shop.boss, json!([default_pool(&shop.jane).await])).await;
        assert_eq!(told(&shop.jane).await, [true, true]);
        let public = large(&shop.jane, LISTS[0]).await.unwrap();
        assert_eq!((&public["id"], &public["is_public"]), (&number, &json!(0)));
        assert_eq!((&public["is_available"], &public["maxPossibleInstances"]),
            (&json!(true), &json!(1)));
        let own = rows(&shop.jane, LISTS[1]).await;
        let is_public: Vec<_> = own.iter().map(|blib| &blib["is_public"]).collect();
        assert_eq!(is_public, [1, 0], "all that can be ordered");
        let members: Vec<_> = own[1].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["id", "name", "gpu_type", "gpu_num", "gpu_ram", "cpu_cores",
            "cpu_ram", "hdd", "price_h", "prices", "is_public", "country_code"]);
        // What is told to one is not kept for another, whoever asks first.
        for other in [&joe, &shop.boss] {
            assert_eq!(told(other).await, [false, false]);
        }
        assert_eq!(large(&app.stranger(), LISTS[0]).await, None);
        assert_eq!(told(&shop.jane).await, [true, true]);
        let unsigned = get(&app.stranger(), LISTS[1]).await;
        is_refused(&unsigned, 401, "Missing or invalid Authorization header");
        is_refused(&order(&joe, &number).await, 404, "Blib not found");
        is_refused(&order(&joe, &json!(0)).await, 404, "Blib not found");
        let made = order(&shop.jane, &number).await;
        assert_eq!((made.status, balance(&shop.jane).await.as_str()), (200, "97"));
        assert_eq!(large(&shop.jane, LISTS[0]).await.unwrap()["is_available"], false, "not kept");
        put(&shop.boss, json!([default_pool(&joe).await])).await;
        assert_eq!((told(&shop.jane).await, told(&joe).await), ([false, false], [true, true]));
        is_refused(&order(&shop.jane, &number).await, 404, "Blib not found");
    }

    // Seen failing without the generation of plans in the mark: it was told for another second.
    async fn what_is_kept_ends_with_the_change_of_a_plan(app: &TestApp) {
        let shop = Shop::open(app).await;
        let own = default_pool(&shop.jane).await;
        for _ in 0..3 {
            assert!(large(&app.stranger(), LISTS[0]).await.is_some());
            put(&shop.boss, json!([own])).await;
            // In the same second.
            assert_eq!(large(&app.stranger(), LISTS[0]).await, None);
            assert_eq!(large(&app.stranger(), LISTS[0]).await, None);
            assert!(large(&shop.jane, LISTS[0]).await.is_some());
            put(&shop.boss, Value::Null).await;
        }
        // What changes nothing leaves it as it is.
        let kept = get(&app.stranger(), LISTS[0]).await;
        let again = get(&app.stranger(), LISTS[0]).await;
        assert_eq!((&kept.headers["etag"], &kept.body), (&again.headers["etag"], &again.body));
    }

    async fn a_teams_model_is_ordered_for_the_team(app: &TestApp) {
        let shop = Shop::open(app).await;
        let joe = payer(app, "joe", "100.00").await;
        let made = shop.jane.post("/pools", json!({ "name": "Team" })).await.data(201);
        let pool = made["id"].as_str().unwrap().to_owned();
        put(&shop.boss, json!([pool])).await;
        let members = format!("/pools/{pool}/members");
        for (role, status) in [("user", 403), ("admin", 200)] {
            shop.jane.post(&members, json!({ "username": "joe", "role": role })).await.data(201);
            let pending = joe.get("/pools/invitations/pending").await.data(200);
            let invitation = pending[0]["id"].as_str().unwrap();
            joe.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
            assert_eq!(told(&joe).await, [true, true]);
            let number = large(&joe, LISTS[1]).await.unwrap()["id"].clone();
            let answer = order(&joe, &number).await;
            assert_eq!(answer.status, status, "{role}: {}", answer.body);
            shop.jane.delete(&format!("{members}/{}", joe.id)).await.data(200);
            assert_eq!(told(&joe).await, [false, false]);
            is_refused(&order(&joe, &number).await, 404, "Blib not found");
        }
        let instances = shop.jane.get(&format!("/instances?pool_id={pool}")).await.data(200);
        assert_eq!((instances.as_array().unwrap().len(), balance(&shop.jane).await.as_str(),
            balance(&joe).await.as_str()), (1, "97", "100"), "its owner pays");
    }

    // Seen failing without `Plan::is_for` in `Plan::is_offered_to`: it was among the options.
    async fn a_server_is_brought_only_to_what_its_pool_may_have(app: &TestApp) {
        let shop = Shop::open(app).await;
        let number = shop.ordered(app, json!({})).await;
        furnish(app, &shop.boss, "other", json!({ "address": "203.0.113.8" })).await;
        let made = shop.jane.post("/pools", json!({ "name": "Team" })).await.data(201);
        let target = large(&shop.jane, LISTS[0]).await.unwrap()["id"].clone();
        let options = async || {
            let path = format!("/api/migration-options?order_id={number}");
            let told = get(&shop.jane, &path).await;
            assert_eq!(told.status, 200, "{}", told.body);
            let current = told.body["currentBlib"]["name"].clone();
            assert_eq!(current, "Model tiny");
            told.body["availableBlibs"].as_array().unwrap().len()
        };
        let wish = |target: &Value| {
            json!({ "order_id": number, "target_blib_id": target, "keep_data": false })
        };
        // She sees it, and it is for another pool than that of the server.
        put(&shop.boss, json!([made["id"]])).await;
        assert_eq!((told(&shop.jane).await, options().await), ([true, true], 0));
        for path in ["/api/migration-cost", "/api/buy-migration"] {
            for target in [&target, &json!(0)] {
                let refused = post(&shop.jane, path, wish(target)).await;
                is_refused(&refused, 404, "Blib not found");
            }
        }
        put(&shop.boss, json!([default_pool(&shop.jane).await])).await;
        assert_eq!(options().await, 1);
        let cost = post(&shop.jane, "/api/migration-cost", wish(&target)).await;
        assert_eq!(cost.status, 200, "{}", cost.body);
        let bought = post(&shop.jane, "/api/buy-migration", wish(&target)).await;
        assert_eq!(bought.status, 200, "{}", bought.body);
    }

    async fn it_takes_as_many_statements_for_many_private_models_as_for_one(app: &TestApp) {
        let shop = Shop::open(app).await;
        let pools = json!([default_pool(&shop.jane).await]);
        put(&shop.boss, pools.clone()).await;
        let key = shop.jane.authorization.clone().unwrap();
        let secret = ApiTokenSecret::parse(key.strip_prefix("Bearer ").unwrap()).unwrap();
        let counted = async || {
            assert_eq!(told(&shop.jane).await, [true, true], "numbers are given");
            let (store, clock) = (app.app.store.as_ref(), app.app.clock.as_ref());
            let from = "127.0.0.1".parse().unwrap();
            let caller = domain::token::authenticate(store, clock, &secret, from).await.unwrap().0;
            let look = async {
                assert!(plan::sees_private(store, Some(&caller)).await.unwrap());
                let sales = plan::sales(store, Some(&caller)).await.unwrap();
                plan::fits(store, &sales).await.unwrap().len()
            };
            persistence::counting_statements(look).await
        };
        let (few, before) = counted().await;
        for number in 0..5 {
            let code = format!("p{number}");
            let plan = json!({ "name": code, "pools": pools, "locations": ["FIN-03"],
                "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10 },
                "pricing": { "per_hour": "1" } });
            shop.boss.put(&format!("/admin/plans/{code}"), plan).await.data(200);
        }
        let (many, after) = counted().await;
        assert_eq!((few, many, after), (2, 7, before));
    }
}
