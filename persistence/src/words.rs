//! Enumerations of the domain as the words that are stored: those of their serde names; and texts that are
//! looked for.

use sea_orm::sea_query::{Expr, ExprTrait, IntoColumnRef, LikeExpr};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Result, corrupt};

/// The stored word of a unit variant.
pub(crate) fn word(value: impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(corrupt("a word")),
    }
}

/// The variant of a stored word.
pub(crate) fn from_word<T: DeserializeOwned>(word: &str) -> Result<T> {
    serde_json::from_value(Value::from(word)).map_err(|_| corrupt(word))
}

/// The value of a stored JSON document.
pub(crate) fn from_json<T: DeserializeOwned>(json: Value) -> Result<T> {
    serde_json::from_value(json).map_err(|error| corrupt(&error.to_string()))
}

/// The value of a stored JSON document that was selected as text.
pub(crate) fn from_text<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| corrupt(&error.to_string()))
}

/// A value as a JSON document to be stored.
pub(crate) fn to_json(value: impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(domain::Error::internal)
}

/// A stored whole number in the size that the domain gives it.
pub(crate) fn number<T: TryFrom<i64>>(stored: i64) -> Result<T> {
    T::try_from(stored).map_err(|_| corrupt("a number"))
}

/// Whether a column contains a text, whatever characters that has. Case counts on PostgreSQL, so both are in
/// lower case.
pub(crate) fn contains(column: impl IntoColumnRef, text: &str) -> Expr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Expr::col(column).like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
}
