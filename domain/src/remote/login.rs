//! What a driver needs to log in to a host.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use secrecy::SecretString;
use ssh_key::HashAlg;

use super::{JournalEntryId, Outcome, Step};
use crate::error::Result;
use crate::host::HostId;

/// The public key by which a host is known, in OpenSSH's spelling without a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey(String);

impl HostKey {
    /// Checks a key such as `ssh-ed25519 AAAA…`; a comment after it is dropped.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let advice = "must be a host's public key such as `ssh-ed25519 AAAA…`";
        let mut key = ssh_key::PublicKey::from_openssh(text.trim()).map_err(|_| advice)?;
        key.set_comment("");
        key.to_openssh().map(Self).map_err(|_| advice)
    }

    /// The key that was stored after it had been checked.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Such as `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        let key = ssh_key::PublicKey::from_openssh(&self.0);
        key.map(|key| key.fingerprint(HashAlg::Sha256).to_string()).unwrap_or_default()
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a host is logged in to.
#[derive(Clone, Debug)]
pub struct Login {
    /// Where.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// As whom: root, or somebody who may become root by `sudo` without a password.
    pub username: String,
    /// With which private key, in OpenSSH's format.
    pub private_key: SecretString,
    /// The key by which the host is known, once there was contact.
    pub host_key: Option<HostKey>,
}

/// What is to be thought of the key that a host shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// It is the host's: go on.
    Known,
    /// It is another one than before: nothing may be done there.
    Changed {
        /// The key by which the host is known.
        known: HostKey,
    },
}

/// What a driver that logs in to hosts asks for and notes.
#[async_trait]
pub trait LoginBook: Send + Sync {
    /// How a host is logged in to; [`crate::Error::NotFound`] where nobody has said.
    async fn login(&self, host_id: HostId) -> Result<Login>;

    /// Tells the key that a host shows: at first contact it is the one by which the host is known from then
    /// on. Another key later is an event, and stops everything there until an operator accepts it.
    async fn key_shown(&self, host_id: HostId, key: &HostKey) -> Result<KeyVerdict>;

    /// Notes that a step is about to be done.
    async fn begun(&self, step: &Step) -> Result<JournalEntryId>;

    /// Notes how it went.
    async fn ended(&self, id: JournalEntryId, outcome: &Outcome) -> Result<()>;
}
