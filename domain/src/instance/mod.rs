//! Instances: what runs on a host for somebody.

mod driver;

pub use driver::{
    Driven, DriverFault, DriverKind, InstanceDriver, InstanceSpec, Inventory, Load, Mount,
    PublishedPort, Sighting, Site,
};

use crate::id::entity_id;

entity_id!(
    /// Identifies an instance.
    InstanceId
);
