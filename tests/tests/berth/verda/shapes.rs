//! What every answer has, whatever it is about.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{TestApp, on_both_databases};
use tokio::io::AsyncWriteExt;

use super::{ask, get, is_refused, post, program};
use crate::instances::fleet;
use crate::robustness::{answer, connect};
use crate::sweeps::sql;

/// Counts and sizes, which the Go SDK reads as integers.
const WHOLE: [&str; 6] =
    ["size", "number_of_cores", "number_of_gpus", "size_in_gigabytes", "unit_value", "expires_in"];
/// What goes into paths: the Python SDK refuses other letters there.
const NAMES: [&str; 7] =
    ["id", "instance_type", "cluster_type", "os_volume_id", "instance_id", "code", "location_code"];

/// Walks through an answer; the faults name their members.
fn look(key: &str, value: &Value, faults: &mut Vec<String>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| look(key, value, faults));
        }
        Value::Array(rows) => rows.iter().for_each(|row| look(key, row, faults)),
        // The Go SDK's times and numbers fail at an empty text.
        Value::String(text)
            if key.ends_with("_at") && chrono::DateTime::parse_from_rfc3339(text).is_err() =>
        {
            faults.push(format!("{key} is no time: {text}"));
        }
        Value::String(text) if key.contains("price") && text.parse::<f64>().is_err() => {
            faults.push(format!("{key} is no price: {text}"));
        }
        Value::String(text)
            if NAMES.contains(&key) && (text.is_empty() || !text.bytes().all(plain)) =>
        {
            faults.push(format!("{key} does not go into a path: {text}"));
        }
        _ if WHOLE.contains(&key) && !value.is_u64() => {
            faults.push(format!("{key} is no whole number: {value}"));
        }
        _ => {}
    }
}

on_both_databases! {
    // The Go SDK reads times, counts and prices by type, the Python SDK puts names into paths.
    async fn times_counts_prices_and_names_are_what_the_sdks_read(app: &TestApp) {
        let (boss, jane, _) = fleet(app).await;
        let gpu = json!({
            "name": "H100 SXM5 80GB", "locations": ["FIN-03"], "pricing": { "per_hour": "2.29" },
            "shape": { "cpus": 1, "ram_mib": 1024, "disk_gb": 10,
                "gpu": { "model": "H100", "count": 1, "memory_mib": 81_920 } }
        });
        boss.put("/admin/plans/1H100", gpu).await.data(200);
        let program = program(&jane).await;
        let order = json!({
            "instance_type": "tiny", "image": "ubuntu-24.04", "hostname": "star",
            "location_code": "FIN-03", "volumes": [{ "name": "v", "size": 1, "type": "NVMe" }]
        });
        post(&program, "/instances", order).await;
        app.do_jobs().await;
        let loose = json!({
            "name": "v", "size": 1, "type": "NVMe", "location_code": "FIN-03"
        });
        let loose = post(&program, "/volumes", loose).await.body;
        let trash = json!({ "id": loose, "action": "delete" });
        ask(&program, Method::PUT, "/volumes", Some(trash)).await;
        for path in [
            "/instances", "/volumes", "/volumes/trash", "/instance-types", "/cluster-types",
            "/volume-types", "/locations", "/images", "/instance-availability",
            "/cluster-availability", "/instance-types/price-history", "/balance",
        ] {
            let answer = get(&program, path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_ne!(answer.body, json!([]), "{path} shows nothing to look at");
            let mut faults = Vec::new();
            look("", &answer.body, &mut faults);
            assert!(faults.is_empty(), "{path}: {faults:?}");
        }
        // SkyPilot fails at a state that it does not know.
        let known = ["provisioning", "error", "running", "offline", "deleted", "discontinued"];
        let seen = get(&program, "/instances").await.body;
        assert!(known.contains(&seen[0]["status"].as_str().unwrap()), "{seen}");
    }

    // The Python SDK says of every GET that JSON comes, and reads every refusal as JSON.
    async fn a_get_has_no_body_and_every_refusal_is_json(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let json = [("content-type", "application/json")];
        let path = "/!verda/v1/instances";
        assert_eq!(program.send(Method::GET, path, &json, None).await.status, 200);
        let large = json!({ "name": "x".repeat(2_000_000), "script": "x" });
        let refusals = [
            ask(&program, Method::GET, "/nothing", None).await,
            ask(&program, Method::PATCH, "/instances", None).await,
            post(&program, "/scripts", large).await,
            post(&program, "/volumes", json!("text")).await,
            get(&app.stranger(), "/instances").await,
        ];
        let told = refusals.each_ref().map(|refusal| refusal.status);
        assert_eq!(told, [404, 405, 413, 400, 401]);
        for refusal in refusals {
            let members: Vec<_> = refusal.body.as_object().unwrap().keys().collect();
            assert_eq!(members, ["code", "message"]);
            assert!(!refusal.body["message"].as_str().unwrap().is_empty());
        }
    }

    // The Python SDK and SkyPilot read the body of a server's fault as JSON too.
    async fn what_the_server_cannot_do_is_told_as_json(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let program = program(&jane).await;
        let volume = json!({
            "name": "v", "size": 1, "type": "NVMe", "location_code": "FIN-03"
        });
        let volume = post(&program, "/volumes", volume).await.body;
        sql(app, "UPDATE volumes SET state = '{}'").await;
        let path = format!("/volumes/{}", volume.as_str().unwrap());
        let told = "An internal error happened";
        is_refused(&get(&program, &path).await, 500, "server_error", told);

        let mut stream = connect(app).await;
        let half = "POST /verda/v1/oauth2/token HTTP/1.1\r\nhost: berth\r\n\
            content-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
        stream.write_all(half.as_bytes()).await.unwrap();
        let cut = answer(&mut stream).await;
        let told = json!({
            "code": "invalid_request", "message": "The body did not arrive in time"
        });
        assert_eq!((cut.status, cut.body), (408, told));
    }
}
