//! Exact figures as JSON numbers, for surfaces whose clients read floats.

use std::fmt::{self, Write};

use domain::money::Money;
use serde_json::Number;

/// An amount as a JSON number, exact to 15 digits.
pub fn amount(money: Money) -> Number {
    scaled(money.e8(), -8)
}

/// A whole number of hundredths as a JSON number.
pub fn hundredths(number_e2: i64) -> Number {
    scaled(number_e2, -2)
}

/// So many times a power of ten, by way of a text, whose reading is rounded once. A list has thousands of
/// such numbers, so that the text is on the stack.
fn scaled(units: i64, power: i8) -> Number {
    let mut text = Text::default();
    if write!(text, "{units}e{power}").is_err() {
        return Number::from(0);
    }
    number(text.as_str())
}

/// Longer than any whole number with its power.
const LENGTH: usize = 32;

/// A short text on the stack.
#[derive(Default)]
struct Text {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length.saturating_add(text.len());
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A decimal number as a JSON number, as near as a float is.
pub fn number(decimal: &str) -> Number {
    let float = decimal.parse().unwrap_or_default();
    Number::from_f64(float).unwrap_or_else(|| Number::from(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_number_is_the_one_of_its_decimals() {
        for e8 in [0, 1, 34_000_000, 100_000_000, 123_456_789, -7, 99_999_999, 7_352_941_176] {
            let money = Money::from_e8(e8);
            assert_eq!(amount(money), number(&money.exact()), "{e8}");
        }
        for most in [i64::MAX, i64::MIN] {
            assert_eq!(amount(Money::from_e8(most)), number(&Money::from_e8(most).exact()));
        }
        assert_eq!(hundredths(7_352).to_string(), "73.52");
        assert_eq!(hundredths(2_500).to_string(), "25.0");
    }
}
