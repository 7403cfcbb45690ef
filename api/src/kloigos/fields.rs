//! Faults of requests, in the framework's shape and words.

use serde_json::{Map, Value, json};

/// One fault: which rule, where, what it says, and what was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault(Value);

impl Fault {
    pub fn new(kind: &str, at: &[Value], message: &str, input: &Value) -> Self {
        Self(json!({ "type": kind, "loc": at, "msg": message, "input": input }))
    }

    /// With what the framework tells besides.
    pub fn with(mut self, context: Value) -> Self {
        if let Value::Object(fault) = &mut self.0 {
            fault.insert("ctx".to_owned(), context);
        }
        self
    }

    /// A rule of ours that the framework knows nothing of.
    pub fn of_value(at: &[Value], message: &str, input: &Value) -> Self {
        let fault = Self::new("value_error", at, &format!("Value error, {message}"), input);
        fault.with(json!({ "error": {} }))
    }

    pub fn into_json(self) -> Value {
        self.0
    }
}

/// The most faults that are told of one request.
const MOST_FAULTS: usize = 100;
const STRING: (&str, &str) = ("string_type", "Input should be a valid string");

/// The members of a body, read one after the other with every fault.
pub struct Members<'a> {
    all: &'a Map<String, Value>,
    faults: Vec<Fault>,
}

impl<'a> Members<'a> {
    pub fn new(all: &'a Map<String, Value>) -> Self {
        Self { all, faults: Vec::new() }
    }

    fn at(name: &str) -> Vec<Value> {
        vec![json!("body"), json!(name)]
    }

    fn refuse(&mut self, at: &[Value], (kind, message): (&str, &str), input: &Value) {
        // A body can have half a million of them.
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault::new(kind, at, message, input));
        }
    }

    /// A member that must be there, null or not.
    fn required(&mut self, name: &str) -> Option<&'a Value> {
        let found = self.all.get(name);
        if found.is_none() {
            let input = Value::Object(self.all.clone());
            self.refuse(&Self::at(name), ("missing", "Field required"), &input);
        }
        found
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.required(name)?;
        self.as_text(&Self::at(name), value)
    }

    /// A text that may be left out or null.
    pub fn text_or_null(&mut self, name: &str) -> Option<String> {
        let value = self.all.get(name).filter(|value| !value.is_null())?;
        self.as_text(&Self::at(name), value)
    }

    fn as_text(&mut self, at: &[Value], value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.refuse(at, STRING, value);
        }
        text
    }

    /// A whole number that may be left out for its default, or null for none.
    pub fn whole_or_null(&mut self, name: &str, default: i64) -> Option<i64> {
        match self.all.get(name) {
            None => Some(default),
            Some(Value::Null) => None,
            Some(value) => match whole(value) {
                Ok(number) => Some(number),
                Err(fault) => {
                    self.refuse(&Self::at(name), fault, value);
                    None
                }
            },
        }
    }

    /// A list of at most so many texts that must be there.
    pub fn texts(&mut self, name: &str, most: usize) -> Vec<String> {
        let Some(value) = self.required(name) else { return Vec::new() };
        let Some(items) = value.as_array() else {
            self.refuse(&Self::at(name), LIST, value);
            return Vec::new();
        };
        if items.len() > most {
            let count = items.len();
            let message =
                format!("List should have at most {most} items after validation, not {count}");
            self.refuse(&Self::at(name), ("too_long", &message), &Value::Null);
            return Vec::new();
        }
        let mut texts = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let mut at = Self::at(name);
            at.push(json!(number));
            texts.extend(self.as_text(&at, item));
        }
        texts
    }

    /// Labels that must be there: null, or texts, whole numbers or lists of texts by name.
    pub fn labels_or_null(&mut self, name: &str) -> Option<Map<String, Value>> {
        let value = self.required(name).filter(|value| !value.is_null())?;
        let Some(labels) = value.as_object() else {
            let kind = ("dict_type", "Input should be a valid dictionary");
            self.refuse(&Self::at(name), kind, value);
            return None;
        };
        let mut read = Map::new();
        for (key, value) in labels {
            if let Some(label) = self.label((name, key), value) {
                read.insert(key.clone(), label);
            }
        }
        Some(read)
    }

    /// One label; where it is none of the three, a fault for each.
    fn label(&mut self, (name, key): (&str, &str), value: &Value) -> Option<Value> {
        let is_texts = |items: &Vec<Value>| items.iter().all(Value::is_string);
        if value.is_string() || value.as_array().is_some_and(is_texts) {
            return Some(value.clone());
        }
        let at = |kind: &str| {
            let mut at = Self::at(name);
            at.extend([json!(key), json!(kind)]);
            at
        };
        let number = whole(value);
        if let Ok(number) = number {
            return Some(json!(number));
        }
        self.refuse(&at("str"), STRING, value);
        self.refuse(&at("int"), number.err().unwrap_or(WHOLE), value);
        match value.as_array() {
            None => self.refuse(&at("list[str]"), LIST, value),
            Some(items) => {
                for (number, item) in items.iter().enumerate().filter(|(_, item)| !item.is_string())
                {
                    let mut at = at("list[str]");
                    at.push(json!(number));
                    self.refuse(&at, STRING, item);
                }
            }
        }
        None
    }

    /// Every fault, if there is one.
    pub fn finish(self) -> Result<(), Vec<Fault>> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

