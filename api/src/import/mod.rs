//! Reads files to import without a database: a checked draft for every row, or every reason why it
//! cannot be imported with the line it stands on. [`instance_types`] has files of plans,
//! [`gpu_hosts`] of hosts that are sold by the GPU; the rest is about servers, in JSON or CSV.
//!
//! A row is in one of two shapes, told apart by its keys: Berth's own ([`own`]), or that of a
//! public auction ([`auction`]) if it has an `auction_id`.
//!
//! - **JSON**: an array of objects, printed in any way. The line of a row is where its object
//!   begins.
//! - **CSV**: a header, then a row a line; cells are separated by commas and quoted with `"`. An
//!   empty cell is an absent value and a row of empty cells is skipped. All rows have the shape of
//!   the header, and an unknown, repeated or missing column is a fault of the header, so of the
//!   file.

pub mod auction;
mod cpu;
mod disks;
mod fields;
pub mod gpu_hosts;
pub mod instance_types;
mod json;
mod lines;
pub mod own;
mod prices;
mod sheet;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use domain::host::{Category, Disk, HostDraft};

use fields::Fields;
use lines::Lines;

/// A file may be this large: some 150,000 servers.
const MAX_MIB: u64 = 64;
const MAX_BYTES: u64 = MAX_MIB * 1024 * 1024;

/// The set-up time of a server whose file does not tell it, an estimate.
const SETUP_MINUTES: u32 = 15;

/// The bundled catalogue: 1,173 real servers of a public auction.
const DEMO: &str = include_str!("../../../catalogue/dedicated-servers.json");

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An array of objects.
    Json,
    /// A header and rows.
    Csv,
}

/// One row of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line of the file on which it begins, from 1.
    pub line: usize,
    /// The server, checked and with an external id; or every fault of the row, each telling which
    /// field it is and what would be right.
    pub outcome: Result<HostDraft, Vec<String>>,
}

/// Why no row of a file could be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file system refuses.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Its reason.
        #[source]
        cause: io::Error,
    },
    /// The file's name does not tell its format.
    #[error("{}: the name of a file to import must end with .json or .csv", path.display())]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
    },
    /// The file is larger than anything that is meant.
    #[error("the file is larger than {MAX_MIB} MiB; split it")]
    TooLarge,
    /// The bytes are no text.
    #[error("line {line}: the file is not UTF-8 text")]
    NotText {
        /// The line of the first fault.
        line: usize,
    },
    /// The text is not an array in JSON.
    #[error("line {line}: not a JSON array of servers: {reason}")]
    NotJson {
        /// The line of the fault.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The columns of a CSV file are not those of a shape.
    #[error("line {line}: {}", faults.join("; "))]
    Header {
        /// The line of the header.
        line: usize,
        /// What is wrong, column by column.
        faults: Vec<String>,
    },
}

/// Reads a file, whose name tells its format.
pub fn read(path: &Path) -> Result<Vec<Row>, ImportError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let format = match extension.to_ascii_lowercase().as_str() {
        "json" => Format::Json,
        "csv" => Format::Csv,
        _ => return Err(ImportError::UnknownFormat { path: path.to_owned() }),
    };
    parse(&text_of(path)?, format)
}

fn text_of(path: &Path) -> Result<String, ImportError> {
    let unreadable = |cause| ImportError::Unreadable { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    // One byte more than allowed tells a large file also where its length is not known before.
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        decode(bytes)
    } else {
        Err(ImportError::TooLarge)
    }
}

/// Reads the text of a file.
pub fn parse(text: &str, format: Format) -> Result<Vec<Row>, ImportError> {
    let text = without_mark(text);
    let mut records: Vec<Record> = match format {
        Format::Json => json::rows(text)?,
        Format::Csv => sheet::rows(text)?,
    };
    refuse_duplicates(&mut records);
    auction::rank(
        records.iter_mut().filter(|r| r.shape == Shape::Auction).filter_map(Record::draft),
    );
    Ok(records.into_iter().map(|r| Row { line: r.line, outcome: r.outcome }).collect())
}

/// Spreadsheets put a byte order mark before the first column's name.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Reads the bundled catalogue, of which a test holds that no row has a fault.
pub fn demo() -> Result<Vec<HostDraft>, ImportError> {
    Ok(parse(DEMO, Format::Json)?.into_iter().filter_map(|row| row.outcome.ok()).collect())
}

/// What the keys of a row say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Own,
    Auction,
}

impl Shape {
    fn of<'a>(mut keys: impl Iterator<Item = &'a str>) -> Self {
        if keys.any(|key| key == auction::KEY) { Self::Auction } else { Self::Own }
    }
}

/// A row with what the checks across rows need.
struct Record {
    line: usize,
    shape: Shape,
    /// Also of a row with faults, so that its repetition is found in the same run.
    external_id: Option<String>,
    outcome: Result<HostDraft, Vec<String>>,
}

impl Record {
    fn new(line: usize, shape: Shape, mut fields: Fields) -> Self {
        let draft = match shape {
            Shape::Own => own::draft(&mut fields),
            Shape::Auction => auction::draft(&mut fields),
        };
        let external_id = draft.external_id.clone();
        Self { line, shape, external_id, outcome: fields.finish(draft) }
    }

    fn faulty(line: usize, fault: String) -> Self {
        Self { line, shape: Shape::Own, external_id: None, outcome: Err(vec![fault]) }
    }

    fn refuse(&mut self, fault: String) {
        match &mut self.outcome {
            Ok(_) => self.outcome = Err(vec![fault]),
            Err(faults) => faults.push(fault),
        }
    }

    fn draft(&mut self) -> Option<&mut HostDraft> {
        self.outcome.as_mut().ok()
    }
}

fn refuse_duplicates(records: &mut [Record]) {
    let mut lines: HashMap<String, usize> = HashMap::new();
    for record in records {
        let Some(id) = record.external_id.clone() else { continue };
        match lines.entry(id) {
            Entry::Vacant(free) => {
                free.insert(record.line);
            }
            Entry::Occupied(first) => {
                let (id, line) = (first.key(), first.get());
                record.refuse(format!("external_id: `{id}` is the server of line {line} already"));
            }
        }
    }
}

/// What a server is best at where nobody says: `gpu` with a graphics processor, else `storage` from
/// 16,000 GB of disk, else `memory` from 256 GiB, else `compute` from 16 cores, else `general`.
fn category(gpu: Option<&str>, disks: &[Disk], ram_gb: u32, cores: u32) -> Category {
    let size = |disk: &Disk| u64::from(disk.count) * u64::from(disk.capacity_gb);
    let storage_gb: u64 = disks.iter().map(size).sum();
    match () {
        () if gpu.is_some() => Category::Gpu,
        () if storage_gb >= 16_000 => Category::Storage,
        () if ram_gb >= 256 => Category::Memory,
        () if cores >= 16 => Category::Compute,
        () => Category::General,
    }
}

fn decode(bytes: Vec<u8>) -> Result<String, ImportError> {
    String::from_utf8(bytes).map_err(|fault| {
        let line = Lines::new(fault.as_bytes()).line_at(fault.utf8_error().valid_up_to());
        ImportError::NotText { line }
    })
}
