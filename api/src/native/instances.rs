//! Instances.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, patch, post};
use domain::cluster::ClusterId;
use domain::error::Thing;
use domain::instance::{self, EditInstance, Hostname, InstanceFilter, InstanceId, Status};
use domain::location::LocationCode;
use domain::pool::{Label, PoolId};
use domain::tag::Tags;
use domain::template::TemplateId;
use domain::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::EventView;
use super::envelope::{Answer, Paging, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, bounded_page};
use super::field::{Check, Field, ID, amount, as_is, count};
use super::instance_wish::wish;
use super::instances_view::{
    ChargesView, InstanceBody, InstanceEditBody, InstanceView, charges_view, instance_view,
};
use crate::app::App;
use crate::http::Query;

pub fn instance_id(text: &str) -> Result<InstanceId> {
    InstanceId::parse(text).ok_or(Error::NotFound(Thing::Instance))
}

/// Order an instance.
///
/// Its place, its price and its volumes are its own from this moment; it is charged by the second from
/// the moment that it is `running`, or pays for the first `interval` at once. What was paid and could not be
/// used, because it could not be made or was lost, is given back. An order that finds no place is refused with `NO_CAPACITY`.
#[utoipa::path(tag = "instances", request_body = InstanceBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "NO_PRICING", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_NOT_FOUND", "GPU_OFFER_NOT_FOUND", "TEMPLATE_NOT_FOUND", "NO_CAPACITY", "CHARGE_EXCEEDS_MAX", "PRICE_CHANGED", "QUOTA_REACHED", "VOLUME_IN_USE", "VOLUME_IS_DISK", "VOLUME_ELSEWHERE", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
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
    let (store, clock, means) = (app.store.as_ref(), app.clock.as_ref(), app.means());
    let policy = &app.settings.instance_policy;
    let made = Box::pin(instance::create(store, clock, means, policy, request)).await?;
    Ok(Success::created("Instance ordered successfully", one(&app, made).await?))
}

/// An instance as it is shown.
pub async fn one(app: &App, made: instance::Instance) -> Result<InstanceView> {
    let now = app.clock.now();
    instance::detail(app.store.as_ref(), made).await.map(|detail| instance_view(detail, now))
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
    let now = app.clock.now();
    let views = found.rows.into_iter().map(|row| instance_view(row, now)).collect();
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
    let password = instance::password(store, vault, caller, &detail.instance).await?;
    let told = |secret: Option<SecretString>| secret.map(|text| text.expose_secret().to_owned());
    let view = instance_view(detail, app.clock.now()).with_secrets(told(token), told(password));
    Ok(Success::ok("Instance retrieved successfully", view))
}

/// Change what an instance is called, what it starts with and is made from, how large its disk is, and whether it is
/// renewed.
#[utoipa::path(tag = "instances", request_body = InstanceEditBody,
    params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "INSTANCE_NOT_FOUND", "TEMPLATE_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTANCE_BUSY", "INSTANCE_LOCKED", "INSTANCE_DELETED", "PART_OF_CLUSTER", "NO_CAPACITY", "NOT_FOR_UNITS"]))))]
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
        template_id: check
            .optional("/template_id", body.template_id, |text| TemplateId::parse(&text).ok_or(ID)),
        disk_gb: check.optional("/disk_gb", body.disk_gb, count),
        is_locked: check.optional("/is_locked", body.is_locked, as_is),
        renews: check.optional("/auto_renew", body.auto_renew, as_is),
        renewal_max: match body.max_renewal_price {
            Field::Null => Some(None),
            price => check.optional("/max_renewal_price", price, amount).map(Some),
        },
    };
    let request = check.finish(|| Some(request))?;
    let edited = app.edit_instance(request).await?;
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
