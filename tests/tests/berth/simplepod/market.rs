use std::collections::BTreeSet;

use chrono::Duration;
use domain::host::HostId;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, TestApp, on_both_databases};

use super::{Program, is_refused};
use crate::deals::boss;
use crate::gpu_offers::{big, offered, places, small};

const LIST: &str = "/instances/market/list";

async fn market(app: &TestApp) -> Program {
    let boss = boss(app).await;
    places(&boss).await;
    offered(app, &boss, "big", big()).await;
    offered(app, &boss, "small", small()).await;
    let jane = app.user("jane").await;
    Program::of(&jane).await
}

/// Which graphics processors are in a list, and how many rows it has.
fn models(answer: &Answer) -> (BTreeSet<String>, usize) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let rows = answer.body.as_array().unwrap();
    let model = |row: &Value| row["gpuModel"].as_str().unwrap().to_owned();
    (rows.iter().map(model).collect(), rows.len())
}

/// Lets a server be reached for 90 hours of 100.
async fn was_away(app: &TestApp, server: &str) {
    let host = HostId::parse(server).unwrap();
    app.clock.advance(Duration::hours(90));
    for (is_reached, hours) in [(false, 10), (true, 0)] {
        app.instances.reach(host, is_reached);
        api::worker::reconcile(&app.app).await.unwrap();
        app.clock.advance(Duration::hours(hours));
    }
}

