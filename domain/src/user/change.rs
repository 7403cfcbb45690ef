//! Changes one's own account: the name to be shown, the password.

use secrecy::SecretString;
use serde_json::json;
use tracing::instrument;

use super::{Alias, Caller, Password, Passwords, User, UserId};
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
    let hash = match &request.password {
        Some(password) => Some((password, verified(store, passwords, &request).await?)),
        None => None,
    };
    let hash = match hash {
        Some((password, ())) => Some(passwords.hash(password).await?),
        None => None,
    };
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (mut user, _) =
            tx.user_for_update(request.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        if let Some(alias) = &request.alias {
            user.alias.clone_from(alias);
        }
        user.updated_at = now;
        tx.save_user(&user, hash.as_ref()).await?;
        if hash.is_some() {
            tx.end_sessions(user.id, request.session_id, now).await?;
        }
        tx.record(vec![Event {
            kind: if hash.is_some() { "user.password_changed" } else { "user.changed" },
            subject: Subject::User(user.id),
            actor: Some(user.id),
            data: json!({ "alias": user.alias }),
            at: now,
        }])
        .await?;
        Ok(user)
    })
    .await
}

async fn verified(
    store: &dyn Store,
    passwords: &dyn Passwords,
    request: &ChangeUser,
) -> Result<()> {
    let fault = |message| Error::invalid("/current_password", message);
    let attempt = request
        .current_password
        .as_ref()
        .ok_or_else(|| fault("a new password needs the present one beside it"))?;
    let reads = store.reads();
    let user = reads.user(request.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let repeats = |password: &Password| password.repeats(&user.username, &user.email);
    if request.password.as_ref().is_some_and(repeats) {
        return Err(Error::invalid("/password", "the password may not be the account's name"));
    }
    let stored = reads.user_to_sign_in(user.username.as_str()).await?.map(|(_, hash)| hash);
    if passwords.verify(attempt, stored.as_ref()).await? {
        Ok(())
    } else {
        Err(fault("this is not your present password"))
    }
}
