//! The row shape of a public auction of dedicated servers, with a price in EUR a month.
//!
//! | of ours | from the auction |
//! |---|---|
//! | external id | `auction-` and `auction_id` |
//! | name | `datacenter` in lower case and `auction_id`: `fsn1-dc8-2521312` |
//! | model | `Dedicated server, ` and `cpu`, with the `gpu` if any |
//! | region | `eu-central` for FSN1 and NBG1, `eu-north` for HEL1 |
//! | country, city, datacenter | as given |
//! | CPU | `cpu`; cores and threads from `catalogue/cpu-models.csv`, times `cpu_count` (1 if absent). No score: none was published |
//! | memory | `ram_gb`, `ram_type` with `ECC` in front if `ecc` |
//! | disks | as given; the interface is not known |
//! | network | `bandwidth_mbps` and `traffic` (TB or `unlimited`); one IPv4 address unless `ipv4` is false; IPv6, because every such server has a /64 |
//! | category | as in [`super::own`] where none is given |
//! | set-up time | 15 minutes, an estimate of ours |
//! | popularity rank | its place in the file by the price of a core for 30 days, the lowest first; of equals the one with more memory, then by external id |
//! | featured | the first three of each category by that rank |
//! | prices | 1, 7, 30 and 90 days, see below |
//!
//! A month is 30 days. In USD, at [`USD_PER_EUR`], each rounded up to whole cents:
//!
//! | days | price | hold |
//! |---|---|---|
//! | 1 | month / 30 × 1.25 | 1 day |
//! | 7 | month × 7 / 30 × 1.10 | 2 days |
//! | 30 | month | 3 days |
//! | 90 | month × 3 × 0.90 | 7 days |
//!
//! `nic` and `price_eur_hour` are read over. A `setup_price_eur` other than 0 is a fault, because
//! there is no such fee here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use domain::host::{Category, Cpu, HostDraft, Location, Network, Pricing, RamType, Specs, Tier};
use domain::money::Money;
use rust_decimal::{Decimal, RoundingStrategy};

use super::fields::{Fields, amount, count, flag, text, traffic, word};
use super::{SETUP_MINUTES, category, cpu, disks};

/// The field that only this shape has.
pub(super) const KEY: &str = "auction_id";

/// 1.05, about the market's rate on 2024-11-21, the day of the bundled auction.
pub const USD_PER_EUR: Decimal = Decimal::from_parts(105, 0, 0, false, 2);

/// The days of a month, and so of the tier that costs exactly the month's price.
const MONTH: u32 = 30;

/// Days, per cent of the month's price for as many days, days of hold.
const TIERS: [(u32, u32, u32); 4] = [(1, 125, 1), (7, 110, 2), (MONTH, 100, 3), (90, 90, 7)];

/// So many of each category are featured.
const FEATURED: u32 = 3;

/// The columns that a CSV file must have.
pub(super) const REQUIRED: &[&str] = &[
    KEY,
    "cpu",
    "ram_gb",
    "ram_type",
    "disks",
    "bandwidth_mbps",
    "traffic",
    "datacenter",
    "city",
    "country",
    "price_eur_month",
];

const OPTIONAL: &[&str] =
    &["cpu_count", "ecc", "gpu", "nic", "ipv4", "setup_price_eur", "price_eur_hour"];

/// Whether a CSV file may have this column.
pub(super) fn is_column(name: &str) -> bool {
    REQUIRED.contains(&name) || OPTIONAL.contains(&name)
}

/// Reads a row, noting its faults in the fields.
pub(super) fn draft(fields: &mut Fields) -> HostDraft {
    let id = fields.need(KEY, |value| text(value).map(Some), None);
    let location = location(fields);
    let cpu = cpu(fields);
    let ram_gb = fields.need("ram_gb", count, 1);
    let disks = disks::take(fields);
    let gpu = fields.want("gpu", text);
    let graphics = gpu.as_ref().map(|gpu| format!(" with {gpu}")).unwrap_or_default();
    let number = id.as_deref().unwrap_or("unnumbered");
    let specs = Specs {
        name: format!("{}-{number}", location.datacenter.to_lowercase()),
        location,
        model: format!("Dedicated server, {}{graphics}", cpu.model),
        is_vm: false,
        category: category(gpu.as_deref(), &disks, ram_gb, cpu.cores),
        featured: false,
        popularity_rank: None,
        setup_time_minutes: SETUP_MINUTES,
        cpu,
        ram_gb,
        ram_type: ram_type(fields),
        ram_speed_mhz: None,
        disks,
        network: network(fields),
        gpu,
    };
    fields.take("nic");
    HostDraft { external_id: id.map(|id| format!("auction-{id}")), specs, pricing: pricing(fields) }
}

