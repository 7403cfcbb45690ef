//! Files of hosts whose graphics processors are sold one by one, CSV: a row for each host.
//!
//! | of ours | from the file |
//! |---|---|
//! | host | `vcpus`, `memory_gib`, and `gpus_on_host` of `gpu_model` with `gpu_memory_mib_each`; equal rows are as many hosts |
//! | location | `region`, such as `Europe-NO`: what is behind the last `-` is the country |
//! | price | `price_per_gpu_hour_usd`, of one GPU for an hour |

use std::collections::BTreeMap;
use std::path::Path;

use domain::fleet::{Fleet, FleetLocation, GpuHost};
use domain::location::LocationCode;
use domain::money::Money;
use domain::plan::{GpuShape, Shape};

use super::fields::{Fields, amount, count, text};
use super::sheet::{Columns, Table};
use super::{ImportError, text_of, without_mark};

/// The bundled hosts of a marketplace.
const DEMO: &str = include_str!("../../../catalogue/gpu-hosts.csv");

/// The currency of all prices.
pub const CURRENCY: &str = "USD";

const MIB_PER_GIB: u32 = 1_024;
/// What an offer takes.
const MOST_PER_GPU: Money = Money::from_e8(10_000 * 100_000_000);

const REQUIRED: &[&str] = &[
    "gpu_model",
    "gpus_on_host",
    "vcpus",
    "memory_gib",
    "gpu_memory_mib_each",
    "region",
    "price_per_gpu_hour_usd",
];

/// What a file says.
#[derive(Clone, Debug)]
pub struct GpuHosts {
    /// Of the good rows.
    pub fleet: Fleet,
    /// The line of each bad row and every fault of it.
    pub bad_rows: Vec<(usize, Vec<String>)>,
}

/// Reads a file.
pub fn read(path: &Path) -> Result<GpuHosts, ImportError> {
    parse(&text_of(path)?)
}

/// Reads the bundled file, of which a test holds that no row has a fault.
pub fn demo() -> Result<Fleet, ImportError> {
    Ok(parse(DEMO)?.fleet)
}

/// Reads the text of a file.
pub fn parse(text: &str) -> Result<GpuHosts, ImportError> {
    let mut table = Table::open(without_mark(text))?;
    table.check(&Columns { is_known: |name| REQUIRED.contains(&name), required: REQUIRED })?;
    let mut locations = BTreeMap::new();
    let (mut gpu_hosts, mut bad_rows) = (Vec::new(), Vec::new());
    while let Some((line, row)) = table.next_row()? {
        match row.map_err(|fault| vec![fault]).and_then(host) {
            Ok((location, host)) => {
                locations.insert(location.code.clone(), location);
                gpu_hosts.push(host);
            }
            Err(faults) => bad_rows.push((line, faults)),
        }
    }
    let locations = locations.into_values().collect();
    Ok(GpuHosts { fleet: Fleet { locations, gpu_hosts, ..Fleet::default() }, bad_rows })
}

fn host(mut fields: Fields) -> Result<(FleetLocation, GpuHost), Vec<String>> {
    let model = fields.need("gpu_model", text, String::new());
    let gpus = fields.need("gpus_on_host", count, 1);
    let memory_mib = fields.need("gpu_memory_mib_each", count, MIB_PER_GIB);
    let cpus = fields.need("vcpus", count, 1);
    let ram_gib = fields.need("memory_gib", count, 1);
    let region = fields.need("region", text, "-XX".to_owned());
    let per_gpu = fields.need("price_per_gpu_hour_usd", amount, Money::ZERO);
    let place = located(&region);
    if place.is_none() {
        fields.fault("region", "must end with a country in two upper-case letters: Europe-NO");
    }
    let shape = Shape {
        cpus,
        ram_mib: ram_gib.saturating_mul(MIB_PER_GIB),
        gpu: Some(GpuShape { model, count: gpus, memory_mib }),
        // Of no matter to a host; the domain wants one of a shape.
        disk_gb: 1,
    };
    let violations = shape.violations();
    if !(Money::ZERO..=MOST_PER_GPU).contains(&per_gpu) {
        fields.fault("price_per_gpu_hour_usd", "must be 0 to 10000");
    }
    let mut faults = fields.faults();
    faults.extend(violations.iter().map(|fault| {
        let name = match fault.path.as_str() {
            "/shape/cpus" => "vcpus",
            "/shape/ram_mib" => "memory_gib, in MiB",
            "/shape/gpu/model" => "gpu_model",
            "/shape/gpu/count" => "gpus_on_host",
            _ => "gpu_memory_mib_each",
        };
        format!("{name}: {}", fault.message)
    }));
    match place {
        Some(place) if faults.is_empty() => {
            let location = place.code.clone();
            Ok((place, GpuHost { location, shape, per_gpu }))
        }
        _ => Err(faults),
    }
}

/// The location of a region.
fn located(region: &str) -> Option<FleetLocation> {
    let (area, country) = region.rsplit_once('-')?;
    let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    let code = LocationCode::parse(&region.replace(' ', "-")).ok()?;
    is_country.then(|| FleetLocation {
        code,
        name: format!("{area}, {country}"),
        country: Some(country.to_owned()),
    })
}
