//! Fields of a JSON body, read so that every fault can be told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use chrono::{DateTime, Datelike};
use domain::Error;
use domain::clock::{Timestamp, truncate};
use domain::error::Violation;
use domain::money::Money;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// One field of a body: absent, null, of the right type, or of a wrong one.
#[derive(Clone, Debug, Default)]
pub enum Field<T> {
    /// The key is not there.
    #[default]
    Missing,
    /// The key is there and null.
    Null,
    /// A value of the right type.
    Given(T),
    /// Something else; what it should be.
    Wrong(&'static str),
}

impl<T> Field<T> {
    /// Whether nothing was sent, or null.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }
}

/// A type that a field can have on the wire.
pub trait Wire: Sized {
    /// The value, or what to ask for when it is something else.
    fn read(value: Value) -> Result<Self, &'static str>;
}

impl<'de, T: Wire> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Null,
            value => T::read(value).map_or_else(Self::Wrong, Self::Given),
        })
    }
}

impl Wire for String {
    fn read(value: Value) -> Result<Self, &'static str> {
        match value {
            // PostgreSQL cannot keep a NUL, so no text may hold one.
            Value::String(text) if text.contains('\0') => Err("must not hold the character U+0000"),
            Value::String(text) => Ok(text),
            _ => Err("must be a string"),
        }
    }
}

impl Wire for bool {
    fn read(value: Value) -> Result<Self, &'static str> {
        value.as_bool().ok_or("must be true or false")
    }
}

impl Wire for i64 {
    fn read(value: Value) -> Result<Self, &'static str> {
        // JSON knows one kind of number: 7.0 is the whole number 7.
        let whole = || value.to_string().strip_suffix(".0")?.parse().ok();
        value.as_i64().or_else(whole).ok_or("must be a whole number")
    }
}

impl Wire for Map<String, Value> {
    fn read(value: Value) -> Result<Self, &'static str> {
        if let Value::Object(map) = value { Ok(map) } else { Err(AN_OBJECT) }
    }
}

impl Wire for Vec<String> {
    fn read(value: Value) -> Result<Self, &'static str> {
        let strings = match value {
            Value::Array(items) => items.into_iter().map(String::read).collect(),
            _ => Err(""),
        };
        strings.map_err(|_: &str| "must be a list of strings")
    }
}

impl<T: DeserializeOwned> Wire for Nested<T> {
    fn read(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Object(_) => serde_json::from_value(value).map(Self).map_err(|_| AN_OBJECT),
            _ => Err(AN_OBJECT),
        }
    }
}

impl<T: DeserializeOwned> Wire for Vec<Nested<T>> {
    fn read(value: Value) -> Result<Self, &'static str> {
        let objects = match value {
            Value::Array(items) => items.into_iter().map(Nested::read).collect(),
            _ => Err(""),
        };
        objects.map_err(|_: &str| "must be a list of objects")
    }
}

impl Wire for Vec<i64> {
    fn read(value: Value) -> Result<Self, &'static str> {
        let numbers = match value {
            Value::Array(items) => items.into_iter().map(i64::read).collect(),
            _ => Err(""),
        };
        numbers.map_err(|_: &str| "must be a list of whole numbers")
    }
}

impl Wire for BTreeMap<String, String> {
    fn read(value: Value) -> Result<Self, &'static str> {
        let advice = "must be an object of strings";
        let Value::Object(map) = value else { return Err(advice) };
        let read = |(key, value): (String, Value)| {
            if key.contains('\0') { Err("") } else { String::read(value).map(|value| (key, value)) }
        };
        map.into_iter().map(read).collect::<Result<_, &str>>().map_err(|_| advice)
    }
}

const AN_OBJECT: &str = "must be an object";

/// An object within a body, whose own fields are [`Field`]s.
#[derive(Clone, Debug)]
pub struct Nested<T>(pub T);

/// Collects the faults of a body.
#[derive(Default)]
pub struct Check {
    violations: Vec<Violation>,
}

impl Check {
    /// Notes a fault at a JSON pointer.
    pub fn fault(&mut self, path: &str, message: impl Display) {
        self.violations.push(Violation { path: path.to_owned(), message: message.to_string() });
    }

    /// A field that must be there.
    pub fn required<T, U, F: Display>(
        &mut self,
        path: &str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, F>,
    ) -> Option<U> {
        match field {
            Field::Missing | Field::Null => {
                self.fault(path, "is required");
                None
            }
            given => self.optional(path, given, parse),
        }
    }

