use std::collections::BTreeMap;

use domain::fleet::Fleet;
use domain::location::LocationCode;
use domain::money::Money;
use domain::plan::{GpuShape, PlanDraft, Shape};

use crate::import::instance_types::{InstanceTypes, demo, parse};

const HEADER: &str = "instance_type,vcpus,memory_gib,gpu_model,gpu_count,gpu_memory_mib_each,location,\
                      price_per_hour_usd,spot_price_per_hour_usd";

fn sheet(rows: &[&str]) -> InstanceTypes {
    parse(&format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap()
}

/// The faults of the only bad row, which is that of this line.
#[track_caller]
fn faults_of(line: usize, rows: &[&str]) -> Vec<String> {
    let mut bad_rows = sheet(rows).bad_rows;
    assert_eq!(bad_rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [line]);
    bad_rows.remove(0).1
}

fn by_code(plans: &[PlanDraft]) -> BTreeMap<&str, &PlanDraft> {
    plans.iter().map(|plan| (plan.code.as_str(), plan)).collect()
}

fn places(plan: &PlanDraft) -> Vec<&str> {
    plan.locations.iter().map(LocationCode::as_str).collect()
}

#[test]
fn the_bundled_types_are_24_plans_at_three_locations() {
    let text = include_str!("../../../../catalogue/instance-types.csv");
    let InstanceTypes { fleet, bad_rows } = parse(text).unwrap();
    assert_eq!(bad_rows, []);
    assert_eq!(fleet.plans.len(), 24);
    let places_of = |fleet: &Fleet| -> Vec<(String, String, Option<String>)> {
        let places = fleet.locations.iter().cloned();
        places.map(|place| (place.code.to_string(), place.name, place.country)).collect()
    };
    let finland = |number: u32| {
        (format!("FIN-0{number}"), format!("Finland {number}"), Some("FI".to_owned()))
    };
    assert_eq!(places_of(&fleet), [1, 2, 3].map(finland));

    let plans = by_code(&fleet.plans);
    let h200 = plans["2H200.141S.88V"];
    let gpu = Some(GpuShape { model: "H200".to_owned(), count: 2, memory_mib: 144_384 });
    assert_eq!(h200.shape, Shape { cpus: 88, ram_mib: 370 * 1_024, gpu, disk_gb: 50 });
    assert_eq!((h200.name.as_str(), places(h200)), ("H200 SXM5 141GB", vec!["FIN-02", "FIN-03"]));
    assert_eq!(h200.pricing.per_hour, Money::parse("6.78"));
    assert_eq!(h200.pricing.spot_per_hour, Money::parse("2.373"));
    let spot_only = &plans["8B200.240V"].pricing;
    assert_eq!((spot_only.per_hour, spot_only.spot_per_hour), (None, Money::parse("13.69")));
    let v100 = &plans["1V100.6V"].pricing;
    assert_eq!((v100.per_hour, v100.spot_per_hour), (Money::parse("0.1381"), None));

    let here = demo().unwrap();
    let plans = by_code(&here.plans);
    assert_eq!(places(plans["CPU.180V.720G"]), ["FIN-02", "ICE-01"]);
    assert_eq!(places(plans["1V100.6V"]), ["FIN-01"]);
    let iceland = ("ICE-01".to_owned(), "Iceland 1".to_owned(), Some("IS".to_owned()));
    assert_eq!(places_of(&here)[3..], [iceland]);
}

#[test]
fn plans_are_named_as_verdas_clients_know_them() {
    let fleet = demo().unwrap();
    let plans = by_code(&fleet.plans);
    let named = |code: &str| {
        let shape = &plans[code].shape;
        (plans[code].name.as_str(), shape.gpu.as_ref().map_or("", |gpu| gpu.model.as_str()))
    };
    let known = [
        ("1B300.30V", ("B300 SXM6 262GB", "B300")),
        ("4B300.120V", ("B300 SXM6 262GB", "B300")),
        ("1B200.30V", ("B200 SXM6 180GB", "B200")),
        ("1H100.80S.32V", ("H100 SXM5 80GB", "H100")),
        ("4A100.88V", ("A100 SXM4 80GB", "A100")),
        ("1V100.6V", ("Tesla V100 16GB", "V100")),
        ("8RTXPRO6000.240V", ("RTX PRO 6000 96GB", "RTX PRO 6000")),
        ("1RTX6000ADA.10V", ("RTX 6000 Ada 48GB", "RTX 6000 Ada")),
        ("CPU.4V.16G", ("CPU node 4 vCPU", "")),
    ];
    for (code, names) in known {
        assert_eq!(named(code), names, "{code}");
    }
    let unknown = sheet(&["x,4,16,L40S,1,49152,FIN-01,1.00,"]).fleet.plans;
    assert_eq!(unknown[0].name, "L40S 48GB");
}

#[test]
fn a_place_that_no_letters_tell_has_its_code_for_a_name_and_no_country() {
    let fleet = sheet(&["x,4,16,,,,US-01,1.00,", "y,4,16,,,,FIN-X,1.00,"]).fleet;
    let places = fleet.locations.iter();
    let places: Vec<_> = places.map(|p| (p.name.as_str(), p.country.as_deref())).collect();
    assert_eq!(places, [("FIN-X", Some("FI")), ("US-01", None)]);
}

#[test]
fn rows_of_a_type_must_agree() {
    let first = "x,4,16,,,,FIN-01,1.00,0.5";
    let told = faults_of(3, &[first, "x,4,16,,,,FIN-02,1.01,"]);
    let why = "as in the type's line 2, because a plan costs the same everywhere";
    let faults = [
        format!("price_per_hour_usd: must be 1.00 {why}"),
        format!("spot_price_per_hour_usd: must be 0.50 {why}"),
    ];
    assert_eq!(told, faults);
    let told = faults_of(4, &[first, "y,4,16,,,,FIN-02,,2", "x,8,16,,,,FIN-02,1.00,0.5"]);
    assert_eq!(told, ["processors and memory must be those of the type's line 2"]);
    let told = faults_of(3, &[first, first]);
    assert_eq!(told, ["location: is given already for this type"]);
    let told = faults_of(3, &["x,4,16,,,,FIN-01,,0.5", "x,4,16,,,,FIN-02,1.00,0.5"]);
    assert!(told[0].contains("must be empty as in the type's line 2"), "{told:?}");
}

#[test]
fn every_fault_of_a_row_is_told_with_its_line() {
    let told = faults_of(4, &["x,4,16,,,,FIN-01,1.00,", "", "y z,4.5,lots,H100,,0,Fin 1,cheap,"]);
    assert_eq!(
        told,
        [
            "instance_type: a code is 1 to 64 letters, digits, dots, underscores, tildes and dashes, \
             not `y z`",
            "location: a code is 1 to 64 letters, digits, dots, underscores, tildes and dashes, not \
             `Fin 1`",
            "vcpus: must be a whole number of at most 1000000000, not `4.5`",
            "memory_gib: must be a whole number of at most 1000000000, not `lots`",
            "gpu_count: is missing",
            "price_per_hour_usd: must be an amount such as 70 or 70.50, not `cheap`",
            "gpu_memory_mib_each: must be 1 to 16777216",
        ]
    );
    assert!(
        faults_of(2, &["x,0,16,,,,FIN-01,0,"])[1].starts_with("price_per_hour_usd: must be ab")
    );
    assert!(faults_of(2, &["x,4,999999999,,,,FIN-01,1,"])[0].starts_with("memory_gib"));
    let told = faults_of(2, &["x,4,16,,,,FIN-01,,"]);
    assert_eq!(told, ["price_per_hour_usd: is missing, and there is no spot price either"]);
    assert!(faults_of(2, &["x,4"])[0].starts_with("the row has 2 cells for 9 columns"));
    let header = parse(&HEADER.replace("vcpus", "cores")).unwrap_err().to_string();
    assert_eq!(header, "line 1: there is no column `cores`; the column `vcpus` is missing");
}
