//! Pools: teams that share rented servers. One owner, admins, users.

mod belongings;
mod create;
mod delete;
mod invitation;
mod invite;
mod members;
mod paying;
mod port;
mod show;
mod update;
mod words;

use serde::{Deserialize, Serialize};

pub(crate) use belongings::{home_for_update, may_take, roles_for_update};
pub use create::{CreatePool, create};
pub use delete::delete;
pub(crate) use invitation::MAX_SHOWN;
pub use invitation::{Answer, answer, pending};
pub use invite::{Invite, invite};
pub use members::{ChangeRole, change_role, remove};
pub(crate) use paying::{Paying, paying};
pub use port::{PoolQueries, Pools};
pub(crate) use show::payer_of;
pub use show::{balance, list, show};
pub use update::{UpdatePool, update};
pub use words::{Label, PoolDescription, PoolName, PoolSettings};

use crate::clock::{Random, Timestamp};
use crate::error::{Conflict, Error, Forbidden, Result, Thing};
use crate::host::HostId;
use crate::id::entity_id;
use crate::rental::RentalStatus;
use crate::store::Tx;
use crate::user::{PublicUser, UserId};

entity_id!(
    /// Identifies a pool.
    PoolId
);
entity_id!(
    /// Identifies a membership, which begins as an invitation.
    MembershipId
);

/// A team.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Identifies the pool.
    pub id: PoolId,
    /// Who owns it, for ever.
    pub owner_id: UserId,
    /// Its name.
    pub name: PoolName,
    /// What it is for.
    pub description: Option<PoolDescription>,
    /// The owner's first pool, which cannot be deleted.
    pub is_default: bool,
    /// Whatever the members' programs keep there.
    pub settings: PoolSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Pool {
    /// The pool that everybody gets with their account.
    pub fn default_of(owner_id: UserId, now: Timestamp, random: &dyn Random) -> Self {
        Self {
            id: PoolId::generate(now, random),
            owner_id,
            name: PoolName::from_stored("Default".to_owned()),
            description: None,
            is_default: true,
            settings: PoolSettings::empty(),
            created_at: now,
            updated_at: now,
        }
    }
}

/// What of a text that a pool has already and that is added to it once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// It is refused.
    Refused,
    /// It is another one.
    Allowed,
}

/// What a member may do. Ordered: each may also do what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolRole {
    /// Sees the pool's servers, SSH keys and scripts, adds such, and deletes their own.
    User,
    /// Also rents into the pool, extends its rentals, deletes others' SSH keys and scripts, invites and
    /// removes users.
    Admin,
    /// Also changes the pool, roles, and deletes it.
    Owner,
}

/// Where a membership stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipState {
    /// Invited and not answered.
    Pending,
    /// A member.
    Accepted,
    /// The invitation was rejected.
    Rejected,
    /// The invitation was taken back, or ran out and was replaced.
    Withdrawn,
    /// Was a member and is not any more.
    Left,
}

/// A user's place in a pool, from the invitation on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Identifies the membership and the invitation it began as.
    pub id: MembershipId,
    /// Into which pool.
    pub pool_id: PoolId,
    /// Whose.
    pub user_id: UserId,
    /// What they may do once they have accepted.
    pub role: PoolRole,
    /// Where it stands.
    pub state: MembershipState,
    /// Who invited them; `None` for the owner.
    pub invited_by: Option<UserId>,
    /// When they were invited.
    pub invited_at: Timestamp,
    /// Until when they can accept.
    pub expires_at: Option<Timestamp>,
    /// When they accepted.
    pub joined_at: Option<Timestamp>,
}

impl Membership {
    /// Whether it is an invitation that can still be answered.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == MembershipState::Pending && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it still counts: a member, or an invitation that can be answered.
    pub fn is_present(&self, now: Timestamp) -> bool {
        self.state == MembershipState::Accepted || self.is_open(now)
    }

