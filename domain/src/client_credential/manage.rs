//! Makes and revokes the client credentials of a pool.

use serde_json::json;
use tracing::instrument;

use super::{ClientCredential, ClientCredentialId, ClientSecret, permissions};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Forbidden, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::pool::{PoolId, PoolRole, require, role_in, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Alias, Caller};

/// A pool has at most this many, so that a list of them has a bound.
const MOST: usize = 100;

/// Makes credentials for a pool that the caller owns or administers; their secret is in the answer and
/// nowhere else. They allow no more than the caller's own credentials do.
#[instrument(name = "client_credential.create", skip_all, fields(%pool_id))]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    caller: &Caller,
    (pool_id, alias): (PoolId, Alias),
) -> Result<(ClientCredential, ClientSecret)> {
    caller.may(Permission::CredentialsWrite)?;
    // They have no end and may be used from anywhere.
    let is_bound = !caller.ip_allow_list.is_empty() || caller.expires_at.is_some();
    if is_bound || !caller.permissions.cover(&permissions()) {
        return Err(Error::Forbidden(Forbidden::Escalation));
    }
    let now = clock.now();
    let secret = ClientSecret::generate(random);
    let credential = ClientCredential {
        id: ClientCredentialId::generate(now, random),
        pool_id,
        author: caller.user_id,
        alias,
        created_at: now,
        last_used_at: None,
        last_used_ip: None,
    };
    atomically(store, async |tx: &dyn Tx| {
        lock(tx, caller, pool_id).await?;
        if tx.client_credentials_of(pool_id).await?.len() >= MOST {
            let message = format!("the pool has {MOST} already; revoke one first");
            return Err(Error::invalid("/alias", message));
        }
        tx.add_client_credential(&credential, &secret.hash()).await?;
        tx.record(vec![event("pool.client_credential_created", &credential, caller.actor(), now)])
            .await
    })
    .await?;
    Ok((credential, secret))
}

/// The credentials of a pool that the caller owns or administers, newest first.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    pool_id: PoolId,
) -> Result<Vec<ClientCredential>> {
    caller.may(Permission::CredentialsRead)?;
    let reads = store.reads();
    let membership = reads.membership_of(pool_id, caller.user_id).await?;
    require(role_in(membership.as_ref())?, PoolRole::Admin)?;
    reads.client_credentials_of(pool_id).await
}

/// Revokes credentials; they, and the tokens got with them, stop working at once.
#[instrument(name = "client_credential.revoke", skip_all, fields(%id))]
pub async fn revoke(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    (pool_id, id): (PoolId, ClientCredentialId),
) -> Result<()> {
    caller.may(Permission::CredentialsWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        lock(tx, caller, pool_id).await?;
        let all = tx.client_credentials_of(pool_id).await?;
        let found = all.into_iter().find(|credential| credential.id == id);
        let credential = found.ok_or(Error::NotFound(Thing::ClientCredential))?;
        tx.delete_client_credential(id).await?;
        tx.record(vec![event("pool.client_credential_revoked", &credential, caller.actor(), now)])
            .await
    })
    .await
}

/// Locks the pool, which guards its credentials, for its owner or an admin.
async fn lock(tx: &dyn Tx, caller: &Caller, pool_id: PoolId) -> Result<()> {
    role_of(tx, pool_id, caller.user_id).await?;
    tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
    require(role_of(tx, pool_id, caller.user_id).await?, PoolRole::Admin)
}

fn event(kind: &'static str, credential: &ClientCredential, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Pool(credential.pool_id),
        actor,
        before: None,
        data: json!({ "client_id": credential.id, "alias": credential.alias.to_string() }),
        recipient: None,
        at,
    }
}
