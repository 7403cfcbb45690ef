//! What an instance is and costs, and what it was made from: as it was when it was ordered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compute_unit::ComputeUnitId;
use crate::host::HostId;
use crate::image::ImageId;
use crate::meter::{Rate, SECONDS_PER_HOUR, SECONDS_PER_MONTH};
use crate::money::Money;
use crate::plan::{PlanCode, PlanId, Shape};
use crate::script::ScriptId;
use crate::ssh_key::SshKeyId;
use crate::template::{Registry, TemplateId};
use crate::text::text;
use crate::vault::Sealed;

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

    /// One made of the letters and digits of a name for people, for orders that say none; `otherwise`, a host
    /// name, where that has none.
    pub fn of_words(name: &str, otherwise: &str) -> Self {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let text: String = name.chars().map(plain).take(40).collect();
        let text = text.trim_matches('-').to_lowercase();
        Self(if text.is_empty() { otherwise.to_owned() } else { text })
    }
}

/// What an instance is and costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceTerms {
    /// What it was ordered by.
    #[serde(flatten)]
    pub offered: Offered,
    /// How much of a host it is.
    pub shape: Shape,
    /// The price of an hour, its disk aside.
    pub per_hour: Money,
    /// The price of its own disk for a month, where that is not in the price of an hour.
    #[serde(default)]
    pub disk_per_month: Money,
    /// Whether it may be evicted, for a lower price.
    pub is_spot: bool,
    /// The share of that price while it is stopped; its disk costs the same then.
    pub stopped_percent: u32,
    /// Whether it is paid in advance, so that nothing is metered; `per_hour` says then what it comes to.
    #[serde(default)]
    pub is_prepaid: bool,
}

/// What an instance was ordered by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Offered {
    /// A plan.
    Plan {
        /// Which.
        plan_id: PlanId,
        /// Its code.
        plan: PlanCode,
        /// Its name for people; unknown of what was ordered before it was kept.
        #[serde(default)]
        plan_name: String,
    },
    /// Graphics processors of a host; the offer is the host's.
    Gpus {
        /// Which host.
        gpu_offer: HostId,
        /// The price of one for an hour.
        per_gpu: Money,
        /// The price of a GB of disk for a month.
        per_gb: Money,
        /// Whether it is a virtual machine; else a container.
        is_machine: bool,
    },
    /// A compute unit of a host.
    Unit {
        /// Which.
        compute_unit: ComputeUnitId,
        /// Its name.
        unit: String,
        /// The price of one of its CPUs for an hour.
        per_cpu: Money,
    },
}

impl Origin {
    /// Whether what is on its disk is what it is to be made from.
    pub const fn is_made(&self) -> bool {
        self.made_edition == self.edition
    }
}

impl InstanceTerms {
    /// What it is called by programs: the plan's code, or such as `2xRTX-4090`.
    pub fn code(&self) -> String {
        match &self.offered {
            Offered::Plan { plan, .. } => plan.to_string(),
            Offered::Gpus { .. } => {
                let odd = |letter: char| !letter.is_ascii_alphanumeric();
                format!("{}x{}", self.shape.gpus(), self.gpu_model().replace(odd, "-"))
            }
            Offered::Unit { .. } => format!("compute-unit-{}", self.shape.cpus),
        }
    }

    /// What it is called by people: the plan's name, or such as `2x RTX 4090`.
    pub fn name(&self) -> String {
        match &self.offered {
            Offered::Plan { plan_name, .. } => plan_name.clone(),
            Offered::Gpus { .. } => format!("{}x {}", self.shape.gpus(), self.gpu_model()),
            Offered::Unit { unit, .. } => format!("Compute unit {unit}"),
        }
    }

    /// Whether it is a compute unit.
    pub const fn is_of_a_unit(&self) -> bool {
        matches!(self.offered, Offered::Unit { .. })
    }

    fn gpu_model(&self) -> &str {
        self.shape.gpu.as_ref().map_or("", |gpu| &gpu.model)
    }

    /// What it costs while so many percent of its price of an hour are due; its disk costs all of its price.
    pub fn rate(&self, percent: u32) -> Rate {
        let per_hour = self.per_hour.fraction(percent.into(), 100).floor();
        if self.disk_per_month == Money::ZERO {
            return Rate::per_hour(per_hour);
        }
        // One price for both, so that what it makes is rounded once.
        let hours = u64::from(SECONDS_PER_MONTH / SECONDS_PER_HOUR);
        let per_month = per_hour.fraction(hours, 1).floor();
        let both = per_month.checked_add(self.disk_per_month);
        Rate::per_month(both.unwrap_or(per_month))
    }

    /// What a meter of it makes in an hour: nothing of what is paid in advance.
    pub fn metered(&self) -> Money {
        if self.is_prepaid { Money::ZERO } else { self.hourly() }
    }

    /// What an hour of it costs, rounded up to 10⁻⁸: for forecasts.
    pub fn hourly(&self) -> Money {
        self.rate(100).hourly()
    }
}

/// An image as it was when something was made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceImage {
    /// The image; none where it is a template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<ImageId>,
    /// Its code; a template's reference with its tag.
    pub image: String,
    /// Its name for people; unknown of what was made before it was kept.
    #[serde(default)]
    pub image_name: String,
    /// What its driver starts.
    pub reference: String,
    /// Who logs in.
    pub username: String,
}

/// A template as it was when something was made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTemplate {
    /// The template.
    pub template_id: TemplateId,
    /// Its whole number.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// Its image's reference without a tag.
    pub image: String,
    /// Its image's tag.
    pub tag: String,
    /// Whether it is the operator's, whose images hosts may have by themselves.
    pub is_global: bool,
    /// Whether the container has an SSH server.
    pub runs_ssh: bool,
    /// Whether the container has a Jupyter server.
    pub runs_jupyter: bool,
    /// Where its image is fetched, if that asks who one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
}

/// What an instance was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The image.
    #[serde(flatten)]
    pub image: SourceImage,
    /// The template that it is from, if it is from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<SourceTemplate>,
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
    /// Whether it runs at every start, not only at the first.
    #[serde(default)]
    pub is_autostart: bool,
    /// Whether one can log in with a password.
    #[serde(default)]
    pub has_password: bool,
    /// That password, where its owner chose it; else it is made for the instance and stands nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_password: Option<Sealed>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Ports inside that are published.
    pub ports: Vec<u16>,
    /// How often it got another template, each with an empty disk.
    #[serde(default)]
    pub edition: u32,
    /// The edition that was made the last time.
    #[serde(default)]
    pub made_edition: u32,
}
