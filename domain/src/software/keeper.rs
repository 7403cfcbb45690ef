//! Who keeps software.

use super::{Scripts, Software, SoftwareId, SoftwareKey, SoftwareScope};
use crate::error::{Error, Result, Thing};
use crate::event::Actor;
use crate::pool::{PoolId, PoolRole, home_for_update, require, role_of};
use crate::store::Tx;
use crate::token::Permission;
use crate::user::{Caller, Operator};

/// Who adds, changes and deletes software: an owner or admin of the pool that it is of, or the operator what
/// is for everybody.
#[derive(Clone, Debug)]
pub enum Keeper {
    /// Somebody of a pool.
    Member(Caller),
    /// An operator.
    Operator(Operator),
}

impl Keeper {
    pub(super) fn permit(&self) -> Result<()> {
        match self {
            Self::Member(caller) => caller.may(Permission::TemplatesWrite),
            Self::Operator(operator) => operator.may(Permission::AdminWrite).map(|_| ()),
        }
    }

    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Member(caller) => caller.actor(),
            Self::Operator(operator) => operator.actor(),
        }
    }

    /// The pool that something is added to, locked; `None` is the operator's.
    pub(super) async fn home(&self, tx: &dyn Tx, named: Option<PoolId>) -> Result<Option<PoolId>> {
        let Self::Member(caller) = self else { return Ok(None) };
        let id = home_for_update(tx, named, caller).await?;
        require(role_of(tx, id, caller.user_id).await?, PoolRole::Admin)?;
        Ok(Some(id))
    }

    /// What is to be changed or deleted, locked: its pool, or itself if it is the operator's.
    pub(super) async fn taken_for_update(
        &self,
        tx: &dyn Tx,
        id: SoftwareId,
    ) -> Result<(Software, Scripts)> {
        let missing = || Error::NotFound(Thing::Software);
        let Self::Member(caller) = self else {
            return tx.global_software_for_update(id).await?.ok_or_else(missing);
        };
        let (scope, key) = (SoftwareScope::Own(caller.viewer(), None), SoftwareKey::Id(id));
        let (seen, _) = tx.software(scope, key).await?.ok_or_else(missing)?;
        let pool_id = seen.pool_id.ok_or_else(missing)?;
        tx.pool_for_update(pool_id).await?.ok_or_else(missing)?;
        // Again, now that nobody else changes what this pool has.
        let taken = tx.software(scope, key).await?.ok_or_else(missing)?;
        require(role_of(tx, pool_id, caller.user_id).await?, PoolRole::Admin)?;
        Ok(taken)
    }
}
