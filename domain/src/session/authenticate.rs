//! Recognises a session.

use std::net::IpAddr;

use super::SessionId;
use crate::clock::Clock;
use crate::error::{Error, Result, Unauthenticated};
use crate::store::Store;
use crate::token::Permissions;
use crate::user::Caller;

/// Whose session this is. The surface has checked that the caller holds an access token of it. A
/// log-in allows everything that its user may do.
pub async fn authenticate(
    store: &dyn Store,
    clock: &dyn Clock,
    id: SessionId,
    from: Option<IpAddr>,
) -> Result<Caller> {
    let found = store.reads().session_with_user(id).await?;
    let open = found.filter(|(session, _)| session.is_open(clock.now()));
    let (_, user) = open.ok_or(Error::Unauthenticated(Unauthenticated::Credentials))?;
    Ok(Caller {
        user_id: user.id,
        role: user.role,
        permissions: Permissions::everything(),
        ip_allow_list: Vec::new(),
        expires_at: None,
        from,
        pool_id: None,
    })
}
