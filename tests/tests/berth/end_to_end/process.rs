//! A `berth` in a folder of its own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Client, Kind, PASSWORD, TestDatabase, contract, invariants};

const START_DEADLINE: Duration = Duration::from_secs(30);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The binary, the folder that it runs in, its port and its database. The process ends when this is
/// dropped.
pub struct Berth {
    /// Where it runs and keeps its data.
    pub folder: PathBuf,
    /// Where it listens.
    pub address: String,
    database: Option<TestDatabase>,
    environment: Vec<(&'static str, String)>,
    process: Option<Child>,
}

impl Berth {
    /// On a new database, not started.
    pub async fn new(kind: Kind) -> Self {
        let database = TestDatabase::create(kind).await;
        let mut berth = Self::in_an_empty_folder();
        berth.configure("BERTH__DATABASE__URL", &database.url);
        berth.configure("BERTH__DATA_DIR", &berth.folder.join("data").display().to_string());
        // The tests log in more often than people do.
        berth.configure("BERTH__LIMITS__ATTEMPTS_PER_MINUTE_AND_ADDRESS", "1000000");
        berth.configure("BERTH__LIMITS__ATTEMPTS_PER_MINUTE_AND_ACCOUNT", "1000000");
        berth.database = Some(database);
        berth
    }

    /// With nothing configured but a free port, not started.
    pub fn in_an_empty_folder() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("berth_e2e_{}_{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let address = format!("http://{listen}");
        let environment = vec![("BERTH__HTTP__LISTEN", listen)];
        Self { folder, address, database: None, environment, process: None }
    }

    /// Another server on the same database, not started; it is to be finished before this one.
    pub fn beside(&self) -> Self {
        let mut other = Self::in_an_empty_folder();
        let shared = self.environment.iter().filter(|(key, _)| *key != "BERTH__HTTP__LISTEN");
        other.environment.extend(shared.cloned());
        other
    }

    /// Sets an environment variable for the starts that follow.
    pub fn configure(&mut self, key: &'static str, value: &str) {
        self.environment.push((key, value.to_owned()));
    }

    /// Its database.
    pub fn database(&self) -> &TestDatabase {
        self.database.as_ref().unwrap()
    }

    /// `berth ARGUMENTS…`, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.prepare(Command::new(binary()), arguments)
    }

    fn prepare(&self, mut command: Command, arguments: &[&str]) -> Command {
        let environment = self.environment.iter().map(|(key, value)| (key, value));
        command.args(arguments).current_dir(&self.folder).envs(environment);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must succeed; answers what it printed.
    #[track_caller]
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "berth {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail; answers what it said.
    #[track_caller]
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "berth {arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The same with another environment.
    #[track_caller]
    pub fn fail_with(&self, key: &str, value: &str, arguments: &[&str]) -> String {
        let output = self.command(arguments).env(key, value).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "berth {arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts a command that serves, and waits until it is ready. Its output goes to `out.txt` and
    /// `log.txt` in its folder.
    pub async fn start(&mut self, arguments: &[&str]) {
        let command = self.command(arguments);
        self.start_as(command).await;
    }

    /// The same through another program, such as `unshare … berth serve`.
    pub async fn start_through(&mut self, program: &str, arguments: &[&str]) {
        let command = self.prepare(Command::new(program), arguments);
        self.start_as(command).await;
    }

    async fn start_as(&mut self, mut command: Command) {
        assert!(self.process.is_none(), "it runs already");
        let file = |name| File::create(self.folder.join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out.txt")).stderr(file("log.txt"));
        self.process = Some(command.spawn().unwrap());
        let started = Instant::now();
        let http = reqwest::Client::new();
        let ready = format!("{}/readyz", self.address);
        loop {
            if http.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", self.read("log.txt"));
            assert!(started.elapsed() < START_DEADLINE, "not ready: {}", self.read("log.txt"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A file of its folder.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Whether it has ended by itself, or by somebody else's hand.
    pub fn has_ended(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_none_or(|process| process.try_wait().unwrap().is_some())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// SIGTERM; answers how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.process.take().unwrap().wait().unwrap()
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Client {
        Client::at(&self.address)
    }

    /// A new operator, signed in.
    pub async fn operator(&self) -> Client {
        self.create_operator("operator");
        self.stranger().log_in("operator").await
    }

    /// A new renter with money, signed in.
    pub async fn renter(&self, operator: &Client, username: &str, amount: &str) -> Client {
        self.stranger().sign_up(username).await;
        let body = json!({ "username": username, "amount": amount, "reason": "cash" });
        operator.post("/admin/deposits", body).await.data(201);
        self.stranger().log_in(username).await
    }

    /// `berth admin create-operator`, with the password of every test user.
    pub fn create_operator(&self, username: &str) -> String {
        let password = self.folder.join("password.txt");
        std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        let email = format!("{username}@example.org");
        let arguments = ["admin", "create-operator", "--username", username, "--email", &email];
        let mut command = self.command(&[&arguments[..], &["--password-stdin"]].concat());
        let output = command.stdin(File::open(&password).unwrap()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Checks the invariants, stops it and removes what it left.
    pub async fn finish(mut self) {
        if let Some(database) = &self.database {
            invariants::check(database).await;
        }
        self.kill();
        // The log of the last start. Access tokens begin like this, being JSON in base64.
        let log = std::fs::read_to_string(self.folder.join("log.txt")).unwrap_or_default();
        for secret in [PASSWORD, "eyJ", "berth_rt_", "argon2id"] {
            assert!(!log.contains(secret), "{secret} in the log");
        }
        if let Some(database) = self.database.take() {
            database.remove().await;
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lists a server like that of the published API's examples; answers its id.
pub async fn list_server(operator: &Client, name: &str) -> String {
    let specs = serde_json::to_value(contract::example_server(name).specs).unwrap();
    let prices = json!({
        "7": { "price": "70.00", "hold_days": 2 },
        "30": { "price": "240.00", "hold_days": 3 },
    });
    let data = operator.post("/admin/servers", json!({ "specs": specs, "prices": prices })).await;
    data.data(201)["id"].as_str().unwrap().to_owned()
}

/// `target/debug/berth`: the tests lie beside it, in `target/debug/deps`.
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let binary = tests.parent().and_then(Path::parent).unwrap().join("berth");
    assert!(binary.is_file(), "{} is missing: run `cargo build`, or ./check", binary.display());
    binary
}

/// Below the range from which outgoing connections take theirs, and apart from PostgreSQL's.
pub fn free_port() -> u16 {
    let mut candidates = (0..10_000_u32).map(|step| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        10_000 + (std::process::id() * 17 + number + step) % 10_000
    });
    let free = |port: &u32| TcpListener::bind(format!("127.0.0.1:{port}")).is_ok();
    u16::try_from(candidates.find(free).unwrap()).unwrap()
}
