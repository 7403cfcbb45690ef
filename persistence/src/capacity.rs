//! What hosts have for instances.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use async_trait::async_trait;
use domain::capacity::{
    Capacities, Capacity, CapacityQueries, Free, Health, Need, NetworkName, Placement, PortRange,
    Purpose, Room, Slot, Storage, StorageName, Used,
};
use domain::clock::Timestamp;
use domain::host::HostId;
use domain::instance::{DriverKind, InstanceId, PublishedPort};
use domain::location::LocationCode;
use domain::page::Page;
use domain::plan::GpuShape;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict, Query, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DeleteMany, EntityTrait,
    FromQueryResult, JoinType, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    UpdateMany,
};
use uuid::Uuid;

use crate::entity::capacity::{ActiveModel, Column, Entity, Model};
use crate::entity::{slot, storage};
use crate::failure::{Result, corrupt, failed, overtaken};
use crate::store::Handle;
use crate::words::{from_json, number, to_json};

/// To free what an instance holds of a host.
fn held(host_id: HostId, instance_id: InstanceId) -> DeleteMany<slot::Entity> {
    slot::Entity::delete_many()
        .filter(slot::Column::HostId.eq(host_id.uuid()))
        .filter(slot::Column::InstanceId.eq(instance_id.uuid()))
}

/// The kind of slots that are addresses.
const ADDRESS: &str = "address";
/// The same of ports.
const PORT: &str = "port";

