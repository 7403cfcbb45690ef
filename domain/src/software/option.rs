//! What is chosen when software is installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::Violation;
use crate::inside::{MOST_BYTES, MOST_VALUE_BYTES};
use crate::text::{ONE_LINE_OF_100, line};

/// The most options of one software.
pub const MOST_OPTIONS: usize = 32;
/// The most values that one of them lists.
const MOST_VALUES: usize = 100;
/// The most bytes of all options' texts together, as every list shows them.
const MOST_TEXT_BYTES: usize = 16 * 1024;
/// Variables that a shell or the loader of programs goes by, and not an option.
const RESERVED: [&str; 9] =
    ["path", "home", "ifs", "env", "shell", "pwd", "user", "ps4", "bash_env"];

/// Something that whoever installs software chooses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftwareOption {
    /// Names it in a configuration, and in upper case for the scripts: 1 to 64 of `a-z0-9_`, a letter first.
    pub key: String,
    /// For people, 1 to 100 characters.
    pub name: String,
    /// What its values are like.
    pub kind: OptionKind,
    /// What it is if nothing is said; without one, something must be.
    pub default_value: Option<String>,
    /// What it may be, if that is not open: at most 100 values.
    pub possible_values: Vec<String>,
}

/// What the values of an option are like. All of them are texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionKind {
    /// Any, of at most 4096 bytes.
    Text,
    /// One of the values that the option lists.
    Select,
    /// A decimal number, such as `-1.5`, of at most 32 characters.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl OptionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Text, Self::Select, Self::Number, Self::Boolean];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Select => "select",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn fault(self, value: &str) -> Option<&'static str> {
        match self {
            Self::Text | Self::Select => (value.len() > MOST_VALUE_BYTES || value.contains('\0'))
                .then_some("must be at most 4096 bytes without the character U+0000"),
            Self::Number => (!is_number(value)).then_some("must be a decimal number, such as 1.5"),
            Self::Boolean => {
                (!["true", "false"].contains(&value)).then_some("must be true or false")
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    text.len() <= 32 && digits(whole) && digits(fraction)
}

/// The environment variable by which scripts see an option: its key in upper case, so that
/// `python_version` is `PYTHON_VERSION`.
pub fn variable(key: &str) -> String {
    key.to_ascii_uppercase()
}

fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&key.len())
        && key.bytes().all(plain)
        && key.starts_with(|first: char| first.is_ascii_lowercase())
}

impl SoftwareOption {
    /// What is wrong with a value for it.
    fn fault(&self, value: &str) -> Option<String> {
        if let Some(fault) = self.kind.fault(value) {
            return Some(fault.to_owned());
        }
        let known = &self.possible_values;
        let is_known = known.is_empty() || known.iter().any(|possible| possible == value);
        (!is_known).then(|| format!("must be one of {}", known.join(", ")))
    }

    fn violations(&self, at: usize, violations: &mut Vec<Violation>) {
        let mut fault = |field: &str, message: &str| {
            violations.push(Violation::new(format!("/options/{at}/{field}"), message));
        };
        if !is_key(&self.key) {
            fault("key", "must be 1 to 64 of a-z, 0-9 and _, a letter first");
        } else if RESERVED.contains(&self.key.as_str()) || self.key.starts_with("ld_") {
            fault("key", "is the name of a variable that shells and programs go by; use another");
        }
        if line(&self.name, 100).is_none() {
            fault("name", ONE_LINE_OF_100);
        }
        if let Some(message) = self.values_fault() {
            fault("possible_values", message);
        } else if let Some(message) = self.default_value.as_ref().and_then(|v| self.fault(v)) {
            fault("default_value", &message);
        }
    }

    fn values_fault(&self) -> Option<&'static str> {
        let values = &self.possible_values;
        // Surfaces exist that join them with commas.
        let good = |value: &String| {
            line(value, 255) == Some(value.as_str())
                && !value.contains(',')
                && self.kind.fault(value).is_none()
        };
        let different: BTreeSet<&String> = values.iter().collect();
        if values.len() > MOST_VALUES || different.len() < values.len() {
            return Some("must be at most 100 values, none twice");
        }
        if !values.iter().all(good) {
            return Some(
                "must each be of the option's type, and 1 to 255 characters without comma",
            );
        }
        match self.kind {
            OptionKind::Select if values.is_empty() => Some("is required for a select"),
            OptionKind::Boolean if !values.is_empty() => Some("is not for a boolean"),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        let values = self.possible_values.iter().chain(&self.default_value).map(String::len);
        self.key.len() + self.name.len() + values.sum::<usize>()
    }
}

/// What is wrong with the options of a software.
pub(super) fn options_violations(options: &[SoftwareOption], violations: &mut Vec<Violation>) {
    let mut fault = |message: &str| violations.push(Violation::new("/options", message));
    if options.len() > MOST_OPTIONS {
        return fault("must be at most 32 options");
    }
    let keys: BTreeSet<&String> = options.iter().map(|option| &option.key).collect();
    if keys.len() < options.len() {
        fault("must have no key twice");
    }
    if options.iter().map(SoftwareOption::bytes).sum::<usize>() > MOST_TEXT_BYTES {
        fault("must be at most 16 KiB of text together");
    }
    for (at, option) in options.iter().enumerate() {
        option.violations(at, violations);
    }
}

