//! What faults of drivers come to: a step is tried again, or given up.

use super::reconcile::answers;
use super::{DriverFault, FailureKind, Instance, InstanceId, Step};
use crate::error::{Error, Result, Thing};
use crate::job::JobContext;
use crate::store::{Store, Tx, atomically};

/// Why a step cannot be done.
pub(super) struct GaveUp {
    pub kind: FailureKind,
    /// For the owner.
    pub message: &'static str,
    /// The driver's words, which may name what only operators are to know.
    pub fault: Option<String>,
}

impl GaveUp {
    pub(super) fn late(seen: &Instance) -> Self {
        let fault = seen.driver_fault.clone();
        Self { kind: FailureKind::Error, message: "it took too long", fault }
    }

    pub(super) const fn of_a_disk() -> Self {
        let message = "what was on its disk is not there any more";
        Self { kind: FailureKind::Error, message, fault: None }
    }

    pub(super) const fn of_a_volume() -> Self {
        let message = "a volume could not be made";
        Self { kind: FailureKind::Error, message, fault: None }
    }
}

/// What a fault of the driver comes to: the job fails and is tried again, or the step is given up.
pub(super) async fn failed(
    context: JobContext<'_>,
    seen: &Instance,
    step: Step,
    fault: DriverFault,
) -> Result<GaveUp> {
    let advances = matches!(step, Step::Make | Step::Start | Step::Await);
    match fault {
        DriverFault::Refused(fault) if advances => {
            let (kind, message) = (FailureKind::Error, "its host refused to make it");
            Ok(GaveUp { kind, message, fault: Some(fault) })
        }
        // Whoever waits for a unit is told at once, and an operator what is wrong with it.
        DriverFault::Failed(fault) if advances && seen.is_unready_unit() => {
            let (kind, message) = if answers(context, seen.host_id).await? {
                (FailureKind::Error, "its host failed")
            } else {
                (FailureKind::Unreachable, "its host does not answer")
            };
            Ok(GaveUp { kind, message, fault: Some(fault) })
        }
        DriverFault::NoRoom(fault) if advances => {
            let (kind, message) = (FailureKind::NoCapacity, "its host has no room");
            Ok(GaveUp { kind, message, fault: Some(fault) })
        }
        DriverFault::Failed(cause) | DriverFault::Refused(cause) | DriverFault::NoRoom(cause) => {
            note(context.store, seen.id, &cause).await?;
            Err(Error::internal(cause))
        }
    }
}

/// Notes what keeps it from going on, for the owner and for operators.
async fn note(store: &dyn Store, id: InstanceId, fault: &str) -> Result<()> {
    let driver_fault = Some(short(fault));
    atomically(store, async |tx: &dyn Tx| {
        let instance = tx.instance_for_update(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
        if instance.driver_fault == driver_fault {
            return Ok(());
        }
        let last_error = Some("its host failed; it is tried again".to_owned());
        let driver_fault = driver_fault.clone();
        tx.save_instance(&Instance { last_error, driver_fault, ..instance }).await
    })
    .await
}

pub(super) fn short(fault: &str) -> String {
    fault.chars().take(500).collect()
}
