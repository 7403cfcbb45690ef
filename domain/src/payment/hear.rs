//! Hears what the provider sends by itself.

use tracing::{info, instrument};

use super::settle::change;
use super::{Hint, PaymentId};
use crate::clock::Clock;
use crate::error::Result;
use crate::store::{Store, Tx, atomically};

/// Notes a hint whose signature was checked, and makes its payment due at once; answers which. The
/// message's contents are not believed: the provider is asked. A message heard before, or about
/// something that is not ours, changes nothing.
#[instrument(name = "payment.hear", skip_all)]
pub async fn hear(store: &dyn Store, clock: &dyn Clock, hint: Hint) -> Result<Option<PaymentId>> {
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        if !tx.add_payment_event(&hint.event_id, now).await? {
            return Ok(None);
        }
        let Some(id) = tx.hinted_payment(&hint).await? else {
            info!(event_id = hint.event_id, "an event is about no payment of ours");
            return Ok(None);
        };
        change(tx, id, now, |payment| {
            payment.check_at = Some(now);
            if payment.session_id.is_none() {
                payment.session_id.clone_from(&hint.session_id);
            }
            if payment.provider_payment_id.is_none() {
                payment.provider_payment_id.clone_from(&hint.provider_payment_id);
            }
        })
        .await?;
        Ok(Some(id))
    })
    .await
}
