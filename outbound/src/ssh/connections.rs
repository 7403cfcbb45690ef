//! Connections that are kept for a while, one a host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use domain::host::HostId;
use domain::remote::{HostKey, Login, LoginBook};
use russh::client::{Handle, Msg};
use russh::{Channel, Disconnect};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as Turn, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use super::client::{Guest, Refusal, connect};

/// Channels of one connection at once: an SSH server allows ten, unless it is told otherwise.
const MOST_CHANNELS: usize = 8;

/// All of them.
pub struct Connections {
    connect: Duration,
    idle: Duration,
    hosts: Mutex<HashMap<HostId, Arc<Slot>>>,
}

/// A host's place; who is first connects, the others wait.
type Slot = Turn<Option<Arc<Connection>>>;

struct Connection {
    handle: Handle<Guest>,
    /// As whom, with what and where; a digest, as a key is part of it.
    login: [u8; 32],
    shown: HostKey,
    channels: Arc<Semaphore>,
    used_at: Mutex<Instant>,
}

/// A user of a connection, which is not closed meanwhile.
pub struct User {
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for User {
    fn drop(&mut self) {
        *self.connection.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Connections {
    pub fn new(connect: Duration, idle: Duration) -> Self {
        Self { connect, idle, hosts: Mutex::default() }
    }

    /// A channel to a host, on the connection that there is if it still works. That stays open as
    /// long as its user is kept.
    pub async fn channel(
        &self,
        book: &Arc<dyn LoginBook>,
        host_id: HostId,
        login: &Login,
    ) -> Result<(Channel<Msg>, User), Refusal> {
        let slot = self.slot(host_id);
        if let Some(user) = self.kept(&slot, login).await {
            // Nothing was asked for yet: should the connection be dead, another can be made.
            if let Ok(channel) = self.open(&user).await {
                return Ok((channel, user));
            }
            forget(&slot, &user.connection).await;
        }
        let user = self.fresh(&slot, book, host_id, login).await?;
        let channel = self.open(&user).await?;
        Ok((channel, user))
    }

    fn slot(&self, host_id: HostId) -> Arc<Slot> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(host_id).or_default())
    }

    async fn kept(&self, slot: &Slot, login: &Login) -> Option<User> {
        let kept = slot.lock().await.as_ref().filter(|kept| kept.suits(login)).cloned()?;
        user_of(kept).await
    }

    /// The connection that somebody made while we waited for our turn, or a new one.
    async fn fresh(
        &self,
        slot: &Arc<Slot>,
        book: &Arc<dyn LoginBook>,
        host_id: HostId,
        login: &Login,
    ) -> Result<User, Refusal> {
        let mut place = slot.lock().await;
        let kept = place.as_ref().filter(|kept| kept.suits(login)).cloned();
        let connection = if let Some(kept) = kept {
            kept
        } else {
            let late =
                || Refusal::Broken(format!("no log-in within {} s", self.connect.as_secs_f32()));
            let connecting = connect(Arc::clone(book), host_id, login);
            let (handle, shown) = timeout(self.connect, Box::pin(connecting))
                .await
                .unwrap_or_else(|_| Err(late()))?;
            let made = Arc::new(Connection {
                handle,
                login: digest(login),
                shown,
                channels: Arc::new(Semaphore::new(MOST_CHANNELS)),
                used_at: Mutex::new(Instant::now()),
            });
            *place = Some(Arc::clone(&made));
            tokio::spawn(close_when_idle(Arc::downgrade(slot), Arc::downgrade(&made), self.idle));
            made
        };
        drop(place);
        let closed = || Refusal::Broken("the connection was closed".to_owned());
        user_of(connection).await.ok_or_else(closed)
    }

    async fn open(&self, user: &User) -> Result<Channel<Msg>, Refusal> {
        let opening = user.connection.handle.channel_open_session();
        let late = || Refusal::Broken("the host opens no channel".to_owned());
        Ok(timeout(self.connect, opening).await.map_err(|_| late())??)
    }
}

async fn user_of(connection: Arc<Connection>) -> Option<User> {
    let permit = Arc::clone(&connection.channels).acquire_owned().await.ok()?;
    Some(User { connection, _permit: permit })
}

async fn forget(slot: &Slot, connection: &Arc<Connection>) {
    let mut place = slot.lock().await;
    if place.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, connection)) {
        *place = None;
    }
}

/// Ends with the connection.
async fn close_when_idle(slot: Weak<Slot>, connection: Weak<Connection>, idle: Duration) {
    let mut next = Instant::now() + idle;
    loop {
        sleep_until(next).await;
        let (Some(slot), Some(connection)) = (slot.upgrade(), connection.upgrade()) else { return };
        let used_at = *connection.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        next = used_at + idle;
        let is_in_use = connection.channels.available_permits() < MOST_CHANNELS;
        if is_in_use {
            next = Instant::now() + idle;
        } else if connection.handle.is_closed() || next <= Instant::now() {
            forget(&slot, &connection).await;
            // Who took it in the last moment finds it closed, and makes another.
            connection.channels.close();
            let bye = connection.handle.disconnect(Disconnect::ByApplication, "", "en");
            let _closed_or_gone = timeout(Duration::from_secs(1), bye).await;
            return;
        }
    }
}

impl Connection {
    /// Whether it leads where the book says now, by the key that the host is known by now.
    fn suits(&self, login: &Login) -> bool {
        let is_known = login.host_key.as_ref().is_none_or(|known| *known == self.shown);
        !self.handle.is_closed() && is_known && self.login == digest(login)
    }
}

fn digest(login: &Login) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [
        login.address.to_string().as_str(),
        &login.port.to_string(),
        &login.username,
        login.private_key.expose_secret(),
    ] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().into()
}
