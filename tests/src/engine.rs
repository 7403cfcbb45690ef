//! A container engine of a test's own: Podman's service with the Docker API. Its storage and locks
//! are in a folder, its bridge and its firewall rules in a network namespace that is reached by
//! one address, so that nothing of it meets the machine's or another test's. Needs root, as the
//! engine does.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use domain::host::HostId;
use domain::instance::{DriverKind, Site};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The image that every engine has: a shell as its command, an SSH server that nobody starts, the
/// users root and jane, and the variable `MADE_BY`.
pub const IMAGE: &str = "localhost/berth-test:1";

/// Prints a password to the client that asks for it.
const ASK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/containers/ask");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/containers/image");
const FOLDERS: &str = "berth-engine.";
/// Follows the process in the name of a test's second engine.
const ANOTHER: &str = "b";

/// Who may fetch from a registry that asks.
pub const REGISTRY_USER: &str = "berth";
/// Their password.
pub const REGISTRY_PASSWORD: &str = "pull-me";
/// Its bcrypt hash, made by `crypt(3)` with 2⁵ rounds.
const REGISTRY_HASH: &str = "$2b$05$CZAGHp7JaiDOdaA/B9imJefzZkDSEXOuP2RNWlG0mKTYrESB.8J72";

/// Where an engine finds the registry that a test started for it.
const REGISTRY: &str = "127.0.0.1:5000";

/// A registry that one engine can reach, by plain HTTP; it ends when dropped.
pub struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A running engine; it goes with all its containers when dropped.
pub struct Engine {
    folder: PathBuf,
    service: Option<Child>,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Engine {
    /// Starts an engine and gives it [`IMAGE`].
    pub fn start() -> Self {
        remove_abandoned();
        Self::named(&std::process::id().to_string())
    }

    /// Starts another host's engine.
    pub fn start_another() -> Self {
        Self::named(&format!("{}{ANOTHER}", std::process::id()))
    }

    fn named(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{FOLDERS}{name}"));
        fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.try_lock().expect("a test starts each engine once");
        configure(&folder);
        make_network(name);
        let mut engine = Self { folder, service: None, _lock: lock };
        engine.podman(&[
            "import",
            "--change=CMD [\"/bin/sh\"]",
            "--change=ENV MADE_BY=berth",
            "--change=ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            root_file_system().to_str().unwrap(),
            IMAGE,
        ]);
        engine.serve();
        engine
    }

    /// Starts the service, if it does not run.
    pub fn serve(&mut self) {
        let socket = self.folder.join("socket");
        if self.service.is_some() {
            return;
        }
        drop(fs::remove_file(&socket));
        // The kernel ends the service should the test be killed before it can.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nsenter"]).args(podman_line(&self.folder));
        command.args(["system", "service", "--time=0"]).arg(format!("unix://{}", socket.display()));
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let command = environment(&mut command, &self.folder).stdin(Stdio::null());
        let command = command.stdout(log.try_clone().unwrap()).stderr(log);
        self.service = Some(command.spawn().expect("setpriv and podman are installed by ./check"));
        let began = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(20), "the engine did not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the service; containers stay as they are.
    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill().unwrap();
            service.wait().unwrap();
        }
    }

