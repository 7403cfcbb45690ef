//! What every request handler and sweep works with.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::Duration;
use domain::Result;
use domain::clock::{Clock, Random, Timestamp};
use domain::compute_unit::HostDriver;
use domain::gpu_offer::MarketIndex;
use domain::image::ImageCode;
use domain::instance::{self, DriverKind, EditInstance, Instance, InstanceDriver, InstancePolicy};
use domain::job::JobContext;
use domain::money::Money;
use domain::payment::{EventReader, PaymentContext, PaymentPolicy, PaymentProvider};
use domain::quote::Signer;
use domain::remote::{KeyMeans, LoginDefaults};
use domain::rental::{Driver, RentalPolicy};
use domain::store::Store;
use domain::user::Passwords;
use domain::vault::Vault;
use ipnet::IpNet;

use crate::auth::{AccessTokens, ClientTokens, Limits};
use crate::http::Kept;
use crate::rehearsal::ManualClock;

/// The parts of a running Berth; `commands::setup` and the tests put them together.
pub struct App {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The same clock, if an operator may move it.
    pub manual_clock: Option<Arc<ManualClock>>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Password hashing.
    pub passwords: Arc<dyn Passwords>,
    /// Signs quotes.
    pub signer: Arc<dyn Signer>,
    /// Seals secrets that must be given on.
    pub vault: Arc<dyn Vault>,
    /// What reaches the hosts.
    pub driver: Arc<dyn Driver>,
    /// What makes instances on hosts.
    pub instances: Arc<dyn InstanceDriver>,
    /// What cuts hosts into compute units.
    pub hosts: Arc<dyn HostDriver>,
    /// What makes the keys with which hosts are logged in to.
    pub keys: KeyMeans,
    /// Payments by card, where they are configured.
    pub cards: Option<Cards>,
    /// Access tokens.
    pub access_tokens: AccessTokens,
    /// Tokens of programs with client credentials.
    pub client_tokens: ClientTokens,
    /// Limits on guessing.
    pub limits: Limits,
    /// The graphics processors that are offered, as they are looked for.
    pub market: MarketIndex,
    /// The complete list of offers, as it is sent.
    pub offers: Kept,
    /// The list of Trooper's server models that are for everybody, as it is sent, by the second and the
    /// generation of plans.
    pub blibs: Kept<(u64, u64)>,
    /// What an operator can configure.
    pub settings: Settings,
}

/// Who takes payments by card.
#[derive(Clone)]
pub struct Cards {
    /// What is asked.
    pub provider: Arc<dyn PaymentProvider>,
    /// What it sends by itself.
    pub events: Arc<dyn EventReader>,
}

/// What an operator can configure about the surfaces.
#[derive(Clone, Debug)]
pub struct Settings {
    /// ISO 4217 code of the one currency.
    pub currency: String,
    /// How long a refresh token is good.
    pub refresh_lifetime: Duration,
    /// How long an invitation can be accepted.
    pub invitation_lifetime: Duration,
    /// Terms of rentals that are not a server's own.
    pub rental_policy: RentalPolicy,
    /// Suppliers with less payable are not paid out, unless a run says otherwise.
    pub payout_minimum: Money,
    /// Between which amounts a payment by card lies.
    pub payment_policy: PaymentPolicy,
    /// How instances are placed, charged and given up.
    pub instance_policy: InstancePolicy,
    /// How long a quote holds.
    pub quote_lifetime: Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may call from a browser.
    pub cors_origins: Vec<String>,
    /// The longest that a client may take to send a body, or to take nothing of an answer.
    pub client_deadline: std::time::Duration,
    /// The surface of Verda's clients, unless it is switched off.
    pub verda: Option<VerdaSettings>,
    /// The surface of SimplePod's clients, unless it is switched off.
    pub simplepod: Option<SimplePodSettings>,
    /// The surface of Trooper's clients, unless it is switched off.
    pub trooper: Option<TrooperSettings>,
    /// The surface of Kloigos's clients, unless it is switched off.
    pub kloigos: Option<KloigosSettings>,
}

/// How the surface of Kloigos's clients is configured.
#[derive(Clone, Debug)]
pub struct KloigosSettings {
    /// A host name at which it is mounted as well.
    pub host: Option<String>,
    /// Whether nobody is asked who they are.
    pub is_open: bool,
    /// What cuts the hosts that its operators name.
    pub driver: DriverKind,
    /// How those are logged in to about which nothing else is said.
    pub logins: LoginDefaults,
    /// Whether what is not known counts as done, where it is to be given back.
    pub is_lenient: bool,
}

/// How the surface of Trooper's clients is configured.
#[derive(Clone, Debug)]
pub struct TrooperSettings {
    /// A host name at which it is mounted as well.
    pub host: Option<String>,
    /// The image that servers start with; the first that is offered if none is named.
    pub image: Option<ImageCode>,
}

/// How the surface of SimplePod's clients is configured.
#[derive(Clone, Debug)]
pub struct SimplePodSettings {
    /// A host name at which it is mounted as well.
    pub host: Option<String>,
}

/// How the surface of Verda's clients is configured.
#[derive(Clone, Debug)]
pub struct VerdaSettings {
    /// A host name at which it is mounted as well.
    pub host: Option<String>,
    /// The most requests a minute of one pool.
    pub requests_per_minute: u32,
    /// The most of them with one method and path.
    pub requests_per_minute_and_endpoint: u32,
    /// Of how many instances clusters are sold.
    pub cluster_nodes: Vec<u32>,
}

impl App {
    /// Changes an instance.
    pub async fn edit_instance(&self, request: EditInstance) -> Result<Instance> {
        let (store, clock, random) = (self.store.as_ref(), &*self.clock, &*self.random);
        let policy = &self.settings.instance_policy;
        Box::pin(instance::edit(store, clock, random, policy, request)).await
    }

    /// What ordering instances needs.
    pub fn means(&self) -> (&dyn Random, &dyn Vault) {
        (self.random.as_ref(), self.vault.as_ref())
    }

    /// What doing jobs needs.
    pub fn job_context(&self) -> JobContext<'_> {
        JobContext {
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
            driver: self.driver.as_ref(),
            instances: self.instances.as_ref(),
            hosts: self.hosts.as_ref(),
            policy: &self.settings.instance_policy,
            vault: self.vault.as_ref(),
        }
    }

    /// What working on payments needs, where they are configured.
    pub fn payment_context(&self) -> domain::Result<PaymentContext<'_>> {
        let cards = self.cards.as_ref().ok_or(domain::Error::PaymentsNotConfigured)?;
        Ok(PaymentContext {
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            random: self.random.as_ref(),
            provider: cards.provider.as_ref(),
        })
    }

    /// The time of the world outside, by which others date what they send: the same but in a rehearsal.
    pub fn outside_now(&self) -> Timestamp {
        self.manual_clock.as_ref().map_or_else(|| self.clock.now(), |clock| clock.outside())
    }

    /// Whether a peer's forwarding headers are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.settings.trusted_proxies.iter().any(|network| network.contains(&peer))
    }
}
