//! Configuration: defaults in code, then a file, then `BERTH__…` environment variables.
//!
//! Unknown keys and bad values are errors, and all of them are told at once. Secrets are never
//! printed.

mod instances;
mod keys;
mod kloigos;
mod payments;
mod read;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use chrono::Duration;
use domain::cluster::MOST_NODES;
use domain::image::ImageCode;
use domain::money::Money;
use domain::rental::RentalPolicy;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use ipnet::IpNet;
use secrecy::SecretSlice;

pub use keys::signing_key;
pub use kloigos::is_private;
pub use payments::StripeConfig;
use read::Reader;

use crate::app::{Settings, SimplePodSettings, TrooperSettings, VerdaSettings};
use crate::auth::LimitsConfig;
use crate::http::network;

/// What an operator can configure. `README.md` lists the keys.
#[derive(Debug)]
pub struct Config {
    /// `database.url`: `sqlite://…` or `postgres://…`.
    pub database_url: String,
    /// `database.max_connections`: of SQLite's readers, or of PostgreSQL's pool.
    pub max_connections: u32,
    /// `data_dir`: where generated keys, and by default the SQLite file, are kept.
    pub data_dir: PathBuf,
    /// `clock`: whether an operator may move the time, for rehearsals.
    pub is_clock_manual: bool,
    /// `http.listen`.
    pub listen: SocketAddr,
    /// `http.workers`: threads that serve requests.
    pub workers: usize,
    /// `worker.enabled`: whether `serve` also does jobs and sweeps.
    pub worker: bool,
    /// `ssh.connections`, `ssh.limits`: how hosts are reached over SSH.
    pub ssh: SshConfig,
    /// `instances.deployment`: what the objects of this Berth are marked with on hosts that several use.
    pub deployment: String,
    /// `auth.access_token_minutes`.
    pub access_lifetime: Duration,
    /// `auth.client_token_minutes`, of programs with client credentials.
    pub client_access_lifetime: Duration,
    /// `auth.signing_key`: hexadecimal, at least 32 bytes; generated in `data_dir` if not given.
    pub signing_key: Option<SecretSlice<u8>>,
    /// `payments.stripe`: without a key, nobody pays by card.
    pub stripe: Option<StripeConfig>,
    /// `limits.attempts_per_minute_and_address`, `limits.attempts_per_minute_and_account`.
    pub limits: LimitsConfig,
    /// `log.filter`, in the syntax of `RUST_LOG`.
    pub log_filter: String,
    /// `log.json`: one JSON object a line.
    pub log_json: bool,
    /// What the surfaces go by.
    pub settings: Settings,
}

/// How hosts are reached over SSH.
#[derive(Clone, Copy, Debug)]
pub struct SshConfig {
    /// Steps at once, on all hosts together.
    pub most_connections: usize,
    /// Whether a host that cannot hold compute units to their share is refused.
    pub requires_limits: bool,
}

/// Every fault of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid:\n  {}", .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Which database, in a word.
    pub fn database_kind(&self) -> &'static str {
        if self.database_url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" }
    }

    /// Reads the file, if one is given, and the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(vec![format!(
                    "{}: there is no such file",
                    file.display()
                )]));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        Self::read(&figment.merge(Env::prefixed("BERTH__").split("__")))
    }

    fn read(figment: &Figment) -> Result<Self, ConfigError> {
        let mut from = Reader::new(figment);
        let data_dir = PathBuf::from(from.text("data_dir", "data"));
        let default_url = format!("sqlite://{}", data_dir.join("berth.sqlite").display());
        let database_url = from.checked("database.url", &default_url, database_url);
        let listen = from.checked("http.listen", "127.0.0.1:8080", |text| {
            text.parse().map_err(|_| "must be host:port, such as 127.0.0.1:8080".to_owned())
        });
        let is_clock_manual = from.checked("clock", "system", |text| match text {
            "system" => Ok(false),
            "manual" => Ok(true),
            _ => Err("must be system or manual".to_owned()),
        });
        let max_connections = from.number("database.max_connections", 16, 1..=1_000);
        let workers = from.number("http.workers", 2, 1..=256);
        let worker = from.flag("worker.enabled", true);
        let ssh = ssh(&mut from);
        let deployment = from.checked("instances.deployment", "berth", deployment);
        let access_minutes = from.number("auth.access_token_minutes", 15, 1..=1_440);
        let client_minutes = from.number("auth.client_token_minutes", 60, 1..=1_440);
        let signing_key = from.secret("auth.signing_key", keys::parse);
        let limits = limits(&mut from);
        let log_filter = from.text("log.filter", "info");
        let log_json = from.flag("log.json", false);
        let settings = settings(&mut from);
        kloigos::check(&mut from, settings.as_ref(), listen);
        let stripe = payments::stripe(&mut from);
        if is_clock_manual == Some(true) && stripe.as_ref().is_some_and(StripeConfig::is_real) {
            from.fault("clock", "is never manual where real money is paid: take a sk_test_ key");
        }
        from.finish(|| {
            Some(Self {
                database_url: database_url?,
                max_connections,
                data_dir,
                is_clock_manual: is_clock_manual?,
                listen: listen?,
                workers: usize::try_from(workers).ok()?,
                worker,
                ssh: ssh?,
                deployment: deployment?,
                access_lifetime: Duration::minutes(access_minutes.into()),
                client_access_lifetime: Duration::minutes(client_minutes.into()),
                signing_key,
                stripe,
                limits,
                log_filter,
                log_json,
                settings: settings?,
            })
        })
    }
}

