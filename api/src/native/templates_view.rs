//! Templates on the wire.

use std::collections::BTreeMap;

use domain::template::{Registry, Template, TemplateSummary};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field::{Field, Nested};
use super::view::Stamp;

#[derive(Deserialize, ToSchema)]
pub struct TemplateBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "Jupyter with CUDA")]
    #[serde(default)]
    pub name: Field<String>,
    /// The image's reference, with its registry if that is not the host's default one, and without a tag.
    #[schema(value_type = String, required, pattern = "^[!-~]{1,255}$", example = "docker.io/library/ubuntu")]
    #[serde(default)]
    pub image: Field<String>,
    /// The image's tag; `latest` if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_.-]{1,128}$", example = "24.04")]
    #[serde(default)]
    pub tag: Field<String>,
    /// One's own word for what it belongs to.
    #[schema(value_type = Option<String>, max_length = 100, example = "notebooks")]
    #[serde(default)]
    pub category: Field<String>,
    #[schema(value_type = u32, required, minimum = 1, maximum = 65_536, example = 40)]
    #[serde(default)]
    pub disk_gb: Field<i64>,
    /// Ports inside to publish, none twice; none if it is not given.
    #[schema(value_type = Option<Vec<u16>>, max_items = 32, example = json!([22, 8888]))]
    #[serde(default)]
    pub ports: Field<Vec<i64>>,
    /// What runs when the container starts, at most 64 KiB.
    #[schema(value_type = Option<String>, max_length = 65_536, example = "#!/bin/sh\napt-get update")]
    #[serde(default)]
    pub start_script: Field<String>,
    /// Arguments with which the image was built, such as Docker's `ARG`; kept and shown, nothing more.
    #[schema(value_type = Option<String>, max_length = 4096, example = "CUDA=12.8")]
    #[serde(default)]
    pub build_arguments: Field<String>,
    /// Environment variables: at most 100, values of at most 4096 bytes.
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({ "MODE": "train" }))]
    #[serde(default)]
    pub environment: Field<BTreeMap<String, String>>,
    #[schema(value_type = Option<String>, max_length = 4000, example = "for the course of May")]
    #[serde(default)]
    pub notes: Field<String>,
    /// How the image is fetched, if its registry asks who one is.
    #[schema(value_type = Option<RegistryBody>)]
    #[serde(default)]
    pub registry: Field<Nested<RegistryBody>>,
    /// Whether the container has an SSH server; false if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    pub runs_ssh: Field<bool>,
    /// Whether the container has a Jupyter server; false if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    pub runs_jupyter: Field<bool>,
}

#[derive(Deserialize, ToSchema)]
pub struct AddTemplateBody {
    #[serde(flatten)]
    pub template: TemplateBody,
    /// The pool that it is for; one's default pool if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pub pool_id: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct RegistryBody {
    #[schema(value_type = String, required, pattern = "^[!-~]{1,255}$", example = "registry.example")]
    #[serde(default)]
    pub host: Field<String>,
    #[schema(value_type = String, required, min_length = 1, max_length = 255, example = "robot")]
    #[serde(default)]
    pub username: Field<String>,
    /// Stored encrypted and never shown. When a template is replaced it can be left out, and stays, if host
    /// and username are as before.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4096, example = "correct horse battery")]
    #[serde(default)]
    pub password: Field<String>,
}

/// A template as lists have it.
#[derive(Serialize, ToSchema)]
pub struct TemplateSummaryView {
    #[schema(example = "507f1f77bcf86cd799439801")]
    id: String,
    /// Its name for programs that know whole numbers only.
    #[schema(example = 38)]
    number: i64,
    /// Whose it is; null is the operator's, for everybody.
    pool_id: Option<String>,
    /// Who added it; null for the operator's.
    author_id: Option<String>,
    #[schema(example = "Jupyter with CUDA")]
    name: String,
    #[schema(example = "docker.io/library/ubuntu")]
    image: String,
    #[schema(example = "24.04")]
    tag: String,
    category: String,
    disk_gb: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

#[derive(Serialize, ToSchema)]
pub struct TemplateView {
    #[serde(flatten)]
    summary: TemplateSummaryView,
    ports: Vec<u16>,
    start_script: String,
    build_arguments: String,
    environment: BTreeMap<String, String>,
    notes: String,
    registry: Option<RegistryView>,
    runs_ssh: bool,
    runs_jupyter: bool,
}

/// A registry; its password is not shown.
#[derive(Serialize, ToSchema)]
pub struct RegistryView {
    host: String,
    username: String,
}

impl From<TemplateSummary> for TemplateSummaryView {
    fn from(template: TemplateSummary) -> Self {
        Self {
            id: template.id.to_string(),
            number: template.number,
            pool_id: template.pool_id.map(|id| id.to_string()),
            author_id: template.author.map(|id| id.to_string()),
            name: template.name,
            image: template.image,
            tag: template.tag,
            category: template.category,
            disk_gb: template.disk_gb,
            created_at: Stamp(template.created_at),
            updated_at: Stamp(template.updated_at),
        }
    }
}

impl From<Registry> for RegistryView {
    fn from(registry: Registry) -> Self {
        Self { host: registry.host, username: registry.username }
    }
}

impl From<Template> for TemplateView {
    fn from(template: Template) -> Self {
        let summary = template.summary().into();
        let Template { recipe, registry, .. } = template;
        Self {
            summary,
            ports: recipe.ports,
            start_script: recipe.start_script,
            build_arguments: recipe.build_arguments,
            environment: recipe.environment,
            notes: recipe.notes,
            registry: registry.map(Into::into),
            runs_ssh: recipe.runs_ssh,
            runs_jupyter: recipe.runs_jupyter,
        }
    }
}
