//! The book of log-ins, in the database.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::error;

use super::host_login::event;
use super::identity::context;
use super::{HostKey, HostLogin, JournalEntryId, KeyVerdict, Login, LoginBook, Outcome, Step};
use crate::clock::{Clock, Random};
use crate::error::{Error, Result, Thing};
use crate::event::Actor;
use crate::host::HostId;
use crate::store::Store;
use crate::vault::Vault;

/// What drivers ask for and note, kept in the database.
pub struct KeptLogins {
    /// The database.
    pub store: Arc<dyn Store>,
    /// What opens the operator's keys.
    pub vault: Arc<dyn Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

impl KeptLogins {
    /// Compares a key with that of the host, and notes what is new about it.
    async fn compared(&self, host_id: HostId, key: &HostKey) -> Result<KeyVerdict> {
        let now = self.clock.now();
        let tx = self.store.begin().await?;
        let login = tx.login_for_update(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let (login, verdict, kind) = match login.host_key.clone() {
            Some(known) if known == *key => return Ok(KeyVerdict::Known),
            // Told once for each key, however often it is tried.
            Some(known) if login.shown_key.as_ref() == Some(key) => {
                return Ok(KeyVerdict::Changed { known });
            }
            Some(known) => {
                error!(%host_id, known = known.fingerprint(), shown = key.fingerprint(),
                    "a host shows another key; nothing is done there before an operator accepts it");
                let login = HostLogin { shown_key: Some(key.clone()), updated_at: now, ..login };
                (login, KeyVerdict::Changed { known }, "host.key_changed")
            }
            None => {
                let login = HostLogin { host_key: Some(key.clone()), updated_at: now, ..login };
                (login, KeyVerdict::Known, "host.key_pinned")
            }
        };
        tx.save_login(&login).await?;
        tx.record(vec![event(kind, &login, (Actor::System, now))]).await?;
        tx.commit().await?;
        Ok(verdict)
    }
}

#[async_trait]
impl LoginBook for KeptLogins {
    async fn login(&self, host_id: HostId) -> Result<Login> {
        let reads = self.store.reads();
        let login = reads.login(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let identity = reads.identity(&login.identity).await?;
        let identity = identity.ok_or_else(|| {
            let name = &login.identity;
            Error::internal(format!("there is no SSH identity `{name}`; make it first"))
        })?;
        let private_key = self.vault.open(&identity.private_key, &context(&identity.name))?;
        let HostLogin { address, port, username, host_key, .. } = login;
        Ok(Login { address, port, username, private_key, host_key })
    }

    async fn key_shown(&self, host_id: HostId, key: &HostKey) -> Result<KeyVerdict> {
        let seen = self.store.reads().login(host_id).await?;
        let seen = seen.ok_or(Error::NotFound(Thing::Server))?;
        if seen.host_key.as_ref() == Some(key) {
            return Ok(KeyVerdict::Known);
        }
        match self.compared(host_id, key).await {
            // Another connection to the host wrote at the same moment.
            Err(Error::Contention) => self.compared(host_id, key).await,
            outcome => outcome,
        }
    }

    async fn begun(&self, step: &Step) -> Result<JournalEntryId> {
        let now = self.clock.now();
        let id = JournalEntryId::generate(now, self.random.as_ref());
        let tx = self.store.begin().await?;
        tx.add_journal_entry(id, step, now).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn ended(&self, id: JournalEntryId, outcome: &Outcome) -> Result<()> {
        let tx = self.store.begin().await?;
        tx.end_journal_entry(id, outcome, self.clock.now()).await?;
        tx.commit().await
    }
}
