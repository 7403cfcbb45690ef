//! Events: the outbox. Every change of state writes one in its own transaction, for webhooks, mail,
//! the audit log and live streams to read.

mod port;

use serde_json::Value;

pub use port::Events;

use crate::clock::Timestamp;
use crate::host::HostId;
use crate::pool::PoolId;
use crate::rental::RentalId;
use crate::token::ApiTokenId;
use crate::user::UserId;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What, as `noun.verb_in_the_past` (`rental.extended`).
    pub kind: &'static str,
    /// To what.
    pub subject: Subject,
    /// Who did it; `None` for the system itself and for the operator's console.
    pub actor: Option<UserId>,
    /// Facts for readers of the outbox. Never a secret, a password or an e-mail address.
    pub data: Value,
    /// When.
    pub at: Timestamp,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user's account or sessions.
    User(UserId),
    /// An API token.
    Token(ApiTokenId),
    /// A pool and its members.
    Pool(PoolId),
    /// A server.
    Host(HostId),
    /// A rental.
    Rental(RentalId),
    /// A user's wallet.
    Wallet(UserId),
}

impl Subject {
    /// The kind's name, as stored.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Pool(_) => "pool",
            Self::Host(_) => "host",
            Self::Rental(_) => "rental",
            Self::Wallet(_) => "wallet",
        }
    }

    /// The stored identifier.
    pub const fn uuid(self) -> uuid::Uuid {
        match self {
            Self::User(id) | Self::Wallet(id) => id.uuid(),
            Self::Token(id) => id.uuid(),
            Self::Pool(id) => id.uuid(),
            Self::Host(id) => id.uuid(),
            Self::Rental(id) => id.uuid(),
        }
    }
}
