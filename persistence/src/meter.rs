//! Meters, and how payers stand.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::instance::{InstanceId, Status};
use domain::meter::{
    CostFilter, Meter, MeterId, MeterQueries, Metered, Meters, Rate, SECONDS_PER_HOUR,
    SECONDS_PER_MONTH, Standing,
};
use domain::money::Money;
use domain::pool::{Label, PoolId};
use domain::user::{UserId, Viewer};
use domain::volume::VolumeId;
use domain::wallet::Posting;
use sea_orm::sea_query::{Expr, Func, OnConflict, UnionType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, Order,
    QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use crate::entity::meter::{ActiveModel, Column, Entity, Model};
use crate::entity::{instance, posting, standing, volume, wallet};
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::number;

/// Rows in one INSERT: far below both databases' bound on parameters.
const ROWS_AT_ONCE: usize = 500;
/// The most postings shown for one thing.
const MOST_POSTINGS: u64 = 10_000;

const fn thing(metered: Metered) -> (&'static str, Uuid) {
    match metered {
        Metered::Instance(id) => ("instance", id.uuid()),
        Metered::Volume(id) => ("volume", id.uuid()),
    }
}

fn meter(row: Model) -> Result<Meter> {
    let metered = match row.metered_kind.as_str() {
        "instance" => Metered::Instance(InstanceId::from_uuid(row.metered_id)),
        "volume" => Metered::Volume(VolumeId::from_uuid(row.metered_id)),
        _ => return Err(corrupt("a metered thing")),
    };
    Ok(Meter {
        id: MeterId::from_uuid(row.id),
        payer_id: UserId::from_uuid(row.payer_id),
        pool_id: PoolId::from_uuid(row.pool_id),
        metered,
        name: row.name,
        rate: Rate { price: Money::from_e8(row.price_e8), seconds: number(row.per_seconds)? },
        is_spot: row.is_spot,
        started_at: row.started_at,
        ended_at: row.ended_at,
        billed: Money::from_e8(row.billed_e8),
        bills: number(row.bills)?,
        bill_at: row.bill_at,
    })
}

fn stored(meter: &Meter) -> ActiveModel {
    let (kind, id) = thing(meter.metered);
    ActiveModel {
        id: Set(meter.id.uuid()),
        payer_id: Set(meter.payer_id.uuid()),
        pool_id: Set(meter.pool_id.uuid()),
        metered_kind: Set(kind.to_owned()),
        metered_id: Set(id),
        name: Set(meter.name.clone()),
        price_e8: Set(meter.rate.price.e8()),
        per_seconds: Set(meter.rate.seconds.into()),
        is_spot: Set(meter.is_spot),
        started_at: Set(meter.started_at),
        ended_at: Set(meter.ended_at),
        billed_e8: Set(meter.billed.e8()),
        bills: Set(meter.bills.into()),
        bill_at: Set(meter.bill_at),
    }
}

/// In these words, so that the database sees that an index with them serves.
const OF_INSTANCES: &str = "metered_kind = 'instance'";

#[async_trait]
impl MeterQueries for Handle {
    async fn payers_to_bill(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>> {
        let due = Condition::any()
            .add(Column::BillAt.lte(now))
            .add(Column::BillAt.gt(now + domain::meter::EVERY));
        let find = Entity::find()
            .select_only()
            .column(Column::PayerId)
            .filter(Column::BillAt.is_not_null())
            .filter(due)
            .group_by(Column::PayerId)
            .order_by(Func::min(Expr::col(Column::BillAt)), Order::Asc)
            .limit(u64::from(limit));
        let mut ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        let has_money = wallet::Entity::find()
            .select_only()
            .column(wallet::Column::UserId)
            .filter(wallet::Column::BalanceE8.gt(0))
            .into_query();
        let forgiven = standing::Entity::find()
            .select_only()
            .column(standing::Column::UserId)
            .filter(standing::Column::State.eq("stopped"))
            .filter(standing::Column::UserId.in_subquery(has_money))
            .limit(u64::from(limit));
        let forgiven: Vec<Uuid> =
            forgiven.into_tuple().all(&self.connection).await.map_err(failed)?;
        ids.extend(forgiven.into_iter().filter(|id| !ids.contains(id)).collect::<Vec<_>>());
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }

    async fn open_meters(&self, payer_id: UserId) -> Result<Vec<Meter>> {
        let find = Entity::find()
            .filter(Column::PayerId.eq(payer_id.uuid()))
            .filter(Column::BillAt.is_not_null())
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(meter).collect()
    }

    async fn rates_of_payer(&self, payer_id: UserId) -> Result<Vec<Rate>> {
        // A sum is an integer of any size on PostgreSQL.
        let sum = |of: &str| Expr::cust(format!("CAST(SUM({of}) AS bigint)"));
        let running = Entity::find()
            .select_only()
            .column(Column::PerSeconds)
            .expr(sum("price_e8"))
            .filter(Column::PayerId.eq(payer_id.uuid()))
            .filter(Column::BillAt.is_not_null())
            .group_by(Column::PerSeconds);
        let coming = [Status::Ordered, Status::Provisioning, Status::Starting];
        let instances = instance::Entity::find()
            .select_only()
            .expr(Expr::cust(SECONDS_PER_HOUR.to_string()))
            .expr(sum("per_hour_e8"))
            .filter(instance::Column::PayerId.eq(payer_id.uuid()))
            .filter(Expr::cust("is_live"))
            .filter(instance::Column::Status.is_in(coming.map(Status::as_str)))
            .having(Expr::cust("COUNT(*) > 0"));
        let volumes = volume::Entity::find()
            .select_only()
            .expr(Expr::cust(SECONDS_PER_MONTH.to_string()))
            .expr(sum("size_gb * price_per_gb_e8"))
            .filter(volume::Column::PayerId.eq(payer_id.uuid()))
            .filter(Expr::cust("is_live"))
            .filter(volume::Column::Status.eq("creating"))
            .having(Expr::cust("COUNT(*) > 0"));
        let mut all = running.into_query();
        all.union(UnionType::All, instances.into_query());
        all.union(UnionType::All, volumes.into_query());
        let backend = self.connection.get_database_backend();
        let rows = self.connection.query_all_raw(backend.build(&all)).await.map_err(failed)?;
        let read = |row: QueryResult| {
            let (seconds, price): (i64, i64) = row.try_get_many_by_index().map_err(failed)?;
            Ok(Rate { price: Money::from_e8(price), seconds: number(seconds)? })
        };
        rows.into_iter().map(read).collect()
    }

    async fn open_meters_of(&self, metered: &[Metered]) -> Result<Vec<Meter>> {
        // An id is of one kind only, so that its kind need not be asked for.
        let ids = metered.iter().map(|metered| thing(*metered).1);
        let find = Entity::find()
            .filter(Column::MeteredId.is_in(ids))
            .filter(Column::BillAt.is_not_null())
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(meter).collect()
    }

    async fn meters_of(&self, metered: Metered) -> Result<Vec<Meter>> {
        let (kind, id) = thing(metered);
        let find = Entity::find()
            .filter(Column::MeteredId.eq(id))
            .filter(Column::MeteredKind.eq(kind))
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(meter).collect()
    }

    async fn instance_meters_visible_to(
        &self,
        viewer: Viewer,
        filter: CostFilter,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<(Meter, Option<Label>)>> {
        let pools = self.joined_pools(viewer, None).await?;
        // An id is of one kind only, and its own index finds what one instance has.
        let of = filter
            .instance_id
            .map_or_else(|| Expr::cust(OF_INSTANCES), |id| Column::MeteredId.eq(id.uuid()));
        // Rows are read when it is known which they are: of several pools they are sorted first.
        let ids = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::PoolId.is_in(pools.iter().copied()))
            .filter(of)
            .apply_if(filter.before, |find, id| find.filter(Column::Id.lt(id.uuid())))
            .order_by_desc(Column::Id)
            .offset(u64::from(skip))
            .limit(u64::from(limit))
            .into_query();
        let find = Entity::find().filter(Column::Id.in_subquery(ids)).order_by_desc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        let ids: BTreeSet<Uuid> = rows.iter().map(|row| row.metered_id).collect();
        let find = instance::Entity::find()
            .select_only()
            .columns([instance::Column::Id, instance::Column::Name])
            .filter(instance::Column::Id.is_in(ids))
            .filter(instance::Column::PoolId.is_in(pools));
        let names: Vec<(Uuid, String)> =
            find.into_tuple().all(&self.connection).await.map_err(failed)?;
        let names: BTreeMap<Uuid, String> = names.into_iter().collect();
        let row = |row: Model| {
            let name = names.get(&row.metered_id).cloned().map(Label::from_stored);
            Ok((meter(row)?, name))
        };
        rows.into_iter().map(row).collect()
    }

    async fn postings_of_meters(&self, ids: &[MeterId]) -> Result<Vec<Posting>> {
        let find = posting::Entity::find()
            .filter(posting::Column::MeterId.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(posting::Column::MeterId)
            .order_by_asc(posting::Column::MeterBill)
            .limit(MOST_POSTINGS);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(crate::wallet::posting).collect()
    }

    async fn postings_of_paid(&self, id: InstanceId) -> Result<Vec<Posting>> {
        let find = posting::Entity::find()
            .filter(posting::Column::PaidInstanceId.eq(id.uuid()))
            .order_by_asc(posting::Column::Id)
            .limit(MOST_POSTINGS);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(crate::wallet::posting).collect()
    }

    async fn standing(&self, payer_id: UserId) -> Result<Option<Standing>> {
        let find = standing::Entity::find_by_id(payer_id.uuid()).one(&self.connection).await;
        let read = |row: standing::Model| match (row.state.as_str(), row.delete_at) {
            ("warned", None) => Ok(Standing::Warned { at: row.since }),
            ("stopped", Some(delete_at)) => Ok(Standing::Stopped { at: row.since, delete_at }),
            _ => Err(corrupt("a standing")),
        };
        find.map_err(failed)?.map(read).transpose()
    }

    async fn payers_to_delete(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>> {
        let find = standing::Entity::find()
            .select_only()
            .column(standing::Column::UserId)
            .filter(standing::Column::DeleteAt.is_not_null())
            .filter(standing::Column::DeleteAt.lte(now))
            .order_by_asc(standing::Column::DeleteAt)
            .limit(u64::from(limit));
        let ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }
}

#[async_trait]
impl Meters for Handle {
    async fn save_meters(&self, meters: &[Meter]) -> Result<()> {
        let columns = [Column::EndedAt, Column::BilledE8, Column::Bills, Column::BillAt];
        for part in meters.chunks(ROWS_AT_ONCE) {
            let replace = OnConflict::column(Column::Id).update_columns(columns).to_owned();
            let insert = Entity::insert_many(part.iter().map(stored)).on_conflict(replace);
            insert.exec_without_returning(&self.connection).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn save_standing(&self, payer_id: UserId, standing: Option<Standing>) -> Result<()> {
        let (state, since, delete_at) = match standing {
            None => {
                let delete = standing::Entity::delete_by_id(payer_id.uuid());
                return delete.exec(&self.connection).await.map_err(failed).map(|_| ());
            }
            Some(Standing::Warned { at }) => ("warned", at, None),
            Some(Standing::Stopped { at, delete_at }) => ("stopped", at, Some(delete_at)),
        };
        let row = standing::ActiveModel {
            user_id: Set(payer_id.uuid()),
            state: Set(state.to_owned()),
            since: Set(since),
            delete_at: Set(delete_at),
        };
        let columns =
            [standing::Column::State, standing::Column::Since, standing::Column::DeleteAt];
        let replace =
            OnConflict::column(standing::Column::UserId).update_columns(columns).to_owned();
        let insert = standing::Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }
}
