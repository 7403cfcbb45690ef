//! What this API's clients ask for and Berth does not sell: the lists are there, and empty.

use actix_web::HttpResponse;
use serde_json::Value;

use super::error::Failure;

/// Long terms: there are no contracts but by the hour, so that there is no period to choose.
pub async fn long_term_periods() -> Result<HttpResponse, Failure> {
    Ok(HttpResponse::Ok().json(Vec::<Value>::new()))
}

/// Containers without an instance.
pub async fn container_types() -> Result<HttpResponse, Failure> {
    Ok(HttpResponse::Ok().json(Vec::<Value>::new()))
}
