//! What rentals look like on the wire.

use domain::clock::Timestamp;
use domain::rental::{Access, Extended, LogIn, Rental, RentalStatus, RentalWithHost, Rented};
use domain::wallet::Charge;
use serde::Serialize;
use serde_json::Number;
use utoipa::ToSchema;

use super::server_view::ServerView;
use super::view::{Stamp, number};

#[derive(Serialize, ToSchema)]
pub struct ServerRefView {
    #[schema(example = "507f1f77bcf86cd799439014")]
    id: String,
}

/// A rental in a list.
#[derive(Serialize, ToSchema)]
pub struct RentalRowView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    #[schema(value_type = String, format = DateTime)]
    rental_start: Stamp,
    #[schema(value_type = String, format = DateTime)]
    rental_end: Stamp,
    /// `active`, `hold`, `expired` or `terminated`.
    #[schema(value_type = String, example = "active")]
    status: RentalStatus,
    /// All rent so far.
    #[schema(example = "70.00")]
    amount: String,
    /// Days left, a begun day counted whole.
    remaining_days: u32,
    server_id: String,
    pool_id: Option<String>,
    server: ServerRefView,
}

impl RentalRowView {
    /// The rental as it stands now.
    pub fn new(rental: Rental, now: Timestamp) -> Self {
        Self {
            id: rental.id.to_string(),
            rental_start: Stamp(rental.started_at),
            rental_end: Stamp(rental.ends_at),
            status: rental.status(),
            amount: rental.amount.to_string(),
            remaining_days: rental.remaining_days(now),
            server_id: rental.host_id.to_string(),
            pool_id: rental.pool_id.map(|id| id.to_string()),
            server: ServerRefView { id: rental.host_id.to_string() },
        }
    }
}

/// A rental in a list, with its whole server.
#[derive(Serialize, ToSchema)]
pub struct ServerRentalView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    #[schema(value_type = String, format = DateTime)]
    rental_start: Stamp,
    #[schema(value_type = String, format = DateTime)]
    rental_end: Stamp,
    /// `active`, `hold`, `expired` or `terminated`.
    #[schema(value_type = String, example = "active")]
    status: RentalStatus,
    /// All rent so far.
    #[schema(example = "70.00")]
    amount: String,
    /// Days left, a begun day counted whole.
    remaining_days: u32,
    server_id: String,
    pool_id: Option<String>,
    server: ServerView,
}

impl ServerRentalView {
    /// The rental as it stands now.
    pub fn new(RentalWithHost { rental, host }: RentalWithHost, now: Timestamp) -> Self {
        let row = RentalRowView::new(rental, now);
        Self {
            id: row.id,
            rental_start: row.rental_start,
            rental_end: row.rental_end,
            status: row.status,
            amount: row.amount,
            remaining_days: row.remaining_days,
            server_id: row.server_id,
            pool_id: row.pool_id,
            server: host.into(),
        }
    }
}

/// What was charged.
#[derive(Serialize, ToSchema)]
pub struct ChargeView {
    #[schema(example = "507f1f77bcf86cd799439321")]
    id: String,
    #[schema(value_type = f64, example = 70)]
    amount: Number,
    #[schema(example = "USD")]
    currency: String,
}

/// What was charged, and when.
#[derive(Serialize, ToSchema)]
pub struct DatedChargeView {
    #[schema(example = "507f1f77bcf86cd799439321")]
    id: String,
    #[schema(value_type = f64, example = 70)]
    amount: Number,
    #[schema(example = "USD")]
    currency: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

/// A charge, or what was given back.
pub fn charge_view(charge: &Charge, currency: &str) -> ChargeView {
    ChargeView {
        id: charge.id.to_string(),
        amount: number(charge.amount),
        currency: currency.to_owned(),
    }
}

/// A rental with its server and first transaction.
#[derive(Serialize, ToSchema)]
pub struct RentalDetailView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    #[schema(value_type = String, format = DateTime)]
    rental_start: Stamp,
    #[schema(value_type = String, format = DateTime)]
    rental_end: Stamp,
    /// How long the server is kept after the end.
    hold_days: u32,
    /// `active`, `hold`, `expired` or `terminated`.
    #[schema(value_type = String, example = "active")]
    status: RentalStatus,
    /// All rent so far.
    #[schema(example = "70.00")]
    amount: String,
    /// Days left, a begun day counted whole.
    remaining_days: u32,
    /// Whole days since the start.
    usage_days: u32,
    server_id: String,
    pool_id: Option<String>,
    server: ServerView,
    transaction: DatedChargeView,
}

