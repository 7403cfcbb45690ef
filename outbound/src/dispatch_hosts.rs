//! The driver that cuts a host into compute units, by what the host names.

use std::sync::Arc;

use async_trait::async_trait;
use domain::compute_unit::{HostDriver, Inspection, UnitPlan};
use domain::instance::{Driven, DriverFault, DriverKind, Site};

/// All drivers that cut hosts, as one.
pub struct HostDrivers {
    /// For hosts that are not there.
    pub simulated: Arc<dyn HostDriver>,
    /// For Linux hosts that are reached over SSH.
    pub ssh: Arc<dyn HostDriver>,
}

impl HostDrivers {
    fn of(&self, site: &Site) -> Driven<&dyn HostDriver> {
        match site.driver {
            DriverKind::Simulated => Ok(self.simulated.as_ref()),
            DriverKind::Ssh => Ok(self.ssh.as_ref()),
            DriverKind::Docker => {
                Err(DriverFault::Refused("a docker host is not cut into compute units".to_owned()))
            }
        }
    }
}

#[async_trait]
impl HostDriver for HostDrivers {
    async fn inspect(&self, site: &Site) -> Driven<Inspection> {
        self.of(site)?.inspect(site).await
    }

    async fn prepare(&self, site: &Site) -> Driven<()> {
        self.of(site)?.prepare(site).await
    }

    async fn make_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()> {
        self.of(site)?.make_unit(site, unit).await
    }

    async fn remove_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()> {
        self.of(site)?.remove_unit(site, unit).await
    }

    async fn restore(&self, site: &Site) -> Driven<()> {
        self.of(site)?.restore(site).await
    }
}