    /// A field that may be absent or null.
    pub fn optional<T, U, F: Display>(
        &mut self,
        path: &str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, F>,
    ) -> Option<U> {
        match field {
            Field::Missing | Field::Null => None,
            Field::Given(value) => parse(value).map_err(|fault| self.fault(path, fault)).ok(),
            Field::Wrong(expected) => {
                self.fault(path, expected);
                None
            }
        }
    }

    /// A field to change: absent leaves as it is, null removes.
    pub fn change<T, U, F: Display>(
        &mut self,
        path: &str,
        field: Field<T>,
        parse: impl FnOnce(T) -> Result<U, F>,
    ) -> Option<Option<U>> {
        match field {
            Field::Missing => None,
            Field::Null => Some(None),
            given => self.optional(path, given, parse).map(Some),
        }
    }

    /// Notes what the domain finds wrong, at places that have no fault yet: there it judges only what
    /// stands in for a value.
    pub fn also(&mut self, violations: Vec<Violation>) {
        let known: Vec<String> = self.violations.iter().map(|fault| fault.path.clone()).collect();
        self.violations.extend(violations.into_iter().filter(|fault| !known.contains(&fault.path)));
    }

    /// Every fault, or what `build` makes of the fields; it may use `?`, because a required field
    /// without a value has left a fault.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Error> {
        if !self.violations.is_empty() {
            return Err(Error::Invalid(self.violations));
        }
        build().ok_or_else(|| Error::internal("a required field has neither a value nor a fault"))
    }
}

/// Takes a value as it is.
#[expect(clippy::unnecessary_wraps, reason = "it stands where parsers stand")]
pub fn as_is<T>(value: T) -> Result<T, std::convert::Infallible> {
    Ok(value)
}

/// Takes a text of at most so many characters.
pub fn at_most(most: usize) -> impl Fn(String) -> Result<String, String> {
    move |text| {
        let fits = text.chars().count() <= most;
        if fits { Ok(text) } else { Err(format!("is at most {most} characters")) }
    }
}

/// An instant of RFC 3339, in years of four digits from 1900 on: further off, PostgreSQL and the wire
/// both stop making sense.
pub fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|instant| truncate(instant.to_utc()));
    let sane = |instant: &Timestamp| (1_900..10_000).contains(&instant.year());
    parsed.ok().filter(sane).ok_or("must be an instant such as 2030-01-28T22:00:00.000Z")
}

/// An amount of money as a decimal text.
pub fn amount(text: String) -> Result<Money, &'static str> {
    Money::parse(&text).ok_or("must be a decimal number as a string, such as \"100.00\"")
}

/// What an id must be.
pub const ID: &str = "must be 24 lower-case hexadecimal characters";

const MAX_IDS: usize = 1_000;

/// The field `ids`: 1 to 1000 of them.
pub fn id_set<T: Ord>(
    field: Field<Vec<String>>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<BTreeSet<T>, Error> {
    let mut check = Check::default();
    let fits = |texts: Vec<String>| {
        let fits = (1..=MAX_IDS).contains(&texts.len());
        if fits { Ok(texts) } else { Err("must be 1 to 1000 ids") }
    };
    let texts = check.required("/ids", field, fits).unwrap_or_default();
    let read = |(at, text): (usize, String)| {
        let given = Field::Given(text);
        check.required(&format!("/ids/{at}"), given, |text| parse(&text).ok_or(ID))
    };
    let ids = texts.into_iter().enumerate().filter_map(read).collect();
    check.finish(|| Some(ids))
}

/// A whole number of which the domain knows the bounds.
pub fn count(value: i64) -> Result<u32, &'static str> {
    u32::try_from(value).map_err(|_| "must be a whole number from 0 to 4294967295")
}

/// Ports, of which the domain knows how many there may be.
pub fn ports(numbers: Vec<i64>) -> Result<Vec<u16>, &'static str> {
    let port = |number: i64| u16::try_from(number).map_err(|_| "must be ports from 1 to 65535");
    numbers.into_iter().map(port).collect()
}

/// A number of days or the like, within bounds.
pub fn whole(least: u32, most: u32) -> impl Fn(i64) -> Result<u32, String> {
    move |value| {
        let number = u32::try_from(value).ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}
