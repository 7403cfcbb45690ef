//! The market of graphics processors in memory: of every listed host what its rows are made of, so that a
//! question reads no more of the database than what has changed.

mod flight;
mod host;
mod index;
mod news;
mod select;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use host::{MarketHost, Offered, Uptime};
pub use index::MarketIndex;
pub use news::{KEPT_CHANGES, MarketChanges, MarketMark, trim_changes};

use host::Listed;
use table::Table;

use crate::capacity::StorageName;
use crate::host::HostId;
use crate::location::LocationCode;

/// Every listed host, as it was at one moment. It is made by [`Market::put`] and kept by [`Market::apply`].
#[derive(Debug, Default)]
pub struct Market {
    hosts: Vec<Listed>,
    /// Where each is among them.
    places: HashMap<HostId, usize>,
    /// GB that are free in each.
    storages: Table<StorageName, u32>,
    /// The country of each.
    locations: Table<LocationCode, String>,
    /// Graphics processors by name.
    models: Table<Arc<str>, ()>,
    /// Texts that many hosts have alike.
    texts: HashSet<Arc<str>>,
}

impl Market {
    /// Adds a host, or puts it in the place of what was known of it.
    pub fn put(&mut self, host: MarketHost) {
        let host_id = host.offer.host_id;
        let listed = self.listed(host);
        let known = self.places.get(&host_id).and_then(|place| self.hosts.get_mut(*place));
        if let Some(known) = known {
            *known = listed;
        } else {
            self.places.insert(host_id, self.hosts.len());
            self.hosts.push(listed);
        }
    }

    /// Takes a host away, if it is known.
    pub fn remove(&mut self, host_id: HostId) {
        let Some(place) = self.places.remove(&host_id) else { return };
        if place < self.hosts.len() {
            self.hosts.swap_remove(place);
        }
        // The last one is now in its place.
        if let Some(moved) = self.hosts.get(place) {
            self.places.insert(moved.offer.host_id, place);
        }
    }

    /// Brings the market to where the changes end.
    pub fn apply(&mut self, changes: MarketChanges) {
        for (host_id, host) in changes.hosts {
            match host {
                Some(host) => self.put(host),
                None => self.remove(host_id),
            }
        }
        for (name, free_gb) in changes.storages {
            self.storages.replace(&name, free_gb);
        }
        for (code, country) in changes.locations {
            self.locations.replace(&code, country);
        }
    }

    /// Gives back what was reserved for more hosts than came.
    fn shrink(&mut self) {
        self.hosts.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    fn listed(&mut self, host: MarketHost) -> Listed {
        let MarketHost { mut offer, country, storage, disk_gb, .. } = host;
        for text in offer.texts() {
            self.share_text(text);
        }
        Listed {
            is_open: host.is_reached && host.accepts && offer.terms.is_priced(),
            number: offer.number,
            per_gpu: offer.terms.per_gpu,
            driver: offer.figures.driver.rank(),
            cuda: offer.figures.cuda.rank(),
            sells_containers: offer.terms.sells_containers,
            sells_machines: offer.terms.sells_machines,
            all: host.all,
            free: host.free,
            uptime: host.uptime,
            storage: self.storages.put(storage, disk_gb),
            location: self.locations.put(offer.location.clone(), country),
            model: self.models.put(offer.gpu_model.clone(), ()),
            offer: Arc::new(offer),
        }
    }

    /// Lets equal texts be one.
    fn share_text(&mut self, text: &mut Arc<str>) {
        if let Some(known) = self.texts.get(text) {
            *text = known.clone();
        } else {
            self.texts.insert(text.clone());
        }
    }
}
