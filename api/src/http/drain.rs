//! Stopping without cutting off a request.

use std::net::{Shutdown, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::web::Data;
use socket2::SockRef;
use tokio::time::{Instant, sleep};

/// How long running requests may take once the server is asked to stop.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
/// How often to look whether requests still run.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The requests that are being answered.
#[derive(Default)]
pub struct Requests {
    running: AtomicUsize,
    last: AtomicBool,
}

/// Counts a request until it is answered or its client is gone.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn begin(running: &'a AtomicUsize) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts the request, and ends its connection if the server is about to stop.
pub async fn counted(
    requests: Data<Requests>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let _running = Running::begin(&requests.running);
    let mut answered = next.call(request).await?;
    if requests.last.load(Ordering::SeqCst) {
        answered.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answered)
}

/// Stops the server.
///
/// A worker thread of Actix that has nothing to do stops at once, and with it the runtime that serves
/// the database connections which it once opened, also those that a request on another thread uses
/// now. So the threads are stopped only when no request runs any more.
pub struct Stopper {
    pub(super) handle: ServerHandle,
    pub(super) listener: TcpListener,
    pub(super) requests: Data<Requests>,
}

impl Stopper {
    /// Refuses new connections, lets running requests finish, and stops.
    pub async fn stop(self) {
        self.handle.pause().await;
        // Otherwise connections that nobody will serve would still be accepted into the backlog. Not
        // every system can; there they are reset at the end.
        SockRef::from(&self.listener).shutdown(Shutdown::Both).unwrap_or_default();
        self.requests.last.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + DEADLINE;
        while self.requests.running.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        self.handle.stop(true).await;
    }
}
