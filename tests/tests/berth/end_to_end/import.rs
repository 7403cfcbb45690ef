//! `berth import`, `berth worker`, and servers from files.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tests::Kind;

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
    let path = berth.folder.join(name);
    std::fs::write(&path, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    path.display().to_string()
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
}
