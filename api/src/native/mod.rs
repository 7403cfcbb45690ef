//! The native surface, `/api/v1`: accounts, pools, the marketplace, rentals, wallets, operators.
//!
//! A handler reads its wire type, calls one use case and shows the outcome; no rule lives here.
//! `error.rs` maps every refusal, `…view.rs` every answer.
//!
//! *To add an operation*: a handler in its noun's file with a `#[utoipa::path]` that lists its own
//! error codes in `x-errors`, and a line in `operations`.

mod accounts;
mod admin;
mod admin_view;
mod audit;
mod auto_renew;
mod auto_top_up;
mod billing;
mod capacities;
mod client_credentials;
mod clock;
mod clusters;
mod code;
mod compute_hosts;
mod document;
mod early_end;
mod envelope;
mod error;
mod extract;
mod fallback;
mod field;
mod findings;
mod gpu_offers;
mod gpu_offers_view;
mod headers;
mod hosted_instances;
mod images;
mod installs;
mod installs_view;
mod instance_actions;
mod instance_wish;
mod instances;
mod instances_view;
mod ledger;
mod limited;
mod locations;
mod marketplace;
mod members;
mod outages;
mod payments;
mod plans;
mod plans_view;
mod pools;
mod pools_view;
mod quotes;
mod remotes;
mod rental_view;
mod rentals;
mod scripts;
mod server_view;
mod software;
mod software_view;
mod ssh_keys;
mod suppliers;
mod templates;
mod templates_view;
mod tokens;
mod usage;
mod view;
mod volumes;
mod wallet;

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Responder, get};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

pub use document::document;

/// Where the surface is mounted.
pub const PREFIX: &str = "/api/v1";
const DOCUMENT_PATH: &str = "/api/v1/openapi.json";

/// Every operation. Paths that shadow each other stand with the narrower one first.
fn operations(config: &mut ServiceConfig) {
    config
        .service(accounts::sign_up)
        .service(accounts::log_in)
        .service(accounts::refresh)
        .service(accounts::log_out)
        .service(accounts::auth_me)
        .service(accounts::me)
        .service(accounts::change_user)
        .service(accounts::put_user)
        .service(tokens::list_tokens)
        .service(tokens::create_token)
        .service(tokens::own_token)
        .service(tokens::show_token)
        .service(tokens::change_token)
        .service(tokens::delete_token)
        .service(members::pending_invitations)
        .service(members::accept_invitation)
        .service(members::reject_invitation)
        .service(members::invite_member)
        .service(members::update_member_role)
        .service(members::put_member_role)
        .service(members::remove_member)
        .service(pools::list_pools)
        .service(pools::create_pool)
        .service(pools::show_pool)
        .service(pools::update_pool)
        .service(pools::put_pool)
        .service(pools::delete_pool)
        .service(client_credentials::list_client_credentials)
        .service(client_credentials::create_client_credential)
        .service(client_credentials::revoke_client_credential)
        .configure(market_operations);
}

fn market_operations(config: &mut ServiceConfig) {
    config
        .service(marketplace::browse_servers)
        .service(marketplace::server_facets)
        .service(marketplace::show_offer)
        .service(rentals::rent_server)
        .service(rentals::list_servers)
        .service(rentals::show_server)
        .service(rentals::list_rentals)
        .service(rentals::show_rental)
        .service(rentals::show_rental_access)
        .service(rentals::renew_rental_access)
        .service(rentals::extend_rental)
        .service(wallet::balances)
        .service(wallet::show_general_balance)
        .service(wallet::list_transactions)
        .service(wallet::show_transaction)
        .service(payments::open_checkout)
        .service(payments::list_payments)
        .service(payments::show_payment)
        .service(payments::hear_stripe)
        .service(auto_top_up::set_auto_top_up)
        .service(auto_top_up::show_auto_top_up)
        .service(auto_top_up::stop_auto_top_up)
        .service(early_end::preview_termination)
        .service(early_end::terminate_rental)
        .service(auto_renew::give_mandate)
        .service(auto_renew::show_mandate)
        .service(auto_renew::revoke_mandate)
        .service(quotes::ask_quote)
        .service(quotes::show_quote)
        .service(audit::list_notifications)
        .service(audit::list_audit)
        .service(ledger::list_ledger)
        .service(ledger::explain_entry)
        .service(ledger::list_checkpoints)
        .service(suppliers::supplier_account)
        .configure(catalogue_operations);
}

