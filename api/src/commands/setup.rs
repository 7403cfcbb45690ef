//! Puts the parts of a running Berth together.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use domain::clock::Clock;
use domain::event::EventFilter;
use domain::gpu_offer::MarketIndex;
use domain::page::Page;
use domain::remote::{KeptLogins, KeyMeans};
use domain::store::Store;
use domain::vault::Vault;
use outbound::deadline::WithDeadline;
use outbound::dispatch::Drivers;
use outbound::dispatch_hosts::HostDrivers;
use outbound::docker::Docker;
use outbound::simulated::Simulated;
use outbound::simulated_instances::SimulatedInstances;
use outbound::ssh::identity::OpenSshKeys;
use outbound::ssh::{Ssh, SshSettings, WholeHosts};
use outbound::stripe::{Events, Stripe, takes};
use persistence::Database;
use tracing_subscriber::EnvFilter;

use super::Outcome;
use crate::app::{App, Cards};
use crate::auth::{AccessTokens, Argon2Passwords, ClientTokens, HmacSigner, Limits, SealingVault};
use crate::config::{Config, SshConfig, StripeConfig, signing_key};
use crate::http::Kept;
use crate::rehearsal::ManualClock;
use crate::system::{SystemClock, SystemRandom};

/// The longest that preparing or wiping a host may take.
const DRIVER_DEADLINE: Duration = Duration::from_mins(2);

/// Starts the log. Lines go to standard error, so that commands can print to standard output.
pub fn start_log(config: &Config) -> Outcome {
    let filter = EnvFilter::try_new(&config.log_filter)?;
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    let log = log.with_writer(std::io::stderr);
    let started = if config.log_json { log.json().try_init() } else { log.try_init() };
    started.map_err(|error| error.to_string().into())
}

/// Opens the database and brings its schema up to date.
pub async fn database(config: &Config) -> Result<Database, Box<dyn std::error::Error>> {
    let url = &config.database_url;
    let database = persistence::connect(url, config.max_connections).await?;
    database.migrate(url).await?;
    let currency = &config.settings.currency;
    let first = database.fixed_setting("currency", currency).await?;
    if first != *currency {
        let advice = "amounts are not converted, so set BERTH__CURRENCY to that";
        return Err(format!("the database's currency is {first}, not {currency}; {advice}").into());
    }
    let clock = if config.is_clock_manual { "manual" } else { "system" };
    let first = database.fixed_setting("clock", clock).await?;
    if first != clock {
        let advice = "its time and ours do not fit together, so set BERTH__CLOCK to that";
        return Err(format!("the database was begun with clock = {first}; {advice}").into());
    }
    Ok(database)
}

/// The machine's clock, or the one of the rehearsal in this database.
pub async fn clock(
    config: &Config,
    database: &Database,
) -> Result<Arc<dyn Clock>, Box<dyn std::error::Error>> {
    Ok(match manual_clock(config, database).await? {
        Some(clock) => clock,
        None => Arc::new(SystemClock),
    })
}

async fn manual_clock(
    config: &Config,
    database: &Database,
) -> domain::Result<Option<Arc<ManualClock>>> {
    if !config.is_clock_manual {
        return Ok(None);
    }
    let newest = Page { after: None, limit: Some(1) };
    let newest = database.reads().events(&EventFilter::default(), &newest).await?;
    let newest = newest.first().map(|event| event.at);
    Ok(Some(Arc::new(ManualClock::after(Arc::new(SystemClock), newest))))
}

/// `berth migrate`.
pub async fn migrate(config: &Config) -> Outcome {
    database(config).await?;
    say!("The database's schema is up to date.");
    Ok(())
}

/// Everything, with the machine's clock and the simulated driver.
pub async fn app(config: &Config) -> Result<Data<App>, Box<dyn std::error::Error>> {
    let database = database(config).await?;
    database.optimize().await?;
    let random = Arc::new(SystemRandom);
    let key = match &config.signing_key {
        Some(key) => key.clone(),
        None => signing_key(&config.data_dir, random.as_ref())
            .map_err(|error| format!("the signing key cannot be kept: {error}"))?,
    };
    let manual_clock = manual_clock(config, &database).await?;
    let clock: Arc<dyn Clock> = match &manual_clock {
        Some(clock) => clock.clone(),
        None => Arc::new(SystemClock),
    };
    let store: Arc<dyn Store> = Arc::new(database);
    let vault: Arc<dyn Vault> = Arc::new(SealingVault::new(&key, random.clone())?);
    let pairs = Arc::new(OpenSshKeys { random: random.clone() });
    let book = KeptLogins {
        store: store.clone(),
        vault: vault.clone(),
        clock: clock.clone(),
        random: random.clone(),
    };
    let ssh = over_ssh(config, book);
    let whole_hosts = WholeHosts::new(ssh.clone(), Arc::new(Simulated::default()));
    let simulated = Arc::new(SimulatedInstances::default());
    Ok(Data::new(App {
        store,
        limits: Limits::new(config.limits, &clock),
        clock,
        manual_clock,
        random,
        passwords: Arc::new(Argon2Passwords::default()),
        signer: Arc::new(HmacSigner::new(&key)?),
        keys: KeyMeans { pairs, vault: vault.clone() },
        vault,
        driver: Arc::new(WithDeadline::new(whole_hosts, DRIVER_DEADLINE)),
        hosts: Arc::new(HostDrivers { simulated: simulated.clone(), ssh: Arc::new(ssh.clone()) }),
        instances: Arc::new(Drivers {
            simulated,
            docker: Arc::new(Docker::new(config.deployment.clone())),
            ssh: Arc::new(ssh),
        }),
        cards: config
            .stripe
            .as_ref()
            .map(|stripe| cards(stripe, &config.settings.currency))
            .transpose()?,
        market: MarketIndex::default(),
        offers: Kept::default(),
        blibs: Kept::default(),
        access_tokens: AccessTokens::new(&key, config.access_lifetime),
        client_tokens: ClientTokens::new(
            &key,
            (config.client_access_lifetime, config.settings.refresh_lifetime),
        ),
        settings: config.settings.clone(),
    }))
}

/// What reaches hosts over SSH.
fn over_ssh(config: &Config, book: KeptLogins) -> Ssh {
    let SshConfig { most_connections, requires_limits } = config.ssh;
    let settings = SshSettings { most_connections, requires_limits, ..SshSettings::default() };
    Ssh::new(Arc::new(book), settings)
}

fn cards(config: &StripeConfig, currency: &str) -> Result<Cards, Box<dyn std::error::Error>> {
    if !takes(currency) {
        let advice = "leave payments.stripe.secret_key out";
        return Err(format!("Stripe does not count {currency} in hundredths; {advice}").into());
    }
    let provider = Stripe::new(&config.base_url, config.secret_key.clone(), currency)?;
    let events = Events::new(config.webhook_secret.clone());
    Ok(Cards { provider: Arc::new(provider), events: Arc::new(events) })
}
