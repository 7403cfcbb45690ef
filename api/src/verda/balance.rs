//! What the project has.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::pool;
use serde_json::json;

use super::error::Failure;
use super::project::Project;
use crate::app::App;
use crate::floats::amount;

/// The balance of the wallet that pays for the project: that of its owner.
pub async fn show(app: Data<App>, project: Project) -> Result<HttpResponse, Failure> {
    let balance = pool::balance(app.store.as_ref(), &project.caller, project.pool_id).await?;
    let currency = app.settings.currency.to_ascii_lowercase();
    Ok(HttpResponse::Ok().json(json!({ "amount": amount(balance), "currency": currency })))
}
