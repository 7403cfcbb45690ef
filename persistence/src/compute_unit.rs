//! Hosts that are cut into compute units, and these.

use async_trait::async_trait;
use domain::capacity::Purpose;
use domain::clock::Timestamp;
use domain::compute_unit::{
    ComputeHost, ComputeUnit, ComputeUnitId, ComputeUnitQueries, ComputeUnits, CpuRange, Limits,
    ServerName, UnitFilter, UnitState, UnitWish, ports_from,
};
use domain::host::HostId;
use domain::instance::{DriverKind, Instance, InstanceId};
use domain::job::JobKind;
use domain::money::Money;
use domain::user::Viewer;
use sea_orm::sea_query::{Expr, LockBehavior, LockType, OnConflict, SelectStatement};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, UpdateMany,
};
use uuid::Uuid;

use crate::entity::compute_unit::{ActiveModel, Column, Entity, Model};
use crate::entity::{capacity, compute_host, compute_unit_cpu, instance};
use crate::failure::{Result, corrupt, failed, overtaken};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, number, to_json};

/// So many rows at most in one statement: a database takes so many parameters and no more.
const ROWS: usize = 4_000;

fn range(text: &str) -> Result<CpuRange> {
    CpuRange::parse(text).map_err(|_| corrupt("a range of CPUs"))
}

