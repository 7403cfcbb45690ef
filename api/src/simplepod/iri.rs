//! References: paths such as `/instances/market/104`, or the number alone.

/// A row of the marketplace is named by its offer's number and, in the last two digits, how many graphics
/// processors it is.
const ROWS: i64 = 100;

/// What a row of the marketplace is called.
pub fn market_row(offer: i64, gpus: u32) -> i64 {
    offer.saturating_mul(ROWS).saturating_add(gpus.into())
}

/// The path of a row of the marketplace.
pub fn market(row: i64) -> String {
    format!("/instances/market/{row}")
}
