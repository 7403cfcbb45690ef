//! Templates: what a container is started from, kept by a pool or by the operator for everybody.

mod add;
mod delete;
mod draft;
mod global;
mod port;
mod replace;
mod show;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use add::{AddTemplate, add};
pub use delete::delete;
pub use draft::{RegistryDraft, TemplateDraft};
pub use global::{
    AddGlobalTemplate, ReplaceGlobalTemplate, add_global, delete_global, replace_global,
};
pub use port::{TemplateFilter, TemplateKey, TemplateQueries, TemplateScope, Templates};
pub use replace::{ReplaceTemplate, replace};
pub use show::{global, global_part, list, numbered, part, show};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::event::{Actor, Event, Subject};
use crate::id::entity_id;
use crate::pool::PoolId;
use crate::user::UserId;
use crate::vault::{Sealed, Vault};

entity_id!(
    /// Identifies a template.
    TemplateId
);

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Identifies the template.
    pub id: TemplateId,
    /// Its whole number, which no other thing ever has.
    pub number: i64,
    /// Whose it is; without a pool it is the operator's, for everybody.
    pub pool_id: Option<PoolId>,
    /// Which member of the pool added it; nobody is named for the operator's.
    pub author: Option<UserId>,
    /// What a container gets of it.
    pub recipe: Recipe,
    /// Where the image is fetched, if that asks who one is.
    pub registry: Option<Registry>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a container gets of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The template's name, 1 to 100 characters.
    pub name: String,
    /// The image's reference without a tag: 1 to 255 printable ASCII characters without blanks.
    pub image: String,
    /// The image's tag: 1 to 128 of `A-Za-z0-9_.-`.
    pub tag: String,
    /// Its author's word for what it belongs to, at most 100 characters.
    pub category: String,
    /// The disk, 1 to 65536 GB.
    pub disk_gb: u32,
    /// Ports inside to publish, at most 32 and none twice.
    pub ports: Vec<u16>,
    /// What runs when the container starts, at most 64 KiB.
    pub start_script: String,
    /// Arguments with which the image was built, at most 4096 characters; kept and shown.
    pub build_arguments: String,
    /// Environment variables, as instances have them.
    pub environment: BTreeMap<String, String>,
    /// In the author's words, at most 4000 characters.
    pub notes: String,
    /// Whether the container has an SSH server.
    pub runs_ssh: bool,
    /// Whether the container has a Jupyter server.
    pub runs_jupyter: bool,
}

/// How an image that is not for everybody is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// The registry, 1 to 255 printable ASCII characters without blanks.
    pub host: String,
    /// The name to log in with, 1 to 255 characters.
    pub username: String,
    /// The password, which opens with [`Registry::opened`].
    pub password: Sealed,
}

impl Registry {
    /// The registry as names of images begin with it, without a scheme or a path. People also write
    /// Docker's own registry as its API's address.
    pub fn authority(&self) -> &str {
        let host = self.host.trim_start_matches("https://").trim_start_matches("http://");
        match host.split('/').next().unwrap_or_default() {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        }
    }

    /// The password for it, as that of the template that it was put into.
    pub fn opened(&self, vault: &dyn Vault, id: TemplateId) -> Result<SecretString> {
        vault.open(&self.password, &context(id))
    }
}

/// A template as lists have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSummary {
    /// Identifies the template.
    pub id: TemplateId,
    /// Its whole number.
    pub number: i64,
    /// Whose it is; `None` is the operator's.
    pub pool_id: Option<PoolId>,
    /// Who added it.
    pub author: Option<UserId>,
    /// Its name.
    pub name: String,
    /// The image's reference without a tag.
    pub image: String,
    /// The image's tag.
    pub tag: String,
    /// What it belongs to.
    pub category: String,
    /// The disk, in GB.
    pub disk_gb: u32,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Template {
    /// What an engine fetches: the image with its tag, and its registry before it where the name does not
    /// begin with that.
    pub fn reference(&self) -> String {
        let Recipe { image, tag, .. } = &self.recipe;
        let registry = self.registry.as_ref().map(Registry::authority);
        match registry.filter(|host| !image.starts_with(&format!("{host}/"))) {
            Some(host) => format!("{host}/{image}:{tag}"),
            None => format!("{image}:{tag}"),
        }
    }

    /// The template as lists have it.
    pub fn summary(&self) -> TemplateSummary {
        let Self { id, number, pool_id, author, created_at, updated_at, .. } = *self;
        let Recipe { name, image, tag, category, disk_gb, .. } = self.recipe.clone();
        TemplateSummary {
            id,
            number,
            pool_id,
            author,
            name,
            image,
            tag,
            category,
            disk_gb,
            created_at,
            updated_at,
        }
    }

    /// Of what may hold secrets only that it is there: not the script, the arguments or the values of the
    /// variables. A registry's username may be an e-mail address.
    fn facts(&self) -> Value {
        let recipe = &self.recipe;
        json!({ "number": self.number, "pool_id": self.pool_id, "name": recipe.name,
            "image": recipe.image, "tag": recipe.tag, "category": recipe.category,
            "disk_gb": recipe.disk_gb, "ports": recipe.ports,
            "variables": recipe.environment.keys().collect::<Vec<_>>(),
            "runs_ssh": recipe.runs_ssh, "runs_jupyter": recipe.runs_jupyter,
            "registry": self.registry.as_ref().map(|registry| &registry.host) })
    }

    fn added(&self, actor: Actor) -> Event {
        Event {
            kind: "template.added",
            subject: Subject::Template(self.id),
            actor,
            before: None,
            data: self.facts(),
            recipient: None,
            at: self.created_at,
        }
    }

    fn changed(&self, actor: Actor, before: &Self) -> Event {
        Event {
            kind: "template.changed",
            subject: Subject::Template(self.id),
            actor,
            before: Some(before.facts()),
            data: self.facts(),
            recipient: None,
            at: self.updated_at,
        }
    }

    fn deleted(&self, actor: Actor, at: Timestamp) -> Event {
        Event {
            kind: "template.deleted",
            subject: Subject::Template(self.id),
            actor,
            before: Some(self.facts()),
            data: json!({ "pool_id": self.pool_id }),
            recipient: None,
            at,
        }
    }
}

/// What a template's password is sealed for. It is stored so for ever.
fn context(id: TemplateId) -> String {
    format!("template {id} registry password")
}
