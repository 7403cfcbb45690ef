//! Money is an integer: units of 10⁻⁸ of the deployment's currency.

use std::fmt;
use std::iter::Sum;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

const SCALE: u32 = 8;
const UNITS_PER_CENT: i64 = 1_000_000;

/// An amount in units of 10⁻⁸ of the deployment's currency, from −92 to +92 thousand million.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount from stored units of 10⁻⁸.
    pub const fn from_e8(units: i64) -> Self {
        Self(units)
    }

    /// The amount in units of 10⁻⁸.
    pub const fn e8(self) -> i64 {
        self.0
    }

    /// An amount from a wide number of units; at the ends of the range the nearest that fits.
    fn from_units(units: i128) -> Self {
        let least = if units < 0 { i64::MIN } else { i64::MAX };
        Self(i64::try_from(units).unwrap_or(least))
    }

    /// An amount from whole cents; `None` where it does not fit.
    pub fn from_cents(cents: i64) -> Option<Self> {
        cents.checked_mul(UNITS_PER_CENT).map(Self)
    }

    /// Reads a plain decimal number such as `70`, `70.5` or `-0.00000001`; `None` for anything
    /// else, for more than eight decimals, and for what does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b'-';
        if text.is_empty() || text.len() > 24 || !text.bytes().all(plain) {
            return None;
        }
        Self::from_decimal(text.parse().ok()?)
    }

    /// The exact amount of a decimal number; `None` where 10⁻⁸ cannot express it.
    pub fn from_decimal(value: Decimal) -> Option<Self> {
        let units = value.checked_mul(Decimal::from(10i64.pow(SCALE)))?;
        (units.fract().is_zero()).then(|| i64::try_from(units).ok()).flatten().map(Self)
    }

    /// The amount as a decimal number.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, SCALE).normalize()
    }

    /// Every decimal that it has, at least two: the spelling of prices, such as `0.1381` or `6.90`.
    pub fn exact(self) -> String {
        let amount = self.to_decimal();
        if amount.scale() < 2 { format!("{amount:.2}") } else { amount.to_string() }
    }

    /// Whole cents, rounded down: what somebody may at most spend.
    pub const fn cents_floor(self) -> i64 {
        self.0.div_euclid(UNITS_PER_CENT)
    }

    /// Whole cents, rounded up: what somebody must at least have.
    pub const fn cents_ceil(self) -> i64 {
        -(-self.0).div_euclid(UNITS_PER_CENT)
    }

    /// Whether the amount is a whole number of cents.
    pub const fn is_whole_cents(self) -> bool {
        self.0 % UNITS_PER_CENT == 0
    }

    /// The sum; `None` where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The amount with the other sign; the least amount, which has no counterpart, becomes the greatest.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// The amount without its sign.
    #[must_use]
    pub const fn magnitude(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The difference, at the ends of the range the nearest that fits.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The whole cents in it, rounded down.
    #[must_use]
    pub const fn whole_cents(self) -> Self {
        Self(self.0 - self.0.rem_euclid(UNITS_PER_CENT))
    }

    /// `numerator / denominator` of the amount, exact until it is rounded.
    pub fn fraction(self, numerator: u64, denominator: u64) -> Fraction {
        let units = i128::from(self.0).saturating_mul(i128::from(numerator));
        Fraction { units, denominator: i128::from(denominator.max(1)) }
    }

    /// An equal share for each of `parts`, rounded down to 10⁻⁸.
    #[must_use]
    pub fn per(self, parts: u32) -> Self {
        Self(self.0.checked_div_euclid(i64::from(parts)).unwrap_or(0))
    }
}

/// A part of an amount, exact: the one step between a rate and money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    units: i128,
    denominator: i128,
}

impl Fraction {
    /// Rounded down to 10⁻⁸.
    pub fn floor(self) -> Money {
        Money::from_units(self.units.div_euclid(self.denominator))
    }

    /// Rounded down to the cent.
    pub fn floor_to_cents(self) -> Money {
        self.floor().whole_cents()
    }

    /// Rounded up to the cent.
    pub fn ceil_to_cents(self) -> Money {
        let cent = self.denominator.saturating_mul(i128::from(UNITS_PER_CENT));
        let cents = -(-self.units).div_euclid(cent);
        Money::from_units(cents.saturating_mul(i128::from(UNITS_PER_CENT)))
    }

    /// The value with twelve decimals, for people.
    pub fn to_decimal(self) -> Decimal {
        let scaled = self.units.saturating_mul(10_000) / self.denominator;
        Decimal::try_from_i128_with_scale(scaled, 12).unwrap_or_default().normalize()
    }
}

/// Two decimals, half away from zero: the spelling of amounts on the wire.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents =
            self.to_decimal().round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        write!(f, "{cents:.2}")
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_read_and_print() {
        let cases = [("70", "70.00"), ("0.005", "0.01"), ("-1.5", "-1.50"), ("125.50", "125.50")];
        for (text, shown) in cases {
            assert_eq!(Money::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "1e3", "0.000000001", "99999999999999999999", "NaN", "1,5", "--1", " 1"] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_price_is_spelled_with_all_its_decimals() {
        let cases = [("70", "70.00"), ("6.9", "6.90"), ("0.1381", "0.1381"), ("0", "0.00")];
        for (text, shown) in cases.into_iter().chain([("0.00000001", "0.00000001")]) {
            assert_eq!(Money::parse(text).unwrap().exact(), shown);
        }
    }

    #[test]
    fn cents_round_towards_the_safe_side() {
        let amount = Money::parse("1.001").unwrap();
        assert_eq!((amount.cents_floor(), amount.cents_ceil()), (100, 101));
        assert_eq!((amount.negated().cents_floor(), amount.negated().cents_ceil()), (-101, -100));
    }

    #[test]
    fn a_fraction_is_exact_until_it_is_rounded() {
        let third = Money::parse("100").unwrap().fraction(1, 3);
        assert_eq!(third.to_decimal().to_string(), "33.333333333333");
        assert_eq!(third.floor(), Money::parse("33.33333333").unwrap());
        assert_eq!(third.floor_to_cents().to_string(), "33.33");
        assert_eq!(third.ceil_to_cents().to_string(), "33.34");
        assert_eq!(
            Money::parse("100").unwrap().fraction(1, 2).ceil_to_cents().to_string(),
            "50.00"
        );
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_decimal(units in any::<i64>()) {
            let money = Money::from_e8(units);
            prop_assert_eq!(Money::from_decimal(money.to_decimal()), Some(money));
            prop_assert_eq!(Money::parse(&money.exact()), Some(money));
        }
    }
}
