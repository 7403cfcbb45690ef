//! What is free at this moment, and how many instances of a shape find a place in it.

use super::{Capacity, StorageName};
use crate::host::HostId;
use crate::location::LocationCode;
use crate::plan::{GpuShape, Shape};

/// The most hosts that a [`Fit`] names.
const MOST_NAMED: usize = 100;

/// What nobody has of a host's processors and memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Free {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// Graphics processors.
    pub gpu: Option<GpuShape>,
}

impl Free {
    /// How many of this shape find a place beside each other, slots and disk aside.
    pub fn holds(&self, shape: &Shape) -> u32 {
        let times = |free: u32, each: u32| free.checked_div(each).unwrap_or(u32::MAX);
        let gpus = match (&shape.gpu, &self.gpu) {
            (None, _) => u32::MAX,
            (Some(wanted), Some(gpu))
                if gpu.model == wanted.model && gpu.memory_mib >= wanted.memory_mib =>
            {
                times(gpu.count, wanted.count)
            }
            (Some(_), _) => 0,
        };
        times(self.cpus, shape.cpus).min(times(self.ram_mib, shape.ram_mib)).min(gpus)
    }
}

impl Capacity {
    /// What nobody has of it.
    pub fn free(&self) -> Free {
        let Self { gpu, used, .. } = self;
        let gpu = gpu.clone().map(|gpu| {
            let count = gpu.count.saturating_sub(used.gpus);
            GpuShape { count, ..gpu }
        });
        Free {
            cpus: self.cpus.saturating_sub(used.cpus),
            ram_mib: self.ram_mib.saturating_sub(used.ram_mib),
            gpu,
        }
    }

    /// Whether so much is free, slots and disk aside.
    pub fn has_room(&self, shape: &Shape) -> bool {
        self.free().holds(shape) > 0
    }
}

/// A host that new instances may come to, and what is free there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Which host.
    pub host_id: HostId,
    /// Where it is.
    pub location: LocationCode,
    /// Where its disks are.
    pub storage: StorageName,
    /// What is free there, in GB; hosts of one storage share it.
    pub storage_gb: u32,
    /// Processors and memory.
    pub free: Free,
    /// Addresses to give away, where every instance gets one of its own.
    pub addresses: Option<u32>,
}

impl Room {
    /// How many of this shape find a place here, while nobody else takes of the storage.
    fn holds(&self, shape: &Shape) -> u32 {
        let disks = self.storage_gb.checked_div(shape.disk_gb).unwrap_or(u32::MAX);
        let addresses = self.addresses.unwrap_or(u32::MAX);
        self.free.holds(shape).min(addresses).min(disks)
    }
}

/// How many instances of a shape find a place, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// On so many hosts at least one.
    pub hosts: u32,
    /// The first of these, at most 100.
    pub named: Vec<HostId>,
    /// So many altogether.
    pub instances: u64,
    /// So many on hosts of one storage, as a cluster wants them.
    pub together: u64,
}

/// All hosts that new instances may come to.
#[derive(Clone, Debug)]
pub struct Rooms(Vec<Room>);

impl Rooms {
    /// These hosts, by location and storage.
    pub fn new(mut rooms: Vec<Room>) -> Self {
        let place = |room: &Room| (room.location.clone(), room.storage.clone(), room.host_id);
        rooms.sort_by_cached_key(place);
        Self(rooms)
    }

    /// What fits at a location. As many could be ordered one after the other; only ports are not looked
    /// at, which depend on what is started.
    pub fn fit(&self, shape: &Shape, location: &LocationCode) -> Fit {
        let Self(rooms) = self;
        let from = rooms.partition_point(|room| room.location < *location);
        let here = rooms.get(from..).unwrap_or_default();
        let until = here.partition_point(|room| room.location == *location);
        let here = here.get(..until).unwrap_or_default();
        let storages = here.chunk_by(|one, next| one.storage == next.storage);
        storages.fold(Fit::default(), |fit, rooms| fit.and(shape, rooms))
    }
}

