//! API tokens: long-lived credentials for programs, with their own permissions and addresses.

mod authenticate;
mod manage;
mod permission;
mod port;
mod secret;

use ipnet::IpNet;

pub use authenticate::authenticate;
pub use manage::{ChangeToken, CreateToken, change, create, delete, list, show};
pub use permission::{Permission, Permissions};
pub use port::{ApiTokenQueries, ApiTokens};
pub use secret::ApiTokenSecret;

use crate::clock::Timestamp;
use crate::id::entity_id;
use crate::user::{Caller, UserId};

entity_id!(
    /// Identifies an API token.
    ApiTokenId
);

/// An API token without its secret, which is shown once and kept only as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Identifies the token.
    pub id: ApiTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// The owner's name for it.
    pub alias: crate::user::Alias,
    /// The first characters of the secret, to recognise it by.
    pub prefix: String,
    /// What it allows.
    pub permissions: Permissions,
    /// The addresses and networks it may be used from; none listed means any.
    pub ip_allow_list: Vec<IpNet>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From which address it was last used.
    pub last_used_ip: Option<std::net::IpAddr>,
}

impl ApiToken {
    /// Whether it allows nothing that the caller's own credentials do not: no more permissions, from
    /// nowhere else, and no longer.
    pub fn is_within(&self, caller: &Caller) -> bool {
        let places = &caller.ip_allow_list;
        let inside = |network: &IpNet| places.iter().any(|place| place.contains(network));
        let ends_before = |end| self.expires_at.is_some_and(|own| own <= end);
        caller.permissions.cover(&self.permissions)
            && (places.is_empty()
                || (!self.ip_allow_list.is_empty() && self.ip_allow_list.iter().all(inside)))
            && caller.expires_at.is_none_or(ends_before)
    }
}
