//! What all answers have in common.

use domain::clock::Timestamp;
use domain::money::Money;
use serde_json::Number;

use crate::floats::{amount, number};

/// An instant in RFC 3339 to the second, with its offset.
pub fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

/// A whole number of hundredths as a decimal number.
pub fn hundredths(number_e2: i64) -> Number {
    Money::from_cents(number_e2).map_or_else(|| number("0"), amount)
}
