//! `berth demo`: serves, and fills an empty database first, so that there is something to look at: servers
//! to rent, plans of instances with simulated hosts, and graphics processors of others.

use domain::fleet::{self, ImportFleet};
use domain::host;
use domain::image::{self, ImageCode, ImageDraft};
use domain::money::Money;
use domain::store::Store;
use domain::user::{self, Email, Operator, Password, SignUp, Username};
use domain::wallet::{self, Book};
use tracing::info;

use super::{Outcome, serve, setup};
use crate::app::App;
use crate::config::Config;
use crate::import::{self, gpu_hosts, instance_types};

/// The same for all three, because the demo is for looking around on loopback.
const PASSWORD: &str = "berth-demo-password";
const OPERATOR: &str = "operator";
const RENTERS: [(&str, &str); 2] = [("alice", "500.00"), ("bob", "250.00")];

/// Code, name, category, details and reference, the one that is proposed first. The codes are those that
/// Verda's clients order.
const IMAGES: [(&str, &str, &str, &[&str], &str); 3] = [
    (
        "ubuntu-24.04",
        "Ubuntu 24.04",
        "ubuntu",
        &["Ubuntu 24.04", "Minimal"],
        "docker.io/library/ubuntu:24.04",
    ),
    (
        "ubuntu-24.04-cuda-12.8-open-docker",
        "Ubuntu 24.04 + CUDA 12.8 Open + Docker",
        "ubuntu",
        &["Ubuntu 24.04", "CUDA 12.8", "Docker"],
        "docker.io/nvidia/cuda:12.8.1-devel-ubuntu24.04",
    ),
    ("debian-12", "Debian 12", "debian", &["Debian 12", "Minimal"], "docker.io/library/debian:12"),
];
/// The ids by which dstack orders an image with CUDA and Docker at Verda.
const OF_DSTACK: [&str; 2] =
    ["2404f580-1300-1111-82b3-f199fb9b701b", "2088da25-bb0d-41cc-a191-dccae45d96fd"];
/// On the disk that comes with every plan of the demo.
const IMAGE_GB: u32 = 20;

/// Fills an empty database, prints a session to paste, and serves.
pub async fn run(config: &Config) -> Outcome {
    setup::start_log(config)?;
    let listener = serve::bind(config)?;
    let app = setup::app(config).await?;
    if app.store.reads().user_count().await? == 0 {
        fill(&app).await?;
    } else {
        info!("the database has users already; the demo adds nothing");
    }
    if app.store.reads().user_to_sign_in(RENTERS[0].0).await?.is_some() {
        print_session(config);
    }
    serve::until_stopped(config, app, listener).await
}

async fn fill(app: &App) -> Outcome {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let drafts = import::demo()?;
    let count = drafts.len();
    host::import(store, clock, random, drafts, false).await?;
    let fleet = ImportFleet { fleet: instance_types::demo()?, dry_run: false };
    let plans = fleet::import(store, clock, random, app.instances.as_ref(), fleet).await?.plans;
    let fleet = ImportFleet { fleet: gpu_hosts::demo()?, dry_run: false };
    fleet::import(store, clock, random, app.instances.as_ref(), fleet).await?;
    put_images(app).await?;
    let passwords = app.passwords.as_ref();
    user::create_operator(store, clock, random, passwords, account(OPERATOR)?).await?;
    for (name, amount) in RENTERS {
        user::sign_up(store, clock, random, passwords, account(name)?).await?;
        deposit(store, app, name, amount).await?;
    }
    info!(servers = count, plans = plans.len(), "filled an empty database with the demo");
    Ok(())
}

async fn put_images(app: &App) -> Outcome {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let mut is_default = true;
    for (code, name, category, details, reference) in IMAGES {
        let draft = ImageDraft {
            code: ImageCode::parse(code)?,
            name: name.to_owned(),
            category: category.to_owned(),
            details: details.iter().map(|detail| (*detail).to_owned()).collect(),
            reference: reference.to_owned(),
            username: "root".to_owned(),
            min_disk_gb: IMAGE_GB,
            aliases: if code.contains("cuda") {
                OF_DSTACK.map(ToOwned::to_owned).to_vec()
            } else {
                Vec::new()
            },
            is_default,
            is_listed: true,
        };
        image::put(store, clock, random, &Operator::Console, draft).await?;
        is_default = false;
    }
    Ok(())
}

async fn deposit(store: &dyn Store, app: &App, name: &str, amount: &str) -> Outcome {
    let request = Book {
        operator: Operator::Console,
        username: name.to_owned(),
        amount: Money::parse(amount).ok_or("the demo's amount is no amount")?,
        reason: "Demo money".to_owned(),
        corrects: None,
        idempotency_key: None,
    };
    wallet::deposit(store, app.clock.as_ref(), app.random.as_ref(), request).await?;
    Ok(())
}

fn account(name: &str) -> Result<SignUp, &'static str> {
    Ok(SignUp {
        username: Username::parse(name)?,
        email: Email::parse(&format!("{name}@example.org"))?,
        password: Password::parse(PASSWORD)?,
        alias: None,
        from: None,
    })
}

/// On standard output, apart from the log.
fn print_session(config: &Config) {
    let ip = config.listen.ip();
    let host = if ip.is_unspecified() { "127.0.0.1".to_owned() } else { ip.to_string() };
    say!(
        r#"
Berth's demo: real servers to rent. Users: {OPERATOR}, alice and bob, who began with money in their
wallets; their password: {PASSWORD}

Paste this into another terminal:

  API=http://{host}:{port}/api/v1
  TOKEN=$(curl -s $API/users/auth/login -H 'Content-Type: application/json' \
    -d '{{"username":"alice","password":"{PASSWORD}"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s "$API/servers/available?country=DE&min_ram_gb=64&disk_types=NVMe&sort=price_per_day&limit=2"; echo
  SERVER=$(curl -s "$API/servers/available?min_ram_gb=64&sort=price_per_day&limit=1" \
    | sed 's/.*"data":\[{{"id":"\([^"]*\)".*/\1/')
  RENTAL=$(curl -s $API/servers/$SERVER/rent -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -H "Idempotency-Key: rent-$SERVER" \
    -d '{{"rental_days":7}}' | sed 's/.*"rental":{{"id":"\([^"]*\)".*/\1/')
  curl -s $API/rentals/$RENTAL -H "Authorization: Bearer $TOKEN"; echo
  curl -s $API/rentals/$RENTAL/extend -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' -d '{{"additional_days":7}}'; echo
  curl -s $API/wallet/transactions -H "Authorization: Bearer $TOKEN"; echo

Documentation to try things in: http://{host}:{port}/docs
"#,
        port = config.listen.port(),
    );
}
