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

/// What an instance is and costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceTerms {
    /// The plan.
    pub plan_id: PlanId,
    /// Its code.
    pub plan: PlanCode,
    /// Its name for people; unknown of what was ordered before it was kept.
    #[serde(default)]
    pub plan_name: String,
    /// How much of a host it is.
    pub shape: Shape,
    /// The price of an hour.
    pub per_hour: Money,
    /// Whether it may be evicted, for a lower price.
    pub is_spot: bool,
    /// The share of that price while it is stopped.
    pub stopped_percent: u32,
}

/// An image as it was when something was made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceImage {
    /// The image.
    pub image_id: ImageId,
    /// Its code.
    pub image: String,
    /// Its name for people; unknown of what was made before it was kept.
    #[serde(default)]
    pub image_name: String,
    /// What its driver starts.
    pub reference: String,
    /// Who logs in.
    pub username: String,
}

/// What an instance was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The image.
    #[serde(flatten)]
    pub image: SourceImage,
    /// The name by which its owner ordered it, if that is not the image's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered_as: Option<String>,
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
