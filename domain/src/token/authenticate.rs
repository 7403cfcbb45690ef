//! Recognises an API token.

use std::net::IpAddr;

use chrono::Duration;
use tracing::warn;

use super::{ApiToken, ApiTokenSecret};
use crate::clock::Clock;
use crate::error::{Error, Result, Unauthenticated};
use crate::store::{Store, Tx, atomically};
use crate::user::Caller;

/// The last use is noted at most once in this time, so that a read stays a read.
const NOTE_EVERY: Duration = Duration::seconds(60);

/// Whose token this is, and what it allows; also notes its use.
pub async fn authenticate(
    store: &dyn Store,
    clock: &dyn Clock,
    secret: &ApiTokenSecret,
    from: IpAddr,
) -> Result<(Caller, ApiToken)> {
    let unknown = Error::Unauthenticated(Unauthenticated::Credentials);
    let now = clock.now();
    let found = store.reads().api_token_with_user(&secret.hash()).await?;
    let (token, user) = found.ok_or(unknown)?;
    if token.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::Unauthenticated(Unauthenticated::Credentials));
    }
    let allowed = &token.ip_allow_list;
    if !allowed.is_empty() && !allowed.iter().any(|network| network.contains(&from.to_canonical()))
    {
        return Err(Error::Unauthenticated(Unauthenticated::Address));
    }
    if token.last_used_at.is_none_or(|at| now - at >= NOTE_EVERY) {
        let noted =
            atomically(store, async |tx: &dyn Tx| tx.touch_api_token(token.id, now, from).await);
        // A database that takes no writes at the moment still answers reads.
        if let Err(error) = noted.await {
            let cause = error.for_the_log();
            warn!(token_id = %token.id, cause, "the last use of a token was not noted");
        }
    }
    let caller = Caller {
        user_id: user.id,
        role: user.role,
        permissions: token.permissions.clone(),
        ip_allow_list: token.ip_allow_list.clone(),
        expires_at: token.expires_at,
        from: Some(from),
        pool_id: None,
    };
    Ok((caller, token))
}
