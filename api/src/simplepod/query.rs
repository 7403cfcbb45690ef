//! Query parameters as this API spells them: `sla[gte]`, `order[sla]`.

use domain::gpu_offer::Range;

use crate::http::Query;

/// Items of a page of most lists, where their number is not asked for: that of the document's examples.
pub const PAGE_SIZE: u32 = 100;

/// A range of whole numbers within bounds, from `name[gte]` to `name[lte]`.
pub fn range(query: &mut Query, name: &str, (least, most): (u32, u32)) -> Range<i64> {
    let mut bound = |end: &str| query.number(&format!("{name}[{end}]"), least, most);
    Range { min: bound("gte").map(i64::from), max: bound("lte").map(i64::from) }
}

/// The same in hundredths.
pub fn hundredfold(range: Range<i64>) -> Range<i64> {
    let times = |number: i64| number.saturating_mul(100);
    Range { min: range.min.map(times), max: range.max.map(times) }
}

/// Which page, the first one by default, and how many items it has, all that fit by default: what to skip,
/// and how many to take.
pub fn part(query: &mut Query, by_default: u32) -> (u32, u32) {
    let page = query.number("page", 1, 1_000_000).unwrap_or(1);
    let size = query.number("itemsPerPage", 1, 1_000).unwrap_or(by_default);
    ((page - 1).saturating_mul(size), size)
}
