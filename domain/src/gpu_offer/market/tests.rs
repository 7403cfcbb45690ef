//! Rows of a market beside rows that are made in the plainest way: of every host every number, each filter in
//! turn, everything sorted, then cut.

use std::cmp::Ordering;

use chrono::Duration;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::capacity::Resources;
use crate::gpu_offer::{
    BrowseGpus, Comparison, Direction, Figures, GpuOfferFilter, GpuOfferOrder, GpuOfferTerms,
    GpuRow, MOST_GPUS, Range, Version,
};
use crate::location::Continent;
use crate::money::Money;
use crate::testing::instant;

const NOW_S: i64 = 1_737_496_800;
const ORDERS: [GpuOfferOrder; 7] = [
    GpuOfferOrder::Gpus,
    GpuOfferOrder::Uptime,
    GpuOfferOrder::PricePerGpu,
    GpuOfferOrder::Dlperf,
    GpuOfferOrder::DlperfPerPrice,
    GpuOfferOrder::Tflops,
    GpuOfferOrder::TflopsPerPrice,
];

fn price() -> impl Strategy<Value = Option<Money>> {
    proptest::option::of((0..4_i64).prop_map(|tenths| Money::from_e8(tenths * 10_000_000)))
}

fn offered() -> impl Strategy<Value = Offered> {
    let figures = (0..4_u32, 0..3_u32, 0..3_u32, "(|[0-9]|1[0-2])", 0..3_u32).prop_map(
        |(tflops_e2, dlperf_e2, mbps, version, pcie_gbps)| Figures {
            tflops_e2,
            dlperf_e2,
            disk_write_mbps: mbps,
            download_mbps: mbps,
            upload_mbps: 2 - mbps,
            pcie_gbps,
            cuda: Version::parse(&version).unwrap(),
            ..Figures::default()
        },
    );
    let terms = (price(), price(), any::<bool>(), any::<bool>(), 1..3_u32).prop_map(
        |(per_gpu, spot_per_gpu, sells_containers, sells_machines, min_hours)| GpuOfferTerms {
            sells_containers,
            sells_machines,
            per_gpu,
            spot_per_gpu,
            min_hours,
            ..GpuOfferTerms::default()
        },
    );
    (figures, terms, prop_oneof!["RTX 4090", "rtx 4090", "H100"], 0..2_u32).prop_map(
        |(figures, terms, model, gpu_memory_mib)| Offered {
            host_id: HostId::from_uuid(Uuid::nil()),
            number: 0,
            location: LocationCode::from_stored("FIN-03".to_owned()),
            gpu_model: model.into(),
            gpu_memory_mib,
            terms,
            figures,
        },
    )
}

fn host() -> impl Strategy<Value = MarketHost> {
    let all = (0..20_u32, 1..40_u32, 0..60_u32, 0..100_u32);
    let used = (0..20_u32, 0..40_u32, 0..60_u32);
    let state = (any::<bool>(), any::<bool>(), 0..3_u32, 0..3_usize);
    (offered(), all, used, state, -1..3_i64, proptest::option::of(-1..2_i64)).prop_map(
        |(mut offer, (gpus, cpus, ram_mib, luck), used, state, old, away)| {
            // Most hosts are whole ones, as they are in life.
            let used = if luck < 60 { (0, 0, 0) } else { used };
            let country = ["FI", "US", "DE"][state.3];
            offer.location = LocationCode::from_stored(format!("{country}-1"));
            let at = |days| instant() - Duration::days(days);
            MarketHost {
                offer,
                country: country.to_owned(),
                all: Resources { gpus, cpus, ram_mib },
                free: Resources {
                    gpus: gpus.saturating_sub(used.0),
                    cpus: cpus.saturating_sub(used.1),
                    ram_mib: ram_mib.saturating_sub(used.2),
                },
                storage: StorageName::from_stored(format!("s{}", state.2)),
                disk_gb: state.2,
                is_reached: state.0 || luck < 80,
                accepts: state.1 || luck < 80,
                uptime: Uptime::new(at(old), away.map(at), u64::from(luck) * 900),
            }
        },
    )
}

