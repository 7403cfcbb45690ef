//! Graphics processors of hosts, as they are sold one by one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, put};
use domain::Result;
use domain::gpu_offer::{
    self, BrowseGpus, Comparison, Direction, Figures, GpuOfferDraft, GpuOfferFilter, GpuOfferOrder,
    GpuOfferTerms, Range, Version,
};
use domain::host::HostId;
use domain::location::Continent;
use domain::money::Money;

use super::capacities::host_id;
use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, MaybeAuthenticated};
use super::field::{Check, amount, as_is, count};
use super::gpu_offers_view::{GpuOfferBody, GpuOfferView, GpuRowView};
use crate::app::App;
use crate::http::Query;

/// What generated clients can hold in 32 bits.
const MOST: u32 = 2_147_483_647;

/// Hundredths of a figure that is written as a decimal number.
fn hundredths(text: String) -> Result<u32, &'static str> {
    let amount = Money::parse(&text).filter(|amount| amount.is_whole_cents());
    let number = amount.and_then(|amount| u32::try_from(amount.cents_floor()).ok());
    number.ok_or("must be a decimal number with up to two decimals as a string, such as \"82.58\"")
}

fn version(text: String) -> Result<Version, &'static str> {
    Version::parse(&text)
}

fn draft(host_id: HostId, body: GpuOfferBody) -> Result<GpuOfferDraft> {
    let mut check = Check::default();
    let per_gpu = check.optional("/per_gpu", body.per_gpu, amount);
    let spot_per_gpu = check.optional("/spot_per_gpu", body.spot_per_gpu, amount);
    let per_gb = check.optional("/per_gb", body.per_gb, amount);
    let min_hours = check.optional("/min_hours", body.min_hours, count);
    let max_hours = check.optional("/max_hours", body.max_hours, count);
    let is_listed = check.optional("/is_listed", body.is_listed, as_is);
    let containers = check.optional("/containers", body.containers, as_is);
    let machines = check.optional("/machines", body.machines, as_is);
    let usual = GpuOfferTerms::default();
    let terms = GpuOfferTerms {
        is_listed: is_listed.unwrap_or(usual.is_listed),
        sells_containers: containers.unwrap_or(usual.sells_containers),
        sells_machines: machines.unwrap_or(usual.sells_machines),
        per_gpu,
        spot_per_gpu,
        per_gb: per_gb.unwrap_or(usual.per_gb),
        min_hours: min_hours.unwrap_or(usual.min_hours),
        max_hours: max_hours.unwrap_or(usual.max_hours),
    };
    let mut figure = |path: &str, field| check.optional(path, field, count).unwrap_or_default();
    let disk_read_mbps = figure("/disk_read_mbps", body.disk_read_mbps);
    let disk_write_mbps = figure("/disk_write_mbps", body.disk_write_mbps);
    let download_mbps = figure("/download_mbps", body.download_mbps);
    let upload_mbps = figure("/upload_mbps", body.upload_mbps);
    let pcie_generation = figure("/pcie_generation", body.pcie_generation);
    let pcie_width = figure("/pcie_width", body.pcie_width);
    let pcie_gbps = figure("/pcie_gbps", body.pcie_gbps);
    let figures = Figures {
        cpu_model: check.optional("/cpu_model", body.cpu_model, as_is).unwrap_or_default().into(),
        disk_type: check.optional("/disk_type", body.disk_type, as_is).unwrap_or_default().into(),
        disk_read_mbps,
        disk_write_mbps,
        download_mbps,
        upload_mbps,
        cuda: check.optional("/cuda", body.cuda, version).unwrap_or_default(),
        driver: check.optional("/driver", body.driver, version).unwrap_or_default(),
        pcie_generation,
        pcie_width,
        pcie_gbps,
        tflops_e2: check.optional("/tflops", body.tflops, hundredths).unwrap_or_default(),
        dlperf_e2: check.optional("/dlperf", body.dlperf, hundredths).unwrap_or_default(),
    };
    let draft = GpuOfferDraft { host_id, terms, figures };
    check.also(draft.violations());
    check.finish(|| Some(draft))
}

/// Offer the graphics processors of a server one by one, or change how.
///
/// The server carries instances. Who has some already keeps them on the terms of their order.
#[utoipa::path(tag = "operators", request_body = GpuOfferBody,
    params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<GpuOfferView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[put("/admin/servers/{id}/gpu-offer")]
pub async fn put_gpu_offer(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<GpuOfferBody>,
) -> Answer<GpuOfferView> {
    let draft = draft(host_id(&id)?, body.0)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let offer = gpu_offer::put(store, clock, &signed.caller.into(), draft).await?;
    Ok(Success::ok("GPU offer saved successfully", offer.into()))
}

