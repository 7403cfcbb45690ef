//! Volumes.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post};
use domain::error::Thing;
use domain::instance::{Charges, InstanceId};
use domain::location::LocationCode;
use domain::pool::PoolId;
use domain::tag::Tags;
use domain::volume::{
    self, Afterwards, CloneVolume, CreateVolume, EditVolume, Volume, VolumeFilter, VolumeId,
    VolumeState, VolumeStatus,
};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, bounded_page};
use super::field::{Check, Field, ID, as_is, count};
use super::instances_view::{ChargesView, charges_view};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

const AFTERWARDS: &str = "must be keep_detached, move_to_trash or delete_permanently";

fn volume_id(text: &str) -> Result<VolumeId> {
    VolumeId::parse(text).ok_or(Error::NotFound(Thing::Volume))
}

#[derive(Deserialize, ToSchema)]
pub struct VolumeBody {
    /// The pool that it is for, and whose owner pays; one's default pool if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pool_id: Field<String>,
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "data")]
    #[serde(default)]
    name: Field<String>,
    /// One of `GET /volume-types`.
    #[serde(rename = "type", default)]
    #[schema(value_type = String, required, example = "NVMe")]
    kind: Field<String>,
    #[schema(value_type = u32, required, minimum = 1, maximum = 1_000_000, example = 10)]
    #[serde(default)]
    size_gb: Field<i64>,
    #[schema(value_type = String, required, example = "FIN-03")]
    #[serde(default)]
    location: Field<String>,
    /// What becomes of it when a spot instance that has it is evicted; `keep_detached` if not given.
    #[schema(value_type = Option<String>, pattern = "^(keep_detached|move_to_trash|delete_permanently)$")]
    #[serde(default)]
    on_eviction: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct VolumeEditBody {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "more-data")]
    #[serde(default)]
    name: Field<String>,
    /// Never smaller than it is.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    #[serde(default)]
    size_gb: Field<i64>,
}