fn range(most: i64) -> impl Strategy<Value = Range<i64>> {
    let bound = move || proptest::option::weighted(0.15, 0..=most);
    (bound(), bound()).prop_map(|(min, max)| Range { min, max })
}

fn filter() -> impl Strategy<Value = GpuOfferFilter> {
    let of_rows = (range(20), range(40), range(60), range(40));
    let of_hosts = (range(2), range(2), range(2), range(2), range(2), range(1), range(10_000));
    let prices = (range(40_000_000), range(30), range(30), range(2));
    let maybe = |chance| proptest::option::weighted(chance, any::<bool>());
    let words =
        (maybe(0.4), maybe(0.4), maybe(0.2), maybe(0.2), proptest::option::weighted(0.2, 0..3_u8));
    (of_rows, of_hosts, prices, words).prop_map(|(of_rows, of_hosts, prices, words)| {
        let money = |bound: Option<i64>| bound.map(Money::from_e8);
        let version = |how| match how {
            0 => Comparison::Equal,
            1 => Comparison::AtMost,
            _ => Comparison::AtLeast,
        };
        GpuOfferFilter {
            machines: words.0,
            is_available: words.1,
            continent: words.2.map(|is| if is { Continent::Europe } else { Continent::Asia }),
            gpu_model: words.3.map(|is| if is { "Rtx 4090" } else { "h100" }.to_owned()),
            gpus: of_rows.0,
            cpus: of_rows.1,
            ram_mib: of_rows.2,
            tflops_e2: of_rows.3,
            disk_gb: of_hosts.0,
            disk_write_mbps: of_hosts.1,
            download_mbps: of_hosts.2,
            upload_mbps: of_hosts.3,
            pcie_gbps: of_hosts.4,
            gpu_memory_mib: of_hosts.5,
            uptime_bp: of_hosts.6,
            per_gpu: Range { min: money(prices.0.min), max: money(prices.0.max) },
            tflops_per_price_e2: prices.1,
            dlperf_per_price_e2: prices.2,
            min_hours: prices.3,
            driver: None,
            cuda: words.4.map(|how| (version(how), Version::parse("9").unwrap())),
        }
    })
}

fn browse() -> impl Strategy<Value = BrowseGpus> {
    let order = (0..ORDERS.len(), any::<bool>()).prop_map(|(order, up)| {
        (ORDERS[order], if up { Direction::Ascending } else { Direction::Descending })
    });
    let orders = proptest::collection::vec(order, 0..4);
    (filter(), orders, 0..30_u32, 0..40_u32).prop_map(|(filter, orders, skip, limit)| BrowseGpus {
        filter,
        orders,
        skip,
        limit,
    })
}

/// A row as it is made here: the number of its host, its own, and what it is sorted by.
type Plain = (i64, u32, bool);

fn plain_rows(hosts: &[MarketHost], browse: &BrowseGpus) -> Vec<Plain> {
    let mut rows: Vec<(Plain, &MarketHost)> = Vec::new();
    for host in hosts {
        let disk = host.disk_gb > 0;
        let sold = host.offer.terms.per_gpu.is_some() || host.offer.terms.spot_per_gpu.is_some();
        let fits = |count: u32| {
            let cpus = (host.all.cpus * count / host.all.gpus).max(1);
            let ram_mib = host.all.ram_mib * count / host.all.gpus;
            host.is_reached
                && host.accepts
                && disk
                && sold
                && host.free.gpus >= count
                && host.free.cpus >= cpus
                && host.free.ram_mib >= ram_mib
        };
        let most = host.all.gpus.min(MOST_GPUS);
        for count in 1..=most {
            let taken = count == most && !fits(1);
            let is_wanted = match browse.filter.is_available {
                None => fits(count) || taken,
                Some(true) => fits(count),
                Some(false) => taken,
            };
            if is_wanted && passes(host, count, &browse.filter) {
                rows.push(((host.offer.number, count, fits(count)), host));
            }
        }
    }
    rows.sort_by(|(a, of_a), (b, of_b)| {
        let by = browse.orders.iter().map(|(order, direction)| {
            match (figure(of_a, a.1, *order), figure(of_b, b.1, *order)) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) if *direction == Direction::Ascending => a.cmp(&b),
                (Some(a), Some(b)) => b.cmp(&a),
            }
        });
        by.fold(Ordering::Equal, Ordering::then).then((a.0, a.1).cmp(&(b.0, b.1)))
    });
    let part = rows.into_iter().skip(usize::try_from(browse.skip).unwrap());
    part.take(usize::try_from(browse.limit).unwrap()).map(|(row, _)| row).collect()
}

