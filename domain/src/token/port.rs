use std::net::IpAddr;

use async_trait::async_trait;

use super::{ApiToken, ApiTokenId};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::session::TokenHash;
use crate::user::{User, UserId};

/// Looks at API tokens.
#[async_trait]
pub trait ApiTokenQueries {
    /// The token with this hash and its user.
    async fn api_token_with_user(&self, hash: &TokenHash) -> Result<Option<(ApiToken, User)>>;

    /// A user's token.
    async fn api_token_of(&self, user_id: UserId, id: ApiTokenId) -> Result<Option<ApiToken>>;

    /// A user's tokens, newest first.
    async fn api_tokens_of(&self, user_id: UserId) -> Result<Vec<ApiToken>>;
}

/// Changes API tokens.
#[async_trait]
pub trait ApiTokens {
    /// Adds a token with the hash of its secret.
    async fn add_api_token(&self, token: &ApiToken, hash: &TokenHash) -> Result<()>;

    /// Stores everything but owner, secret and last use.
    async fn save_api_token(&self, token: &ApiToken) -> Result<()>;

    /// Deletes a token.
    async fn delete_api_token(&self, id: ApiTokenId) -> Result<()>;

    /// Notes a use.
    async fn touch_api_token(&self, id: ApiTokenId, at: Timestamp, from: IpAddr) -> Result<()>;
}
