//! `berth import`, `berth worker`, and servers from files.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Kind};

use super::process::{Berth, list_server};
use super::with_either_database;

const HEADER: &str = "external_id,country,city,cpu_model,cpu_cores,ram_gb,ram_type,disks,\
                      bandwidth_mbps,traffic_tb,price_7d,hold_7d";

fn row(id: &str, ram_gb: &str) -> String {
    format!(
        "{id},DE,Falkenstein,AMD EPYC 7763,64,{ram_gb},ECC DDR4,2x1000 NVMe,1000,unlimited,70.00,2"
    )
}

fn sheet(berth: &Berth, name: &str, rows: &[String]) -> String {
    file(berth, name, HEADER, &rows.join("\n"))
}

const TYPES: &str = "instance_type,vcpus,memory_gib,gpu_model,gpu_count,gpu_memory_mib_each,\
                     location,price_per_hour_usd,spot_price_per_hour_usd";

fn file(berth: &Berth, name: &str, header: &str, rows: &str) -> String {
    let path = berth.folder.join(name);
    std::fs::write(&path, format!("{header}\n{rows}\n")).unwrap();
    path.display().to_string()
}

/// How many hosts carry instances, and how many addresses all of them have; none is had twice.
async fn hosts_and_addresses(operator: &Client) -> (usize, usize) {
    let hosts = operator.get("/admin/capacities").await.data(200);
    let hosts = hosts.as_array().unwrap();
    let own = hosts.iter().map(|host| &host["address"]);
    let given = hosts.iter().flat_map(|host| host["addresses"].as_array().unwrap());
    let all: Vec<&str> = own.chain(given).map(|address| address.as_str().unwrap()).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "one is had twice: {all:?}");
    (hosts.len(), all.len())
}

async fn types_told(berth: &Berth) -> Vec<Value> {
    let path = "/!verda/v1/instance-types";
    let types = berth.stranger().send(Method::GET, path, &[], None).await.body;
    types.as_array().unwrap().clone()
}

async fn gpu_rows(berth: &Berth, query: &str) -> usize {
    let rows = berth.stranger().get(&format!("/gpu-offers{query}")).await.data(200);
    rows.as_array().unwrap().len()
}

async fn offered(berth: &Berth) -> usize {
    let offers = berth.stranger().get("/servers/available").await.data(200);
    offers.as_array().unwrap().len()
}

#[tokio::test]
async fn a_stopped_server_leaves_one_whole_file_and_its_currency_is_fixed() {
    let mut berth = Berth::new(Kind::Sqlite).await;
    berth.start(&["serve"]).await;
    berth.stranger().sign_up("jane").await;
    assert_eq!(berth.stop().code(), Some(0));
    let file = berth.database().url.strip_prefix("sqlite://").unwrap().to_owned();
    assert!(!std::fs::exists(format!("{file}-wal")).unwrap(), "the log is not put back");
    berth.configure("BERTH__CURRENCY", "EUR");
    for arguments in [&["serve"][..], &["admin", "users"], &["migrate"]] {
        let told = berth.fail(arguments);
        assert!(told.contains("currency is USD, not EUR"), "{told}");
    }
    berth.configure("BERTH__CURRENCY", "USD");
    assert!(berth.succeed(&["admin", "users"]).contains("jane"));
    berth.finish().await;
}

