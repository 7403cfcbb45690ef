//! Instances.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, patch, post};
use domain::cluster::ClusterId;
use domain::error::Thing;
use domain::host::HostId;
use domain::image::ImageCode;
use domain::instance::{
    self, Boot, CreateInstance, EditInstance, Hostname, InstanceFilter, InstanceId, Keys, Offering,
    Renewal, Status, VolumeWish,
};
use domain::location::LocationCode;
use domain::plan::PlanCode;
use domain::pool::{Label, PoolId};
use domain::script::ScriptId;
use domain::ssh_key::SshKeyId;
use domain::tag::Tags;
use domain::template::TemplateId;
use domain::volume::{Afterwards, VolumeId};
use domain::{Error, Result};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::EventView;
use super::envelope::{Answer, Paging, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, bounded_page};
use super::field::{Check, Field, ID, Nested, amount, as_is, count, ports, whole};
use super::instances_view::{
    ChargesView, GpuWishBody, InstanceBody, InstanceEditBody, InstanceView, VolumeWishBody,
    charges_view, instance_view,
};
use crate::app::App;
use crate::http::Query;

pub fn instance_id(text: &str) -> Result<InstanceId> {
    InstanceId::parse(text).ok_or(Error::NotFound(Thing::Instance))
}

/// Reads a wish for an instance; faults go to `check`.
pub fn wish(
    body: InstanceBody,
    check: &mut Check,
    (signed, once): (Authenticated, IdempotencyHeader),
) -> Option<CreateInstance> {
    let pool_id = check.optional("/pool_id", body.pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let offering = match check.optional("/gpu_offer", body.gpu_offer, as_is) {
        Some(Nested(wish)) => gpus(wish, (body.plan, body.location), check),
        None => plan(body.plan, body.location, check),
    };
    let template_id =
        check.optional("/template_id", body.template_id, |text| TemplateId::parse(&text).ok_or(ID));
    let boot = match template_id {
        Some(id) => Some(of_template(id, (&body.image, &body.os_volume), check)),
        None => boot(body.image, body.os_volume, check),
    };
    let hostname = check.required("/hostname", body.hostname, |text| Hostname::parse(&text));
    let name = check.optional("/name", body.name, |text| Label::parse(&text));
    let description = check.optional("/description", body.description, as_is);
    let key_ids = check.optional("/ssh_key_ids", body.ssh_key_ids, |ids| {
        ids.iter().map(|id| SshKeyId::parse(id).ok_or(ID)).collect::<Result<Vec<_>, _>>()
    });
    let script_id =
        check.optional("/script_id", body.script_id, |text| ScriptId::parse(&text).ok_or(ID));
    let start_script = check.optional("/start_script", body.start_script, as_is);
    let environment = check.optional("/environment", body.environment, as_is);
    let ports = check.optional("/ports", body.ports, ports);
    let volumes = check.optional("/volumes", body.volumes, as_is).unwrap_or_default();
    let volumes = volumes.into_iter().enumerate();
    let volumes: Vec<Option<VolumeWish>> = volumes
        .map(|(at, Nested(wish))| volume_wish(wish, check, &format!("/volumes/{at}")))
        .collect();
    let is_spot = check.optional("/is_spot", body.is_spot, as_is).unwrap_or(false);
    let max_per_hour = check.optional("/max_per_hour", body.max_per_hour, amount);
    let is_on = check.optional("/auto_renew", body.auto_renew, as_is);
    let max_per_gpu = check.optional("/max_renewal_price", body.max_renewal_price, amount);
    let renewal = Renewal { is_on: is_on.unwrap_or(true), max_per_gpu };
    let tags = check.optional("/tags", body.tags, Tags::parse).unwrap_or_default();
    Some(CreateInstance {
        caller: signed.caller,
        pool_id,
        offering: offering?,
        boot: boot?,
        ordered_as: None,
        hostname: hostname?,
        name,
        description: description.unwrap_or_default(),
        keys: Keys::These(key_ids.unwrap_or_default()),
        script_id,
        start_script,
        environment: environment.unwrap_or_default(),
        ports,
        volumes: volumes.into_iter().collect::<Option<_>>()?,
        is_spot,
        max_per_hour,
        renewal,
        tags,
        is_numbered: false,
        idempotency_key: once.0,
    })
}

/// A plan, where it is sold.
fn plan(code: Field<String>, location: Field<String>, check: &mut Check) -> Option<Offering> {
    let code = check.required("/plan", code, |text| PlanCode::parse(&text));
    let location = check.required("/location", location, |text| LocationCode::parse(&text));
    Some(Offering::Plan { code: code?, location: location? })
}

/// Graphics processors of a server, which say where it is.
fn gpus(
    wish: GpuWishBody,
    (plan, location): (Field<String>, Field<String>),
    check: &mut Check,
) -> Option<Offering> {
    for (path, field) in [("/plan", plan), ("/location", location)] {
        if !field.is_absent() {
            check.fault(path, "is not given with gpu_offer, which says it");
        }
    }
    let at = |name: &str| format!("/gpu_offer/{name}");
    let host_id =
        check.required(&at("server_id"), wish.server_id, |text| HostId::parse(&text).ok_or(ID));
    let gpus = check.required(&at("gpus"), wish.gpus, count);
    let disk_gb = check.optional(&at("disk_gb"), wish.disk_gb, whole(1, 65_536));
    let is_machine = check.optional(&at("is_machine"), wish.is_machine, as_is).unwrap_or(false);
    Some(Offering::Gpus { host_id: host_id?, gpus: gpus?, disk_gb, is_machine })
}

/// What a template says, which stands for an image on its own disk.
fn of_template(
    id: TemplateId,
    (image, os_volume): (&Field<String>, &Field<Nested<VolumeWishBody>>),
    check: &mut Check,
) -> Boot {
    let is_given = [("/image", !image.is_absent()), ("/os_volume", !os_volume.is_absent())];
    for (path, _) in is_given.into_iter().filter(|(_, is_given)| *is_given) {
        check.fault(path, "is not given with template_id, which says it");
    }
    Boot::Template(id)
}

/// What it is made from: an image, on a disk of its own or a new volume, or a volume that there is.
fn boot(
    image: Field<String>,
    os_volume: Field<Nested<VolumeWishBody>>,
    check: &mut Check,
) -> Option<Boot> {
    let parse = |text: String| ImageCode::parse(&text);
    let Some(Nested(wish)) = check.optional("/os_volume", os_volume, as_is) else {
        return Some(Boot::OwnDisk(check.required("/image", image, parse)?));
    };
    if !wish.mount_path.is_absent() {
        check.fault("/os_volume/mount_path", "an instance's own disk is mounted at /");
    }
    let wish = volume_wish(wish, check, "/os_volume");
    if let Some(VolumeWish::Existing { id, .. }) = wish {
        if !image.is_absent() {
            check.fault("/image", "is what the volume was made from, and not given again");
        }
        return Some(Boot::Volume(id));
    }
    let image = check.required("/image", image, parse);
    let VolumeWish::New { name, kind, size_gb, on_eviction, .. } = wish? else { return None };
    Some(Boot::NewVolume { image: image?, name, kind, size_gb, on_eviction })
}

/// Reads a wish for a volume: an existing one by its id, or a new one.
pub fn volume_wish(body: VolumeWishBody, check: &mut Check, at: &str) -> Option<VolumeWish> {
    let place = |name: &str| format!("{at}/{name}");
    let path = check.optional(&place("mount_path"), body.mount_path, as_is);
    if !body.id.is_absent() {
        let parse = |text: String| VolumeId::parse(&text).ok_or(ID);
        let id = check.required(&place("id"), body.id, parse)?;
        return Some(VolumeWish::Existing { id, path });
    }
    let name = check.required(&place("name"), body.name, as_is);
    let kind = check.required(&place("type"), body.kind, as_is);
    let size_gb = check.required(&place("size_gb"), body.size_gb, count);
    let on_eviction = check.optional(&place("on_eviction"), body.on_eviction, |text| {
        let advice = "must be keep_detached, move_to_trash or delete_permanently";
        Afterwards::parse(&text).ok_or(advice)
    });
    let on_eviction = on_eviction.unwrap_or_default();
    Some(VolumeWish::New { name: name?, kind: kind?, size_gb: size_gb?, path, on_eviction })
}

/// Order an instance.
///
/// Its place, its price and its volumes are its own from this moment; it is charged by the second from
/// the moment that it is `running`. An order that finds no place is refused with `NO_CAPACITY`.
#[utoipa::path(tag = "instances", request_body = InstanceBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "NO_PRICING", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_NOT_FOUND", "GPU_OFFER_NOT_FOUND", "TEMPLATE_NOT_FOUND", "NO_CAPACITY", "CHARGE_EXCEEDS_MAX", "QUOTA_REACHED", "VOLUME_IN_USE", "VOLUME_IS_DISK", "VOLUME_ELSEWHERE", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/instances")]
pub async fn create_instance(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<InstanceBody>,
) -> Answer<InstanceView> {
    let mut check = Check::default();
    let wish = wish(body.0, &mut check, (signed, once));
    let request = check.finish(|| wish)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let made = Box::pin(instance::create(store, clock, random, policy, request)).await?;
    Ok(Success::created("Instance ordered successfully", one(&app, made).await?))
}

/// An instance as it is shown.
pub async fn one(app: &App, made: instance::Instance) -> Result<InstanceView> {
    instance::detail(app.store.as_ref(), made).await.map(instance_view)
}

/// List the instances of one's pools, newest first.
///
/// Those that are deleted are left out, unless they are asked for by their status.
#[utoipa::path(tag = "instances",
    params(("pool_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this pool"),
           ("status" = Option<String>, Query, description = "Only in this state", example = "running"),
           ("location" = Option<String>, Query, description = "Only at this location", example = "FIN-03"),
           ("cluster_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this cluster"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<InstanceView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/instances")]
pub async fn list_instances(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<InstanceView>> {
    let mut query = Query::parse(request.query_string());
    let filter = InstanceFilter {
        pool_id: query.value("pool_id", |text| PoolId::parse(text).ok_or(ID)),
        status: query.value("status", |text| Status::parse(text).ok_or("is no status")),
        location: query.value("location", LocationCode::parse),
        cluster_id: query.value("cluster_id", |text| ClusterId::parse(text).ok_or(ID)),
        ..InstanceFilter::default()
    };
    let page = bounded_page(&mut query, InstanceId::parse);
    query.finish()?;
    let found = instance::list(app.store.as_ref(), &signed.caller, &filter, page).await?;
    let paging = Paging { next: found.next.map(|id| id.to_string()), total: found.total };
    let views = found.rows.into_iter().map(instance_view).collect();
    Ok(Success::ok("Instances retrieved successfully", views).paged(Some(paging)))
}

/// Look at an instance.
///
/// Also when it is deleted.
#[utoipa::path(tag = "instances", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["INSTANCE_NOT_FOUND"]))))]
#[get("/instances/{id}")]
pub async fn show_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<InstanceView> {
    let (store, vault, caller) = (app.store.as_ref(), app.vault.as_ref(), &signed.caller);
    let detail = instance::show(store, caller, instance_id(&id)?).await?;
    let token = instance::jupyter_token(store, vault, caller, &detail.instance).await?;
    let token = token.map(|token| token.expose_secret().to_owned());
    let view = instance_view(detail).with_jupyter_token(token);
    Ok(Success::ok("Instance retrieved successfully", view))
}

/// Change what an instance is called, what it starts with, and whether it is renewed.
#[utoipa::path(tag = "instances", request_body = InstanceEditBody,
    params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSTANCE_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[patch("/instances/{id}")]
pub async fn edit_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<InstanceEditBody>,
) -> Answer<InstanceView> {
    let (id, body) = (instance_id(&id)?, body.0);
    let mut check = Check::default();
    let request = EditInstance {
        caller: signed.caller,
        id,
        hostname: check.optional("/hostname", body.hostname, |text| Hostname::parse(&text)),
        name: check.optional("/name", body.name, |text| Label::parse(&text)),
        description: check.optional("/description", body.description, as_is),
        tags: check.optional("/tags", body.tags, Tags::parse),
        start_script: check.optional("/start_script", body.start_script, as_is),
        environment: check.optional("/environment", body.environment, as_is),
        renews: check.optional("/auto_renew", body.auto_renew, as_is),
        renewal_max: match body.max_renewal_price {
            Field::Null => Some(None),
            price => check.optional("/max_renewal_price", price, amount).map(Some),
        },
    };
    let request = check.finish(|| Some(request))?;
    let edited = instance::edit(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::ok("Instance changed successfully", one(&app, edited).await?))
}

/// What an instance has cost so far, to the second.
#[utoipa::path(tag = "instances", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<ChargesView>)),
    extensions(("x-errors" = json!(["INSTANCE_NOT_FOUND"]))))]
#[get("/instances/{id}/charges")]
pub async fn instance_charges(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<ChargesView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let charges = instance::charges(store, clock, &signed.caller, instance_id(&id)?).await?;
    Ok(Success::ok("Charges retrieved successfully", charges_view(charges)))
}

/// What happened to an instance, newest first: the newest 500 events.
#[utoipa::path(tag = "instances", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<Vec<EventView>>)),
    extensions(("x-errors" = json!(["INSTANCE_NOT_FOUND"]))))]
