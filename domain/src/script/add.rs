//! Adds a script to a pool.

use tracing::instrument;

use super::{Content, Script, ScriptId};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::pool::{Label, PoolId, home_for_update};
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
}

/// Adds a script to a pool, which holds at most 1,000 and each content once.
#[instrument(name = "script.add", skip_all)]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: AddScript,
) -> Result<Script> {
    let AddScript { caller, pool_id, name, content } = request;
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
        tx.add_script(&script).await?;
        tx.record(vec![script.added(caller.actor())]).await?;
        Ok(script)
    })
    .await
}