/// Look at how the graphics processors of a server are offered.
#[utoipa::path(tag = "operators", params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<GpuOfferView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND", "GPU_OFFER_NOT_FOUND"]))))]
#[get("/admin/servers/{id}/gpu-offer")]
pub async fn show_gpu_offer(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<GpuOfferView> {
    let operator = signed.caller.into();
    let offer = gpu_offer::show(app.store.as_ref(), &operator, host_id(&id)?).await?;
    Ok(Success::ok("GPU offer retrieved successfully", offer.into()))
}

/// List the graphics processors that could be had: of each server a row for each number of them.
///
/// A row is also what comes with them: the same share of the server's processors and memory. All filters
/// given must pass.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])),
    params(("gpu_model" = Option<String>, Query, max_length = 100, description = "Without regard to case", example = "RTX 4090"),
           ("continent" = Option<String>, Query, description = "Africa, Asia, Europe, North America, Oceania or South America", example = "Europe"),
           ("min_gpus" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least graphics processors"),
           ("max_gpus" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Most graphics processors"),
           ("min_gpu_memory_mib" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least memory of each"),
           ("min_cpus" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least virtual CPUs that come with them"),
           ("min_ram_mib" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least memory that comes with them"),
           ("min_disk_gb" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least disk that can be had"),
           ("max_per_gpu" = Option<String>, Query, description = "The most that one costs an hour", example = "0.50"),
           ("min_cuda" = Option<String>, Query, description = "The oldest CUDA, compared as a version", example = "12.4"),
           ("machines" = Option<bool>, Query, description = "Sold as virtual machines; else as containers"),
           ("is_available" = Option<bool>, Query, description = "Only what could be had now"),
           ("sort" = Option<String>, Query, description = "`price`, `gpus`, `uptime`, `tflops`, `dlperf`, `tflops_per_price` or `dlperf_per_price`, with `-` before it the most first; several with commas", example = "price,-gpus"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if it is not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<GpuRowView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/gpu-offers")]
pub async fn list_gpu_offers(
    app: Data<App>,
    signed: MaybeAuthenticated,
    request: HttpRequest,
) -> Answer<Vec<GpuRowView>> {
    let mut query = Query::parse(request.query_string());
    let filter = filter(&mut query);
    let orders = query.list("sort", order);
    let limit = query.number("limit", 1, 500).unwrap_or(500);
    let skip = query.number("cursor", 0, MOST).unwrap_or(0);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let browse = BrowseGpus { filter, orders, skip, limit: limit.saturating_add(1) };
    let caller = signed.caller();
    let mut rows = gpu_offer::list(store, clock, &app.market, caller, &browse).await?;
    let limit_rows = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = (rows.len() > limit_rows).then(|| skip.saturating_add(limit).to_string());
    rows.truncate(limit_rows);
    let views = rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("GPU offers retrieved successfully", views).continued(next))
}

fn filter(query: &mut Query) -> GpuOfferFilter {
    let at_least = |query: &mut Query, name: &str| {
        let min = query.number(name, 0, MOST).map(i64::from);
        Range { min, max: None }
    };
    let price = |text: &str| Money::parse(text).ok_or("must be an amount such as 0.50");
    let continent = |text: &str| Continent::parse(text).ok_or("is no part of the world");
    let gpus = at_least(query, "min_gpus");
    GpuOfferFilter {
        machines: Some(query.flag("machines")),
        is_available: query.flag("is_available").then_some(true),
        continent: query.value("continent", continent),
        gpu_model: query.text("gpu_model", 100),
        gpus: Range { max: query.number("max_gpus", 0, MOST).map(i64::from), ..gpus },
        gpu_memory_mib: at_least(query, "min_gpu_memory_mib"),
        cpus: at_least(query, "min_cpus"),
        ram_mib: at_least(query, "min_ram_mib"),
        disk_gb: at_least(query, "min_disk_gb"),
        per_gpu: Range { min: None, max: query.value("max_per_gpu", price) },
        cuda: query.value("min_cuda", Version::parse).map(|least| (Comparison::AtLeast, least)),
        ..GpuOfferFilter::default()
    }
}

fn order(text: &str) -> Result<(GpuOfferOrder, Direction), &'static str> {
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text, Direction::Ascending),
    };
    let order = match name {
        "price" => GpuOfferOrder::PricePerGpu,
        "gpus" => GpuOfferOrder::Gpus,
        "uptime" => GpuOfferOrder::Uptime,
        "tflops" => GpuOfferOrder::Tflops,
        "dlperf" => GpuOfferOrder::Dlperf,
        "tflops_per_price" => GpuOfferOrder::TflopsPerPrice,
        "dlperf_per_price" => GpuOfferOrder::DlperfPerPrice,
        _ => return Err("is no order of this list"),
    };
    Ok((order, direction))
}
