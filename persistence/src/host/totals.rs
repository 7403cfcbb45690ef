//! How many offers pass a filter, counted again only when the catalogue may have changed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::host::{CHANGES_SEEN_WITHIN, Filters};

/// Filters are remembered for so many at once; more than people browse by within the time that one
/// is good for.
const MOST: usize = 1_000;

/// What this process knows of the catalogue without asking the database.
#[derive(Default)]
pub(crate) struct Totals {
    generation: AtomicU64,
    counted: Mutex<HashMap<Filters, Counted>>,
}

struct Counted {
    total: u64,
    generation: u64,
    at: Instant,
}

impl Totals {
    /// Rises with every change of this process.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Notes that a change was committed.
    pub(crate) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The total, if it was counted since the last change.
    pub(crate) fn get(&self, filters: &Filters) -> Option<u64> {
        let counted = self.counted();
        let found = counted.get(filters)?;
        let good =
            found.generation == self.generation() && found.at.elapsed() < CHANGES_SEEN_WITHIN;
        good.then_some(found.total)
    }

    /// Keeps a total that was counted after the generation was read.
    pub(crate) fn keep(&self, filters: &Filters, total: u64, generation: u64) {
        let mut counted = self.counted();
        if counted.len() >= MOST {
            counted.clear();
        }
        counted.insert(filters.clone(), Counted { total, generation, at: Instant::now() });
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<Filters, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
