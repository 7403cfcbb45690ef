//! Opens a session for a name and its password.

use std::net::IpAddr;

use chrono::Duration;
use secrecy::SecretString;
use serde_json::json;
use tracing::instrument;

use super::{Session, SessionId, SignedIn, TokenHash, new_refresh_secret};
use crate::clock::{Clock, Random};
use crate::error::{Error, Result, Unauthenticated};
use crate::event::{Actor, Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::user::Passwords;

/// A wish for a session.
#[derive(Debug)]
pub struct LogIn {
    /// The username or e-mail address.
    pub login: String,
    /// The password.
    pub password: SecretString,
    /// Where the request comes from, for the audit log.
    pub from: Option<IpAddr>,
    /// How long the refresh token is good.
    pub lifetime: Duration,
}

/// Opens a session. An unknown user and a wrong password get the same answer after the same work.
#[instrument(name = "session.log_in", skip_all)]
pub async fn log_in(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    passwords: &dyn Passwords,
    request: LogIn,
) -> Result<SignedIn> {
    let found = store.reads().user_to_sign_in(&request.login).await?;
    let (user, hash) = found.unzip();
    let right = passwords.verify(&request.password, hash.as_ref()).await?;
    let wrong = || Error::Unauthenticated(Unauthenticated::Password);
    let (user, hash) = user.zip(hash).filter(|_| right).ok_or_else(wrong)?;

    let now = clock.now();
    let session = Session {
        id: SessionId::generate(now, random),
        user_id: user.id,
        created_at: now,
        expires_at: now + request.lifetime,
        ended_at: None,
    };
    let secret = new_refresh_secret(random);
    let token_hash = TokenHash::of(&secret);
    atomically(store, async |tx: &dyn Tx| {
        // A new password ends all sessions; one opened with the old password must not come after it.
        let (_, present) = tx.user_for_update(user.id).await?.ok_or_else(wrong)?;
        if present.as_phc() != hash.as_phc() {
            return Err(wrong());
        }
        tx.add_session(&session, &token_hash).await?;
        tx.record(vec![Event {
            kind: "session.opened",
            subject: Subject::User(user.id),
            actor: Actor::User { id: user.id, from: request.from },
            before: None,
            recipient: None,
            data: json!({ "session_id": session.id }),
            at: now,
        }])
        .await
    })
    .await?;
    Ok(SignedIn { user, session, refresh_token: secret.into(), issued_at: now })
}
