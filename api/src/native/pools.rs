//! Pools.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post, put};
use domain::error::Thing;
use domain::pool::{self, CreatePool, PoolDescription, PoolId, PoolName, PoolSettings, UpdatePool};
use domain::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Paging, Success};
use super::extract::{Authenticated, Body, page};
use super::field::{Check, Field};
use super::pools_view::{NewPoolView, PoolDetailView, PoolSummaryView};
use crate::app::App;
use crate::http::Query;

/// The pool that a path names.
pub fn pool_id(id: &str) -> Result<PoolId> {
    PoolId::parse(id).ok_or(Error::NotFound(Thing::Pool))
}

/// List the pools that one owns or has joined, oldest first.
#[utoipa::path(tag = "pools",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<PoolSummaryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/pools")]
pub async fn list_pools(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<PoolSummaryView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, PoolId::parse);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let pools = pool::list(store, clock, &signed.caller, page).await?;
    let next = pools.next.map(|id| id.to_string());
    let paging = pools.total.map(|total| Paging { next, total: Some(total) });
    let views = pools.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Pools retrieved successfully", views).paged(paging))
}

/// Look at a pool, its members and its servers.
///
/// Open invitations (`is_authorized: false`) are shown to its owner and admins only.
#[utoipa::path(tag = "pools", params(("id", description = "Pool identifier")),
    responses((status = 200, body = Success<PoolDetailView>)),
    extensions(("x-errors" = json!(["POOL_NOT_FOUND"]))))]
#[get("/pools/{id}")]
pub async fn show_pool(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<PoolDetailView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let detail = pool::show(store, clock, &signed.caller, pool_id(&id)?).await?;
    Ok(Success::ok("Pool retrieved successfully", detail.into()))
}

#[derive(Deserialize, ToSchema)]
pub struct CreatePoolBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "Production Team")]
    #[serde(default)]
    name: Field<String>,
    #[schema(value_type = Option<String>, max_length = 500)]
    #[serde(default)]
    description: Field<String>,
    /// Anything, up to 16 KiB of JSON; given back as it is.
    #[schema(value_type = Option<Object>, example = json!({"auto_approve": true, "max_servers": 20}))]
    #[serde(default)]
    settings: Field<Map<String, Value>>,
}

/// Make a pool.
#[utoipa::path(tag = "pools", request_body = CreatePoolBody,
    responses((status = 201, body = Success<NewPoolView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[post("/pools")]
pub async fn create_pool(
    app: Data<App>,
    signed: Authenticated,
    body: Body<CreatePoolBody>,
) -> Answer<NewPoolView> {
    let mut check = Check::default();
    let name = check.required("/name", body.0.name, |text| PoolName::parse(&text));
    let description =
        check.optional("/description", body.0.description, |text| PoolDescription::parse(&text));
    let settings = check.optional("/settings", body.0.settings, PoolSettings::parse);
    let request = check.finish(|| {
        let settings = settings.unwrap_or_else(PoolSettings::empty);
        Some(CreatePool { caller: signed.caller, name: name?, description, settings })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let pool = pool::create(store, clock, random, request).await?;
    Ok(Success::created("Pool created successfully", pool.into()))
}

#[derive(Deserialize, ToSchema)]
pub struct UpdatePoolBody {
    /// Null removes it.
    #[schema(value_type = Option<String>, max_length = 500)]
    #[serde(default)]
    description: Field<String>,
    /// In place of the old ones, up to 16 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    settings: Field<Map<String, Value>>,
}

async fn update(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<UpdatePoolBody>,
) -> Answer<Done> {
    let pool_id = pool_id(&id)?;
    let mut check = Check::default();
    let description =
        check.change("/description", body.0.description, |text| PoolDescription::parse(&text));
    let settings = check.optional("/settings", body.0.settings, PoolSettings::parse);
    let request = check
        .finish(|| Some(UpdatePool { caller: signed.caller, pool_id, description, settings }))?;
    pool::update(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::done("Pool updated successfully"))
}

/// Change a pool; only its owner may.
#[utoipa::path(tag = "pools", request_body = UpdatePoolBody, params(("id", description = "Pool identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "POOL_OWNER_REQUIRED"]))))]
#[patch("/pools/{id}")]
pub async fn update_pool(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<UpdatePoolBody>,
) -> Answer<Done> {
    update(app, signed, id, body).await
}

/// The same as PATCH.
#[utoipa::path(tag = "pools", request_body = UpdatePoolBody, params(("id", description = "Pool identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "POOL_OWNER_REQUIRED"]))))]
#[put("/pools/{id}")]
pub async fn put_pool(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<UpdatePoolBody>,
) -> Answer<Done> {
    update(app, signed, id, body).await
}

/// Delete a pool; only its owner may, and the default pool stays.
///
/// Its rentals stay with their renters and belong to no pool; its SSH keys and scripts go.
#[utoipa::path(tag = "pools", params(("id", description = "Pool identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["POOL_NOT_FOUND", "POOL_OWNER_REQUIRED", "DEFAULT_POOL", "POOL_IN_USE"]))))]
#[delete("/pools/{id}")]
pub async fn delete_pool(app: Data<App>, signed: Authenticated, id: Path<String>) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    pool::delete(store, clock, &signed.caller, pool_id(&id)?).await?;
    Ok(Success::done("Pool deleted successfully"))
}
