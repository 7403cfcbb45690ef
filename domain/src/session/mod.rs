//! Sessions: a log-in, from its password until it is ended or its refresh token runs out.
//!
//! A session is a family of refresh tokens, of which one is valid at a time. An access token names
//! its session, so it stops working when the session ends.

mod authenticate;
mod log_in;
mod log_out;
mod port;
mod refresh;

use secrecy::SecretString;
use sha2::{Digest, Sha256};

pub use authenticate::authenticate;
pub use log_in::{LogIn, log_in};
pub use log_out::log_out;
pub use port::{SessionQueries, Sessions};
pub use refresh::refresh;

use crate::clock::{Random, Timestamp};
use crate::id::{entity_id, hex};
use crate::user::{User, UserId};

entity_id!(
    /// Identifies a session.
    SessionId
);

/// A log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Identifies the session.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When the password was given.
    pub created_at: Timestamp,
    /// When the newest refresh token runs out.
    pub expires_at: Timestamp,
    /// When it was ended by a log-out, a change of password or a reused refresh token.
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether access tokens of this session are still good.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// A refresh token as it is stored: hashed, and marked once it was used.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// The hash of the secret.
    pub hash: TokenHash,
    /// The family it belongs to.
    pub session_id: SessionId,
    /// When it was exchanged for the next one.
    pub used_at: Option<Timestamp>,
}

/// SHA-256 of a secret with at least 128 random bits (which needs no salt and no slow hash).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHash(Vec<u8>);

impl TokenHash {
    /// Hashes a secret.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).to_vec())
    }

    /// A hash as it was stored.
    pub const fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The stored bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A fresh log-in or refresh: what the client gets.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The session, which an access token must name.
    pub session: Session,
    /// The secret to refresh with, shown this once.
    pub refresh_token: SecretString,
    /// When this was issued.
    pub issued_at: Timestamp,
}

/// A new refresh token's secret: 256 random bits, in hexadecimal behind a recognisable prefix.
fn new_refresh_secret(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    format!("berth_rt_{}", hex(&bytes))
}
