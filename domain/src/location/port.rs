use async_trait::async_trait;

use super::{Location, LocationCode};
use crate::error::Result;
use crate::page::Page;

/// Looks at locations.
#[async_trait]
pub trait LocationQueries {
    /// Locations by code; not those [`NOWHERE`](super::NOWHERE).
    async fn locations(&self, page: &Page<LocationCode>) -> Result<Vec<Location>>;

    /// The location.
    async fn location_coded(&self, code: &LocationCode) -> Result<Option<Location>>;

    /// Those of these locations that there are; not those [`NOWHERE`](super::NOWHERE).
    async fn known_locations(&self, codes: &[LocationCode]) -> Result<Vec<LocationCode>>;
}

/// Changes locations.
#[async_trait]
pub trait Locations {
    /// The location, locked until the transaction ends.
    async fn location_for_update(&self, code: &LocationCode) -> Result<Option<Location>>;

    /// Adds a location; [`crate::Error::Contention`] where somebody was faster.
    async fn add_location(&self, location: &Location) -> Result<()>;

    /// Stores a locked location.
    async fn save_location(&self, location: &Location) -> Result<()>;
}
