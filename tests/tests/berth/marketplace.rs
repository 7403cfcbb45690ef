//! Browsing what can be rented: filters, orders, facets, one offer.

use std::collections::BTreeMap;

use chrono::Duration;
use domain::host::{Category, Disk, DiskType, HostDraft, Pricing, RamType, Score, ScoreType, Tier};
use domain::money::Money;
use serde_json::{Value, json};
use tests::contract::example_server;
use tests::{TestApp, on_both_databases};

fn pricing(tiers: &[(u32, i64)]) -> Pricing {
    let tier = |cents| Tier { price: Money::from_cents(cents).unwrap(), hold_days: 2 };
    Pricing::parse(tiers.iter().map(|(days, cents)| (*days, tier(*cents))).collect()).unwrap()
}

fn disk(count: u32, capacity_gb: u32, kind: DiskType) -> Disk {
    Disk { count, capacity_gb, kind, interface: None }
}

const fn score(value: u32, kind: ScoreType) -> Score {
    Score { value, kind }
}

/// Compute in New York: 8.00 a day at its cheapest, featured, ranked second.
fn alpha() -> HostDraft {
    let mut draft = example_server("alpha");
    draft.specs.popularity_rank = Some(2);
    draft
}

/// Memory in Berlin: 5.00 a day, ranked first but not featured, unlimited traffic.
fn beta() -> HostDraft {
    let mut draft = example_server("beta");
    let specs = &mut draft.specs;
    (specs.location.country, specs.location.region) = ("DE".into(), "EU-Central".into());
    specs.location.city = "Berlin".into();
    (specs.category, specs.featured, specs.popularity_rank) = (Category::Memory, false, Some(1));
    (specs.cpu.cores, specs.cpu.score) = (32, Some(score(20_000, ScoreType::GeekbenchMulti)));
    (specs.ram_gb, specs.ram_type) = (512, RamType::Ddr4);
    specs.disks = vec![disk(2, 4_000, DiskType::Hdd)];
    (specs.network.bandwidth_mbps, specs.network.traffic_tb) = (1_000, None);
    draft.pricing = pricing(&[(30, 15_000)]);
    draft
}

/// A GPU in Frankfurt: 11.50 a day, featured without a rank, two kinds of disk, no score.
fn gamma() -> HostDraft {
    let mut draft = example_server("gamma");
    let specs = &mut draft.specs;
    (specs.location.country, specs.location.region) = ("DE".into(), "eu-west".into());
    specs.location.city = "Frankfurt".into();
    (specs.category, specs.popularity_rank) = (Category::Gpu, None);
    (specs.cpu.cores, specs.cpu.score) = (16, None);
    (specs.ram_gb, specs.ram_type) = (64, RamType::EccDdr4);
    specs.disks = vec![disk(1, 480, DiskType::Ssd), disk(1, 2_000, DiskType::Hdd)];
    (specs.network.bandwidth_mbps, specs.network.traffic_tb) = (2_500, Some(20));
    specs.gpu = Some("NVIDIA RTX 4090".into());
    draft.pricing = pricing(&[(1, 1_200), (7, 8_050)]);
    draft
}

/// Storage in Paris: 100.00 for 30 days, which is 3.33333333 a day.
fn delta() -> HostDraft {
    let mut draft = example_server("delta");
    let specs = &mut draft.specs;
    (specs.location.country, specs.location.region) = ("FR".into(), "eu-west".into());
    specs.location.city = "Paris".into();
    (specs.category, specs.featured, specs.popularity_rank) = (Category::Storage, false, None);
    (specs.cpu.model, specs.cpu.cores) = ("Intel Xeon E-2388G".into(), 8);
    specs.cpu.score = Some(score(2_000, ScoreType::GeekbenchSingle));
    (specs.ram_gb, specs.ram_type) = (32, RamType::Ddr3);
    specs.disks = vec![disk(12, 16_000, DiskType::Hdd)];
    (specs.network.bandwidth_mbps, specs.network.traffic_tb) = (500, Some(10));
    draft.pricing = pricing(&[(7, 3_500), (30, 10_000)]);
    draft
}

pub const EVERYTHING: &str = "alpha gamma beta delta";

