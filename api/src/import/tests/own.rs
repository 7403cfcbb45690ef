use domain::host::{DiskType, RamType, ScoreType};
use domain::money::Money;

use super::*;

const FULL: &str = r#"[
  {
    "external_id": "rack-7", "name": "Big one", "country": "de", "region": "eu-central",
    "city": "Falkenstein", "datacenter": "DC 8", "model": "R7525", "is_vm": false,
    "category": "compute", "featured": true, "popularity_rank": 3, "setup_time_minutes": "45",
    "cpu_model": "AMD EPYC 7502P", "cpu_cores": 32, "cpu_threads": 64, "cpu_score": 48021,
    "cpu_score_type": "passmark", "ram_gb": 128, "ram_type": "ECC DDR4", "ram_speed_mhz": 3200,
    "disks": [
      {"count": 2, "capacity_gb": 1000, "type": "nvme", "interface": "PCIe 4.0"},
      {"count": 6, "capacity_gb": 15000, "type": "HDD"}
    ],
    "bandwidth_mbps": 10000, "traffic_tb": 20, "ipv4_count": 2, "ipv6_enabled": true,
    "gpu": null, "price_1d": 5.5, "prices": {"30": {"price": "120.00", "hold_days": 3}}
  }
]"#;

const FULL_CSV: &str = "\
external_id,name,country,region,city,datacenter,model,is_vm,category,featured,popularity_rank,\
setup_time_minutes,cpu_model,cpu_cores,cpu_threads,cpu_score,cpu_score_type,ram_gb,ram_type,\
ram_speed_mhz,disks,bandwidth_mbps,traffic_tb,ipv4_count,ipv6_enabled,gpu,\
price_1d,price_30d,hold_30d
rack-7,Big one,DE,eu-central,Falkenstein,DC 8,R7525,FALSE,compute,TRUE,3,45,AMD EPYC 7502P,32,64,\
48021,passmark,128,ECC DDR4,3200,2x1000 NVMe (PCIe 4.0) + 6x15000 HDD,10000,20,2,true,,\
5.50,120.00,3
";

const LEAST: &str = r#"{"external_id": "a", "country": "FI", "city": "Helsinki",
    "cpu_model": "Ampere Altra", "cpu_cores": 80, "ram_gb": 128, "ram_type": "DDR4",
    "disks": "none", "bandwidth_mbps": 1000, "traffic_tb": "unlimited""#;

#[test]
fn every_field_is_read_and_csv_says_the_same_as_json() {
    let draft = only(FULL, Format::Json);
    assert_eq!(only(FULL_CSV, Format::Csv), draft);
    let specs = &draft.specs;
    assert_eq!(draft.external_id.as_deref(), Some("rack-7"));
    assert_eq!((specs.location.country.as_str(), specs.setup_time_minutes), ("DE", 45));
    assert_eq!(specs.cpu.score.map(|s| (s.value, s.kind)), Some((48_021, ScoreType::Passmark)));
    assert_eq!((specs.ram_type, specs.ram_speed_mhz), (RamType::EccDdr4, Some(3_200)));
    assert_eq!(specs.disks[0].interface.as_deref(), Some("PCIe 4.0"));
    assert_eq!((specs.disks[1].kind, specs.total_storage_gb()), (DiskType::Hdd, 92_000));
    assert_eq!((specs.network.traffic_tb, specs.network.ipv4_count), (Some(20), 2));
    let tiers: Vec<_> = draft.pricing.tiers().map(|(d, t)| (d, t.price, t.hold_days)).collect();
    let price = |text| Money::parse(text).unwrap();
    assert_eq!(tiers, [(1, price("5.50"), 0), (30, price("120"), 3)]);
}

#[test]
fn what_may_be_absent_has_the_documented_default() {
    let draft = only(&format!("[{LEAST}}}]"), Format::Json);
    let specs = &draft.specs;
    assert_eq!((specs.name.as_str(), specs.model.as_str()), ("a", "Ampere Altra"));
    assert_eq!(
        (specs.location.region.as_str(), specs.location.datacenter.as_str()),
        ("fi", "Helsinki")
    );
    assert_eq!(
        (specs.category, specs.cpu.threads, specs.setup_time_minutes),
        (Category::Compute, 80, 15)
    );
    assert_eq!((specs.network.ipv4_count, specs.network.ipv6_enabled), (1, false));
    assert!(!specs.is_vm && !specs.featured && specs.disks.is_empty());
    assert_eq!(draft.pricing.tiers().count(), 0);
}

