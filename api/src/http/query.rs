//! Query parameters, read with every fault at once.

use std::fmt::Display;

use domain::Error;
use domain::error::Violation;

/// The pairs of a query string, and what was wrong with those that were read.
///
/// A list may come joined by commas (`a=7,30`), repeated (`a=7&a=30`) or with brackets (`a[]=7`).
/// Parameters that nobody reads are ignored.
pub struct Query {
    pairs: Vec<(String, String)>,
    violations: Vec<Violation>,
}

impl Query {
    /// Reads a raw query string.
    pub fn parse(raw: &str) -> Self {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(raw);
        let mut query = Self { pairs: Vec::new(), violations: Vec::new() };
        match pairs {
            Ok(pairs) => query.pairs = pairs.into_inner(),
            Err(_) => query.fault("query", "is not a URL-encoded query string"),
        }
        query
    }

    /// Notes a fault.
    pub fn fault(&mut self, name: &str, message: impl Display) {
        let (path, message) = (name.to_owned(), message.to_string());
        self.violations.push(Violation { path, message });
    }

    /// The last value of a parameter; an empty one counts as absent.
    pub fn text(&mut self, name: &str, most: usize) -> Option<String> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name);
        let value = found.map(|(_, value)| value.trim().to_owned()).filter(|v| !v.is_empty())?;
        if value.chars().count() > most || value.contains(char::is_control) {
            self.fault(
                name,
                format!("must be at most {most} characters, none a control character"),
            );
            return None;
        }
        Some(value)
    }

    /// A parameter, read by `parse`, whose fault is what to say.
    pub fn value<T, F: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, F>,
    ) -> Option<T> {
        let text = self.text(name, 200)?;
        parse(&text).map_err(|fault| self.fault(name, fault)).ok()
    }

    /// A whole number within bounds.
    pub fn number(&mut self, name: &str, least: u32, most: u32) -> Option<u32> {
        self.value(name, |text| whole_number(text, least, most))
    }

    /// `true` or `false`; absent is `false`.
    pub fn flag(&mut self, name: &str) -> bool {
        let parse = |text: &str| match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("must be true or false"),
        };
        self.value(name, parse).unwrap_or(false)
    }

    /// A list of at most 50 values.
    pub fn list<T, F: Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, F>,
    ) -> Vec<T> {
        let bracketed = format!("{name}[]");
        let texts: Vec<String> = self
            .pairs
            .iter()
            .filter(|(key, _)| key == name || *key == bracketed)
            .flat_map(|(_, value)| value.split(','))
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect();
        if texts.len() > 50 {
            self.fault(name, "has more than 50 values");
            return Vec::new();
        }
        let mut values = Vec::new();
        for text in texts {
            match parse(&text) {
                Ok(value) => values.push(value),
                Err(fault) => self.fault(name, fault),
            }
        }
        values
    }

    /// The members of a parameter that is spelled `name[member]=value`, in the order in which they came; at
    /// most 50.
    pub fn members(&mut self, name: &str) -> Vec<(String, String)> {
        let member = |(key, value): &(String, String)| {
            let member = key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some((member.to_owned(), value.trim().to_owned()))
        };
        let members: Vec<_> = self.pairs.iter().filter_map(member).collect();
        if members.len() > 50 {
            self.fault(name, "has more than 50 members");
            return Vec::new();
        }
        members
    }

    /// Every fault, or that there is none.
    pub fn finish(self) -> Result<(), Error> {
        if self.violations.is_empty() { Ok(()) } else { Err(Error::Invalid(self.violations)) }
    }
}

/// A whole number within bounds, or what is wrong with it.
pub fn whole_number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(raw: &str) -> Vec<u32> {
        Query::parse(raw).list("days", |text| whole_number(text, 1, 100))
    }

    #[test]
    fn a_list_comes_in_three_spellings() {
        for raw in ["days=7,30", "days=7&days=30", "days[]=7&days[]=30", "days%5B%5D=7&days=30"] {
            assert_eq!(days(raw), [7, 30], "{raw}");
        }
        assert!(days("days=&other=1").is_empty());
    }

    #[test]
    fn every_fault_is_named() {
        let mut query = Query::parse("a=x&b=maybe&c=5");
        assert_eq!(query.number("a", 1, 9), None);
        assert!(!query.flag("b"));
        assert_eq!(query.number("c", 1, 9), Some(5));
        let Err(Error::Invalid(violations)) = query.finish() else { panic!("no fault") };
        let paths: Vec<_> = violations.iter().map(|v| v.path.as_str()).collect();
        assert_eq!(paths, ["a", "b"]);
    }
}
