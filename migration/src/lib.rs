//! The schema, as a list of migrations that is only ever added to.
//!
//! *To add a table*: an SQL text in the words of `types`, and a line at the end of
//! [`Migrator::migrations`].

mod m0001_foundation;
mod m0002_money;
mod m0014_search_texts;
mod m0019_market_changes;
mod types;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Applies the migrations that a database lacks.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_foundation::Migration),
            Box::new(m0002_money::Migration),
            of_sql("m0003_payments", include_str!("m0003_payments.sql")),
            of_sql("m0004_catalogue", include_str!("m0004_catalogue.sql")),
            of_sql("m0005_instances", include_str!("m0005_instances.sql")),
            of_sql("m0006_lists", include_str!("m0006_lists.sql")),
            of_sql("m0007_clients", include_str!("m0007_clients.sql")),
            of_sql("m0008_disks", include_str!("m0008_disks.sql")),
            of_sql("m0009_gpu_offers", include_str!("m0009_gpu_offers.sql")),
            of_sql("m0010_templates", include_str!("m0010_templates.sql")),
            of_sql("m0011_billing", include_str!("m0011_billing.sql")),
            of_sql("m0012_software", include_str!("m0012_software.sql")),
            of_sql("m0013_terms", include_str!("m0013_terms.sql")),
            Box::new(m0014_search_texts::Migration),
            of_sql("m0015_jobs_of_installs", include_str!("m0015_jobs_of_installs.sql")),
            of_sql("m0016_contracts", include_str!("m0016_contracts.sql")),
            of_sql("m0017_networks", include_str!("m0017_networks.sql")),
            of_sql("m0018_private_plans", include_str!("m0018_private_plans.sql")),
            Box::new(m0019_market_changes::Migration),
            of_sql("m0020_compute_units", include_str!("m0020_compute_units.sql")),
            of_sql("m0021_logins", include_str!("m0021_logins.sql")),
        ]
    }
}

/// A migration that is one SQL text for both databases.
struct SqlMigration {
    /// As the database remembers that it was applied.
    name: &'static str,
    sql: &'static str,
}

fn of_sql(name: &'static str, sql: &'static str) -> Box<dyn MigrationTrait> {
    Box::new(SqlMigration { name, sql })
}

impl MigrationName for SqlMigration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SqlMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = types::in_dialect(manager.get_database_backend(), self.sql);
        types::run(manager, &sql).await
    }

    /// All or nothing, also on SQLite, where migrations have no transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
