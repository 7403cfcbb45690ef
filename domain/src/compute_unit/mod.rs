//! Compute units: parts of a host with CPUs, ports and a Unix user of their own.

mod driver;

pub use driver::{HostDriver, Inspection, Limits, UnitPlan};
