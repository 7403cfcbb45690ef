//! How many images that renters named are fetched at once, so that registries that never come to an end
//! hold up each other and not the work on everybody's instances.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most at once: half of the jobs that a worker does at once.
const MOST: usize = 8;
/// The most of them from one registry.
const MOST_OF_ONE: usize = 4;

/// Fetches under way, by their registries.
#[derive(Clone, Default)]
pub struct Fetching(Arc<Mutex<HashMap<String, usize>>>);

/// One fetch under way, until it is dropped.
pub struct Fetch {
    all: Fetching,
    registry: String,
}

impl Fetching {
    /// Begins one, unless there are enough.
    pub fn begin(&self, image: &str) -> Option<Fetch> {
        let registry = registry_of(image).to_owned();
        let mut counts = self.counts();
        let of_one = counts.get(&registry).copied().unwrap_or(0);
        if of_one >= MOST_OF_ONE || counts.values().sum::<usize>() >= MOST {
            return None;
        }
        counts.insert(registry.clone(), of_one + 1);
        drop(counts);
        Some(Fetch { all: self.clone(), registry })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        if let Some(count) = counts.get_mut(&self.registry) {
            *count = count.saturating_sub(1);
        }
        counts.retain(|_, count| *count > 0);
    }
}

/// The registry that the name of an image begins with, as engines read it.
pub fn registry_of(image: &str) -> &str {
    let first = image.split_once('/').map(|(first, _)| first);
    first.filter(|first| first.contains(['.', ':']) || *first == "localhost").unwrap_or("docker.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_begins_with_its_registry() {
        for (image, registry) in [
            ("ubuntu:24.04", "docker.io"),
            ("library/ubuntu", "docker.io"),
            ("ghcr.io/a/b:1", "ghcr.io"),
            ("registry:5000/a", "registry:5000"),
            ("localhost/a", "localhost"),
        ] {
            assert_eq!(registry_of(image), registry);
        }
    }

    #[test]
    fn one_registry_leaves_room_for_others() {
        let all = Fetching::default();
        let of_one: Vec<_> = (0..5).map(|_| all.begin("tar.pit/a")).collect();
        assert_eq!(of_one.iter().flatten().count(), 4);
        let others: Vec<_> =
            (0..5).map(|number| all.begin(&format!("{number}.example/a"))).collect();
        assert_eq!(others.iter().flatten().count(), 4);
        drop(of_one);
        assert!(all.begin("tar.pit/a").is_some());
    }
}
