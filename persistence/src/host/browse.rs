//! The catalogue as SQL: one statement a page, driven by the index of its order.

use async_trait::async_trait;
use domain::Error;
use domain::clock::Timestamp;
use domain::host::{
    Browse, Catalogue, DiskType, Facet, Facets, Filters, Host, HostId, Occupancy, Sort, SortKey,
};
use domain::user::UserId;
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use super::disk_bit;
use super::filter::condition;
use crate::entity::host::{Column, Entity};
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::from_text;

/// The column of an order; [`SortKey::Newest`] is the id itself, which begins with its time.
const fn column(key: SortKey) -> Option<Column> {
    match key {
        SortKey::Listing => Some(Column::ListingRank),
        SortKey::PricePerDay => Some(Column::PricePerDayE8),
        SortKey::CpuScore => Some(Column::CpuScore),
        SortKey::Ram => Some(Column::RamGb),
        SortKey::Storage => Some(Column::StorageGb),
        SortKey::Bandwidth => Some(Column::BandwidthMbps),
        SortKey::Newest => None,
    }
}

/// An offer's row: what every offer has alike is left out, and documents are not parsed twice.
#[derive(FromQueryResult)]
struct Offer {
    id: Uuid,
    external_id: Option<String>,
    specs: String,
    pricing: String,
    supplier_id: Option<Uuid>,
    sla: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    place: i64,
}

/// The columns of an [`Offer`], with its place in the order.
fn select(key: SortKey) -> Select<Entity> {
    let text = |column: Column| column.into_expr().cast_as("text");
    let place = column(key).map_or(Expr::value(0_i64), ColumnTrait::into_expr);
    Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::ExternalId,
            Column::SupplierId,
            Column::CreatedAt,
            Column::UpdatedAt,
        ])
        .expr_as(text(Column::Specs), "specs")
        .expr_as(text(Column::Pricing), "pricing")
        .expr_as(text(Column::Sla), "sla")
        .expr_as(place, "place")
}

fn in_order(find: Select<Entity>, key: SortKey, order: &Order) -> Select<Entity> {
    let find = match column(key) {
        Some(column) => find.order_by(column, order.clone()),
        None => find,
    };
    find.order_by(Column::Id, order.clone())
}

