//! Files of instance types, CSV: a row for each type and location, with its prices there.
//!
//! | of ours | from the file |
//! |---|---|
//! | plan | `instance_type`, its code; one plan for all its rows, which must agree but for the location |
//! | name | of its graphics processor as Verda's clients know it, such as `H100 SXM5 80GB`; without one `CPU node 4 vCPU` |
//! | shape | `vcpus`, `memory_gib`; `gpu_model`, `gpu_count` and `gpu_memory_mib_each`, all or none; a disk of 50 GB |
//! | prices | `price_per_hour_usd` and `spot_price_per_hour_usd`; where one is empty, the plan is not sold so |
//! | locations | `location` of all its rows |
//!
//! A location that there is not yet is made if its first letters tell the country.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use domain::error::Violation;
use domain::fleet::{Fleet, FleetLocation};
use domain::location::LocationCode;
use domain::money::Money;
use domain::plan::{GpuShape, PlanCode, PlanDraft, PlanPricing, Shape};
use serde_json::Value;

use super::fields::{Fields, amount, count, shown, text};
use super::sheet::{Columns, Table};
use super::{ImportError, text_of, without_mark};

/// The bundled types of a cloud.
const DEMO: &str = include_str!("../../../catalogue/instance-types.csv");

/// Where the demo sells plans without graphics processors as well, although no row says so: it shows a
/// location in another country.
const DEMO_LOCATION: &str = "ICE-01";

/// The currency of all prices.
pub const CURRENCY: &str = "USD";

const DISK_GB: u32 = 50;
const MIB_PER_GIB: u32 = 1_024;
/// A stopped instance costs as much as a running one, as where nobody says otherwise.
const STOPPED_PERCENT: u32 = 100;

/// A model in the file, in a shape, and in the names that Verda's clients know; of others the file's word
/// is taken. One with another memory is another model in the file.
const MODELS: [(&str, &str, &str); 8] = [
    ("B300", "B300", "B300 SXM6"),
    ("B200", "B200", "B200 SXM6"),
    ("H200", "H200", "H200 SXM5"),
    ("H100", "H100", "H100 SXM5"),
    ("A100-80GB", "A100", "A100 SXM4"),
    ("V100", "V100", "Tesla V100"),
    ("RTX-PRO-6000", "RTX PRO 6000", "RTX PRO 6000"),
    ("RTX-6000-Ada", "RTX 6000 Ada", "RTX 6000 Ada"),
];

/// The first letters of a location, its country and that in ISO 3166-1.
const COUNTRIES: [(&str, &str, &str); 2] = [("FIN", "Finland", "FI"), ("ICE", "Iceland", "IS")];

const REQUIRED: &[&str] = &[
    "instance_type",
    "vcpus",
    "memory_gib",
    "gpu_model",
    "gpu_count",
    "gpu_memory_mib_each",
    "location",
    "price_per_hour_usd",
    "spot_price_per_hour_usd",
];

/// What a file says.
#[derive(Clone, Debug)]
pub struct InstanceTypes {
    /// Of the good rows.
    pub fleet: Fleet,
    /// The line of each bad row and every fault of it.
    pub bad_rows: Vec<(usize, Vec<String>)>,
}

/// Reads a file.
pub fn read(path: &Path) -> Result<InstanceTypes, ImportError> {
    parse(&text_of(path)?)
}

/// Reads the bundled file, of which a test holds that no row has a fault.
pub fn demo() -> Result<Fleet, ImportError> {
    let mut fleet = parse(DEMO)?.fleet;
    let code = LocationCode::from_stored(DEMO_LOCATION.to_owned());
    for plan in fleet.plans.iter_mut().filter(|plan| plan.shape.gpu.is_none()) {
        plan.locations.push(code.clone());
    }
    fleet.locations.push(location(&code));
    Ok(fleet)
}

/// Reads the text of a file.
pub fn parse(text: &str) -> Result<InstanceTypes, ImportError> {
    let mut table = Table::open(without_mark(text))?;
    table.check(&Columns { is_known: |name| REQUIRED.contains(&name), required: REQUIRED })?;
    let mut types: BTreeMap<PlanCode, (usize, PlanDraft)> = BTreeMap::new();
    let mut bad_rows = Vec::new();
    while let Some((line, row)) = table.next_row()? {
        let draft = match row.map_err(|fault| vec![fault]).and_then(draft) {
            Ok(draft) => draft,
            Err(faults) => {
                bad_rows.push((line, faults));
                continue;
            }
        };
        match types.entry(draft.code.clone()) {
            Entry::Vacant(free) => {
                free.insert((line, draft));
            }
            Entry::Occupied(mut taken) => {
                let (first_line, first) = taken.get_mut();
                let faults = disagreements(first, &draft, *first_line);
                if faults.is_empty() {
                    first.locations.extend(draft.locations);
                } else {
                    bad_rows.push((line, faults));
                }
            }
        }
    }
    let plans: Vec<PlanDraft> = types.into_values().map(|(_, draft)| draft).collect();
    let mut codes: Vec<&LocationCode> = plans.iter().flat_map(|plan| &plan.locations).collect();
    codes.sort_unstable();
    codes.dedup();
    let locations = codes.into_iter().map(location).collect();
    Ok(InstanceTypes { fleet: Fleet { locations, plans, ..Fleet::default() }, bad_rows })
}

