//! Fleets: plans as a file tells them and simulated hosts that carry instances of them, and simulated hosts
//! whose graphics processors are sold one by one.

mod addresses;
mod hosts;
mod import;

pub use import::{FleetImported, ImportFleet, import};

use crate::location::LocationCode;
use crate::money::Money;
use crate::plan::{PlanDraft, Shape};

/// Plans to sell, and where.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Every location that a plan names.
    pub locations: Vec<FleetLocation>,
    /// The plans, each code once.
    pub plans: Vec<PlanDraft>,
    /// Hosts whose graphics processors are sold one by one.
    pub gpu_hosts: Vec<GpuHost>,
}

/// A host whose graphics processors are sold one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuHost {
    /// Where it is.
    pub location: LocationCode,
    /// All that it has; its disk is that of the location's storage.
    pub shape: Shape,
    /// The price of one of its graphics processors for an hour.
    pub per_gpu: Money,
}

/// A location of a fleet. One that there is keeps its name and country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetLocation {
    /// Names the location.
    pub code: LocationCode,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2, upper case; `None` where only an operator knows.
    pub country: Option<String>,
}
