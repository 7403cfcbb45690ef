//! A running Berth.

use std::net::TcpListener;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use api::app::{
    App, Cards, KloigosSettings, Settings, SimplePodSettings, TrooperSettings, VerdaSettings,
};
use api::auth::{
    AccessTokens, Argon2Passwords, ClientTokens, HmacSigner, Limits, LimitsConfig, SealingVault,
};
use api::http::{Kept, Listening, serve};
use api::system::SystemRandom;
use chrono::Duration;
use domain::capacity::Placement;
use domain::clock::Clock;
use domain::compute_unit::UnitPolicy;
use domain::gpu_offer::MarketIndex;
use domain::instance::{DriverKind, InstancePolicy};
use domain::job::{self, Taking};
use domain::meter::FundsPolicy;
use domain::money::Money;
use domain::payment::PaymentPolicy;
use domain::remote::{IdentityName, KeyMeans, LoginDefaults};
use domain::rental::{Driver, RentalPolicy};
use domain::store::Store;
use domain::volume::VolumeType;
use outbound::simulated::{Behaviour, Simulated};
use outbound::simulated_instances::{Conduct, SimulatedInstances};
use outbound::ssh::identity::OpenSshKeys;
use outbound::stripe::Events;
use persistence::Database;
use secrecy::SecretSlice;

use crate::cards::{ScriptedCards, WEBHOOK_SECRET};
use crate::clock::SteppedClock;
use crate::database::{Kind, TestDatabase};
use crate::door::Client;
use crate::invariants;

/// A running Berth on a database of its own, with a clock that stands still. Jobs and sweeps run
/// when a test says so.
pub struct TestApp {
    /// The parts.
    pub app: Data<App>,
    /// The time.
    pub clock: Arc<SteppedClock>,
    /// What reaches the hosts.
    pub driver: Arc<Simulated>,
    /// What makes instances.
    pub instances: Arc<SimulatedInstances>,
    /// Who takes cards.
    pub cards: Arc<ScriptedCards>,
    /// The database.
    pub database: TestDatabase,
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub address: String,
    store: Arc<Database>,
    options: Options,
    is_tampered_with: AtomicBool,
    http: reqwest::Client,
    handle: ServerHandle,
    others: Mutex<Vec<(ServerHandle, Arc<Database>)>>,
}

/// What a test may want otherwise.
#[allow(clippy::struct_excessive_bools, reason = "each switches one thing, and tests name them")]
#[derive(Clone, Copy)]
pub struct Options {
    /// Limits on guessing; practically none by default.
    pub limits: LimitsConfig,
    /// How the hosts behave.
    pub hosts: Behaviour,
    /// The operator's terms; everything is given back of unused days by default.
    pub policy: RentalPolicy,
    /// Whether one can pay by card.
    pub cards: bool,
    /// Whether the surfaces of other marketplaces' clients are there.
    pub others: bool,
    /// Whether Kloigos's asks nobody who they are.
    pub open: bool,
    /// Whether what is not known counts as given back there.
    pub lenient: bool,
}

impl Default for Options {
    fn default() -> Self {
        let many = NonZeroU32::new(1_000_000).unwrap();
        let limits = LimitsConfig { per_address: many, per_account: many };
        let policy = RentalPolicy { early_end_fee_bp: 0, ready_within: Duration::hours(1) };
        Self {
            limits,
            hosts: Behaviour::default(),
            policy,
            cards: true,
            others: true,
            open: false,
            lenient: false,
        }
    }
}

impl TestApp {
    /// Starts on a new database.
    pub async fn start(kind: Kind) -> Self {
        Self::start_with(kind, Options::default()).await
    }

    /// Starts on a new database, with other options.
    pub async fn start_with(kind: Kind, options: Options) -> Self {
        // Faults of ours show beside the test that met them; a second test finds it started.
        let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter("warn");
        log.try_init().unwrap_or(());
        let database = TestDatabase::create(kind).await;
        let store = Arc::new(persistence::connect(&database.url, 16).await.unwrap());
        store.migrate(&database.url).await.unwrap();
        let clock = Arc::new(SteppedClock::default());
        let driver = Arc::new(Simulated::new(options.hosts));
        let conduct = Conduct { remembers: true, ..Conduct::default() };
        let instances = Arc::new(SimulatedInstances::new(conduct));
        let cards = Arc::new(ScriptedCards::default());
        let payments = options.cards.then(|| Cards {
            provider: cards.clone(),
            events: Arc::new(Events::new(WEBHOOK_SECRET.into())),
        });
        let as_clock: Arc<dyn Clock> = clock.clone();
        let as_driver: Arc<dyn Driver> = driver.clone();
        let parts = (as_clock, as_driver, instances.clone());
        let app = assembled(store.clone(), parts, payments, options);
        let (address, handle) = served(&app);
        let http = reqwest::Client::builder().timeout(StdDuration::from_mins(1)).build().unwrap();
        let is_tampered_with = AtomicBool::new(false);
        Self {
            app,
            clock,
            driver,
            instances,
            cards,
            database,
            address,
            store,
            options,
            is_tampered_with,
            http,
            handle,
            others: Mutex::default(),
        }
    }

    /// Starts another server on the same database, with the same clock and hosts; answers where it
    /// listens.
    pub async fn another_server(&self) -> String {
        let store = Arc::new(persistence::connect(&self.database.url, 16).await.unwrap());
        let parts: Parts = (self.clock.clone(), self.driver.clone(), self.instances.clone());
        let app = assembled(store.clone(), parts, self.app.cards.clone(), self.options);
        let (address, handle) = served(&app);
        self.others.lock().unwrap().push((handle, store));
        address
    }

