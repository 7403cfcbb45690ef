//! Instances: ordered, listed, shown.

use std::collections::BTreeMap;

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::{Error, Thing};
use domain::image;
use domain::instance::{
    self, Boot, CreateInstance, Hostname, InstanceDetail, InstanceFilter, InstanceId, Keys,
    Offering, PasswordWish, Renewal, Status, VolumeWish,
};
use domain::location::LocationCode;
use domain::page::Page;
use domain::plan::{self, PlanCode};
use domain::script::ScriptId;
use domain::ssh_key::SshKeyId;
use domain::volume::VolumeId;
use serde::Deserialize;
use serde_json::Value;

use super::body::Json;
use super::catalogue::{images, volume_kind};
use super::error::Failure;
use super::input::{NewTag, OneOrMany, Whole, afterwards, invalid, parsed, required, tags};
use super::instances_view::{instance as shown, word};
use super::project::Project;
use super::view::ordered;
use super::{instance_actions, instance_types, reading, resource};
use crate::app::App;
use crate::http::Query;

/// The newest of those that are gone that a list names.
const MOST_GONE: u32 = 1_000;
/// The disk of a plan that names none, in GB.
const LEAST_DISK_GB: u32 = 50;

/// A volume as it is ordered with an instance or a cluster.
#[derive(Deserialize)]
pub struct NewVolume {
    pub name: Option<String>,
    pub size: Option<Whole>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub on_spot_discontinue: Option<String>,
}

#[derive(Deserialize)]
struct NewInstance {
    instance_type: Option<String>,
    image: Option<String>,
    hostname: Option<String>,
    description: Option<String>,
    location_code: Option<String>,
    ssh_key_ids: Option<OneOrMany>,
    startup_script_id: Option<String>,
    os_volume: Option<NewVolume>,
    volumes: Option<Vec<NewVolume>>,
    existing_volumes: Option<Vec<String>>,
    is_spot: Option<bool>,
    contract: Option<String>,
    pricing: Option<String>,
    coupon: Option<String>,
    tags: Option<Vec<NewTag>>,
}

/// The collection, its members, and the calls that are deprecated and go on working.
pub fn operations(config: &mut ServiceConfig) {
    let collection = resource("/instances")
        .route(web::get().to(list))
        .route(web::post().to(create))
        .route(web::put().to(instance_actions::act));
    let action = resource("/instances/action").route(web::post().to(instance_actions::act_quietly));
    let types = reading("/instances/types", instance_types::list);
    let availability =
        reading("/instances/availability/{instance_type}", instance_types::is_available);
    let member = reading("/instances/{id}", show);
    config.service(collection).service(action).service(types).service(availability).service(member);
}

/// Those that are not gone, or those in the state that is asked for. Nodes of clusters are not among them.
async fn list(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let status = query.value("status", |text| {
        let is_known = Status::ALL.into_iter().any(|status| word(status) == text);
        let is_named = KNOWN.contains(&text);
        (is_known || is_named).then(|| text.to_owned()).ok_or("is no status of an instance")
    });
    query.finish()?;
    let mut found = read(&app, &project, None, None).await?;
    if status.as_deref() == Some(word(Status::Deleted)) {
        found.extend(read(&app, &project, Some(Status::Deleted), Some(MOST_GONE)).await?);
    }
    let is_wanted = |detail: &&InstanceDetail| {
        let word = word(detail.instance.status());
        let is_gone = word == self::word(Status::Deleted);
        detail.instance.cluster_id.is_none()
            && status.as_deref().map_or(!is_gone, |status| status == word)
    };
    let rows: Vec<Value> = found.iter().filter(is_wanted).map(shown).collect();
    Ok(HttpResponse::Ok().json(rows))
}

/// States that this API's document knows and that no instance of ours is ever in.
const KNOWN: [&str; 13] = [
    "pending",
    "starting_hibernation",
    "hibernating",
    "restoring",
    "unknown",
    "ordered",
    "notfound",
    "new",
    "deleting",
    "deleted",
    "validating",
    "no_capacity",
    "installation_failed",
];

