//! Labels of instances, volumes and clusters. A label's key is also its id: the document deletes by the one, the Go
//! SDK by the other.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use domain::cluster::ClusterId;
use domain::error::{Error, Thing};
use domain::instance::InstanceId;
use domain::tag::{self, Tagged};
use domain::volume::VolumeId;
use serde_json::json;

use super::body::Json;
use super::error::Failure;
use super::input::{MOST_TAGS, NewTag};
use super::project::Project;
use super::resource;
use crate::app::App;

/// Labels below each of the three.
pub fn operations(config: &mut ServiceConfig) {
    for noun in ["instances", "volumes", "clusters"] {
        let collection =
            resource(&format!("/{{noun:{noun}}}/{{id}}/tags")).route(web::post().to(add));
        let member = resource(&format!("/{{noun:{noun}}}/{{id}}/tags/{{key}}"))
            .route(web::delete().to(remove));
        config.service(collection).service(member);
    }
}

/// What the path names.
fn tagged(noun: &str, id: &str) -> Result<Tagged, Error> {
    let (tagged, missing) = match noun {
        "instances" => (InstanceId::parse_uuid(id).map(Tagged::Instance), Thing::Instance),
        "volumes" => (VolumeId::parse_uuid(id).map(Tagged::Volume), Thing::Volume),
        _ => (ClusterId::parse_uuid(id).map(Tagged::Cluster), Thing::Cluster),
    };
    tagged.ok_or(Error::NotFound(missing))
}

async fn add(
    app: Data<App>,
    project: Project,
    path: Path<(String, String)>,
    body: Json<NewTag>,
) -> Result<HttpResponse, Failure> {
    let (noun, id) = path.into_inner();
    let tagged = tagged(&noun, &id)?;
    let tag = body.0.read()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    tag::add(store, clock, &project.caller, (tagged, MOST_TAGS), &tag).await?;
    let shown = json!({ "id": tag.key, "key": tag.key, "value": tag.value });
    Ok(HttpResponse::Created().json(shown))
}

async fn remove(
    app: Data<App>,
    project: Project,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, Failure> {
    let (noun, id, key) = path.into_inner();
    let tagged = tagged(&noun, &id)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    tag::remove(store, clock, &project.caller, (tagged, &key.to_lowercase())).await?;
    Ok(HttpResponse::NoContent().finish())
}
