//! Access tokens: short-lived JWTs that name a session.

use chrono::{DateTime, Duration};
use domain::Result;
use domain::clock::Timestamp;
use domain::session::{Session, SessionId};
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};

use super::jwt::{ISSUER, JwtKey};

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// Signs and reads access tokens.
pub struct AccessTokens {
    key: JwtKey,
    lifetime: Duration,
}

/// A fresh access token.
pub struct Issued {
    /// The JWT.
    pub token: String,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl AccessTokens {
    /// With the deployment's signing key.
    pub fn new(key: &SecretSlice<u8>, lifetime: Duration) -> Self {
        Self { key: JwtKey::new(key), lifetime }
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
        Ok(Issued { token: self.key.sign(&claims)?, expires_at })
    }

    /// The session that a token names, if we signed it and its time is not over.
    pub fn read(&self, token: &str, now: Timestamp) -> Option<SessionId> {
        let claims = self.key.read::<Claims>(token)?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)?;
        (now < expires_at).then_some(claims.sid)
    }
}