const LIST: (&str, &str) = ("list_type", "Input should be a valid list");
const WHOLE: (&str, &str) = ("int_type", "Input should be a valid integer");
const NO_WHOLE_TEXT: (&str, &str) =
    ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
const FRACTION: (&str, &str) =
    ("int_from_float", "Input should be a valid integer, got a number with a fractional part");
const TOO_LARGE: (&str, &str) =
    ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");

/// A whole number, as the framework reads one: also of a text, of a number whose fraction is nothing, and of
/// true and false.
fn whole(value: &Value) -> Result<i64, (&'static str, &'static str)> {
    match value {
        Value::Bool(is_one) => Ok((*is_one).into()),
        Value::String(text) => whole_text(text),
        Value::Number(number) => match (number.as_i64(), number.is_f64()) {
            (Some(whole), _) => Ok(whole),
            (None, true) => whole_float(&number.to_string()),
            (None, false) => Err(TOO_LARGE),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(WHOLE),
    }
}

/// The same of a text.
pub fn whole_text(text: &str) -> Result<i64, (&'static str, &'static str)> {
    // As `1_000` and `4.0` mean whole numbers there, too.
    let text = text.trim().replace('_', "");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) if is_whole => Err(TOO_LARGE),
        Err(_) => Err(NO_WHOLE_TEXT),
    }
}

fn whole_float(text: &str) -> Result<i64, (&'static str, &'static str)> {
    let whole = text.strip_suffix(".0").ok_or(FRACTION)?;
    whole.parse().map_err(|_| TOO_LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_the_framework_reads_them() {
        for (value, expected) in [
            (json!(4), Ok(4)),
            (json!(-4), Ok(-4)),
            (json!("4"), Ok(4)),
            (json!(" 4 "), Ok(4)),
            (json!(4.0), Ok(4)),
            (json!(true), Ok(1)),
            (json!(4.5), Err(FRACTION)),
            (json!("4.0"), Ok(4)),
            (json!("1_000"), Ok(1_000)),
            (json!("4.5"), Err(NO_WHOLE_TEXT)),
            (json!("four"), Err(NO_WHOLE_TEXT)),
            (json!(""), Err(NO_WHOLE_TEXT)),
            (json!([4]), Err(WHOLE)),
            (json!(u64::MAX), Err(TOO_LARGE)),
            (json!("99999999999999999999"), Err(TOO_LARGE)),
        ] {
            assert_eq!(whole(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_label_that_is_none_of_the_three_has_a_fault_for_each() {
        let body = json!({ "tags": { "a": 1.5, "b": ["x", 1], "c": "x", "d": 7, "e": ["x"] } });
        let mut members = Members::new(body.as_object().unwrap());
        let read = members.labels_or_null("tags").unwrap();
        assert_eq!(Value::Object(read), json!({ "c": "x", "d": 7, "e": ["x"] }));
        let faults = members.finish().unwrap_err();
        let at: Vec<Value> =
            faults.into_iter().map(|fault| fault.into_json()["loc"].clone()).collect();
        assert_eq!(
            at,
            [
                json!(["body", "tags", "a", "str"]),
                json!(["body", "tags", "a", "int"]),
                json!(["body", "tags", "a", "list[str]"]),
                json!(["body", "tags", "b", "str"]),
                json!(["body", "tags", "b", "int"]),
                json!(["body", "tags", "b", "list[str]", 1]),
            ]
        );
    }
}
