//! Secrets of others that Berth must be able to give on, such as a password for a registry.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// A secret as it is stored: nobody reads it without the vault. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// What a vault has made, or what was stored of that.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// Seals secrets with a key from outside the database.
///
/// `context` says what the secret is of, in words that never change, such as the id of its row. What was
/// sealed for one context cannot be opened for another, so that nobody who writes to the database moves a
/// secret to where they can have it shown or used.
pub trait Vault: Send + Sync {
    /// Seals a secret. The same one is another text each time.
    fn seal(&self, secret: &SecretString, context: &str) -> Result<Sealed>;

    /// The secret; [`crate::Error::Internal`] where it was sealed with another key or for another context,
    /// or was changed since.
    fn open(&self, sealed: &Sealed, context: &str) -> Result<SecretString>;

    /// A secret that is made for a context and the same each time, so that nobody has to store it: 32
    /// hexadecimal digits.
    fn derive(&self, context: &str) -> Result<SecretString>;
}
