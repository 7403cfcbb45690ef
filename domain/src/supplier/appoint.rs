//! Makes a user a supplier, or changes a supplier's terms.

use serde_json::json;
use tracing::instrument;

use super::{BankAccount, Supplier};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;
use crate::wallet::WHOLE_BP;

/// The terms of a supplier.
#[derive(Clone, Debug)]
pub struct AppointSupplier {
    /// Who asks.
    pub operator: Operator,
    /// The user, by name.
    pub username: String,
    /// What the operator keeps of the rent, in hundredths of a percent; rentals that run keep theirs.
    pub commission_bp: u32,
    /// Where payouts go.
    pub bank_account: BankAccount,
}

/// Makes a user a supplier, or changes their terms.
#[instrument(name = "supplier.appoint", skip_all)]
pub async fn appoint(
    store: &dyn Store,
    clock: &dyn Clock,
    request: AppointSupplier,
) -> Result<Supplier> {
    request.operator.may(Permission::AdminWrite)?;
    if request.commission_bp > WHOLE_BP {
        return Err(Error::invalid("/commission_percent", "must be 0 to 100"));
    }
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let user = tx.user_named(&request.username).await?.ok_or(Error::NotFound(Thing::User))?;
        tx.wallet_for_update(user.id).await?.ok_or(Error::NotFound(Thing::User))?;
        let before = tx.supplier_for_update(user.id).await?;
        let supplier = Supplier {
            user_id: user.id,
            commission_bp: request.commission_bp,
            bank_account: request.bank_account.clone(),
            earned: before.as_ref().map_or(Money::ZERO, |before| before.earned),
            payable: before.as_ref().map_or(Money::ZERO, |before| before.payable),
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
        };
        tx.save_supplier(&supplier).await?;
        tx.record(vec![Event {
            kind: "supplier.appointed",
            subject: Subject::User(user.id),
            actor: request.operator.actor(),
            before: before.as_ref().map(facts),
            data: facts(&supplier),
            recipient: Some(user.id),
            at: now,
        }])
        .await?;
        Ok(supplier)
    })
    .await
}

/// The end of the IBAN is enough to recognise it.
fn facts(supplier: &Supplier) -> serde_json::Value {
    let iban = &supplier.bank_account.iban;
    let end: String = iban.chars().skip(iban.chars().count().saturating_sub(4)).collect();
    json!({ "commission_bp": supplier.commission_bp, "iban_ends_in": end })
}
