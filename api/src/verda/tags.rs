//! Labels of instances, volumes and clusters. A label's key is also its id: the document deletes by the one, the Go
//! SDK by the other.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, ServiceConfig};
use domain::cluster::ClusterId;
use domain::instance::InstanceId;
use domain::tag::{self, Tagged};
use domain::volume::VolumeId;
use serde_json::json;

use super::body::Json;
use super::error::Failure;
use super::input::{MOST_TAGS, NewTag};
use super::project::Project;
use super::{clusters, instances, volumes};
use crate::app::App;

/// Labels below each of the three.
pub fn operations(config: &mut ServiceConfig) {
    for noun in ["instances", "volumes", "clusters"] {
        let collection = web::resource(format!("/{{noun:{noun}}}/{{id}}/tags"))
            .route(web::post().to(add))
            .default_service(web::to(super::error::no_method));
        let member = web::resource(format!("/{{noun:{noun}}}/{{id}}/tags/{{key}}"))
            .route(web::delete().to(remove))
            .default_service(web::to(super::error::no_method));
        config.service(collection).service(member);
    }
}

/// What the path names, and the refusal where it names nothing of the project's.
fn tagged(noun: &str, id: &str) -> Result<(Tagged, Failure), Failure> {
    let (tagged, unknown) = match noun {
        "instances" => (InstanceId::parse_uuid(id).map(Tagged::Instance), instances::UNKNOWN),
        "volumes" => (VolumeId::parse_uuid(id).map(Tagged::Volume), volumes::UNKNOWN),
        _ => (ClusterId::parse_uuid(id).map(Tagged::Cluster), clusters::UNKNOWN),
    };
    match tagged {
        Some(tagged) => Ok((tagged, unknown)),
        None => Err(unknown),
    }
}

async fn add(
    app: Data<App>,
    project: Project,
    path: Path<(String, String)>,
    body: Json<NewTag>,
) -> Result<HttpResponse, Failure> {
    let (noun, id) = path.into_inner();
    let (tagged, unknown) = tagged(&noun, &id)?;
    let tag = body.0.read()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let added = tag::add(store, clock, &project.caller, (tagged, MOST_TAGS), &tag).await;
    added.map_err(|error| told(error, unknown))?;
    let shown = json!({ "id": tag.key, "key": tag.key, "value": tag.value });
    Ok(HttpResponse::Created().json(shown))
}

async fn remove(
    app: Data<App>,
    project: Project,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, Failure> {
    let (noun, id, key) = path.into_inner();
    let (tagged, unknown) = tagged(&noun, &id)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let removed = tag::remove(store, clock, &project.caller, (tagged, &key.to_lowercase())).await;
    removed.map_err(|error| told(error, unknown))?;
    Ok(HttpResponse::NoContent().finish())
}

fn told(error: domain::Error, unknown: Failure) -> Failure {
    use domain::Error::NotFound;
    use domain::error::Thing;
    match error {
        NotFound(Thing::Instance | Thing::Volume | Thing::Cluster) => unknown,
        error => Failure::Domain(error),
    }
}
