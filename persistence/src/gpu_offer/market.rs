//! What the market's rows are made of, and what has changed of it since a mark.
//!
//! A mark is SQLite's last number in `market_changes`, or a snapshot of PostgreSQL, as text: a transaction that
//! the snapshot has not seen is behind the mark, however long it takes to commit and whatever commits
//! before it.

use domain::capacity::{Resources, StorageName};
use domain::gpu_offer::{MarketChanges, MarketHost, MarketMark, Offered, Uptime};
use domain::host::HostId;
use domain::location::LocationCode;
use domain::number::Numbered;
use domain::page::Page;
use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, QueryResult, Statement, Value};

use super::{figures, terms};
use crate::entity::gpu_offer::Model;
use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::number;

/// What a host is made of, besides its offer.
#[derive(FromQueryResult)]
struct Standing {
    number: i64,
    location_code: String,
    storage: String,
    cpus: i64,
    ram_mib: i64,
    gpu_model: String,
    gpu_memory_mib: i64,
    gpus: i64,
    free_cpus: i64,
    free_ram_mib: i64,
    free_gpus: i64,
    unreachable_since: Option<DateTimeUtc>,
    is_draining: bool,
    down_seconds: i64,
    furnished_at: DateTimeUtc,
    free_gb: i64,
    country: String,
}

/// The columns of [`Standing`] and of the offer.
const COLUMNS: &str = "o.*, n.number, c.location_code, c.storage, c.cpus, c.ram_mib, c.gpu_model, \
    c.gpu_memory_mib, c.gpus, c.cpus - c.used_cpus AS free_cpus, \
    c.ram_mib - c.used_ram_mib AS free_ram_mib, c.gpus - c.used_gpus AS free_gpus, \
    c.unreachable_since, c.is_draining, c.down_seconds, c.created_at AS furnished_at, \
    s.size_gb - s.used_gb AS free_gb, l.country";

fn host(found: &QueryResult) -> Result<MarketHost> {
    let row = Standing::from_query_result(found, "").map_err(failed)?;
    let model = Model::from_query_result(found, "").map_err(failed)?;
    let all = Resources {
        gpus: number(row.gpus)?,
        cpus: number(row.cpus)?,
        ram_mib: number(row.ram_mib)?,
    };
    let free = Resources {
        gpus: number(row.free_gpus)?,
        cpus: number(row.free_cpus)?,
        ram_mib: number(row.free_ram_mib)?,
    };
    let offer = Offered {
        host_id: HostId::from_uuid(model.host_id),
        number: row.number,
        location: LocationCode::from_stored(row.location_code),
        gpu_model: row.gpu_model.into(),
        gpu_memory_mib: number(row.gpu_memory_mib)?,
        terms: terms(&model)?,
        figures: figures(model)?,
    };
    Ok(MarketHost {
        offer,
        country: row.country,
        all,
        free,
        storage: StorageName::from_stored(row.storage),
        disk_gb: number(row.free_gb)?,
        is_reached: row.unreachable_since.is_none(),
        accepts: !row.is_draining,
        uptime: Uptime::new(row.furnished_at, row.unreachable_since, number(row.down_seconds)?),
    })
}

/// What PostgreSQL calls where it is. Rows of the future are those of another cluster, out of a backup.
const POSTGRES_MARK: &str = "CAST(pg_current_snapshot() AS text)";
/// What SQLite calls it. The last row is never forgotten.
const SQLITE_MARK: &str = "CAST((SELECT COALESCE(MAX(id), 0) FROM market_changes) AS text)";

/// With an end, however true that is of all rows that can be seen: the planner then takes the range for a
/// small one, and the index.
const POSTGRES_BEHIND: &str = "xid >= pg_snapshot_xmin(CAST($1 AS pg_snapshot)) \
    AND xid < pg_snapshot_xmax(pg_current_snapshot()) \
    AND NOT pg_visible_in_snapshot(xid, CAST($1 AS pg_snapshot))";
const SQLITE_BEHIND: &str = "id > CAST($1 AS integer)";

