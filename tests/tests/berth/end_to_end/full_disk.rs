//! A disk that fills up under SQLite.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use serde_json::json;
use tests::invariants;

use super::process::{Berth, binary};

/// A server whose data folder is a file system of 4 MiB in a mount namespace of its own, which goes
/// with the process.
async fn on_a_small_disk() -> (Berth, PathBuf) {
    let mut berth = Berth::in_an_empty_folder();
    let disk = berth.folder.join("disk");
    std::fs::create_dir(&disk).unwrap();
    berth.configure("BERTH__DATA_DIR", &disk.display().to_string());
    let script = r#"mount -t tmpfs -o size=4m tmpfs "$0" && exec "$1" serve"#;
    let (place, program) = (disk.display().to_string(), binary().display().to_string());
    let arguments = ["--mount", "--map-root-user", "sh", "-c", script, &place, &program];
    berth.start_through("unshare", &arguments).await;
    // Seen from outside of the namespace.
    let disk = PathBuf::from(format!("/proc/{}/root{place}", berth.pid()));
    (berth, disk)
}

#[tokio::test]
async fn a_full_disk_answers_503_loses_nothing_and_needs_no_restart() {
    let (mut berth, disk) = on_a_small_disk().await;
    berth.stranger().sign_up("jane").await;
    let jane = berth.stranger().log_in("jane").await;
    let mut ballast = File::create(disk.join("ballast")).unwrap();
    let full = (0..).find_map(|_| ballast.write_all(&[0; 4_096]).err()).unwrap();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);

    // The write-ahead log may have room left.
    let mut acknowledged = vec![jane.get("/pools").await.data(200)[0]["id"].clone()];
    let mut refused = 0;
    for number in 0..400 {
        let body = json!({ "name": format!("Pool {number}"), "description": "x".repeat(500) });
        let answer = jane.post("/pools", body).await;
        if answer.status == 201 {
            acknowledged.push(answer.body["data"]["id"].clone());
        } else {
            answer.refused(503, "SERVICE_UNAVAILABLE");
            assert!(answer.headers.contains_key("retry-after"));
            refused += 1;
        }
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    let ids = |pools: serde_json::Value| {
        let mut ids: Vec<_> = pools.as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
        ids.sort_by_key(ToString::to_string);
        ids
    };
    acknowledged.sort_by_key(ToString::to_string);
    assert_eq!(ids(jane.get("/pools").await.data(200)), acknowledged);

    // An open file would keep its room.
    drop(ballast);
    std::fs::remove_file(disk.join("ballast")).unwrap();
    let body = json!({ "name": "There is room again" });
    acknowledged.push(jane.post("/pools", body).await.data(201)["id"].clone());
    acknowledged.sort_by_key(ToString::to_string);
    assert_eq!(ids(jane.get("/pools").await.data(200)), acknowledged);
    // SQLite resolves links, and so would not find its file in the namespace; look at a copy.
    let copy = berth.folder.join("copy.sqlite");
    for ending in ["", "-wal"] {
        let name = disk.join(format!("berth.sqlite{ending}"));
        std::fs::copy(name, format!("{}{ending}", copy.display())).unwrap();
    }
    invariants::check_at(&format!("sqlite://{}", copy.display())).await;
    assert_eq!(berth.stop().code(), Some(0));
    berth.finish().await;
}
