//! The texts that name a user. Each is checked once, here.

use crate::text::{line, text};

text!(
    /// A name to sign in with: 3 to 50 ASCII letters, digits, `_` and `-`; unique without case.
    Username
);

text!(
    /// An e-mail address of at most 254 characters; unique without case. That it can receive mail
    /// is not known.
    Email
);

text!(
    /// A name to be shown: 1 to 100 characters, no control characters.
    Alias
);

impl Username {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (3..=50).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a username is 3 to 50 letters, digits, underscores and dashes")
        }
    }
}

impl Email {
    /// Checks an address: one `@` between a local part and a host name with a dot.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fault = "an e-mail address looks like name@example.org and has at most 254 characters";
        let (local, host) = text.rsplit_once('@').ok_or(fault)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        let local_ok = (1..=64).contains(&local.len()) && !local.contains(odd);
        let label_ok = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let host_ok = host.contains('.') && host.split('.').all(label_ok);
        if text.len() <= 254 && local_ok && host_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(fault)
        }
    }
}

impl Alias {
    /// Checks a name to be shown; surrounding blanks are cut.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let name = line(text, 100).map(|text| Self(text.to_owned()));
        name.ok_or("an alias is 1 to 100 characters without control characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["abc", "A-b_9", &"x".repeat(50)] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
        for name in ["", "ab", "a b c", "häns", "a.b.c", &"x".repeat(51)] {
            assert!(Username::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn addresses_are_checked() {
        for address in ["a@b.de", "first.last+tag@sub.example.org", "a@bücher.example"] {
            assert!(Email::parse(address).is_ok(), "{address}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for address in ["", "a", "a@b", "@b.de", "a@.de", "a@b..de", "a b@c.de", "a@b@c.de", &long]
        {
            assert!(Email::parse(address).is_err(), "{address}");
        }
    }
}
