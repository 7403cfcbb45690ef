//! The marketplace.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::gpu_offer::{
    self, BrowseGpus, Comparison, Direction, GpuOfferFilter, GpuOfferOrder, Range, Version,
};
use domain::location::Continent;
use domain::money::Money;

use super::account::Account;
use super::error::Failure;
use super::market_view::{Ends, shown};
use super::query::{hundredfold, part, range};
use crate::app::App;
use crate::http::Query;

/// The most rows of an answer that is not asked for by the page.
const MOST_ROWS: u32 = 10_000;

/// The rows that pass the filters, in the given orders.
pub async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let filter = filter(&mut query);
    let orders = orders(&mut query);
    let (skip, limit) = part(&mut query, MOST_ROWS);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let browse = BrowseGpus { filter, orders, skip, limit };
    let rows = gpu_offer::list(store, clock, &app.market, Some(&account.0), &browse).await?;
    let ends = Ends::of_all(&rows, clock.now());
    Ok(HttpResponse::Ok().json(rows.iter().map(|row| shown(row, &ends)).collect::<Vec<_>>()))
}

fn filter(query: &mut Query) -> GpuOfferFilter {
    let is_machine = |text: &str| match text {
        "vm" => Ok(true),
        "docker" => Ok(false),
        _ => Err("must be vm or docker"),
    };
    let status = |text: &str| match text {
        "Any" => Ok(None),
        "active" => Ok(Some(true)),
        "inactive" => Ok(Some(false)),
        _ => Err("must be Any, active or inactive"),
    };
    let region = |text: &str| match text {
        "World" => Ok(None),
        _ => Continent::parse(text)
            .map(Some)
            .ok_or("must be World, Africa, Asia, Europe, North America, Oceania or South America"),
    };
    let model = query.text("gpuModel", 100).filter(|model| model != "Any");
    GpuOfferFilter {
        machines: Some(query.value("mode", is_machine).unwrap_or(false)),
        is_available: query.value("rentalStatus", status).flatten(),
        continent: query.value("region", region).flatten(),
        gpu_model: model,
        gpus: range(query, "gpuCount", (1, 16)),
        gpu_memory_mib: range(query, "gpuMemorySize", (8_192, 524_288)),
        cpus: range(query, "cpuCoreCount", (1, 512)),
        ram_mib: range(query, "systemMemory", (4_096, 8_388_608)),
        disk_gb: range(query, "diskSize", (32, 65_536)),
        disk_write_mbps: range(query, "diskSpeedWrite", (1, 131_072)),
        download_mbps: range(query, "downloadSpeedtest", (1, 16_384)),
        upload_mbps: range(query, "uploadSpeedtest", (1, 16_384)),
        pcie_gbps: range(query, "gpuPcieBandwidth", (1, 128)),
        tflops_e2: hundredfold(range(query, "gpuTFlops", (1, 256))),
        uptime_bp: hundredfold(range(query, "sla", (1, 100))),
        min_hours: range(query, "rentalTimeMin", (1, 8_600)),
        per_gpu: decimals(query, "pricePerGpu", 5),
        tflops_per_price_e2: hundredths(query, "pricePerTFlops"),
        dlperf_per_price_e2: hundredths(query, "pricePerDlp"),
        driver: version(query, "gpuDriverVer", "gpuDriverVerComparisonOperator"),
        cuda: version(query, "gpuCudaVer", "gpuCudaVerOperator"),
    }
}

/// A range of decimal numbers from 0 to so much.
fn decimals(query: &mut Query, name: &str, most: u32) -> Range<Money> {
    let largest = Money::from_cents(i64::from(most) * 100).unwrap_or_default();
    let mut bound = |end: &str| {
        query.value(&format!("{name}[{end}]"), |text| {
            let number = Money::parse(text);
            let number = number.filter(|number| (Money::ZERO..=largest).contains(number));
            number.ok_or_else(|| format!("must be a number from 0 to {most}"))
        })
    };
    Range { min: bound("gte"), max: bound("lte") }
}

/// The same in hundredths.
fn hundredths(query: &mut Query, name: &str) -> Range<i64> {
    let range = decimals(query, name, 200);
    Range { min: range.min.map(Money::cents_ceil), max: range.max.map(Money::cents_floor) }
}

/// A version and how to compare it, as the same where that is not said.
fn version(query: &mut Query, name: &str, operator: &str) -> Option<(Comparison, Version)> {
    let comparison = |text: &str| match text {
        "=" => Ok(Comparison::Equal),
        "<=" => Ok(Comparison::AtMost),
        ">=" => Ok(Comparison::AtLeast),
        _ => Err("must be =, <= or >="),
    };
    let comparison = query.value(operator, comparison).unwrap_or(Comparison::Equal);
    query.value(name, Version::parse).map(|version| (comparison, version))
}

/// The orders, the first one first.
fn orders(query: &mut Query) -> Vec<(GpuOfferOrder, Direction)> {
    let mut orders = Vec::new();
    for (name, direction) in query.members("order") {
        let path = format!("order[{name}]");
        let order = match name.as_str() {
            "gpuCount" => GpuOfferOrder::Gpus,
            "sla" => GpuOfferOrder::Uptime,
            "pricePerGpu" => GpuOfferOrder::PricePerGpu,
            "sysDlp" => GpuOfferOrder::Dlperf,
            "pricePerDlp" => GpuOfferOrder::DlperfPerPrice,
            "gpuTFlops" => GpuOfferOrder::Tflops,
            "pricePerTFlops" => GpuOfferOrder::TflopsPerPrice,
            _ => {
                query.fault(&path, "is no order of this list");
                continue;
            }
        };
        match direction.as_str() {
            "asc" => orders.push((order, Direction::Ascending)),
            "desc" => orders.push((order, Direction::Descending)),
            _ => query.fault(&path, "must be asc or desc"),
        }
    }
    orders
}
