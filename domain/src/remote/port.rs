use async_trait::async_trait;

use super::{HostLogin, Identity, IdentityName, JournalEntry, JournalEntryId, Outcome, Step};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::page::Page;

/// Looks at how hosts are logged in to, and at what was done there.
#[async_trait]
pub trait RemoteQueries {
    /// How a host is logged in to.
    async fn login(&self, host_id: HostId) -> Result<Option<HostLogin>>;

    /// How many hosts are logged in to with a key.
    async fn logins_with(&self, identity: &IdentityName) -> Result<u64>;

    /// One of the operator's keys.
    async fn identity(&self, name: &IdentityName) -> Result<Option<Identity>>;

    /// The operator's keys, by name.
    async fn identities(&self) -> Result<Vec<Identity>>;

    /// What was done on a host, newest first: all of it, or what one subject is about.
    async fn journal(
        &self,
        host_id: HostId,
        subject: Option<&str>,
        page: &Page<JournalEntryId>,
    ) -> Result<Vec<JournalEntry>>;
}

/// Changes that.
#[async_trait]
pub trait Remotes {
    /// How a host is logged in to, locked until the transaction ends.
    async fn login_for_update(&self, host_id: HostId) -> Result<Option<HostLogin>>;

    /// Adds how a host is logged in to, or stores it for a locked one.
    async fn save_login(&self, login: &HostLogin) -> Result<()>;

    /// One of the operator's keys, locked until the transaction ends.
    async fn identity_for_update(&self, name: &IdentityName) -> Result<Option<Identity>>;

    /// Adds a key, or puts it in place of the one of its name.
    async fn save_identity(&self, identity: &Identity) -> Result<()>;

    /// Forgets a key.
    async fn delete_identity(&self, name: &IdentityName) -> Result<()>;

    /// Notes that a step was begun.
    async fn add_journal_entry(
        &self,
        id: JournalEntryId,
        step: &Step,
        now: Timestamp,
    ) -> Result<()>;

    /// Notes how it went.
    async fn end_journal_entry(
        &self,
        id: JournalEntryId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<()>;

    /// Forgets what was begun before an instant; answers how much.
    async fn forget_journal(&self, before: Timestamp) -> Result<u64>;
}
