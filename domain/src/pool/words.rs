//! The texts of a pool. Each is checked once, here.

use serde_json::{Map, Value};

use crate::text::{ONE_LINE_OF_100, line, text};

text!(
    /// A pool's name: 1 to 100 characters, no control characters.
    PoolName
);

text!(
    /// What a pool is for: at most 500 characters.
    PoolDescription
);

text!(
    /// The name of something that a pool keeps: 1 to 100 characters, no control characters.
    Label
);

impl Label {
    /// Checks a name; surrounding blanks are cut.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        line(text, 100).map(|text| Self(text.to_owned())).ok_or(ONE_LINE_OF_100)
    }
}

impl PoolName {
    /// Checks a name; surrounding blanks are cut.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let name = line(text, 100).map(|text| Self(text.to_owned()));
        name.ok_or("a pool's name is 1 to 100 characters without control characters")
    }
}

impl PoolDescription {
    /// Checks a description. Line breaks are fine, a NUL is not (PostgreSQL cannot keep it).
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().count() > 500 || text.contains('\0') {
            return Err("a pool's description is at most 500 characters");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A JSON object that the pool's programs keep with it, at most 16 KiB and 32 levels deep.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSettings(Map<String, Value>);

impl PoolSettings {
    /// No settings.
    pub fn empty() -> Self {
        Self(Map::new())
    }

    /// Checks settings.
    pub fn parse(settings: Map<String, Value>) -> Result<Self, &'static str> {
        let settings = Value::Object(settings);
        if settings.to_string().len() > 16 * 1024 {
            return Err("a pool's settings are at most 16 KiB of JSON");
        }
        if depth(&settings) > MAX_DEPTH {
            return Err("a pool's settings are at most 32 levels deep");
        }
        match settings {
            Value::Object(settings) if !settings.iter().any(entry_holds_nul) => Ok(Self(settings)),
            _ => Err("a pool's settings cannot hold the character U+0000"),
        }
    }

    /// The settings that were stored after they had been checked.
    pub const fn from_stored(settings: Map<String, Value>) -> Self {
        Self(settings)
    }

    /// The settings.
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// What every JSON parser can still read when it stands in an answer of ours.
const MAX_DEPTH: usize = 32;

fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(map) => map.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    below.unwrap_or(0).saturating_add(1)
}

/// Whether a text or a key anywhere in the value has the character that PostgreSQL cannot keep.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(map) => map.iter().any(entry_holds_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn entry_holds_nul((key, value): (&String, &Value)) -> bool {
    key.contains('\0') || holds_nul(value)
}
