//! Where instances run.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::location;
use domain::page::Page;
use serde_json::json;

use super::error::Failure;
use super::project::Project;
use crate::app::App;

/// Every location.
pub async fn list(app: Data<App>, project: Project) -> Result<HttpResponse, Failure> {
    let all = Page { after: None, limit: None };
    let found = location::list(app.store.as_ref(), Some(&project.caller), all).await?;
    let shown = found.rows.iter().map(|location| {
        json!({ "code": location.code.as_str(), "name": location.name, "country_code": location.country })
    });
    Ok(HttpResponse::Ok().json(shown.collect::<Vec<_>>()))
}
