//! The driver for Linux hosts over SSH against a real OpenSSH on a host of each test's own: every
//! call twice, as the worker may make it.

mod attacks;
mod connections;
mod crashes;
mod faults;
mod kinds;
mod life;
mod restoring;
mod whole_hosts;

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::capacity::PortRange;
use domain::compute_unit::{HostDriver, UnitPlan};
use domain::host::HostId;
use domain::instance::{
    DriverFault, DriverKind, InstanceDriver, InstanceId, InstanceSpec, Inventory, Pull, Sighting,
    Site,
};
use outbound::ssh::{Ssh, SshSettings};
use tests::login_book::{MemoryBook, login};
use tests::ssh_host::SshHost;

/// A host, a driver and the book that it asks.
struct Bed {
    host: SshHost,
    book: Arc<MemoryBook>,
    driver: Ssh,
    site: Site,
}

impl Bed {
    fn new() -> Self {
        Self::with(SshHost::start(), SshSettings::default())
    }

    fn with(host: SshHost, settings: SshSettings) -> Self {
        let book = Arc::<MemoryBook>::default();
        let site = site(1, &host);
        book.put(site.host_id, login(&host));
        let driver = Ssh::new(book.clone(), settings);
        Self { host, book, driver, site }
    }

    /// A host with these units, each step taken twice.
    async fn cut(units: &[&UnitPlan]) -> Self {
        let bed = Self::new();
        for _ in 0..2 {
            bed.driver.prepare(&bed.site).await.unwrap();
        }
        for unit in units {
            bed.make(unit).await;
        }
        bed
    }

    async fn make(&self, unit: &UnitPlan) {
        for _ in 0..2 {
            self.driver.make_unit(&self.site, unit).await.unwrap();
        }
    }

    /// Gives a unit to whom has a new key; each step twice.
    async fn allocate(&self, unit: &UnitPlan) -> Holder {
        let id = next_id();
        let (key, line) = self.host.new_key(&format!("key-{id}"));
        let spec = spec(id, &unit.username, line);
        self.run(&spec).await;
        Holder { key, spec }
    }

    async fn run(&self, spec: &InstanceSpec) {
        for _ in 0..2 {
            self.driver.create(&self.site, spec).await.unwrap();
        }
        for _ in 0..2 {
            self.driver.start(&self.site, spec).await.unwrap();
        }
        assert_eq!(self.look(spec).await, Sighting::Ready);
    }

    async fn look(&self, spec: &InstanceSpec) -> Sighting {
        self.driver.look(&self.site, spec).await.unwrap()
    }

    async fn stop(&self, spec: &InstanceSpec) {
        for force in [false, true] {
            self.driver.stop(&self.site, spec.id, force).await.unwrap();
        }
    }

    async fn remove(&self, spec: &InstanceSpec) {
        for _ in 0..2 {
            self.driver.remove(&self.site, spec.id, None).await.unwrap();
        }
    }

    async fn inventory(&self) -> Inventory {
        self.driver.inventory(&self.site).await.unwrap().expect("this driver can tell")
    }

    fn ssh(&self, holder: &Holder, line: &str) -> Output {
        self.host.ssh(&holder.spec.username, &holder.key, line)
    }

    /// What a command of a unit's holder printed; it must succeed.
    fn told(&self, holder: &Holder, line: &str) -> String {
        let output = self.ssh(holder, line);
        assert!(output.status.success(), "{line}: {output:?}\n{}", self.host.log());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// How many processes of a user there are.
    fn processes(&self, user: &str) -> String {
        self.host.told(&format!("ps -o pid= -U $(id -u {user}) | wc -l"))
    }
}

/// Who has a unit.
struct Holder {
    key: PathBuf,
    spec: InstanceSpec,
}

fn site(number: u8, host: &SshHost) -> Site {
    let host_id = HostId::parse(&format!("{number:024x}")).unwrap();
    let settings = serde_json::Map::new();
    Site { host_id, driver: DriverKind::Ssh, settings, address: host.address.ip() }
}

fn next_id() -> InstanceId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    InstanceId::parse(&format!("{number:024x}")).unwrap()
}

/// A unit of the CPU by which it is named.
fn unit(cpu: u32) -> UnitPlan {
    let from = 20_000 + u16::try_from(cpu).unwrap() * 100;
    UnitPlan {
        username: format!("c{cpu}"),
        cpus: vec![cpu],
        ram_mib: 256,
        tasks: 64,
        ports: PortRange { from, until: from + 99 },
    }
}

fn spec(id: InstanceId, username: &str, public_key: String) -> InstanceSpec {
    InstanceSpec {
        id,
        hostname: "machine".to_owned(),
        image: String::new(),
        pull: Pull::default(),
        is_carried: false,
        edition: 0,
        username: username.to_owned(),
        password: None,
        cpus: 1,
        pinned_cpus: Vec::new(),
        ram_mib: 256,
        disk: None,
        disk_gb: 1,
        gpus: Vec::new(),
        address: None,
        ports: Vec::new(),
        environment: std::collections::BTreeMap::new(),
        public_keys: vec![public_key],
        script: None,
        is_autostart: false,
        runs_jupyter: false,
        mounts: Vec::new(),
    }
}

#[track_caller]
fn assert_failed<T: std::fmt::Debug>(answer: &Result<T, DriverFault>, words: &str) {
    assert!(matches!(answer, Err(DriverFault::Failed(why)) if why.contains(words)), "{answer:?}");
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: &Result<T, DriverFault>, words: &str) {
    assert!(matches!(answer, Err(DriverFault::Refused(why)) if why.contains(words)), "{answer:?}");
}

/// Whether anything is there, a dangling link included.
fn is_there(host: &SshHost, path: &str) -> bool {
    std::fs::symlink_metadata(host.path(path)).is_ok()
}

fn read(host: &SshHost, path: &str) -> String {
    let file = host.path(path);
    std::fs::read_to_string(&file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
}

fn is_let_in(output: &Output) -> bool {
    output.status.success()
}