/// The value of every option: what was chosen, else its default. Each fault is at `/config/<key>`.
pub(crate) fn configured(
    options: &[SoftwareOption],
    chosen: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<Violation>> {
    let too_much = chosen.values().map(String::len).sum::<usize>() > MOST_BYTES;
    if chosen.len() > MOST_OPTIONS || too_much {
        let message = "must be at most 32 values, of 64 KiB together";
        return Err(vec![Violation::new("/config", message)]);
    }
    let mut violations = Vec::new();
    // As a JSON pointer spells what a key must not have.
    let path = |key: &str| format!("/config/{}", key.replace('~', "~0").replace('/', "~1"));
    for key in chosen.keys().filter(|key| !options.iter().any(|option| option.key == **key)) {
        violations.push(Violation::new(path(key), "is no option of this software"));
    }
    let mut config = BTreeMap::new();
    for option in options {
        let given = chosen.get(&option.key).or(option.default_value.as_ref());
        let fault = match given {
            None => Some("is required".to_owned()),
            Some(value) => option.fault(value),
        };
        violations.extend(fault.map(|message| Violation::new(path(&option.key), message)));
        config.extend(given.map(|value| (option.key.clone(), value.clone())));
    }
    if violations.is_empty() { Ok(config) } else { Err(violations) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(kind: OptionKind, default: Option<&str>, possible: &[&str]) -> SoftwareOption {
        SoftwareOption {
            key: "it".to_owned(),
            name: "It".to_owned(),
            kind,
            default_value: default.map(str::to_owned),
            possible_values: possible.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    fn paths(options: &[SoftwareOption]) -> Vec<String> {
        let mut violations = Vec::new();
        options_violations(options, &mut violations);
        violations.into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn a_number_is_decimal() {
        for text in ["0", "-1", "3.14", "007", "-0.5", &"1".repeat(32)] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", ".5", "1.", "1e3", "+1", " 1", "1,5", "0x1", &"1".repeat(33)] {
            assert!(!is_number(text), "{text}");
        }
    }

    #[test]
    fn a_key_is_the_name_of_a_variable_that_nothing_else_goes_by() {
        for key in ["a", "python_version", "x1", &"k".repeat(64)] {
            assert_eq!(
                paths(&[SoftwareOption { key: key.to_owned(), ..text() }]),
                [""; 0],
                "{key}"
            );
        }
        let long = "k".repeat(65);
        for key in ["", "A", "1a", "_a", "a-b", "a=b", "ä", "path", "ld_preload", &long] {
            let faulty = SoftwareOption { key: key.to_owned(), ..text() };
            assert_eq!(paths(&[faulty]), ["/options/0/key"], "{key}");
        }
        assert_eq!(paths(&[text(), text()]), ["/options"], "a key twice");
        assert_eq!(variable("python_version"), "PYTHON_VERSION");
    }

    fn text() -> SoftwareOption {
        option(OptionKind::Text, None, &[])
    }

    #[test]
    fn values_fit_their_option() {
        let values = ["/options/0/possible_values"];
        let default = ["/options/0/default_value"];
        for (faulty, expected) in [
            (option(OptionKind::Select, None, &[]), values),
            (option(OptionKind::Select, None, &["a", "a"]), values),
            (option(OptionKind::Select, None, &["a,b"]), values),
            (option(OptionKind::Select, None, &[" a"]), values),
            (option(OptionKind::Select, None, &[""]), values),
            (option(OptionKind::Number, None, &["a"]), values),
            (option(OptionKind::Boolean, None, &["true"]), values),
            (option(OptionKind::Select, Some("b"), &["a"]), default),
            (option(OptionKind::Number, Some("one"), &[]), default),
            (option(OptionKind::Number, Some("2"), &["1"]), default),
            (option(OptionKind::Boolean, Some("yes"), &[]), default),
            (option(OptionKind::Text, Some("a\0"), &[]), default),
        ] {
            assert_eq!(paths(std::slice::from_ref(&faulty)), expected, "{faulty:?}");
        }
        assert_eq!(paths(&[option(OptionKind::Boolean, Some("true"), &[])]), [""; 0]);
        let large = option(OptionKind::Text, Some(&"x".repeat(4_096)), &[]);
        let keyed = |at: usize| SoftwareOption { key: format!("k{at}"), ..large.clone() };
        let many: Vec<_> = (0..4).map(keyed).collect();
        assert_eq!(paths(&many), ["/options"], "16 KiB of text");
        let many: Vec<_> =
            (0..33).map(|at| SoftwareOption { key: format!("k{at}"), ..text() }).collect();
        assert_eq!(paths(&many), ["/options"]);
        assert_eq!(paths(&many[..32]), [""; 0]);
    }

    #[test]
    fn what_is_not_chosen_is_the_default() {
        let options = [
            SoftwareOption { key: "a".to_owned(), ..option(OptionKind::Number, Some("1"), &[]) },
            SoftwareOption { key: "b".to_owned(), ..text() },
        ];
        let chosen = |pairs: &[(&str, &str)]| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect::<BTreeMap<_, _>>()
        };
        let config = configured(&options, &chosen(&[("b", "")])).unwrap();
        assert_eq!(config, chosen(&[("a", "1"), ("b", "")]));
        let faults = configured(&options, &chosen(&[("a", "x"), ("c/~", "1")])).unwrap_err();
        let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(paths, ["/config/c~1~0", "/config/a", "/config/b"]);
        let long = chosen(&[("b", &"x".repeat(MOST_BYTES + 1))]);
        assert_eq!(configured(&options, &long).unwrap_err()[0].path, "/config");
    }
}