impl RentalDetailView {
    /// The rental as it stands now.
    pub fn new(found: RentalWithHost, currency: &str, now: Timestamp) -> Self {
        let RentalWithHost { rental, host } = found;
        let charge = rental.first_charge();
        Self {
            id: rental.id.to_string(),
            rental_start: Stamp(rental.started_at),
            rental_end: Stamp(rental.ends_at),
            hold_days: rental.hold_days,
            status: rental.status(),
            amount: rental.amount.to_string(),
            remaining_days: rental.remaining_days(now),
            usage_days: rental.usage_days(now),
            server_id: rental.host_id.to_string(),
            pool_id: rental.pool_id.map(|id| id.to_string()),
            server: host.into(),
            transaction: DatedChargeView {
                id: charge.id.to_string(),
                amount: number(charge.amount),
                currency: currency.to_owned(),
                created_at: Stamp(charge.at),
            },
        }
    }
}

/// A rental that was just made.
#[derive(Serialize, ToSchema)]
pub struct NewRentalView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    server_id: String,
    #[schema(value_type = String, format = DateTime)]
    rental_start: Stamp,
    #[schema(value_type = String, format = DateTime)]
    rental_end: Stamp,
    hold_days: u32,
    /// 0.
    actual_usage_days: u32,
    #[schema(value_type = String, example = "active")]
    status: RentalStatus,
}

/// The answer to a rent.
#[derive(Serialize, ToSchema)]
pub struct RentedView {
    rental: NewRentalView,
    transaction: ChargeView,
}

impl RentedView {
    /// From the outcome alone, so that a repeated request gets the same answer.
    pub fn new(Rented { rental, charge }: Rented, currency: &str) -> Self {
        Self {
            transaction: charge_view(&charge, currency),
            rental: NewRentalView {
                id: rental.id.to_string(),
                server_id: rental.host_id.to_string(),
                rental_start: Stamp(rental.started_at),
                rental_end: Stamp(rental.ends_at),
                hold_days: rental.hold_days,
                actual_usage_days: rental.usage_days(charge.at),
                status: rental.status(),
            },
        }
    }
}

/// A rental that was just extended.
#[derive(Serialize, ToSchema)]
pub struct ExtendedRentalView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    #[schema(value_type = String, format = DateTime)]
    rental_end: Stamp,
    #[schema(value_type = String, example = "active")]
    status: RentalStatus,
    /// All rent so far.
    #[schema(example = "140.00")]
    amount: String,
    remaining_days: u32,
}

/// The answer to an extension.
#[derive(Serialize, ToSchema)]
pub struct ExtendedView {
    rental: ExtendedRentalView,
    transaction: ChargeView,
}

impl ExtendedView {
    /// From the outcome alone, so that a repeated request gets the same answer.
    pub fn new(Extended { rental, charge }: Extended, currency: &str) -> Self {
        Self {
            transaction: charge_view(&charge, currency),
            rental: ExtendedRentalView {
                id: rental.id.to_string(),
                rental_end: Stamp(rental.ends_at),
                status: rental.status(),
                amount: rental.amount.to_string(),
                remaining_days: rental.remaining_days(charge.at),
            },
        }
    }
}

/// How a rented server is logged in to.
#[derive(Serialize, ToSchema)]
pub struct RentalAccessView {
    /// `pending`, `granted`, `suspended` or `wiped`.
    #[schema(value_type = String, example = "granted")]
    access: Access,
    /// Where; not known of servers that are handed over by other means.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    #[schema(example = 22)]
    port: Option<u16>,
    /// As whom, who may become root.
    #[schema(example = "renter")]
    username: &'static str,
}

impl From<LogIn> for RentalAccessView {
    fn from(log_in: LogIn) -> Self {
        Self {
            access: log_in.access,
            address: log_in.at.map(|(address, _)| address.to_string()),
            port: log_in.at.map(|(_, port)| port),
            username: log_in.username,
        }
    }
}
