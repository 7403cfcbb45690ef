//! Identifiers: 96 bits, 48 of Unix milliseconds and 48 random, so that they sort by time.
//!
//! One value, two spellings: 24 lower-case hex characters (the native surface), or a `UUIDv8` that
//! embeds the same bits (the databases, and surfaces whose clients expect a UUID).

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::clock::{Random, Timestamp};

/// The low 36 random bits sit above the 26 unused ones of the UUID's last field.
const UNUSED_BITS: u32 = 26;
const LOW_RANDOM_BITS: u32 = 36;
const LOW_RANDOM_MASK: u128 = (1 << LOW_RANDOM_BITS) - 1;

pub(crate) fn embed(bits: u128) -> Uuid {
    let milliseconds = bits >> 48;
    let high_random = (bits >> LOW_RANDOM_BITS) & 0xfff;
    let low_random = bits & LOW_RANDOM_MASK;
    let version = 0x8u128 << 76;
    let variant = 0b10u128 << 62;
    Uuid::from_u128(
        milliseconds << 80 | version | high_random << 64 | variant | low_random << UNUSED_BITS,
    )
}

pub(crate) fn extract(uuid: Uuid) -> u128 {
    let value = uuid.as_u128();
    let high_random = (value >> 64) & 0xfff;
    let low_random = (value >> UNUSED_BITS) & LOW_RANDOM_MASK;
    (value >> 80) << 48 | high_random << LOW_RANDOM_BITS | low_random
}

/// The id that goes with a text: the first 96 bits of its SHA-256.
pub(crate) fn digest(text: &str) -> Uuid {
    let hash = Sha256::digest(text.as_bytes());
    embed(hash.iter().take(12).fold(0, |bits, byte| bits << 8 | u128::from(*byte)))
}

pub(crate) fn generate(now: Timestamp, random: &dyn Random) -> Uuid {
    let milliseconds = u128::from(now.timestamp_millis().unsigned_abs()) & 0xffff_ffff_ffff;
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    embed(milliseconds << 48 | u128::from(u64::from_be_bytes(bytes) >> 16))
}

pub(crate) fn parse_hex(text: &str) -> Option<Uuid> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 24 || !text.bytes().all(lower_hex) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(embed)
}

/// Declares the identifier of one kind of thing, so that a pool's id cannot stand for a rental's.
macro_rules! entity_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new identifier; unique by its 48 random bits within one millisecond.
            pub fn generate(
                now: $crate::clock::Timestamp,
                random: &dyn $crate::clock::Random,
            ) -> Self {
                Self($crate::id::generate(now, random))
            }

            /// Reads 24 lower-case hex characters; anything else is `None`.
            pub fn parse(text: &str) -> Option<Self> {
                $crate::id::parse_hex(text).map(Self)
            }

            /// Reads a UUID as other surfaces spell it; anything else is `None`.
            pub fn parse_uuid(text: &str) -> Option<Self> {
                uuid::Uuid::parse_str(text).ok().map(Self)
            }

            /// The identifier that a stored UUID stands for.
            pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            /// The `UUIDv8` that is stored.
            pub const fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:024x}", $crate::id::extract(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom("an id is 24 lower-case hex characters")
                })
            }
        }
    };
}
pub(crate) use entity_id;

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hex_and_uuid_spell_the_same_id(bits in 0u128..1 << 96) {
            let uuid = embed(bits);
            prop_assert_eq!(extract(uuid), bits);
            prop_assert_eq!(uuid.get_version_num(), 8);
            prop_assert_eq!(parse_hex(&format!("{bits:024x}")), Some(uuid));
        }

        #[test]
        fn ids_and_their_uuids_sort_alike(a in 0u128..1 << 96, b in 0u128..1 << 96) {
            prop_assert_eq!(a.cmp(&b), embed(a).cmp(&embed(b)));
        }
    }

    #[test]
    fn only_24_lower_case_hex_characters_are_an_id() {
        let faults =
            ["", "507f1f77bcf86cd79943901", "507F1F77BCF86CD799439014", "+07f1f77bcf86cd799439014"];
        for text in faults {
            assert_eq!(parse_hex(text), None, "{text}");
        }
        assert!(parse_hex("507f1f77bcf86cd799439014").is_some());
    }
}
