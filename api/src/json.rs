//! Reads JSON of others.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Keys with this prefix mean something to `serde_json` itself: under one of them it parses a text
/// as JSON, with a new limit of depth, so that a few kilobytes overflow the stack.
const RESERVED: &str = "$serde_json::private::";

/// The value that a text spells. Refuses nesting deeper than 128, a key that comes twice, and keys
/// that are reserved.
pub fn read(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Plain.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is too large"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key.starts_with(RESERVED) {
                return Err(A::Error::custom("a key is reserved"));
            }
            let value = entries.next_value_seed(Self)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("{key}: is given twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_is_read_as_it_is() {
        let text = r#" {"b":[1,-2,2.5,"x\u00e9",null,true,{"a":18446744073709551615}]} "#;
        assert_eq!(read(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    // Seen overflowing the stack of the whole program when `serde_json` read it into a `Value`.
    #[test]
    fn json_within_json_is_not_followed() {
        let mut text = "1".to_owned();
        for _ in 0..8 {
            let inner = format!("{}{text}{}", "[".repeat(120), "]".repeat(120));
            let quoted = serde_json::to_string(&inner).unwrap();
            text = format!(r#"{{"{RESERVED}RawValue":{quoted}}}"#);
        }
        assert!(read(text.as_bytes()).is_err());
        let escaped = text.replacen('$', "\\u0024", 1);
        assert!(read(escaped.as_bytes()).is_err());
    }

    #[test]
    fn what_is_deep_double_or_unfinished_is_refused() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [&deep, r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#, "{} {}", "{", "", "1e400"]
        {
            assert!(read(text.as_bytes()).is_err(), "{text:.20}");
        }
    }
}
