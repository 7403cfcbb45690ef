//! Access tokens: short-lived JWTs that name a session.

use chrono::{DateTime, Duration};
use domain::clock::Timestamp;
use domain::session::{Session, SessionId};
use domain::{Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};

const ISSUER: &str = "berth";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// Signs and reads access tokens (HMAC-SHA-256).
pub struct AccessTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    lifetime: Duration,
    /// How every token of ours begins.
    header: String,
}

/// Tokens of ours are a third of this.
const MAX_TOKEN_BYTES: usize = 1024;

/// A fresh access token.
pub struct Issued {
    /// The JWT.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl AccessTokens {
    /// With the deployment's signing key, which all its processes share.
    pub fn new(key: &SecretSlice<u8>, lifetime: Duration) -> Self {
        let key = key.expose_secret();
        let encoding = EncodingKey::from_secret(key);
        // Without claims, since only what stands before the first dot is wanted.
        let sample = encode(&Header::new(Algorithm::HS256), &(), &encoding).unwrap_or_default();
        let header = sample.split_inclusive('.').next().unwrap_or_default().to_owned();
        Self { encoding, decoding: DecodingKey::from_secret(key), lifetime, header }
    }

    /// A token for a session.
    pub fn issue(&self, session: &Session, now: Timestamp) -> Result<Issued> {
        let expires_at = now + self.lifetime;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: session.user_id.to_string(),
            sid: session.id,
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(Error::internal)?;
        Ok(Issued { token, expires_at })
    }

    /// The session that a token names, if we signed it and its time is not over.
    pub fn read(&self, token: &str, now: Timestamp) -> Option<SessionId> {
        // A header is parsed before its signature is checked, so only our own may come that far.
        if token.len() > MAX_TOKEN_BYTES || !token.starts_with(&self.header) {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        // The time comes from our clock, below.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        let claims = decode::<Claims>(token, &self.decoding, &validation).ok()?.claims;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)?;
        (now < expires_at).then_some(claims.sid)
    }
}
