//! The rows of a marketplace, by one statement in three steps: hosts that pass what is asked of hosts, with what
//! rows are told apart by; the rows of these, sorted and cut; and all that is shown, of what is left alone.
//! In one step, each row was joined, reckoned and sorted with everything that is shown of it.

use domain::clock::Timestamp;
use domain::gpu_offer::{
    Comparison, Direction, GpuOfferFilter, GpuOfferOrder, GpuRow, MOST_GPUS, Range, Version,
};
use domain::host::HostId;
use domain::location::LocationCode;
use domain::money::Money;
use domain::number::Numbered;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use super::{figures, terms};
use crate::entity::gpu_offer::Model;
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::number;

/// What a row has besides its offer.
#[derive(FromQueryResult)]
struct Share {
    number: i64,
    location_code: String,
    count: i64,
    gpu_model: String,
    gpu_memory_mib: i64,
    cpus_of_row: i64,
    ram_mib_of_row: i64,
    disk_gb: i64,
    is_available: bool,
    uptime_bp: i64,
}

fn row(share: Share, model: Model) -> Result<GpuRow> {
    Ok(GpuRow {
        host_id: HostId::from_uuid(model.host_id),
        number: share.number,
        location: LocationCode::from_stored(share.location_code),
        gpus: number(share.count)?,
        gpu_model: share.gpu_model,
        gpu_memory_mib: number(share.gpu_memory_mib)?,
        cpus: number(share.cpus_of_row)?,
        ram_mib: number(share.ram_mib_of_row)?,
        disk_gb: number(share.disk_gb)?,
        is_available: share.is_available,
        uptime_bp: number(share.uptime_bp)?,
        terms: terms(&model)?,
        figures: figures(model)?,
    })
}

/// The rows that pass, in these orders.
pub async fn rows(
    handle: &Handle,
    (filter, orders): (&GpuOfferFilter, &[(GpuOfferOrder, Direction)]),
    now: Timestamp,
    part: (u32, u32),
) -> Result<Vec<GpuRow>> {
    let backend = handle.connection.get_database_backend();
    // A parameter: a text that differs from second to second would be planned anew in each.
    let mut sql = Sql { backend, now: String::new(), values: Vec::new() };
    sql.now = sql.parameter(now.timestamp());
    let statement = sql.statement(filter, orders, part);
    let statement = Statement::from_sql_and_values(backend, statement, sql.values);
    let found = handle.connection.query_all_raw(statement).await.map_err(failed)?;
    let read = |found: &sea_orm::QueryResult| {
        let model = Model::from_query_result(found, "").map_err(failed)?;
        row(Share::from_query_result(found, "").map_err(failed)?, model)
    };
    found.iter().map(read).collect()
}

/// The virtual CPUs that come with `k.count` GPUs, as [`domain::capacity::Capacity::share`] reckons.
const CPUS: &str = "CASE WHEN h.cpus * k.count < h.gpus THEN 1 ELSE h.cpus * k.count / h.gpus END";
/// The memory that comes with them.
const RAM: &str = "(h.ram_mib * k.count / h.gpus)";
/// Whether a host could give any at all.
const IS_OPEN: &str = "(c.unreachable_since IS NULL AND NOT c.is_draining AND s.size_gb > s.used_gb \
    AND (o.per_gpu_e8 IS NOT NULL OR o.spot_per_gpu_e8 IS NOT NULL))";

/// A figure for the price of an hour, which is the same for any number of GPUs.
fn per_price(of: &str, figure: &str) -> String {
    format!("({of}.{figure} * 100000000 / NULLIF({of}.per_gpu_e8, 0))")
}

/// Whether so many GPUs could be had.
fn fits(count: &str) -> String {
    let cpus = CPUS.replace("k.count", count);
    let ram = RAM.replace("k.count", count);
    format!(
        "(h.is_open AND h.free_gpus >= {count} AND h.free_cpus >= {cpus} AND h.free_ram_mib >= {ram})"
    )
}

/// A statement under construction.
struct Sql {
    backend: DbBackend,
    /// Now in whole seconds since 1970.
    now: String,
    values: Vec<Value>,
}

