//! Whole numbers as names, for surfaces whose clients know no other ids.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::host::HostId;
use crate::store::{Store, Tx, atomically};

/// What has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numbered {
    /// What is sold of a host by the graphics processor; its id is the host's.
    GpuOffer,
    /// A host.
    Host,
    /// An image.
    Image,
    /// An instance.
    Instance,
    /// What was paid in.
    Payment,
    /// A stretch of time that something ran at one price.
    Meter,
    /// A plan at a location where it is sold.
    Sale,
    /// An SSH key.
    SshKey,
    /// A template.
    Template,
    /// Software.
    Software,
    /// What was installed on an instance.
    Install,
}

impl Numbered {
    /// The word in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GpuOffer => "gpu_offer",
            Self::Host => "host",
            Self::Image => "image",
            Self::Instance => "instance",
            Self::Payment => "payment",
            Self::Meter => "meter",
            Self::Sale => "sale",
            Self::SshKey => "ssh_key",
            Self::Template => "template",
            Self::Software => "software",
            Self::Install => "install",
        }
    }
}

/// Looks up numbers.
#[async_trait]
pub trait NumberQueries {
    /// The number of each of these that has one.
    async fn numbers(&self, kind: Numbered, ids: &[Uuid]) -> Result<BTreeMap<Uuid, i64>>;

    /// What has this number, if it is of this kind.
    async fn numbered(&self, kind: Numbered, number: i64) -> Result<Option<Uuid>>;
}

/// Gives numbers.
#[async_trait]
pub trait Numbers {
    /// Gives something new its number, which nothing else ever has or gets.
    async fn give_number(&self, kind: Numbered, id: Uuid) -> Result<i64>;

    /// Gives each of these its number, if it has none yet.
    async fn give_numbers(&self, kind: Numbered, ids: &[Uuid]) -> Result<()>;
}

/// The numbers of these, each given when it is first asked for: what no client of numbers ever sees needs
/// none.
pub async fn of(store: &dyn Store, kind: Numbered, ids: &[Uuid]) -> Result<BTreeMap<Uuid, i64>> {
    let found = store.reads().numbers(kind, ids).await?;
    let mut missing: Vec<Uuid> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    // Ids begin with their time: the older one gets the smaller number.
    missing.sort_unstable();
    missing.dedup();
    atomically(store, async |tx: &dyn Tx| tx.give_numbers(kind, &missing).await).await?;
    store.reads().numbers(kind, ids).await
}

/// The same in the order of the ids.
pub async fn each(store: &dyn Store, kind: Numbered, ids: &[Uuid]) -> Result<Vec<i64>> {
    let numbers = of(store, kind, ids).await?;
    let number =
        |id| numbers.get(id).copied().ok_or_else(|| Error::internal("no number was given"));
    ids.iter().map(number).collect()
}

/// The numbers of these hosts.
pub async fn of_hosts(
    store: &dyn Store,
    hosts: &BTreeSet<HostId>,
) -> Result<BTreeMap<HostId, i64>> {
    let ids: Vec<Uuid> = hosts.iter().map(|host_id| host_id.uuid()).collect();
    let numbers = of(store, Numbered::Host, &ids).await?;
    Ok(numbers.into_iter().map(|(id, number)| (HostId::from_uuid(id), number)).collect())
}
