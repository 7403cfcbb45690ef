//! What is sold of hosts by the graphics processor, and the rows that it makes.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::gpu_offer::{
    Comparison, Direction, Figures, GpuOffer, GpuOfferFilter, GpuOfferOrder, GpuOfferQueries,
    GpuOfferTerms, GpuOffers, GpuRow, MOST_GPUS, Range, Version,
};
use domain::host::HostId;
use domain::location::LocationCode;
use domain::money::Money;
use domain::number::Numbered;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    JoinType, QueryFilter, QuerySelect, Statement, Value,
};

use crate::entity::gpu_offer::{ActiveModel, Column, Entity, Model};
use crate::entity::number;
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::number;

fn terms(row: &Model) -> Result<GpuOfferTerms> {
    Ok(GpuOfferTerms {
        is_listed: row.is_listed,
        sells_containers: row.sells_containers,
        sells_machines: row.sells_machines,
        per_gpu: row.per_gpu_e8.map(Money::from_e8),
        spot_per_gpu: row.spot_per_gpu_e8.map(Money::from_e8),
        per_gb: Money::from_e8(row.per_gb_e8),
        min_hours: number(row.min_hours)?,
        max_hours: number(row.max_hours)?,
    })
}

fn figures(row: Model) -> Result<Figures> {
    Ok(Figures {
        cpu_model: row.cpu_model,
        disk_type: row.disk_type,
        disk_read_mbps: number(row.disk_read_mbps)?,
        disk_write_mbps: number(row.disk_write_mbps)?,
        download_mbps: number(row.download_mbps)?,
        upload_mbps: number(row.upload_mbps)?,
        cuda: Version::from_stored(row.cuda),
        driver: Version::from_stored(row.driver_version),
        pcie_generation: number(row.pcie_generation)?,
        pcie_width: number(row.pcie_width)?,
        pcie_gbps: number(row.pcie_gbps)?,
        tflops_e2: number(row.tflops_e2)?,
        dlperf_e2: number(row.dlperf_e2)?,
    })
}

fn offer((row, number): (Model, Option<number::Model>)) -> Result<GpuOffer> {
    let number = number.ok_or_else(|| crate::failure::corrupt("an offer without a number"))?.number;
    Ok(GpuOffer {
        host_id: HostId::from_uuid(row.host_id),
        number,
        terms: terms(&row)?,
        created_at: row.created_at,
        updated_at: row.updated_at,
        figures: figures(row)?,
    })
}

fn stored(offer: &GpuOffer) -> ActiveModel {
    let GpuOffer { terms, figures, .. } = offer;
    ActiveModel {
        host_id: Set(offer.host_id.uuid()),
        is_listed: Set(terms.is_listed),
        sells_containers: Set(terms.sells_containers),
        sells_machines: Set(terms.sells_machines),
        per_gpu_e8: Set(terms.per_gpu.map(Money::e8)),
        spot_per_gpu_e8: Set(terms.spot_per_gpu.map(Money::e8)),
        per_gb_e8: Set(terms.per_gb.e8()),
        min_hours: Set(terms.min_hours.into()),
        max_hours: Set(terms.max_hours.into()),
        cpu_model: Set(figures.cpu_model.clone()),
        disk_type: Set(figures.disk_type.clone()),
        disk_read_mbps: Set(figures.disk_read_mbps.into()),
        disk_write_mbps: Set(figures.disk_write_mbps.into()),
        download_mbps: Set(figures.download_mbps.into()),
        upload_mbps: Set(figures.upload_mbps.into()),
        cuda: Set(figures.cuda.to_string()),
        cuda_order: Set(figures.cuda.order()),
        driver_version: Set(figures.driver.to_string()),
        driver_order: Set(figures.driver.order()),
        pcie_generation: Set(figures.pcie_generation.into()),
        pcie_width: Set(figures.pcie_width.into()),
        pcie_gbps: Set(figures.pcie_gbps.into()),
        tflops_e2: Set(figures.tflops_e2.into()),
        dlperf_e2: Set(figures.dlperf_e2.into()),
        created_at: Set(offer.created_at),
        updated_at: Set(offer.updated_at),
    }
}

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

/// The virtual CPUs that come with `k.count` GPUs, as [`domain::capacity::Capacity::share`] reckons.
const CPUS: &str = "CASE WHEN c.cpus * k.count < c.gpus THEN 1 ELSE c.cpus * k.count / c.gpus END";
/// The memory that comes with them.
const RAM: &str = "(c.ram_mib * k.count / c.gpus)";
/// What all of them compute.
const TFLOPS: &str = "(o.tflops_e2 * k.count)";
/// The same for the price of an hour, which is the same for any number of them.
const TFLOPS_PER_PRICE: &str = "(o.tflops_e2 * 100000000 / NULLIF(o.per_gpu_e8, 0))";
/// What is made in the benchmark for it.
const DLPERF_PER_PRICE: &str = "(o.dlperf_e2 * 100000000 / NULLIF(o.per_gpu_e8, 0))";