#[derive(Deserialize, ToSchema)]
pub struct AttachBody {
    /// A stopped instance of the same pool, where the volume is.
    #[schema(value_type = String, required, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    instance_id: Field<String>,
    /// Where it is mounted; `/mnt/` and its id if not given.
    #[schema(value_type = Option<String>, max_length = 255, example = "/data")]
    #[serde(default)]
    mount_path: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct CloneBody {
    /// Its own name with `-clone` if not given.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "copy")]
    #[serde(default)]
    name: Field<String>,
}

/// A volume.
#[derive(Serialize, ToSchema)]
pub struct VolumeView {
    #[schema(example = "507f1f77bcf86cd799439801")]
    id: String,
    pool_id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    size_gb: u32,
    location: String,
    /// `creating`, `attached`, `detached`, `trashed`, `deleting`, `deleted` or `failed`.
    #[schema(example = "detached")]
    status: &'static str,
    /// The instance that has it.
    instance_id: Option<String>,
    mount_path: Option<String>,
    /// The image that was put on it, if it is the disk of an instance or was.
    os_image: Option<String>,
    /// Whether all instances of a cluster have it.
    is_shared: bool,
    /// What becomes of it when a spot instance that has it is evicted.
    #[schema(example = "keep_detached")]
    on_eviction: &'static str,
    /// What a month of it costs, 730 hours; in the trash nothing.
    #[schema(example = "2")]
    price_per_month: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// When it is destroyed, if it is in the trash.
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_permanently_at: Option<Stamp>,
}

impl From<Volume> for VolumeView {
    fn from(volume: Volume) -> Self {
        let price = volume.price_per_month();
        let at = match volume.state {
            VolumeState::Trashed { delete_at, .. } => Some(delete_at),
            VolumeState::Deleted { at } => Some(at),
            VolumeState::Live | VolumeState::Deleting | VolumeState::Failed { .. } => None,
        };
        Self {
            id: volume.id.to_string(),
            pool_id: volume.pool_id.to_string(),
            status: volume.status().as_str(),
            name: volume.name,
            kind: volume.kind,
            size_gb: volume.size_gb,
            location: volume.location.to_string(),
            instance_id: volume.attachment.as_ref().map(|to| to.instance_id.to_string()),
            mount_path: volume.attachment.map(|to| to.path),
            os_image: volume.disk.map(|disk| disk.image.image),
            is_shared: volume.is_shared,
            on_eviction: volume.on_eviction.as_str(),
            price_per_month: price.to_decimal().to_string(),
            created_at: Stamp(volume.created_at),
            deleted_permanently_at: at.map(Stamp),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct VolumeTypeView {
    #[serde(rename = "type")]
    #[schema(example = "NVMe")]
    kind: String,
    #[schema(example = "0.2")]
    price_per_gb_month: String,
    #[schema(example = "USD")]
    currency: String,
}

/// List the kinds of volumes that are offered.
#[utoipa::path(tag = "volumes", responses((status = 200, body = Success<Vec<VolumeTypeView>>)))]
#[get("/volume-types")]
pub async fn list_volume_types(
    app: Data<App>,
    signed: Authenticated,
) -> Answer<Vec<VolumeTypeView>> {
    let offered = &app.settings.instance_policy.volume_types;
    let types = volume::types(&signed.caller, offered)?.iter();
    let view = |kind: &volume::VolumeType| VolumeTypeView {
        kind: kind.name.clone(),
        price_per_gb_month: kind.price_per_gb.to_decimal().to_string(),
        currency: app.settings.currency.clone(),
    };
    Ok(Success::ok("Volume types retrieved successfully", types.map(view).collect()))
}

/// List the volumes of one's pools, newest first.
///
/// Those in the trash or gone are left out, unless they are asked for by their status.
#[utoipa::path(tag = "volumes",
    params(("pool_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this pool"),
           ("status" = Option<String>, Query, description = "Only in this state", example = "trashed"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<VolumeView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/volumes")]
pub async fn list_volumes(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<VolumeView>> {
    let mut query = Query::parse(request.query_string());
    let filter = VolumeFilter {
        pool_id: query.value("pool_id", |text| PoolId::parse(text).ok_or(ID)),
        status: query.value("status", |text| VolumeStatus::parse(text).ok_or("is no status")),
    };
    let page = bounded_page(&mut query, VolumeId::parse);
    query.finish()?;
    let found = volume::list(app.store.as_ref(), &signed.caller, &filter, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Volumes retrieved successfully", views).continued(next))
}

/// Order a volume.
#[utoipa::path(tag = "volumes", request_body = VolumeBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "NO_CAPACITY", "QUOTA_REACHED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/volumes")]
pub async fn create_volume(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<VolumeBody>,
) -> Answer<VolumeView> {
    let body = body.0;
    let mut check = Check::default();
    let pool_id = check.optional("/pool_id", body.pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let name = check.required("/name", body.name, as_is);
    let kind = check.required("/type", body.kind, as_is);
    let size_gb = check.required("/size_gb", body.size_gb, count);
    let location = check.required("/location", body.location, |text| LocationCode::parse(&text));
    let on_eviction = check.optional("/on_eviction", body.on_eviction, |text| {
        Afterwards::parse(&text).ok_or(AFTERWARDS)
    });
    let request = check.finish(|| {
        Some(CreateVolume {
            caller: signed.caller,
            pool_id,
            name: name?,
            kind: kind?,
            size_gb: size_gb?,
            location: location?,
            instance_id: None,
            tags: Tags::default(),
            on_eviction: on_eviction.unwrap_or_default(),
            idempotency_key: once.0,
        })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let offered = (policy.volume_types.as_slice(), policy.funds);
    let made = Box::pin(volume::create(store, clock, random, offered, request)).await?;
    Ok(Success::created("Volume ordered successfully", made.into()))
}

/// Look at a volume.
///
/// Also when it is gone.
#[utoipa::path(tag = "volumes", params(("id", description = "Volume identifier")),
    responses((status = 200, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VOLUME_NOT_FOUND"]))))]
#[get("/volumes/{id}")]
pub async fn show_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<VolumeView> {
    let found = volume::show(app.store.as_ref(), &signed.caller, volume_id(&id)?).await?;
    Ok(Success::ok("Volume retrieved successfully", found.into()))
}

/// Rename a volume, or make it larger.
#[utoipa::path(tag = "volumes", request_body = VolumeEditBody,
    params(("id", description = "Volume identifier")),
    responses((status = 200, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "VOLUME_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_IN_USE", "NO_CAPACITY"]))))]
#[patch("/volumes/{id}")]
pub async fn edit_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<VolumeEditBody>,
) -> Answer<VolumeView> {
    let id = volume_id(&id)?;
    let mut check = Check::default();
    let name = check.optional("/name", body.0.name, as_is);
    let size_gb = check.optional("/size_gb", body.0.size_gb, count);
    let caller = signed.caller;
    let request = check.finish(|| Some(EditVolume { caller, id, name, size_gb }))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let funds = app.settings.instance_policy.funds;
    let edited = Box::pin(volume::edit(store, clock, random, funds, request)).await?;
    Ok(Success::ok("Volume changed successfully", edited.into()))
}

/// Put a volume that nothing has into the trash, or destroy it.
///
/// It can be restored for 96 hours, and costs nothing there.
#[utoipa::path(tag = "volumes",
    params(("id", description = "Volume identifier"),
           ("permanently" = Option<bool>, Query, description = "Destroy it at once")),
    responses((status = 200, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "VOLUME_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_IN_USE"]))))]
#[delete("/volumes/{id}")]
pub async fn delete_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    request: HttpRequest,
) -> Answer<VolumeView> {
    let id = volume_id(&id)?;
    let mut query = Query::parse(request.query_string());
    let permanently = query.flag("permanently");
    query.finish()?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let wanted = (id, permanently);
    let deleted = Box::pin(volume::delete(store, clock, random, &signed.caller, wanted)).await?;
    Ok(Success::ok("Volume deleted successfully", deleted.into()))
}

/// Take a volume out of the trash.
#[utoipa::path(tag = "volumes", params(("id", description = "Volume identifier")),
    responses((status = 200, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["INSUFFICIENT_BALANCE", "VOLUME_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_NOT_IN_TRASH"]))))]