#[get("/instances/{id}/history")]
pub async fn instance_history(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Vec<EventView>> {
    let events = instance::history(app.store.as_ref(), &signed.caller, instance_id(&id)?).await?;
    let views = events.into_iter().map(Into::into).collect();
    Ok(Success::ok("History retrieved successfully", views))
}

#[derive(Serialize, ToSchema)]
pub struct LogsView {
    /// The newest lines, the oldest of them first.
    text: String,
}

/// The newest lines that an instance printed.
#[utoipa::path(tag = "instances",
    params(("id", description = "Instance identifier"),
           ("lines" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "How many; 200 if not given")),
    responses((status = 200, body = Success<LogsView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSTANCE_NOT_FOUND", "HOST_UNREACHABLE"]))))]
#[get("/instances/{id}/logs")]
pub async fn instance_logs(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    request: HttpRequest,
) -> Answer<LogsView> {
    let mut query = Query::parse(request.query_string());
    let lines = query.number("lines", 1, 10_000).unwrap_or(200);
    query.finish()?;
    let (store, driver) = (app.store.as_ref(), app.instances.as_ref());
    let wanted = (instance_id(&id)?, lines);
    let text = instance::logs(store, driver, &signed.caller, wanted).await?;
    Ok(Success::ok("Logs retrieved successfully", LogsView { text }))
}

/// What an instance uses; all null if it does not run.
#[derive(Default, Serialize, ToSchema)]
pub struct LoadView {
    /// Thousandths of one CPU.
    cpu_milli: Option<u64>,
    ram_bytes: Option<u64>,
    /// Since it started.
    received_bytes: Option<u64>,
    sent_bytes: Option<u64>,
}

/// What an instance uses at this moment.
#[utoipa::path(tag = "instances", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<LoadView>)),
    extensions(("x-errors" = json!(["INSTANCE_NOT_FOUND", "HOST_UNREACHABLE"]))))]
#[get("/instances/{id}/load")]
pub async fn instance_load(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<LoadView> {
    let (store, driver) = (app.store.as_ref(), app.instances.as_ref());
    let load = instance::load(store, driver, &signed.caller, instance_id(&id)?).await?;
    let view = load.map_or_else(LoadView::default, |load| LoadView {
        cpu_milli: Some(load.cpu_milli),
        ram_bytes: Some(load.ram_bytes),
        received_bytes: Some(load.received_bytes),
        sent_bytes: Some(load.sent_bytes),
    });
    Ok(Success::ok("Load retrieved successfully", view))
}

#[derive(Deserialize, ToSchema)]
pub struct TransferBody {
    /// One in which one is an owner or admin.
    #[schema(value_type = String, required, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pool_id: Field<String>,
}

/// Give an instance and its volumes to another pool.
///
/// The other pool's owner pays from this second on.
#[utoipa::path(tag = "instances", request_body = TransferBody,
    params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "INSTANCE_NOT_FOUND", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTANCE_BUSY", "PART_OF_CLUSTER"]))))]
#[post("/instances/{id}/transfer")]
pub async fn transfer_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<TransferBody>,
) -> Answer<InstanceView> {
    let id = instance_id(&id)?;
    let mut check = Check::default();
    let pool_id = check.required("/pool_id", body.0.pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let pool_id = check.finish(|| pool_id)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let by = (&app.settings.instance_policy, &signed.caller);
    let moved = Box::pin(instance::transfer(store, clock, random, by, (id, pool_id))).await?;
    Ok(Success::ok("Instance transferred successfully", one(&app, moved).await?))
}
