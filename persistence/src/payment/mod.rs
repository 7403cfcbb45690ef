//! Payments by card.

mod deposits;
mod top_up;

use async_trait::async_trait;
use domain::Error;
use domain::clock::Timestamp;
use domain::money::Money;
use domain::page::Page;
use domain::payment::{
    AutoTopUp, CheckoutPages, Deposit, Hint, Payment, PaymentId, PaymentQueries, Payments, Purpose,
    SavedMethod,
};
use domain::user::UserId;
use domain::wallet::PostingId;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::entity::payment::{ActiveModel, Column, Entity, Model};
use crate::entity::payment_event;
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::{from_word, word};

const CHECKOUT: &str = "checkout";
const TOP_UP: &str = "top_up";

fn payment(row: Model) -> Result<Payment> {
    let purpose = match (row.purpose.as_str(), row.success_url, row.cancel_url) {
        (CHECKOUT, Some(success_url), Some(cancel_url)) => Purpose::Checkout(CheckoutPages {
            success_url,
            cancel_url,
            save_method: row.save_method,
        }),
        (TOP_UP, None, None) => Purpose::TopUp,
        _ => return Err(corrupt("a payment's purpose")),
    };
    Ok(Payment {
        id: PaymentId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        purpose,
        state: from_word(&row.state)?,
        failure: row.failure,
        amount: Money::from_e8(row.amount_e8),
        credited: Money::from_e8(row.credited_e8),
        reversed: Money::from_e8(row.reversed_e8),
        posting_id: row.posting_id.map(PostingId::from_uuid),
        customer_id: row.customer_id,
        method_id: row.method_id,
        session_id: row.session_id,
        checkout_url: row.checkout_url,
        provider_payment_id: row.provider_payment_id,
        revision: row.revision,
        check_at: row.check_at,
        created_at: row.created_at,
        expires_at: row.expires_at,
        updated_at: row.updated_at,
    })
}

fn stored(payment: &Payment) -> Result<ActiveModel> {
    let (purpose, pages) = match &payment.purpose {
        Purpose::Checkout(pages) => (CHECKOUT, Some(pages)),
        Purpose::TopUp => (TOP_UP, None),
    };
    Ok(ActiveModel {
        id: Set(payment.id.uuid()),
        user_id: Set(payment.user_id.uuid()),
        purpose: Set(purpose.to_owned()),
        state: Set(word(payment.state)?),
        failure: Set(payment.failure.clone()),
        amount_e8: Set(payment.amount.e8()),
        credited_e8: Set(payment.credited.e8()),
        reversed_e8: Set(payment.reversed.e8()),
        posting_id: Set(payment.posting_id.map(PostingId::uuid)),
        success_url: Set(pages.map(|pages| pages.success_url.clone())),
        cancel_url: Set(pages.map(|pages| pages.cancel_url.clone())),
        save_method: Set(pages.is_some_and(|pages| pages.save_method)),
        customer_id: Set(payment.customer_id.clone()),
        method_id: Set(payment.method_id.clone()),
        session_id: Set(payment.session_id.clone()),
        checkout_url: Set(payment.checkout_url.clone()),
        provider_payment_id: Set(payment.provider_payment_id.clone()),
        revision: Set(payment.revision),
        check_at: Set(payment.check_at),
        created_at: Set(payment.created_at),
        expires_at: Set(payment.expires_at),
        updated_at: Set(payment.updated_at),
    })
}

#[async_trait]
impl PaymentQueries for Handle {
    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>> {
        let find = Entity::find_by_id(id.uuid()).one(&self.connection);
        find.await.map_err(failed)?.map(payment).transpose()
    }

    async fn payments_of(&self, user_id: UserId, page: &Page<PaymentId>) -> Result<Vec<Payment>> {
        let find = Entity::find()
            .filter(Column::UserId.eq(user_id.uuid()))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(payment).collect()
    }

