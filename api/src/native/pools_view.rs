//! What pools, members and invitations look like on the wire.

use domain::pool::{
    Invitation, Membership, MembershipState, Pool, PoolDetail, PoolRole, PoolServer, PoolSummary,
};
use domain::rental::RentalStatus;
use domain::user::PublicUser;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::view::{PublicUserView, Stamp};

/// What every member sees of a pool.
#[derive(Serialize, ToSchema)]
pub struct PoolView {
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
}

impl From<Pool> for PoolView {
    fn from(pool: Pool) -> Self {
        Self {
            id: pool.id.to_string(),
            name: pool.name.to_string(),
            description: pool.description.map(|text| text.to_string()),
            is_default: pool.is_default,
            settings: pool.settings.as_map().clone(),
            created_at: Stamp(pool.created_at),
            updated_at: Stamp(pool.updated_at),
            owner_id: pool.owner_id.to_string(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct PoolSummaryView {
    #[serde(flatten)]
    pool: PoolView,
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
        Self { pool: pool.into(), user_role: role, member_count, server_count }
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
    #[serde(flatten)]
    pool: PoolView,
    members: Vec<MemberView>,
    servers: Vec<PoolServerView>,
}

impl From<PoolDetail> for PoolDetailView {
    fn from(PoolDetail { pool, members, servers }: PoolDetail) -> Self {
        let members = members.into_iter().map(Into::into).collect();
        let servers = servers.into_iter().map(Into::into).collect();
        Self { pool: pool.into(), members, servers }
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
