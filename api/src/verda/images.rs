//! What instances and clusters can be made from.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::Error;
use domain::error::Thing;
use domain::image::Image;
use domain::plan::{self, PlanCode};
use serde_json::{Value, json};

use super::catalogue::images;
use super::cluster_types;
use super::error::{Code, Failure};
use super::project::Project;
use crate::app::App;
use crate::http::Query;

/// Images for instances; `instance_type` leaves out what does not fit on its disk.
pub async fn list(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    found(&app, &project, &request, false).await
}

/// Images for clusters, whose nodes are instances; `instance_type` names a kind of cluster.
pub async fn list_for_clusters(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    found(&app, &project, &request, true).await
}

async fn found(
    app: &App,
    project: &Project,
    request: &HttpRequest,
    is_cluster: bool,
) -> Result<HttpResponse, Failure> {
    let store = app.store.as_ref();
    let mut query = Query::parse(request.query_string());
    let named = query.text("instance_type", 100);
    query.finish()?;
    let disk_gb = match named {
        None => u32::MAX,
        Some(name) => {
            let unknown = || Failure::Told(Code::NotFound, "Instance type not found");
            let code = match cluster_types::parse(app, &name).filter(|_| is_cluster) {
                Some((_, plan)) => plan,
                None => PlanCode::parse(&name).map_err(|_| unknown())?,
            };
            match plan::show(store, Some(&project.caller), &code).await {
                Err(Error::NotFound(Thing::Plan)) => return Err(unknown()),
                plan => plan?.shape.disk_gb,
            }
        }
    };
    let images = images(app, Some(project)).await?;
    let fitting = images.iter().filter(|image| image.fits(disk_gb));
    let shown: Vec<Value> = fitting.map(|image| shown(image, is_cluster)).collect();
    Ok(HttpResponse::Ok().json(shown))
}

fn shown(image: &Image, is_cluster: bool) -> Value {
    json!({
        "id": image.id.uuid().to_string(),
        "image_type": image.code.as_str(),
        "name": image.name,
        "is_default": image.is_default,
        "details": image.details,
        "category": image.category,
        "is_cluster": is_cluster,
    })
}