#[post("/volumes/{id}/restore")]
pub async fn restore_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<VolumeView> {
    let id = volume_id(&id)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let by = (app.settings.instance_policy.funds, &signed.caller);
    let restored = Box::pin(volume::restore(store, clock, random, by, id)).await?;
    Ok(Success::ok("Volume restored successfully", restored.into()))
}

/// Give a volume to a stopped instance, which mounts it at its next start.
#[utoipa::path(tag = "volumes", request_body = AttachBody,
    params(("id", description = "Volume identifier")),
    responses((status = 200, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "VOLUME_NOT_FOUND", "INSTANCE_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_IN_USE", "VOLUME_IS_DISK", "VOLUME_ELSEWHERE", "INSTANCE_NOT_STOPPED"]))))]
#[post("/volumes/{id}/attach")]
pub async fn attach_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<AttachBody>,
) -> Answer<VolumeView> {
    let id = volume_id(&id)?;
    let mut check = Check::default();
    let instance_id = check
        .required("/instance_id", body.0.instance_id, |text| InstanceId::parse(&text).ok_or(ID));
    let path = check.optional("/mount_path", body.0.mount_path, as_is);
    let to = check.finish(|| Some((instance_id?, path)))?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let attached = volume::attach(store, clock, &signed.caller, id, to).await?;
    Ok(Success::ok("Volume attached successfully", attached.into()))
}

/// Take a volume back from a stopped instance.
#[utoipa::path(tag = "volumes", params(("id", description = "Volume identifier")),
    responses((status = 200, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VOLUME_NOT_FOUND", "INSTANCE_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_DETACHED", "VOLUME_IN_USE", "VOLUME_IS_DISK", "INSTANCE_NOT_STOPPED"]))))]
#[post("/volumes/{id}/detach")]
pub async fn detach_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<VolumeView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let detached = volume::detach(store, clock, &signed.caller, volume_id(&id)?).await?;
    Ok(Success::ok("Volume detached successfully", detached.into()))
}

/// Order a copy of a volume that nothing has.
#[utoipa::path(tag = "volumes", request_body = CloneBody,
    params(("id", description = "Volume identifier"),
           ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<VolumeView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "VOLUME_NOT_FOUND", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "VOLUME_IN_USE", "NO_CAPACITY", "QUOTA_REACHED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/volumes/{id}/clone")]
pub async fn clone_volume(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    once: IdempotencyHeader,
    body: Body<CloneBody>,
) -> Answer<VolumeView> {
    let id = volume_id(&id)?;
    let mut check = Check::default();
    let name = check.optional("/name", body.0.name, as_is);
    let (caller, idempotency_key) = (signed.caller, once.0);
    let request =
        check.finish(|| Some(CloneVolume { caller, volume_id: id, name, idempotency_key }))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let offered = (policy.volume_types.as_slice(), policy.funds);
    let copy = Box::pin(volume::clone(store, clock, random, offered, request)).await?;
    Ok(Success::created("Copy ordered successfully", copy.into()))
}

/// What a volume has cost so far, to the second.
#[utoipa::path(tag = "volumes", params(("id", description = "Volume identifier")),
    responses((status = 200, body = Success<ChargesView>)),
    extensions(("x-errors" = json!(["VOLUME_NOT_FOUND"]))))]
#[get("/volumes/{id}/charges")]
pub async fn volume_charges(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<ChargesView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let (lines, bookings) = volume::charges(store, clock, &signed.caller, volume_id(&id)?).await?;
    Ok(Success::ok(
        "Charges retrieved successfully",
        charges_view(Charges { lines, bookings, payments: Vec::new() }),
    ))
}
