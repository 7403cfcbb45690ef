//! What an operator configures about instances.

use chrono::Duration;
use domain::capacity::Placement;
use domain::compute_unit::UnitPolicy;
use domain::instance::InstancePolicy;
use domain::meter::FundsPolicy;
use domain::money::Money;
use domain::volume::VolumeType;

use super::read::Reader;

pub fn policy(from: &mut Reader<'_>) -> Option<InstancePolicy> {
    let placement = from.checked("instances.placement", "best_fit", |text| match text {
        "best_fit" => Ok(Placement::BestFit),
        "spread" => Ok(Placement::Spread),
        "pack" => Ok(Placement::Pack),
        _ => Err("must be best_fit, spread or pack".to_owned()),
    });
    let volume_types = from.checked("volumes.types", "NVMe=0.20,HDD=0.05", volume_types);
    let notice = from.number("instances.spot_notice_seconds", 120, 0..=86_400);
    let stage = from.number("instances.stage_minutes", 10, 1..=1_440);
    let allocated = from.number("kloigos.allocate_seconds", 30, 1..=120);
    let warn = from.number("wallets.warn_hours", 24, 0..=8_760);
    let retention = from.number("wallets.retention_hours", 72, 1..=8_760);
    let hours_covered = from.number("wallets.hours_covered", 1, 0..=8_760);
    Some(InstancePolicy {
        placement: placement?,
        spot_notice: Duration::seconds(notice.into()),
        stage_within: Duration::minutes(stage.into()),
        funds: FundsPolicy {
            warn_ahead: Duration::hours(warn.into()),
            retention: Duration::hours(retention.into()),
            hours_covered,
        },
        volume_types: volume_types?,
        compute_units: UnitPolicy { allocated_within: Duration::seconds(allocated.into()) },
    })
}

fn volume_types(text: &str) -> Result<Vec<VolumeType>, String> {
    let one = |item: &str| {
        let advice = || format!("`{item}` is not a type with its price, such as NVMe=0.20");
        let (name, price) = item.split_once('=').ok_or_else(advice)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let name = Some(name.trim())
            .filter(|name| (1..=64).contains(&name.len()) && name.bytes().all(plain));
        let price = Money::parse(price.trim()).filter(|price| *price >= Money::ZERO);
        let kind = name
            .zip(price)
            .map(|(name, price_per_gb)| VolumeType { name: name.to_owned(), price_per_gb });
        kind.ok_or_else(advice)
    };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(one).collect()
}
