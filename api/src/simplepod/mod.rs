//! The surface that clients of SimplePod's API speak, at `/simplepod`, and on a host name of its own at the
//! root.
//!
//! Its paths, fields and texts are those of that API's document. Clients come with API tokens of the native
//! surface: they see what is of their user's pools, and what they make is of the default one. No rule lives here.

mod account;
mod billing;
mod body;
mod deposits;
mod error;
mod images;
mod instances;
mod instances_view;
mod iri;
mod market;
mod market_view;
mod order;
mod query;
mod ssh_keys;
mod summary;
mod templates;
mod templates_view;
mod view;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::Host;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource};

use self::error::Failure;
use crate::app::Settings;

/// Where the surface is mounted.
const PREFIX: &str = "/simplepod";

/// The surface, where it is switched on.
pub fn routes(config: &mut ServiceConfig, settings: &Settings) {
    let Some(simplepod) = &settings.simplepod else { return };
    config.service(mounted(web::scope(PREFIX)));
    if let Some(host) = &simplepod.host {
        config.service(mounted(web::scope("").guard(Host(host.clone()))));
    }
}

fn mounted(scope: actix_web::Scope) -> impl HttpServiceFactory {
    scope.configure(operations).default_service(web::to(error::no_route))
}

fn operations(config: &mut ServiceConfig) {
    config
        .service(reading("/instances/market/list", market::list))
        .service(reading("/instances/images/list", images::list))
        .service(reading("/instances/billing/list", billing::list))
        .service(reading("/instances/deposit/list", deposits::list))
        .service(reading("/instances/summary", summary::show))
        .configure(templates::operations)
        .configure(ssh_keys::operations)
        // Last: its paths end in any word.
        .configure(instances::operations);
}

/// A path that is only read.
fn reading<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args, Output = Result<HttpResponse, Failure>>,
    Args: FromRequest + 'static,
{
    resource(path).route(web::get().to(handler))
}

/// A path, which refuses the methods that it has not.
fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(error::no_method))
}
