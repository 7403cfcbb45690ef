//! Graphics processors, sold one by one.

use chrono::Duration;
use serde_json::{Value, json};
use tests::{Client, TestApp, at_once, on_both_databases};

use crate::catalogue::image;
use crate::deals::{boss, payer};
use crate::furnishing::furnish;
use crate::instances::{cost, id, show, taken};

/// A server in Warsaw with eight RTX 4090, and its terms.
pub fn big() -> (Value, Value) {
    let gpu = json!({ "model": "RTX 4090", "count": 8, "memory_mib": 24_576 });
    let host = json!({
        "location": "WAW-1", "cpus": 256, "ram_mib": 1_048_576, "storage_gb": 5_000, "gpu": gpu
    });
    let offer = json!({
        "per_gpu": "0.34", "spot_per_gpu": "0.17", "per_gb": "0.05", "min_hours": 4,
        "max_hours": 240, "cpu_model": "AMD EPYC 7763", "disk_type": "NVMe",
        "disk_read_mbps": 6_000, "disk_write_mbps": 4_000, "download_mbps": 2_000,
        "upload_mbps": 1_000, "cuda": "12.10", "driver": "550.54.15", "pcie_generation": 4,
        "pcie_width": 16, "pcie_gbps": 100, "tflops": "25.00", "dlperf": "17.00"
    });
    (host, offer)
}

/// A server in Oslo with one RTX 3060 Ti, and its terms.
pub fn small() -> (Value, Value) {
    let gpu = json!({ "model": "RTX 3060 Ti", "count": 1, "memory_mib": 8_192 });
    let host = json!({
        "location": "OSL-1", "cpus": 14, "ram_mib": 65_536, "storage_gb": 100, "gpu": gpu
    });
    let offer = json!({
        "per_gpu": "0.06", "per_gb": "0.01", "machines": true, "disk_write_mbps": 500,
        "download_mbps": 100, "upload_mbps": 50, "cuda": "12.4", "driver": "535.1",
        "pcie_gbps": 16, "tflops": "16.20", "dlperf": "3.00"
    });
    (host, offer)
}

/// Furnishes a server and offers its graphics processors.
pub async fn offered(
    app: &TestApp,
    boss: &Client,
    name: &str,
    (host, offer): (Value, Value),
) -> String {
    let server = furnish(app, boss, name, host).await;
    boss.put(&format!("/admin/servers/{server}/gpu-offer"), offer).await.data(200);
    server
}

pub async fn places(boss: &Client) {
    for (code, name, country) in
        [("WAW-1", "Warsaw", "PL"), ("OSL-1", "Oslo", "NO"), ("NYC-1", "New York", "US")]
    {
        let place = json!({ "name": name, "country": country });
        boss.put(&format!("/admin/locations/{code}"), place).await.data(200);
    }
}