impl Sql {
    fn parameter(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// An instant's whole seconds since 1970.
    fn seconds(&self, column: &str) -> String {
        match self.backend {
            DbBackend::Sqlite => format!("unixepoch({column})"),
            _ => format!("CAST(FLOOR(EXTRACT(EPOCH FROM {column})) AS bigint)"),
        }
    }

    /// The share of its time in which a host was reached, in hundredths of a percent.
    fn uptime(&self) -> String {
        let (made, since) = (self.seconds("c.created_at"), self.seconds("c.unreachable_since"));
        let now = &self.now;
        let age = format!("(CASE WHEN {made} < {now} THEN {now} - {made} ELSE 1 END)");
        let lasting = format!("CASE WHEN {since} < {now} THEN {now} - {since} ELSE 0 END");
        let down = format!("(c.down_seconds + {lasting})");
        format!("(CASE WHEN {down} < {age} THEN ({age} - {down}) * 10000 / {age} ELSE 0 END)")
    }

    fn version(&mut self, column: &str, wanted: Option<&(Comparison, Version)>) -> Option<String> {
        let (comparison, version) = wanted?;
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::AtMost => "<=",
            Comparison::AtLeast => ">=",
        };
        let value = self.parameter(version.order());
        Some(format!("{column} {sign} {value}"))
    }

    /// What is asked of a host, whatever it gives.
    fn of_hosts(&mut self, filter: &GpuOfferFilter) -> Vec<String> {
        let mut conditions = vec!["o.is_listed".to_owned()];
        if let Some(host_id) = filter.host_id {
            let id = self.parameter(host_id.uuid());
            conditions.push(format!("o.host_id = {id}"));
        }
        if let Some(machines) = filter.machines {
            let column = if machines { "o.sells_machines" } else { "o.sells_containers" };
            conditions.push(column.to_owned());
        }
        if let Some(continent) = filter.continent {
            let codes: Vec<String> =
                continent.countries().map(|code| format!("'{code}'")).collect();
            conditions.push(format!("l.country IN ({})", codes.join(", ")));
        }
        if let Some(model) = &filter.gpu_model {
            let model = self.parameter(model.to_ascii_lowercase());
            conditions.push(format!("lower(c.gpu_model) = {model}"));
        }
        let per_gpu = &filter.per_gpu;
        let per_gpu = Range { min: per_gpu.min.map(Money::e8), max: per_gpu.max.map(Money::e8) };
        for (expression, range) in [
            ("c.gpu_memory_mib", filter.gpu_memory_mib),
            ("(s.size_gb - s.used_gb)", filter.disk_gb),
            ("o.disk_write_mbps", filter.disk_write_mbps),
            ("o.download_mbps", filter.download_mbps),
            ("o.upload_mbps", filter.upload_mbps),
            ("o.pcie_gbps", filter.pcie_gbps),
            (self.uptime().as_str(), filter.uptime_bp),
            ("o.min_hours", filter.min_hours),
            ("o.per_gpu_e8", per_gpu),
            (per_price("o", "tflops_e2").as_str(), filter.tflops_per_price_e2),
            (per_price("o", "dlperf_e2").as_str(), filter.dlperf_per_price_e2),
        ] {
            conditions.extend(within(expression, range));
        }
        conditions.extend(self.version("o.driver_order", filter.driver.as_ref()));
        conditions.extend(self.version("o.cuda_order", filter.cuda.as_ref()));
        conditions
    }