/// The four, listed a minute apart: alpha the oldest.
pub async fn list_four(app: &TestApp) {
    for draft in [alpha(), beta(), gamma(), delta()] {
        app.list_servers(vec![draft]).await;
        app.clock.advance(Duration::minutes(1));
    }
}

pub async fn offers(app: &TestApp, query: &str) -> Vec<Value> {
    let answer = app.stranger().get(&format!("/servers/available?{query}")).await;
    answer.data(200).as_array().unwrap().clone()
}

/// The names in the order of the list.
async fn names(app: &TestApp, query: &str) -> String {
    let offers = offers(app, query).await;
    offers.iter().map(|offer| offer["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

pub async fn expect(app: &TestApp, cases: &[(&str, &str)]) {
    for (query, expected) in cases {
        assert_eq!(names(app, query).await, *expected, "{query}");
    }
}

on_both_databases! {
    async fn an_offer_shows_all_that_the_published_api_lists(app: &TestApp) {
        let id = app.server("node-us-nyc-1").await;
        let offer = json!({
            "id": id, "name": "node-us-nyc-1", "country": "US", "region": "us-east",
            "city": "New York", "datacenter": "NYC-DC1", "model": "Intel Xeon E5-2680 v4",
            "is_vm": false, "category": "compute", "featured": true, "popularity_rank": 1,
            "setup_time_minutes": 15,
            "pricing": {
                "prices": { "7": "70.00", "30": "240.00" },
                "price_tiers": {
                    "7": { "price": "70.00", "hold_days": 2 },
                    "30": { "price": "240.00", "hold_days": 3 }
                }
            },
            "specs": {
                "cpu": { "model": "AMD EPYC 7763", "cores": 64, "threads": 128, "score": 48_500,
                         "score_type": "passmark" },
                "ram": { "capacity_gb": 256, "type": "ECC DDR5", "speed_mhz": 4_800 },
                "disks": {
                    "config": [
                        { "count": 2, "capacity_gb": 1_000, "type": "NVMe",
                          "interface": "PCIe 4.0" },
                        { "count": 6, "capacity_gb": 15_000, "type": "NVMe",
                          "interface": "PCIe 4.0" }
                    ],
                    "total_gb": 92_000, "summary": "2x1TB NVMe + 6x15TB NVMe"
                },
                "network": { "bandwidth_mbps": 10_000, "bandwidth_formatted": "10 Gbps",
                             "traffic_tb": 100, "traffic_unlimited": false },
                "additional": { "ipv4_count": 5, "ipv6_enabled": true }
            }
        });
        let listed = app.stranger().get("/servers/available").await;
        assert_eq!(listed.body["message"], "Available servers retrieved successfully");
        assert_eq!(listed.data(200), json!([offer]));
        assert_eq!(app.stranger().get(&format!("/servers/available/{id}")).await.data(200), offer);
    }

    async fn what_cannot_be_read_is_refused_by_name_and_all_at_once(app: &TestApp) {
        let stranger = app.stranger();
        let long = format!("q={}", "x".repeat(101));
        let cases = [
            "max_price_per_day=cheap", "max_price_per_day=-1", "max_price_per_day=1e3",
            "max_price_per_day=0.000000001", "available_durations=week", "available_durations=0",
            "min_cpu_cores=-1", "min_cpu_cores=1.5", "min_cpu_score=x", "min_ram_gb=4294967296",
            "min_total_storage_gb=1_000", "min_bandwidth_mbps=10Gbps", "min_traffic_tb=unlimited",
            "cpu_score_type=cinebench", "ram_types=DDR6", "disk_types=tape", "category=fun",
            "unlimited_traffic_only=maybe", "featured_only=yes", "sort=price", "sort=--ram",
            "limit=ten", "q=%00", long.as_str(),
        ];
        for query in cases {
            for path in ["/servers/available", "/servers/facets"] {
                let name = query.split('=').next().unwrap();
                if path.ends_with("facets") && ["sort", "limit"].contains(&name) {
                    continue;
                }
                let answer = stranger.get(&format!("{path}?{query}")).await;
                assert_eq!(answer.faults(), [name], "{query}");
            }
        }
        let several = "category=fun&min_ram_gb=x&disk_types=tape,HDD,drum&sort=x&limit=0";
        let answer = stranger.get(&format!("/servers/available?{several}")).await;
        let named = ["min_ram_gb", "disk_types", "disk_types", "category", "sort", "limit"];
        assert_eq!(answer.faults(), named);
        let many = vec!["7"; 51].join(",");
        let answer = stranger.get(&format!("/servers/available?available_durations={many}")).await;
        assert_eq!(answer.faults(), ["available_durations"]);
    }

    async fn each_order_turns_round(app: &TestApp) {
        list_four(app).await;
        for (sort, expected) in [
            ("price_per_day", "delta beta alpha gamma"),
            ("cpu_score", "gamma delta beta alpha"),
            ("ram", "delta gamma alpha beta"),
            ("storage", "gamma beta alpha delta"),
            ("bandwidth", "delta beta gamma alpha"),
            ("newest", "delta gamma beta alpha"),
        ] {
            let mut reversed: Vec<_> = expected.split(' ').collect();
            reversed.reverse();
            expect(app, &[
                (&format!("sort={sort}"), expected),
                (&format!("sort=-{sort}"), &reversed.join(" ")),
            ]).await;
        }
        expect(app, &[("", EVERYTHING), ("sort=ram&category=gpu", "gamma")]).await;
    }
}

/// The counts of a list's values, as facets should have them.
fn counted(values: impl Iterator<Item = String>) -> Value {
    let mut counts = BTreeMap::<String, u64>::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
}

fn facets_of(offers: &[Value]) -> Value {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let disks = |offer: &Value| {
        let disks = offer["specs"]["disks"]["config"].as_array().unwrap();
        disks.iter().map(|d| text(&d["type"])).collect::<std::collections::BTreeSet<_>>()
    };
    json!({
        "total": offers.len(),
        "countries": counted(offers.iter().map(|o| text(&o["country"]))),
        "categories": counted(offers.iter().map(|o| text(&o["category"]))),
        "ram_types": counted(offers.iter().map(|o| text(&o["specs"]["ram"]["type"]))),
        "disk_types": counted(offers.iter().flat_map(disks)),
    })
}

on_both_databases! {
    async fn facets_count_what_the_list_shows(app: &TestApp) {
        list_four(app).await;
        list_four(app).await;
        app.list_servers(vec![gamma()]).await;
        for query in ["", "country=de", "disk_types=SSD,NVMe", "q=epyc&min_ram_gb=64", "country=XX"]
        {
            let facets = app.stranger().get(&format!("/servers/facets?{query}")).await.data(200);
            assert_eq!(facets, facets_of(&offers(app, query).await), "{query}");
        }
        let sorted = app.stranger().get("/servers/facets?sort=nonsense").await.data(200);
        assert_eq!(sorted["total"], 9);
    }

    async fn a_server_without_prices_is_not_offered(app: &TestApp) {
        let mut draft = example_server("unpriced");
        draft.pricing = Pricing::default();
        let id = app.list_servers(vec![draft]).await.remove(0);
        assert_eq!(names(app, "").await, "");
        let stranger = app.stranger();
        stranger.get(&format!("/servers/available/{id}")).await.refused(404, "SERVER_NOT_FOUND");
        assert_eq!(stranger.get("/servers/facets").await.data(200)["total"], 0);
    }

    async fn a_rented_server_is_offered_again_once_it_is_wiped(app: &TestApp) {
        let (id, stranger) = (app.server("node").await, app.stranger());
        let jane = app.renter("jane", "70.00").await;
        let path = format!("/servers/available/{id}");
        jane.rent(&id, 7).await.data(201);
        app.do_jobs().await;
        for day in [0, 7] {
            app.days_pass(day);
            app.sweep().await;
            assert_eq!(names(app, "").await, "", "after {day} days");
            stranger.get(&path).await.refused(404, "SERVER_NOT_FOUND");
        }
        app.days_pass(2);
        let parts = &app.app;
        let (store, clock) = (parts.store.as_ref(), parts.clock.as_ref());
        domain::rental::expire_due(store, clock, parts.random.as_ref()).await.unwrap();
        assert_eq!(names(app, "").await, "", "expired but not wiped");
        stranger.get(&path).await.refused(404, "SERVER_NOT_FOUND");
        app.do_jobs().await;
        assert_eq!(names(app, "").await, "node");
        assert_eq!(stranger.get(&path).await.data(200)["id"], id);
    }
}