// Seen panicking: "failed printing to stdout: Broken pipe".
#[tokio::test]
async fn a_list_that_is_read_no_further_ends_quietly() {
    let berth = Berth::new(Kind::Sqlite).await;
    let rows: Vec<String> = (0..2_000).map(|number| row(&format!("a{number}"), "64")).collect();
    berth.succeed(&["import", "servers", &sheet(&berth, "many.csv", &rows)]);
    let mut list = berth.command(&["admin", "server", "list"]);
    let mut list = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(list.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ended = list.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
    berth.finish().await;
}

with_either_database! {
    async fn a_file_is_imported_whole_or_not_at_all(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let good = sheet(berth, "good.csv", &[row("a", "64"), row("b", "128")]);
        let mixed = sheet(berth, "mixed.csv", &[row("a", "96"), row("bad", "much"), row("c", "8")]);
        let import = |file, more: &'static [&str]| [&["import", "servers", file], more].concat();

        let told = berth.succeed(&import(&good, &["--dry-run"]));
        assert!(told.contains("add    a") && told.contains("To do: 2 added"), "{told}");
        assert_eq!(offered(berth).await, 0);
        let told = berth.succeed(&import(&good, &[]));
        assert!(told.contains("Done: 2 added, 0 updated, 0 left as they are"), "{told}");
        let told = berth.succeed(&import(&good, &[]));
        assert!(told.contains("Done: 0 added, 0 updated, 2 left as they are"), "{told}");

        let told = berth.fail(&import(&mixed, &[]));
        assert!(told.contains("mixed.csv:3: ram_gb") && told.contains("--skip-bad"), "{told}");
        let told = berth.succeed(&import(&mixed, &["--dry-run", "--skip-bad"]));
        assert!(told.contains("update a") && told.contains("1 added, 1 updated"), "{told}");
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        assert_eq!(offered(berth).await, 2);
        berth.succeed(&import(&mixed, &["--skip-bad"]));
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        assert_eq!(offered(berth).await, 3);
        let changed = berth.stranger().get("/servers/available?min_ram_gb=96").await.data(200);
        assert_eq!(changed.as_array().unwrap().len(), 2, "a has 96 now, and b 128");
        assert!(berth.fail(&import("nowhere.csv", &[])).contains("nowhere.csv"));
    }

    async fn one_server_is_listed_and_changed_from_a_file(berth: &mut Berth) {
        let file = sheet(berth, "one.csv", &[row("a", "64")]);
        let listed = berth.succeed(&["admin", "server", "enlist", &file]);
        let id = listed.split_whitespace().next().unwrap();
        let told = berth.fail(&["admin", "server", "enlist", &file]);
        assert!(told.contains("external id"), "{told}");
        let file = sheet(berth, "one.csv", &[row("a", "256")]);
        berth.succeed(&["admin", "server", "edit", id, &file]);
        berth.start(&["serve"]).await;
        let offer = berth.stranger().get(&format!("/servers/available/{id}")).await.data(200);
        assert_eq!(offer["specs"]["ram"]["capacity_gb"], 256);
        let two = sheet(berth, "two.csv", &[row("b", "64"), row("c", "64")]);
        assert!(berth.fail(&["admin", "server", "enlist", &two]).contains("exactly one row"));
    }

    async fn a_worker_of_its_own_does_what_the_server_leaves_to_it(berth: &mut Berth) {
        berth.configure("BERTH__WORKER__ENABLED", "false");
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        let server = list_server(&operator, "node-1").await;
        let jane = berth.renter(&operator, "jane", "70.00").await;
        let pool = jane.get("/pools").await.data(200)[0]["id"].clone();
        let rent = format!("/servers/{server}/rent");
        jane.post(&rent, json!({ "rental_days": 7, "pool_id": pool })).await.data(201);
        let path = format!("/pools/{}", pool.as_str().unwrap());
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(jane.get(&path).await.data(200)["servers"][0]["is_ready"], false);

        let mut worker = berth.command(&["worker"]).spawn().unwrap();
        let mut is_ready = json!(false);
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            is_ready = jane.get(&path).await.data(200)["servers"][0]["is_ready"].clone();
            if is_ready == json!(true) {
                break;
            }
        }
        let pid = worker.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.unwrap().success());
        assert_eq!(worker.wait().unwrap().code(), Some(0));
        assert_eq!(is_ready, json!(true));
    }

    async fn instance_types_are_imported_with_hosts_that_carry_them(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        let catalogue = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogue/instance-types.csv");
        let import = ["import", "instance-types", catalogue];
        let told = berth.succeed(&[&import[..], &["--dry-run"]].concat());
        assert!(told.contains("add    plan 1V100.6V\n"), "{told}");
        assert!(told.contains("To do: Plans: 24 added"), "{told}");
        assert!(types_told(berth).await.is_empty());
        let told = berth.succeed(&import);
        let done = "Done: Locations: 3 added, 0 updated, 0 left as they are.\n\
                    Done: Servers: 26 added, 0 updated, 0 left as they are.\n\
                    Done: Plans: 24 added, 0 updated, 0 left as they are.\n";
        assert_eq!(told, done);
        assert_eq!(types_told(berth).await.len(), 24);
        let before = hosts_and_addresses(&operator).await;
        assert_eq!(before.0, 26);
        let again = berth.succeed(&import);
        assert_eq!(again.matches("0 added, 0 updated").count(), 3, "{again}");
        assert_eq!(hosts_and_addresses(&operator).await, before);
        assert_eq!(offered(berth).await, 0, "no host of instances is rented as a whole");
    }

    async fn hosts_are_imported_whose_gpus_are_sold_one_by_one(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        let catalogue = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogue/gpu-hosts.csv");
        let import = ["import", "gpu-hosts", catalogue];
        let told = berth.succeed(&[&import[..], &["--dry-run"]].concat());
        let host = "simulated-gpu.Europe-PL.3xRTX 4090-24576M.96V.384G.1";
        assert!(told.contains(&format!("add    GPU offer of {host}\n")), "{told}");
        assert_eq!(gpu_rows(berth, "").await, 0);
        let done = "Done: Locations: 4 added, 0 updated, 0 left as they are.\n\
                    Done: Servers: 16 added, 0 updated, 0 left as they are.\n\
                    Done: GPU offers: 16 added, 0 updated, 0 left as they are.\n";
        assert_eq!(berth.succeed(&import), done);
        assert_eq!(gpu_rows(berth, "").await, 74);
        assert_eq!(gpu_rows(berth, "?gpu_model=rtx%204090&min_gpus=8").await, 2);
        assert_eq!(gpu_rows(berth, "?continent=North%20America").await, 6);
        let before = hosts_and_addresses(&operator).await;
        // A GPU each, and a host.
        assert_eq!(before, (16, 74 + 16));
        let again = berth.succeed(&import);
        assert_eq!(again.matches("0 added, 0 updated").count(), 3, "{again}");
        assert_eq!(hosts_and_addresses(&operator).await, before);

        // A later file says the price; what an operator said otherwise stays.
        let rows = operator.get("/gpu-offers?gpu_model=RTX%203070").await.data(200);
        let offer = format!("/admin/servers/{}/gpu-offer", rows[0]["server_id"].as_str().unwrap());
        let said = json!({ "per_gpu": "0.085", "spot_per_gpu": "0.04", "cuda": "12.4" });
        operator.put(&offer, said).await.data(200);
        let header = "gpu_model,gpus_on_host,vcpus,memory_gib,gpu_memory_mib_each,region,\
                      price_per_gpu_hour_usd";
        let cheaper = file(berth, "later.csv", header, "RTX 3070,1,8,64,8192,Europe-NO,0.08");
        let told = berth.succeed(&["import", "gpu-hosts", &cheaper]);
        assert!(told.contains("GPU offers: 0 added, 1 updated, 0 left"), "{told}");
        let now = operator.get(&offer).await.data(200);
        assert_eq!((&now["terms"]["per_gpu"], &now["terms"]["spot_per_gpu"]),
            (&json!("0.08"), &json!("0.04")));
        assert_eq!(now["figures"]["cuda"], "12.4");
        let bad = file(berth, "bad.csv", header, "RTX 3070,0,8,64,8192,Europe,x");
        let told = berth.fail(&["import", "gpu-hosts", &bad]);
        for part in ["region: must end with", "price_per_gpu_hour_usd:", "gpus_on_host:"] {
            assert!(told.contains(part), "{told}");
        }
    }

    async fn a_later_file_keeps_what_the_operator_said_and_no_address_is_given_again(
        berth: &mut Berth,
    ) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        let import = |file: &str| berth.succeed(&["import", "instance-types", file]);
        let rows = "x,4,16,,,,FIN-01,1.00,\ny,8,16,,,,FIN-01,2.00,";
        let first = file(berth, "first.csv", TYPES, rows);
        // As if an import had been cut off between a host and what it has for instances.
        let bare = sheet(berth, "bare.csv", &[row("simulated.FIN-01.8V.16G.2", "16")]);
        berth.succeed(&["import", "servers", &bare]);
        let told = import(&first);
        assert!(told.contains("Servers: 1 added, 1 updated, 0 left"), "{told}");
        assert_eq!(hosts_and_addresses(&operator).await, (2, 6));
        let mut plan = operator.get("/plans/x").await.data(200);
        plan["pricing"]["stopped_percent"] = json!(10);
        let plan = json!({
            "name": plan["name"], "shape": plan["shape"], "pricing": plan["pricing"],
            "locations": plan["locations"], "is_listed": false
        });
        operator.put("/admin/plans/x", plan).await.data(200);

        let rows = "x,4,16,,,,FIN-01,1.50,\ny,8,16,,,,FIN-01,2.00,\nz,16,16,H100,2,81920,FIN-01,,3";
        let told = import(&file(berth, "second.csv", TYPES, rows));
        assert!(told.contains("Servers: 2 added, 0 updated, 2 left"), "{told}");
        assert!(told.contains("Plans: 1 added, 1 updated, 1 left"), "{told}");
        assert_eq!(hosts_and_addresses(&operator).await, (4, 16));
        let plans = operator.get("/admin/plans").await.data(200);
        let x = plans.as_array().unwrap().iter().find(|plan| plan["code"] == "x").unwrap();
        assert_eq!(x["is_listed"], false);
        assert_eq!(x["pricing"]["stopped_percent"], 10);
        assert_eq!(x["pricing"]["per_hour"], "1.50");

        let fail = |rows| {
            let bad = file(berth, "bad.csv", TYPES, rows);
            berth.fail(&["import", "instance-types", &bad])
        };
        let told = fail("x,4,16,,,,FIN-02,1.50,\nx,4,16,,,,FIN-03,1.60,");
        assert!(told.contains("bad.csv:3: price_per_hour_usd: must be 1.50"), "{told}");
        let told = fail("x,4,16,,,,FIN-02,1.50,\nx,4,16,,,,US-01,1.50,");
        assert!(told.contains("locations/US-01 is in a country that is not known"), "{told}");
        let arguments = ["import", "instance-types", &first];
        let told = berth.fail_with("BERTH__CURRENCY", "EUR", &arguments);
        assert!(told.contains("in USD and not in EUR"), "{told}");
        let locations = operator.get("/locations").await.data(200);
        assert_eq!(locations.as_array().unwrap().len(), 1, "a refusal makes nothing");
    }
}
