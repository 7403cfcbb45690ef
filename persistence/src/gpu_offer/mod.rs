//! What is sold of hosts by the graphics processor, and what changes of it.

mod market;

use async_trait::async_trait;
use domain::gpu_offer::{
    Figures, GpuOffer, GpuOfferQueries, GpuOfferTerms, GpuOffers, MarketChanges, MarketHost,
    MarketMark, Version,
};
use domain::host::HostId;
use domain::money::Money;
use domain::number::Numbered;
use domain::page::Page;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, Value,
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
        cpu_model: row.cpu_model.into(),
        disk_type: row.disk_type.into(),
        disk_read_mbps: number(row.disk_read_mbps)?,
        disk_write_mbps: number(row.disk_write_mbps)?,
        download_mbps: number(row.download_mbps)?,
        upload_mbps: number(row.upload_mbps)?,
        cuda: Version::from_stored(row.cuda.into()),
        driver: Version::from_stored(row.driver_version.into()),
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
        cpu_model: Set(figures.cpu_model.to_string()),
        disk_type: Set(figures.disk_type.to_string()),
        disk_read_mbps: Set(figures.disk_read_mbps.into()),
        disk_write_mbps: Set(figures.disk_write_mbps.into()),
        download_mbps: Set(figures.download_mbps.into()),
        upload_mbps: Set(figures.upload_mbps.into()),
        cuda: Set(figures.cuda.to_string()),
        driver_version: Set(figures.driver.to_string()),
        pcie_generation: Set(figures.pcie_generation.into()),
        pcie_width: Set(figures.pcie_width.into()),
        pcie_gbps: Set(figures.pcie_gbps.into()),
        tflops_e2: Set(figures.tflops_e2.into()),
        dlperf_e2: Set(figures.dlperf_e2.into()),
        created_at: Set(offer.created_at),
        updated_at: Set(offer.updated_at),
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

    async fn market_mark(&self) -> Result<MarketMark> {
        market::mark(self).await
    }

    async fn market_hosts(&self, page: &Page<HostId>) -> Result<Vec<MarketHost>> {
        market::hosts(self, page).await
    }

    async fn market_changes(&self, since: &MarketMark) -> Result<Option<MarketChanges>> {
        market::changes(self, since).await
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
    async fn trim_market_changes(&self, keep: u32) -> Result<u64> {
        market::trim(self, keep).await
    }
}
