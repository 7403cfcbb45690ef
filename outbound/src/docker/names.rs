//! What everything of ours on an engine is called. Names carry ids, which are never given twice;
//! labels say whose it is.

use std::collections::HashMap;

use domain::instance::InstanceId;
use domain::volume::VolumeId;
use sha2::{Digest, Sha256};

/// On all that belongs to an instance.
pub const INSTANCE: &str = "berth.instance";
/// On volumes.
pub const VOLUME: &str = "berth.volume";
/// On containers: SHA-256 of what they were made from.
pub const SPEC: &str = "berth.spec";
/// On everything: which Berth made it, as several may share an engine.
pub const DEPLOYMENT: &str = "berth.deployment";
/// On containers: the environment variables that are ours, by commas.
pub const VARIABLES: &str = "berth.variables";
/// On volumes that are part of an instance's own disk: where.
pub const PATH: &str = "berth.path";

pub fn container(id: InstanceId) -> String {
    format!("berth-{id}")
}

pub fn volume(id: VolumeId) -> String {
    format!("berth-{id}")
}

/// An instance's disk while its container is made anew, and what the new one stands on then.
pub fn disk(id: InstanceId) -> String {
    format!("localhost/berth-{id}:{DISK_TAG}")
}

pub const DISK_TAG: &str = "disk";

/// The volume for a path that an image declares one for.
pub fn own_volume(id: InstanceId, path: &str) -> String {
    let digest = domain::id::hex(&Sha256::digest(path.as_bytes()));
    let short: String = digest.chars().take(12).collect();
    format!("berth-{id}-{short}")
}

/// How containers that only copy begin.
pub const COPIER: &str = "berth-copy-";

/// The container whose `cp` copies into a volume.
pub fn copier(to: VolumeId) -> String {
    format!("{COPIER}{to}")
}

/// The containers through whose archives a volume is copied: of the source and of the target.
pub fn archives(to: VolumeId) -> (String, String) {
    (format!("{COPIER}{to}-from"), format!("{COPIER}{to}-to"))
}

/// A filter of lists: all of these labels, each `name` or `name=value`.
pub fn labelled<const N: usize>(labels: [String; N]) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.to_vec())])
}
