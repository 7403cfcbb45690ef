//! Volumes: ordered, listed, shown, deleted.

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::{Error, Thing};
use domain::instance::{self, InstanceId};
use domain::location::LocationCode;
use domain::page::Page;
use domain::volume::{
    self, CreateVolume, Volume, VolumeFilter, VolumeId, VolumeState, VolumeStatus,
};
use serde::Deserialize;
use serde_json::Value;

use super::body::Json;
use super::error::Failure;
use super::input::{Whole, afterwards, invalid, parsed, required};
use super::project::Project;
use super::view::ordered;
use super::volumes_view::{volume as shown, word_of};
use super::{reading, resource, volume_actions};
use crate::app::App;
use crate::http::Query;

/// The newest of those in the trash that a list names; a pool has no more volumes than this.
const MOST_IN_TRASH: u32 = 10_000;

#[derive(Deserialize)]
struct NewVolume {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    size: Option<Whole>,
    location_code: Option<String>,
    instance_id: Option<String>,
    instance_ids: Option<Vec<String>>,
    on_spot_discontinue: Option<String>,
    tags: Option<Vec<super::input::NewTag>>,
}

#[derive(Deserialize, Default)]
struct Deletion {
    is_permanent: Option<bool>,
}

/// The collection, the trash, and the members.
pub fn operations(config: &mut ServiceConfig) {
    let collection = resource("/volumes")
        .route(web::get().to(list))
        .route(web::post().to(create))
        .route(web::put().to(volume_actions::act));
    let trash = reading("/volumes/trash", list_trash);
    let member =
        resource("/volumes/{id}").route(web::get().to(show)).route(web::delete().to(delete));
    config.service(collection).service(trash).service(member);
}

async fn list(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let status = query.text("status", 30);
    query.finish()?;
    let mut volumes = read(&app, &project, None, None).await?;
    if status.as_deref() == Some("deleted") {
        volumes
            .extend(read(&app, &project, Some(VolumeStatus::Trashed), Some(MOST_IN_TRASH)).await?);
    }
    let shown = all_shown(&app, &project, &volumes).await?;
    let is_wanted = |row: &Value| status.as_deref().is_none_or(|status| row["status"] == status);
    let rows: Vec<Value> = shown.into_iter().filter(is_wanted).collect();
    Ok(HttpResponse::Ok().json(rows))
}

/// What can be restored.
async fn list_trash(app: Data<App>, project: Project) -> Result<HttpResponse, Failure> {
    let trashed = Some(VolumeStatus::Trashed);
    let volumes = read(&app, &project, trashed, Some(MOST_IN_TRASH)).await?;
    Ok(HttpResponse::Ok().json(all_shown(&app, &project, &volumes).await?))
}

async fn read(
    app: &App,
    project: &Project,
    status: Option<VolumeStatus>,
    limit: Option<u32>,
) -> Result<Vec<Volume>, Failure> {
    let filter = VolumeFilter { pool_id: Some(project.pool_id), status };
    let page = Page { after: None, limit };
    Ok(volume::list(app.store.as_ref(), &project.caller, &filter, page).await?.rows)
}

async fn all_shown(
    app: &App,
    project: &Project,
    volumes: &[Volume],
) -> Result<Vec<Value>, Failure> {
    let holders = instance::having(app.store.as_ref(), &project.caller, volumes).await?;
    let currency = app.settings.currency.to_ascii_lowercase();
    Ok(volumes.iter().map(|volume| shown(volume, &holders, &currency)).collect())
}

/// One, also when it is gone.
async fn show(app: Data<App>, project: Project, id: Path<String>) -> Result<HttpResponse, Failure> {
    let volume = find(&app, &project, &id).await?;
    let shown = all_shown(&app, &project, std::slice::from_ref(&volume)).await?;
    Ok(HttpResponse::Ok().json(shown.into_iter().next()))
}

/// A volume of the project.
pub async fn find(app: &App, project: &Project, id: &str) -> Result<Volume, Failure> {
    let id = VolumeId::parse_uuid(id).ok_or(Error::NotFound(Thing::Volume))?;
    Ok(volume::show(app.store.as_ref(), &project.caller, id).await?)
}

async fn create(
    app: Data<App>,
    project: Project,
    body: Json<NewVolume>,
) -> Result<HttpResponse, Failure> {
    let body = body.0;
    let location = required(body.location_code, "location_code")?;
    let instance_id = only_instance(body.instance_id, body.instance_ids)?;
    let request = CreateVolume {
        pool_id: Some(project.pool_id),
        caller: project.caller,
        name: required(body.name, "name")?,
        kind: required(body.kind, "type")?,
        size_gb: required(body.size, "size")?.read("size")?,
        location: parsed(&location, "location_code", LocationCode::parse)?,
        instance_id,
        on_eviction: afterwards(body.on_spot_discontinue)?,
        tags: super::input::tags(body.tags)?,
        idempotency_key: None,
    };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let sold = (policy.volume_types.as_slice(), policy.funds);
    let made = Box::pin(volume::create(store, clock, random, sold, request)).await?;
    Ok(ordered(made.id.uuid()))
}

/// The instance that is to have it. Several could only share it, which volumes here do in clusters alone.
pub fn only_instance(
    one: Option<String>,
    many: Option<Vec<String>>,
) -> Result<Option<InstanceId>, Failure> {
    let mut ids: Vec<String> = one.into_iter().chain(many.unwrap_or_default()).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => Ok(None),
        [id] => {
            let id = InstanceId::parse_uuid(id).ok_or(Error::NotFound(Thing::Instance))?;
            Ok(Some(id))
        }
        _ => Err(invalid("instance_ids", "names several, and a volume has one instance")),
    }
}

async fn delete(
    app: Data<App>,
    project: Project,
    id: Path<String>,
    request: HttpRequest,
    body: Json<Deletion>,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let is_forced = query.flag("force");
    query.finish()?;
    let permanently = body.0.is_permanent.unwrap_or(false) || is_forced;
    let volume = find(&app, &project, &id).await?;
    let is_done = match volume.state {
        VolumeState::Live => false,
        VolumeState::Trashed { .. } => !permanently,
        VolumeState::Deleting | VolumeState::Deleted { .. } | VolumeState::Failed { .. } => true,
    };
    if is_done {
        return Ok(HttpResponse::NoContent().finish());
    }
    remove(&app, &project, (volume.id, permanently)).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Puts a volume into the trash, or destroys it.
pub async fn remove(app: &App, project: &Project, what: (VolumeId, bool)) -> Result<(), Failure> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    Box::pin(volume::delete(store, clock, random, &project.caller, what)).await?;
    Ok(())
}

/// Whether a copy is still being made.
pub fn is_copying(volume: &Volume) -> bool {
    word_of(volume, None) == "cloning"
}