/// What a list shows: model and number of graphics processors.
async fn listed(client: &Client, query: &str) -> Vec<(String, u64)> {
    let rows = client.get(&format!("/gpu-offers?{query}")).await.data(200);
    let row = |row: &Value| {
        (row["gpu_model"].as_str().unwrap().to_owned(), row["gpus"].as_u64().unwrap())
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

fn wish(server: &str, gpus: u32) -> Value {
    json!({
        "image": "ubuntu-24.04", "hostname": "star",
        "gpu_offer": { "server_id": server, "gpus": gpus, "disk_gb": 100 }
    })
}

on_both_databases! {
    async fn a_row_is_a_share_of_its_server(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        let server = offered(app, &boss, "big", big()).await;
        let stranger = app.stranger();
        let rows = stranger.get("/gpu-offers").await.data(200);
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), 8);
        let three = &rows[2];
        assert_eq!(three["server_id"], server.as_str());
        // Three eighths of 256 and of 1,048,576; the disk is not shared out.
        assert_eq!((&three["gpus"], &three["cpus"], &three["ram_mib"], &three["disk_gb"]),
            (&json!(3), &json!(96), &json!(393_216), &json!(5_000)));
        assert_eq!((&three["terms"]["per_gpu"], &three["figures"]["tflops"]),
            (&json!("0.34"), &json!("25.00")));
        assert_eq!((&three["is_available"], &three["uptime_percent"]),
            (&json!(true), &json!("100.00")));
        let page = stranger.get("/gpu-offers?limit=3&cursor=3").await;
        assert!(page.headers["link"].contains("cursor=6"), "{}", page.headers["link"]);
        let gpus: Vec<_> =
            page.data(200).as_array().unwrap().iter().map(|row| row["gpus"].clone()).collect();
        assert_eq!(gpus, [4, 5, 6]);

        // An offer that is so already stays; a changed one keeps its number.
        let path = format!("/admin/servers/{server}/gpu-offer");
        let before = boss.get(&path).await.data(200);
        app.clock.advance(Duration::minutes(1));
        assert_eq!(boss.put(&path, big().1).await.data(200), before);
        let mut unlisted = big().1;
        unlisted["is_listed"] = json!(false);
        let after = boss.put(&path, unlisted).await.data(200);
        assert_eq!(after["number"], before["number"]);
        assert_ne!(after["updated_at"], before["updated_at"]);
        assert_eq!(listed(&stranger, "").await, []);
    }

    async fn what_is_taken_is_not_offered(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        let server = offered(app, &boss, "big", big()).await;
        let jane = payer(app, "jane", "100.00").await;
        let plan = json!({
            "name": "Five", "locations": ["WAW-1"], "pricing": { "per_hour": "1" },
            "shape": { "cpus": 1, "ram_mib": 1_024, "disk_gb": 100,
                "gpu": { "model": "RTX 4090", "count": 5, "memory_mib": 24_576 } }
        });
        boss.put("/admin/plans/five", plan).await.data(200);
        boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        let order = json!({
            "plan": "five", "image": "ubuntu-24.04", "location": "WAW-1", "hostname": "a"
        });
        jane.post("/instances", order).await.data(201);
        let model = |count| ("RTX 4090".to_owned(), count);
        assert_eq!(listed(&jane, "").await, [model(1), model(2), model(3)]);
        let rows = jane.get("/gpu-offers").await.data(200);
        assert_eq!(rows[0]["disk_gb"], 4_900);
        // What nobody can have is shown once, as a whole.
        let draining = json!({ "is_draining": true });
        boss.patch(&format!("/admin/servers/{server}/capacity"), draining).await.data(200);
        assert_eq!(listed(&jane, "").await, [model(8)]);
        assert_eq!(listed(&jane, "is_available=true").await, []);
    }

    async fn the_time_in_which_a_server_was_not_reached_is_told(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        let server = offered(app, &boss, "big", big()).await;
        let uptime = async || {
            let rows = app.stranger().get("/gpu-offers").await.data(200);
            rows[0]["uptime_percent"].as_str().unwrap().to_owned()
        };
        app.clock.advance(Duration::hours(90));
        let host = domain::host::HostId::parse(&server).unwrap();
        app.instances.reach(host, false);
        api::worker::reconcile(&app.app).await.unwrap();
        app.clock.advance(Duration::hours(10));
        assert_eq!(uptime().await, "90.00", "it goes on");
        app.instances.reach(host, true);
        api::worker::reconcile(&app.app).await.unwrap();
        assert_eq!(uptime().await, "90.00");
        app.clock.advance(Duration::hours(100));
        assert_eq!(uptime().await, "95.00");
    }

    async fn every_fault_of_an_offer_is_named(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        let plain = furnish(app, &boss, "plain", json!({ "location": "WAW-1" })).await;
        let path = format!("/admin/servers/{plain}/gpu-offer");
        assert_eq!(boss.put(&path, big().1).await.faults(), ["/gpu"]);
        boss.get(&path).await.refused(404, "GPU_OFFER_NOT_FOUND");
        let unknown = "/admin/servers/0123456789abcdef01234567/gpu-offer";
        boss.put(unknown, big().1).await.refused(404, "SERVER_NOT_FOUND");
        let wrong = json!({
            "per_gpu": "-1", "per_gb": "x", "min_hours": 5, "max_hours": 4, "cuda": "12.x",
            "tflops": "1.234", "download_mbps": -1, "cpu_model": "\n"
        });
        let refusal = boss.put(&path, wrong).await;
        let mut faults = refusal.faults();
        faults.sort_unstable();
        assert_eq!(faults, ["/cpu_model", "/cuda", "/download_mbps", "/max_hours", "/per_gb",
            "/per_gpu", "/tflops"]);
        let stranger = app.stranger();
        let faults = stranger.get("/gpu-offers?sort=size&continent=Atlantis&min_cuda=x").await;
        assert_eq!(faults.faults(), ["continent", "min_cuda", "sort"]);
    }

    async fn graphics_processors_are_ordered_with_their_share_and_a_disk(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        let server = offered(app, &boss, "big", big()).await;
        let jane = payer(app, "jane", "100.00").await;
        let id = id(&jane.post("/instances", wish(&server, 3)).await.data(201));
        app.do_jobs().await;
        let seen = show(&jane, &id).await;
        assert_eq!((&seen["status"], &seen["plan"], &seen["location"]),
            (&json!("running"), &json!("3xRTX-4090"), &json!("WAW-1")));
        assert_eq!(taken(&boss, &server).await, [96, 393_216, 3, 1, 100]);
        // 3 × 0.34 × 730 + 100 × 0.05 a month of 730 hours; rounded once, whenever it is read.
        // 1.02 + 5 ÷ 730, rounded up: a forecast.
        assert_eq!(seen["price_per_hour"], "1.02684932");
        for minutes in [7, 31, 400] {
            app.clock.advance(Duration::minutes(minutes));
            app.sweep().await;
        }
        jane.delete(&format!("/instances/{id}")).await.data(200);
        app.do_jobs().await;
        // 438 minutes of 749.6 a month: 749.6 × 26,280 ÷ 2,628,000 = 7.496.
        assert_eq!(cost(&jane, &id).await, "7.496");
        assert_eq!(taken(&boss, &server).await, [0, 0, 0, 0, 0]);
    }

    async fn the_last_one_goes_to_one_of_two(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        let server = offered(app, &boss, "small", small()).await;
        let mut people = Vec::new();
        for name in ["jane", "john", "mary"] {
            people.push(payer(app, name, "100.00").await);
        }
        let answers = at_once(people.iter().map(|client| {
            let (client, wish) = (client.clone(), wish(&server, 1));
            async move { client.post("/instances", wish).await }
        }));
        let mut statuses: Vec<_> = answers.await.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409]);
        assert_eq!(taken(&boss, &server).await, [14, 65_536, 1, 1, 100]);
    }

    async fn what_is_wrong_with_such_an_order_is_told(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        let server = offered(app, &boss, "big", big()).await;
        let jane = payer(app, "jane", "100.00").await;
        let with = |path: &str, value: Value| {
            let mut wish = wish(&server, 1);
            *wish.pointer_mut(path).unwrap() = value;
            wish
        };
        for (order, fault) in [
            (with("/gpu_offer/gpus", json!(9)), "/gpus"),
            (with("/gpu_offer/gpus", json!(0)), "/gpus"),
            (with("/gpu_offer/disk_gb", json!(0)), "/gpu_offer/disk_gb"),
            (with("/gpu_offer", json!({ "server_id": server })), "/gpu_offer/gpus"),
        ] {
            assert_eq!(jane.post("/instances", order).await.faults()[0], fault);
        }
        let mut both = wish(&server, 1);
        both["plan"] = json!("tiny");
        assert_eq!(jane.post("/instances", both).await.faults(), ["/plan"]);
        let machine = with("/gpu_offer", json!({
            "server_id": server, "gpus": 1, "disk_gb": 100, "is_machine": true
        }));
        jane.post("/instances", machine).await.refused(404, "GPU_OFFER_NOT_FOUND");
        let much = with("/gpu_offer/disk_gb", json!(5_001));
        jane.post("/instances", much).await.refused(409, "NO_CAPACITY");
        let mut dear = wish(&server, 1);
        dear["max_per_hour"] = json!("0.34");
        jane.post("/instances", dear).await.refused(409, "CHARGE_EXCEEDS_MAX");
        let mut cluster = wish(&server, 1);
        cluster["nodes"] = json!(2);
        assert_eq!(jane.post("/clusters", cluster).await.faults(), ["/gpu_offer"]);
        let mut unlisted = big().1;
        unlisted["is_listed"] = json!(false);
        boss.put(&format!("/admin/servers/{server}/gpu-offer"), unlisted).await.data(200);
        jane.post("/instances", wish(&server, 1)).await.refused(404, "GPU_OFFER_NOT_FOUND");
        assert_eq!(taken(&boss, &server).await, [0, 0, 0, 0, 0]);
    }

    async fn a_spot_order_gives_way_to_one_on_demand(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
        let server = offered(app, &boss, "big", big()).await;
        let (jane, john) =
            (payer(app, "jane", "100.00").await, payer(app, "john", "100.00").await);
        let mut spot = wish(&server, 8);
        spot["is_spot"] = json!(true);
        let spot = id(&jane.post("/instances", spot).await.data(201));
        app.do_jobs().await;
        john.post("/instances", wish(&server, 1)).await.refused(409, "NO_CAPACITY");
        app.clock.advance(Duration::minutes(3));
        app.sweep().await;
        app.do_jobs().await;
        assert_eq!(show(&jane, &spot).await["status"], "deleted");
        john.post("/instances", wish(&server, 1)).await.data(201);
    }
}