fn statement(handle: &Handle, sql: String, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(handle.connection.get_database_backend(), sql, values)
}

/// Where the database is.
pub async fn mark(handle: &Handle) -> Result<MarketMark> {
    let mark = match handle.connection.get_database_backend() {
        DbBackend::Postgres => POSTGRES_MARK,
        _ => SQLITE_MARK,
    };
    let select = statement(handle, format!("SELECT {mark} AS mark"), Vec::new());
    let row = handle.connection.query_one_raw(select).await.map_err(failed)?;
    let row = row.ok_or_else(|| corrupt("where the market is"))?;
    row.try_get("", "mark").map(MarketMark).map_err(failed)
}

/// Listed hosts, by id.
pub async fn hosts(handle: &Handle, page: &Page<HostId>) -> Result<Vec<MarketHost>> {
    let after = page.after.map_or_else(Uuid::nil, HostId::uuid);
    let kind = Numbered::GpuOffer.as_str();
    let limit = page.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    let sql = format!(
        "SELECT {COLUMNS} FROM gpu_offers o JOIN numbers n ON n.kind = '{kind}' AND n.id = o.host_id \
         JOIN capacities c ON c.host_id = o.host_id AND c.gpu_model IS NOT NULL \
         JOIN storages s ON s.name = c.storage JOIN locations l ON l.code = c.location_code \
         WHERE o.is_listed AND o.host_id > $1 ORDER BY o.host_id{limit}"
    );
    let select = statement(handle, sql, vec![after.into()]);
    let rows = handle.connection.query_all_raw(select).await.map_err(failed)?;
    rows.iter().map(host).collect()
}

/// What lies behind a mark, and where that ends, by one statement: so it is what was there at one moment.
pub async fn changes(handle: &Handle, since: &MarketMark) -> Result<Option<MarketChanges>> {
    let (mark, behind, trimmed) = match handle.connection.get_database_backend() {
        DbBackend::Postgres => (POSTGRES_MARK, POSTGRES_BEHIND, "CAST(trimmed AS text)"),
        _ => (SQLITE_MARK, SQLITE_BEHIND, "CAST(trimmed AS text)"),
    };
    let kind = Numbered::GpuOffer.as_str();
    let sql = format!(
        "SELECT {mark} AS mark, k.host_id AS changed_host, k.trimmed, \
         COALESCE(c.storage, k.storage) AS storage_name, \
         COALESCE(c.location_code, k.location_code) AS code, \
         o.is_listed AND c.gpu_model IS NOT NULL AND n.number IS NOT NULL AS is_there, {COLUMNS} \
         FROM (SELECT 1 AS one) whole LEFT JOIN (SELECT DISTINCT host_id, storage, location_code, \
         {trimmed} AS trimmed FROM market_changes WHERE {behind}) k ON whole.one = 1 \
         LEFT JOIN capacities c ON c.host_id = k.host_id \
         LEFT JOIN gpu_offers o ON o.host_id = k.host_id \
         LEFT JOIN numbers n ON n.kind = '{kind}' AND n.id = k.host_id \
         LEFT JOIN storages s ON s.name = COALESCE(c.storage, k.storage) \
         LEFT JOIN locations l ON l.code = COALESCE(c.location_code, k.location_code)"
    );
    let select = statement(handle, sql, vec![since.0.clone().into()]);
    let rows = handle.connection.query_all_raw(select).await.map_err(failed)?;
    let first = rows.first().ok_or_else(|| corrupt("where the market is"))?;
    let mark = MarketMark(first.try_get("", "mark").map_err(failed)?);
    let (Some(before), Some(after)) = (Place::read(since), Place::read(&mark)) else {
        return Err(corrupt("a mark of the market"));
    };
    if after.last < before.last {
        // Another database answers, or the same as it was before.
        return Ok(None);
    }
    let mut changes =
        MarketChanges { mark, hosts: Vec::new(), storages: Vec::new(), locations: Vec::new() };
    for row in &rows {
        let trimmed: Option<String> = row.try_get("", "trimmed").map_err(failed)?;
        let trimmed = trimmed.map(|trimmed| trimmed.parse::<u64>());
        if trimmed.is_some_and(|trimmed| trimmed.is_ok_and(|trimmed| trimmed >= before.first)) {
            return Ok(None);
        }
        add(row, &mut changes)?;
    }
    Ok(Some(changes))
}