    /// A client that is not signed in.
    pub fn stranger(&self) -> Client {
        Client::new(self.http.clone(), self.address.clone())
    }

    /// Does all jobs that may run now.
    pub async fn do_jobs(&self) {
        while job::run_next(self.app.job_context(), Taking::All).await.unwrap() {}
    }

    /// Lets the sweeps run that time makes necessary, then the jobs that it scheduled.
    pub async fn sweep(&self) {
        api::worker::move_on(&self.app).await.unwrap();
        self.do_jobs().await;
    }

    /// Lets the sweeps run, and no job: no server becomes ready, none is wiped.
    pub async fn sweep_without_jobs(&self) {
        api::worker::move_on(&self.app).await.unwrap();
    }

    /// Lets the sweeps of payments run.
    pub async fn settle(&self) {
        api::worker::settle(&self.app).await.unwrap();
    }

    /// Lets days pass, without any sweep.
    pub fn days_pass(&self, days: i64) {
        self.clock.advance(Duration::days(days));
    }

    /// Says that a test leaves a ledger behind that is not whole.
    pub fn tamper(&self) {
        self.is_tampered_with.store(true, Ordering::Relaxed);
    }

    /// Checks the invariants, stops, and removes the database.
    pub async fn finish(self) {
        invariants::check(&self.database).await;
        if !self.is_tampered_with.load(Ordering::Relaxed) {
            let seen = domain::wallet::verify(self.store.as_ref()).await.unwrap();
            assert_eq!(seen.discrepancy, None);
        }
        for (handle, store) in self.others.into_inner().unwrap() {
            handle.stop(false).await;
            store.close().await;
        }
        self.handle.stop(false).await;
        self.store.close().await;
        drop(self.app);
        self.database.remove().await;
    }
}

/// Clock and hosts, which all servers on a database share.
type Parts = (Arc<dyn Clock>, Arc<dyn Driver>, Arc<SimulatedInstances>);

fn assembled(
    store: Arc<Database>,
    (clock, driver, instances): Parts,
    cards: Option<Cards>,
    options: Options,
) -> Data<App> {
    let key = SecretSlice::from(vec![7; 32]);
    Data::new(App {
        store,
        limits: Limits::new(options.limits, &clock),
        clock,
        manual_clock: None,
        random: Arc::new(SystemRandom),
        passwords: Arc::new(Argon2Passwords::default()),
        signer: Arc::new(HmacSigner::new(&key).unwrap()),
        vault: Arc::new(SealingVault::new(&key, Arc::new(SystemRandom)).unwrap()),
        driver,
        hosts: instances.clone(),
        keys: KeyMeans {
            pairs: Arc::new(OpenSshKeys { random: Arc::new(SystemRandom) }),
            vault: Arc::new(SealingVault::new(&key, Arc::new(SystemRandom)).unwrap()),
        },
        instances,
        cards,
        market: MarketIndex::default(),
        offers: Kept::default(),
        blibs: Kept::default(),
        access_tokens: AccessTokens::new(&key, Duration::minutes(15)),
        client_tokens: ClientTokens::new(&key, (Duration::hours(1), Duration::days(30))),
        settings: configured(options),
    })
}

/// Lets it listen; answers where.
fn served(app: &Data<App>) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let Listening { server, address, .. } = serve(app.clone(), listener, 2).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    (format!("http://{address}"), handle)
}

fn configured(options: Options) -> Settings {
    let mut settings = Settings { rental_policy: options.policy, ..settings() };
    if let Some(kloigos) = &mut settings.kloigos {
        (kloigos.is_open, kloigos.is_lenient) = (options.open, options.lenient);
    }
    if options.others {
        return settings;
    }
    Settings { verda: None, simplepod: None, trooper: None, kloigos: None, ..settings }
}

fn settings() -> Settings {
    Settings {
        currency: "USD".to_owned(),
        refresh_lifetime: Duration::days(30),
        invitation_lifetime: Duration::days(14),
        rental_policy: Options::default().policy,
        payment_policy: PaymentPolicy {
            minimum: Money::from_cents(500).unwrap(),
            maximum: Money::from_cents(500_000).unwrap(),
        },
        instance_policy: InstancePolicy {
            placement: Placement::BestFit,
            spot_notice: Duration::minutes(2),
            stage_within: Duration::minutes(10),
            funds: FundsPolicy {
                warn_ahead: Duration::hours(24),
                retention: Duration::hours(72),
                hours_covered: 1,
            },
            volume_types: vec![VolumeType {
                name: "NVMe".to_owned(),
                price_per_gb: Money::from_cents(20).unwrap(),
            }],
            compute_units: UnitPolicy { allocated_within: Duration::seconds(8) },
        },
        quote_lifetime: Duration::minutes(15),
        payout_minimum: Money::from_cents(5_000).unwrap(),
        cors_origins: vec!["https://front.example".to_owned()],
        trusted_proxies: Vec::new(),
        client_deadline: StdDuration::from_secs(2),
        verda: Some(VerdaSettings {
            host: None,
            requests_per_minute: 500,
            requests_per_minute_and_endpoint: 60,
            cluster_nodes: vec![2, 4],
        }),
        simplepod: Some(SimplePodSettings { host: Some("simplepod.example".to_owned()) }),
        trooper: Some(TrooperSettings { host: Some("trooper.example".to_owned()), image: None }),
        kloigos: Some(KloigosSettings {
            host: Some("kloigos.example".to_owned()),
            is_open: false,
            driver: DriverKind::Simulated,
            logins: LoginDefaults {
                port: 22,
                username: "root".to_owned(),
                identity: IdentityName::from_stored("default".to_owned()),
            },
            is_lenient: false,
        }),
    }
}