fn capacity(row: Model) -> Result<Capacity> {
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| corrupt("an address"));
    let gpu = match row.gpu_model {
        Some(model) => Some(GpuShape {
            model,
            count: number(row.gpus)?,
            memory_mib: number(row.gpu_memory_mib)?,
        }),
        None => None,
    };
    Ok(Capacity {
        host_id: HostId::from_uuid(row.host_id),
        location: LocationCode::from_stored(row.location_code),
        storage: StorageName::from_stored(row.storage),
        purpose: Purpose::parse(&row.purpose).ok_or_else(|| corrupt("a purpose"))?,
        driver: DriverKind::parse(&row.driver).ok_or_else(|| corrupt("a driver"))?,
        settings: from_json(row.settings)?,
        address: address(&row.address)?,
        addresses: from_json(row.addresses)?,
        network: row.network.map(NetworkName::from_stored),
        ports: PortRange { from: number(row.first_port)?, until: number(row.last_port)? },
        pins_cpus: row.pins_cpus,
        cpus: number(row.cpus)?,
        ram_mib: number(row.ram_mib)?,
        gpu,
        used: Used {
            cpus: number(row.used_cpus)?,
            ram_mib: number(row.used_ram_mib)?,
            gpus: number(row.used_gpus)?,
            instances: number(row.instances)?,
        },
        health: row
            .unreachable_since
            .map_or(Health::Healthy, |since| Health::Unreachable { since }),
        down_seconds: number(row.down_seconds)?,
        is_draining: row.is_draining,
        benchmark: from_json(row.benchmark)?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn stored(capacity: &Capacity) -> Result<ActiveModel> {
    let gpu = capacity.gpu.as_ref();
    Ok(ActiveModel {
        host_id: Set(capacity.host_id.uuid()),
        location_code: Set(capacity.location.to_string()),
        storage: Set(capacity.storage.to_string()),
        purpose: Set(capacity.purpose.as_str().to_owned()),
        driver: Set(capacity.driver.as_str().to_owned()),
        settings: Set(to_json(&capacity.settings)?),
        address: Set(capacity.address.to_string()),
        addresses: Set(to_json(&capacity.addresses)?),
        network: Set(capacity.network.as_ref().map(ToString::to_string)),
        first_port: Set(capacity.ports.from.into()),
        last_port: Set(capacity.ports.until.into()),
        pins_cpus: Set(capacity.pins_cpus),
        cpus: Set(capacity.cpus.into()),
        ram_mib: Set(capacity.ram_mib.into()),
        gpu_model: Set(gpu.map(|gpu| gpu.model.clone())),
        gpu_memory_mib: Set(gpu.map_or(0, |gpu| gpu.memory_mib.into())),
        gpus: Set(gpu.map_or(0, |gpu| gpu.count.into())),
        used_cpus: Set(capacity.used.cpus.into()),
        used_ram_mib: Set(capacity.used.ram_mib.into()),
        used_gpus: Set(capacity.used.gpus.into()),
        instances: Set(capacity.used.instances.into()),
        unreachable_since: Set(since(capacity.health)),
        down_seconds: Set(seconds(capacity.down_seconds)),
        is_draining: Set(capacity.is_draining),
        benchmark: Set(to_json(&capacity.benchmark)?),
        created_at: Set(capacity.created_at),
        updated_at: Set(capacity.updated_at),
    })
}

fn seconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

const fn since(health: Health) -> Option<Timestamp> {
    match health {
        Health::Healthy => None,
        Health::Unreachable { since } => Some(since),
    }
}

fn storage(row: storage::Model) -> Result<Storage> {
    Ok(Storage {
        name: StorageName::from_stored(row.name),
        location: LocationCode::from_stored(row.location_code),
        size_gb: number(row.size_gb)?,
        used_gb: number(row.used_gb)?,
    })
}

/// Hosts with room by what is committed, the best first.
fn with_room(need: &Need, placement: Placement) -> Select<Entity> {
    let shape = &need.shape;
    let left = |has: Column, used: Column| Expr::col(has).sub(Expr::col(used));
    let roomy = storage::Entity::find()
        .select_only()
        .column(storage::Column::Name)
        .filter(storage::Column::LocationCode.eq(need.location.as_str()))
        .filter(
            Expr::col(storage::Column::SizeGb)
                .sub(Expr::col(storage::Column::UsedGb))
                .gte(i64::from(need.disk_gb())),
        )
        .into_query();
    let find = Entity::find()
        .filter(Column::LocationCode.eq(need.location.as_str()))
        .filter(Column::Purpose.eq(Purpose::Instances.as_str()))
        .filter(Column::UnreachableSince.is_null())
        .filter(Expr::cust("NOT is_draining"))
        .filter(left(Column::Cpus, Column::UsedCpus).gte(i64::from(shape.cpus)))
        .filter(left(Column::RamMib, Column::UsedRamMib).gte(i64::from(shape.ram_mib)))
        .filter(Column::Storage.in_subquery(roomy))
        .apply_if(shape.gpu.as_ref(), |find, gpu| {
            find.filter(Column::GpuModel.eq(&gpu.model))
                .filter(Column::GpuMemoryMib.gte(gpu.memory_mib))
                .filter(left(Column::Gpus, Column::UsedGpus).gte(i64::from(gpu.count)))
        })
        .apply_if(need.storage.as_ref(), |find, name| {
            find.filter(Column::Storage.eq(name.as_str()))
        })
        .apply_if(need.host_id, |find, id| find.filter(Column::HostId.eq(id.uuid())));
    let find = match placement {
        // What is scarce counts first: an instance without one does not take the place of those with.
        Placement::BestFit => find
            .order_by(left(Column::Gpus, Column::UsedGpus), Order::Asc)
            .order_by(left(Column::Cpus, Column::UsedCpus), Order::Asc)
            .order_by(left(Column::RamMib, Column::UsedRamMib), Order::Asc),
        Placement::Spread => find.order_by_asc(Column::Instances),
        Placement::Pack => find.order_by_desc(Column::Instances),
    };
    find.order_by_asc(Column::HostId)
}

fn with_used(name: &StorageName, used_gb: Expr) -> UpdateMany<storage::Entity> {
    storage::Entity::update_many()
        .col_expr(storage::Column::UsedGb, used_gb)
        .filter(storage::Column::Name.eq(name.as_str()))
}

/// What is read of a host that new instances may come to.
#[derive(FromQueryResult)]
struct RoomRow {
    host_id: Uuid,
    location_code: String,
    storage: String,
    addresses: i64,
    held_addresses: i64,
    free_cpus: i64,
    free_ram_mib: i64,
    gpu_model: Option<String>,
    gpu_memory_mib: i64,
    free_gpus: i64,
    storage_gb: i64,
}

/// Hosts that are open as [`with_room`] has them, each with what is free.
fn open_hosts(backend: DbBackend, location: Option<&LocationCode>) -> Select<Entity> {
    // Counted there: the addresses themselves of thousands of hosts would be read for nothing.
    let addresses = match backend {
        DbBackend::Postgres => "jsonb_array_length(capacities.addresses)::bigint",
        _ => "json_array_length(capacities.addresses)",
    };
    let left = |has, used| Expr::col((Entity, has)).sub(Expr::col((Entity, used)));
    let disks = |column| Expr::col((storage::Entity, column));
    let held = Query::select()
        .expr(Expr::cust("COUNT(*)"))
        .from(slot::Entity)
        .and_where(slot::Column::Kind.eq(ADDRESS))
        .and_where(Expr::col((slot::Entity, slot::Column::HostId)).equals((Entity, Column::HostId)))
        .take();
    Entity::find()
        .select_only()
        .columns([Column::HostId, Column::LocationCode, Column::Storage])
        .columns([Column::GpuModel, Column::GpuMemoryMib])
        .expr_as(Expr::cust(addresses), "addresses")
        .expr_as(SimpleExpr::from(held), "held_addresses")
        .expr_as(left(Column::Cpus, Column::UsedCpus), "free_cpus")
        .expr_as(left(Column::RamMib, Column::UsedRamMib), "free_ram_mib")
        .expr_as(left(Column::Gpus, Column::UsedGpus), "free_gpus")
        .expr_as(disks(storage::Column::SizeGb).sub(disks(storage::Column::UsedGb)), "storage_gb")
        .join(
            JoinType::InnerJoin,
            Entity::belongs_to(storage::Entity)
                .from(Column::Storage)
                .to(storage::Column::Name)
                .into(),
        )
        .filter(Column::Purpose.eq(Purpose::Instances.as_str()))
        .filter(Column::UnreachableSince.is_null())
        .filter(Expr::cust("NOT is_draining"))
        .apply_if(location, |find, code| find.filter(Column::LocationCode.eq(code.as_str())))
}

fn room(row: RoomRow) -> Result<Room> {
    let (addresses, held): (u32, u32) = (number(row.addresses)?, number(row.held_addresses)?);
    let gpu = match row.gpu_model {
        Some(model) => Some(GpuShape {
            model,
            count: number(row.free_gpus)?,
            memory_mib: number(row.gpu_memory_mib)?,
        }),
        None => None,
    };
    Ok(Room {
        host_id: HostId::from_uuid(row.host_id),
        location: LocationCode::from_stored(row.location_code),
        storage: StorageName::from_stored(row.storage),
        storage_gb: number(row.storage_gb)?,
        free: Free { cpus: number(row.free_cpus)?, ram_mib: number(row.free_ram_mib)?, gpu },
        addresses: (addresses > 0).then(|| addresses.saturating_sub(held)),
    })
}

#[async_trait]
impl CapacityQueries for Handle {
    async fn hosts_of_network(&self, name: &NetworkName) -> Result<Vec<Capacity>> {
        let find = Entity::find().filter(Column::Network.eq(name.to_string()));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(capacity).collect()
    }

    async fn capacity(&self, host_id: HostId) -> Result<Option<Capacity>> {
        let find = Entity::find_by_id(host_id.uuid()).one(&self.connection).await;
        find.map_err(failed)?.map(capacity).transpose()
    }

    async fn capacities(&self, page: &Page<HostId>) -> Result<Vec<Capacity>> {
        let find = Entity::find()
            .apply_if(page.after, |find, after| find.filter(Column::HostId.gt(after.uuid())))
            .order_by_asc(Column::HostId)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(capacity).collect()
    }

    async fn addresses_of_hosts(&self, ids: &BTreeSet<HostId>) -> Result<BTreeMap<HostId, IpAddr>> {
        let find = Entity::find()
            .select_only()
            .columns([Column::HostId, Column::Address])
            .filter(Column::HostId.is_in(ids.iter().map(|id| id.uuid())))
            .into_tuple();
        let rows: Vec<(Uuid, String)> = find.all(&self.connection).await.map_err(failed)?;
        let read = |(id, address): (Uuid, String)| {
            let address = address.parse().map_err(|_| corrupt("an address"))?;
            Ok((HostId::from_uuid(id), address))
        };
        rows.into_iter().map(read).collect()
    }

    async fn storage(&self, name: &StorageName) -> Result<Option<Storage>> {
        let find = storage::Entity::find_by_id(name.as_str()).one(&self.connection).await;
        find.map_err(failed)?.map(self::storage).transpose()
    }

    async fn host_with_room(
        &self,
        need: &Need,
        placement: Placement,
        except: &BTreeSet<HostId>,
    ) -> Result<Option<HostId>> {
        let find = with_room(need, placement)
            .select_only()
            .column(Column::HostId)
            .filter(Column::HostId.is_not_in(except.iter().map(|id| id.uuid())))
            .into_tuple();
        let id: Option<Uuid> = find.one(&self.connection).await.map_err(failed)?;
        Ok(id.map(HostId::from_uuid))
    }

    async fn rooms(&self, location: Option<&LocationCode>) -> Result<Vec<Room>> {
        let backend = self.connection.get_database_backend();
        let find = open_hosts(backend, location).into_model::<RoomRow>();
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(room).collect()
    }

    async fn slots_of(&self, host_id: HostId) -> Result<Vec<(Slot, InstanceId)>> {
        let find = slot::Entity::find().filter(slot::Column::HostId.eq(host_id.uuid()));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        let read = |row: slot::Model| {
            let slot = Slot::from_stored(&row.kind, &row.name);
            let slot = slot.ok_or_else(|| corrupt("a slot"))?;
            Ok((slot, InstanceId::from_uuid(row.instance_id)))
        };
        rows.into_iter().map(read).collect()
    }
}

#[async_trait]
impl Capacities for Handle {
    async fn capacity_for_update(&self, host_id: HostId) -> Result<Option<Capacity>> {
        let find = Entity::find_by_id(host_id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(capacity).transpose()
    }

    async fn free_capacity_for_update(
        &self,
        need: &Need,
        placement: Placement,
    ) -> Result<Option<Capacity>> {
        let find = with_room(need, placement)
            .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
            .limit(1);
        find.one(&self.connection).await.map_err(failed)?.map(capacity).transpose()
    }

    async fn save_capacity(&self, capacity: &Capacity) -> Result<()> {
        let columns = [
            Column::LocationCode,
            Column::Storage,
            Column::Purpose,
            Column::Driver,
            Column::Settings,
            Column::Address,
            Column::Addresses,
            Column::Network,
            Column::FirstPort,
            Column::LastPort,
            Column::PinsCpus,
            Column::Cpus,
            Column::RamMib,
            Column::GpuModel,
            Column::GpuMemoryMib,
            Column::Gpus,
            Column::IsDraining,
            Column::Benchmark,
            Column::UpdatedAt,
        ];
        let replace = OnConflict::column(Column::HostId).update_columns(columns).to_owned();
        let insert = Entity::insert(stored(capacity)?).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn save_used(&self, capacity: &Capacity) -> Result<()> {
        let used = capacity.used;
        let update = Entity::update_many()
            .col_expr(Column::UsedCpus, Expr::value(i64::from(used.cpus)))
            .col_expr(Column::UsedRamMib, Expr::value(i64::from(used.ram_mib)))
            .col_expr(Column::UsedGpus, Expr::value(i64::from(used.gpus)))
            .col_expr(Column::Instances, Expr::value(i64::from(used.instances)))
            .filter(Column::HostId.eq(capacity.host_id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn save_health(&self, capacity: &Capacity, now: Timestamp) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::UnreachableSince, Expr::value(since(capacity.health)))
            .col_expr(Column::DownSeconds, Expr::value(seconds(capacity.down_seconds)))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::HostId.eq(capacity.host_id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn storage_for_update(&self, name: &StorageName) -> Result<Option<Storage>> {
        let find = storage::Entity::find_by_id(name.as_str()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(storage).transpose()
    }

    async fn save_storage(&self, storage: &Storage) -> Result<()> {
        let row = storage::ActiveModel {
            name: Set(storage.name.to_string()),
            location_code: Set(storage.location.to_string()),
            size_gb: Set(storage.size_gb.into()),
            used_gb: Set(storage.used_gb.into()),
        };
        let columns = [storage::Column::SizeGb, storage::Column::UsedGb];
        let replace = OnConflict::column(storage::Column::Name).update_columns(columns).to_owned();
        let insert = storage::Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn take_disk(&self, name: &StorageName, size_gb: u32) -> Result<bool> {
        let left = Expr::col(storage::Column::SizeGb).sub(Expr::col(storage::Column::UsedGb));
        let update = with_used(name, Expr::col(storage::Column::UsedGb).add(i64::from(size_gb)))
            .filter(left.gte(i64::from(size_gb)));
        let outcome = update.exec(&self.connection).await.map_err(failed)?;
        Ok(outcome.rows_affected == 1)
    }

    async fn give_disk_back(&self, name: &StorageName, size_gb: u32) -> Result<()> {
        let update = with_used(name, Expr::col(storage::Column::UsedGb).sub(i64::from(size_gb)));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn add_slots(
        &self,
        host_id: HostId,
        instance_id: InstanceId,
        slots: &[Slot],
    ) -> Result<()> {
        let rows = slots.iter().map(|slot| {
            let (kind, name) = slot.stored();
            slot::ActiveModel {
                host_id: Set(host_id.uuid()),
                kind: Set(kind.to_owned()),
                name: Set(name),
                instance_id: Set(instance_id.uuid()),
            }
        });
        let insert = slot::Entity::insert_many(rows);
        insert.exec_without_returning(&self.connection).await.map_err(overtaken).map(|_| ())
    }

    async fn free_slots(&self, host_id: HostId, instance_id: InstanceId) -> Result<()> {
        let delete = held(host_id, instance_id).filter(slot::Column::Kind.ne(ADDRESS));
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn free_ports(
        &self,
        host_id: HostId,
        instance_id: InstanceId,
        kept: &[PublishedPort],
    ) -> Result<()> {
        let kept = kept.iter().map(|port| Slot::Port(port.outside).stored().1);
        let delete = held(host_id, instance_id)
            .filter(slot::Column::Kind.eq(PORT))
            .filter(slot::Column::Name.is_not_in(kept));
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn free_addresses(&self, instance_id: InstanceId, kept: Option<HostId>) -> Result<()> {
        let mut delete = slot::Entity::delete_many()
            .filter(slot::Column::InstanceId.eq(instance_id.uuid()))
            .filter(slot::Column::Kind.eq(ADDRESS));
        if let Some(host_id) = kept {
            delete = delete.filter(slot::Column::HostId.ne(host_id.uuid()));
        }
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
