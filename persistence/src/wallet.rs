//! Wallets and the ledger.

use async_trait::async_trait;
use domain::instance::InstanceId;
use domain::money::Money;
use domain::rental::RentalId;
use domain::user::UserId;
use domain::wallet::{
    Basis, ChainHead, Checkpoint, Entry, Posting, PostingId, PostingKind, TransactionFilter,
    TransactionSort, Wallet, WalletQueries, Wallets,
};
use sea_orm::sea_query::{Expr, LockType, Order};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::entity::{entry, posting, wallet};
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::{from_json, from_word, to_json};

/// Postings in one INSERT: far below both databases' bound on parameters.
const ROWS_AT_ONCE: usize = 500;

pub(crate) fn wallet(row: wallet::Model) -> Wallet {
    Wallet {
        user_id: UserId::from_uuid(row.user_id),
        balance: Money::from_e8(row.balance_e8),
        owed: Money::from_e8(row.owed_e8),
        head: ChainHead { sequence: row.chain_sequence, hash: row.chain_hash },
    }
}

pub(crate) fn posting(row: posting::Model) -> Result<Posting> {
    Ok(Posting {
        id: PostingId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        kind: from_word(&row.kind)?,
        amount: Money::from_e8(row.amount_e8),
        reason: row.reason,
        author: row.author_id.map(UserId::from_uuid),
        period: row.rental_id.map(RentalId::from_uuid).zip(row.period_start),
        metadata: row.metadata,
        basis: row.basis.map(from_json).transpose()?,
        corrects: row.corrects_id.map(PostingId::from_uuid),
        at: row.created_at,
        sequence: row.sequence,
        previous_hash: row.previous_hash,
        hash: row.hash,
    })
}

/// What [`TransactionSort::Amount`] compares.
const SHOWN_AMOUNT: &str = "CASE kind WHEN 'charge' THEN -amount_e8 ELSE amount_e8 END";

#[async_trait]
impl WalletQueries for Handle {
    async fn wallet(&self, user_id: UserId) -> Result<Option<Wallet>> {
        let row = wallet::Entity::find_by_id(user_id.uuid()).one(&self.connection).await;
        Ok(row.map_err(failed)?.map(wallet))
    }

    async fn posting_of(&self, user_id: UserId, id: PostingId) -> Result<Option<Posting>> {
        let find = posting::Entity::find_by_id(id.uuid())
            .filter(posting::Column::UserId.eq(user_id.uuid()));
        find.one(&self.connection).await.map_err(failed)?.map(posting).transpose()
    }

    async fn postings_about(&self, rental_id: RentalId) -> Result<Vec<Posting>> {
        let find = posting::Entity::find().filter(posting::Column::RentalId.eq(rental_id.uuid()));
        let rows = find.order_by_asc(posting::Column::PeriodStart).all(&self.connection).await;
        rows.map_err(failed)?.into_iter().map(posting).collect()
    }

    async fn postings_of(
        &self,
        user_id: UserId,
        filter: &TransactionFilter,
        sort: TransactionSort,
        (offset, limit): (u64, u64),
    ) -> Result<(Vec<Posting>, u64)> {
        let wanted =
            if filter.kinds.is_empty() { &PostingKind::OF_WALLETS[..] } else { &filter.kinds };
        let kinds = wanted.iter().map(|kind| kind.as_str());
        let all = Condition::all()
            .add(posting::Column::UserId.eq(user_id.uuid()))
            .add_option(filter.from.map(|from| posting::Column::CreatedAt.gte(from)))
            .add_option(filter.until.map(|until| posting::Column::CreatedAt.lt(until)))
            .add(posting::Column::Kind.is_in(kinds));
        let find = posting::Entity::find().filter(all);
        let total = find.clone().count(&self.connection).await.map_err(failed)?;
        // The chain's sequence is the order of time, without ties.
        let (column, descending) = match sort {
            TransactionSort::CreatedAt { descending } => {
                (posting::Column::Sequence.into_expr(), descending)
            }
            TransactionSort::Amount { descending } => (Expr::cust(SHOWN_AMOUNT), descending),
        };
        let order = if descending { Order::Desc } else { Order::Asc };
        let rows = find
            .order_by(column, order.clone())
            .order_by(posting::Column::Sequence, order)
            .offset(offset)
            .limit(limit)
            .all(&self.connection)
            .await
            .map_err(failed)?;
        Ok((rows.into_iter().map(posting).collect::<Result<_>>()?, total))
    }
}

