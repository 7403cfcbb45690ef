//! What people ask for when they order an instance.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::driver::SSH_PORT;
use super::{Hostname, PasswordWish, Renewal};
use crate::error::{Error, Result, Violation};
use crate::host::HostId;
use crate::idempotency::IdempotencyKey;
use crate::image::ImageCode;
use crate::inside::{environment_fault, ports_fault, start_script_fault};
use crate::location::LocationCode;
use crate::money::Money;
use crate::plan::{Interval, PlanCode};
use crate::pool::{Label, PoolId};
use crate::script::ScriptId;
use crate::software::SoftwareKey;
use crate::ssh_key::{PublicKey, SshKeyId};
use crate::tag::Tags;
use crate::template::TemplateId;
use crate::user::Caller;
use crate::volume::{Afterwards, VolumeId};

/// The most keys of one instance.
pub(super) const MOST_KEYS: usize = 100;
/// The most volumes of one instance.
const MOST_VOLUMES: usize = 16;

/// What of an operator's offers an instance is.
#[derive(Clone, Debug)]
pub enum Offering {
    /// A plan, at one of the locations where it is sold.
    Plan {
        /// Which.
        code: PlanCode,
        /// Where.
        location: LocationCode,
    },
    /// Graphics processors of one host.
    Gpus {
        /// Which host.
        host_id: HostId,
        /// How many.
        gpus: u32,
        /// With how much disk, in GB; a template's own if not given.
        disk_gb: Option<u32>,
        /// Whether it is to be a virtual machine; else a container.
        is_machine: bool,
    },
}

/// What an instance is made from, and on which disk.
#[derive(Clone, Debug)]
pub enum Boot {
    /// An image, on the disk that comes with the plan and ends with the instance.
    OwnDisk(ImageCode),
    /// What a template says, on the same disk.
    Template(TemplateId),
    /// An image, on a new volume that can outlive the instance, in place of the plan's disk.
    NewVolume {
        /// The image.
        image: ImageCode,
        /// What people call the volume.
        name: String,
        /// Which kind.
        kind: String,
        /// How large, in GB.
        size_gb: u32,
        /// What becomes of it when the spot instance is evicted.
        on_eviction: Afterwards,
    },
    /// A volume that was the disk of an instance before, with all that is on it.
    Volume(VolumeId),
}

/// A volume that an instance is to have.
#[derive(Clone, Debug)]
pub enum VolumeWish {
    /// A new one.
    New {
        /// What people call it.
        name: String,
        /// Which kind.
        kind: String,
        /// How large, in GB.
        size_gb: u32,
        /// Where it is mounted.
        path: Option<String>,
        /// What becomes of it when the spot instance is evicted.
        on_eviction: Afterwards,
    },
    /// One that there is; the instance goes to where it is.
    Existing {
        /// Which.
        id: VolumeId,
        /// Where it is mounted.
        path: Option<String>,
    },
}

/// Who may log in to an instance.
#[derive(Clone, Debug)]
pub enum Keys {
    /// These keys of its pool, at most 100.
    These(Vec<SshKeyId>),
    /// The newest keys of its pool that its owner and admins have added, as many as fit.
    All,
    /// A key that its pool has, or has from now on.
    Raw {
        /// What it is called if it is new.
        name: Label,
        /// The key.
        public_key: PublicKey,
    },
}

/// Time that is paid in advance, an interval at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepaid {
    /// How much at once.
    pub interval: Interval,
    /// Refuse if that costs anything else.
    pub price: Option<Money>,
    /// Refuse if an hour that is paid in advance costs anything else.
    pub price_of_hour: Option<Money>,
}

