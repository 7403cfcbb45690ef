//! Software as somebody describes it.

use super::option::options_violations;
use super::{Scripts, Software, SoftwareId, SoftwareOption};
use crate::clock::Timestamp;
use crate::error::Violation;
use crate::inside::{MOST_SCRIPT_BYTES, SCRIPT_ADVICE};
use crate::pool::PoolId;
use crate::text::{ONE_LINE_OF_100, line};

const MOST_DESCRIPTION: usize = 4_000;

/// Software as somebody describes it.
#[derive(Clone, Debug, Default)]
pub struct SoftwareDraft {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What it belongs to.
    pub category: String,
    /// What is run.
    pub scripts: Scripts,
    /// What is chosen.
    pub options: Vec<SoftwareOption>,
}

impl SoftwareDraft {
    /// Every fault.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: &str| violations.push(Violation::new(path, message));
        if line(&self.name, 100).is_none() {
            fault("/name", ONE_LINE_OF_100);
        }
        let description = &self.description;
        if description.chars().count() > MOST_DESCRIPTION || description.contains('\0') {
            fault("/description", "must be at most 4000 characters");
        }
        if !self.category.trim().is_empty() && line(&self.category, 100).is_none() {
            fault("/category", "must be at most 100 characters, none of them a control character");
        }
        let is_script =
            |text: &str| (1..=MOST_SCRIPT_BYTES).contains(&text.len()) && !text.contains('\0');
        if !is_script(&self.scripts.install) {
            fault("/install_script", SCRIPT_ADVICE);
        }
        if self.scripts.remove.as_ref().is_some_and(|script| !is_script(script)) {
            fault("/remove_script", SCRIPT_ADVICE);
        }
        options_violations(&self.options, &mut violations);
        violations
    }

    /// What is stored, without the blanks around its names.
    pub(super) fn software(
        &self,
        (id, number): (SoftwareId, i64),
        pool_id: Option<PoolId>,
        now: Timestamp,
    ) -> Software {
        let named = |option: &SoftwareOption| {
            let name = option.name.trim().to_owned();
            SoftwareOption { name, ..option.clone() }
        };
        Software {
            id,
            number,
            pool_id,
            name: self.name.trim().to_owned(),
            description: self.description.clone(),
            category: self.category.trim().to_owned(),
            options: self.options.iter().map(named).collect(),
            created_at: now,
            updated_at: now,
        }
    }
}
