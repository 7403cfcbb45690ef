//! Adds a script to a pool.

use tracing::instrument;

use super::{Content, Script, ScriptId};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::pool::{Duplicates, Label, PoolId, home_for_update};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

const MOST: u64 = 1_000;

/// A script to be added.
#[derive(Clone, Debug)]
pub struct AddScript {
    /// Who asks: a member of the pool.
    pub caller: Caller,
    /// To which pool; the caller's default one if none is named.
    pub pool_id: Option<PoolId>,
    /// Its name.
    pub name: Label,
    /// The script.
    pub content: Content,
    /// What of one that the pool has already.
    pub duplicates: Duplicates,
}

/// Adds a script to a pool, which holds at most 1,000, and each content once unless more are allowed.
#[instrument(name = "script.add", skip_all)]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: AddScript,
) -> Result<Script> {
    let AddScript { caller, pool_id, name, content, duplicates } = request;
    caller.may(Permission::ScriptsWrite)?;
    let now = clock.now();
    let id = ScriptId::generate(now, random);
    atomically(store, async |tx: &dyn Tx| {
        let pool_id = home_for_update(tx, pool_id, &caller).await?;
        if tx.script_count(pool_id).await? >= MOST {
            return Err(Error::Conflict(Conflict::ScriptLimit { most: MOST }));
        }
        let script = Script {
            id,
            pool_id,
            name: name.to_string(),
            content: content.as_str().to_owned(),
            author: Some(caller.user_id),
            created_at: now,
        };
        if duplicates == Duplicates::Refused && tx.has_script(pool_id, &script.digest()).await? {
            return Err(Error::Conflict(Conflict::ScriptExists));
        }
        tx.add_script(&script).await?;
        tx.record(vec![script.added(caller.actor())]).await?;
        Ok(script)
    })
    .await
}
