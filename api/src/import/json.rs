//! Rows of a JSON file, each with its line.

use serde::de::IgnoredAny;
use serde_json::{Error, Value};

use super::fields::Fields;
use super::lines::Lines;
use super::{ImportError, Record, Shape};
use crate::json;

const NOT_AN_ARRAY: &str = "it must be one array, [ {…}, {…} ]";

/// Every element of the array as a row.
pub(super) fn rows(text: &str) -> Result<Vec<Record>, ImportError> {
    let mut array = Cursor { text, at: 0, lines: Lines::new(text.as_bytes()) };
    let mut records = Vec::new();
    array.expect('[', NOT_AN_ARRAY)?;
    if !array.eat(']') {
        loop {
            let (line, element) = array.element()?;
            records.push(record(line, element));
            if array.eat(']') {
                break;
            }
            array.expect(',', "a comma, or the array's closing bracket, is missing before this")?;
        }
    }
    if array.rest().is_empty() { Ok(records) } else { Err(array.fault(NOT_AN_ARRAY)) }
}

fn record(line: usize, element: &str) -> Record {
    match json::read(element.as_bytes()) {
        Ok(Value::Object(values)) => {
            let shape = Shape::of(values.keys().map(String::as_str));
            Record::new(line, shape, Fields::new(values))
        }
        Ok(_) => Record::faulty(line, "must be a server as an object".to_owned()),
        Err(error) => {
            let at = line + error.line().saturating_sub(1);
            let place = if at == line { String::new() } else { format!(" (line {at})") };
            Record::faulty(line, format!("{}{place}", reason(&error)))
        }
    }
}

/// A place between the elements of the array.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    lines: Lines<'a>,
}

impl<'a> Cursor<'a> {
    /// What follows, without leading blanks.
    fn rest(&mut self) -> &'a str {
        let text = self.text.get(self.at..).unwrap_or_default();
        let rest = text.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += text.len() - rest.len();
        rest
    }

    fn eat(&mut self, mark: char) -> bool {
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len_utf8();
        }
        found
    }

    fn expect(&mut self, mark: char, otherwise: &str) -> Result<(), ImportError> {
        if self.eat(mark) { Ok(()) } else { Err(self.fault(otherwise)) }
    }

    /// The text of the next value and its line.
    fn element(&mut self) -> Result<(usize, &'a str), ImportError> {
        let rest = self.rest();
        let line = self.lines.line_at(self.at);
        // This only finds the value's end, at any depth of nesting without recursion.
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(IgnoredAny)) => {
                let length = values.byte_offset();
                self.at += length;
                Ok((line, rest.get(..length).unwrap_or_default().trim_end()))
            }
            Some(Err(error)) => {
                let line = line + error.line().saturating_sub(1);
                Err(ImportError::NotJson { line, reason: reason(&error) })
            }
            None => Err(self.fault("the array is not closed")),
        }
    }

    fn fault(&mut self, reason: &str) -> ImportError {
        ImportError::NotJson { line: self.lines.line_at(self.at), reason: reason.to_owned() }
    }
}

/// The message of an error without its place, which counts from the element's beginning.
fn reason(error: &Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
}
