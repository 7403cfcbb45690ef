//! Instants as most surfaces spell them.

use chrono::SecondsFormat;
use domain::clock::Timestamp;

/// In RFC 3339, to the millisecond: `2025-01-28T22:00:00.000Z`.
pub fn to_the_millisecond(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
