//! Signs what Berth promises.

use domain::quote::Signer;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// HMAC-SHA-256 with a key of its own, made from the deployment's signing key.
pub struct HmacSigner(Hmac<Sha256>);

impl HmacSigner {
    /// With the deployment's signing key, which all its processes share.
    pub fn new(key: &SecretSlice<u8>) -> domain::Result<Self> {
        let from_key =
            |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).map_err(domain::Error::internal);
        // A key for each use, so that a signature of one can never stand for the other.
        let own = from_key(key.expose_secret())?.chain_update("berth promises").finalize();
        Ok(Self(from_key(own.into_bytes().as_slice())?))
    }
}

impl Signer for HmacSigner {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.clone().chain_update(message).finalize().into_bytes().to_vec()
    }

    fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.clone().chain_update(message).verify_slice(signature).is_ok()
    }
}
