//! What an instance is and costs, and what it was made from: as it was when it was ordered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::ImageId;
use crate::money::Money;
use crate::plan::{PlanCode, PlanId, Shape};
use crate::script::ScriptId;
use crate::ssh_key::SshKeyId;
use crate::text::text;

text!(
    /// A host name: 1 to 63 of `a-z A-Z 0-9 -` (RFC 1123), not beginning or ending with `-`.
    Hostname
);

impl Hostname {
    /// Checks a host name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let good = (1..=63).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        let advice = "must be 1 to 63 of A-Z a-z 0-9 -, not beginning or ending with -";
        good.then(|| Self(text.to_owned())).ok_or(advice)
    }
}

/// Labels: at most 64, keys of 1 to 128 characters, values of at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Checks labels.
    pub fn parse(tags: BTreeMap<String, String>) -> Result<Self, &'static str> {
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
}

/// What an instance is and costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceTerms {
    /// The plan.
    pub plan_id: PlanId,
    /// Its code.
    pub plan: PlanCode,
    /// How much of a host it is.
    pub shape: Shape,
    /// The price of an hour.
    pub per_hour: Money,
    /// Whether it may be evicted, for a lower price.
    pub is_spot: bool,
    /// The share of that price while it is stopped.
    pub stopped_percent: u32,
}

/// What an instance was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The image.
    pub image_id: ImageId,
    /// Its code.
    pub image: String,
    /// What its driver starts.
    pub reference: String,
    /// Who logs in.
    pub username: String,
    /// The keys that may log in.
    pub key_ids: Vec<SshKeyId>,
    /// Their texts.
    pub public_keys: Vec<String>,
    /// The script that runs at the first start.
    pub script_id: Option<ScriptId>,
    /// Its text.
    pub script: Option<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Ports inside that are published.
    pub ports: Vec<u16>,
}
