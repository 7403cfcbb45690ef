//! Clients that we did not write: one generated from the document that the server serves, and a
//! fuzzer that holds the server against it. `./check` installs both.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Client, Kind, PASSWORD};

use super::payments::Stripe;
use super::process::{Berth, list_server};

/// No 5xx, no status and no answer that the document does not know.
///
/// Off are `positive_data_acceptance`, because what a password, a pool's settings or an amount may
/// be is more than a schema says, and `negative_data_rejection`, because the published API ignores
/// unknown parameters and keys, and empty parameters.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,missing_required_header,\
    unsupported_method,ignored_auth,use_after_free,ensure_resource_availability";

#[expect(clippy::disallowed_methods, reason = "./check says where it has installed the clients")]
pub fn tools() -> PathBuf {
    let folder = std::env::var("BERTH_TEST_CLIENTS");
    folder.expect("BERTH_TEST_CLIENTS is not set: run the tests with ./check").into()
}

#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{printed}\n{error}");
    printed
}

/// Generates the package `berth_client` into the folder; warnings fail.
async fn generate(berth: &Berth) {
    let document = berth.stranger().get("/openapi.json").await;
    let file = berth.folder.join("openapi.json");
    std::fs::write(&file, document.body.to_string()).unwrap();
    // The generator formats with `ruff`, which lies beside it.
    let path = format!("{}:/usr/bin:/bin", tools().display());
    let mut generator = Command::new(tools().join("openapi-python-client"));
    generator.env("PATH", path).current_dir(&berth.folder).args(["generate", "--fail-on-warning"]);
    generator.args(["--meta", "none", "--output-path", "berth_client", "--path"]).arg(&file);
    let printed = succeed(&mut generator);
    assert!(!printed.contains("Warning"), "{printed}");
    let operations = document.body["paths"].as_object().unwrap().values();
    let operations: usize = operations.map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(modules(&berth.folder.join("berth_client/api")), operations);
}

fn modules(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| {
        let is_module = path.extension().is_some_and(|extension| extension == "py")
            && !path.ends_with("__init__.py");
        if path.is_dir() { modules(&path) } else { usize::from(is_module) }
    };
    entries.map(count).sum()
}

#[tokio::test]
async fn a_generated_client_performs_the_whole_session() {
    let mut berth = Berth::new(Kind::Sqlite).await;
    berth.start(&["serve"]).await;
    list_server(&berth.operator().await, "node-1").await;
    generate(&berth).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/session.py");
    let mut python = Command::new(tools().join("python"));
    python.arg(script).args([&berth.address, "operator", PASSWORD]);
    let printed = succeed(python.env("PYTHONPATH", &berth.folder));
    assert!(printed.contains("the whole session"), "{printed}");
    berth.finish().await;
}

/// A server with something to find, whose sessions last as long as the fuzzer.
async fn to_be_fuzzed(kind: Kind) -> (Berth, Client, Stripe) {
    let mut berth = Berth::new(kind).await;
    // Without it, what has to do with cards answers 503.
    let stripe = Stripe::start(&mut berth).await;
    berth.configure("BERTH__AUTH__ACCESS_TOKEN_MINUTES", "60");
    berth.start(&["serve"]).await;
    let operator = berth.operator().await;
    for number in 0..20 {
        list_server(&operator, &format!("node-{number}")).await;
    }
    (berth, operator, stripe)
}

/// Runs the fuzzer as somebody. Logging out is left out, because all that follows would be refused.
fn fuzz(berth: &Berth, client: &Client) {
    let mut fuzzer = Command::new(tools().join("schemathesis"));
    fuzzer.current_dir(&berth.folder).arg("run");
    fuzzer.arg(format!("{}/api/v1/openapi.json", berth.address));
    let authorization = client.authorization.as_ref().unwrap();
    fuzzer.args(["--header", &format!("Authorization: {authorization}")]);
    fuzzer.args(["--exclude-operation-id", "log_out", "--checks", CHECKS]);
    fuzzer.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1"]);
    // One worker: up to Python 3.12 threads that parse at once break each other's `ast` module.
    fuzzer.args(["--workers", "1", "--request-timeout", "20", "--continue-on-failure"]);
    succeed(fuzzer.args(["--no-shrink", "--no-color"]));
}

#[tokio::test]
async fn a_fuzzer_with_a_renters_token_finds_no_undocumented_answer() {
    let (berth, operator, _stripe) = to_be_fuzzed(Kind::Postgres).await;
    berth.stranger().sign_up("jane").await;
    let body = serde_json::json!({ "username": "jane", "amount": "1000.00", "reason": "cash" });
    operator.post("/admin/deposits", body).await.data(201);
    fuzz(&berth, &berth.stranger().log_in("jane").await);
    berth.finish().await;
}

#[tokio::test]
async fn a_fuzzer_with_an_operators_token_finds_no_undocumented_answer() {
    let (berth, operator, _stripe) = to_be_fuzzed(Kind::Sqlite).await;
    fuzz(&berth, &operator);
    berth.finish().await;
}
