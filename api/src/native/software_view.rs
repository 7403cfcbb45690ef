//! Software on the wire.

use domain::software::{Scripts, Software, SoftwareOption, variable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field::{Field, Nested};
use super::view::Stamp;

#[derive(Deserialize, ToSchema)]
pub struct SoftwareBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "PyTorch environment")]
    #[serde(default)]
    pub name: Field<String>,
    #[schema(value_type = Option<String>, max_length = 4000, example = "PyTorch with CUDA")]
    #[serde(default)]
    pub description: Field<String>,
    #[schema(value_type = Option<String>, max_length = 100, example = "Machine learning")]
    #[serde(default)]
    pub category: Field<String>,
    /// What puts it there, at most 64 KiB: it runs in the instance as root, with every option as an
    /// environment variable. Status 0 is good. What it started ends with it only where it says so.
    #[schema(value_type = String, required, min_length = 1, max_length = 65_536, example = "#!/bin/sh\napt-get install -y \"python$PYTHON_VERSION\"")]
    #[serde(default)]
    pub install_script: Field<String>,
    /// What takes it away; without one it is forgotten and stays where it is.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 65_536, example = "#!/bin/sh\napt-get remove -y \"python$PYTHON_VERSION\"")]
    #[serde(default)]
    pub remove_script: Field<String>,
    /// What whoever installs it chooses, of 16 KiB of text together.
    #[schema(value_type = Option<Vec<OptionBody>>, max_items = 32)]
    #[serde(default)]
    pub options: Field<Vec<Nested<OptionBody>>>,
}

#[derive(Deserialize, ToSchema)]
pub struct AddSoftwareBody {
    #[serde(flatten)]
    pub software: SoftwareBody,
    /// The pool that it is for; one's default pool if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub pool_id: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct OptionBody {
    /// Names it in a configuration; not that of a variable that shells go by, such as `path`.
    #[schema(value_type = String, required, pattern = "^[a-z][a-z0-9_]{0,63}$", example = "python_version")]
    #[serde(default)]
    pub key: Field<String>,
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "Python version")]
    #[serde(default)]
    pub name: Field<String>,
    /// `text`, `select`, `number` or `boolean`.
    #[schema(value_type = String, required, example = "select")]
    #[serde(default, rename = "type")]
    pub kind: Field<String>,
    /// A text, also of a number or a boolean; without one a value must be chosen.
    #[schema(value_type = Option<String>, max_length = 4096, example = "3.12")]
    #[serde(default)]
    pub default_value: Field<String>,
    /// What it may be: required for a select, not for a boolean. None has a comma.
    #[schema(value_type = Option<Vec<String>>, max_items = 100, example = json!(["3.11", "3.12"]))]
    #[serde(default)]
    pub possible_values: Field<Vec<String>>,
}

/// Software as lists have it.
#[derive(Serialize, ToSchema)]
pub struct SoftwareSummaryView {
    #[schema(example = "507f1f77bcf86cd799439801")]
    id: String,
    /// Its name for programs that know whole numbers only.
    #[schema(example = 38)]
    number: i64,
    /// Whose it is; null is the operator's, for everybody.
    pool_id: Option<String>,
    #[schema(example = "PyTorch environment")]
    name: String,
    description: String,
    category: String,
    options: Vec<OptionView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

#[derive(Serialize, ToSchema)]
pub struct OptionView {
    #[schema(example = "python_version")]
    key: String,
    name: String,
    /// `text`, `select`, `number` or `boolean`.
    #[schema(example = "select")]
    #[serde(rename = "type")]
    kind: &'static str,
    default_value: Option<String>,
    /// What it may be; none if that is open.
    possible_values: Vec<String>,
    /// How the scripts get it.
    #[schema(example = "PYTHON_VERSION")]
    variable: String,
}

#[derive(Serialize, ToSchema)]
pub struct SoftwareView {
    #[serde(flatten)]
    summary: SoftwareSummaryView,
    install_script: String,
    remove_script: Option<String>,
}

impl From<SoftwareOption> for OptionView {
    fn from(option: SoftwareOption) -> Self {
        Self {
            variable: variable(&option.key),
            key: option.key,
            name: option.name,
            kind: option.kind.as_str(),
            default_value: option.default_value,
            possible_values: option.possible_values,
        }
    }
}

impl From<Software> for SoftwareSummaryView {
    fn from(software: Software) -> Self {
        Self {
            id: software.id.to_string(),
            number: software.number,
            pool_id: software.pool_id.map(|id| id.to_string()),
            name: software.name,
            description: software.description,
            category: software.category,
            options: software.options.into_iter().map(Into::into).collect(),
            created_at: Stamp(software.created_at),
            updated_at: Stamp(software.updated_at),
        }
    }
}

impl From<(Software, Scripts)> for SoftwareView {
    fn from((software, scripts): (Software, Scripts)) -> Self {
        let Scripts { install: install_script, remove: remove_script } = scripts;
        Self { summary: software.into(), install_script, remove_script }
    }
}
