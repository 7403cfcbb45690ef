//! The account for doors that ask nobody who they are.

use super::sign_up::add;
use super::{Caller, Email, Password, Passwords, Role, User, UserId, Username};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::event::Actor;
use crate::id::{digest, hex};
use crate::store::Store;
use crate::token::Permissions;

/// Whose calls through a surface without authentication count as: an operator's account of that name, made at
/// the first call, with an empty wallet. Nobody can log in to it: its password is thrown away. It is known by
/// an id of its own, so that nobody gets its calls by signing up with the name; then it is called otherwise.
pub async fn service_account(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    passwords: &dyn Passwords,
    name: &str,
) -> Result<Caller> {
    let id = UserId::from_uuid(digest(&format!("service account {name}")));
    if store.reads().user(id).await?.is_none() {
        let mut secret = [0; 32];
        random.fill(&mut secret);
        let password = Password::parse(&hex(&secret)).map_err(Error::internal)?;
        let hash = passwords.hash(&password).await?;
        let mut tail = [0; 4];
        random.fill(&mut tail);
        for called in [name.to_owned(), format!("{name}-{}", hex(&tail))] {
            let user = account(clock, id, &called)?;
            let added = add(store, random, (&user, Actor::System), &hash).await;
            // Whatever stood against it, another request may have made it meanwhile.
            if added.is_ok() || store.reads().user(id).await?.is_some() {
                break;
            }
            match added {
                // Somebody has the name.
                Err(Error::Conflict(Conflict::UsernameTaken | Conflict::EmailTaken)) => {}
                failed => failed?,
            }
        }
    }
    Ok(Caller {
        user_id: id,
        role: Role::Operator,
        permissions: Permissions::everything(),
        ip_allow_list: Vec::new(),
        expires_at: None,
        from: None,
        pool_id: None,
    })
}

fn account(clock: &dyn Clock, id: UserId, name: &str) -> Result<User> {
    let now = clock.now();
    Ok(User {
        id,
        username: Username::parse(name).map_err(Error::internal)?,
        // No mail is ever sent there (RFC 2606).
        email: Email::parse(&format!("{name}@berth.invalid")).map_err(Error::internal)?,
        alias: None,
        role: Role::Operator,
        created_at: now,
        updated_at: now,
    })
}
