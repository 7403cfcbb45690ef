//! The secret of an API token: `berth_`, 32 random characters, and six of checksum.
//!
//! The prefix lets secret scanners find a leaked one; the checksum lets them, and us, tell a typing
//! error from a token without asking the database.

use secrecy::{ExposeSecret, SecretString};

use crate::clock::Random;
use crate::session::TokenHash;

const PREFIX: &str = "berth_";
const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzAB";
const RANDOM_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;
/// How much of a secret may be shown later: the prefix and four characters.
const SHOWN_LENGTH: usize = 10;

/// A well-formed secret. Never printed.
#[derive(Clone, Debug)]
pub struct ApiTokenSecret(SecretString);

impl ApiTokenSecret {
    /// A new secret with more than 185 random bits.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; RANDOM_LENGTH];
        random.fill(&mut bytes);
        let body: String = bytes.iter().map(|byte| character(u32::from(*byte))).collect();
        Self(format!("{PREFIX}{body}{}", checksum(&body)).into())
    }

    /// Reads a presented secret; `None` where its form or its checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        if rest.len() != RANDOM_LENGTH + CHECKSUM_LENGTH || !rest.is_ascii() {
            return None;
        }
        let (body, check) = rest.split_at(RANDOM_LENGTH);
        (checksum(body) == check).then(|| Self(text.into()))
    }

    /// The hash that is stored and looked up.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.expose_secret())
    }

    /// The first characters, which may be stored and shown.
    pub fn shown_prefix(&self) -> String {
        self.0.expose_secret().chars().take(SHOWN_LENGTH).collect()
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

fn character(value: u32) -> char {
    let index = usize::try_from(value % 64).unwrap_or(0);
    ALPHABET.get(index).map_or('0', |byte| char::from(*byte))
}

/// CRC-32 of the body in base 62, most significant first.
fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = ['0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = character(rest % 62);
        rest /= 62;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Random for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_secret_is_recognised_and_a_typing_error_is_not() {
        let secret = ApiTokenSecret::generate(&Sevens);
        let text = secret.expose().to_owned();
        assert!(text.starts_with("berth_") && text.len() == 44);
        assert_eq!(ApiTokenSecret::parse(&text).unwrap().hash(), secret.hash());
        assert!(ApiTokenSecret::parse(&text.replacen('7', "8", 1)).is_none());
        assert!(ApiTokenSecret::parse(&text[..43]).is_none());
        assert!(!format!("{secret:?}").contains("777"));
    }
}
