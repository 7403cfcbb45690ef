//! Tokens that programs get for client credentials (OAuth 2.0): an access token, and another one to get the
//! next pair with. Both are JWTs that name the credentials, which are looked up at every use: revoked, both
//! are worth nothing.

use chrono::{DateTime, Duration};
use domain::Result;
use domain::client_credential::ClientCredentialId;
use domain::clock::{Random, Timestamp};
use domain::id::hex;
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};

use super::jwt::{ISSUER, JwtKey};

/// What these tokens are for, as the published API of Verda says.
pub const SCOPE: &str = "cloud-api-v1";

/// For what a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    /// To call with.
    Access,
    /// To get the next pair with.
    Refresh,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: ClientCredentialId,
    scope: String,
    token_use: TokenUse,
    /// So that two pairs of the same second differ.
    jti: String,
    iat: i64,
    exp: i64,
}

/// A fresh pair.
pub struct TokenPair {
    /// To call with.
    pub access: String,
    /// To get the next pair with.
    pub refresh: String,
    /// How long the access token works.
    pub lifetime: Duration,
}

/// Signs and reads the tokens of client credentials.
pub struct ClientTokens {
    key: JwtKey,
    access: Duration,
    refresh: Duration,
}

impl ClientTokens {
    /// With the deployment's signing key, and how long each kind of token works.
    pub fn new(key: &SecretSlice<u8>, (access, refresh): (Duration, Duration)) -> Self {
        Self { key: JwtKey::new(key), access, refresh }
    }

    /// A pair for credentials that were checked.
    pub fn issue(
        &self,
        id: ClientCredentialId,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<TokenPair> {
        let sign = |token_use, lifetime: Duration| {
            let mut bytes = [0; 12];
            random.fill(&mut bytes);
            self.key.sign(&Claims {
                iss: ISSUER.to_owned(),
                sub: id,
                scope: SCOPE.to_owned(),
                token_use,
                jti: hex(&bytes),
                iat: now.timestamp(),
                // A whole second more, as the fraction of this one is cut off.
                exp: (now + lifetime).timestamp() + 1,
            })
        };
        Ok(TokenPair {
            access: sign(TokenUse::Access, self.access)?,
            refresh: sign(TokenUse::Refresh, self.refresh)?,
            lifetime: self.access,
        })
    }

    /// The credentials that a token names, if we signed it for this use and its time is not over.
    pub fn read(
        &self,
        token: &str,
        token_use: TokenUse,
        now: Timestamp,
    ) -> Option<ClientCredentialId> {
        let claims = self.key.read::<Claims>(token)?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)?;
        let is_good = claims.token_use == token_use && claims.scope == SCOPE && now < expires_at;
        is_good.then_some(claims.sub)
    }
}
