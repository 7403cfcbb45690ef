//! Templates and what is installed of them, on the wire.

use std::collections::BTreeMap;

use domain::install::{Install, InstallStatus};
use domain::software::{Software, SoftwareOption};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
pub struct TemplateView {
    id: i64,
    name: String,
    description: String,
    category: String,
    is_public: bool,
    options: Vec<OptionView>,
}

#[derive(Serialize)]
struct OptionView {
    /// Its place among the options of its template.
    id: usize,
    name: String,
    /// By what a configuration names it.
    key: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// None where something must be chosen.
    default_value: Option<String>,
    /// With commas between them; none where it is open.
    possible_values: String,
}

#[derive(Serialize)]
pub struct InstallView {
    install_id: i64,
    template_id: i64,
    template_name: String,
    status: u8,
    status_readable: &'static str,
    config: BTreeMap<String, String>,
}

/// The number and the word of a status. The document has those of what is completed only.
const fn status(status: InstallStatus) -> (u8, &'static str) {
    match status {
        InstallStatus::Queued => (0, "Queued"),
        InstallStatus::Completed => (1, "Completed"),
        InstallStatus::Running => (2, "Running"),
        InstallStatus::Failed => (3, "Failed"),
        InstallStatus::Removing => (4, "Removing"),
    }
}

/// A name as a key spells it: `Python Version` as `python_version`.
pub fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").to_ascii_lowercase()
}

impl From<Software> for TemplateView {
    fn from(software: Software) -> Self {
        let options = software.options.into_iter().zip(1..);
        Self {
            id: software.number,
            name: software.name,
            description: software.description,
            category: software.category,
            is_public: software.pool_id.is_none(),
            options: options.map(|(option, place)| shown(option, place)).collect(),
        }
    }
}

fn shown(option: SoftwareOption, place: usize) -> OptionView {
    OptionView {
        id: place,
        name: option.name,
        key: option.key,
        kind: option.kind.as_str(),
        default_value: option.default_value,
        possible_values: option.possible_values.join(","),
    }
}

impl InstallView {
    /// As an order tells of it.
    pub fn brief(install: &Install) -> Value {
        let (status, status_readable) = status(install.status());
        json!({
            "id": install.number,
            "template_name": install.name,
            "status": status,
            "status_readable": status_readable,
        })
    }
}

impl From<Install> for InstallView {
    fn from(install: Install) -> Self {
        let (status, status_readable) = status(install.status());
        Self {
            install_id: install.number,
            template_id: install.software_number,
            template_name: install.name,
            status,
            status_readable,
            config: install.config,
        }
    }
}
