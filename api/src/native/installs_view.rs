//! What is installed, on the wire.

use std::collections::BTreeMap;

use domain::install::{Install, InstallPhase};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field::Field;
use super::view::Stamp;

#[derive(Deserialize, ToSchema)]
pub struct InstallBody {
    #[schema(value_type = String, required, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub software_id: Field<String>,
    /// The values of options by their keys, all as texts; the others are their defaults.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({ "python_version": "3.12" }))]
    #[serde(default)]
    pub config: Field<BTreeMap<String, String>>,
}

#[derive(Serialize, ToSchema)]
pub struct InstallView {
    #[schema(example = "507f1f77bcf86cd799439801")]
    id: String,
    /// Its name for programs that know whole numbers only.
    #[schema(example = 38)]
    number: i64,
    instance_id: String,
    /// Of which software; it may be deleted.
    software_id: String,
    /// The software's name when it was ordered.
    #[schema(example = "PyTorch environment")]
    name: String,
    /// `queued`, `running`, `completed`, `failed` or `removing`.
    #[schema(example = "completed")]
    status: &'static str,
    /// The value of every option.
    #[schema(example = json!({ "python_version": "3.12" }))]
    config: BTreeMap<String, String>,
    /// How often a script of it was run.
    runs: u32,
    /// Why it failed, if it did.
    failure: Option<InstallFailureView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// Since when it has its status.
    #[schema(value_type = String, format = DateTime)]
    changed_at: Stamp,
}

#[derive(Serialize, ToSchema)]
pub struct InstallFailureView {
    /// At what: `install` or `remove`.
    #[schema(example = "install")]
    during: &'static str,
    #[schema(example = "the script ended with status 100")]
    message: String,
    /// The end of what the script printed.
    output: String,
}

impl From<Install> for InstallView {
    fn from(install: Install) -> Self {
        let status = install.status().as_str();
        let failure = match install.phase {
            InstallPhase::Failed { failure, .. } => Some(InstallFailureView {
                during: failure.during.as_str(),
                message: failure.message,
                output: failure.output,
            }),
            InstallPhase::Queued
            | InstallPhase::Running { .. }
            | InstallPhase::Completed { .. }
            | InstallPhase::Removing { .. } => None,
        };
        Self {
            id: install.id.to_string(),
            number: install.number,
            instance_id: install.instance_id.to_string(),
            software_id: install.software_id.to_string(),
            name: install.name,
            status,
            config: install.config,
            runs: install.runs,
            failure,
            created_at: Stamp(install.created_at),
            changed_at: Stamp(install.changed_at),
        }
    }
}
