//! Asks about payments of which nothing was heard.

use tracing::{error, instrument, warn};

use super::{PaymentContext, PaymentState, settle};
use crate::error::{Error, Result};

/// Payments looked up at a time.
const BATCH: u32 = 200;

/// Settles every payment that is due, and answers how many of them are paid. Safe to run twice, at
/// once, and after any pause. A provider that does not answer ends the sweep.
#[instrument(name = "payment.settle_due", skip_all)]
pub async fn settle_due(context: PaymentContext<'_>) -> Result<u32> {
    let mut paid = 0;
    loop {
        let due = context.store.reads().due_payments(context.clock.now(), BATCH).await?;
        let mut settled = 0;
        for id in &due {
            match settle(context, *id).await {
                Ok(payment) => {
                    settled += 1;
                    paid += u32::from(payment.state == PaymentState::Paid);
                }
                Err(Error::Busy) => {}
                Err(error @ Error::PaymentProvider(_)) => {
                    warn!(payment_id = %id, cause = error.for_the_log(), "a payment was not settled");
                    // It is due later now, so the sweep gets on.
                    settled += 1;
                }
                // A row that cannot be read must not keep all the others from being settled.
                Err(error @ Error::Internal(_)) => {
                    error!(payment_id = %id, cause = error.for_the_log(), "a payment was not settled");
                }
                Err(error) => return Err(error),
            }
        }
        if settled == 0 {
            return Ok(paid);
        }
    }
}
