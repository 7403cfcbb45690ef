//! Rows of a CSV file, each with its line.

use std::collections::HashSet;

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Value};

use super::fields::{Fields, shown};
use super::lines::Lines;
use super::{ImportError, Record, Shape, auction, own};

/// A header that is no header at all has a fault in every cell; these are enough to see it.
const MAX_HEADER_FAULTS: usize = 20;

/// Every row below the header.
pub(super) fn rows(text: &str) -> Result<Vec<Record>, ImportError> {
    let mut sheet = Sheet::new(text);
    let (line, header) = sheet.next()?.ok_or_else(|| ImportError::Header {
        line: 1,
        faults: vec!["the file is empty; its first line must name the columns".to_owned()],
    })?;
    let shape = Shape::of(header.iter());
    let faults = header_faults(shape, &header);
    if !faults.is_empty() {
        return Err(ImportError::Header { line, faults });
    }
    let mut records = Vec::new();
    while let Some((line, cells)) = sheet.next()? {
        if cells.len() != header.len() {
            let (found, wanted) = (cells.len(), header.len());
            let fault = format!("the row has {found} cells for {wanted} columns");
            records.push(Record::faulty(line, format!("{fault} (is a quote or comma missing?)")));
        } else if cells.iter().any(|cell| !cell.is_empty()) {
            let filled = header.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
            let values: Map<String, Value> =
                filled.map(|(column, cell)| (column.to_owned(), cell.into())).collect();
            records.push(Record::new(line, shape, Fields::new(values)));
        }
    }
    Ok(records)
}

fn header_faults(shape: Shape, header: &StringRecord) -> Vec<String> {
    let (known, required): (fn(&str) -> bool, &[&str]) = match shape {
        Shape::Own => (own::is_column, own::REQUIRED),
        Shape::Auction => (auction::is_column, auction::REQUIRED),
    };
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for column in header {
        if !known(column) {
            faults.push(format!("there is no column `{}`", shown(column)));
        } else if !seen.insert(column) {
            faults.push(format!("the column `{column}` is there twice"));
        }
    }
    if seen.is_empty() {
        faults.push("the first line must name the columns, separated by commas".to_owned());
    } else {
        let missing = required.iter().filter(|column| !seen.contains(*column));
        faults.extend(missing.map(|column| format!("the column `{column}` is missing")));
    }
    faults.truncate(MAX_HEADER_FAULTS);
    faults
}

/// The records of a sheet.
struct Sheet<'a> {
    text: &'a str,
    lines: Lines<'a>,
    reader: csv::Reader<&'a [u8]>,
}

impl<'a> Sheet<'a> {
    fn new(text: &'a str) -> Self {
        let mut options = ReaderBuilder::new();
        options.has_headers(false).flexible(true).trim(Trim::All);
        let reader = options.from_reader(text.as_bytes());
        Self { text, lines: Lines::new(text.as_bytes()), reader }
    }

    fn next(&mut self) -> Result<Option<(usize, StringRecord)>, ImportError> {
        let mut cells = StringRecord::new();
        let more = self.reader.read_record(&mut cells).map_err(|error| {
            let line = self.line(error.position());
            ImportError::Header { line, faults: vec![error.to_string()] }
        })?;
        Ok(more.then(|| (self.line(cells.position()), cells)))
    }

    /// The line of a record. The reader's own number is that of the line end before it where lines
    /// end with a carriage return or are blank, so only its offset is used.
    fn line(&mut self, position: Option<&Position>) -> usize {
        let offset = position.and_then(|p| usize::try_from(p.byte()).ok()).unwrap_or_default();
        let rest = self.text.get(offset..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
        self.lines.line_at(offset + blanks)
    }
}
