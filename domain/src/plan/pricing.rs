//! What an instance of a plan costs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Violation;
use crate::money::Money;
use crate::text::{ONE_LINE_OF_100, code, line};

/// A million of the currency, for an hour as for a year: far below what overflows.
const MAX_PRICE: Money = Money::from_e8(1_000_000 * 100_000_000);
const MAX_LONG_TERMS: usize = 32;
const MAX_MONTHS: u32 = 120;
const WHOLE_PERCENT: u32 = 100;
const WHOLE_BP: u32 = 10_000;

code!(
    /// Names a long term of a plan.
    LongTermCode
);

/// What an instance costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPricing {
    /// An hour on demand; `None` where it is not sold so now.
    pub per_hour: Option<Money>,
    /// An hour that the operator may end; `None` where it is not sold so now.
    pub spot_per_hour: Option<Money>,
    /// Whole intervals, paid in advance; each at most once.
    pub intervals: Vec<IntervalPrice>,
    /// Commitments and what is taken off for them; each code at most once.
    pub long_terms: Vec<LongTerm>,
    /// The share of the hourly price while the instance is shut down.
    pub stopped_percent: u32,
}

/// The price of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalPrice {
    /// Which interval.
    pub interval: Interval,
    /// The price of all of it.
    pub price: Money,
}

/// A time that is paid in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Interval {
    /// An hour.
    Hour,
    /// A day of 24 hours.
    Day,
    /// Seven days.
    Week,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

impl Interval {
    /// Every interval, the shortest first.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Its spelling, on the wire and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "HOUR",
            Self::Day => "DAY",
            Self::Week => "WEEK",
            Self::Month => "MONTH",
            Self::Year => "YEAR",
        }
    }

    /// The hours that its price is that of, where it has none of its own: a month is a twelfth of 365 days.
    pub const fn hours(self) -> u64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 730,
            Self::Year => 365 * 24,
        }
    }

    /// Reads a spelling.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let found = Self::ALL.into_iter().find(|interval| interval.as_str() == text);
        found.ok_or("must be one of HOUR, DAY, WEEK, MONTH, YEAR")
    }
}

/// A commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongTerm {
    /// Names it within its plan.
    pub code: LongTermCode,
    /// Its name for people.
    pub name: String,
    /// For how many months.
    pub months: u32,
    /// What is taken off the hourly price, in hundredths of a percent.
    pub discount_bp: u32,
}

impl PlanPricing {
    /// An interval paid in advance: at its own price, or else at that of its hours, be they paid in advance or
    /// on demand; `None` where it is sold in no such way now.
    pub fn prepaid(&self, interval: Interval) -> Option<Money> {
        let of = |wanted| self.intervals.iter().find(|price| price.interval == wanted);
        let by_the_hour = || {
            let hour = of(Interval::Hour).map(|hour| hour.price).or(self.per_hour)?;
            Some(hour.fraction(interval.hours(), 1).floor())
        };
        of(interval).map(|price| price.price).or_else(by_the_hour)
    }

    /// Every fault. The paths are those of a request that has this as its `pricing`.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let hourly = [("per_hour", self.per_hour), ("spot_per_hour", self.spot_per_hour)];
        for (name, price) in hourly {
            violations.extend(price.and_then(|price| amiss(format!("/pricing/{name}"), price)));
        }
        let mut seen = BTreeSet::new();
        for (at, IntervalPrice { interval, price }) in self.intervals.iter().enumerate() {
            violations.extend(amiss(format!("/pricing/intervals/{at}/price"), *price));
            if !seen.insert(interval) {
                let path = format!("/pricing/intervals/{at}/interval");
                violations.push(Violation::new(path, "this interval has a price already"));
            }
        }
        violations.extend(self.long_term_violations());
        if self.stopped_percent > WHOLE_PERCENT {
            violations.push(Violation::new("/pricing/stopped_percent", "must be 0 to 100"));
        }
        violations
    }

    fn long_term_violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        if self.long_terms.len() > MAX_LONG_TERMS {
            let message = format!("has more than {MAX_LONG_TERMS} entries");
            violations.push(Violation::new("/pricing/long_terms", message));
        }
        let mut codes = BTreeSet::new();
        for (at, term) in self.long_terms.iter().enumerate() {
            let mut fault = |name: &str, message: String| {
                violations
                    .push(Violation::new(format!("/pricing/long_terms/{at}/{name}"), message));
            };
            if !codes.insert(&term.code) {
                fault("code", "another long term of this plan has this code".to_owned());
            }
            if line(&term.name, 100).is_none() {
                fault("name", ONE_LINE_OF_100.to_owned());
            }
            if !(1..=MAX_MONTHS).contains(&term.months) {
                fault("months", format!("must be 1 to {MAX_MONTHS}"));
            }
            if term.discount_bp > WHOLE_BP {
                fault("discount_percent", "must be 0 to 100".to_owned());
            }
        }
        violations
    }
}

fn amiss(path: String, price: Money) -> Option<Violation> {
    let fits = Money::ZERO < price && price <= MAX_PRICE;
    let message = || format!("must be above 0 and at most {MAX_PRICE}");
    (!fits).then(|| Violation::new(path, message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(price: i64) -> IntervalPrice {
        IntervalPrice { interval: Interval::Day, price: Money::from_e8(price) }
    }

    fn term(months: u32, discount_bp: u32) -> LongTerm {
        let code = LongTermCode::parse("3m").unwrap();
        LongTerm { code, name: "Three months".to_owned(), months, discount_bp }
    }

    fn paths(pricing: &PlanPricing) -> Vec<String> {
        let paths = pricing.violations().into_iter();
        paths.map(|violation| violation.path.replace("/pricing/", "")).collect()
    }

    #[test]
    fn every_fault_of_prices_is_named() {
        assert!(paths(&PlanPricing::default()).is_empty());
        let whole = PlanPricing {
            per_hour: Some(Money::from_e8(1)),
            spot_per_hour: Some(MAX_PRICE),
            intervals: vec![interval(1)],
            long_terms: vec![term(120, 10_000)],
            stopped_percent: 100,
        };
        assert!(paths(&whole).is_empty());
        let wrong = PlanPricing {
            per_hour: Some(Money::ZERO),
            spot_per_hour: Some(MAX_PRICE.saturating_sub(Money::from_e8(-1))),
            intervals: vec![interval(-1), interval(1)],
            long_terms: vec![term(0, 0), term(121, 10_001)],
            stopped_percent: 101,
        };
        let faults = [
            "per_hour",
            "spot_per_hour",
            "intervals/0/price",
            "intervals/1/interval",
            "long_terms/0/months",
            "long_terms/1/code",
            "long_terms/1/months",
            "long_terms/1/discount_percent",
            "stopped_percent",
        ];
        assert_eq!(paths(&wrong), faults);
        let many = PlanPricing { long_terms: vec![term(1, 0); 33], ..PlanPricing::default() };
        assert_eq!(paths(&many)[0], "long_terms");
    }

    #[test]
    fn an_interval_is_read_as_it_is_spelled() {
        for interval in Interval::ALL {
            assert_eq!(Interval::parse(interval.as_str()), Ok(interval));
            assert_eq!(serde_json::to_value(interval).unwrap(), interval.as_str());
        }
        assert!(Interval::parse("hour").is_err());
    }
}
