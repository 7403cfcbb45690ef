//! Hosts that are not there, cut into compute units.

use async_trait::async_trait;
use domain::compute_unit::{HostDriver, Inspection, Limits, UnitPlan};
use domain::instance::{Driven, DriverFault, Site};

use super::SimulatedInstances;

/// As many as a large server has.
const CPUS: u32 = 256;
const RAM_MIB: u32 = 1_048_576;
const DISK_GB: u32 = 4_000;

#[async_trait]
impl HostDriver for SimulatedInstances {
    async fn inspect(&self, site: &Site) -> Driven<Inspection> {
        let cpus = self.conduct().cpus.unwrap_or(CPUS);
        self.on(site, |_| {
            Ok(Inspection {
                system: "Simulated Linux".to_owned(),
                cpus: (0..cpus).collect(),
                ram_mib: RAM_MIB,
                disk_gb: DISK_GB,
                limits: Limits::Systemd,
            })
        })
        .await
    }

    async fn prepare(&self, site: &Site) -> Driven<()> {
        self.on(site, |host| {
            host.is_prepared = true;
            Ok(())
        })
        .await
    }

    async fn make_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()> {
        self.on(site, |host| {
            if !host.is_prepared {
                return Err(DriverFault::Failed("the simulated host is not prepared".to_owned()));
            }
            host.units.insert(unit.username.clone(), unit.clone());
            Ok(())
        })
        .await
    }

    async fn remove_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()> {
        self.on(site, |host| {
            host.units.remove(&unit.username);
            Ok(())
        })
        .await
    }

    async fn restore(&self, site: &Site) -> Driven<()> {
        self.on(site, |host| {
            host.units.clear();
            host.is_prepared = false;
            Ok(())
        })
        .await
    }
}
