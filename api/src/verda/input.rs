//! What requests have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use domain::tag::{Tag, Tags};
use domain::volume::Afterwards;
use serde::Deserialize;

use super::error::{Code, Failure};

/// The most labels that one thing has here.
pub const MOST_TAGS: usize = 10;

/// One id or several, as deletions and actions take them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "ids must be a text or an array of texts")]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// The ids as they were sent, at most 1,000, and maybe none at all.
    pub fn texts(self) -> Result<Vec<String>, Failure> {
        let texts = match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        };
        if texts.len() > 1_000 {
            return Err(Failure::Told(Code::InvalidRequest, "at most 1000 ids are taken at once"));
        }
        Ok(texts)
    }

    /// The ids, each once; `None` where one is no id.
    pub fn ids<Id: Ord>(
        self,
        parse: impl Fn(&str) -> Option<Id>,
    ) -> Result<Option<BTreeSet<Id>>, Failure> {
        Ok(self.texts()?.iter().map(|text| parse(text)).collect())
    }
}

/// A whole number; the document's examples write sizes as text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "sizes and the like must be whole numbers")]
pub enum Whole {
    Number(u32),
    Text(String),
}

impl Whole {
    /// The number, or what is wrong with it.
    pub fn read(self, name: &str) -> Result<u32, Failure> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(|_| invalid(name, "must be a whole number")),
        }
    }
}

/// A label as it is ordered with something.
#[derive(Deserialize)]
pub struct NewTag {
    key: Option<String>,
    value: Option<String>,
}

impl NewTag {
    /// The label, its key in lower case.
    pub fn read(self) -> Result<Tag, Failure> {
        let key = required(self.key, "key")?.to_lowercase();
        Ok(Tag { key, value: self.value.unwrap_or_default() })
    }
}

/// Labels of something new, each key once.
pub fn tags(new: Option<Vec<NewTag>>) -> Result<Tags, Failure> {
    let new = new.unwrap_or_default();
    let count = new.len();
    let mut map = BTreeMap::new();
    for tag in new {
        let Tag { key, value } = tag.read()?;
        map.insert(key, value);
    }
    if map.len() != count || count > MOST_TAGS {
        return Err(invalid("tags", "must be at most 10 with different keys"));
    }
    Tags::parse(map).map_err(|advice| invalid("tags", advice))
}

/// A member of a request that must be there.
pub fn required<T>(member: Option<T>, name: &str) -> Result<T, Failure> {
    member.ok_or_else(|| invalid(name, "is required"))
}

/// A member of a request in the domain's spelling, or what is wrong with it.
pub fn parsed<T, F: Display>(
    text: &str,
    name: &str,
    parse: impl Fn(&str) -> Result<T, F>,
) -> Result<T, Failure> {
    parse(text).map_err(|fault| invalid(name, fault))
}

/// What becomes of a volume whose spot instance is evicted.
pub fn afterwards(text: Option<String>) -> Result<Afterwards, Failure> {
    let Some(text) = text else { return Ok(Afterwards::default()) };
    let advice = "must be keep_detached, move_to_trash or delete_permanently";
    Afterwards::parse(&text).ok_or_else(|| invalid("on_spot_discontinue", advice))
}

/// The refusal of a member of a request.
pub fn invalid(name: &str, fault: impl Display) -> Failure {
    Failure::Refused(Code::InvalidRequest, format!("{name} {fault}"))
}
