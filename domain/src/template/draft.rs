//! A template as somebody describes it.

use secrecy::{ExposeSecret, SecretString};

use super::{Recipe, Registry, Template, TemplateId, context};
use crate::error::{Error, Result, Violation};
use crate::inside::{environment_fault, ports_fault, start_script_fault};
use crate::text::{ONE_LINE_OF_100, line};
use crate::vault::Vault;

const MOST_DISK_GB: u32 = 65_536;
const MOST_ARGUMENTS: usize = 4_096;
const MOST_NOTES: usize = 4_000;
const MOST_PASSWORD_BYTES: usize = 4_096;

/// A template as somebody describes it.
#[derive(Clone, Debug, Default)]
pub struct TemplateDraft {
    /// What a container gets of it.
    pub recipe: Recipe,
    /// Where the image is fetched, if that asks who one is.
    pub registry: Option<RegistryDraft>,
}

/// How an image that is not for everybody is to be fetched.
#[derive(Clone, Debug)]
pub struct RegistryDraft {
    /// The registry, 1 to 255 printable ASCII characters without blanks.
    pub host: String,
    /// The name to log in with, 1 to 255 characters.
    pub username: String,
    /// The password, 1 to 4096 bytes; without one, that which the template has for this registry and name
    /// stays.
    pub password: Option<SecretString>,
}

impl RegistryDraft {
    fn violations(&self, violations: &mut Vec<Violation>) {
        let mut fault = |path: &str, message: &str| violations.push(Violation::new(path, message));
        if !is_graphic(&self.host) {
            fault("/registry/host", "must be 1 to 255 printable ASCII characters without blanks");
        }
        if line(&self.username, 255).is_none() {
            let message = "must be 1 to 255 characters, none of them a control character";
            fault("/registry/username", message);
        }
        let fits = |password: &SecretString| {
            let password = password.expose_secret();
            (1..=MOST_PASSWORD_BYTES).contains(&password.len()) && !password.contains('\0')
        };
        if self.password.as_ref().is_some_and(|password| !fits(password)) {
            fault("/registry/password", "must be 1 to 4096 bytes without the character U+0000");
        }
    }
}

fn is_graphic(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether the text is a reference without a tag: a colon is that of a registry's port only where a path
/// follows it.
fn is_image(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or_default();
    is_graphic(text) && !text.contains('@') && !last.is_empty() && !last.contains(':')
}

fn is_tag(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

fn is_text(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.contains('\0')
}

impl TemplateDraft {
    /// Every fault that shows without a look at what was there before.
    pub fn violations(&self) -> Vec<Violation> {
        let recipe = &self.recipe;
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: &str| violations.push(Violation::new(path, message));
        if line(&recipe.name, 100).is_none() {
            fault("/name", ONE_LINE_OF_100);
        }
        if !is_image(&recipe.image) {
            let message =
                "must be 1 to 255 printable ASCII characters without blanks, tag or digest";
            fault("/image", message);
        }
        let registry = self.registry.as_ref().map_or(0, |registry| registry.host.len());
        if is_image(&recipe.image) && registry + recipe.image.len() + recipe.tag.len() > 253 {
            fault("/image", "must be at most 255 characters with its registry and tag");
        }
        if !is_tag(&recipe.tag) {
            fault("/tag", "must be 1 to 128 letters, digits, underscores, dots and dashes");
        }
        if !recipe.category.trim().is_empty() && line(&recipe.category, 100).is_none() {
            fault("/category", "must be at most 100 characters, none of them a control character");
        }
        if !(1..=MOST_DISK_GB).contains(&recipe.disk_gb) {
            fault("/disk_gb", "must be 1 to 65536");
        }
        if let Some(message) = ports_fault(&recipe.ports) {
            fault("/ports", &message);
        }
        if let Some(message) = start_script_fault(&recipe.start_script) {
            fault("/start_script", message);
        }
        if !is_text(&recipe.build_arguments, MOST_ARGUMENTS) {
            fault("/build_arguments", "must be at most 4096 characters");
        }
        if let Some(message) = environment_fault(&recipe.environment) {
            fault("/environment", &message);
        }
        if !is_text(&recipe.notes, MOST_NOTES) {
            fault("/notes", "must be at most 4000 characters");
        }
        if let Some(registry) = &self.registry {
            registry.violations(&mut violations);
        }
        violations
    }

    /// The same of one that is to be added, where no password was before.
    pub fn violations_of_new(&self) -> Vec<Violation> {
        let mut violations = self.violations();
        if self.registry.as_ref().is_some_and(|registry| registry.password.is_none()) {
            violations.push(Violation::new("/registry/password", "is required"));
        }
        violations
    }

    /// What is stored, without the blanks around its names.
    pub(super) fn recipe(&self) -> Recipe {
        let Recipe { name, category, .. } = &self.recipe;
        let (name, category) = (name.trim().to_owned(), category.trim().to_owned());
        Recipe { name, category, ..self.recipe.clone() }
    }

    /// The registry with its password sealed; the one that was there stays where none was sent.
    pub(super) fn registry(
        &self,
        vault: &dyn Vault,
        id: TemplateId,
        before: Option<&Template>,
    ) -> Result<Option<Registry>> {
        let Some(draft) = &self.registry else { return Ok(None) };
        let (host, username) = (draft.host.clone(), draft.username.trim().to_owned());
        let is_same = |known: &&Registry| (&known.host, &known.username) == (&host, &username);
        let known = before.and_then(|before| before.registry.as_ref()).filter(is_same);
        let password = match (&draft.password, known) {
            (Some(password), _) => vault.seal(password, &context(id))?,
            (None, Some(known)) => known.password.clone(),
            (None, None) => {
                let message = "is required for another registry or name than before";
                return Err(Error::invalid("/registry/password", message));
            }
        };
        Ok(Some(Registry { host, username, password }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_neither_a_tag_nor_a_digest() {
        for image in ["ubuntu", "library/ubuntu", "localhost:5000/a", "ghcr.io/a/b-c_d.e", "A"] {
            assert!(is_image(image), "{image}");
        }
        let most = "x".repeat(255);
        assert!(is_image(&most));
        for image in ["", "ubuntu:24.04", "h:5000/a:1", "a@sha256:0", "a b", "a/", "ä", "a\n"] {
            assert!(!is_image(image), "{image}");
        }
        assert!(!is_image(&format!("{most}x")));
    }

    #[test]
    fn a_tag_is_a_word() {
        for tag in ["latest", "24.04", "v1_2-rc.1", &"x".repeat(128)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", "a b", "a/b", "a:b", "ä", "a\n", &"x".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }
}
