//! The ledger as those see it who check it.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::money::Money;
use domain::rental::RentalId;
use domain::supplier::Supplier;
use domain::user::UserId;
use domain::wallet::{
    Account, ChainHead, Checkpoint, Entry, KeptHead, LedgerQueries, Link, Links, PostingId,
    RentalSums, Wallet,
};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement, Value,
};
use uuid::Uuid;

use crate::entity::{checkpoint, checkpoint_head, entry, posting, supplier, wallet};
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::{from_json, to_json};

/// Rows in one INSERT: far below both databases' bound on parameters.
const ROWS_AT_ONCE: usize = 1_000;
/// Posting ids in one `IN`.
const IDS_AT_ONCE: usize = 1_000;

const RENTAL_SUMS: &str = "SELECT r.id, r.amount_e8, r.refunded_e8, r.escrow_e8, \
    (SELECT CAST(COALESCE(-SUM(p.amount_e8), 0) AS bigint) FROM postings p \
     WHERE p.rental_id = r.id AND p.kind = 'charge') AS charged_e8, \
    (SELECT CAST(COALESCE(SUM(p.amount_e8), 0) AS bigint) FROM postings p \
     WHERE p.rental_id = r.id AND p.kind IN ('refund', 'credit')) AS returned_e8 \
    FROM rentals r WHERE r.id > $1 ORDER BY r.id LIMIT $2";

const MOVED_HEADS: &str = "SELECT user_id, chain_sequence AS sequence, chain_hash AS hash \
    FROM wallets w WHERE chain_sequence > 0 AND NOT EXISTS (SELECT 1 FROM checkpoint_heads h \
    WHERE h.user_id = w.user_id AND h.sequence = w.chain_sequence) ORDER BY user_id";

const KEPT_HEADS: &str = "SELECT h.user_id, h.sequence, h.hash, p.hash AS present \
    FROM checkpoint_heads h LEFT JOIN postings p \
    ON p.user_id = h.user_id AND p.sequence = h.sequence \
    WHERE h.checkpoint_number = $1 AND h.user_id > $2 ORDER BY h.user_id LIMIT $3";

const TOTALS: &str = "SELECT account, CAST(SUM(amount_e8) AS bigint) AS sum_e8 FROM entries \
    GROUP BY account ORDER BY account";

#[derive(FromQueryResult)]
struct SumsRow {
    id: Uuid,
    amount_e8: i64,
    refunded_e8: i64,
    escrow_e8: i64,
    charged_e8: i64,
    returned_e8: i64,
}

#[derive(FromQueryResult)]
struct HeadRow {
    user_id: Uuid,
    sequence: i64,
    hash: Vec<u8>,
}

#[derive(FromQueryResult)]
struct KeptHeadRow {
    user_id: Uuid,
    sequence: i64,
    hash: Vec<u8>,
    present: Option<Vec<u8>>,
}

#[derive(FromQueryResult)]
struct TotalRow {
    account: String,
    sum_e8: i64,
}

fn entry(row: &entry::Model) -> Result<Entry> {
    let account = Account::from_stored(&row.account, row.owner_id);
    let account = account.ok_or_else(|| corrupt("an entry of no account"))?;
    Ok(Entry { account, amount: Money::from_e8(row.amount_e8) })
}

fn checkpoint(row: checkpoint::Model) -> Result<Checkpoint> {
    Ok(Checkpoint {
        number: row.number,
        taken_at: row.taken_at,
        totals: from_json(row.totals)?,
        previous_hash: row.previous_hash,
        hash: row.hash,
    })
}

impl Handle {
    pub(crate) async fn rows<Row: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>> {
        let backend = self.connection.get_database_backend();
        let select = Statement::from_sql_and_values(backend, sql, values);
        Row::find_by_statement(select).all(&self.connection).await.map_err(failed)
    }

    /// The postings with their entries, in the same order.
    async fn linked(&self, rows: Vec<posting::Model>) -> Result<Vec<Link>> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut entries: HashMap<Uuid, Vec<Entry>> = HashMap::with_capacity(ids.len());
        for part in ids.chunks(IDS_AT_ONCE) {
            let find = entry::Entity::find()
                .filter(entry::Column::PostingId.is_in(part.iter().copied()))
                .order_by_asc(entry::Column::PostingId)
                .order_by_asc(entry::Column::Line);
            for row in find.all(&self.connection).await.map_err(failed)? {
                entries.entry(row.posting_id).or_default().push(entry(&row)?);
            }
        }
        let link = |row: posting::Model| {
            let entries = entries.remove(&row.id).unwrap_or_default();
            Ok(Link { posting: crate::wallet::posting(row)?, entries })
        };
        rows.into_iter().map(link).collect()
    }
}

