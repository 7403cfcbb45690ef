//! A driver without hosts: it remembers what it was asked for, and can fail on purpose. The demo runs
//! on it, and so do the tests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::host::Host;
use domain::rental::{Access, Driver, DriverError, RentalId, Tenant};

/// How the simulated hosts behave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviour {
    /// How long every call takes.
    pub delay: Duration,
    /// The call, counted from 1, that fails; later ones work again.
    pub fail_call: Option<u64>,
}

/// The simulated driver.
#[derive(Default)]
pub struct Simulated {
    behaviour: Behaviour,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    access: HashMap<RentalId, Access>,
}

impl Simulated {
    /// With the behaviour given.
    pub fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, state: Mutex::default() }
    }

    /// What the rental's renter can reach, as far as the hosts know.
    pub fn access(&self, rental_id: RentalId) -> Option<Access> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.access.get(&rental_id).copied()
    }

    async fn reach(&self, rental_id: RentalId, access: Access) -> Result<(), DriverError> {
        tokio::time::sleep(self.behaviour.delay).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls += 1;
        if self.behaviour.fail_call == Some(state.calls) {
            return Err(DriverError(format!("the simulated host failed on call {}", state.calls)));
        }
        match access {
            // A wiped host remembers nothing, so that the map does not grow for ever.
            Access::Wiped => state.access.remove(&rental_id),
            access => state.access.insert(rental_id, access),
        };
        Ok(())
    }
}

#[async_trait]
impl Driver for Simulated {
    async fn grant(&self, _host: &Host, tenant: &Tenant) -> Result<(), DriverError> {
        self.reach(tenant.rental_id, Access::Granted).await
    }

    async fn suspend(&self, _host: &Host, rental_id: RentalId) -> Result<(), DriverError> {
        self.reach(rental_id, Access::Suspended).await
    }

    async fn wipe(&self, _host: &Host, rental_id: RentalId) -> Result<(), DriverError> {
        self.reach(rental_id, Access::Wiped).await
    }
}
