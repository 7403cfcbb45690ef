//! Makes an image, or replaces it.

use serde_json::{Value, json};
use tracing::instrument;

use super::{Image, ImageCode, ImageId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Violation};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::text::{ONE_LINE_OF_100, line};
use crate::token::Permission;
use crate::user::Operator;

const MAX_DETAILS: usize = 50;
const MAX_ALIASES: usize = 16;
const MAX_DISK_GB: u32 = 1_000_000;

/// An image as an operator describes it.
#[derive(Clone, Debug)]
pub struct ImageDraft {
    /// Names the image.
    pub code: ImageCode,
    /// Its name for people, 1 to 100 characters.
    pub name: String,
    /// What it belongs to, 1 to 100 characters.
    pub category: String,
    /// What is in it: at most 50 lines of 1 to 200 characters.
    pub details: Vec<String>,
    /// What a driver starts: 1 to 255 printable ASCII characters without blanks.
    pub reference: String,
    /// Who logs in, a name as in Unix.
    pub username: String,
    /// The smallest disk that it fits on, in GB.
    pub min_disk_gb: u32,
    /// Other names that programs order it by: at most 16 of 1 to 100 of `A-Za-z0-9._~-`.
    pub aliases: Vec<String>,
    /// Whether it is proposed to who has no wish.
    pub is_default: bool,
    /// Whether it is shown to renters.
    pub is_listed: bool,
}

impl ImageDraft {
    /// Every fault.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: &str| violations.push(Violation::new(path, message));
        if line(&self.name, 100).is_none() {
            fault("/name", ONE_LINE_OF_100);
        }
        if line(&self.category, 100).is_none() {
            fault("/category", ONE_LINE_OF_100);
        }
        if self.details.len() > MAX_DETAILS {
            fault("/details", "has more than 50 entries");
        }
        for (at, detail) in self.details.iter().enumerate() {
            if line(detail, 200).is_none() {
                let message = "must be 1 to 200 characters, none of them a control character";
                fault(&format!("/details/{at}"), message);
            }
        }
        let is_graphic = self.reference.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=255).contains(&self.reference.len()) || !is_graphic {
            fault("/reference", "must be 1 to 255 printable ASCII characters without blanks");
        }
        if !is_unix_name(&self.username) {
            let message = "must be a lower-case letter or _, then at most 31 lower-case letters, \
                           digits, underscores and dashes";
            fault("/username", message);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
        let is_name = |text: &String| (1..=100).contains(&text.len()) && text.bytes().all(plain);
        if self.aliases.len() > MAX_ALIASES || !self.aliases.iter().all(is_name) {
            fault("/aliases", "must be at most 16, each 1 to 100 of A-Z a-z 0-9 . _ ~ -");
        }
        if self.min_disk_gb > MAX_DISK_GB {
            fault("/min_disk_gb", "must be 0 to 1000000");
        }
        violations
    }

    /// The image that it makes, of the one that was there.
    fn image(&self, before: Option<&Image>, new_id: ImageId, now: Timestamp) -> Image {
        Image {
            id: before.map_or(new_id, |before| before.id),
            code: self.code.clone(),
            name: self.name.trim().to_owned(),
            category: self.category.trim().to_owned(),
            details: self.details.iter().map(|detail| detail.trim().to_owned()).collect(),
            reference: self.reference.clone(),
            username: self.username.clone(),
            min_disk_gb: self.min_disk_gb,
            aliases: self.aliases.clone(),
            is_default: self.is_default,
            is_listed: self.is_listed,
            created_at: before.map_or(now, |before| before.created_at),
            updated_at: now,
        }
    }
}

fn is_unix_name(text: &str) -> bool {
    let begins = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let follows = |byte: u8| begins(byte) || byte.is_ascii_digit() || byte == b'-';
    text.bytes().next().is_some_and(begins) && text.len() <= 32 && text.bytes().all(follows)
}

/// Makes an image, or replaces it. One that is so already stays as it is.
#[instrument(name = "image.put", skip_all, fields(code = %draft.code))]
pub async fn put(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    operator: &Operator,
    draft: ImageDraft,
) -> Result<Image> {
    operator.may(Permission::AdminWrite)?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    let new_id = ImageId::generate(now, random);
    atomically(store, async |tx: &dyn Tx| {
        let before = tx.image_for_update(&draft.code).await?;
        let image = draft.image(before.as_ref(), new_id, now);
        match &before {
            Some(before) if facts(before) == facts(&image) => return Ok(before.clone()),
            Some(_) => tx.save_image(&image).await?,
            None => tx.add_image(&image).await?,
        }
        tx.record(vec![Event {
            kind: "image.changed",
            subject: Subject::Image(image.id),
            actor: operator.actor(),
            before: before.as_ref().map(facts),
            data: facts(&image),
            recipient: None,
            at: now,
        }])
        .await?;
        Ok(image)
    })
    .await
}

fn facts(image: &Image) -> Value {
    json!({ "code": image.code, "name": image.name, "category": image.category,
        "details": image.details, "reference": image.reference, "username": image.username,
        "min_disk_gb": image.min_disk_gb, "aliases": image.aliases, "is_default": image.is_default,
        "is_listed": image.is_listed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_unix_knows() {
        for name in ["root", "_apt", "a", "ubuntu-22_b", &"x".repeat(32)] {
            assert!(is_unix_name(name), "{name}");
        }
        for name in ["", "Root", "1a", "-a", "a b", "a.b", "ä", "a\n", &"x".repeat(33)] {
            assert!(!is_unix_name(name), "{name}");
        }
    }
}
