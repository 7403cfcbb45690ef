//! Pools.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post, put};
use domain::error::Thing;
use domain::pool::{
    self, CreatePool, Invitation, Membership, MembershipState, Pool, PoolDescription, PoolDetail,
    PoolId, PoolName, PoolRole, PoolServer, PoolSettings, PoolSummary, UpdatePool,
};
use domain::rental::RentalStatus;
use domain::user::PublicUser;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Paging, Success};
use super::extract::{Body, Signed, page};
use super::field::{Check, Field};
use super::view::{PublicUserView, Stamp};
use crate::app::App;
use crate::http::Query;

#[derive(Serialize, ToSchema)]
pub struct PoolSummaryView {
    #[schema(example = "507f1f77bcf86cd799439300")]
    id: String,
    name: String,
    description: Option<String>,
    is_default: bool,
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
    owner_id: String,
    /// `owner`, `admin` or `user`.
    #[schema(value_type = String, example = "owner")]
    user_role: PoolRole,
    /// Accepted members, the owner included.
    member_count: u64,
    /// Rentals in the pool that have not ended.
    server_count: u64,
}

impl From<PoolSummary> for PoolSummaryView {
    fn from(PoolSummary { pool, role, member_count, server_count }: PoolSummary) -> Self {
        Self {
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            description: pool.description.map(|text| text.to_string()),
            is_default: pool.is_default,
            settings: pool.settings.as_map().clone(),
            created_at: Stamp(pool.created_at),
            updated_at: Stamp(pool.updated_at),
            owner_id: pool.owner_id.to_string(),
            user_role: role,
            member_count,
            server_count,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct MemberView {
    /// The membership's id, which was the invitation's.
    id: String,
    #[schema(value_type = String, example = "admin")]
    role: PoolRole,
    /// False for an invitation that is not answered yet.
    is_authorized: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    joined_at: Option<Stamp>,
    user: PublicUserView,
}

impl From<(Membership, PublicUser)> for MemberView {
    fn from((membership, user): (Membership, PublicUser)) -> Self {
        Self {
            id: membership.id.to_string(),
            role: membership.role,
            is_authorized: membership.state == MembershipState::Accepted,
            joined_at: membership.joined_at.map(Stamp),
            user: user.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct PoolServerView {
    id: String,
    name: String,
    #[schema(value_type = String, example = "active")]
    rental_status: RentalStatus,
    is_ready: bool,
}

impl From<PoolServer> for PoolServerView {
    fn from(server: PoolServer) -> Self {
        let PoolServer { id, name, rental_status, is_ready } = server;
        Self { id: id.to_string(), name, rental_status, is_ready }
    }
}

#[derive(Serialize, ToSchema)]
pub struct PoolDetailView {
    id: String,
    name: String,
    description: Option<String>,
    is_default: bool,
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
    owner_id: String,
    members: Vec<MemberView>,
    servers: Vec<PoolServerView>,
}

impl From<PoolDetail> for PoolDetailView {
    fn from(PoolDetail { pool, members, servers }: PoolDetail) -> Self {
        Self {
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            description: pool.description.map(|text| text.to_string()),
            is_default: pool.is_default,
            settings: pool.settings.as_map().clone(),
            created_at: Stamp(pool.created_at),
            updated_at: Stamp(pool.updated_at),
            owner_id: pool.owner_id.to_string(),
            members: members.into_iter().map(Into::into).collect(),
            servers: servers.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct NewPoolView {
    id: String,
    name: String,
    description: Option<String>,
    owner_id: String,
    is_default: bool,
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<Pool> for NewPoolView {
    fn from(pool: Pool) -> Self {
        Self {
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            description: pool.description.map(|text| text.to_string()),
            owner_id: pool.owner_id.to_string(),
            is_default: pool.is_default,
            settings: pool.settings.as_map().clone(),
            created_at: Stamp(pool.created_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct InvitationView {
    /// The invitation's id, to accept or reject it by.
    #[schema(example = "507f1f77bcf86cd799439312")]
    id: String,
    pool_id: String,
    pool_name: String,
    pool_description: Option<String>,
    #[schema(value_type = String, example = "user")]
    role: PoolRole,
    invited_by: Option<PublicUserView>,
    #[schema(value_type = String, format = DateTime)]
    invited_at: Stamp,
    /// Until when it can be accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Stamp>,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            pool_id: invitation.pool_id.to_string(),
            pool_name: invitation.pool_name.to_string(),
            pool_description: invitation.pool_description.map(|text| text.to_string()),
            role: invitation.role,
            invited_by: invitation.invited_by.map(Into::into),
            invited_at: Stamp(invitation.invited_at),
            expires_at: invitation.expires_at.map(Stamp),
        }
    }
}

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
    signed: Signed,
    request: HttpRequest,
) -> Answer<Vec<PoolSummaryView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, PoolId::parse);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let pools = pool::list(store, clock, &signed.caller, page).await?;
    let next = pools.next.map(|id| id.to_string());
    let paging = pools.total.map(|total| Paging { next, total });
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
pub async fn show_pool(app: Data<App>, signed: Signed, id: Path<String>) -> Answer<PoolDetailView> {
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
    signed: Signed,
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
    signed: Signed,
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
    signed: Signed,
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
    signed: Signed,
    id: Path<String>,
    body: Body<UpdatePoolBody>,
) -> Answer<Done> {
    update(app, signed, id, body).await
}

/// Delete a pool; only its owner may, and the default pool stays.
///
/// Its rentals stay with their renters and belong to no pool.
#[utoipa::path(tag = "pools", params(("id", description = "Pool identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["POOL_NOT_FOUND", "POOL_OWNER_REQUIRED", "DEFAULT_POOL"]))))]
#[delete("/pools/{id}")]
pub async fn delete_pool(app: Data<App>, signed: Signed, id: Path<String>) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    pool::delete(store, clock, &signed.caller, pool_id(&id)?).await?;
    Ok(Success::done("Pool deleted successfully"))
}
