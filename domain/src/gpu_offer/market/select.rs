//! Which rows pass, in which order, and which part of them is shown.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Market;
use super::host::Listed;
use crate::capacity::Resources;
use crate::gpu_offer::{
    BrowseGpus, Comparison, Direction, GpuOfferFilter, GpuOfferOrder, GpuRow, Range, Rank,
};
use crate::location::Continent;

impl Market {
    /// The rows that pass at a time in seconds since 1970, in order, cut to the part that is asked for.
    pub fn rows(&self, browse: &BrowseGpus, now_s: i64) -> Vec<GpuRow> {
        let wish = Wish::new(self, browse, now_s);
        let mut first = First::of(browse, |a, b| wish.compare(a, b));
        for host in &self.hosts {
            let disk_gb = self.storages.get(host.storage).copied().unwrap_or_default();
            if wish.wants_host(host, disk_gb) {
                wish.add_rows(host, disk_gb, &mut |row| first.add(row));
            }
        }
        let rows = first.sorted().into_iter().skip(whole(browse.skip));
        rows.map(|row| row.shown(now_s)).collect()
    }
}

/// So many times what is wanted, and so many rows at least, are gathered before it is seen which come first.
const TIMES: usize = 8;
const ROWS: usize = 256;

/// A row that passes.
struct Candidate<'a> {
    host: &'a Listed,
    gpus: u32,
    disk_gb: u32,
    is_available: bool,
    /// Its place by the first order.
    key: Key,
}

impl Candidate<'_> {
    fn shown(self, now_s: i64) -> GpuRow {
        let share = self.host.all.share(self.gpus).unwrap_or_default();
        GpuRow {
            offer: Arc::clone(&self.host.offer),
            gpus: self.gpus,
            cpus: share.cpus,
            ram_mib: share.ram_mib,
            disk_gb: self.disk_gb,
            is_available: self.is_available,
            uptime_bp: self.host.uptime.bp(now_s),
        }
    }
}

/// What has no figure comes last, either way round.
type Key = (bool, i64);

fn key(figure: Option<i64>, direction: Direction) -> Key {
    match (figure, direction) {
        (None, _) => (true, 0),
        (Some(figure), Direction::Ascending) => (false, figure),
        // Turns the order round, without a number that has no opposite.
        (Some(figure), Direction::Descending) => (false, !figure),
    }
}

/// What is asked for, with what is the same for all hosts reckoned once.
struct Wish<'a> {
    filter: &'a GpuOfferFilter,
    orders: &'a [(GpuOfferOrder, Direction)],
    now_s: i64,
    /// Of each location whether it is where it should be.
    locations: Option<Vec<bool>>,
    /// Of each model whether it is the one.
    models: Option<Vec<bool>>,
    driver: Option<(Comparison, Rank)>,
    cuda: Option<(Comparison, Rank)>,
}

impl<'a> Wish<'a> {
    fn new(market: &Market, browse: &'a BrowseGpus, now_s: i64) -> Self {
        let filter = &browse.filter;
        let is_there = |continent: Continent| {
            market.locations.which(|_, country| continent.countries().any(|code| code == country))
        };
        let is_called =
            |model: &String| market.models.which(|name, ()| name.eq_ignore_ascii_case(model));
        Self {
            filter,
            orders: &browse.orders,
            now_s,
            locations: filter.continent.map(is_there),
            models: filter.gpu_model.as_ref().map(is_called),
            driver: filter.driver.as_ref().map(|(how, version)| (*how, version.rank())),
            cuda: filter.cuda.as_ref().map(|(how, version)| (*how, version.rank())),
        }
    }

    /// What is asked of a host, whatever it gives. What is near comes first.
    fn wants_host(&self, host: &Listed, disk_gb: u32) -> bool {
        let filter = self.filter;
        let is_one = |which: &Option<Vec<bool>>, number: usize| {
            which.as_ref().is_none_or(|which| which.get(number).copied().unwrap_or_default())
        };
        let is_sold = |machines| if machines { host.sells_machines } else { host.sells_containers };
        filter.machines.is_none_or(is_sold)
            && is_one(&self.locations, host.location)
            && is_one(&self.models, host.model)
            && filter.per_gpu.has(host.per_gpu)
            && filter.disk_gb.has(Some(disk_gb.into()))
            && stands(self.driver.as_ref(), &host.driver)
            && stands(self.cuda.as_ref(), &host.cuda)
            && (filter.uptime_bp.is_open()
                || filter.uptime_bp.has(Some(host.uptime.bp(self.now_s).into())))
            && self.wants_figures(host)
    }

