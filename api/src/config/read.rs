//! Reads keys one by one, so that every fault can be told.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use figment::Figment;
use figment::value::{Dict, Value};

use super::ConfigError;

/// Collects values and faults; afterwards it knows which keys nobody asked for.
pub struct Reader<'a> {
    figment: &'a Figment,
    known: BTreeSet<&'static str>,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(figment: &'a Figment) -> Self {
        Self { figment, known: BTreeSet::new(), faults: Vec::new() }
    }

    /// The value as text, whatever type a file or the environment gave it.
    fn raw(&mut self, key: &'static str) -> Option<String> {
        self.known.insert(key);
        let text = match self.figment.find_value(key).ok()? {
            Value::String(_, text) => Some(text),
            Value::Bool(_, flag) => Some(flag.to_string()),
            Value::Num(_, number) => number
                .to_i128()
                .map(|whole| whole.to_string())
                .or_else(|| number.to_u128().map(|whole| whole.to_string())),
            Value::Char(_, letter) => Some(letter.to_string()),
            Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
        };
        if text.is_none() {
            self.faults.push(format!("{key}: must be a text, a whole number, true or false"));
        }
        text
    }

    /// A text.
    pub fn text(&mut self, key: &'static str, default: &str) -> String {
        self.raw(key).unwrap_or_else(|| default.to_owned())
    }

    /// A text that `parse` reads; the default must be readable.
    pub fn checked<T>(
        &mut self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key, default);
        let parsed = parse(&text);
        parsed.map_err(|fault| self.faults.push(format!("{key}: {fault}"))).ok()
    }

    /// A secret, which no fault repeats.
    pub fn secret<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self.raw(key)?;
        parse(&text).map_err(|fault| self.faults.push(format!("{key}: {fault}"))).ok()
    }

    /// A whole number within bounds.
    pub fn number(&mut self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(text) = self.raw(key) else {
            return default;
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.unwrap_or_else(|| {
            let (least, most) = (range.start(), range.end());
            self.faults.push(format!("{key}: must be a whole number from {least} to {most}"));
            default
        })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(text) = self.raw(key) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.faults.push(format!("{key}: must be true or false"));
            default
        })
    }

    /// Notes a fault that concerns several keys.
    pub fn fault(&mut self, key: &str, fault: &str) {
        self.faults.push(format!("{key}: {fault}"));
    }

    /// The configuration, if nothing was wrong and nothing unknown was set.
    pub fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Result<T, ConfigError> {
        let mut set = Vec::new();
        match self.figment.extract::<Dict>() {
            Ok(all) => leaves(&all, "", &mut set),
            Err(fault) => self.faults.push(format!("the file cannot be read: {fault}")),
        }
        let unknown = set.into_iter().filter(|key| !self.known.contains(key.as_str()));
        self.faults.extend(unknown.map(|key| format!("{key}: there is no such key")));
        match build() {
            Some(config) if self.faults.is_empty() => Ok(config),
            _ => Err(ConfigError(self.faults)),
        }
    }
}

fn leaves(dict: &Dict, above: &str, into: &mut Vec<String>) {
    for (key, value) in dict {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            Value::Dict(_, below) => leaves(below, &path, into),
            _ => into.push(path),
        }
    }
}
