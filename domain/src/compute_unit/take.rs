//! Takes a free unit, and gives it back.

use super::{ComputeUnit, UnitState, UnitWish};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result};
use crate::instance::{FailureKind, Instance, Phase};
use crate::job::{Job, JobKind};
use crate::store::Tx;

/// Units that are waited for, one after the other, and turned out to be taken by then.
const ROUNDS: u32 = 1_024;

/// A free unit, locked: first one that nobody else holds at this moment, then by waiting for those who do, so
/// that neither two get the same nor one is refused while there is one. `None` says that there is none.
pub(super) async fn take(tx: &dyn Tx, wish: &UnitWish) -> Result<Option<ComputeUnit>> {
    for _ in 0..ROUNDS {
        if let Some(unit) = tx.free_unit_for_update(wish).await? {
            return Ok(Some(unit));
        }
        let Some(id) = tx.free_unit(wish).await? else { return Ok(None) };
        let unit = tx.unit_for_update(id).await?;
        if let Some(unit) = unit.filter(|unit| unit.state == UnitState::Free) {
            return Ok(Some(unit));
        }
    }
    Err(Error::Busy)
}

/// The unit of an instance that is gone is free. Of one that could not be made, or that its host lost, only an
/// operator knows what is there; where only the host did not answer, it is made whole first. `before` is what the
/// instance was last.
pub(crate) async fn vacate(
    tx: &dyn Tx,
    random: &dyn Random,
    (instance, before): (&Instance, &Phase),
    now: Timestamp,
) -> Result<()> {
    if !instance.terms.is_of_a_unit() {
        return Ok(());
    }
    let failure = match (before, &instance.phase) {
        (Phase::Undoing { failure }, _) | (_, Phase::Failed { failure, .. }) => Some(failure),
        _ => None,
    };
    let state = match failure {
        None => UnitState::Free,
        Some(failure) if failure.kind == FailureKind::Unreachable => {
            let kind = JobKind::AlignComputeHost { host_id: instance.host_id };
            tx.schedule(&Job::new(kind, now, random)).await?;
            UnitState::Planned
        }
        Some(failure) => {
            let words = instance.driver_fault.as_ref().unwrap_or(&failure.message);
            UnitState::Failed { reason: words.clone() }
        }
    };
    tx.vacate_unit(instance.id, &state, now).await
}
