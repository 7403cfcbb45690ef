use domain::host::{Network, RamType};

use super::*;

const ROW: &str = r#"{"auction_id":2521312,"cpu":"AMD Ryzen 9 5950X","cpu_count":1,"ram_gb":32,
"ram_type":"DDR4","ecc":true,"disks":[{"count":2,"capacity_gb":480,"type":"SSD"}],"gpu":null,
"nic":"Intel I219-LM","bandwidth_mbps":1000,"traffic":"unlimited","ipv4":true,
"datacenter":"FSN1-DC8","city":"Falkenstein","country":"DE","price_eur_month":33,
"setup_price_eur":0,"price_eur_hour":0.0529}"#;

#[test]
fn the_bundled_catalogue_has_no_fault() {
    let rows = parse(DEMO, Format::Json).unwrap();
    let drafts: Vec<HostDraft> = rows.iter().map(|row| row.outcome.clone().unwrap()).collect();
    assert_eq!(drafts.len(), 1_173);
    assert_eq!(demo().unwrap(), drafts);
    assert_eq!((rows[0].line, rows[1_172].line), (2, 1_174));
    let of = |category| drafts.iter().filter(|d| d.specs.category == category).count();
    let counts = Category::ALL.iter().map(|category| of(*category));
    assert_eq!(counts.collect::<Vec<_>>(), [247, 207, 221, 477, 21]);
    assert!(drafts.iter().all(|d| d.pricing.tiers().count() == 4));
}

#[test]
fn a_few_of_each_category_are_featured_and_all_are_ranked() {
    let mut drafts = demo().unwrap();
    drafts.sort_by_key(|draft| draft.specs.popularity_rank);
    let ranks: Vec<u32> = drafts.iter().filter_map(|d| d.specs.popularity_rank).collect();
    assert_eq!(ranks, (1..=1_173).collect::<Vec<u32>>());
    // 33 EUR for 16 cores is the lowest price of a core.
    assert_eq!(drafts[0].external_id.as_deref(), Some("auction-2521312"));
    let featured = drafts.iter().filter(|d| d.specs.featured);
    assert_eq!(featured.count(), 3 * Category::ALL.len());
}

#[test]
fn a_row_becomes_a_server() {
    let draft = only(&format!("[{ROW}]"), Format::Json);
    let specs = &draft.specs;
    assert_eq!(draft.external_id.as_deref(), Some("auction-2521312"));
    assert_eq!(specs.name, "fsn1-dc8-2521312");
    assert_eq!(specs.model, "Dedicated server, AMD Ryzen 9 5950X");
    assert_eq!((specs.cpu.cores, specs.cpu.threads, specs.cpu.score), (16, 32, None));
    assert_eq!((specs.ram_gb, specs.ram_type), (32, RamType::EccDdr4));
    assert_eq!(specs.location.region, "eu-central");
    assert_eq!((specs.category, specs.setup_time_minutes), (Category::Compute, 15));
    let network =
        Network { bandwidth_mbps: 1_000, traffic_tb: None, ipv4_count: 1, ipv6_enabled: true };
    assert_eq!(specs.network, network);
}

/// By hand, for 33 EUR a month: 33 × 1.05 = 34.65 USD; 34.65 / 30 × 1.25 = 1.44375;
/// 34.65 × 7 / 30 × 1.10 = 8.8935; 34.65 × 3 × 0.90 = 93.555; each rounded up. For 40 EUR, 42 USD:
/// 1.75, 10.78 and 113.40, which are whole cents and stay.
#[test]
fn prices_follow_from_the_month_and_round_up_to_cents() {
    let shown = |month: &str| {
        let text = format!("[{ROW}]").replace(r#"month":33"#, &format!(r#"month":{month}"#));
        let tiers: Vec<(u32, String, u32)> = only(&text, Format::Json)
            .pricing
            .tiers()
            .map(|(days, tier)| (days, tier.price.to_string(), tier.hold_days))
            .collect();
        tiers
    };
    let tiers = |prices: [&str; 4]| -> Vec<(u32, String, u32)> {
        let rules = [(1, 1), (7, 2), (30, 3), (90, 7)];
        rules.into_iter().zip(prices).map(|((d, hold), p)| (d, p.to_owned(), hold)).collect()
    };
    assert_eq!(shown("33"), tiers(["1.45", "8.90", "34.65", "93.56"]));
    assert_eq!(shown("40"), tiers(["1.75", "10.78", "42.00", "113.40"]));
    assert_eq!(shown("\"40.00\""), tiers(["1.75", "10.78", "42.00", "113.40"]));
    // 0.01 EUR is 0.0105 USD: even the cheapest tier costs a cent.
    assert_eq!(shown("0.01"), tiers(["0.01", "0.01", "0.02", "0.03"]));
}

#[test]
fn an_auction_may_also_be_a_sheet() {
    let text = "auction_id,cpu,ram_gb,ram_type,ecc,disks,bandwidth_mbps,traffic,datacenter,city,country,price_eur_month
2521312,AMD Ryzen 9 5950X,32,DDR4,true,2x480 SSD,1000,unlimited,FSN1-DC8,Falkenstein,DE,33\n";
    assert_eq!(only(text, Format::Csv), only(&format!("[{ROW}]"), Format::Json));
}

#[test]
fn what_the_mapping_does_not_know_is_a_fault_that_says_what_to_do() {
    let text = format!("[\n{ROW}\n]")
        .replace("AMD Ryzen 9 5950X", "AMD Ryzen 9 7950X")
        .replace("FSN1-DC8", "ASH1-DC1")
        .replace(r#"setup_price_eur":0"#, r#"setup_price_eur":39"#)
        .replace(r#"month":33"#, r#"month":-1"#);
    let wanted = owned(&[
        "datacenter: must begin with FSN1, NBG1 or HEL1, whose regions are known",
        "cpu: the cores of `AMD Ryzen 9 7950X` are not known; add the model to catalogue/cpu-models.csv and rebuild, or give the server in Berth's own row shape",
        "setup_price_eur: must be 0: there is no set-up fee here",
        "price_eur_month: the price of 1 days must be whole cents, above 0 and at most 1000000.00",
    ]);
    assert_eq!(faults(&text, Format::Json), [(2, wanted)]);
}

#[test]
fn a_month_of_any_price_has_prices_or_a_fault_and_never_overflows() {
    for month in ["92233720368.54775807", "-92233720368", "1e300", "999999999999999999"] {
        let text = format!("[{ROW}]").replace(r#"month":33"#, &format!(r#"month":"{month}""#));
        assert_eq!(faults(&text, Format::Json).len(), 1, "{month}");
    }
}
