//! Things for this crate's own tests.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::clock::{Timestamp, days};
use crate::host::{
    Category, Cpu, Host, HostId, Location, Network, Occupancy, Pricing, RamType, Specs, Tier,
};
use crate::money::Money;
use crate::rental::{Access, Phase, Rental, RentalId, Terms};
use crate::user::UserId;
use crate::wallet::{Posting, PostingId, PostingKind};

pub fn instant() -> Timestamp {
    "2025-01-21T22:00:00Z".parse().unwrap()
}

pub fn rental_id(number: u128) -> RentalId {
    RentalId::from_uuid(Uuid::from_u128(number))
}

pub fn host() -> Host {
    let tier = Tier { price: Money::from_cents(7_000).unwrap(), hold_days: 2 };
    Host {
        id: HostId::from_uuid(Uuid::from_u128(1)),
        external_id: None,
        specs: specs(),
        pricing: Pricing::parse(BTreeMap::from([(7, tier)])).unwrap(),
        supplier_id: None,
        sla: None,
        is_listed: true,
        occupancy: Occupancy::Free,
        created_at: instant(),
        updated_at: instant(),
    }
}

fn specs() -> Specs {
    Specs {
        name: "node-us-nyc-1".into(),
        location: Location {
            country: "US".into(),
            region: "us-east".into(),
            city: "New York".into(),
            datacenter: "NYC-DC1".into(),
        },
        model: "Rack server".into(),
        is_vm: false,
        category: Category::Compute,
        featured: true,
        popularity_rank: Some(1),
        setup_time_minutes: 15,
        cpu: Cpu { model: "AMD EPYC 7763".into(), cores: 64, threads: 128, score: None },
        ram_gb: 256,
        ram_type: RamType::EccDdr5,
        ram_speed_mhz: Some(4_800),
        disks: Vec::new(),
        network: Network {
            bandwidth_mbps: 10_000,
            traffic_tb: Some(100),
            ipv4_count: 5,
            ipv6_enabled: true,
        },
        gpu: None,
    }
}

/// Seven days from [`instant`], two of hold.
pub fn rental() -> Rental {
    let price = Money::from_cents(7_000).unwrap();
    Rental {
        id: rental_id(1),
        host_id: host().id,
        renter_id: UserId::from_uuid(Uuid::from_u128(1)),
        pool_id: None,
        phase: Phase::Active,
        started_at: instant(),
        ends_at: instant() + days(7),
        hold_days: 2,
        amount: price,
        refunded: Money::ZERO,
        terms: Terms {
            days: 7,
            price,
            hold_days: 2,
            early_end_fee_bp: 0,
            sla: None,
            supplier: None,
        },
        charge_id: PostingId::from_uuid(Uuid::from_u128(1)),
        access: Access::Pending,
        escrow: None,
        ready_at: None,
        ready_by: None,
    }
}

/// A posting about a period of [`rental`] that begins then: a charge is below zero, what is given back
/// above.
pub fn posting(kind: PostingKind, user: u128, starts_at: Timestamp, cents: i64) -> Posting {
    Posting {
        id: PostingId::from_uuid(Uuid::from_u128(1)),
        user_id: UserId::from_uuid(Uuid::from_u128(user)),
        kind,
        amount: Money::from_cents(cents).unwrap(),
        reason: String::new(),
        author: None,
        period: Some((rental().id, starts_at)),
        metadata: serde_json::Value::Null,
        basis: None,
        corrects: None,
        at: instant(),
        sequence: 1,
        previous_hash: Vec::new(),
        hash: Vec::new(),
    }
}
