//! Passwords, and the port that hashes them.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use super::{Email, Username};
use crate::error::Result;

/// A password that may be set: 12 to 128 characters, not a common one. Never printed.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Common passwords of twelve characters and more, one a line, lower case.
const COMMON: &str = include_str!("common_passwords.txt");

impl Password {
    /// Checks a password that somebody wants to set.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !(12..=128).contains(&text.chars().count()) {
            return Err("a password is 12 to 128 characters");
        }
        let lower = text.to_lowercase();
        let first = lower.chars().next();
        if COMMON.lines().any(|common| common == lower) || lower.chars().all(|c| Some(c) == first) {
            return Err("this password is too common; choose another one");
        }
        Ok(Self(text.into()))
    }

    /// Whether it is no more than the account's own name, which anybody would try first.
    pub fn repeats(&self, username: &Username, email: &Email) -> bool {
        let lower = self.0.expose_secret().to_lowercase();
        lower == username.key() || lower == email.key()
    }

    /// The password, for hashing.
    pub const fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// A salted hash of a password in the PHC string format.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash in the PHC string format.
    pub const fn from_phc(text: String) -> Self {
        Self(text)
    }

    /// The PHC string, for storage.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

/// Hashes and verifies passwords. An implementation bounds how many run at once and answers
/// [`crate::Error::RateLimited`] past that, so that log-ins cannot slow everything else.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Hashes a new password with a new salt.
    async fn hash(&self, password: &Password) -> Result<PasswordHash>;

    /// Whether `attempt` is the hashed password. With no hash it works as long and answers no, so
    /// that the time does not tell whether a user exists.
    async fn verify(&self, attempt: &SecretString, hash: Option<&PasswordHash>) -> Result<bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused() {
        let long = "x".repeat(129);
        for password in ["", "short", "elevenchars", "PASSWORD1234", "aaaaaaaaaaaa", &long] {
            assert!(Password::parse(password).is_err(), "{password}");
        }
        assert!(Password::parse("correct horse battery").is_ok());
        assert!(Password::parse("zwölf zeichen").is_ok());
    }

    #[test]
    fn a_password_is_never_printed() {
        let password = Password::parse("correct horse battery").unwrap();
        assert!(!format!("{password:?}").contains("horse"));
    }
}
