//! Looks at one's own account.

use super::{Caller, User};
use crate::clock::Clock;
use crate::error::{Error, Result, Unauthenticated};
use crate::pool::Invitation;
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
    let invitations = reads.pending_invitations(user.id, clock.now()).await?;
    Ok(Profile { user, invitations })
}
