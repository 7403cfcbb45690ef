//! Exchanges a refresh token for the next one.

use chrono::Duration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tracing::instrument;

use super::{SignedIn, TokenHash, new_refresh_secret};
use crate::clock::{Clock, Random};
use crate::error::{Error, Result, Unauthenticated};
use crate::event::{Actor, Event, Subject};
use crate::store::{Store, Tx, atomically};

/// What a transaction found; a reuse must be committed, although the caller gets a refusal.
enum Found {
    Rotated(Box<SignedIn>),
    Reused,
}

/// Exchanges a refresh token. One that was used before ends its whole session: either the client
/// or a thief holds a stale copy, and nobody can tell which (RFC 9700 §4.14.2).
#[instrument(name = "session.refresh", skip_all)]
pub async fn refresh(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    presented: &SecretString,
    lifetime: Duration,
) -> Result<SignedIn> {
    let hash = TokenHash::of(presented.expose_secret());
    let secret = new_refresh_secret(random);
    let next = TokenHash::of(&secret);
    let now = clock.now();
    let found = atomically(store, async |tx: &dyn Tx| {
        let found = tx.refresh_token_for_update(&hash).await?;
        let (token, mut session, user) =
            found.ok_or(Error::Unauthenticated(Unauthenticated::RefreshToken))?;
        if !session.is_open(now) {
            return Err(Error::Unauthenticated(Unauthenticated::RefreshToken));
        }
        if token.used_at.is_some() {
            tx.end_session(session.id, now).await?;
            tx.record(vec![Event {
                kind: "session.refresh_token_reused",
                subject: Subject::User(user.id),
                actor: Actor::System,
                before: None,
                recipient: None,
                data: json!({ "session_id": session.id }),
                at: now,
            }])
            .await?;
            return Ok(Found::Reused);
        }
        session.expires_at = now + lifetime;
        tx.rotate(&session, &hash, &next, now).await?;
        let refresh_token = secret.clone().into();
        Ok(Found::Rotated(Box::new(SignedIn { user, session, refresh_token, issued_at: now })))
    })
    .await?;
    match found {
        Found::Rotated(signed_in) => Ok(*signed_in),
        Found::Reused => Err(Error::Unauthenticated(Unauthenticated::RefreshTokenReused)),
    }
}
