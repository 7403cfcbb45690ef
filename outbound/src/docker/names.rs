//! What everything of ours on an engine is called. Names carry ids, which are never given twice;
//! labels say whose it is.

use std::collections::HashMap;

use domain::instance::{InstanceId, InstanceSpec};
use domain::volume::VolumeId;
use sha2::{Digest, Sha256};

/// All of our labels begin so.
pub const OURS: &str = "berth.";
/// On containers: the image that was fetched for a renter, and goes with the container.
pub const FETCHED: &str = "berth.fetched";
/// On all that belongs to an instance.
pub const INSTANCE: &str = "berth.instance";
/// On volumes, and on all that belongs to a disk that is one.
pub const VOLUME: &str = "berth.volume";
/// On containers: SHA-256 of what they were made from.
pub const SPEC: &str = "berth.spec";
/// On everything: which Berth made it, as several may share an engine.
pub const DEPLOYMENT: &str = "berth.deployment";
/// On containers: the environment variables that are ours, by commas.
pub const VARIABLES: &str = "berth.variables";
/// On containers, and on disks that they were: how often the instance was to be made of another image before.
pub const EDITION: &str = "berth.edition";
/// On volumes that are part of a disk: where.
pub const PATH: &str = "berth.path";

pub fn container(id: InstanceId) -> String {
    format!("berth-{id}")
}

pub fn volume(id: VolumeId) -> String {
    format!("berth-{id}")
}

pub const DISK_TAG: &str = "disk";
/// Of the image of a disk on which a container stands: what was written since is not in it.
pub const BASE_TAG: &str = "base";

/// Of the image that a disk came as from another container.
pub const CARRIED_TAG: &str = "carried";

/// Whose a disk is: an instance's, with which it ends, or a volume's, which outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOf {
    Instance(InstanceId),
    Volume(VolumeId),
}

impl DiskOf {
    /// The disk of an instance.
    pub fn of(spec: &InstanceSpec) -> Self {
        spec.disk.map_or(Self::Instance(spec.id), |disk| Self::Volume(disk.volume_id))
    }

    fn id(self) -> String {
        match self {
            Self::Instance(id) => id.to_string(),
            Self::Volume(id) => id.to_string(),
        }
    }

    /// What all that belongs to it carries.
    pub fn label(self) -> (&'static str, String) {
        let name = match self {
            Self::Instance(_) => INSTANCE,
            Self::Volume(_) => VOLUME,
        };
        (name, self.id())
    }

    /// Whose something is by its labels. An image has those of the container that it was, so that a volume's
    /// also names the instance.
    pub fn by_labels(labels: &HashMap<String, String>) -> Option<Self> {
        match labels.get(VOLUME).filter(|id| !id.is_empty()) {
            Some(id) => VolumeId::parse(id).map(Self::Volume),
            None => labels.get(INSTANCE).and_then(|id| InstanceId::parse(id)).map(Self::Instance),
        }
    }

    /// The image that it is without a container.
    pub fn image(self) -> String {
        format!("{}:{DISK_TAG}", self.repository())
    }

    /// The image that a container stands on, or one did.
    pub fn base(self) -> String {
        format!("{}:{BASE_TAG}", self.repository())
    }

    /// The image that was carried for it.
    pub fn carried(self) -> String {
        format!("{}:{CARRIED_TAG}", self.repository())
    }

    /// The repository of its images.
    pub fn repository(self) -> String {
        format!("localhost/berth-{}", self.id())
    }

    /// The volume for a path that an image declares one for.
    pub fn own_volume(self, path: &str) -> String {
        let digest = domain::id::hex(&Sha256::digest(path.as_bytes()));
        let short: String = digest.chars().take(12).collect();
        format!("berth-{}-{short}", self.id())
    }
}

/// How containers that only copy begin.
pub const COPIER: &str = "berth-copy-";

/// The container whose `cp` copies into a volume.
pub fn copier(to: VolumeId) -> String {
    format!("{COPIER}{to}")
}

/// The container by which files that were carried become an instance's disk.
pub fn carrier(to: InstanceId) -> String {
    format!("berth-carry-{to}")
}

/// The containers through whose archives a volume is copied: of the source and of the target.
pub fn archives(to: VolumeId) -> (String, String) {
    (format!("{COPIER}{to}-from"), format!("{COPIER}{to}-to"))
}

/// A filter of lists: all of these labels, each `name` or `name=value`.
pub fn labelled<const N: usize>(labels: [String; N]) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.to_vec())])
}
