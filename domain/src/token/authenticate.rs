//! Recognises an API token.

use std::net::IpAddr;

use chrono::Duration;

use super::{ApiToken, ApiTokenSecret};
use crate::clock::Clock;
use crate::error::{Error, Result, Unauthenticated};
use crate::store::{Store, Tx, atomically};
use crate::user::{Caller, Role, User};

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
    let noted = token.last_used_at.is_some_and(|at| now - at < NOTE_EVERY);
    if !noted || token.last_used_ip != Some(from) {
        atomically(store, async |tx: &dyn Tx| tx.touch_api_token(token.id, now, from).await)
            .await?;
    }
    Ok((caller(&user, &token), token))
}

fn caller(user: &User, token: &ApiToken) -> Caller {
    let role: Role = user.role;
    Caller { user_id: user.id, role, permissions: token.permissions.clone() }
}
