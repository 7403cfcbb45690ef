//! Bodies: JSON objects.

use domain::error::Violation;
use serde_json::Value;

use super::error::Failure;
use crate::http::JsonBody;

/// A JSON body of a wire type.
pub type Json<T> = JsonBody<T, Failure>;

pub const REQUIRED: &str = "is required";
pub const WHOLE: &str = "must be a whole number";

/// A number of a body, which may be spelled as a text; after a fault it names nothing.
pub fn whole(faults: &mut Vec<Violation>, member: &str, value: Option<&Value>) -> i64 {
    let (number, fault) = match value {
        None | Some(Value::Null) => (None, REQUIRED),
        Some(Value::Number(number)) => (number.as_i64(), WHOLE),
        Some(Value::String(text)) => (text.trim().parse().ok(), WHOLE),
        Some(_) => (None, WHOLE),
    };
    number.unwrap_or_else(|| {
        faults.push(Violation::new(member, fault));
        0
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_may_be_a_text() {
        for (value, expected) in
            [(json!(7), 7), (json!(" 7 "), 7), (json!(1.5), 0), (json!([7]), 0), (json!("x"), 0)]
        {
            let mut faults = Vec::new();
            assert_eq!(whole(&mut faults, "order_id", Some(&value)), expected, "{value}");
            assert_eq!(faults.is_empty(), expected > 0, "{value}");
        }
    }
}
