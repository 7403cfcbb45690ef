//! What a container or a machine has inside by its owner's wish: published ports, variables, a script.

use std::collections::BTreeMap;

/// The most ports that are published.
const MOST_PORTS: usize = 32;
/// The most environment variables.
const MOST_VARIABLES: usize = 100;
/// The most bytes of one of their values.
pub(crate) const MOST_VALUE_BYTES: usize = 4_096;
/// The most bytes of all their values together, so that a list of a thousand can be read at once.
pub(crate) const MOST_BYTES: usize = 64 * 1024;
/// The most bytes of a script.
pub(crate) const MOST_SCRIPT_BYTES: usize = 64 * 1024;
/// What to say of a script that must be there and is too long or empty.
pub(crate) const SCRIPT_ADVICE: &str = "must be 1 byte to 64 KiB without the character U+0000";

/// What is wrong with a script that runs at every start.
pub(crate) fn start_script_fault(script: &str) -> Option<&'static str> {
    let good = script.len() <= MOST_SCRIPT_BYTES && !script.contains('\0');
    (!good).then_some("must be at most 64 KiB without the character U+0000")
}

/// A script that runs at every start, if there is anything to run.
pub(crate) fn start_script(script: String) -> Option<String> {
    Some(script).filter(|script| !script.trim().is_empty())
}

/// What is wrong with ports inside that are to be published.
pub(crate) fn ports_fault(ports: &[u16]) -> Option<String> {
    let mut different = ports.to_vec();
    different.sort_unstable();
    different.dedup();
    let good = different.len() == ports.len() && ports.len() <= MOST_PORTS && !ports.contains(&0);
    (!good).then(|| format!("must be at most {MOST_PORTS} different ports from 1 to 65535"))
}

/// What is wrong with environment variables.
pub(crate) fn environment_fault(environment: &BTreeMap<String, String>) -> Option<String> {
    let named = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=128).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    let good = |(name, value): (&String, &String)| {
        named(name) && value.len() <= MOST_VALUE_BYTES && !value.contains('\0')
    };
    let bytes: usize = environment.values().map(String::len).sum();
    let good =
        environment.len() <= MOST_VARIABLES && bytes <= MOST_BYTES && environment.iter().all(good);
    (!good).then(|| {
        format!(
            "must be at most {MOST_VARIABLES} variables, names of A-Z a-z 0-9 _, values of 4096 bytes \
             and together of 64 KiB"
        )
    })
}
