use async_trait::async_trait;

use super::{Invitation, Membership, MembershipId, Pool, PoolId, PoolServer, PoolSummary};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::page::Page;
use crate::user::{PublicUser, UserId, Viewer};

/// Looks at pools.
#[async_trait]
pub trait PoolQueries {
    /// The pool.
    async fn pool(&self, id: PoolId) -> Result<Option<Pool>>;

    /// The user's default pool.
    async fn default_pool_of(&self, owner_id: UserId) -> Result<Option<PoolId>>;

    /// The owner of a pool that somebody sees, with its id; without a pool that of the only one they see,
    /// or of their default one.
    async fn owner_of(
        &self,
        viewer: Viewer,
        pool_id: Option<PoolId>,
    ) -> Result<Option<(PoolId, UserId)>>;

    /// The pools that the user is an accepted member of, oldest first. Rentals that have ended by `now`
    /// are not counted, swept or not.
    async fn pools_of(
        &self,
        user_id: UserId,
        now: Timestamp,
        page: &Page<PoolId>,
    ) -> Result<Vec<PoolSummary>>;

    /// How many pools the user is an accepted member of.
    async fn pool_count(&self, user_id: UserId) -> Result<u64>;

    /// The user's present place in the pool, accepted or pending.
    async fn membership_of(&self, pool_id: PoolId, user_id: UserId) -> Result<Option<Membership>>;

    /// Accepted members and pending invitations, oldest first.
    async fn members(&self, pool_id: PoolId) -> Result<Vec<(Membership, PublicUser)>>;

    /// Servers with a rental in the pool that has not ended by `now`.
    async fn pool_servers(&self, pool_id: PoolId, now: Timestamp) -> Result<Vec<PoolServer>>;

    /// Invitations of the user that are still open, the newest ones, newest first.
    async fn pending_invitations(
        &self,
        user_id: UserId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Invitation>>;
}

/// Changes pools.
#[async_trait]
pub trait Pools {
    /// Adds a pool with its owner as a member.
    async fn add_pool(&self, pool: &Pool) -> Result<()>;

    /// The pool, locked until the transaction ends. Every change of a pool or its members locks it
    /// first, so roles and memberships read after this stay as they are.
    async fn pool_for_update(&self, id: PoolId) -> Result<Option<Pool>>;

    /// Those of these pools that there are; none of them is deleted until the transaction ends.
    async fn pools_that_stay(&self, ids: &[PoolId]) -> Result<Vec<PoolId>>;

    /// Stores description, settings and times.
    async fn save_pool(&self, pool: &Pool) -> Result<()>;

    /// Deletes the pool with its memberships, SSH keys and scripts; its rentals become unassigned, and plans
    /// that were for it stay with their other pools, or with none.
    async fn delete_pool(&self, id: PoolId) -> Result<()>;

    /// Adds an invitation. A second open or accepted membership of the same user is a conflict.
    async fn add_membership(&self, membership: &Membership) -> Result<()>;

    /// A membership or invitation by its own id.
    async fn membership(&self, id: MembershipId) -> Result<Option<Membership>>;

    /// Stores role, state and times.
    async fn save_membership(&self, membership: &Membership) -> Result<()>;

    /// Takes the user's own rentals out of the pool.
    async fn unassign_rentals(&self, pool_id: PoolId, renter_id: UserId) -> Result<()>;
}
