//! Checked texts.

use sha2::{Digest as _, Sha256};

/// The text without the blanks around it, if it is 1 to `most` characters long and has no control
/// characters (PostgreSQL cannot keep U+0000, and a line break has no place in a name).
pub(crate) fn line(text: &str, most: usize) -> Option<&str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most;
    (fits && !text.contains(char::is_control)).then_some(text)
}

/// What to say of a text that is not [`line`] of at most 100.
pub(crate) const ONE_LINE_OF_100: &str =
    "must be 1 to 100 characters, none of them a control character";

/// Whether the text is spelled like a country's code (ISO 3166-1 alpha-2): two upper-case letters.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// What stands for a text that is too long for an index.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Declares a code, by which an operator and clients name one thing of a kind.
macro_rules! code {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Clone,
            Debug,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            serde::Serialize,
            serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks a code: 1 to 64 ASCII letters, digits, dots, underscores, tildes and dashes.
            pub fn parse(text: &str) -> Result<Self, &'static str> {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
                if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err("a code is 1 to 64 letters, digits, dots, underscores, tildes and dashes")
                }
            }

            /// The code that was stored after it had been checked.
            pub const fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use code;

/// Declares a checked text with its reader.
macro_rules! text {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text that was stored after it had been checked.
            pub const fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The spelling that must be unique: without regard to case.
            pub fn key(&self) -> String {
                self.0.to_lowercase()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text;
