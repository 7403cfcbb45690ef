//! Linux hosts that are reached over SSH: cut into compute units, or rented as a whole.
//!
//! Each step is one script for POSIX `sh`, sent over a connection that is kept for a while. What it
//! needs to know stands before it as quoted values; how it went is known by its exit status. A host
//! remembers what is whose in `/var/lib/berth`, a folder of root's, and one step at a time works
//! there.
//!
//! *To add a step*: a file in `scripts/`, and a function here that names it and its values.

mod client;
mod command;
mod connections;
mod hosts;
pub mod identity;
mod instances;
mod names;
mod script;
mod step;
mod tail;
mod whole_hosts;

use std::sync::Arc;
use std::time::Duration;

use domain::remote::LoginBook;
use tokio::sync::Semaphore;

pub use whole_hosts::WholeHosts;

use connections::Connections;

/// How long things may take, and how much at once.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// Until a host has let us in, and until it has taken a command.
    pub connect: Duration,
    /// Until a script has ended.
    pub command: Duration,
    /// All of a step, the wait for its turn included; well below [`domain::job::LEASE`].
    pub step: Duration,
    /// How long a connection is kept that nobody needs.
    pub idle: Duration,
    /// Connections at once, to all hosts together, and steps: one that nobody needs makes way for another.
    pub most_connections: usize,
    /// Whether a host that cannot hold units to their share is refused.
    pub requires_limits: bool,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(30),
            step: Duration::from_secs(90),
            idle: Duration::from_mins(1),
            most_connections: 64,
            requires_limits: true,
        }
    }
}

/// The driver.
#[derive(Clone)]
pub struct Ssh {
    shared: Arc<Shared>,
}

struct Shared {
    book: Arc<dyn LoginBook>,
    settings: SshSettings,
    turns: Semaphore,
    connections: Connections,
}

impl Ssh {
    /// A driver that logs in as the book says. It connects when it is first asked.
    pub fn new(book: Arc<dyn LoginBook>, settings: SshSettings) -> Self {
        let turns = Semaphore::new(settings.most_connections);
        let most = settings.most_connections;
        let connections = Connections::new(most, settings.connect, settings.idle);
        Self { shared: Arc::new(Shared { book, settings, turns, connections }) }
    }
}