/// How hosts are reached over SSH.
fn ssh(from: &mut Reader<'_>) -> Option<SshConfig> {
    let most_connections = from.number("ssh.connections", 64, 1..=1_000);
    let requires_limits = from.checked("ssh.limits", "required", |text| match text {
        "required" => Ok(true),
        "when_possible" => Ok(false),
        _ => Err("must be required or when_possible".to_owned()),
    });
    let most_connections = usize::try_from(most_connections).ok()?;
    Some(SshConfig { most_connections, requires_limits: requires_limits? })
}

fn limits(from: &mut Reader<'_>) -> LimitsConfig {
    let address = from.number("limits.attempts_per_minute_and_address", 120, 1..=1_000_000);
    let account = from.number("limits.attempts_per_minute_and_account", 10, 1..=1_000_000);
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    LimitsConfig { per_address: at_least_one(address), per_account: at_least_one(account) }
}

fn settings(from: &mut Reader<'_>) -> Option<Settings> {
    let currency = from.checked("currency", "USD", currency);
    let trusted_proxies = from.checked("http.trusted_proxies", "", networks);
    let cors_origins = from.checked("http.cors_origins", "", origins);
    let refresh_days = from.number("auth.refresh_token_days", 30, 1..=3_650);
    let fee_bp = from.checked("rentals.early_end_fee_percent", "0", basis_points);
    let ready_minutes = from.number("rentals.ready_within_minutes", 60, 1..=100_000);
    let quote_minutes = from.number("quotes.valid_minutes", 15, 1..=100_000);
    let payout_minimum = from.checked("payouts.minimum", "50.00", positive_amount);
    let payment_policy = payments::policy(from);
    let instance_policy = instances::policy(from);
    let invitation_days = from.number("pools.invitation_days", 14, 1..=3_650);
    let verda = verda(from);
    let simplepod = simplepod(from);
    let trooper = trooper(from);
    let kloigos = kloigos::surface(from);
    let client_seconds = from.number("http.client_timeout_seconds", 15, 1..=3_600);
    Some(Settings {
        currency: currency?,
        refresh_lifetime: Duration::days(refresh_days.into()),
        invitation_lifetime: Duration::days(invitation_days.into()),
        rental_policy: RentalPolicy {
            early_end_fee_bp: fee_bp?,
            ready_within: Duration::minutes(ready_minutes.into()),
        },
        payout_minimum: payout_minimum?,
        payment_policy: payment_policy?,
        instance_policy: instance_policy?,
        quote_lifetime: Duration::minutes(quote_minutes.into()),
        trusted_proxies: trusted_proxies?,
        cors_origins: cors_origins?,
        client_deadline: std::time::Duration::from_secs(client_seconds.into()),
        verda: verda?,
        simplepod: simplepod?,
        trooper: trooper?,
        kloigos: kloigos?,
    })
}

/// `None` inside where the surface is switched off.
fn simplepod(from: &mut Reader<'_>) -> Option<Option<SimplePodSettings>> {
    let is_enabled = from.flag("simplepod.enabled", true);
    let host = from.checked("simplepod.host", "", host_name)?;
    Some(is_enabled.then_some(SimplePodSettings { host }))
}

/// `None` inside where the surface is switched off.
fn trooper(from: &mut Reader<'_>) -> Option<Option<TrooperSettings>> {
    let is_enabled = from.flag("trooper.enabled", true);
    let host = from.checked("trooper.host", "", host_name);
    let image = from.checked("trooper.image", "", image_code);
    let (host, image) = (host?, image?);
    Some(is_enabled.then_some(TrooperSettings { host, image }))
}

/// `None` inside where the surface is switched off.
fn verda(from: &mut Reader<'_>) -> Option<Option<VerdaSettings>> {
    let is_enabled = from.flag("verda.enabled", true);
    let host = from.checked("verda.host", "", host_name);
    let requests_per_minute = from.number("verda.requests_per_minute", 500, 1..=1_000_000);
    let of_endpoint = from.number("verda.requests_per_minute_and_endpoint", 60, 1..=1_000_000);
    let cluster_nodes = from.checked("verda.cluster_nodes", "2,4,8", cluster_nodes);
    let (host, cluster_nodes) = (host?, cluster_nodes?);
    Some(is_enabled.then_some(VerdaSettings {
        host,
        requests_per_minute,
        requests_per_minute_and_endpoint: of_endpoint,
        cluster_nodes,
    }))
}

