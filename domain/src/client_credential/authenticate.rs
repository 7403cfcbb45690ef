//! Recognises client credentials.

use std::net::IpAddr;

use chrono::Duration;
use tracing::warn;

use super::{ClientCredential, ClientCredentialId, ClientSecret, permissions};
use crate::clock::Clock;
use crate::error::{Error, Result, Unauthenticated};
use crate::session::TokenHash;
use crate::store::{Store, Tx, atomically};
use crate::user::{Caller, User};

/// The last use is noted at most once in this time: the minute is near enough.
const NOTE_EVERY: Duration = Duration::seconds(60);

/// Checks both halves of credentials.
pub async fn authenticate(
    store: &dyn Store,
    clock: &dyn Clock,
    (id, secret): (ClientCredentialId, &ClientSecret),
    from: IpAddr,
) -> Result<Caller> {
    let (credential, hash, author) = found(store, id).await?;
    // Hashes of what nobody can guess: comparing them in any time tells nothing.
    if secret.hash() != hash {
        return Err(Error::Unauthenticated(Unauthenticated::Credentials));
    }
    Ok(called(store, clock, (credential, author), from).await)
}

/// Whom credentials stand for that were checked before, if they were not revoked since.
pub async fn recognise(
    store: &dyn Store,
    clock: &dyn Clock,
    id: ClientCredentialId,
    from: IpAddr,
) -> Result<Caller> {
    let (credential, _, author) = found(store, id).await?;
    Ok(called(store, clock, (credential, author), from).await)
}

async fn found(
    store: &dyn Store,
    id: ClientCredentialId,
) -> Result<(ClientCredential, TokenHash, User)> {
    let found = store.reads().client_credential_with_author(id).await?;
    found.ok_or(Error::Unauthenticated(Unauthenticated::Credentials))
}

async fn called(
    store: &dyn Store,
    clock: &dyn Clock,
    (credential, author): (ClientCredential, User),
    from: IpAddr,
) -> Caller {
    let now = clock.now();
    if credential.last_used_at.is_none_or(|at| now - at >= NOTE_EVERY) {
        let noted = atomically(store, async |tx: &dyn Tx| {
            tx.touch_client_credential(credential.id, now, from).await
        });
        // It is for people to look at; nothing depends on it.
        if let Err(error) = noted.await {
            let cause = error.for_the_log();
            warn!(credential_id = %credential.id, cause, "the last use was not noted");
        }
    }
    Caller {
        user_id: author.id,
        role: author.role,
        permissions: permissions(),
        ip_allow_list: Vec::new(),
        expires_at: None,
        from: Some(from),
        pool_id: Some(credential.pool_id),
    }
}