fn host(row: compute_host::Model) -> Result<ComputeHost> {
    let ranges: Vec<String> = from_json(row.cpu_ranges)?;
    let limits = row.limits.map(|text| Limits::parse(&text).ok_or_else(|| corrupt("limits")));
    Ok(ComputeHost {
        host_id: HostId::from_uuid(row.id),
        hostname: ServerName::from_stored(row.hostname),
        address: row.address.parse().map_err(|_| corrupt("an address"))?,
        region: row.region,
        zone: row.zone,
        ranges: ranges.iter().map(|text| range(text)).collect::<Result<_>>()?,
        driver: DriverKind::parse(&row.driver).ok_or_else(|| corrupt("a driver"))?,
        phase: from_json(row.phase)?,
        system: row.system,
        limits: limits.transpose()?,
        is_prepared: row.is_prepared,
        per_cpu_hour: Money::from_e8(row.per_cpu_hour_e8),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn stored_host(host: &ComputeHost) -> Result<compute_host::ActiveModel> {
    let ranges: Vec<&str> = host.ranges.iter().map(CpuRange::as_str).collect();
    Ok(compute_host::ActiveModel {
        id: Set(host.host_id.uuid()),
        hostname: Set(host.hostname.to_string()),
        address: Set(host.address.to_string()),
        region: Set(host.region.clone()),
        zone: Set(host.zone.clone()),
        cpu_ranges: Set(to_json(ranges)?),
        driver: Set(host.driver.as_str().to_owned()),
        phase: Set(to_json(&host.phase)?),
        status: Set(host.phase.as_str().to_owned()),
        is_settled: Set(host.phase.is_settled()),
        system: Set(host.system.clone()),
        limits: Set(host.limits.map(|limits| limits.as_str().to_owned())),
        is_prepared: Set(host.is_prepared),
        per_cpu_hour_e8: Set(host.per_cpu_hour.e8()),
        created_at: Set(host.created_at),
        updated_at: Set(host.updated_at),
    })
}

fn unit(row: Model) -> Result<ComputeUnit> {
    let holder = row.instance_id.map(InstanceId::from_uuid);
    let state = match (row.state.as_str(), holder) {
        ("planned", None) => UnitState::Planned,
        ("free", None) => UnitState::Free,
        ("held", Some(instance_id)) => {
            let tags = row.tags.map(from_json).transpose()?;
            UnitState::Held { instance_id, tags }
        }
        ("failed", None) => UnitState::Failed { reason: row.reason.unwrap_or_default() },
        ("leaving", None) => UnitState::Leaving,
        _ => return Err(corrupt("the state of a compute unit")),
    };
    Ok(ComputeUnit {
        id: ComputeUnitId::from_uuid(row.id),
        host_id: HostId::from_uuid(row.host_id),
        name: row.name,
        range: range(&row.cpu_range)?,
        ports: ports_from(number(row.first_port)?).ok_or_else(|| corrupt("a port"))?,
        ram_mib: number(row.ram_mib)?,
        state,
        changed_at: row.changed_at,
    })
}

fn stored(unit: &ComputeUnit) -> ActiveModel {
    ActiveModel {
        id: Set(unit.id.uuid()),
        host_id: Set(unit.host_id.uuid()),
        name: Set(unit.name.clone()),
        cpu_range: Set(unit.range.to_string()),
        cpu_count: Set(unit.range.count().into()),
        first_cpu: Set(unit.range.cpus().first().copied().unwrap_or_default().into()),
        first_port: Set(unit.ports.from.into()),
        ram_mib: Set(unit.ram_mib.into()),
        state: Set(unit.state.as_str().to_owned()),
        instance_id: Set(None),
        tags: Set(None),
        reason: Set(None),
        changed_at: Set(unit.changed_at),
    }
}

/// Puts units into a state.
fn into_state(state: &UnitState, now: Timestamp) -> Result<UpdateMany<Entity>> {
    let (holder, tags) = match state {
        UnitState::Held { instance_id, tags } => (Some(*instance_id), tags.as_ref()),
        _ => (None, None),
    };
    let reason = match state {
        UnitState::Failed { reason } => Some(reason.clone()),
        _ => None,
    };
    Ok(Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::InstanceId, Expr::value(holder.map(InstanceId::uuid)))
        .col_expr(Column::Tags, Expr::value(tags.map(to_json).transpose()?))
        .col_expr(Column::Reason, Expr::value(reason))
        .col_expr(Column::ChangedAt, Expr::value(now)))
}

/// The ids of hosts whose driver reaches them and that take something new.
fn open_hosts() -> SelectStatement {
    capacity::Entity::find()
        .select_only()
        .column(capacity::Column::HostId)
        .filter(capacity::Column::Purpose.eq(Purpose::ComputeUnits.as_str()))
        .filter(capacity::Column::UnreachableSince.is_null())
        .filter(Expr::cust("NOT is_draining"))
        .into_query()
}

/// Units that are free by what is committed: those with the fewest CPUs first, of the oldest host, by CPU.
fn free(wish: &UnitWish) -> Select<Entity> {
    let hosts = compute_host::Entity::find()
        .select_only()
        .column(compute_host::Column::Id)
        .filter(compute_host::Column::Status.eq("ready"))
        .apply_if(wish.region.as_ref(), |find, region| {
            find.filter(compute_host::Column::Region.eq(region))
        })
        .apply_if(wish.zone.as_ref(), |find, zone| find.filter(compute_host::Column::Zone.eq(zone)))
        .filter(compute_host::Column::Id.in_subquery(open_hosts()))
        .into_query();
    Entity::find()
        // Word for word the index's predicate.
        .filter(Expr::cust("state = 'free'"))
        .apply_if(wish.cpu_count, |find, count| find.filter(Column::CpuCount.eq(count)))
        .filter(Column::HostId.in_subquery(hosts))
        .order_by_asc(Column::CpuCount)
        .order_by_asc(Column::HostId)
        .order_by_asc(Column::FirstCpu)
}

/// What a filter says about hosts.
fn of_hosts(filter: &UnitFilter) -> Condition {
    use compute_host::Column;
    Condition::all()
        .add_option(filter.hostname.as_ref().map(|name| Column::Hostname.eq(name)))
        .add_option(filter.region.as_ref().map(|region| Column::Region.eq(region)))
        .add_option(filter.zone.as_ref().map(|zone| Column::Zone.eq(zone)))
}

impl Handle {
    async fn units(&self, find: Select<Entity>) -> Result<Vec<ComputeUnit>> {
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(unit).collect()
    }

    async fn one_unit(&self, find: Select<Entity>) -> Result<Option<ComputeUnit>> {
        find.one(&self.connection).await.map_err(failed)?.map(unit).transpose()
    }
}

#[async_trait]
impl ComputeUnitQueries for Handle {
    async fn compute_host(&self, host_id: HostId) -> Result<Option<ComputeHost>> {
        let find = compute_host::Entity::find_by_id(host_id.uuid()).one(&self.connection);
        find.await.map_err(failed)?.map(host).transpose()
    }

    async fn compute_host_named(&self, name: &ServerName) -> Result<Option<ComputeHost>> {
        let find = compute_host::Entity::find()
            .filter(compute_host::Column::Hostname.eq(name.as_str()))
            .one(&self.connection);
        find.await.map_err(failed)?.map(host).transpose()
    }

    async fn compute_hosts(&self, filter: &UnitFilter) -> Result<Vec<ComputeHost>> {
        let find = compute_host::Entity::find()
            .filter(of_hosts(filter))
            .order_by_asc(compute_host::Column::Hostname);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(host).collect()
    }

    async fn compute_units(&self, filter: &UnitFilter) -> Result<Vec<ComputeUnit>> {
        let hosts = compute_host::Entity::find()
            .select_only()
            .column(compute_host::Column::Id)
            .filter(of_hosts(filter))
            .into_query();
        let find = Entity::find()
            .filter(Column::HostId.in_subquery(hosts))
            .apply_if(filter.name.as_ref(), |find, name| find.filter(Column::Name.eq(name)))
            .apply_if(filter.cpu_count, |find, count| find.filter(Column::CpuCount.eq(count)))
            .order_by_asc(Column::HostId)
            .order_by_asc(Column::FirstCpu);
        self.units(find).await
    }

    async fn units_of_host(&self, host_id: HostId) -> Result<Vec<ComputeUnit>> {
        let find = Entity::find().filter(Column::HostId.eq(host_id.uuid()));
        self.units(find.order_by_asc(Column::FirstCpu)).await
    }

    async fn compute_unit_named(&self, name: &str) -> Result<Option<ComputeUnit>> {
        self.one_unit(Entity::find().filter(Column::Name.eq(name))).await
    }

    async fn compute_unit_of(&self, instance_id: InstanceId) -> Result<Option<ComputeUnit>> {
        self.one_unit(Entity::find().filter(Column::InstanceId.eq(instance_id.uuid()))).await
    }

    async fn closed_compute_hosts(&self) -> Result<Vec<HostId>> {
        let find = compute_host::Entity::find()
            .select_only()
            .column(compute_host::Column::Id)
            .filter(compute_host::Column::Id.not_in_subquery(open_hosts()))
            .into_tuple();
        let ids: Vec<Uuid> = find.all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(HostId::from_uuid).collect())
    }

    async fn unit_instances(&self, viewer: Option<Viewer>) -> Result<Vec<Instance>> {
        let held = Entity::find()
            .select_only()
            .column(Column::InstanceId)
            .filter(Column::InstanceId.is_not_null())
            .into_query();
        let find = instance::Entity::find()
            .filter(instance::Column::Id.in_subquery(held))
            .apply_if(viewer, |find, viewer| {
                find.filter(instance::Column::PoolId.in_subquery(joined_pools(viewer)))
            });
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(crate::instance::instance).collect()
    }

    async fn free_unit(&self, wish: &UnitWish) -> Result<Option<ComputeUnitId>> {
        let find = free(wish).select_only().column(Column::Id).limit(1).into_tuple();
        let id: Option<Uuid> = find.one(&self.connection).await.map_err(failed)?;
        Ok(id.map(ComputeUnitId::from_uuid))
    }

    async fn misaligned_compute_hosts(&self, limit: u32) -> Result<Vec<HostId>> {
        let lane = |id| JobKind::AlignComputeHost { host_id: HostId::from_uuid(id) }.lane();
        let ids = self.unsettled_without_job("compute_hosts_at_work", lane, limit).await?;
        Ok(ids.into_iter().map(HostId::from_uuid).collect())
    }
}

#[async_trait]
impl ComputeUnits for Handle {
    async fn compute_host_for_update(&self, host_id: HostId) -> Result<Option<ComputeHost>> {
        let find = compute_host::Entity::find_by_id(host_id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(host).transpose()
    }

    async fn save_compute_host(&self, host: &ComputeHost) -> Result<()> {
        use compute_host::Column;
        let columns = [
            Column::Address,
            Column::Region,
            Column::Zone,
            Column::CpuRanges,
            Column::Driver,
            Column::Phase,
            Column::Status,
            Column::IsSettled,
            Column::System,
            Column::Limits,
            Column::IsPrepared,
            Column::PerCpuHourE8,
            Column::UpdatedAt,
        ];
        let replace = OnConflict::column(Column::Id).update_columns(columns).to_owned();
        let insert = compute_host::Entity::insert(stored_host(host)?).on_conflict(replace);
        // Two may have named the same new host at once.
        insert.exec_without_returning(&self.connection).await.map_err(overtaken).map(|_| ())
    }

    async fn add_units(&self, units: &[ComputeUnit]) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        let insert = Entity::insert_many(units.iter().map(stored));
        insert.exec_without_returning(&self.connection).await.map_err(overtaken)?;
        let cpus = |unit: &ComputeUnit| {
            let (host_id, unit_id) = (unit.host_id.uuid(), unit.id.uuid());
            let row = |cpu: &u32| compute_unit_cpu::ActiveModel {
                host_id: Set(host_id),
                cpu: Set(i64::from(*cpu)),
                unit_id: Set(unit_id),
            };
            unit.range.cpus().iter().map(row).collect::<Vec<_>>()
        };
        let rows: Vec<_> = units.iter().flat_map(cpus).collect();
        for rows in rows.chunks(ROWS) {
            let insert = compute_unit_cpu::Entity::insert_many(rows.to_vec());
            insert.exec_without_returning(&self.connection).await.map_err(overtaken)?;
        }
        Ok(())
    }

    async fn idle_units_for_update(&self, host_id: HostId) -> Result<Vec<ComputeUnit>> {
        let find = Entity::find()
            .filter(Column::HostId.eq(host_id.uuid()))
            .filter(Column::State.ne("held"))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate);
        self.units(find).await
    }

    async fn free_unit_for_update(&self, wish: &UnitWish) -> Result<Option<ComputeUnit>> {
        let find =
            free(wish).lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked).limit(1);
        self.one_unit(find).await
    }

    async fn unit_for_update(&self, id: ComputeUnitId) -> Result<Option<ComputeUnit>> {
        self.one_unit(Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate)).await
    }

    async fn unit_of_for_update(&self, instance_id: InstanceId) -> Result<Option<ComputeUnit>> {
        let find = Entity::find().filter(Column::InstanceId.eq(instance_id.uuid()));
        self.one_unit(find.lock(LockType::NoKeyUpdate)).await
    }

    async fn save_unit(&self, unit: &ComputeUnit) -> Result<()> {
        let update = into_state(&unit.state, unit.changed_at)?
            .col_expr(Column::RamMib, Expr::value(i64::from(unit.ram_mib)))
            .filter(Column::Id.eq(unit.id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn vacate_unit(
        &self,
        instance_id: InstanceId,
        state: &UnitState,
        now: Timestamp,
    ) -> Result<()> {
        let update = into_state(state, now)?.filter(Column::InstanceId.eq(instance_id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn remove_unit(&self, id: ComputeUnitId) -> Result<()> {
        let delete = Entity::delete_by_id(id.uuid()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }
}
