use std::net::IpAddr;

use async_trait::async_trait;

use super::{ClientCredential, ClientCredentialId};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::pool::PoolId;
use crate::session::TokenHash;
use crate::user::{User, UserId};

/// Looks at client credentials.
#[async_trait]
pub trait ClientCredentialQueries {
    /// The credentials with the hash of their secret and whoever made them, if that is an accepted member
    /// of the pool.
    async fn client_credential_with_author(
        &self,
        id: ClientCredentialId,
    ) -> Result<Option<(ClientCredential, TokenHash, User)>>;

    /// A pool's credentials, newest first.
    async fn client_credentials_of(&self, pool_id: PoolId) -> Result<Vec<ClientCredential>>;
}

/// Changes client credentials. Those of a pool are guarded by its lock.
#[async_trait]
pub trait ClientCredentials {
    /// Adds credentials with the hash of their secret.
    async fn add_client_credential(
        &self,
        credential: &ClientCredential,
        hash: &TokenHash,
    ) -> Result<()>;

    /// Deletes credentials.
    async fn delete_client_credential(&self, id: ClientCredentialId) -> Result<()>;

    /// Deletes all credentials of a pool that this user made.
    async fn delete_client_credentials_of(&self, pool_id: PoolId, author: UserId) -> Result<()>;

    /// Notes a use.
    async fn touch_client_credential(
        &self,
        id: ClientCredentialId,
        at: Timestamp,
        from: IpAddr,
    ) -> Result<()>;
}
