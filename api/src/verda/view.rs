//! What all answers have in common.

use std::fmt::Display;

use actix_web::HttpResponse;
use domain::clock::Timestamp;
use domain::money::Money;
use serde_json::Number;

/// An amount as a JSON number, which this API's clients read as a float: exact to 15 digits.
pub fn amount(money: Money) -> Number {
    number(&money.exact())
}

/// A decimal number as a JSON number, as near as a float is.
pub fn number(decimal: &str) -> Number {
    let float = decimal.parse().unwrap_or_default();
    Number::from_f64(float).unwrap_or_else(|| Number::from(0))
}

/// The bare id of something new: clients take the body as it is.
pub fn made(id: impl Display) -> HttpResponse {
    HttpResponse::Created().content_type("application/json").body(id.to_string())
}

/// The same of something that is still to be made.
pub fn ordered(id: impl Display) -> HttpResponse {
    HttpResponse::Accepted().content_type("application/json").body(id.to_string())
}

/// An instant in RFC 3339, to the millisecond.
pub fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
