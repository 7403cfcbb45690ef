//! A database for each test: a file of SQLite, or a copy of a migrated template of PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use domain::store::Store;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// The cluster that `./check` starts.
    Postgres,
}

/// A database that nobody else uses.
pub struct TestDatabase {
    /// Which it is.
    pub kind: Kind,
    /// Its address.
    pub url: String,
    name: String,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl TestDatabase {
    /// A new database, migrated (PostgreSQL) or empty (SQLite, which migrates in milliseconds).
    pub async fn create(kind: Kind) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("berth_test_{}_{number}", std::process::id());
        match kind {
            Kind::Sqlite => {
                let folder = std::env::temp_dir().join(&name);
                // A test that failed left its own, and the number of its process may come again.
                if folder.exists() {
                    std::fs::remove_dir_all(&folder).unwrap();
                }
                std::fs::create_dir_all(&folder).unwrap();
                let url = format!("sqlite://{}/berth.sqlite", folder.display());
                Self { kind, url, name }
            }
            Kind::Postgres => {
                let cluster = cluster();
                let template = template(&cluster).await;
                let admin = connect(&cluster).await;
                let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
                admin.execute_unprepared(&sql).await.unwrap();
                admin.close().await.unwrap();
                Self { kind, url: in_cluster(&cluster, &name), name }
            }
        }
    }

    /// A connection for looking at rows.
    pub async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    /// Removes it.
    pub async fn remove(self) {
        match self.kind {
            Kind::Sqlite => {
                std::fs::remove_dir_all(std::env::temp_dir().join(&self.name)).unwrap();
            }
            Kind::Postgres => {
                let admin = connect(&cluster()).await;
                let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
                admin.execute_unprepared(&sql).await.unwrap();
                admin.close().await.unwrap();
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the cluster's address comes from ./check")]
fn cluster() -> String {
    std::env::var("BERTH_TEST_POSTGRES").expect(
        "BERTH_TEST_POSTGRES is not set: run the tests with ./check, or ./check --postgres COMMAND",
    )
}

fn in_cluster(cluster: &str, name: &str) -> String {
    let (server, _) = cluster.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// The migrated database to copy from, made once for each build of the tests, whichever of their
/// processes comes first.
async fn template(cluster: &str) -> String {
    let built = std::env::current_exe().unwrap().metadata().unwrap().modified().unwrap();
    let name = format!("berth_template_{}", built.duration_since(UNIX_EPOCH).unwrap().as_millis());
    let admin = connect(cluster).await;
    admin.execute_unprepared("SELECT pg_advisory_lock(1)").await.unwrap();
    let query = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    let query = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, query);
    if admin.query_one_raw(query).await.unwrap().is_none() {
        let draft = format!("{name}_draft");
        admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {draft}")).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {draft}")).await.unwrap();
        let url = in_cluster(cluster, &draft);
        let database = persistence::connect(&url, 1).await.unwrap();
        database.migrate(&url).await.unwrap();
        database.close().await;
        let rename = format!("ALTER DATABASE {draft} RENAME TO {name}");
        admin.execute_unprepared(&rename).await.unwrap();
    }
    // Closing the session gives the lock back.
    admin.close().await.unwrap();
    name
}
