//! Exact figures as JSON numbers, for surfaces whose clients read floats.

use domain::money::Money;
use serde_json::Number;

/// An amount as a JSON number, exact to 15 digits.
pub fn amount(money: Money) -> Number {
    number(&money.exact())
}

/// A decimal number as a JSON number, as near as a float is.
pub fn number(decimal: &str) -> Number {
    let float = decimal.parse().unwrap_or_default();
    Number::from_f64(float).unwrap_or_else(|| Number::from(0))
}
