//! Payments by card.

use sea_orm::entity::prelude::*;

/// A row of `payments`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub purpose: String,
    pub state: String,
    pub failure: Option<String>,
    pub amount_e8: i64,
    pub credited_e8: i64,
    pub reversed_e8: i64,
    pub posting_id: Option<Uuid>,
    pub success_url: Option<String>,
    pub cancel_url: Option<String>,
    pub save_method: bool,
    pub customer_id: Option<String>,
    pub method_id: Option<String>,
    pub session_id: Option<String>,
    pub checkout_url: Option<String>,
    pub provider_payment_id: Option<String>,
    pub revision: i64,
    pub check_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