#[async_trait]
impl LedgerQueries for Handle {
    async fn wallets(&self, after: Option<UserId>, limit: u32) -> Result<Vec<Wallet>> {
        let find = wallet::Entity::find()
            .apply_if(after, |find, after| find.filter(wallet::Column::UserId.gt(after.uuid())))
            .order_by_asc(wallet::Column::UserId)
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(crate::wallet::wallet).collect())
    }

    async fn links(&self, wanted: &Links) -> Result<Vec<Link>> {
        let (user, sequence) = (posting::Column::UserId, posting::Column::Sequence);
        let behind = wanted.after.map(|(user_id, number)| {
            let same = Condition::all().add(user.eq(user_id.uuid())).add(sequence.gt(number));
            Condition::any().add(user.gt(user_id.uuid())).add(same)
        });
        // The range begins where the last part ended, so that an index finds it.
        let from = wanted.after.map_or(wanted.from, |(user_id, _)| user_id);
        let find = posting::Entity::find()
            .filter(user.gte(from.uuid()))
            .filter(user.lte(wanted.until.uuid()))
            .filter(Condition::all().add_option(behind))
            .order_by_asc(user)
            .order_by_asc(sequence)
            .limit(u64::from(wanted.limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        self.linked(rows).await
    }

    async fn link(&self, id: PostingId) -> Result<Option<Link>> {
        let row = posting::Entity::find_by_id(id.uuid()).one(&self.connection).await;
        let rows = row.map_err(failed)?.into_iter().collect();
        Ok(self.linked(rows).await?.pop())
    }

    async fn rental_sums(&self, after: Option<RentalId>, limit: u32) -> Result<Vec<RentalSums>> {
        let after = after.map_or(Uuid::nil(), RentalId::uuid);
        let rows: Vec<SumsRow> =
            self.rows(RENTAL_SUMS, [after.into(), i64::from(limit).into()]).await?;
        let sums = rows.into_iter().map(|row| RentalSums {
            id: RentalId::from_uuid(row.id),
            amount: Money::from_e8(row.amount_e8),
            refunded: Money::from_e8(row.refunded_e8),
            escrow: Money::from_e8(row.escrow_e8),
            charged: Money::from_e8(row.charged_e8),
            returned: Money::from_e8(row.returned_e8),
        });
        Ok(sums.collect())
    }

    async fn every_supplier(&self) -> Result<Vec<Supplier>> {
        let find = supplier::Entity::find().order_by_asc(supplier::Column::UserId);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(crate::supplier::supplier).collect()
    }

    async fn account_totals(&self) -> Result<Vec<(String, Money)>> {
        let rows: Vec<TotalRow> = self.rows(TOTALS, []).await?;
        Ok(rows.into_iter().map(|row| (row.account, Money::from_e8(row.sum_e8))).collect())
    }

    async fn checkpoints(&self, after: i64, limit: u32) -> Result<Vec<Checkpoint>> {
        let find = checkpoint::Entity::find()
            .filter(checkpoint::Column::Number.gt(after))
            .order_by_asc(checkpoint::Column::Number)
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(checkpoint).collect()
    }

    async fn latest_checkpoint(&self) -> Result<Option<Checkpoint>> {
        let find = checkpoint::Entity::find().order_by_desc(checkpoint::Column::Number);
        find.one(&self.connection).await.map_err(failed)?.map(checkpoint).transpose()
    }

    async fn kept_heads(
        &self,
        number: i64,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<KeptHead>> {
        let after = after.map_or(Uuid::nil(), UserId::uuid);
        let values = [number.into(), after.into(), i64::from(limit).into()];
        let rows: Vec<KeptHeadRow> = self.rows(KEPT_HEADS, values).await?;
        let heads = rows.into_iter().map(|row| KeptHead {
            user_id: UserId::from_uuid(row.user_id),
            head: ChainHead { sequence: row.sequence, hash: row.hash },
            present: row.present,
        });
        Ok(heads.collect())
    }

    async fn moved_heads(&self) -> Result<Vec<(UserId, ChainHead)>> {
        let rows: Vec<HeadRow> = self.rows(MOVED_HEADS, []).await?;
        let heads = rows.into_iter().map(|row| {
            let head = ChainHead { sequence: row.sequence, hash: row.hash };
            (UserId::from_uuid(row.user_id), head)
        });
        Ok(heads.collect())
    }
}

pub(crate) async fn add_checkpoint(
    handle: &Handle,
    checkpoint: &Checkpoint,
    heads: &[(UserId, ChainHead)],
) -> Result<bool> {
    let row = checkpoint::ActiveModel {
        number: Set(checkpoint.number),
        taken_at: Set(checkpoint.taken_at),
        totals: Set(to_json(&checkpoint.totals)?),
        previous_hash: Set(checkpoint.previous_hash.clone()),
        hash: Set(checkpoint.hash.clone()),
    };
    let first = OnConflict::column(checkpoint::Column::Number).do_nothing().to_owned();
    let insert = checkpoint::Entity::insert(row).on_conflict(first);
    if insert.exec_without_returning(&handle.connection).await.map_err(failed)? == 0 {
        return Ok(false);
    }
    for part in heads.chunks(ROWS_AT_ONCE) {
        let rows = part.iter().map(|(user_id, head)| checkpoint_head::ActiveModel {
            user_id: Set(user_id.uuid()),
            sequence: Set(head.sequence),
            hash: Set(head.hash.clone()),
            checkpoint_number: Set(checkpoint.number),
        });
        let insert = checkpoint_head::Entity::insert_many(rows);
        insert.exec_without_returning(&handle.connection).await.map_err(failed)?;
    }
    Ok(true)
}