    /// The whole statement.
    fn statement(
        &mut self,
        filter: &GpuOfferFilter,
        orders: &[(GpuOfferOrder, Direction)],
        (skip, limit): (u32, u32),
    ) -> String {
        let (uptime, of_hosts) = (self.uptime(), self.of_hosts(filter).join(" AND "));
        let (is_available, of_rows) = (fits("k.count"), of_rows(filter).join(" AND "));
        let counts: Vec<String> = (1..=MOST_GPUS).map(|count| format!("({count})")).collect();
        let (counts, kind) = (counts.join(", "), Numbered::GpuOffer.as_str());
        let (first, again) = (order(orders, "h", "k.count"), order(orders, "p", "p.count"));
        format!(
            "WITH counts (count) AS (VALUES {counts}), \
             hosts AS MATERIALIZED (SELECT o.host_id, n.number, o.per_gpu_e8, o.tflops_e2, \
             o.dlperf_e2, c.cpus, c.ram_mib, c.gpus, c.gpus - c.used_gpus AS free_gpus, \
             c.cpus - c.used_cpus AS free_cpus, c.ram_mib - c.used_ram_mib AS free_ram_mib, \
             {IS_OPEN} AS is_open, {uptime} AS uptime_bp, s.size_gb - s.used_gb AS disk_gb \
             FROM gpu_offers o JOIN numbers n ON n.kind = '{kind}' AND n.id = o.host_id \
             JOIN capacities c ON c.host_id = o.host_id JOIN storages s ON s.name = c.storage \
             JOIN locations l ON l.code = c.location_code WHERE {of_hosts}), \
             page AS (SELECT h.host_id, h.number, h.per_gpu_e8, h.tflops_e2, h.dlperf_e2, \
             h.uptime_bp, h.disk_gb, CAST(k.count AS bigint) AS count, {CPUS} AS cpus_of_row, \
             {RAM} AS ram_mib_of_row, {is_available} AS is_available \
             FROM hosts h JOIN counts k ON k.count <= h.gpus WHERE {of_rows} \
             ORDER BY {first} LIMIT {limit} OFFSET {skip}) \
             SELECT o.*, p.number, c.location_code, c.gpu_model, c.gpu_memory_mib, p.count, \
             p.cpus_of_row, p.ram_mib_of_row, p.disk_gb, p.is_available, p.uptime_bp FROM page p \
             JOIN gpu_offers o ON o.host_id = p.host_id \
             JOIN capacities c ON c.host_id = p.host_id ORDER BY {again}"
        )
    }
}

/// What is asked of a number of GPUs of a host.
fn of_rows(filter: &GpuOfferFilter) -> Vec<String> {
    let (fits, fits_one) = (fits("k.count"), fits("1"));
    let all = format!("CASE WHEN h.gpus < {MOST_GPUS} THEN h.gpus ELSE {MOST_GPUS} END");
    let taken = format!("(k.count = {all} AND NOT {fits_one})");
    let mut conditions = match filter.is_available {
        None => vec![format!("({fits} OR {taken})")],
        Some(true) => vec![fits],
        Some(false) => vec![taken],
    };
    for (expression, range) in [
        ("k.count", filter.gpus),
        (CPUS, filter.cpus),
        (RAM, filter.ram_mib),
        ("(h.tflops_e2 * k.count)", filter.tflops_e2),
    ] {
        conditions.extend(within(expression, range));
    }
    conditions
}

/// Numbers are written into the text: they are checked ones.
fn within(expression: &str, range: Range<i64>) -> impl Iterator<Item = String> {
    let least = range.min.map(|min| format!("{expression} >= {min}"));
    let most = range.max.map(|max| format!("{expression} <= {max}"));
    least.into_iter().chain(most)
}

/// Each order in turn, then by age and number. What has no such figure comes last, either way round.
fn order(orders: &[(GpuOfferOrder, Direction)], of: &str, count: &str) -> String {
    let by = |(order, direction): &(GpuOfferOrder, Direction)| {
        let expression = match order {
            GpuOfferOrder::Gpus => count.to_owned(),
            GpuOfferOrder::Uptime => format!("{of}.uptime_bp"),
            GpuOfferOrder::PricePerGpu => format!("{of}.per_gpu_e8"),
            GpuOfferOrder::Dlperf => format!("({of}.dlperf_e2 * {count})"),
            GpuOfferOrder::DlperfPerPrice => per_price(of, "dlperf_e2"),
            GpuOfferOrder::Tflops => format!("({of}.tflops_e2 * {count})"),
            GpuOfferOrder::TflopsPerPrice => per_price(of, "tflops_e2"),
        };
        let direction = match direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        format!("({expression}) IS NULL, {expression} {direction}")
    };
    let mut order: Vec<String> = orders.iter().map(by).collect();
    order.extend([format!("{of}.number"), count.to_owned()]);
    order.join(", ")
}