/// Sizes of clusters by commas; nothing for none.
fn cluster_nodes(text: &str) -> Result<Vec<u32>, String> {
    let size = |item: &str| {
        let number = item.parse().ok().filter(|nodes| (2..=MOST_NODES).contains(nodes));
        number.ok_or_else(|| format!("`{item}` is no number of nodes from 2 to {MOST_NODES}"))
    };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(size).collect()
}

/// A host name without a port; nothing for none.
fn host_name(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let good = text.len() <= 253 && text.bytes().all(plain);
    let advice = || "must be a host name without a port, such as api.example.org".to_owned();
    if good { Ok(Some(text.to_ascii_lowercase())) } else { Err(advice()) }
}

fn image_code(text: &str) -> Result<Option<ImageCode>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    ImageCode::parse(text).map(Some).map_err(str::to_owned)
}

/// A name that Docker takes as the value of a label.
fn deployment(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    let advice = || "must be 1 to 64 of A-Z a-z 0-9 . _ -".to_owned();
    if good { Ok(text.to_owned()) } else { Err(advice()) }
}

fn database_url(text: &str) -> Result<String, String> {
    let known = ["sqlite://", "postgres://", "postgresql://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(text.to_owned())
    } else {
        Err("must begin with sqlite:// or postgres://".to_owned())
    }
}

fn currency(text: &str) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(text.to_owned())
    } else {
        Err("must be an ISO 4217 code such as USD".to_owned())
    }
}

/// A percentage with up to two decimals, in hundredths of a percent.
pub fn basis_points(text: &str) -> Result<u32, String> {
    let amount = Money::parse(text).filter(|amount| amount.is_whole_cents());
    let points = amount.and_then(|amount| u32::try_from(amount.cents_floor()).ok());
    let advice = || "must be a percentage from 0 to 100 with up to two decimals".to_owned();
    points.filter(|points| *points <= 10_000).ok_or_else(advice)
}

fn positive_amount(text: &str) -> Result<Money, String> {
    let positive = |amount: &Money| *amount > Money::ZERO && amount.is_whole_cents();
    let amount = Money::parse(text).filter(positive);
    amount.ok_or_else(|| "must be an amount such as 50.00".to_owned())
}

fn origins(text: &str) -> Result<Vec<String>, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let check = |item: &str| {
        let known = item.starts_with("https://") || item.starts_with("http://");
        let is_origin = known && item.matches('/').count() == 2;
        let fault = || format!("`{item}` is no origin such as https://example.org:8443");
        if is_origin { Ok(item.to_owned()) } else { Err(fault()) }
    };
    items.map(check).collect()
}

fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Config, ConfigError> {
        Config::read(&Figment::from(Toml::string(toml)))
    }

    #[test]
    fn nothing_configured_is_a_server_on_loopback() {
        let config = read("").unwrap();
        assert_eq!(config.database_url, "sqlite://data/berth.sqlite");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn a_surface_is_there_unless_it_is_switched_off() {
        let trooper = |toml| read(toml).unwrap().settings.trooper;
        assert_eq!(trooper("").unwrap().host, None);
        let host = trooper("trooper.host = 'Trooper.example'").unwrap().host;
        assert_eq!(host.as_deref(), Some("trooper.example"));
        assert!(trooper("trooper.enabled = false").is_none());
        let ConfigError(faults) = read("trooper.host = 'https://x'").unwrap_err();
        assert!(faults[0].starts_with("trooper.host: must be a host name"), "{faults:?}");
    }

    #[test]
    fn every_fault_is_told_at_once_and_no_secret() {
        let text = "currency = 'dollars'\nhtpp.listen = 'x'\n[http]\nlisten = 'nowhere'\n\
                    workers = 0\n[auth]\nsigning_key = 'hunter2hunter2'";
        let ConfigError(faults) = read(text).unwrap_err();
        for key in ["currency", "htpp.listen", "http.listen", "http.workers", "auth.signing_key"] {
            assert!(faults.iter().any(|fault| fault.starts_with(key)), "{key}: {faults:?}");
        }
        assert!(!faults.join(" ").contains("hunter2"));
        let keyed = read(&format!("auth.signing_key = '{}'", "ab".repeat(32))).unwrap();
        assert!(!format!("{keyed:?}").contains("abab"));
        let stripe = "payments.stripe.secret_key = 'sk_test_hunter2'";
        let ConfigError(faults) = read(stripe).unwrap_err();
        assert_eq!(faults, ["payments.stripe.webhook_secret: is needed with a key"]);
        let whole = format!("{stripe}\npayments.stripe.webhook_secret = 'whsec_hunter2'");
        let config = read(&whole).unwrap();
        assert_eq!(config.stripe.as_ref().unwrap().base_url, "https://api.stripe.com");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(read(&format!("clock = 'manual'\n{whole}")).is_ok());
        let real = whole.replace("sk_test", "sk_live");
        let ConfigError(faults) = read(&format!("clock = 'manual'\n{real}")).unwrap_err();
        assert!(faults[0].starts_with("clock: is never manual where real money"), "{faults:?}");
    }
}
