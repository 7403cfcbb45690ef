//! Graphics processors with the processors and memory that come with them.

/// What can be shared out by the graphics processor: all that a host has, what is free of it, or a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Graphics processors.
    pub gpus: u32,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub ram_mib: u32,
}

impl Resources {
    /// What comes with so many of the graphics processors of a host that has all this: the same share of
    /// its processors and memory, at least one processor. `None` where it has not so many. What comes with
    /// more of them is never less.
    pub fn share(self, gpus: u32) -> Option<Self> {
        if gpus == 0 || gpus > self.gpus {
            return None;
        }
        let part = |of: u32| {
            let part = u64::from(of) * u64::from(gpus) / u64::from(self.gpus);
            u32::try_from(part).unwrap_or(of)
        };
        Some(Self { gpus, cpus: part(self.cpus).max(1), ram_mib: part(self.ram_mib) })
    }

    /// Whether that could be had of this.
    pub const fn covers(self, part: Self) -> bool {
        self.gpus >= part.gpus && self.cpus >= part.cpus && self.ram_mib >= part.ram_mib
    }
}