/// The transactions or rows around a mark: none before the first is behind it, and none after the last was
/// there yet.
struct Place {
    first: u64,
    last: u64,
}

impl Place {
    fn read(mark: &MarketMark) -> Option<Self> {
        let mut numbers = mark.0.split(':').map(str::parse);
        match (numbers.next()?.ok()?, numbers.next()) {
            (first, Some(last)) => Some(Self { first, last: last.ok()? }),
            (last, None) => Some(Self { first: last.checked_add(1)?, last }),
        }
    }
}

/// Adds what a row tells of a host, or of a storage or a location alone; a host's row tells of its own.
fn add(row: &QueryResult, changes: &mut MarketChanges) -> Result<()> {
    fn read<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> Result<Option<T>> {
        row.try_get("", column).map_err(failed)
    }
    if let Some(id) = read::<Uuid>(row, "changed_host")? {
        let is_there = read::<bool>(row, "is_there")?.unwrap_or_default();
        let host = if is_there { Some(host(row)?) } else { None };
        changes.hosts.push((HostId::from_uuid(id), host));
        return Ok(());
    }
    let storage = read::<String>(row, "storage_name")?.zip(read::<i64>(row, "free_gb")?);
    if let Some((name, free_gb)) = storage {
        changes.storages.push((StorageName::from_stored(name), number(free_gb)?));
    }
    let location = read::<String>(row, "code")?.zip(read::<String>(row, "country")?);
    changes.locations.extend(location.map(|(code, in_)| (LocationCode::from_stored(code), in_)));
    Ok(())
}

/// The oldest row that goes, and then what goes with it. Rows of the future are out of a backup.
const POSTGRES_TRIM: &str = "WITH now AS (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid), \
    last AS (SELECT m.xid FROM market_changes m, now WHERE m.xid < now.xid \
    ORDER BY m.xid DESC OFFSET {keep} LIMIT 1), \
    gone AS (DELETE FROM market_changes m USING now WHERE m.xid >= now.xid \
    OR m.xid <= (SELECT xid FROM last) RETURNING 1), \
    told AS (INSERT INTO market_changes (trimmed) SELECT xid FROM last) \
    SELECT COUNT(*) AS gone FROM gone";
const SQLITE_TELL: &str = "INSERT INTO market_changes (trimmed) \
    SELECT id FROM market_changes ORDER BY id DESC LIMIT 1 OFFSET {keep}";
/// The row that tells of it is the last one.
const SQLITE_TRIM: &str = "DELETE FROM market_changes WHERE id <= \
    (SELECT trimmed FROM market_changes ORDER BY id DESC LIMIT 1)";

/// Forgets all rows but the last ones. A row tells up to where, so that a reader who has not seen what is gone
/// finds out; that one is forgotten only together with all before it, for another one.
pub async fn trim(handle: &Handle, keep: u32) -> Result<u64> {
    let with = |sql: &str| statement(handle, sql.replace("{keep}", &keep.to_string()), Vec::new());
    if handle.connection.get_database_backend() == DbBackend::Postgres {
        let row = handle.connection.query_one_raw(with(POSTGRES_TRIM)).await.map_err(failed)?;
        let gone: Option<i64> =
            row.map(|row| row.try_get("", "gone")).transpose().map_err(failed)?;
        return number(gone.unwrap_or_default());
    }
    let told = handle.connection.execute_raw(with(SQLITE_TELL)).await.map_err(failed)?;
    if told.rows_affected() == 0 {
        return Ok(0);
    }
    let gone = handle.connection.execute_raw(with(SQLITE_TRIM)).await.map_err(failed)?;
    Ok(gone.rows_affected())
}
