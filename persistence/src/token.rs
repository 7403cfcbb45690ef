//! API tokens.

use std::net::IpAddr;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::session::TokenHash;
use domain::token::{ApiToken, ApiTokenId, ApiTokenQueries, ApiTokens, Permissions};
use domain::user::{Alias, User, UserId};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, JoinType, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::Value;

use crate::entity::api_token::{ActiveModel, Column, Entity, Model};
use crate::entity::user;
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::{from_json, to_json};

fn token(row: Model) -> Result<ApiToken> {
    let tree = from_json(row.permissions)?;
    Ok(ApiToken {
        id: ApiTokenId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        alias: Alias::from_stored(row.alias),
        prefix: row.prefix,
        permissions: Permissions::parse(&tree).map_err(|fault| corrupt(&fault))?,
        ip_allow_list: from_json(row.ip_allow_list)?,
        expires_at: row.expires_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_used_at: row.last_used_at,
        last_used_ip: row.last_used_ip.and_then(|address| address.parse().ok()),
    })
}

#[async_trait]
impl ApiTokenQueries for Handle {
    async fn api_token_with_user(&self, hash: &TokenHash) -> Result<Option<(ApiToken, User)>> {
        let on_user =
            Entity::belongs_to(user::Entity).from(Column::UserId).to(user::Column::Id).into();
        let find = Entity::find()
            .join(JoinType::InnerJoin, on_user)
            .select_also(user::Entity)
            .filter(Column::TokenHash.eq(hash.as_bytes().to_vec()));
        match find.one(&self.connection).await.map_err(failed)? {
            Some((row, Some(owner))) => Ok(Some((token(row)?, crate::user::user(owner)?))),
            _ => Ok(None),
        }
    }

    async fn api_token_of(&self, user_id: UserId, id: ApiTokenId) -> Result<Option<ApiToken>> {
        let find = Entity::find_by_id(id.uuid()).filter(Column::UserId.eq(user_id.uuid()));
        find.one(&self.connection).await.map_err(failed)?.map(token).transpose()
    }

    async fn api_tokens_of(&self, user_id: UserId) -> Result<Vec<ApiToken>> {
        let find = Entity::find().filter(Column::UserId.eq(user_id.uuid()));
        let rows = find.order_by_desc(Column::Id).all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(token).collect()
    }
}

#[async_trait]
impl ApiTokens for Handle {
    async fn add_api_token(&self, token: &ApiToken, hash: &TokenHash) -> Result<()> {
        let row = ActiveModel {
            user_id: Set(token.user_id.uuid()),
            token_hash: Set(hash.as_bytes().to_vec()),
            prefix: Set(token.prefix.clone()),
            created_at: Set(token.created_at),
            last_used_at: Set(token.last_used_at),
            last_used_ip: Set(token.last_used_ip.map(|address| address.to_string())),
            ..changeable(token)?
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }

    async fn save_api_token(&self, token: &ApiToken) -> Result<()> {
        changeable(token)?.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn delete_api_token(&self, id: ApiTokenId) -> Result<()> {
        let delete = Entity::delete_by_id(id.uuid()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }

    async fn touch_api_token(&self, id: ApiTokenId, at: Timestamp, from: IpAddr) -> Result<()> {
        let row = ActiveModel {
            id: Set(id.uuid()),
            last_used_at: Set(Some(at)),
            last_used_ip: Set(Some(from.to_string())),
            ..Default::default()
        };
        // A token deleted meanwhile needs no last use.
        let update = Entity::update_many().set(row).filter(Column::Id.eq(id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}

fn changeable(token: &ApiToken) -> Result<ActiveModel> {
    Ok(ActiveModel {
        id: Set(token.id.uuid()),
        alias: Set(token.alias.to_string()),
        permissions: Set(Value::Object(token.permissions.to_tree())),
        ip_allow_list: Set(to_json(&token.ip_allow_list)?),
        expires_at: Set(token.expires_at),
        updated_at: Set(token.updated_at),
        ..Default::default()
    })
}