/// Why two rows of a type do not go together.
fn disagreements(first: &PlanDraft, row: &PlanDraft, line: usize) -> Vec<String> {
    let mut faults = Vec::new();
    if first.locations.iter().any(|code| row.locations.contains(code)) {
        faults.push("location: is given already for this type".to_owned());
    }
    if first.shape != row.shape {
        faults.push(format!("processors and memory must be those of the type's line {line}"));
    }
    let prices = |draft: &PlanDraft| {
        let PlanPricing { per_hour, spot_per_hour, .. } = draft.pricing;
        [("price_per_hour_usd", per_hour), ("spot_price_per_hour_usd", spot_per_hour)]
    };
    for ((name, price), (_, other)) in prices(first).into_iter().zip(prices(row)) {
        if price != other {
            let price = price.map_or_else(|| "empty".to_owned(), Money::exact);
            let why = "because a plan costs the same everywhere";
            faults.push(format!("{name}: must be {price} as in the type's line {line}, {why}"));
        }
    }
    faults
}

/// The plan of a row, sold at that row's location.
fn draft(mut fields: Fields) -> Result<PlanDraft, Vec<String>> {
    let code = fields.need("instance_type", coded(PlanCode::parse), None);
    let location = fields.need("location", coded(LocationCode::parse), None);
    let cpus = fields.need("vcpus", count, 1);
    let ram_mib = fields.need("memory_gib", memory, MIB_PER_GIB);
    let (gpu, name) = match gpu(&mut fields) {
        Some((gpu, name)) => (Some(gpu), name),
        None => (None, format!("CPU node {cpus} vCPU")),
    };
    let per_hour = fields.want("price_per_hour_usd", amount);
    let spot_per_hour = fields.want("spot_price_per_hour_usd", amount);
    let pricing = PlanPricing {
        per_hour,
        spot_per_hour,
        stopped_percent: STOPPED_PERCENT,
        ..PlanPricing::default()
    };
    let draft = PlanDraft {
        code: code.unwrap_or_else(|| PlanCode::from_stored(String::new())),
        name,
        description: String::new(),
        shape: Shape { cpus, ram_mib, gpu, disk_gb: DISK_GB },
        pricing,
        locations: location.into_iter().collect(),
        is_listed: true,
        pools: None,
    };
    let mut faults = fields.faults();
    if faults.is_empty() && per_hour.is_none() && spot_per_hour.is_none() {
        faults.push("price_per_hour_usd: is missing, and there is no spot price either".to_owned());
    }
    faults.extend(draft.violations().iter().map(spelled));
    if faults.is_empty() { Ok(draft) } else { Err(faults) }
}

/// The graphics processors of a row and their name for people.
fn gpu(fields: &mut Fields) -> Option<(GpuShape, String)> {
    let columns = ["gpu_model", "gpu_count", "gpu_memory_mib_each"];
    if !fields.names().iter().any(|name| columns.contains(&name.as_str())) {
        return None;
    }
    let given = fields.need("gpu_model", text, "unknown".to_owned());
    let count_of = fields.need("gpu_count", count, 1);
    let memory_mib = fields.need("gpu_memory_mib_each", count, MIB_PER_GIB);
    let known = MODELS.iter().find(|(in_file, ..)| *in_file == given);
    let (model, words) =
        known.map_or((given.as_str(), given.as_str()), |(_, model, words)| (model, words));
    let name = format!("{words} {}GB", memory_mib / MIB_PER_GIB);
    Some((GpuShape { model: model.to_owned(), count: count_of, memory_mib }, name))
}

/// A location that is to be there.
fn location(code: &LocationCode) -> FleetLocation {
    let (letters, number) = code.as_str().split_once('-').unwrap_or((code.as_str(), ""));
    let known = COUNTRIES.iter().find(|(first, ..)| *first == letters);
    let named = known.zip(number.parse::<u32>().ok());
    FleetLocation {
        code: code.clone(),
        name: named.map_or_else(
            || code.to_string(),
            |((_, country, _), number)| format!("{country} {number}"),
        ),
        country: known.map(|(.., country)| (*country).to_owned()),
    }
}

/// Memory in GiB, as MiB. What is too much for a number is too much for the domain as well.
fn memory(value: &Value) -> Result<u32, String> {
    Ok(count(value)?.saturating_mul(MIB_PER_GIB))
}

fn coded<T>(
    parse: fn(&str) -> Result<T, &'static str>,
) -> impl Fn(&Value) -> Result<Option<T>, String> {
    move |value| {
        let given = text(value)?;
        parse(&given).map(Some).map_err(|fault| format!("{fault}, not `{}`", shown(&given)))
    }
}

/// A fault of the domain under the name of the file's column.
fn spelled(violation: &Violation) -> String {
    let name = match violation.path.as_str() {
        "/shape/cpus" => "vcpus",
        "/shape/ram_mib" => "memory_gib, in MiB",
        "/shape/gpu/model" => "gpu_model",
        "/shape/gpu/count" => "gpu_count",
        "/shape/gpu/memory_mib" => "gpu_memory_mib_each",
        "/pricing/per_hour" => "price_per_hour_usd",
        "/pricing/spot_per_hour" => "spot_price_per_hour_usd",
        other => other.trim_start_matches('/'),
    };
    format!("{name}: {}", violation.message)
}
