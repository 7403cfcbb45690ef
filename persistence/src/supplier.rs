//! Suppliers and their payouts.

use async_trait::async_trait;
use domain::money::Money;
use domain::page::Page;
use domain::supplier::{
    BankAccount, Payout, PayoutId, PayoutRun, PayoutRunId, Supplier, SupplierQueries, Suppliers,
};
use domain::user::UserId;
use domain::wallet::PostingId;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, RelationDef, Statement,
};

use crate::entity::{payout, payout_run, supplier, user};
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::number;

pub(crate) fn supplier(row: supplier::Model) -> Result<Supplier> {
    Ok(Supplier {
        user_id: UserId::from_uuid(row.user_id),
        commission_bp: number(row.commission_bp)?,
        bank_account: BankAccount { holder: row.account_holder, iban: row.iban },
        earned: Money::from_e8(row.earned_e8),
        payable: Money::from_e8(row.payable_e8),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn run(row: payout_run::Model) -> PayoutRun {
    PayoutRun {
        id: PayoutRunId::from_uuid(row.id),
        minimum: Money::from_e8(row.minimum_e8),
        author: row.author_id.map(UserId::from_uuid),
        at: row.created_at,
    }
}

fn payout(row: payout::Model) -> Payout {
    Payout {
        id: PayoutId::from_uuid(row.id),
        run_id: PayoutRunId::from_uuid(row.run_id),
        supplier_id: UserId::from_uuid(row.supplier_id),
        amount: Money::from_e8(row.amount_e8),
        bank_account: BankAccount { holder: row.account_holder, iban: row.iban },
        posting_id: PostingId::from_uuid(row.posting_id),
        at: row.created_at,
    }
}

const ESCROW: &str = "SELECT CAST(COALESCE(SUM(escrow_e8), 0) AS bigint) FROM rentals \
     WHERE supplier_id = $1 AND escrow_e8 > 0";

#[async_trait]
impl SupplierQueries for Handle {
    async fn supplier(&self, user_id: UserId) -> Result<Option<Supplier>> {
        let find = supplier::Entity::find_by_id(user_id.uuid()).one(&self.connection);
        find.await.map_err(failed)?.map(supplier).transpose()
    }

    async fn suppliers(&self, page: &Page<UserId>) -> Result<Vec<(Supplier, String)>> {
        let to_user: RelationDef = supplier::Entity::belongs_to(user::Entity)
            .from(supplier::Column::UserId)
            .to(user::Column::Id)
            .into();
        let find = supplier::Entity::find()
            .join(JoinType::InnerJoin, to_user)
            .select_also(user::Entity)
            .apply_if(page.after, |find, after| {
                find.filter(supplier::Column::UserId.gt(after.uuid()))
            })
            .order_by_asc(supplier::Column::UserId)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        let pair = |(row, user): (supplier::Model, Option<user::Model>)| {
            let user = user.ok_or_else(|| corrupt("a supplier without their user"))?;
            Ok((supplier(row)?, user.username))
        };
        rows.into_iter().map(pair).collect()
    }

    async fn suppliers_to_pay(&self, minimum: Money, limit: u32) -> Result<Vec<UserId>> {
        let find = supplier::Entity::find()
            .select_only()
            .column(supplier::Column::UserId)
            .filter(supplier::Column::PayableE8.gte(minimum.e8()))
            .order_by_asc(supplier::Column::UserId)
            .limit(u64::from(limit));
        let ids: Vec<uuid::Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }

    async fn escrow_of(&self, user_id: UserId) -> Result<Money> {
        let backend = self.connection.get_database_backend();
        let select = Statement::from_sql_and_values(backend, ESCROW, [user_id.uuid().into()]);
        let row = self.connection.query_one_raw(select).await.map_err(failed)?;
        let row = row.ok_or_else(|| corrupt("a sum"))?;
        Ok(Money::from_e8(row.try_get_by_index(0).map_err(failed)?))
    }

    async fn payout_runs(&self, page: &Page<PayoutRunId>) -> Result<Vec<PayoutRun>> {
        let find = payout_run::Entity::find()
            .apply_if(page.after, |find, after| {
                find.filter(payout_run::Column::Id.lt(after.uuid()))
            })
            .order_by_desc(payout_run::Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(run).collect())
    }

    async fn payouts_of_run(&self, id: PayoutRunId) -> Result<Option<(PayoutRun, Vec<Payout>)>> {
        let found = payout_run::Entity::find_by_id(id.uuid()).one(&self.connection);
        let Some(found) = found.await.map_err(failed)? else {
            return Ok(None);
        };
        let payouts = payout::Entity::find().filter(payout::Column::RunId.eq(id.uuid()));
        let payouts = payouts.order_by_asc(payout::Column::Id).all(&self.connection);
        let payouts = payouts.await.map_err(failed)?.into_iter().map(payout).collect();
        Ok(Some((run(found), payouts)))
    }

    async fn payouts_to(&self, user_id: UserId, limit: u32) -> Result<Vec<Payout>> {
        let find = payout::Entity::find().filter(payout::Column::SupplierId.eq(user_id.uuid()));
        let find = find.order_by_desc(payout::Column::Id).limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(payout).collect())
    }
}

#[async_trait]
impl Suppliers for Handle {
    async fn supplier_for_update(&self, user_id: UserId) -> Result<Option<Supplier>> {
        let find = supplier::Entity::find_by_id(user_id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(supplier).transpose()
    }

    async fn save_supplier(&self, supplier: &Supplier) -> Result<()> {
        let row = supplier::ActiveModel {
            user_id: Set(supplier.user_id.uuid()),
            commission_bp: Set(supplier.commission_bp.into()),
            account_holder: Set(supplier.bank_account.holder.clone()),
            iban: Set(supplier.bank_account.iban.clone()),
            earned_e8: Set(supplier.earned.e8()),
            payable_e8: Set(supplier.payable.e8()),
            created_at: Set(supplier.created_at),
            updated_at: Set(supplier.updated_at),
        };
        let changed = [
            supplier::Column::CommissionBp,
            supplier::Column::AccountHolder,
            supplier::Column::Iban,
            supplier::Column::EarnedE8,
            supplier::Column::PayableE8,
            supplier::Column::UpdatedAt,
        ];
        let replace =
            OnConflict::column(supplier::Column::UserId).update_columns(changed).to_owned();
        let insert = supplier::Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn add_payouts(&self, run: &PayoutRun, payouts: &[Payout]) -> Result<()> {
        let row = payout_run::ActiveModel {
            id: Set(run.id.uuid()),
            minimum_e8: Set(run.minimum.e8()),
            author_id: Set(run.author.map(UserId::uuid)),
            created_at: Set(run.at),
        };
        let insert = payout_run::Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map_err(failed)?;
        let rows = payouts.iter().map(|payout| payout::ActiveModel {
            id: Set(payout.id.uuid()),
            run_id: Set(payout.run_id.uuid()),
            supplier_id: Set(payout.supplier_id.uuid()),
            amount_e8: Set(payout.amount.e8()),
            account_holder: Set(payout.bank_account.holder.clone()),
            iban: Set(payout.bank_account.iban.clone()),
            posting_id: Set(payout.posting_id.uuid()),
            created_at: Set(payout.at),
        });
        if payouts.is_empty() {
            return Ok(());
        }
        let insert = payout::Entity::insert_many(rows).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }
}