/// Whether so many GPUs could be had.
fn fits(count: &str) -> String {
    let cpus = CPUS.replace("k.count", count);
    let ram = RAM.replace("k.count", count);
    format!(
        "(c.unreachable_since IS NULL AND NOT c.is_draining AND s.size_gb > s.used_gb \
         AND (o.per_gpu_e8 IS NOT NULL OR o.spot_per_gpu_e8 IS NOT NULL) \
         AND c.gpus - c.used_gpus >= {count} \
         AND c.cpus - c.used_cpus >= {cpus} AND c.ram_mib - c.used_ram_mib >= {ram})"
    )
}

/// A statement under construction.
struct Sql {
    backend: DbBackend,
    now: i64,
    conditions: Vec<String>,
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
        let now = self.now;
        let age = format!("(CASE WHEN {made} < {now} THEN {now} - {made} ELSE 1 END)");
        let lasting = format!("CASE WHEN {since} < {now} THEN {now} - {since} ELSE 0 END");
        let down = format!("(c.down_seconds + {lasting})");
        format!("(CASE WHEN {down} < {age} THEN ({age} - {down}) * 10000 / {age} ELSE 0 END)")
    }

    /// Numbers are written into the text: they are checked ones.
    fn within(&mut self, expression: &str, range: Range<i64>) {
        let least = range.min.map(|min| format!("{expression} >= {min}"));
        let most = range.max.map(|max| format!("{expression} <= {max}"));
        self.conditions.extend(least.into_iter().chain(most));
    }

    fn versions(&mut self, column: &str, wanted: Option<&(Comparison, Version)>) {
        let Some((comparison, version)) = wanted else { return };
        let sign = match comparison {
            Comparison::Equal => "=",
            Comparison::AtMost => "<=",
            Comparison::AtLeast => ">=",
        };
        let value = self.parameter(version.order());
        self.conditions.push(format!("{column} {sign} {value}"));
    }

    fn filter(&mut self, filter: &GpuOfferFilter) {
        if let Some(host_id) = filter.host_id {
            let id = self.parameter(host_id.uuid());
            self.conditions.push(format!("o.host_id = {id}"));
        }
        if let Some(machines) = filter.machines {
            let column = if machines { "o.sells_machines" } else { "o.sells_containers" };
            self.conditions.push(column.to_owned());
        }
        if let Some(is_available) = filter.is_available {
            let not = if is_available { "" } else { "NOT " };
            self.conditions.push(format!("{not}{}", fits("k.count")));
        }
        if let Some(continent) = filter.continent {
            let codes: Vec<String> =
                continent.countries().map(|code| format!("'{code}'")).collect();
            self.conditions.push(format!("l.country IN ({})", codes.join(", ")));
        }
        if let Some(model) = &filter.gpu_model {
            let model = self.parameter(model.to_ascii_lowercase());
            self.conditions.push(format!("lower(c.gpu_model) = {model}"));
        }
        let per_gpu = &filter.per_gpu;
        let per_gpu = Range { min: per_gpu.min.map(Money::e8), max: per_gpu.max.map(Money::e8) };
        for (expression, range) in [
            ("k.count", filter.gpus),
            ("c.gpu_memory_mib", filter.gpu_memory_mib),
            (CPUS, filter.cpus),
            (RAM, filter.ram_mib),
            ("(s.size_gb - s.used_gb)", filter.disk_gb),
            ("o.disk_write_mbps", filter.disk_write_mbps),
            ("o.download_mbps", filter.download_mbps),
            ("o.upload_mbps", filter.upload_mbps),
            ("o.pcie_gbps", filter.pcie_gbps),
            (TFLOPS, filter.tflops_e2),
            (self.uptime().as_str(), filter.uptime_bp),
            ("o.min_hours", filter.min_hours),
            ("o.per_gpu_e8", per_gpu),
            (TFLOPS_PER_PRICE, filter.tflops_per_price_e2),
            (DLPERF_PER_PRICE, filter.dlperf_per_price_e2),
        ] {
            self.within(expression, range);
        }
        self.versions("o.driver_order", filter.driver.as_ref());
        self.versions("o.cuda_order", filter.cuda.as_ref());
    }

    /// What has no such figure comes last, either way round.
    fn order(&self, (order, direction): (GpuOfferOrder, Direction)) -> String {
        let expression = match order {
            GpuOfferOrder::Gpus => "k.count".to_owned(),
            GpuOfferOrder::Uptime => self.uptime(),
            GpuOfferOrder::PricePerGpu => "o.per_gpu_e8".to_owned(),
            GpuOfferOrder::Dlperf => "(o.dlperf_e2 * k.count)".to_owned(),
            GpuOfferOrder::DlperfPerPrice => DLPERF_PER_PRICE.to_owned(),
            GpuOfferOrder::Tflops => TFLOPS.to_owned(),
            GpuOfferOrder::TflopsPerPrice => TFLOPS_PER_PRICE.to_owned(),
        };
        let direction = match direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        format!("({expression}) IS NULL, {expression} {direction}")
    }

    /// The whole statement.
    fn rows(self, orders: &[(GpuOfferOrder, Direction)], (skip, limit): (u32, u32)) -> Statement {
        let counts: Vec<String> = (1..=MOST_GPUS).map(|count| format!("({count})")).collect();
        let (fits, fits_one, uptime) = (fits("k.count"), fits("1"), self.uptime());
        let mut order: Vec<String> = orders.iter().map(|order| self.order(*order)).collect();
        order.extend(["n.number".to_owned(), "k.count".to_owned()]);
        let all = format!("CASE WHEN c.gpus < {MOST_GPUS} THEN c.gpus ELSE {MOST_GPUS} END");
        let sold = format!("({fits} OR (k.count = {all} AND NOT {fits_one}))");
        let conditions = [vec!["o.is_listed".to_owned(), sold], self.conditions].concat();
        let sql = format!(
            "WITH counts (count) AS (VALUES {}) SELECT o.*, n.number, c.location_code, c.gpu_model, \
             c.gpu_memory_mib, CAST(k.count AS bigint) AS count, {CPUS} AS cpus_of_row, \
             {RAM} AS ram_mib_of_row, s.size_gb - s.used_gb AS disk_gb, {fits} AS is_available, \
             {uptime} AS uptime_bp FROM gpu_offers o \
             JOIN numbers n ON n.kind = '{}' AND n.id = o.host_id \
             JOIN capacities c ON c.host_id = o.host_id JOIN storages s ON s.name = c.storage \
             JOIN locations l ON l.code = c.location_code JOIN counts k ON k.count <= c.gpus \
             WHERE {} ORDER BY {} LIMIT {limit} OFFSET {skip}",
            counts.join(", "),
            Numbered::GpuOffer.as_str(),
            conditions.join(" AND "),
            order.join(", "),
        );
        Statement::from_sql_and_values(self.backend, sql, self.values)
    }
}

