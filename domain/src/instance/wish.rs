//! What people ask for when they order an instance.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Hostname;
use crate::error::{Error, Result, Violation};
use crate::idempotency::IdempotencyKey;
use crate::image::ImageCode;
use crate::location::LocationCode;
use crate::money::Money;
use crate::plan::PlanCode;
use crate::pool::PoolId;
use crate::script::ScriptId;
use crate::ssh_key::SshKeyId;
use crate::tag::Tags;
use crate::user::Caller;
use crate::volume::{Afterwards, VolumeId};

/// The most ports that one instance publishes.
const MOST_PORTS: usize = 32;
/// The most environment variables of one instance.
const MOST_VARIABLES: usize = 100;
/// The most keys of one instance.
const MOST_KEYS: usize = 100;
/// The most volumes of one instance.
const MOST_VOLUMES: usize = 16;

/// What an instance is made from, and on which disk.
#[derive(Clone, Debug)]
pub enum Boot {
    /// An image, on the disk that comes with the plan and ends with the instance.
    OwnDisk(ImageCode),
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

/// A wish for an instance.
#[derive(Clone, Debug)]
pub struct CreateInstance {
    /// Who asks: an owner or admin of the pool.
    pub caller: Caller,
    /// Whose it will be; the caller's default pool if not given.
    pub pool_id: Option<PoolId>,
    /// What it is.
    pub plan: PlanCode,
    /// What it is made from, and on which disk.
    pub boot: Boot,
    /// By which name its owner asked for what it is made from, if that is not the image's code.
    pub ordered_as: Option<String>,
    /// Where.
    pub location: LocationCode,
    /// What it calls itself.
    pub hostname: Hostname,
    /// In the owner's words, at most 500 characters.
    pub description: String,
    /// Keys of the pool that may log in.
    pub key_ids: Vec<SshKeyId>,
    /// A script of the pool that runs at the first start.
    pub script_id: Option<ScriptId>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Ports inside to publish.
    pub ports: Vec<u16>,
    /// Volumes.
    pub volumes: Vec<VolumeWish>,
    /// Whether it may be evicted, for a lower price.
    pub is_spot: bool,
    /// Refuse if an hour costs more.
    pub max_per_hour: Option<Money>,
    /// Labels.
    pub tags: Tags,
    /// Orders one however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

pub(crate) fn asked(request: &CreateInstance) -> serde_json::Value {
    let volumes: Vec<String> = request.volumes.iter().map(|wish| format!("{wish:?}")).collect();
    json!([
        request.pool_id,
        request.plan.as_str(),
        asked_boot(&request.boot),
        request.location.as_str(),
        request.hostname.as_str(),
        request.description,
        request.key_ids,
        request.script_id,
        request.environment,
        request.ports,
        volumes,
        request.is_spot,
        request.max_per_hour,
        request.tags
    ])
}

fn asked_boot(boot: &Boot) -> Value {
    match boot {
        Boot::OwnDisk(image) => json!(image.as_str()),
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
            Boot::OwnDisk(_) | Boot::Volume(_) => None,
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
            Boot::OwnDisk(_) | Boot::NewVolume { .. } => None,
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
    let mut ports = request.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    if ports.len() != request.ports.len() || ports.len() > MOST_PORTS || ports.contains(&0) {
        fault("/ports", format!("must be at most {MOST_PORTS} different ports from 1 to 65535"));
    }
    let named = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=128).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    let good = |(name, value): (&String, &String)| {
        named(name) && value.len() <= 4_096 && !value.contains('\0')
    };
    if request.environment.len() > MOST_VARIABLES || !request.environment.iter().all(good) {
        let message = format!(
            "must be at most {MOST_VARIABLES} variables, names of A-Z a-z 0-9 _, values of 4096 bytes"
        );
        fault("/environment", message);
    }
    if request.key_ids.len() > MOST_KEYS {
        fault("/ssh_key_ids", format!("must be at most {MOST_KEYS}"));
    }
    if request.volumes.len() > MOST_VOLUMES {
        fault("/volumes", format!("must be at most {MOST_VOLUMES}"));
    }
    if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
}
