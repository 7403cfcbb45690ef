//! Images: what instances are started from.

mod port;
mod put;
mod show;

use serde::Serialize;

pub use port::{ImageQueries, Images};
pub use put::{ImageDraft, put};
pub use show::{all, list, numbered, part, show};

use crate::clock::Timestamp;
use crate::id::entity_id;
use crate::text::code;

entity_id!(
    /// Identifies an image.
    ImageId
);

code!(
    /// Names an image.
    ImageCode
);

/// What an instance can be started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Identifies the image.
    pub id: ImageId,
    /// Names the image.
    pub code: ImageCode,
    /// Its name for people.
    pub name: String,
    /// The operator's word for what it belongs to, such as `ubuntu`.
    pub category: String,
    /// What is in it, a line each.
    pub details: Vec<String>,
    /// What a driver starts, such as `docker.io/library/ubuntu:24.04`; for operators only.
    pub reference: String,
    /// Who logs in.
    pub username: String,
    /// The smallest disk that it fits on, in GB.
    pub min_disk_gb: u32,
    /// Other names that programs order it by, such as an id that a published client knows by heart.
    pub aliases: Vec<String>,
    /// Whether it is proposed to who has no wish.
    pub is_default: bool,
    /// Whether it is shown to renters.
    pub is_listed: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Image {
    /// Whether a disk of so many GB is large enough.
    pub const fn fits(&self, disk_gb: u32) -> bool {
        self.min_disk_gb <= disk_gb
    }
}