fn offer(row: Offer) -> Result<Host> {
    Ok(Host {
        id: HostId::from_uuid(row.id),
        external_id: row.external_id,
        specs: from_text(&row.specs)?,
        pricing: from_text(&row.pricing)?,
        supplier_id: row.supplier_id.map(UserId::from_uuid),
        sla: row.sla.as_deref().map(from_text).transpose()?,
        is_listed: true,
        occupancy: Occupancy::Free,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// The order that a cursor belongs to.
const fn letter(sort: Sort) -> &'static str {
    match (sort.key, sort.descending) {
        (SortKey::Listing, false) => "l",
        (SortKey::Listing, true) => "L",
        (SortKey::PricePerDay, false) => "p",
        (SortKey::PricePerDay, true) => "P",
        (SortKey::CpuScore, false) => "c",
        (SortKey::CpuScore, true) => "C",
        (SortKey::Ram, false) => "r",
        (SortKey::Ram, true) => "R",
        (SortKey::Storage, false) => "s",
        (SortKey::Storage, true) => "S",
        (SortKey::Bandwidth, false) => "b",
        (SortKey::Bandwidth, true) => "B",
        (SortKey::Newest, false) => "n",
        (SortKey::Newest, true) => "N",
    }
}

/// The rows behind a page's last one, `value.id`, in the order's direction.
fn behind(browse: &Browse, descending: bool) -> Result<Option<Condition>> {
    let Some(after) = &browse.page.after else {
        return Ok(None);
    };
    let fault = || Error::invalid("cursor", "is not one that this list has given");
    let place = after.strip_prefix(letter(browse.sort)).and_then(|rest| rest.strip_prefix('.'));
    let (last, id) = place.and_then(|place| place.split_once('.')).ok_or_else(fault)?;
    let last: i64 = last.parse().map_err(|_| fault())?;
    let id = HostId::parse(id).ok_or_else(fault)?.uuid();
    let later = |column: Column, value: sea_orm::Value| {
        if descending { column.lt(value) } else { column.gt(value) }
    };
    let same_value_later_id = later(Column::Id, id.into());
    Ok(Some(match column(browse.sort.key) {
        None => Condition::all().add(same_value_later_id),
        Some(column) => Condition::any()
            .add(later(column, last.into()))
            .add(column.eq(last).and(same_value_later_id)),
    }))
}

#[async_trait]
impl Catalogue for Handle {
    async fn browse(&self, browse: &Browse) -> Result<Vec<(Host, String)>> {
        let key = browse.sort.key;
        // The newest come first unless the order is turned round.
        let descending = browse.sort.descending != (key == SortKey::Newest);
        let order = if descending { Order::Desc } else { Order::Asc };
        // The ids first, from an index alone, so that no more documents are read than are shown.
        let ids = Entity::find().select_only().column(Column::Id);
        let mut ids = in_order(ids.filter(self.passing(&browse.filters)), key, &order);
        if let Some(behind) = behind(browse, descending)? {
            ids = ids.filter(behind);
        }
        let ids = ids.limit(browse.page.limit.map(u64::from)).into_query();
        let find = in_order(select(key).filter(Column::Id.in_subquery(ids)), key, &order);
        let rows = find.into_model::<Offer>().all(&self.connection).await.map_err(failed)?;
        rows.into_iter()
            .map(|row| {
                let place = row.place;
                let host = offer(row)?;
                let cursor = format!("{}.{place}.{}", letter(browse.sort), host.id);
                Ok((host, cursor))
            })
            .collect()
    }

    fn generation(&self) -> u64 {
        self.totals.generation()
    }

    async fn offer_count(&self, filters: &Filters) -> Result<u64> {
        if let Some(total) = self.totals.get(filters) {
            return Ok(total);
        }
        let generation = self.totals.generation();
        let count = Entity::find().filter(self.passing(filters)).count(&self.connection);
        let total = count.await.map_err(failed)?;
        self.totals.keep(filters, total, generation);
        Ok(total)
    }

    async fn facets(&self, filters: &Filters) -> Result<Facets> {
        let all = self.passing(filters);
        let disks = self.counts(Column::DiskTypes, all.clone()).await?;
        let count = |kind: &DiskType| {
            let having = disks.iter().filter(|(bits, _): &&(i64, i64)| bits & disk_bit(*kind) != 0);
            having.map(|(_, count)| count.unsigned_abs()).sum::<u64>()
        };
        let by_disk = DiskType::ALL
            .iter()
            .map(|kind| Facet { value: kind.as_str().to_owned(), count: count(kind) });
        Ok(Facets {
            total: disks.iter().map(|(_, count)| count.unsigned_abs()).sum(),
            countries: self.facet(Column::Country, all.clone()).await?,
            categories: self.facet(Column::Category, all.clone()).await?,
            ram_types: self.facet(Column::RamType, all).await?,
            disk_types: sorted(by_disk.filter(|facet| facet.count > 0).collect()),
        })
    }
}

impl Handle {
    fn passing(&self, filters: &Filters) -> Condition {
        condition(filters, self.connection.get_database_backend())
    }

    async fn facet(&self, column: Column, all: Condition) -> Result<Vec<Facet>> {
        let rows = self.counts::<String>(column, all).await?;
        let facets =
            rows.into_iter().map(|(value, count)| Facet { value, count: count.unsigned_abs() });
        Ok(sorted(facets.collect()))
    }

    async fn counts<T>(&self, column: Column, all: Condition) -> Result<Vec<(T, i64)>>
    where
        T: sea_orm::TryGetable + Send,
    {
        let find = Entity::find()
            .select_only()
            .column(column)
            .expr_as(Expr::cust("count(*)"), "count")
            .filter(all)
            .group_by(column);
        find.into_tuple().all(&self.connection).await.map_err(failed)
    }
}

fn sorted(mut facets: Vec<Facet>) -> Vec<Facet> {
    facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets
}