async fn read(
    app: &App,
    project: &Project,
    status: Option<Status>,
    limit: Option<u32>,
) -> Result<Vec<InstanceDetail>, Failure> {
    let filter =
        InstanceFilter { pool_id: Some(project.pool_id), status, ..InstanceFilter::default() };
    let page = Page { after: None, limit };
    Ok(instance::list(app.store.as_ref(), &project.caller, &filter, page).await?.rows)
}

/// One, also when it is gone.
async fn show(app: Data<App>, project: Project, id: Path<String>) -> Result<HttpResponse, Failure> {
    let id = InstanceId::parse_uuid(&id).ok_or(Error::NotFound(Thing::Instance))?;
    let detail = instance::show(app.store.as_ref(), &project.caller, id).await?;
    Ok(HttpResponse::Ok().json(shown(&detail)))
}

async fn create(
    app: Data<App>,
    project: Project,
    body: Json<NewInstance>,
) -> Result<HttpResponse, Failure> {
    let request = wish(&app, project, body.0).await?;
    let (store, clock, means) = (app.store.as_ref(), app.clock.as_ref(), app.means());
    let policy = &app.settings.instance_policy;
    let made = Box::pin(instance::create(store, clock, means, policy, request)).await;
    match made {
        Ok(instance) => Ok(ordered(instance.id.uuid())),
        Err(Error::NotFound(Thing::Volume)) => {
            Err(invalid("image or existing_volumes", "names a volume that there is not"))
        }
        Err(error) => Err(error.into()),
    }
}

async fn wish(app: &App, project: Project, body: NewInstance) -> Result<CreateInstance, Failure> {
    let is_spot = is_spot(body.is_spot, body.contract.as_deref())?;
    require_sold(body.pricing.as_deref(), body.coupon.as_deref())?;
    let plan = required(body.instance_type, "instance_type")?;
    let plan = parsed(&plan, "instance_type", PlanCode::parse)?;
    let location = required(body.location_code, "location_code")?;
    let hostname = required(body.hostname, "hostname")?;
    let image = required(body.image, "image")?;
    let boot = boot(app, &project, (&image, &plan, &hostname), body.os_volume).await?;
    let is_code = matches!(&boot, Boot::NewVolume { image: code, .. } if code.as_str() == image);
    let mut volumes = Vec::new();
    for volume in body.volumes.unwrap_or_default() {
        volumes.push(new_volume(volume)?);
    }
    for id in body.existing_volumes.unwrap_or_default() {
        let no_id = || invalid("existing_volumes", "must be ids of volumes");
        let id = VolumeId::parse_uuid(&id).ok_or_else(no_id)?;
        volumes.push(VolumeWish::Existing { id, path: None });
    }
    Ok(CreateInstance {
        pool_id: Some(project.pool_id),
        caller: project.caller,
        offering: Offering::Plan {
            code: plan,
            location: parsed(&location, "location_code", LocationCode::parse)?,
        },
        boot,
        ordered_as: (!is_code).then_some(image),
        hostname: parsed(&hostname, "hostname", Hostname::parse)?,
        name: None,
        description: body.description.unwrap_or_default(),
        keys: Keys::These(key_ids(body.ssh_key_ids)?),
        script_id: script_id(body.startup_script_id)?,
        start_script: None,
        environment: BTreeMap::new(),
        ports: None,
        volumes,
        is_spot,
        max_per_hour: None,
        prepaid: None,
        renewal: Renewal::default(),
        password: PasswordWish::None,
        software: Vec::new(),
        tags: tags(body.tags)?,
        is_numbered: false,
        idempotency_key: None,
    })
}

/// Clients say it in one of two ways, or in both.
fn is_spot(is_spot: Option<bool>, contract: Option<&str>) -> Result<bool, Failure> {
    match contract {
        None | Some("PAY_AS_YOU_GO") => Ok(is_spot.unwrap_or(false)),
        Some("SPOT") => Ok(true),
        Some("LONG_TERM") => Err(invalid("contract", "LONG_TERM is not offered here")),
        Some(_) => Err(invalid("contract", "must be PAY_AS_YOU_GO or SPOT")),
    }
}

