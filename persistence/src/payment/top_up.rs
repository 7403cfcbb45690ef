//! Saved cards and wishes to be topped up; part of the payments' port.

use domain::clock::Timestamp;
use domain::money::Money;
use domain::payment::{AutoTopUp, SavedMethod};
use domain::user::UserId;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, QuerySelect, Statement};

use crate::entity::auto_top_up::{ActiveModel, Column, Entity, Model};
use crate::entity::payment_method;
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;

fn wish(row: Model) -> AutoTopUp {
    AutoTopUp {
        user_id: UserId::from_uuid(row.user_id),
        threshold: Money::from_e8(row.threshold_e8),
        amount: Money::from_e8(row.amount_e8),
        monthly_max: Money::from_e8(row.monthly_max_e8),
        stopped: row.stopped,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

const TAKEN: &str = "SELECT CAST(COALESCE(SUM(amount_e8), 0) AS bigint) FROM payments \
     WHERE user_id = $1 AND purpose = 'top_up' AND state IN ('pending', 'paid') \
     AND created_at >= $2";

const LOW: &str = "SELECT t.user_id FROM auto_top_ups t JOIN wallets w ON w.user_id = t.user_id \
     WHERE t.stopped IS NULL AND w.balance_e8 < t.threshold_e8 \
     AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.user_id = t.user_id \
         AND p.purpose = 'top_up' AND p.state = 'pending') \
     AND t.amount_e8 + (SELECT COALESCE(SUM(p.amount_e8), 0) FROM payments p \
         WHERE p.user_id = t.user_id AND p.purpose = 'top_up' AND p.state = 'paid' \
         AND p.created_at >= $1) <= t.monthly_max_e8 \
     ORDER BY t.user_id LIMIT $2";

pub(crate) async fn users_to_top_up(
    handle: &Handle,
    month: Timestamp,
    limit: u32,
) -> Result<Vec<UserId>> {
    let backend = handle.connection.get_database_backend();
    let values = [month.into(), i64::from(limit).into()];
    let select = Statement::from_sql_and_values(backend, LOW, values);
    let rows = handle.connection.query_all_raw(select).await.map_err(failed)?;
    let id = |row: sea_orm::QueryResult| row.try_get_by_index(0).map(UserId::from_uuid);
    rows.into_iter().map(id).collect::<std::result::Result<_, _>>().map_err(failed)
}

pub(crate) async fn topped_up_since(
    handle: &Handle,
    user_id: UserId,
    since: Timestamp,
) -> Result<Money> {
    let backend = handle.connection.get_database_backend();
    let values = [user_id.uuid().into(), since.into()];
    let select = Statement::from_sql_and_values(backend, TAKEN, values);
    let row = handle.connection.query_one_raw(select).await.map_err(failed)?;
    let row = row.ok_or_else(|| corrupt("a sum"))?;
    Ok(Money::from_e8(row.try_get_by_index(0).map_err(failed)?))
}

pub(crate) async fn saved_method(handle: &Handle, user_id: UserId) -> Result<Option<SavedMethod>> {
    let find = payment_method::Entity::find_by_id(user_id.uuid()).one(&handle.connection);
    let saved = |row: payment_method::Model| SavedMethod {
        customer_id: row.customer_id,
        method_id: row.method_id,
    };
    Ok(find.await.map_err(failed)?.map(saved))
}

pub(crate) async fn keep_method(
    handle: &Handle,
    user_id: UserId,
    method: &SavedMethod,
    at: Timestamp,
) -> Result<()> {
    let row = payment_method::ActiveModel {
        user_id: Set(user_id.uuid()),
        customer_id: Set(method.customer_id.clone()),
        method_id: Set(method.method_id.clone()),
        updated_at: Set(at),
    };
    let changed = [
        payment_method::Column::CustomerId,
        payment_method::Column::MethodId,
        payment_method::Column::UpdatedAt,
    ];
    let replace =
        OnConflict::column(payment_method::Column::UserId).update_columns(changed).to_owned();
    let insert = payment_method::Entity::insert(row).on_conflict(replace);
    insert.exec_without_returning(&handle.connection).await.map_err(failed).map(|_| ())
}

pub(crate) async fn find(handle: &Handle, id: UserId, lock: bool) -> Result<Option<AutoTopUp>> {
    let mut find = Entity::find_by_id(id.uuid());
    if lock {
        find = find.lock(LockType::NoKeyUpdate);
    }
    Ok(find.one(&handle.connection).await.map_err(failed)?.map(wish))
}

pub(crate) async fn save(handle: &Handle, wish: &AutoTopUp) -> Result<()> {
    let row = ActiveModel {
        user_id: Set(wish.user_id.uuid()),
        threshold_e8: Set(wish.threshold.e8()),
        amount_e8: Set(wish.amount.e8()),
        monthly_max_e8: Set(wish.monthly_max.e8()),
        stopped: Set(wish.stopped.clone()),
        created_at: Set(wish.created_at),
        updated_at: Set(wish.updated_at),
    };
    let changed = [
        Column::ThresholdE8,
        Column::AmountE8,
        Column::MonthlyMaxE8,
        Column::Stopped,
        Column::UpdatedAt,
    ];
    let replace = OnConflict::column(Column::UserId).update_columns(changed).to_owned();
    let insert = Entity::insert(row).on_conflict(replace);
    insert.exec_without_returning(&handle.connection).await.map_err(failed).map(|_| ())
}

pub(crate) async fn remove(handle: &Handle, id: UserId) -> Result<bool> {
    let delete = Entity::delete_by_id(id.uuid()).exec(&handle.connection);
    delete.await.map_err(failed).map(|done| done.rows_affected == 1)
}
