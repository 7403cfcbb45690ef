//! Locations: where plans are sold and instances run.

mod continent;
mod port;
mod put;
mod show;

use serde::Serialize;

pub use continent::Continent;
pub use port::{LocationQueries, Locations};
pub use put::{PutLocation, put};
pub use show::list;

use crate::clock::Timestamp;
use crate::id::{digest, entity_id};
use crate::text::code;

code!(
    /// Names a location.
    LocationCode
);

entity_id!(
    /// Names a location in events; everywhere else its code does.
    LocationId
);

impl LocationId {
    /// The id that goes with a code.
    pub fn of(code: &LocationCode) -> Self {
        Self(digest(code.as_str()))
    }
}

/// A place where instances run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Names the location.
    pub code: LocationCode,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
