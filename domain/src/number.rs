//! Whole numbers as names, for surfaces whose clients know no other ids.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::Result;

/// What has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Numbered {
    /// What is sold of a host by the graphics processor; its id is the host's.
    GpuOffer,
    /// An SSH key.
    SshKey,
    /// A template.
    Template,
}

impl Numbered {
    /// The word in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GpuOffer => "gpu_offer",
            Self::SshKey => "ssh_key",
            Self::Template => "template",
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
}
