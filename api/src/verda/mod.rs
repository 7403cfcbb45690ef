//! The surface that clients of Verda's API speak, at `/verda/v1`, and on a host name of its own at `/v1`.
//!
//! Its paths, fields and texts are those of that API's document, and where its public clients need
//! something else, what they need. Clients come with client credentials of a pool, their "project", and
//! reach nothing else. No rule lives here.

mod balance;
mod body;
mod error;
mod images;
mod instance_types;
mod locations;
mod project;
mod scripts;
mod ssh_keys;
mod tokens;
mod view;
mod volume_types;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::Host;
use actix_web::web::{self, ServiceConfig};

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
        .service(balance::get_balance)
        .service(locations::get_locations)
        .service(images::get_cluster_images)
        .service(images::get_images)
        .service(instance_types::get_instance_types)
        .service(instance_types::get_instance_type)
        .service(instance_types::get_availabilities)
        .service(instance_types::get_availability)
        .service(volume_types::get_volume_types)
        .configure(ssh_keys::operations)
        .configure(scripts::operations);
}