fn figure(host: &MarketHost, count: u32, order: GpuOfferOrder) -> Option<i64> {
    let (figures, price) = (&host.offer.figures, host.offer.terms.per_gpu.map(Money::e8));
    let per_price =
        |of: u32| price.filter(|price| *price > 0).map(|price| i64::from(of) * 100_000_000 / price);
    match order {
        GpuOfferOrder::Gpus => Some(count.into()),
        GpuOfferOrder::Uptime => Some(uptime(host)),
        GpuOfferOrder::PricePerGpu => price,
        GpuOfferOrder::Dlperf => Some((figures.dlperf_e2 * count).into()),
        GpuOfferOrder::DlperfPerPrice => per_price(figures.dlperf_e2),
        GpuOfferOrder::Tflops => Some((figures.tflops_e2 * count).into()),
        GpuOfferOrder::TflopsPerPrice => per_price(figures.tflops_e2),
    }
}

fn uptime(host: &MarketHost) -> i64 {
    host.uptime.bp(NOW_S).into()
}

fn passes(host: &MarketHost, count: u32, filter: &GpuOfferFilter) -> bool {
    let (offer, figures, terms) = (&host.offer, &host.offer.figures, &host.offer.terms);
    let within = |range: Range<i64>, figure: Option<i64>| {
        range.min.is_none_or(|min| figure.is_some_and(|figure| figure >= min))
            && range.max.is_none_or(|max| figure.is_some_and(|figure| figure <= max))
    };
    let is = |range, figure: u32| within(range, Some(figure.into()));
    let price =
        Range { min: filter.per_gpu.min.map(Money::e8), max: filter.per_gpu.max.map(Money::e8) };
    let cuda = |(how, version): &(Comparison, Version)| {
        let (has, wanted) = (figures.cuda.rank(), version.rank());
        match how {
            Comparison::Equal => has == wanted,
            Comparison::AtMost => has <= wanted,
            Comparison::AtLeast => has >= wanted,
        }
    };
    let of = |order| figure(host, count, order);
    filter.machines.is_none_or(|is| if is { terms.sells_machines } else { terms.sells_containers })
        && filter.continent.is_none_or(|part| part.countries().any(|code| code == host.country))
        && filter
            .gpu_model
            .as_ref()
            .is_none_or(|model| model.to_ascii_lowercase() == offer.gpu_model.to_ascii_lowercase())
        && is(filter.gpus, count)
        && is(filter.gpu_memory_mib, offer.gpu_memory_mib)
        && is(filter.cpus, (host.all.cpus * count / host.all.gpus).max(1))
        && is(filter.ram_mib, host.all.ram_mib * count / host.all.gpus)
        && is(filter.disk_gb, host.disk_gb)
        && is(filter.disk_write_mbps, figures.disk_write_mbps)
        && is(filter.download_mbps, figures.download_mbps)
        && is(filter.upload_mbps, figures.upload_mbps)
        && is(filter.pcie_gbps, figures.pcie_gbps)
        && is(filter.min_hours, terms.min_hours)
        && within(filter.tflops_e2, of(GpuOfferOrder::Tflops))
        && within(filter.uptime_bp, of(GpuOfferOrder::Uptime))
        && within(price, of(GpuOfferOrder::PricePerGpu))
        && within(filter.tflops_per_price_e2, of(GpuOfferOrder::TflopsPerPrice))
        && within(filter.dlperf_per_price_e2, of(GpuOfferOrder::DlperfPerPrice))
        && filter.cuda.as_ref().is_none_or(cuda)
}

