//! What operators do with hosts that carry instances.

use std::net::IpAddr;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, patch, put};
use domain::capacity::{
    self, Capacity, FurnishHost, Health, HostCarrying, HostChange, NetworkName, PortRange, Slot,
    StorageDraft, StorageName,
};
use domain::error::Thing;
use domain::host::HostId;
use domain::instance::{DriverKind, InstanceId};
use domain::location::LocationCode;
use domain::plan::GpuShape;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, page};
use super::field::{Check, Field, Nested, as_is, count};
use super::plans_view::{GpuBody, GpuView};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

pub fn host_id(text: &str) -> Result<HostId> {
    HostId::parse(text).ok_or(Error::NotFound(Thing::Server))
}

#[derive(Deserialize, ToSchema)]
pub struct CapacityBody {
    #[schema(value_type = String, required, example = "FIN-03")]
    #[serde(default)]
    location: Field<String>,
    /// Hosts that name the same storage share their volumes; without a name it has one of its own.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._~-]{1,64}$")]
    #[serde(default)]
    storage: Field<String>,
    /// The size of the whole storage.
    #[schema(value_type = u32, required, minimum = 1, example = 2000)]
    #[serde(default)]
    storage_gb: Field<i64>,
    /// `simulated` or `docker`.
    #[schema(value_type = String, required, example = "simulated")]
    #[serde(default)]
    driver: Field<String>,
    /// How the driver reaches the host. For `docker`: `endpoint` (`unix:///run/docker.sock`,
    /// `https://host:2376` with the paths `ca`, `certificate` and `key`), `publish_on`, `limits`, …
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    settings: Field<Map<String, Value>>,
    /// Where its published ports are reached.
    #[schema(value_type = String, required, example = "203.0.113.7")]
    #[serde(default)]
    address: Field<String>,
    /// Addresses to give away, one an instance; without any, ports are published.
    #[schema(value_type = Option<Vec<String>>, max_items = 1024)]
    #[serde(default)]
    addresses: Field<Vec<String>>,
    /// The network that brings these addresses to any server of it, for instances that go on elsewhere: every
    /// server of a network can publish on the addresses of all of them.
    #[schema(value_type = Option<String>, example = "fsn1-public")]
    #[serde(default)]
    network: Field<String>,
    #[schema(value_type = u16, required, minimum = 1, maximum = 65535, example = 20000)]
    #[serde(default)]
    first_port: Field<i64>,
    #[schema(value_type = u16, required, minimum = 1, maximum = 65535, example = 29999)]
    #[serde(default)]
    last_port: Field<i64>,
    /// Whether every instance gets CPUs of its own.
    #[schema(value_type = Option<bool>, example = false)]
    #[serde(default)]
    pins_cpus: Field<bool>,
    #[schema(value_type = u32, required, minimum = 1, maximum = 65536, example = 64)]
    #[serde(default)]
    cpus: Field<i64>,
    #[schema(value_type = u32, required, minimum = 64, example = 262_144)]
    #[serde(default)]
    ram_mib: Field<i64>,
    #[schema(value_type = Option<GpuBody>)]
    #[serde(default)]
    gpu: Field<Nested<GpuBody>>,
    /// Figures of benchmarks.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    benchmark: Field<Map<String, Value>>,
}

#[derive(Deserialize, ToSchema)]
pub struct CapacityEditBody {
    /// Whether no new instance is to come.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    is_draining: Field<bool>,
}

/// What is taken of a host, or what it has.
#[derive(Serialize, ToSchema)]
pub struct AmountsView {
    cpus: u32,
    ram_mib: u32,
    gpus: u32,
}

/// A host that carries instances.
#[derive(Serialize, ToSchema)]
pub struct CapacityView {
    server_id: String,
    location: String,
    storage: String,
    #[schema(example = "simulated")]
    driver: &'static str,
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    address: String,
    addresses: Vec<String>,
    network: Option<String>,
    first_port: u16,
    last_port: u16,
    pins_cpus: bool,
    total: AmountsView,
    used: AmountsView,
    instances: u32,
    gpu: Option<GpuView>,
    is_draining: bool,
    /// Since when its driver does not reach it.
    #[schema(value_type = Option<String>, format = DateTime)]
    unreachable_since: Option<Stamp>,
    #[schema(value_type = Object)]
    benchmark: Map<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<Capacity> for CapacityView {
    fn from(capacity: Capacity) -> Self {
        let used = capacity.used;
        let gpus = capacity.gpu.as_ref().map_or(0, |gpu| gpu.count);
        Self {
            server_id: capacity.host_id.to_string(),
            location: capacity.location.to_string(),
            storage: capacity.storage.to_string(),
            driver: capacity.driver.as_str(),
            settings: capacity.settings,
            address: capacity.address.to_string(),
            addresses: capacity.addresses.iter().map(ToString::to_string).collect(),
            network: capacity.network.map(|network| network.to_string()),
            first_port: capacity.ports.from,
            last_port: capacity.ports.until,
            pins_cpus: capacity.pins_cpus,
            total: AmountsView { cpus: capacity.cpus, ram_mib: capacity.ram_mib, gpus },
            used: AmountsView { cpus: used.cpus, ram_mib: used.ram_mib, gpus: used.gpus },
            instances: used.instances,
            gpu: capacity.gpu.map(Into::into),
            is_draining: capacity.is_draining,
            unreachable_since: match capacity.health {
                Health::Healthy => None,
                Health::Unreachable { since } => Some(Stamp(since)),
            },
            benchmark: capacity.benchmark,
            updated_at: Stamp(capacity.updated_at),
        }
    }
}

/// What one instance has alone.
#[derive(Serialize, ToSchema)]
pub struct SlotView {
    /// `gpu`, `cpu`, `port` or `address`.
    #[schema(example = "port")]
    kind: &'static str,
    #[schema(example = "20000")]
    name: String,
    instance_id: String,
}

/// A host that carries instances, with what is held by whom.
#[derive(Serialize, ToSchema)]
pub struct HostCarryingView {
    capacity: CapacityView,
    storage_gb: u32,
    storage_used_gb: u32,
    slots: Vec<SlotView>,
}

impl From<HostCarrying> for HostCarryingView {
    fn from(host: HostCarrying) -> Self {
        let slot = |(slot, id): (Slot, InstanceId)| {
            let (kind, name) = slot.stored();
            SlotView { kind, name, instance_id: id.to_string() }
        };
        Self {
            capacity: host.capacity.into(),
            storage_gb: host.storage.size_gb,
            storage_used_gb: host.storage.used_gb,
            slots: host.slots.into_iter().map(slot).collect(),
        }
    }
}

fn address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "must be an IPv4 or IPv6 address")
}

