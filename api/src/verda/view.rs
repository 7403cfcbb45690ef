//! What all answers have in common.

use std::collections::BTreeSet;
use std::fmt::Display;

use actix_web::HttpResponse;
use domain::clock::Timestamp;
use domain::money::Money;
use serde::Deserialize;
use serde_json::Number;

use super::error::{Code, Failure};

/// An amount as a JSON number, which this API's clients read as a float: exact to 15 digits.
pub fn amount(money: Money) -> Number {
    number(&money.to_string())
}

/// A decimal number as a JSON number, as near as a float is.
pub fn number(decimal: &str) -> Number {
    let float = decimal.parse().unwrap_or_default();
    Number::from_f64(float).unwrap_or_else(|| Number::from(0))
}

/// The bare id of something new: clients take the body as it is.
pub fn made(id: impl Display) -> HttpResponse {
    HttpResponse::Created().content_type("application/json").body(id.to_string())
}

/// An instant in RFC 3339, to the millisecond.
pub fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// One id or several, as deletions and actions take them.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// The ids, at most 1,000, each once, and maybe none at all; `None` where one is no id.
    pub fn ids<Id: Ord>(
        self,
        parse: impl Fn(&str) -> Option<Id>,
    ) -> Result<Option<BTreeSet<Id>>, Failure> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        if texts.len() > 1_000 {
            return Err(Failure::Told(Code::InvalidRequest, "at most 1000 ids are taken at once"));
        }
        Ok(texts.iter().map(|text| parse(text)).collect())
    }
}