    async fn deposits_of(
        &self,
        user_id: UserId,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<Deposit>> {
        deposits::find(self, user_id, (skip, limit)).await
    }

    async fn due_payments(&self, now: Timestamp, limit: u32) -> Result<Vec<PaymentId>> {
        let find = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::CheckAt.is_not_null())
            .filter(Column::CheckAt.lte(now))
            .order_by_asc(Column::CheckAt)
            .limit(u64::from(limit));
        let ids: Vec<uuid::Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(PaymentId::from_uuid).collect())
    }

    async fn saved_method(&self, user_id: UserId) -> Result<Option<SavedMethod>> {
        top_up::saved_method(self, user_id).await
    }

    async fn auto_top_up(&self, user_id: UserId) -> Result<Option<AutoTopUp>> {
        top_up::find(self, user_id, false).await
    }

    async fn users_to_top_up(&self, month: Timestamp, limit: u32) -> Result<Vec<UserId>> {
        top_up::users_to_top_up(self, month, limit).await
    }

    async fn has_pending_top_up(&self, user_id: UserId) -> Result<bool> {
        let find = Entity::find()
            .filter(Column::UserId.eq(user_id.uuid()))
            .filter(Column::Purpose.eq(TOP_UP))
            .filter(Column::State.eq("pending"));
        find.one(&self.connection).await.map_err(failed).map(|found| found.is_some())
    }

    async fn topped_up_since(&self, user_id: UserId, since: Timestamp) -> Result<Money> {
        top_up::topped_up_since(self, user_id, since).await
    }
}

#[async_trait]
impl Payments for Handle {
    async fn add_payment(&self, payment: &Payment) -> Result<()> {
        let insert = Entity::insert(stored(payment)?).exec_without_returning(&self.connection);
        insert.await.map_err(failed).map(|_| ())
    }

    async fn payment_for_update(&self, id: PaymentId) -> Result<Option<Payment>> {
        let find = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(payment).transpose()
    }

    async fn save_payment(&self, payment: &Payment) -> Result<()> {
        let row = ActiveModel {
            id: sea_orm::NotSet,
            revision: Set(payment.revision.saturating_add(1)),
            ..stored(payment)?
        };
        let update = Entity::update_many()
            .set(row)
            .filter(Column::Id.eq(payment.id.uuid()))
            .filter(Column::Revision.eq(payment.revision));
        match update.exec(&self.connection).await.map_err(failed)?.rows_affected {
            1 => Ok(()),
            _ => Err(Error::Contention),
        }
    }

    async fn add_payment_event(&self, event_id: &str, at: Timestamp) -> Result<bool> {
        let row = payment_event::ActiveModel { id: Set(event_id.to_owned()), created_at: Set(at) };
        let nothing = OnConflict::column(payment_event::Column::Id).do_nothing().to_owned();
        let insert = payment_event::Entity::insert(row).on_conflict(nothing);
        let added = insert.exec_without_returning(&self.connection).await.map_err(failed)?;
        Ok(added == 1)
    }

    async fn hinted_payment(&self, hint: &Hint) -> Result<Option<PaymentId>> {
        let known = |column: Column, id: &Option<String>| id.clone().map(|id| column.eq(id));
        let ways = [
            hint.payment_id.map(|id| Column::Id.eq(id.uuid())),
            known(Column::ProviderPaymentId, &hint.provider_payment_id),
            known(Column::SessionId, &hint.session_id),
        ];
        for way in ways.into_iter().flatten() {
            let found = Entity::find().filter(way).one(&self.connection).await.map_err(failed)?;
            if let Some(row) = found {
                return Ok(Some(PaymentId::from_uuid(row.id)));
            }
        }
        Ok(None)
    }

    async fn keep_method(
        &self,
        user_id: UserId,
        method: &SavedMethod,
        at: Timestamp,
    ) -> Result<()> {
        top_up::keep_method(self, user_id, method, at).await
    }

    async fn auto_top_up_for_update(&self, user_id: UserId) -> Result<Option<AutoTopUp>> {
        top_up::find(self, user_id, true).await
    }

    async fn save_auto_top_up(&self, wish: &AutoTopUp) -> Result<()> {
        top_up::save(self, wish).await
    }

    async fn remove_auto_top_up(&self, user_id: UserId) -> Result<bool> {
        top_up::remove(self, user_id).await
    }
}
