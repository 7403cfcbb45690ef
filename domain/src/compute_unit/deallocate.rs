//! Gives a compute unit back.

use tracing::instrument;

use super::retry::retry_unit;
use super::{UnitState, is_unit_name};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result, Thing};
use crate::instance::{self, Act, Action, Disposal, InstancePolicy};
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Caller, Operator, Role};

/// Gives back the unit of this name: what runs in it is ended and its data wiped by a job. An operator gives
/// back anybody's, and one that could not be allocated. One that is going already goes on, at once.
#[instrument(name = "compute_unit.deallocate", skip_all, fields(name))]
pub async fn deallocate(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (policy, caller): (&InstancePolicy, &Caller),
    name: &str,
) -> Result<()> {
    caller.may(Permission::InstancesWrite)?;
    let missing = || Error::NotFound(Thing::ComputeUnit);
    let reads = store.reads();
    let named = if is_unit_name(name) { reads.compute_unit_named(name).await? } else { None };
    let unit = named.ok_or_else(missing)?;
    let operator = sees_all(caller, Permission::AdminWrite);
    let Some(instance_id) = unit.holder() else {
        return match (&unit.state, operator) {
            (UnitState::Failed { .. }, Some(operator)) => {
                retry_unit(store, clock, random, &operator, name).await
            }
            _ => Err(Error::Conflict(Conflict::UnitNotAllocated)),
        };
    };
    if reads.instance_visible_to(caller.viewer(), instance_id).await?.is_some() {
        let action = Action::Delete(Disposal { volume_ids: None, permanently: true });
        let request = Act { caller: caller.clone(), action };
        let done = instance::act(store, clock, random, (policy, &request), instance_id).await;
        done.map_err(|error| match error {
            // It went between the two looks.
            Error::NotFound(Thing::Instance) => missing(),
            other => other,
        })?;
    } else {
        let operator = operator.ok_or_else(missing)?;
        instance::take_down(store, clock, random, &operator, instance_id).await?;
    }
    let job = Job::new(JobKind::AlignInstance { instance_id }, clock.now(), random);
    atomically(store, async |tx: &dyn Tx| tx.hasten(&job).await).await
}

/// The operator that a caller is who reaches everybody's things by these credentials.
pub(super) fn sees_all(caller: &Caller, permission: Permission) -> Option<Operator> {
    let is_whole = caller.pool_id.is_none() && caller.permissions.allow(permission);
    let operator = caller.role == Role::Operator && is_whole;
    operator.then(|| Operator::Account(caller.clone()))
}
