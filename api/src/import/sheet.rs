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
    let mut table = Table::open(text)?;
    let shape = Shape::of(table.header.iter());
    table.check(&match shape {
        Shape::Own => Columns { is_known: own::is_column, required: own::REQUIRED },
        Shape::Auction => Columns { is_known: auction::is_column, required: auction::REQUIRED },
    })?;
    let mut records = Vec::new();
    while let Some((line, row)) = table.next_row()? {
        records.push(match row {
            Ok(fields) => Record::new(line, shape, fields),
            Err(fault) => Record::faulty(line, fault),
        });
    }
    Ok(records)
}

/// The columns of a shape.
pub(super) struct Columns {
    pub(super) is_known: fn(&str) -> bool,
    pub(super) required: &'static [&'static str],
}

/// A line, and the values of the row there or why it has none.
pub(super) type TableRow = (usize, Result<Fields, String>);

/// A sheet whose first line names the columns.
pub(super) struct Table<'a> {
    sheet: Sheet<'a>,
    line: usize,
    header: StringRecord,
}

impl<'a> Table<'a> {
    pub(super) fn open(text: &'a str) -> Result<Self, ImportError> {
        let mut sheet = Sheet::new(text);
        let (line, header) = sheet.next()?.ok_or_else(|| ImportError::Header {
            line: 1,
            faults: vec!["the file is empty; its first line must name the columns".to_owned()],
        })?;
        Ok(Self { sheet, line, header })
    }

    /// Refuses columns that are unknown, there twice or missing.
    pub(super) fn check(&self, columns: &Columns) -> Result<(), ImportError> {
        let faults = header_faults(columns, &self.header);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(ImportError::Header { line: self.line, faults })
        }
    }

    /// The next row that is not blank.
    pub(super) fn next_row(&mut self) -> Result<Option<TableRow>, ImportError> {
        while let Some((line, cells)) = self.sheet.next()? {
            let (found, wanted) = (cells.len(), self.header.len());
            if found != wanted {
                let fault = format!("the row has {found} cells for {wanted} columns");
                return Ok(Some((line, Err(format!("{fault} (is a quote or comma missing?)")))));
            }
            if cells.iter().any(|cell| !cell.is_empty()) {
                let filled = self.header.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty());
                let values: Map<String, Value> =
                    filled.map(|(column, cell)| (column.to_owned(), cell.into())).collect();
                return Ok(Some((line, Ok(Fields::new(values)))));
            }
        }
        Ok(None)
    }
}

fn header_faults(columns: &Columns, header: &StringRecord) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = HashSet::new();
    for column in header {
        if !(columns.is_known)(column) {
            faults.push(format!("there is no column `{}`", shown(column)));
        } else if !seen.insert(column) {
            faults.push(format!("the column `{column}` is there twice"));
        }
    }
    if seen.is_empty() {
        faults.push("the first line must name the columns, separated by commas".to_owned());
    } else {
        let missing = columns.required.iter().filter(|column| !seen.contains(*column));
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
