//! Pools and memberships.

mod queries;

pub(crate) use queries::joined_pools;

use async_trait::async_trait;
use domain::Error;
use domain::error::Conflict;
use domain::pool::{
    Membership, MembershipId, MembershipState, Pool, PoolDescription, PoolId, PoolName, PoolRole,
    PoolSettings, Pools,
};
use domain::user::UserId;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value;

use crate::entity::{pool, pool_member, rental};
use crate::failure::{Result, failed, violated_key};
use crate::store::Handle;
use crate::words::{from_json, from_word, word};

pub(crate) fn pool(row: pool::Model) -> Result<Pool> {
    Ok(Pool {
        id: PoolId::from_uuid(row.id),
        owner_id: UserId::from_uuid(row.owner_id),
        name: PoolName::from_stored(row.name),
        description: row.description.map(PoolDescription::from_stored),
        is_default: row.is_default,
        settings: PoolSettings::from_stored(from_json(row.settings)?),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(crate) fn membership(row: pool_member::Model) -> Result<Membership> {
    Ok(Membership {
        id: MembershipId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        user_id: UserId::from_uuid(row.user_id),
        role: from_word(&row.role)?,
        state: from_word(&row.state)?,
        invited_by: row.invited_by.map(UserId::from_uuid),
        invited_at: row.invited_at,
        expires_at: row.expires_at,
        joined_at: row.joined_at,
    })
}

#[async_trait]
impl Pools for Handle {
    async fn add_pool(&self, pool: &Pool) -> Result<()> {
        let row = pool::ActiveModel {
            id: Set(pool.id.uuid()),
            owner_id: Set(pool.owner_id.uuid()),
            name: Set(pool.name.to_string()),
            description: Set(pool.description.as_ref().map(PoolDescription::to_string)),
            is_default: Set(pool.is_default),
            settings: Set(Value::Object(pool.settings.as_map().clone())),
            created_at: Set(pool.created_at),
            updated_at: Set(pool.updated_at),
        };
        let insert = pool::Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed)?;
        self.add_membership(&Membership {
            // The owner is a member from the pool's first moment; its id serves for both.
            id: MembershipId::from_uuid(pool.id.uuid()),
            pool_id: pool.id,
            user_id: pool.owner_id,
            role: PoolRole::Owner,
            state: MembershipState::Accepted,
            invited_by: None,
            invited_at: pool.created_at,
            expires_at: None,
            joined_at: Some(pool.created_at),
        })
        .await
    }

    async fn pool_for_update(&self, id: PoolId) -> Result<Option<Pool>> {
        let find = pool::Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(self::pool).transpose()
    }

    async fn pools_that_stay(&self, ids: &[PoolId]) -> Result<Vec<PoolId>> {
        let find = pool::Entity::find()
            .select_only()
            .column(pool::Column::Id)
            .filter(pool::Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(pool::Column::Id)
            .lock(LockType::KeyShare);
        let found: Vec<uuid::Uuid> =
            find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(found.into_iter().map(PoolId::from_uuid).collect())
    }

    async fn save_pool(&self, pool: &Pool) -> Result<()> {
        let row = pool::ActiveModel {
            id: Set(pool.id.uuid()),
            description: Set(pool.description.as_ref().map(PoolDescription::to_string)),
            settings: Set(Value::Object(pool.settings.as_map().clone())),
            updated_at: Set(pool.updated_at),
            ..Default::default()
        };
        row.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn delete_pool(&self, id: PoolId) -> Result<()> {
        // The foreign keys delete memberships and take rentals out of the pool.
        let delete = pool::Entity::delete_by_id(id.uuid());
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn add_membership(&self, membership: &Membership) -> Result<()> {
        let row = pool_member::ActiveModel {
            id: Set(membership.id.uuid()),
            pool_id: Set(membership.pool_id.uuid()),
            user_id: Set(membership.user_id.uuid()),
            role: Set(word(membership.role)?),
            state: Set(word(membership.state)?),
            invited_by: Set(membership.invited_by.map(UserId::uuid)),
            invited_at: Set(membership.invited_at),
            expires_at: Set(membership.expires_at),
            joined_at: Set(membership.joined_at),
        };
        let insert = pool_member::Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map(|_| ()).map_err(|error| match violated_key(&error) {
            Some(_) => Error::Conflict(Conflict::AlreadyInvited),
            None => failed(error),
        })
    }

    async fn membership(&self, id: MembershipId) -> Result<Option<Membership>> {
        let row = pool_member::Entity::find_by_id(id.uuid()).one(&self.connection).await;
        row.map_err(failed)?.map(self::membership).transpose()
    }

    async fn save_membership(&self, membership: &Membership) -> Result<()> {
        let row = pool_member::ActiveModel {
            id: Set(membership.id.uuid()),
            role: Set(word(membership.role)?),
            state: Set(word(membership.state)?),
            joined_at: Set(membership.joined_at),
            ..Default::default()
        };
        row.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn unassign_rentals(&self, pool_id: PoolId, renter_id: UserId) -> Result<()> {
        let update = rental::Entity::update_many()
            .col_expr(rental::Column::PoolId, Expr::value(Option::<uuid::Uuid>::None))
            .filter(rental::Column::PoolId.eq(pool_id.uuid()))
            .filter(rental::Column::RenterId.eq(renter_id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
