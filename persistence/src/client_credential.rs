//! Client credentials.

use std::net::IpAddr;

use async_trait::async_trait;
use domain::client_credential::{
    ClientCredential, ClientCredentialId, ClientCredentialQueries, ClientCredentials,
};
use domain::clock::Timestamp;
use domain::pool::PoolId;
use domain::session::TokenHash;
use domain::user::{Alias, User, UserId};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};

use crate::entity::client_credential::{ActiveModel, Column, Entity, Model};
use crate::entity::{pool_member, user};
use crate::failure::{Result, failed};
use crate::store::Handle;

fn credential(row: Model) -> ClientCredential {
    ClientCredential {
        id: ClientCredentialId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        author: UserId::from_uuid(row.author_id),
        alias: Alias::from_stored(row.alias),
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        last_used_ip: row.last_used_ip.and_then(|address| address.parse().ok()),
    }
}

#[async_trait]
impl ClientCredentialQueries for Handle {
    async fn client_credential_with_author(
        &self,
        id: ClientCredentialId,
    ) -> Result<Option<(ClientCredential, TokenHash, User)>> {
        let author =
            Entity::belongs_to(user::Entity).from(Column::AuthorId).to(user::Column::Id).into();
        let belongs = pool_member::Entity::find()
            .select_only()
            .expr(Expr::cust("1"))
            .filter(pool_member::Column::State.eq("accepted"))
            .filter(
                Expr::col((pool_member::Entity, pool_member::Column::PoolId))
                    .equals((Entity, Column::PoolId)),
            )
            .filter(
                Expr::col((pool_member::Entity, pool_member::Column::UserId))
                    .equals((Entity, Column::AuthorId)),
            )
            .into_query();
        let find = Entity::find_by_id(id.uuid())
            .join(JoinType::InnerJoin, author)
            .select_also(user::Entity)
            .filter(Expr::exists(belongs));
        match find.one(&self.connection).await.map_err(failed)? {
            Some((row, Some(author))) => {
                let hash = TokenHash::from_stored(row.secret_hash.clone());
                Ok(Some((credential(row), hash, crate::user::user(author)?)))
            }
            _ => Ok(None),
        }
    }

    async fn client_credentials_of(&self, pool_id: PoolId) -> Result<Vec<ClientCredential>> {
        let find = Entity::find().filter(Column::PoolId.eq(pool_id.uuid()));
        let rows = find.order_by_desc(Column::Id).all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(credential).collect())
    }
}

#[async_trait]
impl ClientCredentials for Handle {
    async fn add_client_credential(
        &self,
        credential: &ClientCredential,
        hash: &TokenHash,
    ) -> Result<()> {
        let row = ActiveModel {
            id: Set(credential.id.uuid()),
            pool_id: Set(credential.pool_id.uuid()),
            author_id: Set(credential.author.uuid()),
            secret_hash: Set(hash.as_bytes().to_vec()),
            alias: Set(credential.alias.to_string()),
            created_at: Set(credential.created_at),
            last_used_at: Set(None),
            last_used_ip: Set(None),
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }

    async fn delete_client_credential(&self, id: ClientCredentialId) -> Result<()> {
        let delete = Entity::delete_by_id(id.uuid()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }

    async fn delete_client_credentials_of(&self, pool_id: PoolId, author: UserId) -> Result<()> {
        let delete = Entity::delete_many()
            .filter(Column::PoolId.eq(pool_id.uuid()))
            .filter(Column::AuthorId.eq(author.uuid()));
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn touch_client_credential(
        &self,
        id: ClientCredentialId,
        at: Timestamp,
        from: IpAddr,
    ) -> Result<()> {
        let row = ActiveModel {
            last_used_at: Set(Some(at)),
            last_used_ip: Set(Some(from.to_string())),
            ..Default::default()
        };
        // Credentials revoked meanwhile need no last use.
        let update = Entity::update_many().set(row).filter(Column::Id.eq(id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
