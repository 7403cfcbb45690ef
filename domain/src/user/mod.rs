//! Users: who signs in. Each has one wallet and one default pool, made with the account.

mod change;
mod credentials;
mod names;
mod port;
mod profile;
mod service;
mod sign_up;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use change::{ChangeUser, change};
pub use credentials::{Password, PasswordHash, Passwords};
pub use names::{Alias, Email, Username};
pub use port::{UserQueries, Users};
pub use profile::{Profile, all, profile};
pub use service::service_account;
pub use sign_up::{SignUp, create_operator, sign_up};

use crate::clock::Timestamp;
use crate::error::{Error, Forbidden, Result};
use crate::event::Actor;
use crate::id::entity_id;
use crate::idempotency::IdempotencyKey;
use crate::pool::PoolId;
use crate::token::{Permission, Permissions};

entity_id!(
    /// Identifies a user, and with it their wallet.
    UserId
);

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Identifies the user.
    pub id: UserId,
    /// The name to sign in with and to be invited by.
    pub username: Username,
    /// The address to sign in with.
    pub email: Email,
    /// The name to be shown, if it differs.
    pub alias: Option<Alias>,
    /// What the user may do beyond renting.
    pub role: Role,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rents servers.
    User,
    /// Runs the marketplace: lists servers, books money, sees everything.
    Operator,
}

/// As others see a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUser {
    /// Identifies the user.
    pub id: UserId,
    /// Their name.
    pub username: Username,
    /// The name to be shown.
    pub alias: Option<Alias>,
}

/// Who calls, and what the credentials that they came with allow.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// Their role.
    pub role: Role,
    /// What an API token allows; a log-in allows everything.
    pub permissions: Permissions,
    /// Where an API token may be used from; none listed means anywhere.
    pub ip_allow_list: Vec<IpNet>,
    /// When an API token stops working.
    pub expires_at: Option<Timestamp>,
    /// Where the call comes from, for the audit log.
    pub from: Option<IpAddr>,
    /// The only pool that the credentials reach; without one, all that the user has joined.
    pub pool_id: Option<PoolId>,
}

/// Whose things are looked for: those of pools that this user has joined and the credentials reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub user_id: UserId,
    /// The only pool that the credentials reach, if that is one.
    pub pool_id: Option<PoolId>,
}

impl Viewer {
    /// All that a user sees.
    pub const fn whole(user_id: UserId) -> Self {
        Self { user_id, pool_id: None }
    }
}

impl Caller {
    /// What the caller sees.
    pub const fn viewer(&self) -> Viewer {
        Viewer { user_id: self.user_id, pool_id: self.pool_id }
    }

    /// A key of theirs, told apart from the same key of credentials that reach elsewhere.
    pub(crate) fn idempotency_key(&self, key: Option<&IdempotencyKey>) -> Option<IdempotencyKey> {
        key.map(|key| self.pool_id.map_or_else(|| key.clone(), |id| key.of_pool(id)))
    }

    /// The caller, as events name them.
    pub const fn actor(&self) -> Actor {
        Actor::User { id: self.user_id, from: self.from }
    }

    /// Refuses with [`Forbidden::Scope`] where the credentials do not carry the permission.
    pub fn may(&self, permission: Permission) -> Result<()> {
        if self.permissions.allow(permission) {
            Ok(())
        } else {
            Err(Error::Forbidden(Forbidden::Scope(permission)))
        }
    }
}

/// For what is open to everybody: only credentials that came along must carry the permission.
pub(crate) fn may_if_known(caller: Option<&Caller>, permission: Permission) -> Result<()> {
    caller.map_or(Ok(()), |caller| caller.may(permission))
}

/// Who runs the marketplace.
#[derive(Clone, Debug)]
pub enum Operator {
    /// Somebody signed in, who must be an operator.
    Account(Caller),
    /// Whoever can start programs on the server itself.
    Console,
}

impl Operator {
    /// Refuses everybody but operators whose credentials carry the permission; answers who is to be
    /// named as the author.
    pub fn may(&self, permission: Permission) -> Result<Option<UserId>> {
        match self {
            Self::Console => Ok(None),
            Self::Account(caller) if caller.role == Role::Operator => {
                caller.may(permission).map(|()| Some(caller.user_id))
            }
            Self::Account(_) => Err(Error::Forbidden(Forbidden::OperatorRequired)),
        }
    }
}

impl Operator {
    /// The operator, as events name them.
    pub const fn actor(&self) -> Actor {
        match self {
            Self::Console => Actor::Console,
            Self::Account(caller) => caller.actor(),
        }
    }
}

impl From<Caller> for Operator {
    fn from(caller: Caller) -> Self {
        Self::Account(caller)
    }
}
