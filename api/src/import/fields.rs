//! The named values of a row, and what is wrong with them.

use std::fmt::Display;

use domain::error::{Error, Violation};
use domain::host::HostDraft;
use domain::money::Money;
use serde_json::{Map, Value};

const MAX_TEXT: usize = 200;
const MAX_COUNT: u32 = 1_000_000_000;

/// The values of a row that are not read yet, and the faults found so far.
pub(super) struct Fields {
    values: Map<String, Value>,
    prefix: String,
    faults: Vec<String>,
}

impl Fields {
    /// Null and blank texts count as absent.
    pub(super) fn new(mut values: Map<String, Value>) -> Self {
        let blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
        values.retain(|_, value| !value.is_null() && !blank(value));
        Self { values, prefix: String::new(), faults: Vec::new() }
    }

    /// The names of the values that are not read yet, sorted: reading one moves the others about.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.values.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The value of a field, whatever it is.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    /// A field that may be absent.
    pub(super) fn want<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(name)?;
        read(&value).map_err(|fault| self.fault(name, fault)).ok()
    }

    /// A field that must be there. Without it the row fails, and `otherwise` stands in so that what
    /// else is wrong is found in the same run.
    pub(super) fn need<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Value) -> Result<T, String>,
        otherwise: T,
    ) -> T {
        if self.values.contains_key(name) {
            self.want(name, read).unwrap_or(otherwise)
        } else {
            self.fault(name, "is missing");
            otherwise
        }
    }

    /// Reads an object within the row; its faults become the row's.
    pub(super) fn within<T>(
        &mut self,
        name: &str,
        value: Value,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let Value::Object(values) = value else {
            self.fault(name, "must be an object");
            return None;
        };
        let mut inner = Self::new(values);
        inner.prefix = format!("{}{name}.", self.prefix);
        let value = read(&mut inner);
        inner.refuse_the_rest();
        let whole = inner.faults.is_empty();
        self.faults.append(&mut inner.faults);
        whole.then_some(value)
    }

    /// Notes a fault of a field.
    pub(super) fn fault(&mut self, name: &str, message: impl Display) {
        let fault = format!("{}{}: {message}", self.prefix, shown(name));
        self.faults.push(fault);
    }

    /// The draft made of these fields once the domain has checked it, or every fault.
    pub(super) fn finish(self, draft: HostDraft) -> Result<HostDraft, Vec<String>> {
        let mut faults = self.faults();
        match draft.checked() {
            Ok(draft) if faults.is_empty() => return Ok(draft),
            Ok(_) => {}
            Err(Error::Invalid(violations)) => faults.extend(violations.iter().map(spelled)),
            Err(other) => faults.push(other.to_string()),
        }
        Err(faults)
    }

    /// Every fault; a value that nobody has read is one, too.
    pub(super) fn faults(mut self) -> Vec<String> {
        self.refuse_the_rest();
        self.faults
    }

    fn refuse_the_rest(&mut self) {
        for name in self.names() {
            self.fault(&name, "is not a known field");
        }
    }
}

/// Some text, or a number's digits.
pub(super) fn text(value: &Value) -> Result<String, String> {
    let text = plain(value).ok_or("must be a text")?;
    if text.contains(char::is_control) {
        return Err("must not contain line breaks or other control characters".to_owned());
    }
    if text.chars().count() > MAX_TEXT {
        return Err(format!("must be at most {MAX_TEXT} characters"));
    }
    Ok(text)
}

/// A whole number.
pub(super) fn count(value: &Value) -> Result<u32, String> {
    let read = plain(value).and_then(|text| text.parse().ok()).filter(|count| *count <= MAX_COUNT);
    read.ok_or_else(|| {
        format!("must be a whole number of at most {MAX_COUNT}, not {}", quoted(value))
    })
}

/// `true` or `false`.
pub(super) fn flag(value: &Value) -> Result<bool, String> {
    let read = match value {
        Value::Bool(flag) => Some(*flag),
        _ => plain(value).and_then(|text| text.to_ascii_lowercase().parse().ok()),
    };
    read.ok_or_else(|| format!("must be true or false, not {}", quoted(value)))
}

/// An amount of money, read from its digits.
pub(super) fn amount(value: &Value) -> Result<Money, String> {
    let read = plain(value).and_then(|text| Money::parse(&text));
    read.ok_or_else(|| format!("must be an amount such as 70 or 70.50, not {}", quoted(value)))
}

/// One of a list of words; the fault names them.
pub(super) fn word<T>(
    parse: fn(&str) -> Result<T, String>,
) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let read = parse(&text(value)?);
        read.map_err(|known| format!("{known}, not {}", quoted(value)))
    }
}

/// Traffic in TB a month; `unlimited` is none.
pub(super) fn traffic(value: &Value) -> Result<Option<u32>, String> {
    if plain(value).is_some_and(|text| text.eq_ignore_ascii_case("unlimited")) {
        return Ok(None);
    }
    count(value).map(Some).map_err(|fault| format!("{fault}; or `unlimited`"))
}

/// A text as it may stand in a fault, cut where it is long.
pub(super) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() { format!("{cut}…") } else { cut }
}

fn quoted(value: &Value) -> String {
    let text = plain(value).unwrap_or_else(|| value.to_string());
    format!("`{}`", shown(&text))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A fault of the domain under the name of the row's field: `/specs/location/city` is `city`.
fn spelled(violation: &Violation) -> String {
    let path = violation.path.trim_start_matches('/');
    let path = path.strip_prefix("specs/").unwrap_or(path);
    let name = match path {
        "cpu/score/value" => "cpu_score".to_owned(),
        _ => ["location/", "network/"]
            .iter()
            .find_map(|group| path.strip_prefix(group))
            .unwrap_or(path)
            .replace('/', "_"),
    };
    format!("{name}: {}", violation.message)
}
