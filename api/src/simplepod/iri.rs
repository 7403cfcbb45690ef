//! References: paths such as `/instances/market/104`, or the number alone, and the names of instances.

use domain::instance::InstanceId;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A row of the marketplace is named by its offer's number and, in the last two digits, how many graphics
/// processors it is.
const ROWS: i64 = 100;

/// What a row of the marketplace is called.
pub fn market_row(offer: i64, gpus: u32) -> i64 {
    offer.saturating_mul(ROWS).saturating_add(gpus.into())
}

/// The offer of a row of the marketplace, and how many graphics processors it is.
pub fn of_market_row(row: i64) -> Option<(i64, u32)> {
    let gpus = u32::try_from(row.checked_rem_euclid(ROWS)?).ok()?;
    Some((row.checked_div_euclid(ROWS)?, gpus))
}

/// The path of a row of the marketplace; thousands of them are written at once.
pub struct MarketPath(pub i64);

impl Serialize for MarketPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("/instances/market/{}", self.0))
    }
}

/// The number at the end of a path that begins so, or the number alone.
pub fn number(reference: &Value, prefixes: &[&str]) -> Option<i64> {
    match reference {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let path = text.trim();
            let below = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix));
            below.unwrap_or(path).parse().ok()
        }
        _ => None,
    }
    .filter(|number| *number > 0)
}

/// What names an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Number(i64),
    Id(InstanceId),
}

/// Before the id of an instance.
const HASH: &str = "rri_";
/// Before the letters of its number.
const SUPPORT: &str = "V_";
const LETTERS: i64 = 26;
/// The fewest letters.
const WIDTH: usize = 4;

/// What an instance is called by its id.
pub fn hash_id(id: InstanceId) -> String {
    format!("{HASH}{id}")
}

/// What support calls an instance: its number in letters.
pub fn support_id(number: i64) -> String {
    let (mut letters, mut rest) = (Vec::new(), number);
    while rest > 0 || letters.len() < WIDTH {
        let letter = u8::try_from(rest.rem_euclid(LETTERS)).unwrap_or_default();
        letters.push(char::from(b'a' + letter));
        rest = rest.div_euclid(LETTERS);
    }
    format!("{SUPPORT}{}", letters.iter().rev().collect::<String>())
}

/// Reads a number, a path that ends in one, or one of the names.
pub fn instance(reference: &Value) -> Option<Named> {
    let Value::String(text) = reference else {
        return number(reference, &[]).map(Named::Number);
    };
    let text = text.trim();
    let text = text.strip_prefix("/instances/").unwrap_or(text);
    if let Some(id) = text.strip_prefix(HASH) {
        return InstanceId::parse(id).map(Named::Id);
    }
    if let Some(letters) = text.strip_prefix(SUPPORT) {
        return of_letters(letters).map(Named::Number);
    }
    number(&Value::from(text), &[]).map(Named::Number)
}

fn of_letters(letters: &str) -> Option<i64> {
    if letters.len() < WIDTH {
        return None;
    }
    letters.bytes().try_fold(0_i64, |number, letter| {
        let letter = letter.is_ascii_lowercase().then(|| i64::from(letter - b'a'))?;
        number.checked_mul(LETTERS)?.checked_add(letter)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_an_offer_and_a_count() {
        assert_eq!(of_market_row(market_row(12, 4)), Some((12, 4)));
        let prefixes = ["/instances/market/"];
        for reference in [json!(1204), json!("1204"), json!("/instances/market/1204")] {
            assert_eq!(number(&reference, &prefixes), Some(1204));
        }
        for odd in
            [json!("/instances/1204"), json!(0), json!(-1), json!(null), json!("x"), json!([])]
        {
            assert_eq!(number(&odd, &prefixes), None, "{odd}");
        }
    }

    #[test]
    fn an_instance_has_three_names() {
        for number in [1, 25, 26, 456_975, 456_976, i64::MAX] {
            let named = instance(&json!(support_id(number)));
            assert_eq!(named, Some(Named::Number(number)), "{}", support_id(number));
        }
        assert_eq!(support_id(3), "V_aaad");
        let id = InstanceId::parse("507f1f77bcf86cd799439701").unwrap();
        assert_eq!(instance(&json!(hash_id(id))), Some(Named::Id(id)));
        assert_eq!(instance(&json!("/instances/7")), Some(Named::Number(7)));
        for odd in ["", "V_", "V_abc", "V_ABCD", "V_zzzzzzzzzzzzzzzz", "rri_", "rri_x", "seven"] {
            assert_eq!(instance(&json!(odd)), None, "{odd}");
        }
    }
}
