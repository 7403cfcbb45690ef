//! What may be named in a script, whatever the quoting there.

use domain::instance::{Driven, DriverFault};

/// A unit's name is a user and part of many paths.
pub fn unit(name: &str) -> Driven<&str> {
    let digits =
        name.strip_prefix('c').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_plain = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b"-_".contains(&b));
    if name.len() <= 32 && digits.is_some_and(is_plain) {
        return Ok(name);
    }
    Err(DriverFault::Refused(format!("{name:?} does not name a compute unit")))
}

/// Keys, one a line. Each was checked to be one line when it was added.
pub fn keys(keys: &[String]) -> Driven<String> {
    let keys: Vec<_> = keys.iter().map(|key| key.trim()).collect();
    if keys.iter().any(|key| key.is_empty() || key.contains(char::is_control)) {
        return Err(DriverFault::Refused("a public key is not one line".to_owned()));
    }
    Ok(keys.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_named_by_their_cpus() {
        for name in ["c0", "c0-3", "c0-7_2", "c12-15_20"] {
            assert_eq!(unit(name), Ok(name));
        }
        let long = format!("c{}", "1".repeat(32));
        for name in ["", "c", "root", "renter", "c-", "c0;ls", "c0/..", "c0 ", "c0\n", "-c0", &long]
        {
            assert!(unit(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_key_with_two_lines_is_refused() {
        let two = |key: &str| keys(&["ssh-ed25519 AAAA one ".to_owned(), key.to_owned()]);
        assert_eq!(two("ssh-rsa AAAA"), Ok("ssh-ed25519 AAAA one\nssh-rsa AAAA".to_owned()));
        for key in ["ssh-rsa AAAA\ncommand", "", "a\0b", "a\rb"] {
            assert!(two(key).is_err(), "{key:?}");
        }
    }
}