fn catalogue_operations(config: &mut ServiceConfig) {
    config
        .service(locations::list_locations)
        .service(plans::list_plans)
        .service(plans::list_plan_prices)
        .service(plans::show_plan)
        .service(images::list_images)
        .service(images::show_image)
        .service(ssh_keys::list_ssh_keys)
        .service(ssh_keys::add_ssh_key)
        .service(ssh_keys::delete_ssh_keys)
        .service(ssh_keys::show_ssh_key)
        .service(ssh_keys::delete_ssh_key)
        .service(scripts::list_scripts)
        .service(scripts::add_script)
        .service(scripts::delete_scripts)
        .service(scripts::show_script)
        .service(scripts::delete_script)
        .service(templates::list_templates)
        .service(templates::add_template)
        .service(templates::list_global_templates)
        .service(templates::show_template)
        .service(templates::replace_template)
        .service(templates::delete_template)
        .service(software::list_software)
        .service(software::add_software)
        .service(software::show_software)
        .service(software::replace_software)
        .service(software::delete_software)
        .configure(instance_operations)
        .configure(operator_operations);
}

fn instance_operations(config: &mut ServiceConfig) {
    config
        .service(instances::list_instances)
        .service(instances::create_instance)
        .service(instance_actions::act_on_instances)
        .service(instances::show_instance)
        .service(instances::edit_instance)
        .service(instance_actions::delete_instance)
        .service(instance_actions::act_on_instance)
        .service(instances::transfer_instance)
        .service(instances::instance_charges)
        .service(instances::instance_history)
        .service(instances::instance_logs)
        .service(instances::instance_load)
        .service(installs::list_installs)
        .service(installs::add_install)
        .service(installs::show_install)
        .service(installs::remove_install)
        .service(installs::retry_install)
        .service(volumes::list_volume_types)
        .service(volumes::list_volumes)
        .service(volumes::create_volume)
        .service(volumes::show_volume)
        .service(volumes::edit_volume)
        .service(volumes::delete_volume)
        .service(volumes::restore_volume)
        .service(volumes::attach_volume)
        .service(volumes::detach_volume)
        .service(volumes::clone_volume)
        .service(volumes::volume_charges)
        .service(clusters::list_clusters)
        .service(clusters::create_cluster)
        .service(clusters::show_cluster)
        .service(clusters::delete_cluster)
        .service(usage::show_usage)
        .service(billing::list_costs)
        .service(capacities::list_capacities)
        .service(capacities::furnish_server)
        .service(capacities::show_capacity)
        .service(capacities::change_capacity)
        .service(gpu_offers::list_gpu_offers)
        .service(gpu_offers::put_gpu_offer)
        .service(gpu_offers::show_gpu_offer)
        .service(compute_hosts::list_compute_hosts)
        .service(compute_hosts::show_compute_host)
        .service(compute_hosts::price_compute_host)
        .service(compute_hosts::retry_compute_host)
        .service(compute_hosts::forget_compute_host)
        .service(compute_hosts::retry_compute_unit)
        .service(remotes::list_identities)
        .service(remotes::put_identity)
        .service(remotes::delete_identity)
        .service(remotes::put_login)
        .service(remotes::show_login)
        .service(remotes::show_journal)
        .service(findings::list_findings)
        .service(findings::remove_finding)
        .service(hosted_instances::list_hosted_instances)
        .service(hosted_instances::evict_instance)
        .service(hosted_instances::delete_hosted_instance);
}

fn operator_operations(config: &mut ServiceConfig) {
    config
        .service(suppliers::appoint_supplier)
        .service(suppliers::list_suppliers)
        .service(suppliers::pay_out)
        .service(suppliers::list_payout_runs)
        .service(suppliers::payouts_csv)
        .service(suppliers::show_payout_run)
        .service(outages::record_outage)
        .service(outages::list_outages)
        .service(locations::put_location)
        .service(plans::list_all_plans)
        .service(plans::put_plan)
        .service(images::list_all_images)
        .service(images::put_image)
        .service(templates::add_global_template)
        .service(templates::replace_global_template)
        .service(templates::delete_global_template)
        .service(software::add_global_software)
        .service(software::replace_global_software)
        .service(software::delete_global_software)
        .service(clock::show_clock)
        .service(clock::move_clock)
        .service(admin::book_deposit)
        .service(admin::book_adjustment)
        .service(admin::list_users)
        .service(admin::list_all_servers)
        .service(admin::show_any_server)
        .service(admin::enlist_server)
        .service(admin::edit_server)
        .service(admin::retire_server)
        .service(admin::list_dead_jobs)
        .service(admin::retry_job);
}

/// The surface, its document, the interactive documentation, and answers for paths that are not.
pub fn routes(config: &mut web::ServiceConfig) {
    // Before the scope, which answers every other path below it.
    config.service(openapi_document);
    let mut native = ServiceConfig::new(config);
    native.service(scope(PREFIX).configure(operations));
    config
        .service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from(DOCUMENT_PATH)))
        .service(web::redirect("/", "/docs/"))
        .default_service(web::to(fallback::answer));
}

/// The OpenAPI document of this surface.
#[get("/api/v1/openapi.json")]
async fn openapi_document(document: Data<OpenApi>) -> impl Responder {
    HttpResponse::Ok().json(document.as_ref())
}
