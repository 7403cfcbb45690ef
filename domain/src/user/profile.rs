//! Looks at accounts.

use super::{Caller, Operator, User, UserId};
use crate::clock::Clock;
use crate::error::{Error, Result, Unauthenticated};
use crate::page::{Page, Paged};
use crate::pool::{Invitation, MAX_SHOWN};
use crate::store::Store;
use crate::token::Permission;

/// A user's own account and what waits for them.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The account.
    pub user: User,
    /// Open invitations, newest first.
    pub invitations: Vec<Invitation>,
}

/// The caller's own account.
pub async fn profile(store: &dyn Store, clock: &dyn Clock, caller: &Caller) -> Result<Profile> {
    caller.may(Permission::ProfileRead)?;
    let reads = store.reads();
    let user = reads.user(caller.user_id).await?;
    let user = user.ok_or(Error::Unauthenticated(Unauthenticated::Credentials))?;
    let invitations = reads.pending_invitations(user.id, clock.now(), MAX_SHOWN).await?;
    Ok(Profile { user, invitations })
}

/// Every user, for operators, oldest first. Without a limit the first 500.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    page: Page<UserId>,
) -> Result<Paged<User, UserId>> {
    operator.may(Permission::AdminRead)?;
    let limit = page.limit.unwrap_or(500);
    let reads = store.reads();
    let rows = reads.users_after(page.after, limit.saturating_add(1)).await?;
    let total = Some(reads.user_count().await?);
    Ok(Paged::cut(rows, Some(limit), total, |user| user.id))
}
