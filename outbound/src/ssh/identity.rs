//! The operator's keys.

use std::sync::Arc;

use domain::Error;
use domain::clock::Random;
use domain::remote::KeyPairs;
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

/// Makes and reads the operator's keys.
pub struct OpenSshKeys {
    /// What they are made of.
    pub random: Arc<dyn Random>,
}

impl KeyPairs for OpenSshKeys {
    fn generate(&self) -> Result<(SecretString, String), Error> {
        let made = generate(self.random.as_ref(), "berth").map_err(Error::internal)?;
        Ok((made.private_key, made.public_key))
    }

    fn public_half(&self, private_key: &SecretString) -> Result<String, String> {
        public_key(private_key).map_err(str::to_owned)
    }
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, number) in bytes.iter_mut().zip(1..) {
                *byte = number;
            }
        }
    }

    /// A key as the operator's own tools make it.
    fn made(options: &[&str]) -> (SecretString, String) {
        let folder = std::env::temp_dir().join(format!("berth-key.{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("key");
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-C", "by hand", "-f"]).arg(&file).args(options);
        assert!(command.status().unwrap().success());
        let key = std::fs::read_to_string(&file).unwrap().into();
        let line = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        (key, line.trim().to_owned())
    }

    #[test]
    fn a_generated_key_is_a_pair_and_the_randomness_is_ours() {
        let identity = generate(&Counting, "berth\non h1").unwrap();
        assert!(identity.public_key.starts_with("ssh-ed25519 AAAA"));
        assert!(identity.public_key.ends_with(" berth on h1"));
        let text = identity.private_key.expose_secret();
        assert!(text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"), "{text}");
        assert_eq!(public_key(&identity.private_key), Ok(identity.public_key.clone()));
        assert_eq!(generate(&Counting, "berth on h1").unwrap().public_key, identity.public_key);
        assert!(!format!("{identity:?}").contains(text.lines().nth(1).unwrap()));
    }

    #[test]
    fn keys_of_ssh_keygen_are_read() {
        for kind in [&["-t", "ed25519"][..], &["-t", "ecdsa"], &["-t", "rsa", "-b", "2048"]] {
            let (key, line) = made(&[kind, &["-N", ""]].concat());
            assert_eq!(public_key(&key), Ok(line));
        }
        let (key, line) = made(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]);
        let plain = line.rsplit_once(" by").unwrap().0;
        assert_eq!(public_key(&key).unwrap().trim(), plain);
    }

    #[test]
    fn a_key_with_a_passphrase_and_garbage_are_refused_in_words() {
        for format in ["RFC4716", "PEM", "PKCS8"] {
            let (key, _) = made(&["-t", "ecdsa", "-m", format, "-N", "a passphrase"]);
            assert!(public_key(&key).unwrap_err().contains("passphrase"), "{format}");
        }
        for text in ["", "garbage", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----\n"] {
            let refused = public_key(&SecretString::from(text.to_owned()));
            assert!(refused.unwrap_err().contains("cannot be read"), "{text}");
        }
    }
}
