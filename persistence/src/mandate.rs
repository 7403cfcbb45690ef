//! Mandates to renew rentals; part of the rentals' port.

use domain::clock::Timestamp;
use domain::money::Money;
use domain::rental::{Mandate, RentalId};
use domain::user::UserId;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::mandate::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::number;

fn mandate(row: Model) -> Result<Mandate> {
    Ok(Mandate {
        rental_id: RentalId::from_uuid(row.rental_id),
        payer_id: UserId::from_uuid(row.payer_id),
        days: number(row.days)?,
        max_price: Money::from_e8(row.max_price_e8),
        max_renewals: row.max_renewals.map(number).transpose()?,
        renewals: number(row.renewals)?,
        notice_days: number(row.notice_days)?,
        noticed_for: row.noticed_for,
        refused_for: row.refused_for,
        look_at: row.look_at,
        created_at: row.created_at,
    })
}

pub(crate) async fn due(handle: &Handle, now: Timestamp, limit: u32) -> Result<Vec<RentalId>> {
    let find = Entity::find()
        .select_only()
        .column(Column::RentalId)
        .filter(Column::LookAt.is_not_null())
        .filter(Column::LookAt.lte(now))
        .order_by_asc(Column::LookAt)
        .limit(u64::from(limit));
    let ids: Vec<uuid::Uuid> = find.into_tuple().all(&handle.connection).await.map_err(failed)?;
    Ok(ids.into_iter().map(RentalId::from_uuid).collect())
}

pub(crate) async fn find(handle: &Handle, id: RentalId, lock: bool) -> Result<Option<Mandate>> {
    let mut find = Entity::find_by_id(id.uuid());
    if lock {
        find = find.lock(LockType::NoKeyUpdate);
    }
    find.one(&handle.connection).await.map_err(failed)?.map(mandate).transpose()
}

pub(crate) async fn save(handle: &Handle, mandate: &Mandate) -> Result<()> {
    let row = ActiveModel {
        rental_id: Set(mandate.rental_id.uuid()),
        payer_id: Set(mandate.payer_id.uuid()),
        days: Set(mandate.days.into()),
        max_price_e8: Set(mandate.max_price.e8()),
        max_renewals: Set(mandate.max_renewals.map(i64::from)),
        renewals: Set(mandate.renewals.into()),
        notice_days: Set(mandate.notice_days.into()),
        noticed_for: Set(mandate.noticed_for),
        refused_for: Set(mandate.refused_for),
        look_at: Set(mandate.look_at),
        created_at: Set(mandate.created_at),
    };
    let changed = [
        Column::PayerId,
        Column::Days,
        Column::MaxPriceE8,
        Column::MaxRenewals,
        Column::Renewals,
        Column::NoticeDays,
        Column::NoticedFor,
        Column::RefusedFor,
        Column::LookAt,
        Column::CreatedAt,
    ];
    let replace = OnConflict::column(Column::RentalId).update_columns(changed).to_owned();
    let insert = Entity::insert(row).on_conflict(replace);
    insert.exec_without_returning(&handle.connection).await.map_err(failed).map(|_| ())
}

pub(crate) async fn remove(handle: &Handle, id: RentalId) -> Result<()> {
    let delete = Entity::delete_by_id(id.uuid()).exec(&handle.connection);
    delete.await.map_err(failed).map(|_| ())
}