impl Handle {
    async fn one_offer(&self, column: number::Column, value: Value) -> Result<Option<GpuOffer>> {
        let of_offers = number::Column::Kind.eq(Numbered::GpuOffer.as_str());
        let on =
            Entity::belongs_to(number::Entity).from(Column::HostId).to(number::Column::Id).into();
        let find = Entity::find()
            .join(JoinType::InnerJoin, on)
            .select_also(number::Entity)
            .filter(of_offers)
            .filter(column.eq(value));
        find.one(&self.connection).await.map_err(failed)?.map(offer).transpose()
    }
}

#[async_trait]
impl GpuOfferQueries for Handle {
    async fn gpu_offer(&self, host_id: HostId) -> Result<Option<GpuOffer>> {
        self.one_offer(number::Column::Id, host_id.uuid().into()).await
    }

    async fn gpu_rows(
        &self,
        filter: &GpuOfferFilter,
        orders: &[(GpuOfferOrder, Direction)],
        now: Timestamp,
        part: (u32, u32),
    ) -> Result<Vec<GpuRow>> {
        let backend = self.connection.get_database_backend();
        let now = now.timestamp();
        let mut sql = Sql { backend, now, conditions: Vec::new(), values: Vec::new() };
        sql.filter(filter);
        let rows = self.connection.query_all_raw(sql.rows(orders, part)).await.map_err(failed)?;
        let read = |found: &sea_orm::QueryResult| {
            let model = Model::from_query_result(found, "").map_err(failed)?;
            row(Share::from_query_result(found, "").map_err(failed)?, model)
        };
        rows.iter().map(read).collect()
    }
}

#[async_trait]
impl GpuOffers for Handle {
    async fn save_gpu_offer(&self, offer: &GpuOffer) -> Result<()> {
        use sea_orm::Iterable as _;
        let columns =
            Column::iter().filter(|column| !matches!(column, Column::HostId | Column::CreatedAt));
        let replace = OnConflict::column(Column::HostId).update_columns(columns).to_owned();
        let insert = Entity::insert(stored(offer)).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }
}
