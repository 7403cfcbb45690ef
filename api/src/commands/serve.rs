//! `berth serve` and `berth worker`.

use std::future::pending;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::task::JoinHandle;
use actix_web::web::Data;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Outcome, setup};
use crate::app::App;
use crate::config::Config;
use crate::http::{Listening, serve};
use crate::worker;

/// A job that has not finished by then is left to the next start.
const WORKER_DEADLINE: Duration = Duration::from_secs(30);

/// How often to forget the limits of those who have not come again.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Serves until SIGTERM or SIGINT.
pub async fn run(config: &Config) -> Outcome {
    setup::start_log(config)?;
    let listener = bind(config)?;
    let app = setup::app(config).await?;
    until_stopped(config, app, listener).await
}

/// Binds the address first, so that a second server on it stops before it touches anything.
pub fn bind(config: &Config) -> Result<TcpListener, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(config.listen).map_err(|error| {
        format!(
            "cannot listen on {}: {error}. Set BERTH__HTTP__LISTEN to a free port",
            config.listen
        )
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves, and does jobs and sweeps beside it, until a signal; then lets both finish.
pub async fn until_stopped(config: &Config, app: Data<App>, listener: TcpListener) -> Outcome {
    let Listening { server, stopper, address } = serve(app.clone(), listener, config.workers)?;
    let store = app.store.clone();
    let (version, database) = (env!("CARGO_PKG_VERSION"), config.database_kind());
    info!(%address, version, database, worker = config.worker, "berth is serving");
    if app.settings.kloigos.as_ref().is_some_and(|kloigos| kloigos.is_open) {
        warn!(%address, "kloigos.auth is none: whoever reaches this address is an operator there");
    }
    let (stop, stopping) = watch::channel(false);
    let mut worker = config.worker.then(|| rt::spawn(worker::run(app.clone(), stopping)));
    rt::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            app.limits.tidy();
        }
    });
    let server = rt::spawn(server);

    let crashed = wait_for_signal_or(worker.as_mut()).await?;
    info!("stopping: no new connections, running requests may finish");
    stop.send_replace(true);
    stopper.stop().await;
    server.await??;
    if let Some(worker) = worker.filter(|_| !crashed) {
        finish(worker).await;
    }
    // SQLite puts its write-ahead log back into the file.
    store.close().await;
    ended(crashed)
}

/// Does jobs and sweeps until SIGTERM or SIGINT.
pub async fn work(config: &Config) -> Outcome {
    setup::start_log(config)?;
    if config.is_clock_manual {
        return Err("with clock = manual only the server itself knows the time; let it work".into());
    }
    let app = setup::app(config).await?;
    let store = app.store.clone();
    let (stop, stopping) = watch::channel(false);
    let mut worker = rt::spawn(worker::run(app, stopping));
    let crashed = wait_for_signal_or(Some(&mut worker)).await?;
    stop.send_replace(true);
    if !crashed {
        finish(worker).await;
    }
    store.close().await;
    ended(crashed)
}

/// Waits for a signal, or for a worker that ends by itself, which only a fault of ours does; answers
/// whether it was that. The process then ends too, so that whoever watches over it starts it anew.
async fn wait_for_signal_or(worker: Option<&mut JoinHandle<()>>) -> std::io::Result<bool> {
    let worker_ended = async {
        match worker {
            Some(worker) => worker.await.unwrap_or(()),
            None => pending().await,
        }
    };
    tokio::select! {
        signal = wait_for_signal() => signal.map(|()| false),
        () = worker_ended => Ok(true),
    }
}

fn ended(crashed: bool) -> Outcome {
    if crashed {
        return Err("the worker ended by itself; the log says why".into());
    }
    info!("stopped");
    Ok(())
}

async fn finish(worker: JoinHandle<()>) {
    if tokio::time::timeout(WORKER_DEADLINE, worker).await.is_err() {
        warn!("a job did not finish in time; the next start does it again");
    }
}

async fn wait_for_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
