//! A bound on how long a driver may take.

use std::time::Duration;

use async_trait::async_trait;
use domain::host::Host;
use domain::rental::{Driver, DriverError, RentalId, Tenant};

/// A driver whose every call ends in time: a call that takes longer is given up and has failed.
pub struct WithDeadline<D> {
    driver: D,
    deadline: Duration,
}

impl<D: Driver> WithDeadline<D> {
    /// Bounds a driver; the deadline must lie well below [`domain::job::LEASE`].
    pub const fn new(driver: D, deadline: Duration) -> Self {
        Self { driver, deadline }
    }

    async fn bounded(
        &self,
        call: impl Future<Output = Result<(), DriverError>> + Send,
    ) -> Result<(), DriverError> {
        let seconds = self.deadline.as_secs_f32();
        let late = || DriverError(format!("the driver did not finish within {seconds} s"));
        tokio::time::timeout(self.deadline, call).await.unwrap_or_else(|_| Err(late()))
    }
}

#[async_trait]
impl<D: Driver> Driver for WithDeadline<D> {
    async fn grant(&self, host: &Host, tenant: &Tenant) -> Result<(), DriverError> {
        self.bounded(self.driver.grant(host, tenant)).await
    }

    async fn suspend(&self, host: &Host, rental_id: RentalId) -> Result<(), DriverError> {
        self.bounded(self.driver.suspend(host, rental_id)).await
    }

    async fn wipe(&self, host: &Host, rental_id: RentalId) -> Result<(), DriverError> {
        self.bounded(self.driver.wipe(host, rental_id)).await
    }
}
