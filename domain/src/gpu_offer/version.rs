//! Versions as numbers with dots between them.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The most numbers of one version.
const MOST_PARTS: usize = 4;
/// The most digits of one number.
const DIGITS: usize = 6;

/// A version such as `12.4` or `550.54.15`; may be empty, which is before all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version(Arc<str>);

/// A version's numbers; they compare as versions do, and `12` and `12.0` are the same.
pub type Rank = [u32; MOST_PARTS];

impl Version {
    /// Reads a version: at most 4 numbers of at most 6 digits, with dots between them; or nothing.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_number = |part: &str| {
            (1..=DIGITS).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let good = text.is_empty()
            || (text.split('.').count() <= MOST_PARTS && text.split('.').all(is_number));
        good.then(|| Self(text.into())).ok_or("must be a version such as 12.4")
    }

    /// The version that was stored after it had been read.
    pub const fn from_stored(text: Arc<str>) -> Self {
        Self(text)
    }

    /// The text, to be kept once for all versions that are the same.
    pub(super) const fn text_mut(&mut self) -> &mut Arc<str> {
        &mut self.0
    }

    /// Its place among versions.
    pub fn rank(&self) -> Rank {
        let mut rank = Rank::default();
        for (place, part) in rank.iter_mut().zip(self.0.split('.')) {
            *place = part.parse().unwrap_or_default();
        }
        rank
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_their_numbers() {
        let sorted = ["", "0.1", "9", "11.8", "12", "12.4", "12.4.1", "12.10", "550.54.15", "1000"];
        let ranks: Vec<Rank> =
            sorted.iter().map(|text| Version::parse(text).unwrap().rank()).collect();
        assert!(ranks.is_sorted_by(|before, after| before < after), "{ranks:?}");
        let rank = |text| Version::parse(text).unwrap().rank();
        assert_eq!(rank("12"), rank("12.0.0"));
        for wrong in ["12.", ".4", "a", "1.2.3.4.5", "1234567", "12,4", "-1"] {
            assert!(Version::parse(wrong).is_err(), "{wrong}");
        }
    }
}