/// Ranks and features servers among each other.
pub(super) fn rank<'a>(drafts: impl Iterator<Item = &'a mut HostDraft>) {
    let mut drafts: Vec<&mut HostDraft> = drafts.collect();
    drafts.sort_by_cached_key(|draft| {
        let month = draft.pricing.tier(MONTH).map_or(Money::ZERO, |tier| tier.price);
        let of_a_core = month.per(draft.specs.cpu.cores);
        (of_a_core, Reverse(draft.specs.ram_gb), draft.external_id.clone())
    });
    let mut seen: HashMap<Category, u32> = HashMap::new();
    for (place, draft) in (1..).zip(drafts) {
        let nth = seen.entry(draft.specs.category).or_default();
        *nth += 1;
        draft.specs.featured = *nth <= FEATURED;
        draft.specs.popularity_rank = Some(place);
    }
}

fn location(fields: &mut Fields) -> Location {
    let datacenter = fields.need("datacenter", text, "FSN1".to_owned());
    let site = datacenter.split('-').next().unwrap_or_default();
    let region = match site {
        "FSN1" | "NBG1" => "eu-central",
        "HEL1" => "eu-north",
        _ => {
            let fault = "must begin with FSN1, NBG1 or HEL1, whose regions are known";
            fields.fault("datacenter", fault);
            "unknown"
        }
    };
    Location {
        country: fields.need("country", text, "ZZ".to_owned()).to_ascii_uppercase(),
        region: region.to_owned(),
        city: fields.need("city", text, "unknown".to_owned()),
        datacenter,
    }
}

fn cpu(fields: &mut Fields) -> Cpu {
    let known = |value: &_| {
        let model = text(value)?;
        let counts = cpu::cores_and_threads(&model).ok_or_else(|| {
            format!(
                "the cores of `{model}` are not known; add the model to catalogue/cpu-models.csv and \
                 rebuild, or give the server in Berth's own row shape"
            )
        })?;
        Ok((model, counts))
    };
    let (model, (cores, threads)) = fields.need("cpu", known, ("unknown".to_owned(), (1, 1)));
    let sockets = fields.want("cpu_count", count).unwrap_or(1);
    Cpu {
        model,
        cores: cores.saturating_mul(sockets),
        threads: threads.saturating_mul(sockets),
        score: None,
    }
}

fn ram_type(fields: &mut Fields) -> RamType {
    let corrects = fields.want("ecc", flag).unwrap_or(false);
    let given = fields.need("ram_type", word(RamType::parse), RamType::Ddr4);
    match given {
        RamType::Ddr3 | RamType::EccDdr3 if corrects => RamType::EccDdr3,
        RamType::Ddr4 | RamType::EccDdr4 if corrects => RamType::EccDdr4,
        RamType::Ddr5 | RamType::EccDdr5 if corrects => RamType::EccDdr5,
        as_given => as_given,
    }
}

fn network(fields: &mut Fields) -> Network {
    Network {
        bandwidth_mbps: fields.need("bandwidth_mbps", count, 1),
        traffic_tb: fields.need("traffic", traffic, None),
        ipv4_count: u32::from(fields.want("ipv4", flag).unwrap_or(true)),
        ipv6_enabled: true,
    }
}

fn pricing(fields: &mut Fields) -> Pricing {
    fields.take("price_eur_hour");
    if fields.want("setup_price_eur", amount).is_some_and(|fee| fee != Money::ZERO) {
        fields.fault("setup_price_eur", "must be 0: there is no set-up fee here");
    }
    let tiers = |value: &_| Pricing::parse(tiers(amount(value)?)?);
    fields.need("price_eur_month", tiers, Pricing::default())
}

fn tiers(month_eur: Money) -> Result<BTreeMap<u32, Tier>, String> {
    let month = month_eur.to_decimal() * USD_PER_EUR;
    let tier = |(days, per_cent, hold_days)| {
        // Multiplied first and divided last, so that a price in whole cents stays exact. An amount
        // has at most 19 digits, which leaves a Decimal's 28 room for these factors.
        let times = Decimal::from(days) * Decimal::from(per_cent);
        let price = month * times / Decimal::from(MONTH * 100);
        let price = price.round_dp_with_strategy(2, RoundingStrategy::ToPositiveInfinity);
        let price = Money::from_decimal(price).ok_or("is too large")?;
        Ok((days, Tier { price, hold_days }))
    };
    TIERS.into_iter().map(tier).collect()
}
