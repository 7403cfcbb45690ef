//! What is installed on instances.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post};
use domain::error::Thing;
use domain::install::{self, ActOnInstall, AddInstall, InstallId, InstallKey};
use domain::software::{SoftwareId, SoftwareKey};
use domain::{Error, Result};

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader};
use super::field::{Check, ID, as_is};
use super::installs_view::{InstallBody, InstallView};
use super::instances::instance_id;
use crate::app::App;

fn key((on, id): &(String, String)) -> Result<InstallKey> {
    let id = InstallId::parse(id).ok_or(Error::NotFound(Thing::Install));
    Ok(InstallKey::Id(instance_id(on).map_err(|_| Error::NotFound(Thing::Install))?, id?))
}

/// List what is installed on an instance, the oldest first.
///
/// What was removed is not among it, and nothing is once the instance is deleted.
#[utoipa::path(tag = "software", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<Vec<InstallView>>)),
    extensions(("x-errors" = json!(["INSTANCE_NOT_FOUND"]))))]
#[get("/instances/{id}/installs")]
pub async fn list_installs(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Vec<InstallView>> {
    let found = install::list(app.store.as_ref(), &signed.caller, instance_id(&id)?).await?;
    let views = found.into_iter().map(Into::into).collect();
    Ok(Success::ok("Installs retrieved successfully", views))
}

/// Put software onto an instance.
///
/// Its script runs as soon as the instance does, for an hour at most; `status` tells how far it is. An
/// instance that stops meanwhile ends it, which then `failed`. An instance has at most 32 of these, and none
/// of the same software twice.
#[utoipa::path(tag = "software", request_body = InstallBody,
    params(("id", description = "Instance identifier"),
           ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 202, body = Success<InstallView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSTANCE_NOT_FOUND", "SOFTWARE_NOT_FOUND", "INSTALL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTANCE_DELETED", "NOT_FOR_UNITS", "ALREADY_INSTALLED", "INSTALL_LIMIT", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/instances/{id}/installs")]
pub async fn add_install(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    once: IdempotencyHeader,
    body: Body<InstallBody>,
) -> Answer<InstallView> {
    let instance_id = instance_id(&id)?;
    let mut check = Check::default();
    let software = check
        .required("/software_id", body.0.software_id, |text| SoftwareId::parse(&text).ok_or(ID));
    let config = check.optional("/config", body.0.config, as_is).unwrap_or_default();
    let software = SoftwareKey::Id(check.finish(|| software)?);
    let (caller, idempotency_key) = (signed.caller, once.0);
    let request = AddInstall { caller, instance_id, software, config, idempotency_key };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let added = install::add(store, clock, random, &request).await?;
    Ok(Success::accepted("Install queued", added.into()))
}

/// Look at what is installed.
#[utoipa::path(tag = "software",
    params(("id", description = "Instance identifier"), ("install_id", description = "Install identifier")),
    responses((status = 200, body = Success<InstallView>)),
    extensions(("x-errors" = json!(["INSTALL_NOT_FOUND"]))))]
#[get("/instances/{id}/installs/{install_id}")]
pub async fn show_install(
    app: Data<App>,
    signed: Authenticated,
    ids: Path<(String, String)>,
) -> Answer<InstallView> {
    let found = install::show(app.store.as_ref(), &signed.caller, key(&ids)?).await?;
    Ok(Success::ok("Install retrieved successfully", found.into()))
}

/// Try again what failed.
///
/// With the script and the values that it was ordered with. What failed to be removed is removed again.
#[utoipa::path(tag = "software",
    params(("id", description = "Instance identifier"), ("install_id", description = "Install identifier")),
    responses((status = 202, body = Success<InstallView>)),
    extensions(("x-errors" = json!(["INSTALL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTALL_NOT_FAILED"]))))]
#[post("/instances/{id}/installs/{install_id}/retry")]
pub async fn retry_install(
    app: Data<App>,
    signed: Authenticated,
    ids: Path<(String, String)>,
) -> Answer<InstallView> {
    let request = ActOnInstall { caller: signed.caller, key: key(&ids)? };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let retried = install::retry(store, clock, random, &request).await?;
    Ok(Success::accepted("Retry queued", retried.into()))
}

/// Remove software from an instance.
///
/// Its script for that runs as soon as the instance does; then it is not found any more. If it has none, or
/// was never begun, that is at once. What failed to be removed is forgotten by a second call.
#[utoipa::path(tag = "software",
    params(("id", description = "Instance identifier"), ("install_id", description = "Install identifier")),
    responses((status = 202, body = Success<InstallView>)),
    extensions(("x-errors" = json!(["INSTALL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTALL_RUNNING"]))))]
#[delete("/instances/{id}/installs/{install_id}")]
pub async fn remove_install(
    app: Data<App>,
    signed: Authenticated,
    ids: Path<(String, String)>,
) -> Answer<InstallView> {
    let request = ActOnInstall { caller: signed.caller, key: key(&ids)? };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let removed = install::remove(store, clock, random, &request).await?;
    Ok(Success::accepted("Removal queued", removed.into()))
}