impl Fit {
    /// With the hosts of one more storage.
    fn and(mut self, shape: &Shape, rooms: &[Room]) -> Self {
        let mut beside = 0_u64;
        for room in rooms {
            let holds = room.holds(shape);
            if holds == 0 {
                continue;
            }
            beside = beside.saturating_add(holds.into());
            self.hosts = self.hosts.saturating_add(1);
            if self.named.len() < MOST_NAMED {
                self.named.push(room.host_id);
            }
        }
        let disks = |room: &Room| room.storage_gb.checked_div(shape.disk_gb).map(u64::from);
        let beside = beside.min(rooms.first().and_then(disks).unwrap_or(u64::MAX));
        self.instances = self.instances.saturating_add(beside);
        self.together = self.together.max(beside);
        self
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn room(number: u128, storage: &str, cpus: u32) -> Room {
        Room {
            host_id: HostId::from_uuid(Uuid::from_u128(number)),
            location: LocationCode::from_stored("FIN-03".to_owned()),
            storage: StorageName::from_stored(storage.to_owned()),
            storage_gb: 100,
            free: Free { cpus, ram_mib: 8_192, gpu: None },
            addresses: None,
        }
    }

    fn fit(shape: &Shape, rooms: &[Room]) -> (u32, u64, u64) {
        let here = LocationCode::from_stored("FIN-03".to_owned());
        let fit = Rooms::new(rooms.to_vec()).fit(shape, &here);
        assert_eq!(fit.named.len(), usize::try_from(fit.hosts).unwrap().min(MOST_NAMED));
        (fit.hosts, fit.instances, fit.together)
    }

    #[test]
    fn whatever_is_least_counts() {
        let shape = Shape { cpus: 2, ram_mib: 1_024, gpu: None, disk_gb: 10 };
        assert_eq!(fit(&shape, &[room(1, "a", 7), room(2, "b", 1)]), (1, 3, 3));
        assert_eq!(fit(&shape, &[room(1, "a", 64)]), (1, 8, 8), "memory");
        let with = |addresses| Room { addresses: Some(addresses), ..room(1, "a", 64) };
        assert_eq!(fit(&shape, &[with(2)]), (1, 2, 2));
        assert_eq!(fit(&shape, &[with(0)]), (0, 0, 0));
    }

    #[test]
    fn hosts_of_one_storage_share_its_disk() {
        let shape = Shape { cpus: 1, ram_mib: 1_024, gpu: None, disk_gb: 30 };
        let rooms = [room(1, "a", 2), room(2, "a", 2), room(3, "b", 2)];
        assert_eq!(fit(&shape, &rooms), (3, 5, 3));
        let large = Shape { disk_gb: 101, ..shape };
        assert_eq!(fit(&large, &rooms), (0, 0, 0));
    }

    #[test]
    fn graphics_processors_are_of_the_model_and_have_the_memory() {
        let gpu = |model: &str, count, memory_mib| {
            Some(GpuShape { model: model.to_owned(), count, memory_mib })
        };
        let shape = Shape { cpus: 1, ram_mib: 1, gpu: gpu("H100", 2, 80), disk_gb: 1 };
        for (free, holds) in [
            (gpu("H100", 5, 80), 2),
            (gpu("H100", 4, 141), 2),
            (gpu("H100", 4, 79), 0),
            (gpu("H100", 1, 80), 0),
            (gpu("H200", 8, 141), 0),
            (None, 0),
        ] {
            assert_eq!(Free { cpus: 9, ram_mib: 9, gpu: free }.holds(&shape), holds);
        }
    }

    #[test]
    fn elsewhere_does_not_count() {
        let shape = Shape { cpus: 1, ram_mib: 1, gpu: None, disk_gb: 1 };
        let there = LocationCode::from_stored("ICE-01".to_owned());
        let rooms = [Room { location: there.clone(), ..room(1, "a", 2) }, room(2, "b", 3)];
        assert_eq!(fit(&shape, &rooms), (1, 3, 3));
        let host_id = rooms[0].host_id;
        assert_eq!(Rooms::new(rooms.into()).fit(&shape, &there).named, [host_id]);
    }
}
