//! Looks at one's payments.

use super::{Payment, PaymentId};
use crate::error::{Error, Result, Thing};
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// One of the caller's payments.
pub async fn show(store: &dyn Store, caller: &Caller, id: PaymentId) -> Result<Payment> {
    caller.may(Permission::WalletRead)?;
    let payment = store.reads().payment(id).await?;
    let own = payment.filter(|payment| payment.user_id == caller.user_id);
    own.ok_or(Error::NotFound(Thing::Payment))
}

/// The caller's payments, newest first.
pub async fn all(
    store: &dyn Store,
    caller: &Caller,
    page: Page<PaymentId>,
) -> Result<Paged<Payment, PaymentId>> {
    caller.may(Permission::WalletRead)?;
    let limit = page.limit;
    let wanted = Page { limit: page.limit_and_one(), ..page };
    let rows = store.reads().payments_of(caller.user_id, &wanted).await?;
    Ok(Paged::cut(rows, limit, None, |payment| payment.id))
}
