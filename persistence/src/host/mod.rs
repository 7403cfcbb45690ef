//! Hosts, and the columns that browsing filters and sorts by.

mod browse;
mod filter;
mod totals;

use async_trait::async_trait;
use domain::host::{DiskType, Host, HostId, HostQueries, Hosts, Occupancy, Specs};
use domain::money::Money;
use domain::page::Page;
use domain::rental::RentalId;
use domain::user::UserId;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, NotSet, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

pub(crate) use totals::Totals;

use crate::entity::host::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::{from_json, to_json};

/// Rows in one INSERT: far below both databases' bound on parameters.
const ROWS_AT_ONCE: usize = 500;
/// Stands for unlimited traffic, so that a minimum is one comparison.
const UNLIMITED: i64 = i64::MAX;
/// The rank of an unranked host: behind every other.
const UNRANKED: i64 = 0xffff_ffff;

pub(crate) fn host(row: Model) -> Result<Host> {
    let occupancy = match row.rental_id.map(RentalId::from_uuid) {
        None => Occupancy::Free,
        Some(rental_id) if row.is_cleaning => Occupancy::Cleaning(rental_id),
        Some(rental_id) => Occupancy::Rented(rental_id),
    };
    Ok(Host {
        id: HostId::from_uuid(row.id),
        external_id: row.external_id,
        specs: from_json(row.specs)?,
        pricing: from_json(row.pricing)?,
        supplier_id: row.supplier_id.map(UserId::from_uuid),
        sla: row.sla.map(from_json).transpose()?,
        is_listed: row.is_listed,
        occupancy,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// The bit of a kind of disk in `disk_types`.
pub(crate) const fn disk_bit(kind: DiskType) -> i64 {
    match kind {
        DiskType::Hdd => 1,
        DiskType::Ssd => 2,
        DiskType::Nvme => 4,
    }
}

fn described(host: &Host) -> Result<ActiveModel> {
    let Host { specs, pricing, .. } = host;
    let days: Vec<String> = pricing.tiers().map(|(days, _)| days.to_string()).collect();
    let rank = specs.popularity_rank.map_or(UNRANKED, i64::from);
    Ok(ActiveModel {
        id: Set(host.id.uuid()),
        specs: Set(to_json(specs)?),
        pricing: Set(to_json(pricing)?),
        is_listed: Set(host.is_listed),
        updated_at: Set(host.updated_at),
        country: Set(specs.location.country.clone()),
        region: Set(specs.location.region.to_lowercase()),
        category: Set(specs.category.as_str().to_owned()),
        is_featured: Set(specs.featured),
        listing_rank: Set(if specs.featured { rank } else { rank + (1 << 32) }),
        price_per_day_e8: Set(pricing.cheapest_per_day().map(Money::e8)),
        durations: Set(format!(",{},", days.join(","))),
        cpu_cores: Set(specs.cpu.cores.into()),
        cpu_score: Set(specs.cpu.score.map_or(0, |score| score.value.into())),
        cpu_score_type: Set(specs.cpu.score.map(|score| score.kind.as_str().to_owned())),
        ram_gb: Set(specs.ram_gb.into()),
        ram_type: Set(specs.ram_type.as_str().to_owned()),
        storage_gb: Set(specs.total_storage_gb().into()),
        disk_types: Set(specs.disks.iter().fold(0, |bits, disk| bits | disk_bit(disk.kind))),
        bandwidth_mbps: Set(specs.network.bandwidth_mbps.into()),
        traffic_tb: Set(specs.network.traffic_tb.map_or(UNLIMITED, i64::from)),
        search_text: Set(search_text(specs)),
        supplier_id: Set(host.supplier_id.map(UserId::uuid)),
        sla: Set(host.sla.map(to_json).transpose()?),
        ..Default::default()
    })
}

fn search_text(specs: &Specs) -> String {
    let gpu = specs.gpu.as_deref().unwrap_or_default();
    [&specs.name, &specs.cpu.model, gpu, &specs.location.city].join(" ").to_lowercase()
}

fn occupied(host: &Host) -> ActiveModel {
    let (rental_id, is_cleaning) = match host.occupancy {
        Occupancy::Free => (None, false),
        Occupancy::Rented(id) => (Some(id.uuid()), false),
        Occupancy::Cleaning(id) => (Some(id.uuid()), true),
    };
    ActiveModel {
        id: Set(host.id.uuid()),
        rental_id: Set(rental_id),
        is_cleaning: Set(is_cleaning),
        ..Default::default()
    }
}

#[async_trait]
impl HostQueries for Handle {
    async fn host(&self, id: HostId) -> Result<Option<Host>> {
        let row = Entity::find_by_id(id.uuid()).one(&self.connection).await.map_err(failed)?;
        row.map(host).transpose()
    }

    async fn hosts(&self, page: &Page<HostId>) -> Result<Vec<Host>> {
        let mut find = Entity::find().order_by_asc(Column::Id).limit(page.limit.map(u64::from));
        if let Some(after) = page.after {
            find = find.filter(Column::Id.gt(after.uuid()));
        }
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(host).collect()
    }

    async fn host_count(&self) -> Result<u64> {
        Entity::find().count(&self.connection).await.map_err(failed)
    }

    async fn hosts_by_external_id(&self, external_ids: &[String]) -> Result<Vec<Host>> {
        let mut hosts = Vec::new();
        for part in external_ids.chunks(ROWS_AT_ONCE) {
            let find = Entity::find().filter(Column::ExternalId.is_in(part));
            let rows = find.all(&self.connection).await.map_err(failed)?;
            hosts.extend(rows.into_iter().map(host).collect::<Result<Vec<_>>>()?);
        }
        Ok(hosts)
    }
}

#[async_trait]
impl Hosts for Handle {
    async fn host_for_update(&self, id: HostId) -> Result<Option<Host>> {
        let find = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(host).transpose()
    }

    async fn hosts_for_update(&self, ids: &[HostId]) -> Result<Vec<Host>> {
        let find = Entity::find()
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(host).collect()
    }

    async fn save_cleaning(&self, ids: &[HostId]) -> Result<()> {
        self.changes_offers();
        let update = Entity::update_many()
            .col_expr(Column::IsCleaning, Expr::value(true))
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn add_hosts(&self, hosts: &[Host]) -> Result<()> {
        self.changes_offers();
        for part in hosts.chunks(ROWS_AT_ONCE) {
            let rows = part.iter().map(|host| {
                let occupancy = occupied(host);
                Ok(ActiveModel {
                    external_id: Set(host.external_id.clone()),
                    rental_id: occupancy.rental_id,
                    is_cleaning: occupancy.is_cleaning,
                    created_at: Set(host.created_at),
                    ..described(host)?
                })
            });
            let rows = rows.collect::<Result<Vec<_>>>()?;
            let insert = Entity::insert_many(rows).exec_without_returning(&self.connection);
            insert.await.map_err(|error| match crate::failure::violated_key(&error) {
                Some(key) if key.contains("external_id") => domain::Error::invalid(
                    "/external_id",
                    "another server has this external id already; edit that one",
                ),
                _ => failed(error),
            })?;
        }
        Ok(())
    }

    async fn save_host(&self, host: &Host) -> Result<()> {
        self.changes_offers();
        described(host)?.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn save_occupancy(&self, host: &Host) -> Result<()> {
        self.changes_offers();
        let row = ActiveModel { id: NotSet, ..occupied(host) };
        let update = Entity::update_many().set(row).filter(Column::Id.eq(host.id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
