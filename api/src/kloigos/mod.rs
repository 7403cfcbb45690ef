//! The surface that clients of Kloigos's API speak, at `/kloigos/api`, and on a host name of its own at `/api`.
//!
//! Its paths, fields and texts are those of that API's document, its refusals of malformed requests those of the
//! framework that it is written in (`FastAPI`). Clients come with tokens of the native surface, unless an operator
//! has switched that off. No rule lives here.

mod account;
mod body;
mod document;
mod error;
mod fields;
mod servers;
mod units;
mod view;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::Host;
use actix_web::http::header::LOCATION;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};

use self::error::Failure;
use crate::app::Settings;

/// The answer of a handler.
type Answer = std::result::Result<HttpResponse, Failure>;

/// Where the surface is mounted; its operations are below `/api` there.
const PREFIX: &str = "/kloigos";

/// The surface, where it is switched on.
pub fn routes(config: &mut ServiceConfig, settings: &Settings) {
    let Some(kloigos) = &settings.kloigos else { return };
    config.service(mounted(PREFIX, web::scope(PREFIX)));
    if let Some(host) = &kloigos.host {
        config.service(mounted("", web::scope("").guard(Host(host.clone()))));
    }
}

fn mounted(prefix: &'static str, scope: actix_web::Scope) -> impl HttpServiceFactory {
    scope
        .configure(|config| document::routes(config, prefix))
        .configure(operations)
        .default_service(web::to(error::no_route))
}

fn operations(config: &mut ServiceConfig) {
    config
        .service(only("/api/compute_units/allocate", web::post().to(units::allocate)))
        .service(only(
            "/api/compute_units/deallocate/{compute_id}",
            web::delete().to(units::deallocate),
        ))
        .service(only("/api/compute_units/", web::get().to(units::list)))
        .service(web::resource("/api/compute_units").to(with_a_slash))
        .service(only("/api/admin/init_server", web::post().to(servers::init)))
        .service(only(
            "/api/admin/decommission_server/{hostname}",
            web::delete().to(servers::decommission),
        ));
}

/// A path that takes one method.
fn only(path: &str, route: Route) -> Resource {
    web::resource(path).default_service(web::to(error::no_method)).route(route)
}

/// The framework sends whoever leaves out the slash to where it is, with method, body and query.
async fn with_a_slash(request: HttpRequest) -> HttpResponse {
    let query = request.query_string();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    let there = format!("{}/{query}", request.path());
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, there)).finish()
}
