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

/// How soon a full house is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// All of them.
pub struct Connections {
    connect: Duration,
    idle: Duration,
    /// One for each connection that there may be.
    places: Arc<Semaphore>,
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
    _place: OwnedSemaphorePermit,
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
    /// At most so many connections, which must be as many as are used at once.
    pub fn new(most: usize, connect: Duration, idle: Duration) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self { connect, idle, places, hosts: Mutex::default() }
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
        let closed = || Refusal::Broken("the connection was closed".to_owned());
        loop {
            let mut kept = slot.lock().await;
            if let Some(connection) = kept.take_if(|kept| kept.suits(login)) {
                *kept = Some(Arc::clone(&connection));
                drop(kept);
                if let Some(user) = user_of(connection).await {
                    return Ok(user);
                }
                // It made way for another meanwhile.
                continue;
            }
            // What leads elsewhere takes no place.
            *kept = None;
            let place = self.place().await.ok_or_else(closed)?;
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
                _place: place,
            });
            // In use before anybody sees it, so that it is not closed at once.
            let user = user_of(Arc::clone(&made)).await.ok_or_else(closed)?;
            tokio::spawn(close_when_idle(Arc::downgrade(slot), Arc::downgrade(&made), self.idle));
            *kept = Some(made);
            return Ok(user);
        }
    }

    /// A place for a connection: where there is none, that of the one which nobody has needed for longest.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Some(place);
            }
            if let Some(connection) = self.longest_idle() {
                connection.say_goodbye().await;
                continue;
            }
            let waiting = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = timeout(LOOK_AGAIN, waiting).await {
                return place.ok();
            }
        }
    }

    /// Takes the connection that nobody has needed for longest from its host, for good.
    fn longest_idle(&self) -> Option<Arc<Connection>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |slot: &&Arc<Slot>| {
            let kept = slot.try_lock().ok()?;
            kept.as_ref().filter(|kept| !kept.is_in_use()).map(|kept| kept.used_at())
        };
        let slot = hosts.values().filter_map(|slot| Some((idle(&slot)?, slot)));
        let (_, slot) = slot.min_by_key(|(used_at, _)| *used_at)?;
        slot.try_lock().ok()?.take_if(|kept| kept.retire())
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
        let now = Instant::now();
        next = connection.used_at() + idle;
        if next > now && !connection.handle.is_closed() {
            continue;
        }
        let mut kept = slot.lock().await;
        if connection.retire() {
            kept.take_if(|kept| Arc::ptr_eq(kept, &connection));
            drop(kept);
            connection.say_goodbye().await;
            return;
        }
        next = now + idle;
    }
}

impl Connection {
    /// Whether it leads where the book says now, by the key that the host is known by now.
    fn suits(&self, login: &Login) -> bool {
        let is_known = login.host_key.as_ref().is_none_or(|known| *known == self.shown);
        !self.handle.is_closed() && is_known && self.login == digest(login)
    }

    fn is_in_use(&self) -> bool {
        self.channels.available_permits() < MOST_CHANNELS
    }

    fn used_at(&self) -> Instant {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nobody use it from now on, unless somebody does; whether that is so.
    fn retire(&self) -> bool {
        let all = u32::try_from(MOST_CHANNELS).unwrap_or(u32::MAX);
        let Ok(_channels) = self.channels.try_acquire_many(all) else { return false };
        // Who took it in the last moment finds it closed, and makes another.
        self.channels.close();
        true
    }

    async fn say_goodbye(&self) {
        let bye = self.handle.disconnect(Disconnect::ByApplication, "", "en");
        let _closed_or_gone = timeout(Duration::from_secs(1), bye).await;
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