fn numbered(hosts: Vec<MarketHost>) -> Vec<MarketHost> {
    let number = |(number, mut host): (u32, MarketHost)| {
        host.offer.number = number.into();
        host.offer.host_id = HostId::from_uuid(Uuid::from_u128(number.into()));
        host
    };
    (1..).zip(hosts).map(number).collect()
}

fn shown(rows: &[GpuRow]) -> Vec<Plain> {
    rows.iter().map(|row| (row.offer.number, row.gpus, row.is_available)).collect()
}

proptest! {
    #[test]
    fn a_part_is_what_a_full_sort_has_there(
        hosts in proptest::collection::vec(host(), 0..120),
        browse in browse(),
    ) {
        let hosts = numbered(hosts);
        let mut market = Market::default();
        hosts.iter().cloned().for_each(|host| market.put(host));
        prop_assert_eq!(shown(&market.rows(&browse, NOW_S)), plain_rows(&hosts, &browse));
    }

    #[test]
    fn a_market_that_followed_is_one_that_was_read_anew(
        before in proptest::collection::vec(host(), 1..20),
        after in proptest::collection::vec(proptest::option::of(host()), 20),
        free_gb in proptest::collection::vec(0..3_u32, 3),
        browse in browse(),
    ) {
        let mut followed = Market::default();
        for host in numbered(before) {
            followed.put(host);
        }
        let mut now = Vec::new();
        let mut hosts = Vec::new();
        for (number, mut host) in (1_u32..).zip(after) {
            let host_id = HostId::from_uuid(Uuid::from_u128(number.into()));
            if let Some(host) = &mut host {
                host.offer.number = number.into();
                host.offer.host_id = host_id;
                now.push(host.clone());
            }
            hosts.push((host_id, host));
        }
        let mut storages = Vec::new();
        for (number, free_gb) in (0..3).zip(free_gb) {
            let name = StorageName::from_stored(format!("s{number}"));
            let here = now.iter_mut().filter(|host| host.storage == name);
            here.for_each(|host| host.disk_gb = free_gb);
            storages.push((name, free_gb));
        }
        let moved = LocationCode::from_stored("US-1".to_owned());
        let here = now.iter_mut().filter(|host| host.offer.location == moved);
        here.for_each(|host| host.country = "JP".to_owned());
        let mark = MarketMark(String::new());
        let locations = vec![(moved, "JP".to_owned())];
        followed.apply(MarketChanges { mark, hosts, storages, locations });
        let mut anew = Market::default();
        now.iter().cloned().for_each(|host| anew.put(host));
        prop_assert_eq!(followed.rows(&browse, NOW_S), anew.rows(&browse, NOW_S));
        prop_assert_eq!(shown(&anew.rows(&browse, NOW_S)), plain_rows(&now, &browse));
    }
}

#[test]
fn uptime_is_the_share_of_its_time_rounded_down() {
    let at = |hours: i64| instant() + Duration::hours(hours);
    let now_s = at(100).timestamp();
    for (furnished, away, down_seconds, expected) in [
        (at(0), None, 0, 10_000),
        (at(0), None, 36_000, 9_000),
        (at(0), Some(at(90)), 0, 9_000),
        (at(0), Some(at(90)), 36_000, 8_000),
        (at(0), None, 1, 9_999),
        (at(0), Some(at(0)), 0, 0),
        // A clock that ran ahead makes no share of less than nothing, or of nothing.
        (at(200), None, 0, 10_000),
        (at(0), Some(at(200)), 0, 10_000),
        (at(100), None, 5, 0),
    ] {
        let uptime = Uptime::new(furnished, away, down_seconds);
        assert_eq!(uptime.bp(now_s), expected, "{furnished} {away:?} {down_seconds}");
    }
}
