//! Cutting hosts into units.

use async_trait::async_trait;
use domain::compute_unit::{HostDriver, Inspection, Limits, UnitPlan};
use domain::instance::{Driven, DriverFault, Site};

use super::script::{self, Script};
use super::{Ssh, names};

const BYTES_PER_GB: u64 = 1_000_000_000;
/// More CPUs than any host has: a bound on what one line can make us remember.
const MOST_CPUS: u32 = 16_384;

const INSPECT: &str = include_str!("scripts/inspect.sh");
const PREPARE: &str = include_str!("scripts/prepare.sh");
const MAKE_UNIT: &str = include_str!("scripts/make_unit.sh");
const REMOVE_UNIT: &str = include_str!("scripts/remove_unit.sh");
const RESTORE: &str = include_str!("scripts/restore.sh");

impl Ssh {
    fn requires_limits(&self) -> &'static str {
        if self.shared.settings.requires_limits { "yes" } else { "no" }
    }
}

#[async_trait]
impl HostDriver for Ssh {
    async fn inspect(&self, site: &Site) -> Driven<Inspection> {
        let script = Script::new(INSPECT).with("requires_limits", self.requires_limits());
        let printed = self.step(site.host_id, ("inspect", None), script).await?;
        let unreadable = || DriverFault::Failed(format!("inspect: cannot read {printed:?}"));
        inspection(&printed).ok_or_else(unreadable)
    }

    async fn prepare(&self, site: &Site) -> Driven<()> {
        let script = Script::new(PREPARE)
            .with("requires_limits", self.requires_limits())
            .with("session", &script::session());
        self.step(site.host_id, ("prepare", None), script).await.map(drop)
    }

    async fn make_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()> {
        let cpus: Vec<_> = unit.cpus.iter().map(ToString::to_string).collect();
        if cpus.is_empty() {
            return Err(DriverFault::Refused("a unit needs a CPU".to_owned()));
        }
        let script = Script::new(MAKE_UNIT)
            .with("unit", names::unit(&unit.username)?)
            .with("cpus", &cpus.join(","))
            .with("ram_mib", &unit.ram_mib.to_string())
            .with("tasks", &unit.tasks.to_string())
            .with("ports", &format!("{}-{}", unit.ports.from, unit.ports.until));
        let step = ("make_unit", Some(unit.username.clone()));
        self.step(site.host_id, step, script).await.map(drop)
    }

    async fn remove_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()> {
        let script = Script::new(REMOVE_UNIT).with("unit", names::unit(&unit.username)?);
        let step = ("remove_unit", Some(unit.username.clone()));
        self.step(site.host_id, step, script).await.map(drop)
    }

    async fn restore(&self, site: &Site) -> Driven<()> {
        self.step(site.host_id, ("restore", None), Script::new(RESTORE)).await.map(drop)
    }
}

/// The value of a line `name=value`.
pub fn value<'a>(printed: &'a str, name: &str) -> Option<&'a str> {
    printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

fn inspection(printed: &str) -> Option<Inspection> {
    let number = |name| value(printed, name)?.trim().parse::<u64>().ok();
    let disk_gb = number("free_kib")?.checked_mul(1024)?.checked_div(BYTES_PER_GB)?;
    Some(Inspection {
        system: value(printed, "system")?.chars().take(200).collect(),
        cpus: cpu_list(value(printed, "cpus")?.trim())?,
        ram_mib: u32::try_from(number("ram_kib")? / 1024).ok()?,
        disk_gb: u32::try_from(disk_gb).ok()?,
        limits: match value(printed, "limits")?.trim() {
            "systemd" => Limits::Systemd,
            "control_groups_1" | "control_groups_2" => Limits::ControlGroups,
            "nothing" => Limits::Nothing,
            _ => return None,
        },
    })
}

/// Reads the kernel's spelling, such as `0-3,8`.
fn cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MOST_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_cpus_is_read() {
        assert_eq!(cpu_list("0-3,8,10-11"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(cpu_list("0"), Some(vec![0]));
        for text in ["", "a", "0-", "-1", "0-99999999", "1 2"] {
            assert_eq!(cpu_list(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_host_says_about_itself_is_read() {
        let printed = "system=Debian GNU/Linux 12 (bookworm)\ncpus=0-1\nram_kib=2097152\n\
            free_kib=19531250\nlimits=control_groups_1\n";
        let expected = Inspection {
            system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            cpus: vec![0, 1],
            ram_mib: 2048,
            disk_gb: 20,
            limits: Limits::ControlGroups,
        };
        assert_eq!(inspection(printed), Some(expected));
        assert_eq!(inspection("system=x\n"), None);
    }
}
