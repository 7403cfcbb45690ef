//! Changes one's own account: the name to be shown, the password.

use secrecy::SecretString;
use serde_json::json;
use tracing::instrument;

use super::{Alias, Caller, Password, PasswordHash, Passwords, User, UserId};
use crate::clock::Clock;
use crate::error::{Error, Forbidden, Result, Thing};
use crate::event::{Event, Subject};
use crate::session::SessionId;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;

/// What to change; what is `None` stays.
#[derive(Clone, Debug)]
pub struct ChangeUser {
    /// Who asks.
    pub caller: Caller,
    /// The session asked in, which a change of password leaves open; all others end.
    pub session_id: Option<SessionId>,
    /// The account, which must be the caller's own.
    pub user_id: UserId,
    /// The new name to be shown; `Some(None)` removes it.
    pub alias: Option<Option<Alias>>,
    /// The new password.
    pub password: Option<Password>,
    /// The present password, needed for a new one.
    pub current_password: Option<SecretString>,
}

/// Changes the caller's account. A new password ends all other sessions.
#[instrument(name = "user.change", skip_all)]
pub async fn change(
    store: &dyn Store,
    clock: &dyn Clock,
    passwords: &dyn Passwords,
    request: ChangeUser,
) -> Result<User> {
    request.caller.may(Permission::ProfileWrite)?;
    if request.user_id != request.caller.user_id {
        return Err(Error::Forbidden(Forbidden::NotYourself));
    }
    let hashes = match &request.password {
        Some(password) => {
            let present = verified(store, passwords, &request).await?;
            Some((present, passwords.hash(password).await?))
        }
        None => None,
    };
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (mut user, stored) =
            tx.user_for_update(request.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        // Another change may have come since the present password was verified.
        if hashes.as_ref().is_some_and(|(present, _)| present.as_phc() != stored.as_phc()) {
            return Err(not_the_present_one());
        }
        let hash = hashes.as_ref().map(|(_, hash)| hash);
        let before = json!({ "alias": user.alias });
        if let Some(alias) = &request.alias {
            user.alias.clone_from(alias);
        }
        user.updated_at = now;
        tx.save_user(&user, hash).await?;
        if hash.is_some() {
            tx.end_sessions(user.id, request.session_id, now).await?;
        }
        tx.record(vec![Event {
            kind: if hash.is_some() { "user.password_changed" } else { "user.changed" },
            subject: Subject::User(user.id),
            actor: request.caller.actor(),
            before: Some(before),
            recipient: None,
            data: json!({ "alias": user.alias }),
            at: now,
        }])
        .await?;
        Ok(user)
    })
    .await
}

/// The stored hash of the present password, which the request must name.
async fn verified(
    store: &dyn Store,
    passwords: &dyn Passwords,
    request: &ChangeUser,
) -> Result<PasswordHash> {
    let absent = "a new password needs the present one beside it";
    let attempt = request.current_password.as_ref();
    let attempt = attempt.ok_or_else(|| Error::invalid("/current_password", absent))?;
    let reads = store.reads();
    let user = reads.user(request.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let repeats = |password: &Password| password.repeats(&user.username, &user.email);
    if request.password.as_ref().is_some_and(repeats) {
        return Err(Error::invalid("/password", "the password may not be the account's name"));
    }
    let stored = reads.user_to_sign_in(user.username.as_str()).await?.map(|(_, hash)| hash);
    let right = passwords.verify(attempt, stored.as_ref()).await?;
    stored.filter(|_| right).ok_or_else(not_the_present_one)
}

fn not_the_present_one() -> Error {
    Error::invalid("/current_password", "this is not your present password")
}
