//! Members of pools, and invitations.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, patch, post, put};
use domain::error::Thing;
use domain::pool::{
    self, Answer as Reply, ChangeRole, Invite, MemberKey, MembershipId, PoolId, PoolRole,
};
use domain::user::UserId;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field};
use super::pools::pool_id;
use super::pools_view::InvitationView;
use super::view::Stamp;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
pub struct InviteBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "new_developer")]
    #[serde(default)]
    username: Field<String>,
    /// `admin` or `user`.
    #[schema(value_type = String, required, pattern = "^(admin|user)$", example = "user")]
    #[serde(default)]
    role: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct RoleBody {
    /// `admin` or `user`.
    #[schema(value_type = String, required, pattern = "^(admin|user)$", example = "admin")]
    #[serde(default)]
    role: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct InvitedView {
    /// The invitation's id, which the invited user accepts it by.
    #[schema(example = "507f1f77bcf86cd799439311")]
    id: String,
    #[schema(value_type = String, example = "user")]
    role: PoolRole,
    /// Always false: the invitation is not answered yet.
    is_authorized: bool,
    #[schema(value_type = String, format = DateTime)]
    invited_at: Stamp,
}

fn role(text: String) -> Result<PoolRole, &'static str> {
    match text.as_str() {
        "admin" => Ok(PoolRole::Admin),
        "user" => Ok(PoolRole::User),
        _ => Err("must be admin or user"),
    }
}

fn username(text: String) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=100).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text)
    } else {
        Err("must be 1 to 100 letters, digits, underscores and dashes")
    }
}

/// The member that a path names: by user id, or by membership id.
fn member(path: &(String, String)) -> Result<(PoolId, MemberKey)> {
    let key = UserId::parse(&path.1).zip(MembershipId::parse(&path.1));
    let (user_id, id) = key.ok_or(Error::NotFound(Thing::Member))?;
    Ok((pool_id(&path.0)?, MemberKey(user_id, id)))
}

/// List one's open invitations, newest first.
#[utoipa::path(tag = "invitations", responses((status = 200, body = Success<Vec<InvitationView>>)))]
#[get("/pools/invitations/pending")]
pub async fn pending_invitations(
    app: Data<App>,
    signed: Authenticated,
) -> Answer<Vec<InvitationView>> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let invitations = pool::pending(store, clock, &signed.caller).await?;
    let views = invitations.into_iter().map(Into::into).collect();
    Ok(Success::ok("Pending invitations retrieved successfully", views))
}

async fn reply(app: &App, signed: &Authenticated, id: &str, reply: Reply) -> Result<()> {
    let id = MembershipId::parse(id).ok_or(Error::NotFound(Thing::Invitation))?;
    pool::answer(app.store.as_ref(), app.clock.as_ref(), &signed.caller, id, reply).await
}

/// Accept an invitation. The id is the invitation's, not the pool's.
#[utoipa::path(tag = "invitations", params(("id", description = "Invitation identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["INVITATION_NOT_FOUND", "INVITATION_ANSWERED", "INVITATION_EXPIRED"]))))]
#[post("/pools/{id}/accept")]
pub async fn accept_invitation(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    reply(&app, &signed, &id, Reply::Accept).await?;
    Ok(Success::done("Invitation accepted successfully"))
}

/// Reject an invitation. The id is the invitation's, not the pool's.
#[utoipa::path(tag = "invitations", params(("id", description = "Invitation identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["INVITATION_NOT_FOUND", "INVITATION_ANSWERED", "INVITATION_EXPIRED"]))))]
#[post("/pools/{id}/reject")]
pub async fn reject_invitation(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    reply(&app, &signed, &id, Reply::Reject).await?;
    Ok(Success::done("Invitation rejected successfully"))
}

/// Invite a user into a pool; its owner and admins may.
#[utoipa::path(tag = "members", request_body = InviteBody, params(("id", description = "Pool identifier")),
    responses((status = 201, body = Success<InvitedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "POOL_OWNER_REQUIRED", "USER_NOT_FOUND", "ALREADY_MEMBER", "ALREADY_INVITED"]))))]
#[post("/pools/{id}/members")]
pub async fn invite_member(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<InviteBody>,
) -> Answer<InvitedView> {
    let pool_id = pool_id(&id)?;
    let mut check = Check::default();
    let username = check.required("/username", body.0.username, username);
    let role = check.required("/role", body.0.role, role);
    let lifetime = app.settings.invitation_lifetime;
    let caller = signed.caller;
    let request = check
        .finish(|| Some(Invite { caller, pool_id, username: username?, role: role?, lifetime }))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let invited = pool::invite(store, clock, random, request).await?;
    let view = InvitedView {
        id: invited.id.to_string(),
        role: invited.role,
        is_authorized: false,
        invited_at: Stamp(invited.invited_at),
    };
    Ok(Success::created("Member invited successfully", view))
}

async fn change_role(
    app: Data<App>,
    signed: Authenticated,
    path: Path<(String, String)>,
    body: Body<RoleBody>,
) -> Answer<Done> {
    let (pool_id, member) = member(&path)?;
    let mut check = Check::default();
    let role = check.required("/role", body.0.role, role);
    let caller = signed.caller;
    let request = check.finish(|| Some(ChangeRole { caller, pool_id, member, role: role? }))?;
    pool::change_role(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::done("Member role updated successfully"))
}

/// Give a member another role; only the pool's owner may.
#[utoipa::path(tag = "members", request_body = RoleBody,
    params(("id", description = "Pool identifier"), ("userId", description = "The member's user id, or the membership's id")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "POOL_OWNER_REQUIRED", "MEMBER_NOT_FOUND", "OWNER_ROLE_FIXED"]))))]
#[patch("/pools/{id}/members/{userId}")]
pub async fn update_member_role(
    app: Data<App>,
    signed: Authenticated,
    path: Path<(String, String)>,
    body: Body<RoleBody>,
) -> Answer<Done> {
    change_role(app, signed, path, body).await
}

/// The same as PATCH.
#[utoipa::path(tag = "members", request_body = RoleBody,
    params(("id", description = "Pool identifier"), ("userId", description = "The member's user id, or the membership's id")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "POOL_OWNER_REQUIRED", "MEMBER_NOT_FOUND", "OWNER_ROLE_FIXED"]))))]
#[put("/pools/{id}/members/{userId}")]
pub async fn put_member_role(
    app: Data<App>,
    signed: Authenticated,
    path: Path<(String, String)>,
    body: Body<RoleBody>,
) -> Answer<Done> {
    change_role(app, signed, path, body).await
}

/// Remove a member, withdraw an invitation, or leave the pool oneself.
///
/// The owner removes anybody else, admins remove users. The removed member's own rentals leave the
/// pool with them.
#[utoipa::path(tag = "members",
    params(("id", description = "Pool identifier"), ("userId", description = "The member's user id, or the membership's id")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "POOL_OWNER_REQUIRED", "MEMBER_NOT_FOUND", "OWNER_ROLE_FIXED"]))))]
#[delete("/pools/{id}/members/{userId}")]
pub async fn remove_member(
    app: Data<App>,
    signed: Authenticated,
    path: Path<(String, String)>,
) -> Answer<Done> {
    let (pool_id, member) = member(&path)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    pool::remove(store, clock, &signed.caller, pool_id, member).await?;
    Ok(Success::done("Member removed successfully"))
}
