//! A host that is, or is to be, cut into compute units.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{CpuRange, Limits};
use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result};
use crate::event::{Actor, Event, Subject};
use crate::host::HostId;
use crate::instance::{DriverKind, Site};
use crate::money::Money;
use crate::text::code;

code!(
    /// The name by which clients know a host that is cut into compute units.
    ServerName
);

/// A host that is, or is to be, cut into compute units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputeHost {
    /// Which host.
    pub host_id: HostId,
    /// What clients call it; no two are called the same.
    pub hostname: ServerName,
    /// Where it is reached.
    pub address: IpAddr,
    /// Where it is, in the operator's words.
    pub region: String,
    /// Where it is there.
    pub zone: String,
    /// How it is to be cut.
    pub ranges: Vec<CpuRange>,
    /// What cuts it.
    pub driver: DriverKind,
    /// How far that is.
    pub phase: HostPhase,
    /// Its operating system, once it was looked at.
    pub system: Option<String>,
    /// What holds its units to their share, once it was looked at.
    pub limits: Option<Limits>,
    /// Whether it has what all units need.
    pub is_prepared: bool,
    /// The price of one CPU of a unit for an hour; nothing as a rule.
    pub per_cpu_hour: Money,
    /// When it was first named.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How far a host is on its way to compute units or back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum HostPhase {
    /// It is being cut.
    Initializing,
    /// That failed; what was made is there still.
    InitFailed {
        /// Why, for operators.
        reason: String,
    },
    /// Its units can be had.
    Ready,
    /// All that was made is being removed.
    Decommissioning,
    /// That failed; what is left is there still.
    DecommissionFailed {
        /// Why, for operators.
        reason: String,
    },
    /// It has nothing of ours.
    Decommissioned,
}

impl HostPhase {
    /// The word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::InitFailed { .. } => "init_failed",
            Self::Ready => "ready",
            Self::Decommissioning => "decommissioning",
            Self::DecommissionFailed { .. } => "decommission_failed",
            Self::Decommissioned => "decommissioned",
        }
    }

    /// Why it goes no further.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::InitFailed { reason } | Self::DecommissionFailed { reason } => Some(reason),
            Self::Initializing | Self::Ready | Self::Decommissioning | Self::Decommissioned => None,
        }
    }

    /// Whether it is cut, or is to be, or something of that may be left.
    pub const fn is_cut(&self) -> bool {
        !matches!(self, Self::Decommissioned)
    }

    /// Whether nothing that works is where it was reached the last time.
    pub(super) const fn may_be_elsewhere(&self) -> bool {
        matches!(self, Self::InitFailed { .. } | Self::Decommissioned)
    }

    /// Whether a job has something to do about it.
    pub const fn is_settled(&self) -> bool {
        !matches!(self, Self::Initializing | Self::Decommissioning)
    }
}

impl ComputeHost {
    /// The host as its driver needs it.
    pub fn site(&self) -> Site {
        Site {
            host_id: self.host_id,
            driver: self.driver,
            settings: Map::new(),
            address: self.address,
        }
    }

    /// Whether what was done for the one counts for the other.
    pub(super) fn is_still(&self, seen: &Self) -> bool {
        let of = |host: &Self| (host.phase.clone(), host.ranges.clone(), host.address, host.driver);
        of(self) == of(seen)
    }

    /// It is to be cut, for the first time or anew.
    pub(super) fn initializing(self) -> Result<Self> {
        match self.phase {
            HostPhase::Decommissioning | HostPhase::DecommissionFailed { .. } => {
                Err(Error::Conflict(Conflict::HostDecommissioning))
            }
            HostPhase::Initializing
            | HostPhase::InitFailed { .. }
            | HostPhase::Ready
            | HostPhase::Decommissioned => Ok(Self { phase: HostPhase::Initializing, ..self }),
        }
    }

    /// It is to be as it was before.
    pub(super) fn decommissioning(self) -> Self {
        Self { phase: HostPhase::Decommissioning, ..self }
    }

    /// What is being done there cannot be done; `None` where nothing is being done.
    pub(super) fn failed(self, reason: String) -> Option<Self> {
        let phase = match self.phase {
            HostPhase::Initializing => HostPhase::InitFailed { reason },
            HostPhase::Decommissioning => HostPhase::DecommissionFailed { reason },
            _ => return None,
        };
        Some(Self { phase, ..self })
    }

    /// What happened to it.
    pub(super) fn event(&self, kind: &'static str, (actor, at): (Actor, Timestamp)) -> Event {
        Event {
            kind,
            subject: Subject::Host(self.host_id),
            actor,
            before: None,
            data: json!({ "hostname": self.hostname, "phase": self.phase.as_str(),
                "reason": self.phase.reason(), "region": self.region, "zone": self.zone,
                "cpu_ranges": self.ranges.iter().map(CpuRange::as_str).collect::<Vec<_>>() }),
            recipient: None,
            at,
        }
    }
}
