//! The surface that clients of Verda's API speak, at `/verda/v1`, and on a host name of its own at `/v1`.
//!
//! Its paths, fields and texts are those of that API's document, and where its public clients need
//! something else, what they need. Clients come with client credentials of a pool, their "project", and
//! reach nothing else. No rule lives here.

mod balance;
mod body;
mod catalogue;
mod cluster_types;
mod clusters;
mod clusters_view;
mod error;
mod images;
mod input;
mod instance_actions;
mod instance_types;
mod instances;
mod instances_view;
mod locations;
mod long_term;
mod project;
mod scripts;
mod shapes;
mod ssh_keys;
mod tags;
mod tokens;
mod view;
mod volume_actions;
mod volume_types;
mod volumes;
mod volumes_view;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::Host;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource};

use self::error::Failure;
use crate::app::Settings;

/// Where the surface is mounted.
pub const PREFIX: &str = "/verda/v1";
/// Where it is on a host name of its own.
const OWN_PREFIX: &str = "/v1";

/// The surface, where it is switched on.
pub fn routes(config: &mut ServiceConfig, settings: &Settings) {
    let Some(verda) = &settings.verda else { return };
    config.service(mounted(web::scope(PREFIX)));
    if let Some(host) = &verda.host {
        config.service(mounted(web::scope(OWN_PREFIX).guard(Host(host.clone()))));
    }
}

fn mounted(scope: actix_web::Scope) -> impl HttpServiceFactory {
    scope.configure(operations).default_service(web::to(error::no_route))
}

fn operations(config: &mut ServiceConfig) {
    config
        .service(tokens::get_access_token)
        .service(reading("/balance", balance::show))
        .service(reading("/locations", locations::list))
        .service(reading("/images/cluster", images::list_for_clusters))
        .service(reading("/images", images::list))
        .service(reading("/instance-types", instance_types::list))
        .service(reading("/instance-types/price-history", instance_types::price_history))
        .service(reading("/instance-types/{instance_type}", instance_types::show))
        .service(reading("/instance-availability", instance_types::availabilities))
        .service(reading("/instance-availability/{instance_type}", instance_types::is_available))
        .service(reading("/cluster-types", cluster_types::list))
        .service(reading("/cluster-availability", cluster_types::availabilities))
        .service(reading("/cluster-availability/{cluster_type}", cluster_types::is_available))
        .service(reading("/volume-types", volume_types::list))
        .service(reading("/container-types", instance_types::list_for_containers))
        .service(reading("/long-term/periods", long_term::of_instances))
        .service(reading("/long-term/periods/instances", long_term::of_instances))
        .service(reading("/long-term/periods/clusters", long_term::of_clusters))
        .configure(tags::operations)
        .configure(ssh_keys::operations)
        .configure(scripts::operations)
        .configure(instances::operations)
        .configure(volumes::operations)
        .configure(clusters::operations);
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
