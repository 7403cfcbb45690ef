//! Instances: what runs on a host for somebody.
//!
//! What the owner *wants* is changed by requests; what *is* (the [`Phase`]) is changed only here, after
//! a driver has answered. One job an instance brings them together, step by step, however often it is
//! repeated and wherever it was cut off.

mod act;
mod align;
mod carry;
mod charge;
mod create;
mod driver;
mod edit;
mod evict;
mod finding;
mod giving_up;
mod migrate;
mod paid;
mod password;
mod pay;
mod port;
mod recipe;
mod reconcile;
mod remake;
mod renew;
mod show;
mod sources;
mod start;
mod state;
mod stop;
mod term;
mod terms;
mod transfer;
mod wish;

pub use act::{Act, Action, Disposal, Outcome, act, act_on_all};
pub(crate) use align::give_up;
pub use align::{align, realign};
pub(crate) use charge::charge_stopped;
pub use create::{InstancePolicy, create, create_several};
pub(crate) use create::{Order, event, order, require_funds, require_quota, type_named};
pub use driver::{
    Copying, Disk, Driven, DriverFault, DriverKind, InstanceDriver, InstanceSpec, Inventory,
    JUPYTER_PORT, JUPYTER_TOKEN, Load, Mount, PublishedPort, Pull, RegistryLogin, SSH_PORT,
    Sighting, Site, Task, TaskState,
};
pub use edit::{EditInstance, edit};
pub(crate) use evict::make_room;
pub use evict::{evict, evict_due};
pub use finding::{Finding, FindingId, FindingKind, findings, remove_orphan};
pub use migrate::{Migrate, Migration, MigrationCost, Move, migrate, migration_cost};
pub use paid::{PaidTime, Unused};
pub use password::PasswordWish;
pub use port::{HostedFilter, InstanceFilter, InstanceQueries, Instances};
pub(crate) use reconcile::lost;
pub use reconcile::reconcile;
pub use renew::renew_due;
pub use show::{
    Charges, InstanceDetail, all, charges, detail, details, having, history, jupyter_token,
    largest_disk, list, load, logs, numbered, part, password, show,
};
pub(crate) use sources::{Sources, sources};
pub(crate) use state::Step;
pub use state::{Failure, FailureKind, Phase, Stage, Status, Wanted};
pub use stop::take_down;
pub(crate) use stop::{delete_unpaid, fail_cluster, stop_unpaid};
pub use term::{Renewal, Term};
pub use terms::{Hostname, InstanceTerms, Offered, Origin, SourceImage, SourceTemplate};
pub use transfer::transfer;
pub use wish::{Boot, CreateInstance, Keys, Offering, Prepaid, VolumeWish};
pub(crate) use wish::{asked, checked};

use std::net::IpAddr;

use secrecy::SecretString;

use crate::capacity::{Claim, Kept};
use crate::clock::Timestamp;
use crate::cluster::ClusterId;
use crate::error::Result;
use crate::host::HostId;
use crate::id::entity_id;
use crate::location::LocationCode;
use crate::money::Money;
use crate::pool::{Label, PoolId};
use crate::tag::Tags;
use crate::user::UserId;
use crate::vault::Vault;
use crate::volume::Volume;

entity_id!(
    /// Identifies an instance.
    InstanceId
);

