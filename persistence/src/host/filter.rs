//! Filters as SQL conditions.

use domain::host::Filters;
use domain::money::Money;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, DbBackend};

use super::disk_bit;
use crate::entity::host::Column;
use crate::words::contains;

/// What makes a host an offer: the predicate of the partial indexes.
pub(super) fn offered() -> Condition {
    Condition::all()
        .add(Column::IsListed.into_expr())
        .add(Column::RentalId.is_null())
        .add(Column::PricePerDayE8.is_not_null())
}

/// All filters at once.
pub(super) fn condition(filters: &Filters, backend: DbBackend) -> Condition {
    let bounded = |column: Column| bounded(column, backend);
    let mut all = offered()
        .add_option(filters.country.as_ref().map(|c| Column::Country.eq(c.to_uppercase())))
        .add_option(filters.region.as_ref().map(|r| Column::Region.eq(r.to_lowercase())))
        .add_option(
            filters.max_price_per_day.map(|max| bounded(Column::PricePerDayE8).lte(Money::e8(max))),
        )
        .add_option(filters.min_cpu_cores.map(|least| bounded(Column::CpuCores).gte(least)))
        .add_option(filters.min_ram_gb.map(|least| bounded(Column::RamGb).gte(least)))
        .add_option(filters.min_total_storage_gb.map(|least| bounded(Column::StorageGb).gte(least)))
        .add_option(
            filters.min_bandwidth_mbps.map(|least| bounded(Column::BandwidthMbps).gte(least)),
        )
        .add_option(filters.min_traffic_tb.map(|least| bounded(Column::TrafficTb).gte(least)))
        .add_option(filters.category.map(|category| Column::Category.eq(category.as_str())));
    if let Some(score) = filters.min_cpu_score {
        all = all
            .add(bounded(Column::CpuScore).gte(score.least))
            .add(Column::CpuScoreType.eq(score.kind.as_str()));
    }
    if !filters.ram_types.is_empty() {
        all = all.add(Column::RamType.is_in(filters.ram_types.iter().map(|kind| kind.as_str())));
    }
    if !filters.disk_types.is_empty() {
        let bits = filters.disk_types.iter().fold(0, |bits, kind| bits | disk_bit(*kind));
        let shared = Column::DiskTypes.into_expr().binary(BinOper::Custom("&"), bits);
        all = all.add(shared.ne(0));
    }
    if filters.unlimited_traffic_only {
        all = all.add(Column::TrafficTb.eq(super::UNLIMITED));
    }
    if filters.featured_only {
        all = all.add(Column::IsFeatured.into_expr());
    }
    for days in &filters.durations {
        all = all.add(contains(Column::Durations, &format!(",{days},")));
    }
    for word in filters.text.iter().flat_map(|text| text.split_whitespace()) {
        all = all.add(contains(Column::SearchText, &word.to_lowercase()));
    }
    all
}

/// A column for a comparison. SQLite takes the index of any bounded column for a narrow one, and then
/// reads the rows one by one; a plus keeps it from that, so that it stays with the index that has all
/// the columns, or with that of the order.
fn bounded(column: Column, backend: DbBackend) -> Expr {
    match backend {
        DbBackend::Sqlite => Expr::cust_with_expr("+?", column.into_expr()),
        _ => column.into_expr(),
    }
}