    /// What is asked of figures that are seldom asked for.
    fn wants_figures(&self, host: &Listed) -> bool {
        let (filter, offer) = (self.filter, &host.offer);
        let (terms, figures) = (&offer.terms, &offer.figures);
        [
            (filter.gpu_memory_mib, offer.gpu_memory_mib),
            (filter.disk_write_mbps, figures.disk_write_mbps),
            (filter.download_mbps, figures.download_mbps),
            (filter.upload_mbps, figures.upload_mbps),
            (filter.pcie_gbps, figures.pcie_gbps),
            (filter.min_hours, terms.min_hours),
        ]
        .into_iter()
        .all(|(range, figure)| range.has(Some(figure.into())))
            && [
                (filter.tflops_per_price_e2, figures.tflops_e2),
                (filter.dlperf_per_price_e2, figures.dlperf_e2),
            ]
            .into_iter()
            .all(|(range, figure)| range.is_open() || range.has(terms.per_price(figure)))
    }

    /// The rows of a host that pass: one for each number that it can give, or else one for all of them.
    fn add_rows<'h>(&self, host: &'h Listed, disk_gb: u32, row: &mut impl FnMut(Candidate<'h>)) {
        let mut add = |gpus, is_available| {
            let is_asked_for = self.filter.is_available.is_none_or(|is| is == is_available);
            if is_asked_for && self.wants_row(host, gpus) {
                let key =
                    self.orders.first().map_or((false, 0), |order| self.key(host, gpus, *order));
                row(Candidate { host, gpus, disk_gb, is_available, key });
            }
        };
        let most = host.most();
        if host.is_open && disk_gb > 0 && host.fits(1) {
            // More never fits where less does not.
            for gpus in (1..=most).take_while(|gpus| host.fits(*gpus)) {
                add(gpus, true);
            }
        } else if most > 0 {
            add(most, false);
        }
    }

    /// What is asked of a number of graphics processors of a host.
    fn wants_row(&self, host: &Listed, gpus: u32) -> bool {
        let filter = self.filter;
        let share = || host.all.share(gpus).unwrap_or_default();
        let has = |range: Range<i64>, part: fn(Resources) -> u32| {
            range.is_open() || range.has(Some(part(share()).into()))
        };
        filter.gpus.has(Some(gpus.into()))
            && has(filter.cpus, |share| share.cpus)
            && has(filter.ram_mib, |share| share.ram_mib)
            && (filter.tflops_e2.is_open()
                || filter.tflops_e2.has(host.figure(GpuOfferOrder::Tflops, gpus, self.now_s)))
    }

    fn key(&self, host: &Listed, gpus: u32, (order, direction): (GpuOfferOrder, Direction)) -> Key {
        key(host.figure(order, gpus, self.now_s), direction)
    }

    /// Each order in turn, then by age and number. No two rows are equal.
    fn compare(&self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        let by_others = || {
            let others = self.orders.iter().skip(1).map(|order| {
                self.key(a.host, a.gpus, *order).cmp(&self.key(b.host, b.gpus, *order))
            });
            let by_others = others.into_iter().find(|ordering| ordering.is_ne());
            by_others.unwrap_or_else(|| (a.host.number, a.gpus).cmp(&(b.host.number, b.gpus)))
        };
        a.key.cmp(&b.key).then_with(by_others)
    }
}

/// Whether a version stands so to another.
fn stands(wanted: Option<&(Comparison, Rank)>, rank: &Rank) -> bool {
    wanted.is_none_or(|(comparison, wanted)| match comparison {
        Comparison::Equal => rank == wanted,
        Comparison::AtMost => rank <= wanted,
        Comparison::AtLeast => rank >= wanted,
    })
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The first rows of many, without sorting the others: these are only told apart from them.
struct First<'a, Order> {
    rows: Vec<Candidate<'a>>,
    /// How many are wanted.
    most: usize,
    /// No row behind this place is among them.
    last: Option<Key>,
    order: Order,
}

impl<'a, Order: Fn(&Candidate<'a>, &Candidate<'a>) -> Ordering> First<'a, Order> {
    /// As many as are left out and shown.
    fn of(browse: &BrowseGpus, order: Order) -> Self {
        let most = whole(browse.skip).saturating_add(whole(browse.limit));
        Self { rows: Vec::new(), most, last: None, order }
    }

    fn add(&mut self, row: Candidate<'a>) {
        if self.last.is_some_and(|last| row.key > last) {
            return;
        }
        self.rows.push(row);
        // Seldom enough to cost less than what it saves.
        if self.rows.len() >= self.most.saturating_mul(TIMES).max(ROWS) {
            self.cut();
        }
    }

    /// Leaves those that are wanted, in no order.
    fn cut(&mut self) {
        if self.most < self.rows.len() {
            let (_, row, _) = self.rows.select_nth_unstable_by(self.most, &self.order);
            self.last = Some(row.key);
            self.rows.truncate(self.most);
        }
    }

    fn sorted(mut self) -> Vec<Candidate<'a>> {
        self.cut();
        self.rows.sort_unstable_by(&self.order);
        self.rows
    }
}
