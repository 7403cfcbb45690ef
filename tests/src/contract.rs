//! What every answer is held against, the OpenAPI document; and the server of the published API's
//! examples.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use domain::host::{
    Category, Cpu, Disk, DiskType, HostDraft, Location, Network, Pricing, RamType, Score,
    ScoreType, Specs, Tier,
};
use domain::money::Money;
use reqwest::Method;
use serde_json::Value;

use crate::door::Answer;

/// The OpenAPI document as it is served.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(api::native::document()).unwrap());

/// The operation of a path, if the document has one.
pub fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap();
    let method = method.as_str().to_lowercase();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (template, path): (Vec<&str>, Vec<&str>) =
            (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template
                .iter()
                .zip(&path)
                .all(|(t, p)| t == p || (t.starts_with('{') && !p.is_empty()))
    };
    // The narrower template first, as in routing.
    let mut found: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.into_iter().map(|(_, item)| &item[&method]).find(|operation| !operation.is_null())
}

/// Headers that are not HTTP's business alone.
const OURS: [&str; 8] = [
    "x-request-id",
    "x-total-count",
    "link",
    "retry-after",
    "www-authenticate",
    "ratelimit",
    "ratelimit-policy",
    "etag",
];

/// Fails the test unless the document knows this status of this operation, and the code of a
/// refusal.
#[track_caller]
pub fn hold(method: &Method, path: &str, answer: &Answer) {
    assert!(answer.headers.contains_key("x-request-id"), "{method} {path}: no X-Request-Id");
    let Some(operation) = operation(method, path) else {
        return;
    };
    let documented = &operation["responses"][answer.status.to_string()];
    let (status, body) = (answer.status, &answer.body);
    assert!(!documented.is_null(), "{method} {path}: {status} is not documented: {body}");
    for name in answer.headers.keys().filter(|name| OURS.contains(&name.as_str())) {
        let declared = documented["headers"].as_object().unwrap().keys();
        let mut declared = declared.map(|name| name.to_lowercase());
        assert!(declared.any(|known| known == *name), "{method} {path}: {name} is not documented");
    }
    let is_json = |content: &Value| content["application/json"].is_object();
    if status == 304 || (status < 400 && !is_json(&documented["content"])) {
        return;
    }
    assert_eq!(body["statusCode"].as_u64(), Some(status.into()), "{method} {path}: {body}");
    if status >= 400 {
        let code = body["error"].as_str().unwrap_or_default();
        let codes = documented["description"].as_str().unwrap_or_default();
        assert!(codes.contains(&format!("`{code}`")), "{method} {path}: {code} is not documented");
        assert!(body["message"].as_str().is_some_and(|text| text.len() > 5), "{body}");
    }
}

/// A server like the one of the published API's examples.
pub fn example_server(name: &str) -> HostDraft {
    let tier = |cents, hold_days| Tier { price: Money::from_cents(cents).unwrap(), hold_days };
    let disk = |count, capacity_gb| Disk {
        count,
        capacity_gb,
        kind: DiskType::Nvme,
        interface: Some("PCIe 4.0".to_owned()),
    };
    let score = Some(Score { value: 48_500, kind: ScoreType::Passmark });
    HostDraft {
        external_id: None,
        pricing: Pricing::parse(BTreeMap::from([(7, tier(7_000, 2)), (30, tier(24_000, 3))]))
            .unwrap(),
        specs: Specs {
            name: name.to_owned(),
            location: Location {
                country: "US".to_owned(),
                region: "us-east".to_owned(),
                city: "New York".to_owned(),
                datacenter: "NYC-DC1".to_owned(),
            },
            model: "Intel Xeon E5-2680 v4".to_owned(),
            is_vm: false,
            category: Category::Compute,
            featured: true,
            popularity_rank: Some(1),
            setup_time_minutes: 15,
            cpu: Cpu { model: "AMD EPYC 7763".to_owned(), cores: 64, threads: 128, score },
            ram_gb: 256,
            ram_type: RamType::EccDdr5,
            ram_speed_mhz: Some(4_800),
            disks: vec![disk(2, 1_000), disk(6, 15_000)],
            network: Network {
                bandwidth_mbps: 10_000,
                traffic_tb: Some(100),
                ipv4_count: 5,
                ipv6_enabled: true,
            },
            gpu: None,
        },
    }
}
