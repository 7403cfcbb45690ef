use domain::host::{Disk, Tier};

use super::*;

#[test]
fn the_bundled_catalogue_survives_a_sheet_of_our_own_shape() {
    let drafts = demo().unwrap();
    let days = [1, 7, 30, 90];
    let mut sheet = csv::Writer::from_writer(Vec::new());
    sheet.write_record(header(&days)).unwrap();
    for draft in &drafts {
        sheet.write_record(cells(draft, &days)).unwrap();
    }
    let text = String::from_utf8(sheet.into_inner().unwrap()).unwrap();
    let rows = parse(&text, Format::Csv).unwrap();
    let read: Vec<HostDraft> = rows.into_iter().map(|row| row.outcome.unwrap()).collect();
    assert_eq!(read, drafts);
}

fn header(days: &[u32]) -> Vec<String> {
    let columns = "external_id,name,country,region,city,datacenter,model,is_vm,category,featured,\
        popularity_rank,setup_time_minutes,cpu_model,cpu_cores,cpu_threads,ram_gb,ram_type,disks,\
        bandwidth_mbps,traffic_tb,ipv4_count,ipv6_enabled,gpu";
    let prices = days.iter().flat_map(|d| [format!("price_{d}d"), format!("hold_{d}d")]);
    columns.split(',').map(str::to_owned).chain(prices).collect()
}

fn cells(draft: &HostDraft, days: &[u32]) -> Vec<String> {
    let specs = &draft.specs;
    let (place, network) = (&specs.location, &specs.network);
    let traffic = network.traffic_tb.map_or("unlimited".to_owned(), |tb| tb.to_string());
    let fixed = [
        draft.external_id.clone().unwrap(),
        specs.name.clone(),
        place.country.clone(),
        place.region.clone(),
        place.city.clone(),
        place.datacenter.clone(),
        specs.model.clone(),
        specs.is_vm.to_string(),
        specs.category.as_str().to_owned(),
        specs.featured.to_string(),
        specs.popularity_rank.map(|rank| rank.to_string()).unwrap_or_default(),
        specs.setup_time_minutes.to_string(),
        specs.cpu.model.clone(),
        specs.cpu.cores.to_string(),
        specs.cpu.threads.to_string(),
        specs.ram_gb.to_string(),
        specs.ram_type.as_str().to_owned(),
        specs.disks.iter().map(written).collect::<Vec<_>>().join(" + "),
        network.bandwidth_mbps.to_string(),
        traffic,
        network.ipv4_count.to_string(),
        network.ipv6_enabled.to_string(),
        specs.gpu.clone().unwrap_or_default(),
    ];
    let tiers = days.iter().map(|days| draft.pricing.tier(*days).unwrap());
    let prices =
        tiers.flat_map(|Tier { price, hold_days }| [price.to_string(), hold_days.to_string()]);
    fixed.into_iter().chain(prices).collect()
}

fn written(disk: &Disk) -> String {
    format!("{}x{} {}", disk.count, disk.capacity_gb, disk.kind.as_str())
}
