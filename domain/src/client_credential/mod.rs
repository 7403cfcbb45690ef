//! Client credentials: a program's way into one pool (OAuth 2.0, RFC 6749, section 4.4). Who has them acts
//! as the member who made them, in that pool alone, and with [`permissions`] alone; they work as long as
//! that member belongs to the pool.

mod authenticate;
mod manage;
mod port;
mod secret;

use std::net::IpAddr;

pub use authenticate::{authenticate, recognise};
pub use manage::{create, list, revoke};
pub use port::{ClientCredentialQueries, ClientCredentials};
pub use secret::ClientSecret;

use crate::clock::Timestamp;
use crate::id::entity_id;
use crate::pool::PoolId;
use crate::token::{Permission, Permissions};
use crate::user::{Alias, UserId};

entity_id!(
    /// Identifies client credentials, and is their public half.
    ClientCredentialId
);

/// Client credentials without their secret, which is shown once and kept only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCredential {
    /// Identifies them, and is their public half.
    pub id: ClientCredentialId,
    /// The pool that they reach.
    pub pool_id: PoolId,
    /// As whom they act.
    pub author: UserId,
    /// What people call them.
    pub alias: Alias,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they were last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From which address they were last used.
    pub last_used_ip: Option<IpAddr>,
}

/// What client credentials allow: all about what a pool has and the balance that pays for it, nothing about
/// people, other credentials and anybody's wallet.
pub fn permissions() -> Permissions {
    Permissions::of([
        Permission::MarketplaceRead,
        Permission::KeysRead,
        Permission::KeysWrite,
        Permission::ScriptsRead,
        Permission::ScriptsWrite,
        Permission::InstancesRead,
        Permission::InstancesWrite,
        Permission::VolumesRead,
        Permission::VolumesWrite,
        Permission::BalanceRead,
    ])
}