fn require_sold(pricing: Option<&str>, coupon: Option<&str>) -> Result<(), Failure> {
    if pricing.is_some_and(|pricing| pricing != "FIXED_PRICE") {
        return Err(invalid("pricing", "must be FIXED_PRICE, or left out"));
    }
    if coupon.is_some_and(|coupon| !coupon.is_empty()) {
        return Err(invalid("coupon", "is not known here; leave it out"));
    }
    Ok(())
}

/// The keys that may log in.
pub fn key_ids(ids: Option<OneOrMany>) -> Result<Vec<SshKeyId>, Failure> {
    let Some(ids) = ids else { return Ok(Vec::new()) };
    let mut keys = Vec::new();
    for id in ids.texts()? {
        let no_id = || invalid("ssh_key_ids", "must be ids of SSH keys");
        let id = SshKeyId::parse_uuid(&id).ok_or_else(no_id)?;
        // In the order in which they were sent, which Terraform compares.
        if !keys.contains(&id) {
            keys.push(id);
        }
    }
    Ok(keys)
}

/// The script that runs at the first start.
pub fn script_id(id: Option<String>) -> Result<Option<ScriptId>, Failure> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
    let no_id = || invalid("startup_script_id", "must be the id of a script");
    ScriptId::parse_uuid(&id).map(Some).ok_or_else(no_id)
}

fn new_volume(volume: NewVolume) -> Result<VolumeWish, Failure> {
    Ok(VolumeWish::New {
        name: required(volume.name, "volumes.name")?,
        kind: required(volume.kind, "volumes.type")?,
        size_gb: required(volume.size, "volumes.size")?.read("volumes.size")?,
        path: None,
        on_eviction: afterwards(volume.on_spot_discontinue)?,
    })
}

/// An image by its name, its id or another name of it, on a new volume; else a volume that was a disk before.
async fn boot(
    app: &App,
    project: &Project,
    (named, plan, hostname): (&str, &PlanCode, &str),
    os_volume: Option<NewVolume>,
) -> Result<Boot, Failure> {
    let Some(image) = image_named(app, project, named).await? else {
        let unknown = || invalid("image", "is neither an image nor a volume that was a disk");
        return VolumeId::parse_uuid(named).map(Boot::Volume).ok_or_else(unknown);
    };
    let (name, size, then) = match os_volume {
        Some(volume) => (volume.name, volume.size, volume.on_spot_discontinue),
        None => (None, None, None),
    };
    let size_gb = match size {
        Some(size) => size.read("os_volume.size")?,
        None => disk_of(app, project, plan).await?.max(image.min_disk_gb),
    };
    Ok(Boot::NewVolume {
        image: image.code,
        name: name.unwrap_or_else(|| format!("OS-{hostname}")),
        // By the document.
        kind: volume_kind(app, |name| name == "NVMe")?,
        size_gb,
        on_eviction: afterwards(then)?,
    })
}

/// dstack orders by ids that it knows by heart.
pub async fn image_named(
    app: &App,
    project: &Project,
    named: &str,
) -> Result<Option<image::Image>, Failure> {
    let images = images(app, Some(project)).await?;
    Ok(images.into_iter().find(|image| {
        image.code.as_str() == named
            || image.id.uuid().to_string() == named
            || image.aliases.iter().any(|alias| alias == named)
    }))
}

/// As large as the plan's own disk would be.
async fn disk_of(app: &App, project: &Project, plan: &PlanCode) -> Result<u32, Failure> {
    match plan::show(app.store.as_ref(), Some(&project.caller), plan).await {
        Ok(plan) => Ok(plan.shape.disk_gb),
        // The order will be refused for it.
        Err(Error::NotFound(Thing::Plan)) => Ok(LEAST_DISK_GB),
        Err(error) => Err(error.into()),
    }
}
