//! Makes an account, with its wallet and its default pool.

use std::net::IpAddr;

use serde_json::json;
use tracing::instrument;

use super::{Alias, Email, Password, PasswordHash, Passwords, Role, User, UserId, Username};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::event::{Actor, Event, Subject};
use crate::pool::Pool;
use crate::store::{Store, Tx, atomically};
use crate::wallet::Wallet;

/// A wish for an account.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The name to sign in with.
    pub username: Username,
    /// The address to sign in with.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// The name to be shown.
    pub alias: Option<Alias>,
    /// Where the request comes from, for the audit log.
    pub from: Option<IpAddr>,
}

/// Makes a renter's account.
#[instrument(name = "user.sign_up", skip_all)]
pub async fn sign_up(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    passwords: &dyn Passwords,
    request: SignUp,
) -> Result<User> {
    let hash = hashed(passwords, &request).await?;
    let from = request.from;
    let user = new_user(clock, random, request, Role::User);
    let actor = Actor::User { id: user.id, from };
    add(store, random, (&user, actor), &hash).await?;
    Ok(user)
}

/// Makes an operator's account. Only the console may call this: operators are not made over HTTP.
#[instrument(name = "user.create_operator", skip_all)]
pub async fn create_operator(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    passwords: &dyn Passwords,
    request: SignUp,
) -> Result<User> {
    let hash = hashed(passwords, &request).await?;
    let user = new_user(clock, random, request, Role::Operator);
    add(store, random, (&user, Actor::Console), &hash).await?;
    Ok(user)
}

async fn hashed(passwords: &dyn Passwords, request: &SignUp) -> Result<PasswordHash> {
    if request.password.repeats(&request.username, &request.email) {
        return Err(Error::invalid("/password", "the password may not be the account's name"));
    }
    passwords.hash(&request.password).await
}

fn new_user(clock: &dyn Clock, random: &dyn Random, request: SignUp, role: Role) -> User {
    let now = clock.now();
    User {
        id: UserId::generate(now, random),
        username: request.username,
        email: request.email,
        alias: request.alias,
        role,
        created_at: now,
        updated_at: now,
    }
}

pub(super) async fn add(
    store: &dyn Store,
    random: &dyn Random,
    (user, actor): (&User, Actor),
    hash: &PasswordHash,
) -> Result<()> {
    atomically(store, async |tx: &dyn Tx| {
        match tx.names_taken(&user.username, &user.email).await? {
            (true, _) => return Err(Error::Conflict(Conflict::UsernameTaken)),
            (_, true) => return Err(Error::Conflict(Conflict::EmailTaken)),
            (false, false) => {}
        }
        tx.add_user(user, hash).await?;
        tx.add_wallet(&Wallet::empty(user.id)).await?;
        tx.add_pool(&Pool::default_of(user.id, user.created_at, random)).await?;
        tx.record(vec![Event {
            kind: "user.signed_up",
            subject: Subject::User(user.id),
            actor,
            before: None,
            recipient: None,
            data: json!({ "username": user.username, "role": user.role }),
            at: user.created_at,
        }])
        .await
    })
    .await
}
