use secrecy::{ExposeSecret, SecretString};

use crate::clock::Random;
use crate::session::TokenHash;

const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const LENGTH: usize = 42;

/// The secret half of client credentials: 42 random characters of 6 bits each. Never printed.
#[derive(Clone, Debug)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// A new secret.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; LENGTH];
        random.fill(&mut bytes);
        let character = |byte: &u8| ALPHABET.get(usize::from(byte % 64)).copied().map(char::from);
        Self(bytes.iter().filter_map(character).collect::<String>().into())
    }

    /// What somebody presents, right or wrong.
    pub fn presented(text: SecretString) -> Self {
        Self(text)
    }

    /// The hash that is stored and compared.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.expose_secret())
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
