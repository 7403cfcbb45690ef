//! The HTTP server with all its surfaces.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT_ENCODING, AcceptEncoding, Encoding};
use actix_web::middleware::{Compress, Condition, Next, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App as ActixApp, Error, HttpMessage, HttpServer};
use socket2::SockRef;
use tracing::warn;

use super::drain::{self, Requests, Stopper, counted};
use super::request_log;
use crate::app::App;
use crate::{health, kloigos, native, simplepod, trooper, verda};

/// A client that has not sent its headers by then is cut off.
const HEADERS_DEADLINE: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections that each thread serves at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;

/// A server that listens.
pub struct Listening {
    /// Runs until it is stopped.
    pub server: Server,
    /// Stops it.
    pub stopper: Stopper,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Serves all surfaces on a listener that is already bound.
pub fn serve(app: Data<App>, listener: TcpListener, workers: usize) -> std::io::Result<Listening> {
    let address = listener.local_addr()?;
    let refusing = listener.try_clone()?;
    let openapi = Data::new(native::document());
    let requests = Data::new(Requests::default());
    let stall = app.settings.client_deadline;
    let origins = app.settings.cors_origins.clone();
    let counting = requests.clone();
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(app.clone())
            .app_data(openapi.clone())
            .app_data(counting.clone())
            .wrap(from_fn(head_as_get))
            .wrap(Compress::default())
            .wrap(from_fn(uncompressed_if_need_be))
            .wrap(from_fn(request_log))
            .wrap(from_fn(counted))
            .wrap(Condition::new(!origins.is_empty(), cors(&origins)))
            .configure(health::routes)
            .configure(|config| verda::routes(config, &app.settings))
            .configure(|config| simplepod::routes(config, &app.settings))
            .configure(|config| trooper::routes(config, &app.settings))
            .configure(|config| kloigos::routes(config, &app.settings))
            .configure(native::routes)
    })
    .workers(workers)
    .max_connections(MAX_CONNECTIONS)
    .on_connect(move |connection, _| give_up_on_idle_readers(connection, stall))
    .client_request_timeout(HEADERS_DEADLINE)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(drain::DEADLINE.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    let stopper = Stopper { handle: server.handle(), listener: refusing, requests };
    Ok(Listening { server, stopper, address })
}

/// Lets the pages of these origins call from a browser. Credentials are tokens in a header that
/// they set themselves, so no cookie needs to be allowed.
fn cors(origins: &[String]) -> Cors {
    let headers =
        ["authorization", "content-type", "idempotency-key", "x-auth-token", "x-request-id"];
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allowed_headers(headers)
        .expose_any_header()
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// HEAD is answered as GET (RFC 9110, 9.3.2); the connection leaves the body out.
async fn head_as_get(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    next.call(request).await
}

/// A client that takes nothing of its answer in this time is cut off; the system sees to it where it
/// can (Linux).
fn give_up_on_idle_readers(connection: &dyn Any, stall: Duration) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = connection.downcast_ref::<TcpStream>()
        && let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(stall))
    {
        warn!(%error, "a connection has no deadline for its reader");
    }
}

/// Whoever accepts no encoding of ours gets the answer as it is (RFC 9110, 12.5.3); [`Compress`] would
/// refuse with a 406 in no shape of any surface.
async fn uncompressed_if_need_be(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let ours = [Encoding::identity(), Encoding::gzip()];
    let accepted = request.get_header::<AcceptEncoding>();
    if accepted.is_some_and(|accepted| accepted.negotiate(ours.iter()).is_none()) {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    next.call(request).await
}
