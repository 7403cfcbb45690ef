//! What a host is and where it stands.

use serde::{Deserialize, Serialize};

use crate::error::Violation;
use crate::text::{is_country, line};

/// Declares an enumeration with one spelling each on the wire and in storage, read without case.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$item_meta:meta])* $item:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$item_meta])* #[serde(rename = $word)] $item,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$item,)*];

            /// Its one spelling.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$item => $word,)* }
            }

            /// Reads a spelling, without regard to case; the fault names what there is.
            pub fn parse(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|item| item.as_str().eq_ignore_ascii_case(text));
                found.copied().ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|item| item.as_str()).collect();
                    format!("must be one of {}", known.join(", "))
                })
            }
        }
    };
}

words!(
    /// What a host is best at.
    Category {
        /// Many or fast cores.
        Compute = "compute",
        /// Much memory.
        Memory = "memory",
        /// Much disk.
        Storage = "storage",
        /// Balanced.
        General = "general",
        /// A graphics processor.
        Gpu = "gpu",
    }
);

words!(
    /// The benchmark that a CPU score comes from.
    ScoreType {
        /// PassMark CPU Mark.
        Passmark = "passmark",
        /// Geekbench, one core.
        GeekbenchSingle = "geekbench_single",
        /// Geekbench, all cores.
        GeekbenchMulti = "geekbench_multi",
    }
);

words!(
    /// A kind of memory module.
    RamType {
        /// DDR3 without error correction.
        Ddr3 = "DDR3",
        /// DDR4 without error correction.
        Ddr4 = "DDR4",
        /// DDR5 without error correction.
        Ddr5 = "DDR5",
        /// DDR3 with error correction.
        EccDdr3 = "ECC DDR3",
        /// DDR4 with error correction.
        EccDdr4 = "ECC DDR4",
        /// DDR5 with error correction.
        EccDdr5 = "ECC DDR5",
    }
);

words!(
    /// A kind of disk.
    DiskType {
        /// Spinning.
        Hdd = "HDD",
        /// Flash behind SATA or SAS.
        Ssd = "SSD",
        /// Flash behind PCI Express.
        Nvme = "NVMe",
    }
);

/// Where a host stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// The operator's region, such as `eu-central`.
    pub region: String,
    /// City.
    pub city: String,
    /// The operator's name of the building.
    pub datacenter: String,
}

/// A benchmark figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// The figure.
    pub value: u32,
    /// Where it comes from; figures of different benchmarks do not compare.
    pub kind: ScoreType,
}

/// The processors of a host, taken together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// The maker's name.
    pub model: String,
    /// Physical cores.
    pub cores: u32,
    /// Hardware threads.
    pub threads: u32,
    /// A benchmark figure, if one is known.
    pub score: Option<Score>,
}

/// Some equal disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// How many.
    pub count: u32,
    /// Size of each in GB of 10⁹ bytes.
    pub capacity_gb: u32,
    /// Kind.
    #[serde(rename = "type")]
    pub kind: DiskType,
    /// How it is attached, such as `PCIe 4.0`, if known.
    pub interface: Option<String>,
}

/// The network of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Port speed in Mbit/s.
    pub bandwidth_mbps: u32,
    /// Included traffic in TB a month; `None` is unlimited.
    pub traffic_tb: Option<u32>,
    /// IPv4 addresses.
    pub ipv4_count: u32,
    /// Whether it has IPv6.
    pub ipv6_enabled: bool,
}

/// What a host is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specs {
    /// The operator's name for it.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// The operator's name of the machine or product.
    pub model: String,
    /// Whether it is virtual.
    pub is_vm: bool,
    /// What it is best at.
    pub category: Category,
    /// Whether it is shown first.
    pub featured: bool,
    /// Its place among the others, from 1; unranked hosts come last.
    pub popularity_rank: Option<u32>,
    /// How long it takes from the rent until it can be used.
    pub setup_time_minutes: u32,
    /// Processors.
    pub cpu: Cpu,
    /// Memory in GiB.
    pub ram_gb: u32,
    /// Kind of memory.
    pub ram_type: RamType,
    /// Memory clock, if known.
    pub ram_speed_mhz: Option<u32>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Network.
    pub network: Network,
    /// Graphics processor, if any.
    pub gpu: Option<String>,
}

impl Specs {
    /// All disks together, in GB.
    pub fn total_storage_gb(&self) -> u32 {
        self.disks
            .iter()
            .fold(0, |sum, disk| sum.saturating_add(disk.count.saturating_mul(disk.capacity_gb)))
    }

    /// Every fault of a host that an operator describes: text lengths, counts and sizes. The paths
    /// are those of a request that has this as its `specs`.
    pub fn violations(&self) -> Vec<Violation> {
        let texts = [
            ("/specs/name", &self.name, 100),
            ("/specs/location/region", &self.location.region, 50),
            ("/specs/location/city", &self.location.city, 100),
            ("/specs/location/datacenter", &self.location.datacenter, 100),
            ("/specs/model", &self.model, 200),
            ("/specs/cpu/model", &self.cpu.model, 200),
        ];
        let texts = texts.into_iter().chain(self.gpu.iter().map(|gpu| ("/specs/gpu", gpu, 200)));
        let texts = texts
            .filter(|(_, text, most)| line(text, *most).is_none())
            .map(|(path, _, most)| (path, format!("must be 1 to {most} characters")));
        let numbers = [
            ("/specs/cpu/cores", self.cpu.cores, 1, 4_096),
            ("/specs/cpu/threads", self.cpu.threads, 1, 8_192),
            ("/specs/cpu/score/value", self.cpu.score.map_or(1, |s| s.value), 1, 10_000_000),
            ("/specs/ram_gb", self.ram_gb, 1, 1_048_576),
            ("/specs/network/bandwidth_mbps", self.network.bandwidth_mbps, 1, 10_000_000),
            ("/specs/network/traffic_tb", self.network.traffic_tb.unwrap_or(1), 1, 1_000_000),
            ("/specs/network/ipv4_count", self.network.ipv4_count, 0, 1_000_000),
            ("/specs/setup_time_minutes", self.setup_time_minutes, 0, 100_000),
            ("/specs/popularity_rank", self.popularity_rank.unwrap_or(1), 1, 1_000_000_000),
        ];
        let numbers = numbers.into_iter().filter_map(|(path, value, least, most)| {
            let bad = !(least..=most).contains(&value);
            bad.then(|| (path, format!("must be {least} to {most}")))
        });
        let country = (!is_country(&self.location.country)).then(|| {
            ("/specs/location/country", "must be two upper-case letters (ISO 3166-1)".to_owned())
        });
        let disks_bad = self.disks.len() > 32 || !self.disks.iter().all(Disk::is_sane);
        let disks = disks_bad.then(|| {
            let message = "at most 32 kinds of 1 to 1000 disks of 1 to 1000000 GB, each interface \
                           1 to 100 characters";
            ("/specs/disks", message.to_owned())
        });
        let all = texts.chain(numbers).chain(country).chain(disks);
        all.map(|(path, message)| Violation { path: path.to_owned(), message }).collect()
    }
}

impl Disk {
    fn is_sane(&self) -> bool {
        (1..=1_000).contains(&self.count)
            && (1..=1_000_000).contains(&self.capacity_gb)
            && self.interface.as_ref().is_none_or(|text| line(text, 100).is_some())
    }
}
