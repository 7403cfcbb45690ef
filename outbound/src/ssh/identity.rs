//! The operator's keys.

use domain::clock::Random;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, decode_secret_key};
use secrecy::{ExposeSecret, SecretString};

/// A key pair of the operator's.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The private key, in OpenSSH's format.
    pub private_key: SecretString,
    /// The line for `authorized_keys`.
    pub public_key: String,
}

/// Makes an Ed25519 key pair with this comment.
pub fn generate(random: &dyn Random, comment: &str) -> Result<Identity, &'static str> {
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
    let impossible = "the key could not be written";
    let key = PrivateKey::new(pair, comment.replace(char::is_control, " "));
    let key = key.map_err(|_| impossible)?;
    let private_key = key.to_openssh(LineEnding::LF).map_err(|_| impossible)?;
    let private_key = SecretString::from(private_key.as_str());
    let public_key = key.public_key().to_openssh().map_err(|_| impossible)?;
    Ok(Identity { private_key, public_key })
}

/// The line for `authorized_keys` that belongs to a private key. The error is in words for the
/// operator and says nothing of the key.
pub fn public_key(private_key: &SecretString) -> Result<String, &'static str> {
    let key = read(private_key)?;
    key.public_key().to_openssh().map_err(|_| "the private key cannot be read")
}

/// Reads a private key.
pub(super) fn read(private_key: &SecretString) -> Result<PrivateKey, &'static str> {
    let text = private_key.expose_secret();
    let unreadable = "the private key cannot be read; expected is OpenSSH's format, as ssh-keygen \
        writes it";
    let protected = "the private key is protected by a passphrase, which nobody is there to type; \
        make one without (ssh-keygen -p -N '' -f COPY)";
    match decode_secret_key(text, None) {
        Ok(key) if key.is_encrypted() => Err(protected),
        Ok(key) => Ok(key),
        Err(russh::keys::Error::KeyIsEncrypted) => Err(protected),
        Err(_) if text.contains("ENCRYPTED") => Err(protected),
        Err(_) => Err(unreadable),
    }
}