    /// The socket's path.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// A new key pair: the private file and the public line.
    pub fn key(&self, name: &str) -> (PathBuf, String) {
        let file = self.folder.join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&file)
            .status();
        assert!(made.unwrap().success());
        let line = fs::read_to_string(file.with_extension("pub")).unwrap();
        (file, line)
    }

    /// A folder that goes with the engine.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// This machine as a host whose instances this engine makes.
    pub fn site(&self) -> Site {
        let endpoint = format!("unix://{}", self.socket().display());
        let settings = json!({
            "endpoint": endpoint, "graceful_stop_seconds": 1, "registries": [REGISTRY]
        });
        let site = site(settings);
        let name = name_of(&self.folder);
        let (_, address) = addresses(name);
        let host_id = if name.ends_with(ANOTHER) { "cafe" } else { "beef" };
        let host_id = HostId::parse(&format!("{host_id:0>24}")).unwrap();
        Site { host_id, address: IpAddr::V4(address), ..site }
    }

    /// Runs podman on this engine's storage and returns what it printed; it must succeed.
    pub fn podman(&self, arguments: &[&str]) -> String {
        let output = podman(&self.folder, arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What the service answers to a GET; much quicker than podman, which starts anew each time.
    pub fn ask(&self, path: &str) -> Value {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nhost: engine\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{path}: {head}");
        serde_json::from_str(body).unwrap()
    }

    /// Starts a registry that has [`IMAGE`] under a name that the engine does not have; answers it.
    pub fn registry(&self) -> (Registry, String) {
        self.registry_with(&json!({}), &[])
    }

    /// The same with one that asks who one is: [`REGISTRY_USER`], with [`REGISTRY_PASSWORD`].
    pub fn private_registry(&self) -> (Registry, String) {
        let users = self.folder.join("registry.users");
        fs::write(&users, format!("{REGISTRY_USER}:{REGISTRY_HASH}\n")).unwrap();
        let auth = json!({ "htpasswd": { "realm": "berth", "path": users } });
        let who = format!("--creds={REGISTRY_USER}:{REGISTRY_PASSWORD}");
        self.registry_with(&json!({ "auth": auth }), &[&who])
    }

    fn registry_with(&self, change: &Value, options: &[&str]) -> (Registry, String) {
        let mut settings = json!({
            "version": 0.1,
            "storage": { "filesystem": { "rootdirectory": self.folder.join("registry") } },
            "http": { "addr": REGISTRY },
        });
        settings.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        // Every JSON document is a YAML document.
        let file = self.folder.join("registry.yml");
        fs::write(&file, settings.to_string()).unwrap();
        let network = format!("--net=/run/netns/{}", namespace(name_of(&self.folder)));
        let log = self.folder.join("registry.log");
        let output = File::create(&log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nsenter", &network, "docker-registry", "serve"]);
        command.arg(&file).stdout(output.try_clone().unwrap()).stderr(output);
        let process = command.spawn().expect("docker-registry is installed by ./check");
        let registry = Registry(process);
        let name = format!("{REGISTRY}/machines/box:1");
        let began = Instant::now();
        let push = [&["push"], options, &[IMAGE, &name]].concat();
        while !podman(&self.folder, &push).output().unwrap().status.success() {
            let told = fs::read_to_string(&log).unwrap();
            assert!(began.elapsed() < Duration::from_secs(20), "no registry: {told}");
            std::thread::sleep(Duration::from_millis(50));
        }
        (registry, name)
    }

    /// Makes an image from [`IMAGE`] with these further instructions.
    pub fn build(&self, name: &str, instructions: &str) {
        let file = self.folder.join("Dockerfile");
        fs::write(&file, format!("FROM {IMAGE}\n{instructions}\n")).unwrap();
        let file = file.to_str().unwrap();
        let options = ["build", "--format=docker", "--network=none", "--tag", name, "--file", file];
        self.podman(&[&options[..], &[self.folder.to_str().unwrap()]].concat());
    }

    /// What the engine knows of a container, by a template of its own command line.
    pub fn inspect(&self, container: &str, template: &str) -> String {
        self.podman(&["container", "inspect", "--format", template, container])
    }

    /// Runs a command in a container.
    pub fn exec(&self, container: &str, line: &str) -> String {
        self.podman(&["exec", container, "/bin/sh", "-c", line])
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            drop(service.kill());
            drop(service.wait());
        }
        destroy(&self.folder);
    }
}

/// A command over SSH, by the client that renters have.
pub fn ssh((address, port): (IpAddr, u16), (user, key): (&str, &Path), line: &str) -> Output {
    Command::new("ssh")
        .args(["-F", "/dev/null", "-p", &port.to_string(), "-l", user, "-i"])
        .arg(key)
        .args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10"])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "LogLevel=ERROR", &address.to_string(), line])
        .output()
        .unwrap()
}

/// The same by the password alone; nobody is there to type it.
pub fn ssh_by_password(
    (address, port): (IpAddr, u16),
    (user, password): (&str, &str),
    line: &str,
) -> Output {
    Command::new("ssh")
        .args(["-F", "/dev/null", "-p", &port.to_string(), "-l", user])
        .args(["-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1"])
        .args(["-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"])
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args([&address.to_string(), line])
        .env("SSH_ASKPASS", ASK)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("BERTH_TEST_ANSWER", password)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A host of these settings.
pub fn site(settings: Value) -> Site {
    let Value::Object(settings) = settings else { panic!("settings are an object") };
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let host_id = HostId::parse("00000000000000000000beef").unwrap();
    Site { host_id, driver: DriverKind::Docker, settings, address }
}

/// A port that no other instance of this test has; each engine has all ports for itself.
pub fn next_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn podman(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    environment(&mut command, folder).args(podman_line(folder)).args(arguments);
    command
}

fn environment<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    // Monitors of containers leave files where they were started.
    command
        .current_dir(folder)
        .env("CONTAINERS_CONF", folder.join("containers.conf"))
        .env("CONTAINERS_REGISTRIES_CONF", folder.join("registries.conf"))
}

/// What follows `nsenter`: the namespace, and podman with the folder's storage.
fn podman_line(folder: &Path) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let network = format!("--net=/run/netns/{}", namespace(name_of(folder)));
    let words = ["podman", "--root", &path("root"), "--runroot", &path("run")];
    [network].into_iter().chain(words.map(ToOwned::to_owned)).collect()
}

