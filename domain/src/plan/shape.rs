//! What an instance of a plan has.

use serde::{Deserialize, Serialize};

use crate::error::Violation;
use crate::text::{ONE_LINE_OF_100, line};

/// What an instance has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Virtual CPUs, 1 to 4096.
    pub cpus: u32,
    /// Memory in MiB, from 128.
    pub ram_mib: u32,
    /// Graphics processors, if any.
    pub gpu: Option<GpuShape>,
    /// The disk that comes with it and holds the operating system, in GB.
    pub disk_gb: u32,
}

/// Some equal graphics processors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuShape {
    /// The maker's name.
    pub model: String,
    /// How many.
    pub count: u32,
    /// The memory of each, in MiB.
    pub memory_mib: u32,
}

impl Shape {
    /// How many graphics processors it has.
    pub fn gpus(&self) -> u32 {
        self.gpu.as_ref().map_or(0, |gpu| gpu.count)
    }

    /// Every fault. The paths are those of a request that has this as its `shape`.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut number = |path: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                violations.push(Violation::new(path, format!("must be {least} to {most}")));
            }
        };
        number("/shape/cpus", self.cpus, 1, 4_096);
        number("/shape/ram_mib", self.ram_mib, 128, 64 << 20);
        number("/shape/disk_gb", self.disk_gb, 1, 1_000_000);
        if let Some(gpu) = &self.gpu {
            number("/shape/gpu/count", gpu.count, 1, 1_024);
            number("/shape/gpu/memory_mib", gpu.memory_mib, 1, 16 << 20);
            if line(&gpu.model, 100).is_none() {
                violations.push(Violation::new("/shape/gpu/model", ONE_LINE_OF_100));
            }
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(shape: &Shape) -> Vec<String> {
        shape.violations().into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn a_shape_has_bounds() {
        let gpu = Some(GpuShape { model: "H100".to_owned(), count: 1, memory_mib: 81_920 });
        let least = Shape { cpus: 1, ram_mib: 128, gpu: None, disk_gb: 1 };
        let most = Shape { cpus: 4_096, ram_mib: 64 << 20, gpu, disk_gb: 1_000_000 };
        assert_eq!((paths(&least), paths(&most)), (vec![], vec![]));
        let small = Shape { gpu: Some(GpuShape::default()), ..Shape::default() };
        let faults = ["cpus", "ram_mib", "disk_gb", "gpu/count", "gpu/memory_mib", "gpu/model"];
        assert_eq!(paths(&small), faults.map(|name| format!("/shape/{name}")));
        let large = Shape { cpus: 4_097, ram_mib: 127, gpu: None, disk_gb: 1_000_001 };
        assert_eq!(paths(&large).len(), 3);
    }
}
