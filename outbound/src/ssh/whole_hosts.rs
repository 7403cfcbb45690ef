//! Hosts that are rented as a whole.
//!
//! The renter may become root. Wiping removes the user, what runs in their name, their home and
//! their files where anybody may put some. What they did as root is not undone and not even known:
//! services, other users, changed programs, firmware. Only a reinstallation of the host removes
//! that, and an operator who rents to strangers does one between two of them.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Error;
use domain::host::Host;
use domain::rental::{Driver, DriverError, RentalId, Tenant};

use super::script::Script;
use super::{Ssh, names};

const GRANT: &str = include_str!("scripts/grant.sh");
const SUSPEND: &str = include_str!("scripts/suspend.sh");
const WIPE: &str = include_str!("scripts/wipe.sh");

/// Where `sudo` reads that the renter may become root.
const SUDOERS: &str = "/etc/sudoers.d/berth-renter";

/// Drives hosts for which the book has a login over SSH, and others by the driver behind.
pub struct WholeHosts {
    ssh: Ssh,
    others: Arc<dyn Driver>,
}

impl WholeHosts {
    /// Puts SSH before a driver.
    pub const fn new(ssh: Ssh, others: Arc<dyn Driver>) -> Self {
        Self { ssh, others }
    }

    async fn has_login(&self, host: &Host) -> Result<bool, DriverError> {
        match self.ssh.shared.book.login(host.id).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(fault) => Err(DriverError(format!("the book of logins failed: {fault}"))),
        }
    }

    async fn step(
        &self,
        host: &Host,
        (name, rental_id): (&'static str, RentalId),
        script: Script,
    ) -> Result<(), DriverError> {
        let rental = rental_id.to_string();
        let script = script.with("rental", &rental).with("sudoers", SUDOERS);
        let done = self.ssh.step(host.id, (name, Some(rental)), script).await;
        done.map(drop).map_err(|fault| DriverError(fault.to_string()))
    }
}

#[async_trait]
impl Driver for WholeHosts {
    async fn grant(&self, host: &Host, tenant: &Tenant) -> Result<(), DriverError> {
        if !self.has_login(host).await? {
            return self.others.grant(host, tenant).await;
        }
        let keys = names::keys(&tenant.public_keys);
        let keys = keys.map_err(|fault| DriverError(fault.to_string()))?;
        let script = Script::new(GRANT).with("keys", &keys);
        self.step(host, ("grant", tenant.rental_id), script).await
    }

    async fn suspend(&self, host: &Host, rental_id: RentalId) -> Result<(), DriverError> {
        if !self.has_login(host).await? {
            return self.others.suspend(host, rental_id).await;
        }
        self.step(host, ("suspend", rental_id), Script::new(SUSPEND)).await
    }

    async fn wipe(&self, host: &Host, rental_id: RentalId) -> Result<(), DriverError> {
        if !self.has_login(host).await? {
            return self.others.wipe(host, rental_id).await;
        }
        self.step(host, ("wipe", rental_id), Script::new(WIPE)).await
    }
}