#[async_trait]
impl Wallets for Handle {
    async fn add_wallet(&self, wallet: &Wallet) -> Result<()> {
        let insert = wallet::Entity::insert(stored(wallet));
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn wallet_for_update(&self, user_id: UserId) -> Result<Option<Wallet>> {
        let find = wallet::Entity::find_by_id(user_id.uuid()).lock(LockType::NoKeyUpdate);
        Ok(find.one(&self.connection).await.map_err(failed)?.map(wallet))
    }

    async fn add_checkpoint(
        &self,
        checkpoint: &Checkpoint,
        heads: &[(UserId, ChainHead)],
    ) -> Result<bool> {
        crate::ledger::add_checkpoint(self, checkpoint, heads).await
    }

    async fn add_postings(&self, wallet: &Wallet, links: &[(Posting, Vec<Entry>)]) -> Result<()> {
        for part in links.chunks(ROWS_AT_ONCE) {
            let rows = part.iter().map(|(posting, _)| posting_row(posting));
            let rows = rows.collect::<Result<Vec<_>>>()?;
            let insert = posting::Entity::insert_many(rows);
            insert.exec_without_returning(&self.connection).await.map_err(failed)?;
            let sides = part.iter().flat_map(|(posting, entries)| {
                (1..).zip(entries).map(|(line, entry)| entry::ActiveModel {
                    posting_id: Set(posting.id.uuid()),
                    line: Set(line),
                    account: Set(entry.account.kind().to_owned()),
                    owner_id: Set(entry.account.owner()),
                    amount_e8: Set(entry.amount.e8()),
                })
            });
            let insert = entry::Entity::insert_many(sides);
            insert.exec_without_returning(&self.connection).await.map_err(failed)?;
        }
        let update = wallet::Entity::update_many()
            .set(wallet::ActiveModel { user_id: sea_orm::NotSet, ..stored(wallet) })
            .filter(wallet::Column::UserId.eq(wallet.user_id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}

/// Which payment for an instance's time a posting is about, and in which way.
const fn paid_time(basis: Basis) -> Option<(InstanceId, u32, &'static str)> {
    match basis {
        Basis::Interval(paid) => Some((paid.instance_id, paid.payment, "interval")),
        Basis::Migration { to, .. } => Some((to.instance_id, to.payment, "migration")),
        Basis::Unused { unused, .. } => Some((unused.instance_id, unused.payment, "unused")),
        _ => None,
    }
}

fn posting_row(posting: &Posting) -> Result<posting::ActiveModel> {
    let reading = match posting.basis {
        Some(Basis::Usage(usage)) => Some(usage),
        _ => None,
    };
    let paid = posting.basis.and_then(paid_time);
    Ok(posting::ActiveModel {
        id: Set(posting.id.uuid()),
        user_id: Set(posting.user_id.uuid()),
        kind: Set(posting.kind.as_str().to_owned()),
        amount_e8: Set(posting.amount.e8()),
        reason: Set(posting.reason.clone()),
        author_id: Set(posting.author.map(UserId::uuid)),
        rental_id: Set(posting.period.map(|(rental_id, _)| rental_id.uuid())),
        period_start: Set(posting.period.map(|(_, start)| start)),
        metadata: Set(posting.metadata.clone()),
        created_at: Set(posting.at),
        sequence: Set(posting.sequence),
        previous_hash: Set(posting.previous_hash.clone()),
        hash: Set(posting.hash.clone()),
        basis: Set(posting.basis.map(to_json).transpose()?),
        corrects_id: Set(posting.corrects.map(PostingId::uuid)),
        meter_id: Set(reading.map(|usage| usage.meter_id.uuid())),
        meter_bill: Set(reading.map(|usage| usage.bill.into())),
        paid_instance_id: Set(paid.map(|(id, ..)| id.uuid())),
        payment: Set(paid.map(|(_, payment, _)| payment.into())),
        paid_for: Set(paid.map(|(.., paid_for)| paid_for.to_owned())),
    })
}

fn stored(wallet: &Wallet) -> wallet::ActiveModel {
    wallet::ActiveModel {
        user_id: Set(wallet.user_id.uuid()),
        balance_e8: Set(wallet.balance.e8()),
        owed_e8: Set(wallet.owed.e8()),
        chain_sequence: Set(wallet.head.sequence),
        chain_hash: Set(wallet.head.hash.clone()),
    }
}
