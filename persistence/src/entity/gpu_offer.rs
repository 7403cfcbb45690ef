//! What is sold of hosts by the graphics processor.

use sea_orm::entity::prelude::*;

/// A row of `gpu_offers`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "gpu_offers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host_id: Uuid,
    pub is_listed: bool,
    pub sells_containers: bool,
    pub sells_machines: bool,
    pub per_gpu_e8: Option<i64>,
    pub spot_per_gpu_e8: Option<i64>,
    pub per_gb_e8: i64,
    pub min_hours: i64,
    pub max_hours: i64,
    pub cpu_model: String,
    pub disk_type: String,
    pub disk_read_mbps: i64,
    pub disk_write_mbps: i64,
    pub download_mbps: i64,
    pub upload_mbps: i64,
    pub cuda: String,
    pub driver_version: String,
    pub pcie_generation: i64,
    pub pcie_width: i64,
    pub pcie_gbps: i64,
    pub tflops_e2: i64,
    pub dlperf_e2: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
