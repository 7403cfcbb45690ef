//! `berth serve` and `berth worker`.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::rt;
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
const TIDY_EVERY: Duration = Duration::from_secs(60);

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
    info!(%address, "berth is serving");
    let (stop, stopping) = watch::channel(false);
    let worker = config.worker.then(|| rt::spawn(worker::run(app.clone(), stopping)));
    rt::spawn(async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            app.limits.tidy();
        }
    });
    let server = rt::spawn(server);

    wait_for_signal().await?;
    info!("stopping: no new connections, running requests may finish");
    stop.send_replace(true);
    stopper.stop().await;
    server.await??;
    if let Some(worker) = worker {
        finish(worker).await;
    }
    info!("stopped");
    Ok(())
}

/// Does jobs and sweeps until SIGTERM or SIGINT.
pub async fn work(config: &Config) -> Outcome {
    setup::start_log(config)?;
    let app = setup::app(config).await?;
    let (stop, stopping) = watch::channel(false);
    let worker = rt::spawn(worker::run(app, stopping));
    wait_for_signal().await?;
    stop.send_replace(true);
    finish(worker).await;
    Ok(())
}

async fn finish(worker: rt::task::JoinHandle<()>) {
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
