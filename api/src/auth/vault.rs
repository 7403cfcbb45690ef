//! Seals secrets that must be shown or used again.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::Error;
use domain::clock::Random;
use domain::vault::{Sealed, Vault};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// The version of the format: this byte, then the nonce, then what was encrypted with its tag.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;

/// XChaCha20-Poly1305 with a key of its own, made from the deployment's signing key. Its nonces are long
/// enough to be drawn at random.
pub struct SealingVault {
    cipher: XChaCha20Poly1305,
    /// From which secrets are derived.
    deriving: Hmac<Sha256>,
    random: Arc<dyn Random>,
}

impl SealingVault {
    /// With the deployment's signing key, which all its processes share.
    pub fn new(key: &SecretSlice<u8>, random: Arc<dyn Random>) -> domain::Result<Self> {
        let from_key = Hmac::<Sha256>::new_from_slice(key.expose_secret());
        // A key for each use, so that nothing of one can stand for the other.
        let from_key = from_key.map_err(Error::internal)?;
        let own = from_key.clone().chain_update("berth vault").finalize();
        let cipher = XChaCha20Poly1305::new_from_slice(own.into_bytes().as_slice());
        let deriving = from_key.chain_update("berth derived secret: ");
        Ok(Self { cipher: cipher.map_err(Error::internal)?, deriving, random })
    }
}

impl Vault for SealingVault {
    fn seal(&self, secret: &SecretString, context: &str) -> domain::Result<Sealed> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Error::internal("a secret cannot be sealed"))?;
        Ok(Sealed::from_bytes([&[FORMAT], nonce.as_slice(), &sealed].concat()))
    }

    fn open(&self, sealed: &Sealed, context: &str) -> domain::Result<SecretString> {
        let fault = || Error::internal(format!("the secret of {context} cannot be opened"));
        let bytes = sealed.as_bytes().split_first().filter(|(format, _)| **format == FORMAT);
        let (_, bytes) = bytes.ok_or_else(fault)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(fault)?;
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| fault())?;
        String::from_utf8(opened).map(Into::into).map_err(|_| fault())
    }

    fn derive(&self, context: &str) -> domain::Result<SecretString> {
        let made = self.deriving.clone().chain_update(context).finalize().into_bytes();
        let (half, _) = made.split_at_checked(16).ok_or_else(|| Error::internal("no secret"))?;
        Ok(domain::id::hex(half).into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Gives other bytes each time.
    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn vault(key: u8) -> SealingVault {
        let random = Arc::new(Counting(AtomicU8::new(0)));
        SealingVault::new(&SecretSlice::from(vec![key; 32]), random).unwrap()
    }

    fn sealed(text: &str) -> Sealed {
        vault(7).seal(&text.into(), "row 1").unwrap()
    }

    #[test]
    fn it_opens_what_it_sealed_and_each_seal_is_another() {
        for text in ["", "hunter2", &"ä".repeat(5_000)] {
            let opened = vault(7).open(&sealed(text), "row 1").unwrap();
            assert_eq!(opened.expose_secret(), text);
        }
        let vault = vault(7);
        let seal = || vault.seal(&"hunter2".into(), "row 1").unwrap();
        assert_ne!(seal(), seal());
        let bytes = sealed("hunter2").as_bytes().to_vec();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
    }

    #[test]
    fn it_opens_nothing_of_another_row_or_key() {
        assert!(vault(7).open(&sealed("hunter2"), "row 2").is_err());
        assert!(vault(8).open(&sealed("hunter2"), "row 1").is_err());
    }

    #[test]
    fn it_opens_nothing_that_was_changed_or_cut() {
        let good = sealed("hunter2").as_bytes().to_vec();
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            for bytes in [changed, good[..at].to_vec()] {
                assert!(vault(7).open(&Sealed::from_bytes(bytes), "row 1").is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn what_is_sealed_is_not_printed() {
        assert_eq!(format!("{:?}", sealed("hunter2")), "Sealed");
    }
}
