mod auction;
mod files;
mod instance_types;
mod own;
mod round_trip;

use super::*;

/// The faults of the rows of a text, each with its line.
fn faults(text: &str, format: Format) -> Vec<(usize, Vec<String>)> {
    let rows = parse(text, format).unwrap();
    rows.into_iter().filter_map(|row| Some((row.line, row.outcome.err()?))).collect()
}

/// The only row of a text, which has no fault.
fn only(text: &str, format: Format) -> HostDraft {
    let mut rows = parse(text, format).unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0).outcome.unwrap()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