/// Works without systemd, and where only version 1 of cgroups is mounted.
fn configure(folder: &Path) {
    let here = folder.display();
    let text = format!(
        "[containers]\n\
         default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
         [engine]\n\
         runtime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
         lock_type = \"file\"\ntmp_dir = \"{here}/tmp\"\n\
         [network]\n\
         network_config_dir = \"{here}/networks\"\n"
    );
    fs::write(folder.join("containers.conf"), text).unwrap();
    let registries = format!("[[registry]]\nlocation = \"{REGISTRY}\"\ninsecure = true\n");
    fs::write(folder.join("registries.conf"), registries).unwrap();
}

/// An engine's name: its process, and what follows if it is not the first one there.
fn name_of(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap().trim_start_matches(FOLDERS)
}

fn namespace(name: &str) -> String {
    format!("berth-{name}")
}

/// The machine's end of the wire to the namespace; names of interfaces are short.
fn interface(name: &str) -> String {
    format!("berth{name}")
}

/// Of the machine's end and of the engine's, out of the networks that are for tests (RFC 2544).
fn addresses(name: &str) -> (Ipv4Addr, Ipv4Addr) {
    let process: u32 = name.trim_end_matches(ANOTHER).parse().unwrap();
    let number = process % 16_384 * 2 + u32::from(name.ends_with(ANOTHER));
    let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number * 4;
    (Ipv4Addr::from(first + 1), Ipv4Addr::from(first + 2))
}

fn make_network(engine: &str) {
    let (ours, theirs) = addresses(engine);
    let (name, here, there) = (namespace(engine), interface(engine), "engine");
    ip(&format!("netns add {name}"));
    ip(&format!("link add {here} type veth peer name {there} netns {name}"));
    ip(&format!("address add {ours}/30 dev {here}"));
    ip(&format!("link set {here} up"));
    ip(&format!("-netns {name} address add {theirs}/30 dev {there}"));
    ip(&format!("-netns {name} link set {there} up"));
    ip(&format!("-netns {name} link set lo up"));
}

fn ip(line: &str) {
    let output = Command::new("ip").args(line.split(' ')).output().expect("ip is installed");
    assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The image's root file system, made by the first test that needs it.
fn root_file_system() -> PathBuf {
    // …/target/debug/deps/berth-…
    let program = std::env::current_exe().unwrap();
    let folder = program.ancestors().nth(3).unwrap().join("test-image");
    fs::create_dir_all(&folder).unwrap();
    let version = domain::id::hex(&Sha256::digest(fs::read(SCRIPT).unwrap()));
    let file = folder.join(format!("{version}.tar"));
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if !file.exists() {
        let status = Command::new(SCRIPT).arg(&file).status().unwrap();
        assert!(status.success(), "{SCRIPT} failed; ./check installs what it copies");
    }
    file
}

/// What a killed test left behind.
fn remove_abandoned() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let folder = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(engine) = name.strip_prefix(FOLDERS) else { continue };
        if Path::new("/proc").join(engine.trim_end_matches(ANOTHER)).exists() {
            continue;
        }
        // Of several tests that see it, one removes it.
        let Ok(lock) = File::open(folder.join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            destroy(&folder);
        }
    }
}

fn destroy(folder: &Path) {
    let name = name_of(folder);
    let removed = podman(folder, &["rm", "--all", "--force", "--time", "0"]).output();
    end_monitors(folder);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let below = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
    for mount in below.filter(|mount| Path::new(mount).starts_with(folder)) {
        drop(Command::new("umount").args(["--lazy", mount]).status());
    }
    drop(Command::new("ip").args(["link", "delete", &interface(name)]).output());
    drop(Command::new("ip").args(["netns", "delete", &namespace(name)]).output());
    let mut gone = fs::remove_dir_all(folder);
    // What was just killed may let go of its files a moment later.
    for _ in 0..20 {
        if gone.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        gone = fs::remove_dir_all(folder);
    }
    // A panic in a drop during a panic would hide the first one.
    if !std::thread::panicking() {
        gone.unwrap_or_else(|fault| panic!("{}: {fault}; {removed:?}", folder.display()));
    }
}

/// Podman leaves a monitor for minutes after a command that nobody waited for. Those of this engine
/// are known by its folder, which stands in their command lines.
fn end_monitors(folder: &Path) {
    let folder = format!("{}/", folder.display());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let program = line.split('\0').next().unwrap_or_default();
        if program.ends_with("/conmon") && line.contains(&folder) {
            let process = entry.file_name();
            drop(Command::new("kill").arg("-KILL").arg(process).output());
        }
    }
}
