//! Adds an SSH key to a pool.

use tracing::instrument;

use super::{PublicKey, SshKey, SshKeyId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result};
use crate::number::Numbered;
use crate::pool::{Duplicates, Label, PoolId, home_for_update};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

const MOST: u64 = 1_000;

/// A key to be added.
#[derive(Clone, Debug)]
pub struct AddSshKey {
    /// Who asks: a member of the pool.
    pub caller: Caller,
    /// To which pool; the caller's default one if none is named.
    pub pool_id: Option<PoolId>,
    /// Its name.
    pub name: Label,
    /// The key.
    pub public_key: PublicKey,
    /// What of one that the pool has already.
    pub duplicates: Duplicates,
}

/// Adds a key to a pool, which holds at most 1,000, and each text once unless more are allowed; answers
/// it with its whole number.
#[instrument(name = "ssh_key.add", skip_all)]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: AddSshKey,
) -> Result<(SshKey, i64)> {
    let AddSshKey { caller, pool_id, name, public_key, duplicates } = request;
    caller.may(Permission::KeysWrite)?;
    let now = clock.now();
    let id = SshKeyId::generate(now, random);
    atomically(store, async |tx: &dyn Tx| {
        let pool_id = home_for_update(tx, pool_id, &caller).await?;
        let is_refused = duplicates == Duplicates::Refused;
        if is_refused && tx.ssh_key_saying(pool_id, &public_key.digest()).await?.is_some() {
            return Err(Error::Conflict(Conflict::SshKeyExists));
        }
        add_to(tx, &caller, (pool_id, (&name, &public_key)), (id, now)).await
    })
    .await
}

/// Adds a key to a locked pool, whoever's text it has.
pub(crate) async fn add_to(
    tx: &dyn Tx,
    caller: &Caller,
    (pool_id, (name, public_key)): (PoolId, (&Label, &PublicKey)),
    (id, now): (SshKeyId, Timestamp),
) -> Result<(SshKey, i64)> {
    if tx.ssh_key_count(pool_id).await? >= MOST {
        return Err(Error::Conflict(Conflict::SshKeyLimit { most: MOST }));
    }
    let key = SshKey {
        id,
        pool_id,
        name: name.to_string(),
        public_key: public_key.as_str().to_owned(),
        fingerprint: public_key.fingerprint().to_owned(),
        author: Some(caller.user_id),
        created_at: now,
    };
    tx.add_ssh_key(&key).await?;
    let number = tx.give_number(Numbered::SshKey, id.uuid()).await?;
    tx.record(vec![key.added(caller.actor())]).await?;
    Ok((key, number))
}
