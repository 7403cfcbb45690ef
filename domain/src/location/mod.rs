//! Locations: where plans are sold and instances run.

mod continent;
mod port;
mod put;
mod show;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use continent::Continent;
pub use port::{LocationQueries, Locations};
pub use put::{PutLocation, put};
pub use show::list;

use crate::clock::Timestamp;
use crate::id::{embed, entity_id};
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
    /// The id that goes with a code: the first 96 bits of its SHA-256.
    pub fn of(code: &LocationCode) -> Self {
        let hash = Sha256::digest(code.as_str().as_bytes());
        let bits = hash.iter().take(12).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        Self(embed(bits))
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
