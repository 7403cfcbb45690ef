//! Checked texts.

/// The text without the blanks around it, if it is 1 to `most` characters long and has no control
/// characters (PostgreSQL cannot keep U+0000, and a line break has no place in a name).
pub(crate) fn line(text: &str, most: usize) -> Option<&str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most;
    (fits && !text.contains(char::is_control)).then_some(text)
}

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
