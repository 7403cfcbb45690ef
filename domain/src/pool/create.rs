//! Makes a pool.

use serde_json::json;
use tracing::instrument;

use super::{Pool, PoolDescription, PoolId, PoolName, PoolSettings};
use crate::clock::{Clock, Random};
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// A user is in at most this many pools of their own, so that the list of them has a bound.
const MAX_POOLS: u64 = 1_000;

/// A wish for a pool.
#[derive(Clone, Debug)]
pub struct CreatePool {
    /// Who asks, and will own it.
    pub caller: Caller,
    /// Its name.
    pub name: PoolName,
    /// What it is for.
    pub description: Option<PoolDescription>,
    /// What to keep with it.
    pub settings: PoolSettings,
}

/// Makes a pool with the caller as its owner.
#[instrument(name = "pool.create", skip_all)]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: CreatePool,
) -> Result<Pool> {
    request.caller.may(Permission::PoolsWrite)?;
    let now = clock.now();
    let owner_id = request.caller.user_id;
    let pool = Pool {
        id: PoolId::generate(now, random),
        owner_id,
        name: request.name,
        description: request.description,
        is_default: false,
        settings: request.settings,
        created_at: now,
        updated_at: now,
    };
    atomically(store, async |tx: &dyn Tx| {
        tx.user_for_update(owner_id).await?.ok_or(Error::NotFound(Thing::User))?;
        if tx.pool_count(owner_id).await? >= MAX_POOLS {
            let message =
                format!("you are in {MAX_POOLS} pools already; delete or leave one first");
            return Err(Error::invalid("/name", message));
        }
        tx.add_pool(&pool).await?;
        tx.record(vec![Event {
            kind: "pool.created",
            subject: Subject::Pool(pool.id),
            actor: request.caller.actor(),
            before: None,
            recipient: None,
            data: json!({ "name": pool.name }),
            at: now,
        }])
        .await
    })
    .await?;
    Ok(pool)
}
