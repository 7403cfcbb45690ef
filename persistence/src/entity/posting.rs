//! Postings of the ledger.

use sea_orm::entity::prelude::*;

/// A row of `postings`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "postings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub kind: String,
    pub amount_e8: i64,
    pub reason: String,
    pub author_id: Option<Uuid>,
    pub rental_id: Option<Uuid>,
    pub period_start: Option<DateTimeUtc>,
    pub metadata: Json,
    pub created_at: DateTimeUtc,
    pub sequence: i64,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
    pub basis: Option<Json>,
    pub corrects_id: Option<Uuid>,
    pub meter_id: Option<Uuid>,
    pub meter_bill: Option<i64>,
    pub paid_instance_id: Option<Uuid>,
    pub payment: Option<i64>,
    pub paid_for: Option<String>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
