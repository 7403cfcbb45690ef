//! Disks that are being carried between hosts. That takes longer than a job may, so that it goes on in the
//! background of this process and ends with it; what was cut short is begun anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::host::HostId;
use domain::instance::{Copying, Driven, DriverFault, InstanceId};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::carry::Way;

/// The most at once; others wait for their turn.
const MOST: usize = 4;
/// How long one may take.
const CARRY: Duration = Duration::from_hours(4);

/// Where to, and for which instance.
pub type Target = (HostId, InstanceId);

/// All that this process carries.
pub struct Carrying {
    tasks: Mutex<HashMap<Target, Task>>,
    turns: Arc<Semaphore>,
}

/// Ends when dropped.
struct Task(JoinHandle<Driven<()>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is known of a target.
enum Known {
    Nothing,
    UnderWay,
    Ended(Task),
}

impl Default for Carrying {
    fn default() -> Self {
        Self { tasks: Mutex::default(), turns: Arc::new(Semaphore::new(MOST)) }
    }
}

impl Carrying {
    /// Begins it, or tells how far it is.
    pub async fn ask(&self, target: Target, way: Way) -> Driven<Copying> {
        match self.known(target) {
            Known::UnderWay => return Ok(Copying::UnderWay),
            Known::Ended(mut task) => {
                let ended = (&mut task.0).await;
                ended.map_err(|cut| DriverFault::Failed(format!("carry a disk: {cut}")))??;
            }
            Known::Nothing => {}
        }
        if way.is_done().await? {
            return Ok(Copying::Done);
        }
        way.container().await?;
        let turns = Arc::clone(&self.turns);
        // Of two that ask at once, one begins it.
        let begin = || Task(tokio::spawn(carry(way, turns)));
        self.tasks().entry(target).or_insert_with(begin);
        Ok(Copying::UnderWay)
    }

    /// Ends it, if it is under way.
    pub fn end(&self, target: Target) {
        self.tasks().remove(&target);
    }

    fn known(&self, target: Target) -> Known {
        let mut tasks = self.tasks();
        match tasks.get(&target).map(|task| task.0.is_finished()) {
            Some(false) => Known::UnderWay,
            Some(true) => tasks.remove(&target).map_or(Known::Nothing, Known::Ended),
            None => Known::Nothing,
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Target, Task>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry(way: Way, turns: Arc<Semaphore>) -> Driven<()> {
    let _turn = turns.acquire().await;
    let late = || way.to.failed(&format!("the disk was not carried within {CARRY:?}"));
    tokio::time::timeout(CARRY, way.bring()).await.unwrap_or_else(|_| Err(late()))
}
