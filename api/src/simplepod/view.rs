//! What all answers have in common.

use domain::clock::Timestamp;

/// An instant in RFC 3339 to the second, with its offset.
pub fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}
