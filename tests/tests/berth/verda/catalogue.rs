use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};

use super::{get, is_refused, program};
use crate::furnishing::furnish;
use crate::instances::{fleet, ordered};

/// Availability as the clients read it: location and types.
fn here(answer: &Value) -> Vec<(&str, Vec<&str>)> {
    let rows = answer.as_array().unwrap().iter();
    rows.map(|row| {
        let types = row["availabilities"].as_array().unwrap().iter();
        let types = types.map(|name| name.as_str().unwrap()).collect();
        (row["location_code"].as_str().unwrap(), types)
    })
    .collect()
}

on_both_databases! {
    async fn types_have_all_that_clients_read(app: &TestApp) {
        let (boss, ..) = fleet(app).await;
        let gpu = json!({
            "name": "H100 SXM5 80GB", "description": "Dedicated Hardware Instance",
            "shape": { "cpus": 44, "ram_mib": 191_488, "disk_gb": 50,
                "gpu": { "model": "H100", "count": 2, "memory_mib": 81_920 } },
            "pricing": { "per_hour": "6.34", "spot_per_hour": "0.62" }, "locations": ["FIN-03"]
        });
        boss.put("/admin/plans/2H100.80S.44V", gpu).await.data(200);
        // Anybody may look.
        let types = get(&app.stranger(), "/instance-types").await;
        assert_eq!(types.status, 200);
        let one = get(&app.stranger(), "/instance-types/2H100.80S.44V").await.body;
        assert!(types.body.as_array().unwrap().contains(&one));
        assert_eq!(one["gpu"], json!({ "description": "2x H100 SXM5 80GB", "number_of_gpus": 2 }));
        let memory = json!({ "description": "160GB GPU RAM", "size_in_gigabytes": 160 });
        assert_eq!(one["gpu_memory"], memory);
        let memory = json!({ "description": "187GB RAM", "size_in_gigabytes": 187 });
        assert_eq!(one["memory"], memory);
        assert_eq!(one["cpu"], json!({ "description": "44 CPU", "number_of_cores": 44 }));
        assert_eq!((&one["price_per_hour"], &one["spot_price"]), (&json!("6.34"), &json!("0.62")));
        assert_eq!(one["display_name"], "NVIDIA H100 SXM5 80GB");
        assert_eq!(one["supported_os"], json!(["ubuntu-24.04"]));
        // The Python SDK needs each of these, and floats where it is a price.
        for row in types.body.as_array().unwrap() {
            for name in [
                "id", "instance_type", "description", "storage", "best_for", "model", "name", "p2p",
                "currency", "manufacturer", "display_name",
            ] {
                assert!(!row[name].is_null(), "{name}: {row}");
            }
            for name in ["price_per_hour", "spot_price"] {
                row[name].as_str().unwrap().parse::<f64>().unwrap();
            }
        }
        let refusal = get(&app.stranger(), "/instance-types/nothing").await;
        is_refused(&refusal, 404, "not_found", "Instance type not found");
    }

    async fn what_could_be_had_now_is_told_in_each_spelling(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let island = json!({ "name": "Iceland 1", "country": "IS" });
        boss.put("/admin/locations/ICE-01", island).await.data(200);
        let huge = json!({
            "name": "Huge", "shape": { "cpus": 64, "ram_mib": 2048, "disk_gb": 10 },
            "pricing": { "per_hour": "1" }, "locations": ["FIN-03", "ICE-01"]
        });
        boss.put("/admin/plans/huge", huge).await.data(200);
        let all = get(&program, "/instance-availability").await.body;
        let expected = [("FIN-03", vec!["small", "huge", "tiny"]), ("ICE-01", vec![])];
        assert_eq!(here(&all), expected);
        for query in ["location_code=ICE-01", "locationCode=ICE-01", "location_code=NOWHERE-1"] {
            let one = get(&program, &format!("/instance-availability?{query}")).await.body;
            let (_, code) = query.split_once('=').unwrap();
            assert_eq!(here(&one), [(code, vec![])]);
        }
        // The one SDK says isSpot, the other is_spot; only `tiny` is sold so.
        for query in ["isSpot=true&location_code=FIN-03", "is_spot=true&locationCode=FIN-03"] {
            let spot = get(&program, &format!("/instance-availability?{query}")).await.body;
            assert_eq!(here(&spot), [("FIN-03", vec!["tiny"])]);
        }
        for (path, is_there) in [
            ("huge", true), ("huge?location_code=FIN-03", true),
            ("huge?location_code=ICE-01", false), ("huge?is_spot=true", false),
            ("tiny?isSpot=true", true), ("nothing", false),
        ] {
            let answer = get(&program, &format!("/instance-availability/{path}")).await;
            assert_eq!((answer.status, answer.body), (200, json!(is_there)), "{path}");
        }
        // One small instance, and the only host has no 64 CPUs left.
        ordered(&jane, json!({})).await;
        assert_eq!(get(&program, "/instance-availability/huge").await.body, json!(false));
        furnish(app, &boss, "island", json!({ "location": "ICE-01" })).await;
        let all = get(&program, "/instance-availability").await.body;
        assert_eq!(here(&all), [("FIN-03", vec!["small", "tiny"]), ("ICE-01", vec!["huge"])]);
    }

    async fn locations_images_and_volume_types(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let locations = get(&program, "/locations").await.body;
        let helsinki = json!({ "code": "FIN-03", "name": "Helsinki", "country_code": "FI" });
        assert_eq!(locations, json!([helsinki]));
        let mut images = get(&program, "/images").await.body;
        assert_eq!(images[0]["id"].as_str().unwrap().len(), 36);
        images[0]["id"] = json!("");
        let image = json!({
            "id": "", "image_type": "ubuntu-24.04", "name": "Ubuntu 24.04", "is_default": false,
            "details": ["Docker 28"], "category": "ubuntu", "is_cluster": false
        });
        assert_eq!(images, json!([image]));
        let of_type = get(&program, "/images?instance_type=tiny").await.body;
        assert_eq!(of_type.as_array().unwrap().len(), 1);
        let refusal = get(&program, "/images?instance_type=nothing").await;
        is_refused(&refusal, 404, "not_found", "Instance type not found");
        assert_eq!(get(&program, "/images/cluster").await.body[0]["is_cluster"], true);

        let types = get(&app.stranger(), "/volume-types").await.body;
        let nvme = types.as_array().unwrap().iter().find(|kind| kind["type"] == "NVMe").unwrap();
        assert_eq!(nvme["is_shared_fs"], false);
        let price = &nvme["price"];
        assert_eq!(price["price_per_month_per_gb"], 0.2);
        // As the API's document has it.
        assert_eq!(price["cps_per_gb"].to_string(), "7.6103500761035e-8");
    }
}