fn furnishing(host_id: HostId, body: CapacityBody, signed: Authenticated) -> Result<FurnishHost> {
    let mut check = Check::default();
    let port = |port: i64| u16::try_from(port).map_err(|_| "must be 1 to 65535");
    let location = check.required("/location", body.location, |text| LocationCode::parse(&text));
    let name = check.optional("/storage", body.storage, |text| StorageName::parse(&text));
    let size_gb = check.required("/storage_gb", body.storage_gb, count);
    let driver = check.required("/driver", body.driver, |text| {
        DriverKind::parse(&text).ok_or("must be simulated or docker")
    });
    let settings = check.optional("/settings", body.settings, as_is);
    let reached = check.required("/address", body.address, |text| address(&text));
    let addresses = check.optional("/addresses", body.addresses, |texts| {
        texts.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>()
    });
    let network = check.optional("/network", body.network, |text| NetworkName::parse(&text));
    let from = check.required("/first_port", body.first_port, port);
    let until = check.required("/last_port", body.last_port, port);
    let pins_cpus = check.optional("/pins_cpus", body.pins_cpus, as_is).unwrap_or(false);
    let cpus = check.required("/cpus", body.cpus, count);
    let ram_mib = check.required("/ram_mib", body.ram_mib, count);
    let gpu = check.optional("/gpu", body.gpu, as_is);
    let gpu = gpu.map(|Nested(gpu)| {
        let model = check.required("/gpu/model", gpu.model, as_is);
        let of = check.required("/gpu/count", gpu.count, count);
        let memory_mib = check.required("/gpu/memory_mib", gpu.memory_mib, count);
        Some(GpuShape { model: model?, count: of?, memory_mib: memory_mib? })
    });
    let benchmark = check.optional("/benchmark", body.benchmark, as_is);
    check.finish(|| {
        Some(FurnishHost {
            operator: signed.caller.into(),
            host_id,
            location: location?,
            storage: StorageDraft { name, size_gb: size_gb? },
            driver: driver?,
            settings: settings.unwrap_or_default(),
            address: reached?,
            addresses: addresses.unwrap_or_default(),
            network,
            ports: PortRange { from: from?, until: until? },
            pins_cpus,
            cpus: cpus?,
            ram_mib: ram_mib?,
            gpu: match gpu {
                Some(gpu) => Some(gpu?),
                None => None,
            },
            benchmark: benchmark.unwrap_or_default(),
        })
    })
}

/// Say what a server has for instances.
///
/// It is then no longer offered as a whole. What instances hold cannot be taken away.
#[utoipa::path(tag = "operators", request_body = CapacityBody,
    params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<HostCarryingView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND", "SERVER_UNAVAILABLE", "CAPACITY_IN_USE", "CUT_INTO_UNITS"]))))]
#[put("/admin/servers/{id}/capacity")]
pub async fn furnish_server(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<CapacityBody>,
) -> Answer<HostCarryingView> {
    let request = furnishing(host_id(&id)?, body.0, signed)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let host = capacity::furnish(store, clock, app.instances.as_ref(), request).await?;
    Ok(Success::ok("Capacity saved successfully", host.into()))
}

/// Look at what a server has for instances.
#[utoipa::path(tag = "operators", params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<HostCarryingView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[get("/admin/servers/{id}/capacity")]
pub async fn show_capacity(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<HostCarryingView> {
    let operator = signed.caller.into();
    let host = capacity::show(app.store.as_ref(), &operator, host_id(&id)?).await?;
    Ok(Success::ok("Capacity retrieved successfully", host.into()))
}

/// Drain a server of instances, or open it again.
#[utoipa::path(tag = "operators", request_body = CapacityEditBody,
    params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<HostCarryingView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[patch("/admin/servers/{id}/capacity")]
pub async fn change_capacity(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<CapacityEditBody>,
) -> Answer<HostCarryingView> {
    let id = host_id(&id)?;
    let mut check = Check::default();
    let is_draining = check.optional("/is_draining", body.0.is_draining, as_is);
    let change = check.finish(|| Some(HostChange { is_draining }))?;
    let (store, clock, operator) = (app.store.as_ref(), app.clock.as_ref(), signed.caller.into());
    let host = capacity::change(store, clock, &operator, id, change).await?;
    Ok(Success::ok("Capacity changed successfully", host.into()))
}

/// List the servers that carry instances, oldest first.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<CapacityView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/capacities")]
pub async fn list_capacities(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<CapacityView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, HostId::parse);
    query.finish()?;
    let found = capacity::all(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Capacities retrieved successfully", views).continued(next))
}