/// A wish for an instance.
#[derive(Clone, Debug)]
pub struct CreateInstance {
    /// Who asks: an owner or admin of the pool.
    pub caller: Caller,
    /// Whose it will be; the caller's default pool if not given.
    pub pool_id: Option<PoolId>,
    /// What it is, and where.
    pub offering: Offering,
    /// What it is made from, and on which disk.
    pub boot: Boot,
    /// By which name its owner asked for what it is made from, if that is not the image's code.
    pub ordered_as: Option<String>,
    /// What it calls itself.
    pub hostname: Hostname,
    /// What its owner calls it; its host name if not given.
    pub name: Option<Label>,
    /// In the owner's words, at most 500 characters.
    pub description: String,
    /// Who may log in.
    pub keys: Keys,
    /// A script of the pool that runs at the first start.
    pub script_id: Option<ScriptId>,
    /// A script that runs at every start, at most 64 KiB; the template's if not given.
    pub start_script: Option<String>,
    /// Environment variables, before those of the template.
    pub environment: BTreeMap<String, String>,
    /// Ports inside to publish; if not given those of the template, or that of SSH.
    pub ports: Option<Vec<u16>>,
    /// Volumes.
    pub volumes: Vec<VolumeWish>,
    /// Whether it may be evicted, for a lower price.
    pub is_spot: bool,
    /// Refuse if an hour costs more.
    pub max_per_hour: Option<Money>,
    /// Its time is paid in advance; by the second if not given.
    pub prepaid: Option<Prepaid>,
    /// Whether it is renewed when the longest time of its offer is over, or what was paid.
    pub renewal: Renewal,
    /// Whether one can log in with a password, and with which.
    pub password: PasswordWish,
    /// Software that is installed when it runs, each once.
    pub software: Vec<SoftwareKey>,
    /// Labels.
    pub tags: Tags,
    /// Whether it has its whole number from the start, so that nothing is left to fail once it is ordered.
    pub is_numbered: bool,
    /// Orders one however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

pub(crate) fn asked(request: &CreateInstance) -> serde_json::Value {
    let volumes: Vec<String> = request.volumes.iter().map(|wish| format!("{wish:?}")).collect();
    let (what, place) = asked_offering(&request.offering);
    let is_plain = !matches!(request.boot, Boot::Template(_));
    let mut asked = vec![
        json!(request.pool_id),
        what,
        asked_boot(&request.boot),
        place,
        json!(request.hostname.as_str()),
        json!(request.description),
        asked_keys(&request.keys),
        json!(request.script_id),
        json!(request.environment),
        // What was sent before templates were had SSH's port by default.
        json!(request.ports.clone().or_else(|| is_plain.then(|| vec![SSH_PORT]))),
        json!(volumes),
        json!(request.is_spot),
        json!(request.max_per_hour),
        json!(request.tags),
    ];
    // Only what is asked for: what was sent before there was such a thing is still the same.
    let added = [
        request.name.as_ref().map(|name| json!({ "name": name.as_str() })),
        request.start_script.as_ref().map(|script| json!({ "start_script": script })),
        (request.renewal != Renewal::default()).then(|| json!({ "renewal": request.renewal })),
        request.prepaid.map(|paid| json!({ "interval": paid.interval, "price": paid.price })),
        match &request.password {
            PasswordWish::None => None,
            PasswordWish::Made => Some(json!("password")),
            PasswordWish::Own(_) => Some(json!("own password")),
        },
        (!request.software.is_empty()).then(|| json!(format!("{:?}", request.software))),
    ];
    asked.extend(added.into_iter().flatten());
    asked.into()
}

/// What, and where.
fn asked_offering(offering: &Offering) -> (Value, Value) {
    match offering {
        Offering::Plan { code, location } => (json!(code), json!(location)),
        Offering::Gpus { host_id, gpus, disk_gb, is_machine } => {
            (json!([gpus, disk_gb, is_machine]), json!([host_id]))
        }
    }
}

fn asked_keys(keys: &Keys) -> Value {
    match keys {
        Keys::These(ids) => json!(ids),
        Keys::All => json!("all"),
        Keys::Raw { public_key, .. } => json!({ "key": public_key.as_str() }),
    }
}

fn asked_boot(boot: &Boot) -> Value {
    match boot {
        Boot::OwnDisk(image) => json!(image.as_str()),
        Boot::Template(id) => json!({ "template": id }),
        Boot::NewVolume { image, name, kind, size_gb, on_eviction } => {
            json!([image.as_str(), name, kind, size_gb, on_eviction])
        }
        Boot::Volume(id) => json!([id]),
    }
}

impl CreateInstance {
    /// The new volumes that it names: kinds and sizes in GB.
    pub(crate) fn new_volumes(&self) -> Vec<(&str, u32)> {
        let disk = match &self.boot {
            Boot::NewVolume { kind, size_gb, .. } => Some((kind.as_str(), *size_gb)),
            Boot::OwnDisk(_) | Boot::Template(_) | Boot::Volume(_) => None,
        };
        let others = self.volumes.iter().filter_map(|wish| match wish {
            VolumeWish::New { kind, size_gb, .. } => Some((kind.as_str(), *size_gb)),
            VolumeWish::Existing { .. } => None,
        });
        disk.into_iter().chain(others).collect()
    }

    /// The volumes that there are already and that it names.
    pub(crate) fn existing_volumes(&self) -> Vec<VolumeId> {
        let disk = match self.boot {
            Boot::Volume(id) => Some(id),
            Boot::OwnDisk(_) | Boot::Template(_) | Boot::NewVolume { .. } => None,
        };
        let others = self.volumes.iter().filter_map(|wish| match wish {
            VolumeWish::Existing { id, .. } => Some(*id),
            VolumeWish::New { .. } => None,
        });
        disk.into_iter().chain(others).collect()
    }
}

/// Every fault of a wish that needs no look at the database.
pub(crate) fn checked(request: &CreateInstance) -> Result<()> {
    let mut violations = Vec::new();
    let mut fault = |path: &str, message: String| {
        violations.push(Violation { path: path.to_owned(), message });
    };
    if request.description.chars().count() > 500 || request.description.contains('\0') {
        fault("/description", "must be at most 500 characters".to_owned());
    }
    if let Some(message) = request.ports.as_deref().and_then(ports_fault) {
        fault("/ports", message);
    }
    if let Some(message) = request.start_script.as_deref().and_then(start_script_fault) {
        fault("/start_script", message.to_owned());
    }
    if request.start_script.is_some() && request.script_id.is_some() {
        fault("/start_script", "is not given with script_id: one script starts with it".to_owned());
    }
    if let Some(message) = environment_fault(&request.environment) {
        fault("/environment", message);
    }
    if let Some(message) = request.password.fault() {
        fault("/password", message.to_owned());
    }
    if matches!(&request.keys, Keys::These(ids) if ids.len() > MOST_KEYS) {
        fault("/ssh_key_ids", format!("must be at most {MOST_KEYS}"));
    }
    if request.volumes.len() > MOST_VOLUMES {
        fault("/volumes", format!("must be at most {MOST_VOLUMES}"));
    }
    if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
}
