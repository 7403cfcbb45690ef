//! The operator's own keys, with which hosts are logged in to.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use tracing::instrument;

use crate::clock::{Clock, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::id::{digest, entity_id};
use crate::store::{Store, Tx, atomically};
use crate::text::code;
use crate::token::Permission;
use crate::user::Operator;
use crate::vault::{Sealed, Vault};

code!(
    /// The name of one of the operator's keys.
    IdentityName
);

entity_id!(
    /// Names one of the operator's keys in events; everywhere else its name does.
    IdentityId
);

impl IdentityId {
    /// The id that goes with a name.
    pub fn of(name: &IdentityName) -> Self {
        Self(digest(&context(name)))
    }
}

/// One of the operator's keys.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name.
    pub name: IdentityName,
    /// Its public half in one line, for the hosts.
    pub public_key: String,
    /// Its private half in OpenSSH's format.
    pub private_key: Sealed,
    /// When it was made or brought.
    pub created_at: Timestamp,
}

/// Makes and reads keys.
pub trait KeyPairs: Send + Sync {
    /// A new one: its private half in OpenSSH's format, and its public half in one line.
    fn generate(&self) -> Result<(SecretString, String)>;

    /// The public half of a private one, in one line; else what is wrong with it.
    fn public_half(&self, private_key: &SecretString) -> Result<String, String>;
}

/// What keys are made, read and sealed with.
#[derive(Clone)]
pub struct KeyMeans {
    /// What makes and reads them.
    pub pairs: Arc<dyn KeyPairs>,
    /// What seals them.
    pub vault: Arc<dyn Vault>,
}

/// What a sealed private key is of.
pub(super) fn context(name: &IdentityName) -> String {
    format!("ssh identity {name}")
}

/// Makes a key of this name, or puts another one in its place: the one that was brought, else a new one. Hosts
/// must know its public half before they are logged in to again.
#[instrument(name = "remote.put_identity", skip_all, fields(%name))]
pub async fn put_identity(
    store: &dyn Store,
    clock: &dyn Clock,
    means: &KeyMeans,
    operator: &Operator,
    (name, brought): (&IdentityName, Option<&SecretString>),
) -> Result<Identity> {
    operator.may(Permission::AdminWrite)?;
    let (private_key, public_key) = match brought {
        None => means.pairs.generate()?,
        Some(brought) => {
            let public = means.pairs.public_half(brought);
            let public = public.map_err(|advice| Error::invalid("/private_key", advice))?;
            (brought.clone(), public)
        }
    };
    let now = clock.now();
    let identity = Identity {
        name: name.clone(),
        public_key,
        private_key: means.vault.seal(&private_key, &context(name))?,
        created_at: now,
    };
    atomically(store, async |tx: &dyn Tx| {
        tx.save_identity(&identity).await?;
        tx.record(vec![event("ssh_identity.changed", operator, &identity.name, now)]).await
    })
    .await?;
    Ok(identity)
}

/// The operator's keys, by name.
pub async fn identities(store: &dyn Store, operator: &Operator) -> Result<Vec<Identity>> {
    operator.may(Permission::AdminRead)?;
    store.reads().identities().await
}

/// Forgets a key; refused while a host is logged in to with it.
#[instrument(name = "remote.delete_identity", skip_all, fields(%name))]
pub async fn delete_identity(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    name: &IdentityName,
) -> Result<()> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        tx.identity_for_update(name).await?.ok_or(Error::NotFound(Thing::SshIdentity))?;
        if tx.logins_with(name).await? > 0 {
            return Err(Error::Conflict(Conflict::IdentityInUse));
        }
        tx.delete_identity(name).await?;
        tx.record(vec![event("ssh_identity.deleted", operator, name, now)]).await
    })
    .await
}

fn event(kind: &'static str, operator: &Operator, name: &IdentityName, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::SshIdentity(IdentityId::of(name)),
        actor: operator.actor(),
        before: None,
        data: json!({ "identity": name }),
        recipient: None,
        at,
    }
}
