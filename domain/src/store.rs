//! The unit of work. A use case reads and writes through one [`Tx`]; whatever it wrote becomes
//! visible at once by its commit, or not at all.

use async_trait::async_trait;

use crate::capacity::{Capacities, CapacityQueries};
use crate::client_credential::{ClientCredentialQueries, ClientCredentials};
use crate::cluster::{ClusterQueries, Clusters};
use crate::compute_unit::{ComputeUnitQueries, ComputeUnits};
use crate::error::{Error, Result};
use crate::event::{EventQueries, Events};
use crate::gpu_offer::{GpuOfferQueries, GpuOffers};
use crate::host::{Catalogue, HostQueries, Hosts};
use crate::idempotency::Idempotency;
use crate::image::{ImageQueries, Images};
use crate::install::{InstallQueries, Installs};
use crate::instance::{InstanceQueries, Instances};
use crate::job::{JobQueries, Jobs};
use crate::location::{LocationQueries, Locations};
use crate::meter::{MeterQueries, Meters};
use crate::number::{NumberQueries, Numbers};
use crate::outage::{OutageQueries, Outages};
use crate::payment::{PaymentQueries, Payments};
use crate::plan::{PlanQueries, Plans};
use crate::pool::{PoolQueries, Pools};
use crate::quote::{QuoteQueries, Quotes};
use crate::rate_limit::RequestCounts;
use crate::remote::{RemoteQueries, Remotes};
use crate::rental::{RentalQueries, Rentals};
use crate::script::{ScriptQueries, Scripts};
use crate::session::{SessionQueries, Sessions};
use crate::software::{SoftwareQueries, SoftwareRecords};
use crate::ssh_key::{SshKeyQueries, SshKeys};
use crate::supplier::{SupplierQueries, Suppliers};
use crate::template::{TemplateQueries, Templates};
use crate::token::{ApiTokenQueries, ApiTokens};
use crate::user::{UserQueries, Users};
use crate::volume::{VolumeQueries, Volumes};
use crate::wallet::{LedgerQueries, WalletQueries, Wallets};

/// Everything that can be asked without a transaction.
pub trait Reads:
    UserQueries
    + SessionQueries
    + ApiTokenQueries
    + ClientCredentialQueries
    + PoolQueries
    + HostQueries
    + Catalogue
    + RentalQueries
    + RemoteQueries
    + WalletQueries
    + LedgerQueries
    + QuoteQueries
    + OutageQueries
    + SupplierQueries
    + PaymentQueries
    + LocationQueries
    + PlanQueries
    + ImageQueries
    + SshKeyQueries
    + ScriptQueries
    + TemplateQueries
    + SoftwareQueries
    + CapacityQueries
    + GpuOfferQueries
    + InstanceQueries
    + InstallQueries
    + VolumeQueries
    + ClusterQueries
    + ComputeUnitQueries
    + MeterQueries
    + JobQueries
    + EventQueries
    + NumberQueries
    + Send
    + Sync
{
}

/// One transaction: dropped means rolled back.
///
/// Locks are taken in one order, ids sorted within a kind: idempotency key → user/wallet →
/// supplier → pool → SSH keys, scripts, templates and software → a host of compute units → its units → host → capacity → storage → rental →
/// mandate → instance → volume → install; payment last. Meters and clusters are guarded by their payer's
/// wallet. A location, an image or an operator's template or software is changed with nothing else locked, and
/// a plan after the pools that it is for. Nobody waits for a driver, HTTP or mail while holding one.
#[async_trait]
pub trait Tx:
    Reads
    + Users
    + Sessions
    + ApiTokens
    + ClientCredentials
    + Pools
    + Hosts
    + Rentals
    + Remotes
    + Wallets
    + Quotes
    + Outages
    + Suppliers
    + Payments
    + Locations
    + Plans
    + Images
    + SshKeys
    + Scripts
    + Templates
    + SoftwareRecords
    + Capacities
    + GpuOffers
    + Instances
    + Installs
    + Volumes
    + Clusters
    + ComputeUnits
    + Meters
    + Jobs
    + Events
    + Numbers
    + Idempotency
    + RequestCounts
{
    /// Makes everything written durable, then visible. An error means that nothing may be assumed:
    /// a lost answer may have committed.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// The database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Starts a transaction. On SQLite it waits its turn behind the other writers; a wait past the
    /// deadline is [`Error::Busy`].
    async fn begin(&self) -> Result<Box<dyn Tx>>;

    /// Reads without a transaction; each statement sees what was committed before it.
    fn reads(&self) -> &dyn Reads;

    /// Reads that all see the database as it was at one moment. It holds resources until it is
    /// dropped: for checks, not for requests.
    async fn snapshot(&self) -> Result<Box<dyn Reads>>;

    /// Whether the database answers and its schema is the one this program was built for.
    async fn ready(&self) -> Result<()>;

    /// Closes the connections when what runs on them is finished. Nothing can be asked afterwards.
    async fn close(&self);
}

const ATTEMPTS: u32 = 5;

/// Runs `work` in a transaction and commits it, or rolls it back on an error. A transaction that
/// the database gave up for another one (deadlock, serialization) runs again from its start, so
/// `work` may do nothing that a rollback does not undo.
pub async fn atomically<T>(
    store: &dyn Store,
    work: impl AsyncFn(&dyn Tx) -> Result<T>,
) -> Result<T> {
    let mut attempt = 1;
    loop {
        let tx = store.begin().await?;
        let outcome = match work(tx.as_ref()).await {
            Ok(value) => tx.commit().await.map(|()| value),
            Err(error) => Err(error),
        };
        match outcome {
            Err(Error::Contention) if attempt < ATTEMPTS => attempt += 1,
            Err(Error::Contention) => return Err(Error::Busy),
            outcome => return outcome,
        }
    }
}
