//! The driver for the Docker API against a real engine, Podman: every call twice, as the worker may
//! make it.

mod carrying;
mod changes;
mod disks;
mod faults;
mod life;
mod passwords;
mod pulls;
mod tasks;
mod templates;
mod tls;
mod volumes;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use domain::instance::{
    Copying, DriverFault, InstanceDriver, InstanceId, InstanceSpec, Inventory, Mount,
    PublishedPort, Pull, RegistryLogin, Sighting, Site,
};
use domain::volume::VolumeId;
use outbound::docker::Docker;
use tests::engine::{Engine, IMAGE, REGISTRY_PASSWORD, REGISTRY_USER, next_port, ssh};

/// A driver, and an engine for it.
struct Bed {
    engine: Engine,
    driver: Docker,
    site: Site,
}

impl Bed {
    fn new() -> Self {
        Self::on(Engine::start())
    }

    fn on(engine: Engine) -> Self {
        let site = engine.site();
        Self { engine, driver: Docker::new("here".to_owned()), site }
    }

    async fn create(&self, spec: &InstanceSpec) -> Result<(), DriverFault> {
        self.driver.create(&self.site, spec).await
    }

    async fn look(&self, spec: &InstanceSpec) -> Sighting {
        self.driver.look(&self.site, spec).await.unwrap()
    }

    async fn inventory(&self) -> Inventory {
        self.driver.inventory(&self.site).await.unwrap().expect("this driver can tell")
    }

    /// Makes and starts an instance, each call twice, and waits until it can be used.
    async fn run(&self, spec: &InstanceSpec) {
        for _ in 0..2 {
            self.create(spec).await.unwrap();
        }
        for _ in 0..2 {
            self.driver.start(&self.site, spec).await.unwrap();
        }
        self.wait_until_ready(spec).await;
    }

    async fn wait_until_ready(&self, spec: &InstanceSpec) {
        let began = Instant::now();
        while self.look(spec).await != Sighting::Ready {
            let processes = || self.engine.podman(&["top", &container(spec), "args"]);
            assert!(began.elapsed() < Duration::from_secs(20), "not ready: {}", processes());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn volume(&self) -> VolumeId {
        let id = VolumeId::parse(&next_id()).unwrap();
        for _ in 0..2 {
            self.driver.create_volume(&self.site, id, 1).await.unwrap();
        }
        id
    }

    async fn copy_once(&self, from: VolumeId, to: VolumeId) -> Result<Copying, DriverFault> {
        self.driver.copy_volume(&self.site, from, to).await
    }

    /// Asks for a copy until it is done; answers how often it was under way.
    async fn copy(&self, from: VolumeId, to: VolumeId) -> Result<u32, DriverFault> {
        let began = Instant::now();
        let mut looks = 0;
        while self.copy_once(from, to).await? == Copying::UnderWay {
            assert!(began.elapsed() < Duration::from_secs(20), "the copy does not end");
            looks += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(looks)
    }

    fn key(&self, name: &str) -> (PathBuf, String) {
        self.engine.key(name)
    }

    /// Runs a command in an instance as root, by the engine.
    fn exec(&self, spec: &InstanceSpec, line: &str) -> String {
        self.engine.exec(&container(spec), line)
    }

    fn inspect(&self, spec: &InstanceSpec, template: &str) -> String {
        self.engine.inspect(&container(spec), template)
    }

    fn ssh(&self, spec: &InstanceSpec, key: &Path, user: &str, line: &str) -> Output {
        ssh((self.site.address, spec.ports[0].outside), (user, key), line)
    }

    /// What a command over SSH printed; it must succeed.
    fn told(&self, spec: &InstanceSpec, key: &Path, line: &str) -> String {
        let output = self.ssh(spec, key, &spec.username, line);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn container(spec: &InstanceSpec) -> String {
    format!("berth-{}", spec.id)
}

fn next_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{:024x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Port 22 of the instance on a port of this machine, one CPU, 256 MiB, nothing else.
fn spec() -> InstanceSpec {
    InstanceSpec {
        id: InstanceId::parse(&next_id()).unwrap(),
        hostname: "machine".to_owned(),
        image: IMAGE.to_owned(),
        is_carried: false,
        edition: 0,
        username: "root".to_owned(),
        password: None,
        cpus: 1,
        pinned_cpus: Vec::new(),
        ram_mib: 256,
        disk: None,
        disk_gb: 1,
        gpus: Vec::new(),
        address: None,
        ports: vec![PublishedPort { inside: 22, outside: next_port() }],
        environment: [("COLOUR".to_owned(), "green and blue".to_owned())].into(),
        public_keys: Vec::new(),
        script: None,
        is_autostart: false,
        runs_jupyter: false,
        pull: Pull::default(),
        mounts: Vec::new(),
    }
}

fn mount(volume_id: VolumeId, path: &str) -> Mount {
    Mount { volume_id, path: path.to_owned() }
}

fn is_refused(answer: &Result<(), DriverFault>, words: &str) -> bool {
    matches!(answer, Err(DriverFault::Refused(text)) if text.contains(words))
}

fn is_failed(answer: &Result<(), DriverFault>, words: &str) -> bool {
    matches!(answer, Err(DriverFault::Failed(text)) if text.contains(words))
}