#[test]
fn all_faults_of_a_row_are_told_at_once() {
    let text = r#"[
  {"external_id": "a", "country": "DEU", "city": "Berlin", "cpu_model": "X", "cpu_cores": "many",
   "cpu_score": 1, "ram_gb": 64.5, "ram_type": "DDR9", "disks": "2x500 NVMe 3x1 HDD + 500 SSD",
   "bandwidth_mbps": 0, "colour": "red", "price_7d": "7.005", "price_30d": "1e3", "hold_1d": 1}
]"#;
    let wanted = owned(&[
        "cpu_cores: must be a whole number of at most 1000000000, not `many`",
        "cpu_score: a score needs its cpu_score_type, and the other way round",
        "ram_gb: must be a whole number of at most 1000000000, not `64.5`",
        "disks: `2x500 NVMe 3x1 HDD` must be written like `2x1000 NVMe` or `2x1000 NVMe (PCIe 4.0)`; kinds are HDD, SSD, NVMe",
        "disks: `500 SSD` must be written like `2x1000 NVMe` or `2x1000 NVMe (PCIe 4.0)`; kinds are HDD, SSD, NVMe",
        "ram_type: must be one of DDR3, DDR4, DDR5, ECC DDR3, ECC DDR4, ECC DDR5, not `DDR9`",
        "traffic_tb: is missing",
        "price_30d: must be an amount such as 70 or 70.50, not `1e3`",
        "price_7d: the price of 7 days must be whole cents, above 0 and at most 1000000.00",
        "hold_1d: there is no price_1d that it belongs to",
        "colour: is not a known field",
        "bandwidth_mbps: must be 1 to 10000000",
        "country: must be two upper-case letters (ISO 3166-1)",
    ]);
    assert_eq!(faults(text, Format::Json), [(2, wanted)]);
}

#[test]
fn a_row_without_an_external_id_is_refused() {
    let text = "external_id,country,city,cpu_model,cpu_cores,ram_gb,ram_type,disks,bandwidth_mbps,traffic_tb
,DE,Berlin,X,4,16,DDR4,1x500 SSD,1000,5\n";
    assert_eq!(faults(text, Format::Csv), [(2, owned(&["external_id: is missing"]))]);
}

#[test]
fn faults_within_disks_and_prices_name_their_place() {
    let row = LEAST.replace(r#""none""#, r#"[{"count": 1, "type": "SSD", "size": 5}, 7]"#);
    let prices =
        r#""price_1d": "1", "prices": {"1": {"price": "2"}, "07": {}, "30": {"prise": 1}}"#;
    let wanted = owned(&[
        "disks.1.capacity_gb: is missing",
        "disks.1.size: is not a known field",
        "disks.2: must be an object",
        "prices.1: the price of 1 days is given twice",
        "prices.07: the name of a price must be a number of days",
        "prices.30.price: is missing",
        "prices.30.prise: is not a known field",
    ]);
    assert_eq!(faults(&format!("[{row}, {prices}}}]"), Format::Json), [(1, wanted)]);
}

#[test]
fn a_second_row_of_one_server_names_the_first() {
    let text = format!("[{LEAST}}},\n\n {LEAST}, \"colour\": 1}}, {LEAST}}}]");
    let twice = "external_id: `a` is the server of line 1 already";
    let both = owned(&["colour: is not a known field", twice]);
    assert_eq!(faults(&text, Format::Json), [(5, both), (7, owned(&[twice]))]);
    let minified = format!("[{LEAST}}},{LEAST}}}]").replace('\n', "");
    assert_eq!(faults(&minified, Format::Json), [(1, owned(&[twice]))]);
}

#[test]
fn more_prices_than_a_server_may_have_are_refused() {
    let prices: Vec<String> = (1..=33).map(|days| format!(r#""price_{days}d": {days}"#)).collect();
    let prices = prices.join(", ");
    let wanted = owned(&["prices: a server has at most 32 price tiers"]);
    assert_eq!(faults(&format!("[{LEAST}, {prices}}}]"), Format::Json), [(1, wanted)]);
}
