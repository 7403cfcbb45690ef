//! The schema, as a list of migrations that is only ever added to.
//!
//! *To add a table*: a module with an SQL text in the words of `types` and a `MigrationTrait`, put
//! at the end of [`Migrator::migrations`].

mod m0001_foundation;
mod m0002_money;
mod m0003_payments;
mod m0004_catalogue;
mod m0005_instances;
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
            Box::new(m0003_payments::Migration),
            Box::new(m0004_catalogue::Migration),
            Box::new(m0005_instances::Migration),
        ]
    }
}
