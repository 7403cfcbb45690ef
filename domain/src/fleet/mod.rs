//! Fleets: plans as a file tells them, and simulated hosts that carry instances of them.

mod addresses;
mod hosts;
mod import;

pub use import::{FleetImported, ImportFleet, import};

use crate::location::LocationCode;
use crate::plan::PlanDraft;

/// Plans to sell, and where.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Every location that a plan names.
    pub locations: Vec<FleetLocation>,
    /// The plans, each code once.
    pub plans: Vec<PlanDraft>,
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