/// What runs on a host for somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Identifies the instance.
    pub id: InstanceId,
    /// Whose it is.
    pub pool_id: PoolId,
    /// Who pays for it: the pool's owner.
    pub payer_id: UserId,
    /// Who ordered it.
    pub author: UserId,
    /// The cluster that it is a part of.
    pub cluster_id: Option<ClusterId>,
    /// Where it is.
    pub location: LocationCode,
    /// On which host.
    pub host_id: HostId,
    /// What it calls itself.
    pub hostname: Hostname,
    /// What its owner calls it.
    pub name: Label,
    /// In the owner's words.
    pub description: String,
    /// Labels that the owner's programs keep with it.
    pub tags: Tags,
    /// What it is and costs.
    pub terms: InstanceTerms,
    /// For how long, where its offer has a longest time or its time is paid in advance.
    pub term: Option<Term>,
    /// What it was made from.
    pub origin: Origin,
    /// Where what is on its disk comes from, if not from its image.
    pub moved: Option<Move>,
    /// The instance that is to take its place.
    pub successor_id: Option<InstanceId>,
    /// What it has of its host.
    pub claim: Claim,
    /// What the owner wants.
    pub wanted: Wanted,
    /// Whether its owner lets nobody start or stop it.
    pub is_locked: bool,
    /// Whether it is to be stopped and started once.
    pub restart: bool,
    /// What is.
    pub phase: Phase,
    /// When making it, or starting it after that, has taken too long.
    pub stage_until: Option<Timestamp>,
    /// When it is evicted, if it is a spot instance whose place is wanted back.
    pub evict_at: Option<Timestamp>,
    /// What went wrong the last time, for its owner.
    pub last_error: Option<String>,
    /// The same in its driver's words, for operators.
    pub driver_fault: Option<String>,
    /// Since when its host does not have it.
    pub missing_since: Option<Timestamp>,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When it first could be used.
    pub ready_at: Option<Timestamp>,
}

impl Instance {
    /// Where it is reached, by its own address or its host's: once it was ready, and as long as it has that
    /// address or its place.
    pub fn address(&self, of_host: Option<IpAddr>) -> Option<IpAddr> {
        let of_host = of_host.filter(|_| self.phase != Phase::Hibernated);
        let address = self.claim.address.or(of_host);
        address.filter(|_| self.is_live() && self.ready_at.is_some())
    }

    /// The address of its own, and which host gave it away.
    pub(super) fn kept(&self) -> Option<Kept> {
        let of = self.claim.lent_by.unwrap_or(self.host_id);
        self.claim.address.map(|address| Kept { address, of })
    }

    /// Whether it is a compute unit that costs nothing, whatever its payer owes elsewhere.
    fn is_free_unit(&self) -> bool {
        self.terms.is_of_a_unit() && self.terms.metered() == Money::ZERO
    }

    /// Whether it is a compute unit that was never ready.
    fn is_unready_unit(&self) -> bool {
        self.terms.is_of_a_unit() && self.ready_at.is_none()
    }

    /// The token that its Jupyter server asks for, unless its owner chose one.
    fn jupyter_token(&self, vault: &dyn Vault) -> Result<SecretString> {
        vault.derive(&format!("instance {} jupyter", self.id))
    }

    /// The instance as its driver needs it.
    pub fn spec(&self, volumes: &[Volume]) -> InstanceSpec {
        let (disks, others): (Vec<&Volume>, Vec<&Volume>) =
            volumes.iter().partition(|volume| volume.disk.is_some());
        let disk = disks.first().copied();
        let template = self.origin.template.as_ref();
        let mounts = others.into_iter().filter_map(|volume| {
            let path = volume.attachment.as_ref()?.path.clone();
            Some(Mount { volume_id: volume.id, path })
        });
        InstanceSpec {
            id: self.id,
            hostname: self.hostname.to_string(),
            image: self.origin.image.reference.clone(),
            pull: Pull {
                always: template.is_some_and(|template| !template.is_global),
                login: None,
            },
            is_carried: self.moved.as_ref().is_some_and(|moved| moved.keeps_data),
            edition: self.origin.edition,
            username: self.origin.image.username.clone(),
            password: None,
            cpus: self.terms.shape.cpus,
            pinned_cpus: self.claim.cpus.clone(),
            ram_mib: self.terms.shape.ram_mib,
            gpus: self.claim.gpus.clone(),
            disk: disk.map(|volume| Disk { volume_id: volume.id, has_data: volume.is_made() }),
            disk_gb: disk.map_or(self.terms.shape.disk_gb, |volume| volume.size_gb),
            address: self.claim.address,
            ports: self.claim.ports.clone(),
            environment: self.origin.environment.clone(),
            public_keys: self.origin.public_keys.clone(),
            script: self.origin.script.clone(),
            is_autostart: self.origin.is_autostart,
            runs_jupyter: template.is_some_and(|template| template.runs_jupyter),
            mounts: mounts.collect(),
        }
    }
}
