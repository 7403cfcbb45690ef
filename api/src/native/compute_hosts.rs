//! What operators do with hosts that are cut into compute units.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post};
use domain::Error;
use domain::compute_unit::{
    self, ComputeHost, CpuRange, Forget, HostWithUnits, ListedUnit, ServerName,
};
use domain::error::Thing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, amount};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

/// A server that is, or was, cut into compute units.
#[derive(Serialize, ToSchema)]
pub struct ComputeHostView {
    server_id: String,
    /// The name by which clients know it.
    #[schema(example = "h1")]
    hostname: String,
    #[schema(example = "192.0.2.7")]
    address: String,
    region: String,
    zone: String,
    #[schema(example = json!(["0-3", "4-7"]))]
    cpu_ranges: Vec<String>,
    /// `simulated` or `ssh`.
    driver: &'static str,
    /// `initializing`, `init_failed`, `ready`, `decommissioning`, `decommission_failed` or `decommissioned`.
    #[schema(example = "ready")]
    phase: &'static str,
    /// Why it goes no further.
    reason: Option<String>,
    /// Its operating system.
    system: Option<String>,
    /// What holds its units to their share: `systemd`, `control_groups` or `nothing`.
    limits: Option<&'static str>,
    #[schema(example = "0")]
    price_per_cpu_hour: String,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<ComputeHost> for ComputeHostView {
    fn from(host: ComputeHost) -> Self {
        Self {
            server_id: host.host_id.to_string(),
            hostname: host.hostname.to_string(),
            address: host.address.to_string(),
            region: host.region,
            zone: host.zone,
            cpu_ranges: host.ranges.iter().map(CpuRange::to_string).collect(),
            driver: host.driver.as_str(),
            phase: host.phase.as_str(),
            reason: host.phase.reason().map(str::to_owned),
            system: host.system,
            limits: host.limits.map(compute_unit::Limits::as_str),
            price_per_cpu_hour: host.per_cpu_hour.exact(),
            updated_at: Stamp(host.updated_at),
        }
    }
}

/// A compute unit, as an operator sees it.
#[derive(Serialize, ToSchema)]
pub struct ComputeUnitView {
    #[schema(example = "h1_c0-3")]
    compute_id: String,
    /// Its Unix user.
    #[schema(example = "c0-3")]
    username: String,
    cpus: Vec<u32>,
    ram_mib: u32,
    first_port: u16,
    last_port: u16,
    /// As clients are told it.
    #[schema(example = "ALLOCATION_FAIL")]
    status: &'static str,
    /// Why it could not be allocated or wiped.
    reason: Option<String>,
    /// The instance that has it.
    instance_id: Option<String>,
}

impl From<ListedUnit> for ComputeUnitView {
    fn from(line: ListedUnit) -> Self {
        let reason = line.reason().map(str::to_owned);
        let unit = line.unit;
        Self {
            instance_id: unit.holder().map(|id| id.to_string()),
            username: unit.range.username(),
            cpus: unit.range.cpus().to_vec(),
            compute_id: unit.name,
            ram_mib: unit.ram_mib,
            first_port: unit.ports.from,
            last_port: unit.ports.until,
            status: line.status.as_str(),
            reason,
        }
    }
}

/// A server with its compute units.
#[derive(Serialize, ToSchema)]
pub struct HostWithUnitsView {
    host: ComputeHostView,
    units: Vec<ComputeUnitView>,
}

impl From<HostWithUnits> for HostWithUnitsView {
    fn from(host: HostWithUnits) -> Self {
        Self { host: host.host.into(), units: host.units.into_iter().map(Into::into).collect() }
    }
}

#[derive(Deserialize, ToSchema)]
pub struct ComputePriceBody {
    /// The price of one CPU of a unit for an hour, for whoever allocates one from now on.
    #[schema(value_type = String, required, example = "0.0125")]
    #[serde(default)]
    price_per_cpu_hour: Field<String>,
}

fn named(text: &str) -> Result<ServerName, Error> {
    ServerName::parse(text).map_err(|_| Error::NotFound(Thing::Server))
}

/// List the servers that are, or were, cut into compute units, by name.
#[utoipa::path(tag = "operators", responses((status = 200, body = Success<Vec<ComputeHostView>>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED"]))))]
#[get("/admin/compute-hosts")]
pub async fn list_compute_hosts(
    app: Data<App>,
    signed: Authenticated,
) -> Answer<Vec<ComputeHostView>> {
    let hosts = compute_unit::hosts(app.store.as_ref(), &signed.caller.into()).await?;
    let views = hosts.into_iter().map(Into::into).collect();
    Ok(Success::ok("Compute hosts retrieved successfully", views))
}

/// Look at one of them with its units.
#[utoipa::path(tag = "operators", params(("hostname", description = "The server's name")),
    responses((status = 200, body = Success<HostWithUnitsView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[get("/admin/compute-hosts/{hostname}")]
pub async fn show_compute_host(
    app: Data<App>,
    signed: Authenticated,
    hostname: Path<String>,
) -> Answer<HostWithUnitsView> {
    let operator = signed.caller.into();
    let host = compute_unit::host(app.store.as_ref(), &operator, &named(&hostname)?).await?;
    Ok(Success::ok("Compute host retrieved successfully", host.into()))
}

/// Price its units.
///
/// Whoever has one keeps its price. At `0`, as a rule, they are free.
#[utoipa::path(tag = "operators", request_body = ComputePriceBody,
    params(("hostname", description = "The server's name")),
    responses((status = 200, body = Success<ComputeHostView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[patch("/admin/compute-hosts/{hostname}")]
pub async fn price_compute_host(
    app: Data<App>,
    signed: Authenticated,
    hostname: Path<String>,
    body: Body<ComputePriceBody>,
) -> Answer<ComputeHostView> {
    let hostname = named(&hostname)?;
    let mut check = Check::default();
    let price = check.required("/price_per_cpu_hour", body.0.price_per_cpu_hour, amount);
    let price = check.finish(|| price)?;
    let (store, clock, operator) = (app.store.as_ref(), app.clock.as_ref(), signed.caller.into());
    let host = compute_unit::price(store, clock, &operator, &hostname, price).await?;
    Ok(Success::ok("Compute host priced successfully", host.into()))
}

/// Go on with a server whose initialising or decommissioning failed.
#[utoipa::path(tag = "operators", params(("hostname", description = "The server's name")),
    responses((status = 200, body = Success<ComputeHostView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND", "NOTHING_TO_RETRY"]))))]
#[post("/admin/compute-hosts/{hostname}/retry")]
pub async fn retry_compute_host(
    app: Data<App>,
    signed: Authenticated,
    hostname: Path<String>,
) -> Answer<ComputeHostView> {
    let hostname = named(&hostname)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let operator = signed.caller.into();
    let host = compute_unit::retry_host(store, clock, random, &operator, &hostname).await?;
    Ok(Success::ok("Retry queued successfully", host.into()))
}

/// Count a server as decommissioned that will never answer again.
///
/// Nothing is done there. It must be silent, or have failed to be initialised or decommissioned; and nobody may have
/// one of its units, unless they are to lose them, and pay for none of the time since it fell silent.
#[utoipa::path(tag = "operators",
    params(("hostname", description = "The server's name"),
           ("end_instances" = Option<bool>, Query, description = "Take its units from whoever has them")),
    responses((status = 200, body = Success<ComputeHostView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND", "UNITS_ALLOCATED", "SERVER_ANSWERS"]))))]
#[delete("/admin/compute-hosts/{hostname}")]
pub async fn forget_compute_host(
    app: Data<App>,
    signed: Authenticated,
    hostname: Path<String>,
    request: HttpRequest,
) -> Answer<ComputeHostView> {
    let hostname = named(&hostname)?;
    let mut query = Query::parse(request.query_string());
    let ends_instances = query.flag("end_instances");
    query.finish()?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let request = Forget { operator: signed.caller.into(), hostname, ends_instances };
    let host = compute_unit::forget(store, clock, random, &request).await?;
    Ok(Success::ok("Compute host forgotten successfully", host.into()))
}

/// Make a compute unit whole that could not be allocated, or go on at once with one that could not be wiped.
#[utoipa::path(tag = "operators", params(("compute_id", description = "The unit's name")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "COMPUTE_UNIT_NOT_FOUND", "NOTHING_TO_RETRY"]))))]
#[post("/admin/compute-units/{compute_id}/retry")]
pub async fn retry_compute_unit(
    app: Data<App>,
    signed: Authenticated,
    compute_id: Path<String>,
) -> Answer<Done> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let operator = signed.caller.into();
    compute_unit::retry_unit(store, clock, random, &operator, &compute_id).await?;
    Ok(Success::done("Retry queued successfully"))
}
