//! JSON Web Tokens that we sign for ourselves (RFC 7519, HMAC-SHA-256).

use domain::{Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretSlice};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Who signs, in every token.
pub const ISSUER: &str = "berth";
/// Tokens of ours are a third of this.
const MAX_BYTES: usize = 1024;

/// The deployment's signing key, which all its processes share.
pub struct JwtKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// How every token of ours begins.
    header: String,
}

impl JwtKey {
    /// From at least 32 bytes.
    pub fn new(key: &SecretSlice<u8>) -> Self {
        let key = key.expose_secret();
        let encoding = EncodingKey::from_secret(key);
        // Without claims, since only what stands before the first dot is wanted.
        let sample = encode(&Header::new(Algorithm::HS256), &(), &encoding).unwrap_or_default();
        let header = sample.split_inclusive('.').next().unwrap_or_default().to_owned();
        Self { encoding, decoding: DecodingKey::from_secret(key), header }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String> {
        encode(&Header::new(Algorithm::HS256), claims, &self.encoding).map_err(Error::internal)
    }

    /// The claims of a token that we signed, if it has these; whether its time is over is for the caller,
    /// who has the clock.
    pub fn read<Claims: DeserializeOwned>(&self, token: &str) -> Option<Claims> {
        // A header is parsed before its signature is checked, so only our own may come that far.
        if token.len() > MAX_BYTES || !token.starts_with(&self.header) {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        decode::<Claims>(token, &self.decoding, &validation).ok().map(|read| read.claims)
    }
}
