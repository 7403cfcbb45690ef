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

/// The country of a place of which nobody has said where it is; ISO 3166-1 gives this code to no country.
pub const NOWHERE: &str = "ZZ";

/// A place where instances run. Where its country is not known, as that of a region of compute units until an operator
/// says so, it is in no list, and nothing else is sold there.
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
