//! Quotes.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::host::HostId;
use domain::pool::PoolId;
use domain::quote::{Quote, QuoteId, QuoteQueries, Quotes};
use domain::rental::RentalId;
use domain::user::UserId;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::entity::quote::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::{from_json, to_json};

fn quote(row: Model) -> Result<Quote> {
    Ok(Quote {
        id: QuoteId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        host_id: HostId::from_uuid(row.host_id),
        pool_id: row.pool_id.map(PoolId::from_uuid),
        terms: from_json(row.terms)?,
        created_at: row.created_at,
        expires_at: row.expires_at,
        signature: row.signature,
        rental_id: row.rental_id.map(RentalId::from_uuid),
    })
}

#[async_trait]
impl QuoteQueries for Handle {
    async fn quote_of(&self, user_id: UserId, id: QuoteId) -> Result<Option<Quote>> {
        let find = Entity::find_by_id(id.uuid()).filter(Column::UserId.eq(user_id.uuid()));
        find.one(&self.connection).await.map_err(failed)?.map(quote).transpose()
    }
}

#[async_trait]
impl Quotes for Handle {
    async fn add_quote(&self, quote: &Quote) -> Result<()> {
        let row = ActiveModel {
            id: Set(quote.id.uuid()),
            user_id: Set(quote.user_id.uuid()),
            host_id: Set(quote.host_id.uuid()),
            pool_id: Set(quote.pool_id.map(PoolId::uuid)),
            terms: Set(to_json(quote.terms)?),
            created_at: Set(quote.created_at),
            expires_at: Set(quote.expires_at),
            signature: Set(quote.signature.clone()),
            rental_id: Set(quote.rental_id.map(RentalId::uuid)),
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }

    async fn save_quote(&self, quote: &Quote) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::RentalId, Expr::value(quote.rental_id.map(RentalId::uuid)))
            .filter(Column::Id.eq(quote.id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn remove_stale_quotes(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let stale = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Column::ExpiresAt.lt(before))
            .and_where(Column::RentalId.is_null())
            .limit(u64::from(limit))
            .to_owned();
        let delete = Entity::delete_many().filter(Column::Id.in_subquery(stale));
        delete.exec(&self.connection).await.map_err(failed).map(|done| done.rows_affected)
    }
}
