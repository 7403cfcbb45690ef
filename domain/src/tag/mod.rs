//! Labels of instances, volumes and clusters, for their owners' programs.

mod change;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use change::{add, remove};

use crate::cluster::ClusterId;
use crate::error::{Conflict, Error, Result, Thing};
use crate::instance::InstanceId;
use crate::volume::VolumeId;

/// Labels: at most 64, keys of 1 to 128 characters, values of at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Checks labels.
    pub fn parse(tags: BTreeMap<String, String>) -> std::result::Result<Self, &'static str> {
        let fits = |text: &str, least: usize, most: usize| {
            (least..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        let good = tags.len() <= 64
            && tags.iter().all(|(key, value)| fits(key, 1, 128) && fits(value, 0, 256));
        let advice =
            "must be at most 64 labels, keys of 1 to 128 characters, values of at most 256";
        good.then_some(Self(tags)).ok_or(advice)
    }

    /// The labels.
    pub const fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// With one more.
    fn with(self, tag: &Tag, most: usize) -> Result<Self> {
        if self.0.contains_key(&tag.key) {
            return Err(Error::Conflict(Conflict::TagExists));
        }
        if self.0.len() >= most {
            let message = format!("would be more than {most}; delete one first");
            return Err(Error::invalid("/tags", message));
        }
        let mut map = self.0;
        map.insert(tag.key.clone(), tag.value.clone());
        Self::parse(map).map_err(|advice| Error::invalid("/tags", advice))
    }

    /// Without one.
    fn without(mut self, key: &str) -> Result<Self> {
        self.0.remove(key).ok_or(Error::NotFound(Thing::Tag))?;
        Ok(self)
    }
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it is found by.
    pub key: String,
    /// What it says.
    pub value: String,
}

/// What carries labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// An instance.
    Instance(InstanceId),
    /// A volume.
    Volume(VolumeId),
    /// A cluster.
    Cluster(ClusterId),
}
