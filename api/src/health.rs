//! Whether the process lives, and whether it can serve.

use actix_web::HttpResponse;
use actix_web::guard::Get;
use actix_web::web::{Data, ServiceConfig, resource};
use serde_json::json;
use tracing::warn;

use crate::app::App;

/// `/healthz` and `/readyz`, without authentication.
pub fn routes(config: &mut ServiceConfig) {
    // Guarded as a whole, so that another method is answered like everywhere else.
    config
        .service(resource("/healthz").guard(Get()).to(alive))
        .service(resource("/readyz").guard(Get()).to(ready));
}

/// The process answers.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The database answers and its schema is the one this program was built for.
async fn ready(app: Data<App>) -> HttpResponse {
    match app.store.ready().await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(error) => {
            let cause: &dyn std::error::Error = &error;
            warn!(cause = cause.source().map(ToString::to_string), "not ready");
            let body = json!({ "status": "unavailable", "message": error.to_string() });
            HttpResponse::ServiceUnavailable().json(body)
        }
    }
}
