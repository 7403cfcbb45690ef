//! Versions as numbers with dots between them.

use std::fmt;

use serde::{Serialize, Serializer};

/// The most numbers of one version.
const MOST_PARTS: usize = 4;
/// The most digits of one number.
const DIGITS: usize = 6;

/// A version such as `12.4` or `550.54.15`; may be empty, which is before all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// Reads a version: at most 4 numbers of at most 6 digits, with dots between them; or nothing.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let is_number = |part: &str| {
            (1..=DIGITS).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let good = text.is_empty()
            || (text.split('.').count() <= MOST_PARTS && text.split('.').all(is_number));
        good.then(|| Self(text.to_owned())).ok_or("must be a version such as 12.4")
    }

    /// The version that was stored after it had been read.
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// A text that sorts as the version does, whatever the collation: digits only. `12` and `12.0` are the
    /// same there.
    pub fn order(&self) -> String {
        let parts = self.0.split('.').chain(std::iter::repeat("")).take(MOST_PARTS);
        parts.map(|part| format!("{part:0>DIGITS$}")).collect::<Vec<_>>().concat()
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
        let orders: Vec<String> =
            sorted.iter().map(|text| Version::parse(text).unwrap().order()).collect();
        assert!(orders.is_sorted_by(|before, after| before < after), "{orders:?}");
        let order = |text| Version::parse(text).unwrap().order();
        assert_eq!(order("12"), order("12.0.0"));
        for wrong in ["12.", ".4", "a", "1.2.3.4.5", "1234567", "12,4", "-1"] {
            assert!(Version::parse(wrong).is_err(), "{wrong}");
        }
    }
}