    /// The invited user says yes or no; only once, and only in time.
    pub fn answered(self, answer: Answer, now: Timestamp) -> Result<Self> {
        match self.state {
            MembershipState::Pending if !self.is_open(now) => Err(Error::InvitationExpired),
            MembershipState::Pending => Ok(match answer {
                Answer::Accept => {
                    Self { state: MembershipState::Accepted, joined_at: Some(now), ..self }
                }
                Answer::Reject => Self { state: MembershipState::Rejected, ..self },
            }),
            MembershipState::Withdrawn => Err(Error::NotFound(Thing::Invitation)),
            MembershipState::Accepted | MembershipState::Rejected | MembershipState::Left => {
                Err(Error::Conflict(Conflict::InvitationAnswered))
            }
        }
    }

    /// The member leaves, or the invitation is taken back.
    #[must_use]
    pub fn removed(self) -> Self {
        let state = match self.state {
            MembershipState::Accepted => MembershipState::Left,
            MembershipState::Pending => MembershipState::Withdrawn,
            MembershipState::Rejected | MembershipState::Withdrawn | MembershipState::Left => {
                self.state
            }
        };
        Self { state, ..self }
    }
}

/// A pool as one of its members sees it in a list.
#[derive(Clone, Debug)]
pub struct PoolSummary {
    /// The pool.
    pub pool: Pool,
    /// What the caller may do in it.
    pub role: PoolRole,
    /// Accepted members, the owner included.
    pub member_count: u64,
    /// Rentals in it that have not ended.
    pub server_count: u64,
}

/// A pool with its members and servers.
#[derive(Clone, Debug)]
pub struct PoolDetail {
    /// The pool.
    pub pool: Pool,
    /// Members, and open invitations where the caller may see them.
    pub members: Vec<(Membership, PublicUser)>,
    /// Servers rented into it.
    pub servers: Vec<PoolServer>,
}

/// A server rented into a pool.
#[derive(Clone, Debug)]
pub struct PoolServer {
    /// Which server.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Where its rental stands.
    pub rental_status: RentalStatus,
    /// Whether it can be used.
    pub is_ready: bool,
}

/// An open invitation as the invited user sees it.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Identifies the invitation.
    pub id: MembershipId,
    /// Into which pool.
    pub pool_id: PoolId,
    /// Its name.
    pub pool_name: PoolName,
    /// What it is for.
    pub pool_description: Option<PoolDescription>,
    /// The role offered.
    pub role: PoolRole,
    /// Who invites.
    pub invited_by: Option<PublicUser>,
    /// When.
    pub invited_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Option<Timestamp>,
}

/// The caller's role in a pool; not a member is [`Thing::Pool`] not found.
pub(crate) fn role_in(membership: Option<&Membership>) -> Result<PoolRole> {
    let member = membership.filter(|m| m.state == MembershipState::Accepted);
    member.map(|m| m.role).ok_or(Error::NotFound(Thing::Pool))
}

/// The user's role in a pool, which the transaction has locked.
pub(crate) async fn role_of(tx: &dyn Tx, pool_id: PoolId, user_id: UserId) -> Result<PoolRole> {
    role_in(tx.membership_of(pool_id, user_id).await?.as_ref())
}

/// Names a member by the user's id or by the membership's; no two things share an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberKey(pub UserId, pub MembershipId);

impl MemberKey {
    fn names(self, member: &Membership) -> bool {
        member.user_id == self.0 || member.id == self.1
    }
}

/// Refuses everybody below the role.
pub(crate) fn require(role: PoolRole, least: PoolRole) -> Result<()> {
    match (role >= least, least) {
        (true, _) => Ok(()),
        (false, PoolRole::Owner) => Err(Error::Forbidden(Forbidden::PoolOwnerRequired)),
        (false, PoolRole::Admin | PoolRole::User) => {
            Err(Error::Forbidden(Forbidden::PoolAdminRequired))
        }
    }
}