on_both_databases! {
    async fn a_row_is_as_in_the_document(app: &TestApp) {
        let program = market(app).await;
        let rows = program.get(LIST).await.body;
        assert_eq!(rows.as_array().unwrap().len(), 9);
        let mut two = rows[1].clone();
        let id = two["id"].as_i64().unwrap();
        assert_eq!((id % 100, &two["instanceMarket"]),
            (2, &json!(format!("/instances/market/{id}"))));
        for member in ["id", "instanceMarket"] {
            two[member] = json!("…");
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| insta::assert_json_snapshot!("simplepod_market_row", two));
    }

    // Of each filter one case that lets the large server pass and one that does not.
    async fn every_filter_includes_and_excludes(app: &TestApp) {
        let program = market(app).await;
        for (large, other) in [
            ("region=Europe", "region=Asia"),
            ("region=World", "region=North%20America"),
            ("gpuModel=RTX%204090", "gpuModel=RTX%203060%20Ti"),
            ("gpuModel=Any", "gpuModel=RTX%205090"),
            ("rentalStatus=active", "rentalStatus=inactive"),
            ("rentalStatus=Any&mode=docker", "mode=vm"),
            ("downloadSpeedtest[gte]=2000", "downloadSpeedtest[gte]=2001"),
            ("downloadSpeedtest[lte]=2000", "downloadSpeedtest[lte]=1999"),
            ("uploadSpeedtest[gte]=1000", "uploadSpeedtest[gte]=1001"),
            ("uploadSpeedtest[lte]=1000", "uploadSpeedtest[lte]=999"),
            ("diskSize[gte]=5000", "diskSize[gte]=5001"),
            ("diskSize[lte]=5000", "diskSize[lte]=4999"),
            ("cpuCoreCount[gte]=256", "cpuCoreCount[gte]=257"),
            ("cpuCoreCount[lte]=32", "cpuCoreCount[lte]=31"),
            ("systemMemory[gte]=1048576", "systemMemory[gte]=1048577"),
            ("systemMemory[lte]=131072", "systemMemory[lte]=131071"),
            ("diskSpeedWrite[gte]=4000", "diskSpeedWrite[gte]=4001"),
            ("diskSpeedWrite[lte]=4000", "diskSpeedWrite[lte]=3999"),
            ("gpuCount[gte]=8", "gpuCount[gte]=9"),
            ("gpuCount[gte]=2&gpuCount[lte]=2", "gpuCount[gte]=16"),
            ("gpuTFlops[gte]=200", "gpuTFlops[gte]=201"),
            ("gpuTFlops[lte]=25", "gpuTFlops[lte]=24"),
            ("gpuMemorySize[gte]=24576", "gpuMemorySize[gte]=24577"),
            ("gpuMemorySize[lte]=24576", "gpuMemorySize[lte]=24575"),
            ("gpuPcieBandwidth[gte]=100", "gpuPcieBandwidth[gte]=101"),
            ("gpuPcieBandwidth[lte]=100", "gpuPcieBandwidth[lte]=99"),
            // As versions: 550.54 is older than 550.54.15, and 12.10 newer than 12.4.
            ("gpuDriverVer=550.54.15", "gpuDriverVer=550.54"),
            ("gpuDriverVer=550.6&gpuDriverVerComparisonOperator=%3E%3D",
                "gpuDriverVer=550.54.16&gpuDriverVerComparisonOperator=%3E%3D"),
            ("gpuDriverVer=1000&gpuDriverVerComparisonOperator=%3C%3D",
                "gpuDriverVer=550.9&gpuDriverVerComparisonOperator=%3C%3D"),
            ("gpuCudaVer=12.10&gpuCudaVerOperator=%3D", "gpuCudaVer=12.1&gpuCudaVerOperator=%3D"),
            ("gpuCudaVer=12.4&gpuCudaVerOperator=%3E%3D",
                "gpuCudaVer=12.11&gpuCudaVerOperator=%3E%3D"),
            ("gpuCudaVer=13&gpuCudaVerOperator=%3C%3D",
                "gpuCudaVer=12.9&gpuCudaVerOperator=%3C%3D"),
            ("sla[gte]=100", "sla[lte]=99"),
            ("sla[lte]=100", "sla[lte]=1"),
            ("rentalTimeMin[gte]=4", "rentalTimeMin[gte]=5"),
            ("rentalTimeMin[lte]=4", "rentalTimeMin[lte]=3"),
            ("pricePerGpu[gte]=0.34", "pricePerGpu[gte]=0.35"),
            ("pricePerGpu[lte]=0.34", "pricePerGpu[lte]=0.33"),
            // 25 ÷ 0.34 = 73.5; 17 ÷ 0.34 = 50.
            ("pricePerTFlops[gte]=73.52", "pricePerTFlops[gte]=73.53"),
            ("pricePerTFlops[lte]=73.52", "pricePerTFlops[lte]=73.51"),
            ("pricePerDlp[gte]=50", "pricePerDlp[gte]=50.01"),
            ("pricePerDlp[lte]=50", "pricePerDlp[lte]=49.99"),
        ] {
            let (found, _) = models(&program.get(&format!("{LIST}?{large}")).await);
            assert!(found.contains("RTX 4090"), "{large}: {found:?}");
            let (found, _) = models(&program.get(&format!("{LIST}?{other}")).await);
            assert!(!found.contains("RTX 4090"), "{other}: {found:?}");
        }
    }

    async fn several_orders_count_one_after_the_other(app: &TestApp) {
        let program = market(app).await;
        let order = async |query: &str| -> Vec<String> {
            let rows = program.get(&format!("{LIST}?{query}")).await.body;
            let name = |row: &Value| {
                let model = row["gpuModel"].as_str().unwrap();
                format!("{}{}", &model[4..6], row["gpuCount"])
            };
            rows.as_array().unwrap().iter().map(name).collect()
        };
        let first = async |query: &str| order(query).await.into_iter().next().unwrap();
        for (query, expected) in [
            ("order[gpuCount]=asc&order[pricePerGpu]=desc", "401"),
            ("order[gpuCount]=asc&order[pricePerGpu]=asc", "301"),
            ("order[pricePerGpu]=desc&order[gpuCount]=desc", "408"),
            ("order[sla]=asc&order[gpuCount]=desc", "408"),
            // 8 × 17 against 3; 50 against 50.
            ("order[sysDlp]=desc", "408"),
            ("order[sysDlp]=asc", "301"),
            ("order[pricePerDlp]=asc&order[gpuCount]=desc", "408"),
            // 200 against 16.2; 73.52 against 270.
            ("order[gpuTFlops]=desc", "408"),
            ("order[gpuTFlops]=asc", "301"),
            ("order[pricePerTFlops]=desc", "301"),
            ("order[pricePerTFlops]=asc&order[gpuCount]=desc", "408"),
        ] {
            assert_eq!(first(query).await, expected, "{query}");
        }
        let sorted = order("order[gpuCount]=desc&order[pricePerGpu]=asc").await;
        assert_eq!(sorted, ["408", "407", "406", "405", "404", "403", "402", "301", "401"]);
        let second = order("order[gpuCount]=desc&page=2&itemsPerPage=3").await;
        assert_eq!(second, ["405", "404", "403"]);
    }

    async fn machines_are_filtered_and_ordered_as_well(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        let (host, mut offer) = big();
        offer["machines"] = json!(true);
        let server = offered(app, &boss, "big", (host, offer)).await;
        offered(app, &boss, "small", small()).await;
        let mut containers = big();
        containers.0["gpu"]["model"] = json!("RTX 5090");
        offered(app, &boss, "containers", containers).await;
        let jane = app.user("jane").await;
        let program = Program::of(&jane).await;
        let found = async |query: &str| {
            models(&program.get(&format!("{LIST}?mode=vm&{query}")).await).0
        };
        assert_eq!(found("").await.len(), 2, "not what is sold as containers only");
        for (large, other) in [
            ("region=Europe", "region=Oceania"),
            ("gpuModel=RTX%204090", "gpuModel=RTX%203060%20Ti"),
            ("gpuCount[gte]=8", "gpuCount[gte]=9"),
            ("gpuCount[lte]=1", "gpuCount[gte]=9&gpuCount[lte]=16"),
            ("rentalStatus=active", "rentalStatus=inactive"),
            ("sla[gte]=100", "sla[lte]=99"),
            ("pricePerGpu[gte]=0.34", "pricePerGpu[gte]=0.35"),
            ("pricePerGpu[lte]=0.34", "pricePerGpu[lte]=0.33"),
        ] {
            assert!(found(large).await.contains("RTX 4090"), "{large}");
            assert!(!found(other).await.contains("RTX 4090"), "{other}");
        }
        let first = async |query: &str| {
            let rows = program.get(&format!("{LIST}?mode=vm&{query}")).await.body;
            (rows[0]["gpuModel"].clone(), rows[0]["gpuCount"].clone())
        };
        let (large, little) = (json!("RTX 4090"), json!("RTX 3060 Ti"));
        for (query, expected) in [
            ("order[gpuCount]=desc", (large.clone(), json!(8))),
            ("order[gpuCount]=asc&order[pricePerGpu]=asc", (little.clone(), json!(1))),
            ("order[pricePerGpu]=desc", (large.clone(), json!(1))),
            ("order[pricePerGpu]=asc", (little.clone(), json!(1))),
        ] {
            assert_eq!(first(query).await, expected, "{query}");
        }
        was_away(app, &server).await;
        assert_eq!(first("order[sla]=asc").await.0, large);
        assert_eq!(first("order[sla]=desc").await.0, little);
        assert!(!found("sla[gte]=91").await.contains("RTX 4090"));
    }

    async fn what_was_away_is_filtered_and_ordered_by_that(app: &TestApp) {
        let boss = boss(app).await;
        places(&boss).await;
        let server = offered(app, &boss, "big", big()).await;
        let other = offered(app, &boss, "small", small()).await;
        let program = Program::of(&app.user("jane").await).await;
        was_away(app, &server).await;
        let found = async |query: &str| models(&program.get(&format!("{LIST}?{query}")).await);
        for (query, includes) in [("sla[gte]=90", true), ("sla[gte]=91", false),
            ("sla[lte]=90", true), ("sla[lte]=89", false)] {
            assert_eq!(found(query).await.0.contains("RTX 4090"), includes, "{query}");
        }
        let first = async |query: &str| {
            let rows = program.get(&format!("{LIST}?{query}")).await.body;
            rows[0]["gpuModel"].clone()
        };
        assert_eq!(first("order[sla]=asc").await, "RTX 4090");
        assert_eq!(first("order[sla]=desc").await, "RTX 3060 Ti");
        // Points for the price: 50 against 100.
        let mut better = small().1;
        better["dlperf"] = json!("6.00");
        boss.put(&format!("/admin/servers/{other}/gpu-offer"), better).await.data(200);
        assert_eq!(first("order[pricePerDlp]=asc").await, "RTX 4090");
        assert_eq!(first("order[pricePerDlp]=desc").await, "RTX 3060 Ti");
        // Nobody can have what is drained; it is shown as a whole.
        let capacity = format!("/admin/servers/{server}/capacity");
        boss.patch(&capacity, json!({ "is_draining": true })).await.data(200);
        assert_eq!(found("rentalStatus=inactive").await.1, 1);
        assert!(!found("rentalStatus=active").await.0.contains("RTX 4090"));
        assert_eq!(found("rentalStatus=Any").await.0.len(), 2);
    }

    async fn each_region_has_what_is_there(app: &TestApp) {
        let boss = boss(app).await;
        let regions = [("Asia", "JP"), ("Europe", "PL"), ("North America", "US"),
            ("Oceania", "AU"), ("South America", "BR")];
        for (region, country) in regions {
            let place = json!({ "name": region, "country": country });
            boss.put(&format!("/admin/locations/{country}-1"), place).await.data(200);
            let (mut host, offer) = small();
            host["location"] = json!(format!("{country}-1"));
            host["gpu"]["model"] = json!(region);
            offered(app, &boss, country, (host, offer)).await;
        }
        let program = Program::of(&app.user("jane").await).await;
        for (region, _) in regions {
            let query = format!("{LIST}?region={}", region.replace(' ', "%20"));
            let (found, rows) = models(&program.get(&query).await);
            assert_eq!((found.contains(region), rows), (true, 1), "{region}: {found:?}");
        }
        let (found, _) = models(&program.get(&format!("{LIST}?region=World")).await);
        assert_eq!(found.len(), regions.len());
    }

    async fn what_is_out_of_bounds_is_told(app: &TestApp) {
        let program = market(app).await;
        for (query, path) in [
            ("gpuCount[gte]=17", "gpuCount[gte]"),
            ("gpuCount[lte]=0", "gpuCount[lte]"),
            ("diskSize[gte]=31", "diskSize[gte]"),
            ("systemMemory[gte]=1", "systemMemory[gte]"),
            ("pricePerGpu[lte]=5.01", "pricePerGpu[lte]"),
            ("pricePerDlp[gte]=x", "pricePerDlp[gte]"),
            ("sla[gte]=101", "sla[gte]"),
            ("region=Atlantis", "region"),
            ("rentalStatus=maybe", "rentalStatus"),
            ("mode=metal", "mode"),
            ("gpuCudaVer=12.x", "gpuCudaVer"),
            ("gpuCudaVer=12&gpuCudaVerOperator=~", "gpuCudaVerOperator"),
            ("order[size]=asc", "order[size]"),
            ("order[sla]=up", "order[sla]"),
            ("itemsPerPage=1001", "itemsPerPage"),
        ] {
            let refusal = program.get(&format!("{LIST}?{query}")).await;
            assert_eq!(refusal.status, 422, "{query}: {}", refusal.body);
            assert_eq!(refusal.body["title"], "An error occurred");
            assert_eq!(refusal.body["violations"][0]["propertyPath"], path);
        }
    }

    async fn a_host_name_of_its_own_has_the_paths_of_the_document(app: &TestApp) {
        let program = market(app).await;
        let headers = [("host", "simplepod.example"), ("x-auth-token", program.key.as_str())];
        let at_root = |path: &str| format!("/!{}", path.trim_start_matches('/'));
        let list = program.client.send(Method::GET, &at_root(LIST), &headers, None).await;
        assert_eq!(models(&list).1, 9);
        let nowhere = program.client.send(Method::GET, "/!nowhere", &headers, None).await;
        is_refused(&nowhere, 404, "Not Found");
    }

    async fn nobody_looks_without_a_key(app: &TestApp) {
        let program = market(app).await;
        let wrong = Program { key: "x".to_owned(), client: program.client.clone() };
        is_refused(&wrong.get(LIST).await, 401, "Invalid credentials.");
        let none = program.client.get(&format!("/!simplepod{LIST}")).await;
        is_refused(&none, 401, "Invalid credentials.");
        is_refused(&program.get("/instances/nothing").await, 404, "Not Found");
        let wrong = program.ask(Method::DELETE, LIST, None).await;
        is_refused(&wrong, 405, "This path does not take this method.");
    }
}
