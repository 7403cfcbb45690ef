//! What somebody has paid in, by card or not; part of the payments' port.

use domain::clock::Timestamp;
use domain::money::Money;
use domain::payment::{Deposit, DepositMethod, PaymentId};
use domain::user::UserId;
use domain::wallet::PostingId;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::from_word;

/// Ids begin with their time. What a wallet gained by a posting may be less than what was paid in, where a
/// debt was settled first; all of it came out of the cash box. What was taken back and came again is no other
/// deposit.
const DEPOSITS: &str = "SELECT p.id, 'card' AS method, p.state, \
     CASE WHEN p.credited_e8 > 0 THEN p.credited_e8 ELSE p.amount_e8 END AS amount_e8, \
     p.reversed_e8, p.created_at, d.created_at AS confirmed_at \
     FROM payments p LEFT JOIN postings d ON d.id = p.posting_id WHERE p.user_id = $1 \
     UNION ALL SELECT d.id, 'manual', 'paid', (SELECT -e.amount_e8 FROM entries e \
         WHERE e.posting_id = d.id AND e.account = 'cash_clearing'), 0, d.created_at, d.created_at \
     FROM postings d WHERE d.user_id = $1 AND d.kind = 'deposit' \
     AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.posting_id IN (d.id, d.corrects_id)) \
     ORDER BY id DESC LIMIT $2 OFFSET $3";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    method: String,
    state: String,
    amount_e8: i64,
    reversed_e8: i64,
    created_at: Timestamp,
    confirmed_at: Option<Timestamp>,
}

fn deposit(row: Row) -> Result<Deposit> {
    let method = match row.method.as_str() {
        "card" => DepositMethod::Card(PaymentId::from_uuid(row.id)),
        _ => DepositMethod::Manual(PostingId::from_uuid(row.id)),
    };
    Ok(Deposit {
        method,
        state: from_word(&row.state)?,
        amount: Money::from_e8(row.amount_e8),
        reversed: Money::from_e8(row.reversed_e8),
        created_at: row.created_at,
        confirmed_at: row.confirmed_at,
    })
}

pub(crate) async fn find(
    handle: &Handle,
    user_id: UserId,
    (skip, limit): (u32, u32),
) -> Result<Vec<Deposit>> {
    let backend = handle.connection.get_database_backend();
    let values = [user_id.uuid().into(), i64::from(limit).into(), i64::from(skip).into()];
    let select = Statement::from_sql_and_values(backend, DEPOSITS, values);
    let rows = Row::find_by_statement(select).all(&handle.connection).await.map_err(failed)?;
    rows.into_iter().map(deposit).collect()
}
