//! The surface that clients of Trooper's API speak, at `/trooper/api`, and on a host name of its own at `/api`.
//!
//! Its paths, fields and texts are those of that API's document. Clients come with API tokens of the native
//! surface. No rule lives here.

mod account;
mod blibs;
mod body;
mod error;
mod migration;
mod orders;
mod orders_view;
mod templates;
mod templates_view;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::Host;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource};
use domain::instance::{self, InstanceId};
use domain::user::Caller;
use domain::{Error, Result};
use serde_json::json;

use self::body::{REQUIRED, WHOLE};
use self::error::Failure;
use crate::app::{App, Settings};
use crate::http::Query;

/// The answer of a handler.
type Answer = std::result::Result<HttpResponse, Failure>;

/// Where the surface is mounted.
const PREFIX: &str = "/trooper";

/// The surface, where it is switched on.
pub fn routes(config: &mut ServiceConfig, settings: &Settings) {
    let Some(trooper) = &settings.trooper else { return };
    config.service(mounted(web::scope(PREFIX)));
    if let Some(host) = &trooper.host {
        config.service(mounted(web::scope("").guard(Host(host.clone()))));
    }
}

fn mounted(scope: actix_web::Scope) -> impl HttpServiceFactory {
    scope.configure(operations).default_service(web::to(error::no_route))
}

fn operations(config: &mut ServiceConfig) {
    config
        .service(reading("/api/test", test))
        .service(reading("/api/blibs", blibs::list))
        .service(reading("/api/blibs-private", blibs::list_for_account))
        .configure(orders::operations)
        .configure(migration::operations)
        .configure(templates::operations);
}

/// A path that is only read.
fn reading<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args, Output = Answer>,
    Args: FromRequest + 'static,
{
    web::resource(path).default_service(web::to(error::no_method)).route(web::get().to(handler))
}

/// Whether one got through, in the document's words.
async fn test() -> Answer {
    Ok(HttpResponse::Ok().json(json!({ "test": "meinstring5" })))
}

/// A path that something is sent to.
fn acting<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args, Output = Answer>,
    Args: FromRequest + 'static,
{
    web::resource(path).default_service(web::to(error::no_method)).route(web::post().to(handler))
}

/// The number of an order in a query.
fn order_asked_for(request: &HttpRequest) -> Result<i64> {
    let mut query = Query::parse(request.query_string());
    let order = query.value("order_id", |text| text.parse().map_err(|_| WHOLE));
    query.finish()?;
    order.ok_or_else(|| Error::invalid("order_id", REQUIRED))
}

/// The server of an order.
async fn ordered(app: &App, caller: &Caller, order: i64) -> Result<InstanceId> {
    let found = instance::numbered(app.store.as_ref(), caller, order).await?;
    Ok(found.instance.id)
}
