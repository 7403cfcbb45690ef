//! The text of a public key.

use ssh_key::HashAlg;
use ssh_key::public::KeyData;

const MAX_BYTES: usize = 16 * 1024;
/// The tag of a curve's point that is written in full (SEC 1, 2.3.3): the only one OpenSSH reads.
const UNCOMPRESSED: u8 = 4;
/// 2048 bits, and the 16384 beyond which OpenSSH refuses a key.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=2_048;

/// A public key in OpenSSH's spelling: kind, data and perhaps a comment, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    sent: String,
    fingerprint: String,
}

impl PublicKey {
    /// Checks a text, which may end with a line break.
    pub fn parse(sent: &str) -> Result<Self, &'static str> {
        let text = line(sent);
        if text.len() > MAX_BYTES {
            return Err("a public key is at most 16 KiB");
        }
        // What followed a line break would be a key, or an option, of its own.
        if text.contains(char::is_control) {
            return Err("a public key is one line without control characters");
        }
        let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| NOT_A_KEY)?;
        if !is_accepted(key.key_data()) {
            return Err(NOT_ACCEPTED);
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { sent: sent.to_owned(), fingerprint })
    }

    /// The text as it was sent: Terraform takes any other for a change.
    pub fn as_str(&self) -> &str {
        &self.sent
    }

    /// Such as `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// A key without the line break that a file ends with.
pub(crate) fn line(sent: &str) -> &str {
    let text = sent.strip_suffix('\n').unwrap_or(sent);
    text.strip_suffix('\r').unwrap_or(text)
}

const NOT_A_KEY: &str = "is not an OpenSSH public key such as `ssh-ed25519 AAAA… comment`, without \
                         options before it";
const NOT_ACCEPTED: &str = "must be an ed25519, ecdsa, sk-ed25519 or sk-ecdsa key, or an RSA key of \
                            2048 to 16384 bits";

fn is_accepted(key: &KeyData) -> bool {
    match key {
        KeyData::Ed25519(_) | KeyData::SkEd25519(_) => true,
        KeyData::Ecdsa(key) => key.as_sec1_bytes().first() == Some(&UNCOMPRESSED),
        KeyData::SkEcdsaSha2NistP256(key) => {
            key.ec_point().as_bytes().first() == Some(&UNCOMPRESSED)
        }
        KeyData::Rsa(key) => key.n.as_positive_bytes().is_some_and(|modulus| {
            let is_short = modulus.len() == *RSA_BYTES.start()
                && modulus.first().is_none_or(|byte| byte.leading_zeros() > 0);
            RSA_BYTES.contains(&modulus.len()) && !is_short
        }),
        // DSA, and whatever else there may be one day.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! example {
        ($name:literal) => {
            include_str!(concat!("examples/", $name, ".pub"))
        };
    }

    // The fingerprints are those that `ssh-keygen -l` prints.
    #[test]
    fn every_kind_of_key_is_read_as_openssh_reads_it() {
        for (text, fingerprint) in [
            (example!("ed25519"), "SHA256:VgS3deG2Wl/BxsL7HCYOZG47z5foxn8BdWE+eE2pBJw"),
            (example!("ecdsa_256"), "SHA256:5IW0LpzLvx8XuYPmEKRLJcLqglUahRS5CIme0dv7wjQ"),
            (example!("ecdsa_384"), "SHA256:2DwtRnO2PnRszFjvlcyOL4OVr4b+dcXpAFSPqi685Xk"),
            (example!("ecdsa_521"), "SHA256:KFe5dQ/PaU2ndd+xLe9EbN5a9XQZpOdTYhMJ806wgVY"),
            (example!("rsa_2048"), "SHA256:mJCNOFTJUCMJU3R+kslWIWCp1lFuQHM5cOgUdhAqx1o"),
            (example!("sk_ed25519"), "SHA256:x9hMyQJH1xtlWjZElISAGYxL6wj/7DMG1IHDFwjOnIk"),
            (example!("sk_ecdsa"), "SHA256:5B74FjgeOQBbgPbphlcf2aHAyUUU7H059axqi4qM85Y"),
        ] {
            let key = PublicKey::parse(text).unwrap();
            assert_eq!(key.fingerprint(), fingerprint);
            assert_eq!((key.as_str(), line(key.as_str())), (text, text.trim_end()));
        }
    }

    #[test]
    fn a_text_is_kept_and_a_line_of_it_goes_without_its_end() {
        let key = example!("ed25519").trim_end();
        let bare = key.strip_suffix(" me@example.org").unwrap();
        for text in [key.to_owned(), bare.to_owned(), format!("{bare} "), format!("{key} ä  ")] {
            for end in ["", "\n", "\r\n"] {
                let sent = format!("{text}{end}");
                let key = PublicKey::parse(&sent).unwrap();
                assert_eq!((key.as_str(), line(key.as_str())), (sent.as_str(), text.as_str()));
            }
        }
    }

    // Seen accepted without their guards: DSA, a compressed point, a modulus of 2047 bits.
    #[test]
    fn what_openssh_would_not_accept_is_refused() {
        for text in
            [example!("dsa"), example!("compressed"), example!("rsa_1024"), example!("rsa_2047")]
        {
            assert_eq!(PublicKey::parse(text), Err(NOT_ACCEPTED), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_or_more_than_one_is_refused() {
        let key = example!("ed25519").trim_end();
        let (kind, rest) = key.split_once(' ').unwrap();
        let data = rest.split_once(' ').unwrap().0;
        let cut: String = data.chars().take(data.len() - 4).collect();
        for text in [
            String::new(),
            "\n".to_owned(),
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 AAAA".to_owned(),
            format!("{kind} {cut}"),
            format!("{kind} {data}AAAA"),
            format!("ssh-rsa {data}"),
            data.to_owned(),
            format!(" {key}"),
            example!("certificate").to_owned(),
            format!("{key}\n\n"),
            format!("{key}\n{key}"),
            format!("{key}\r{key}"),
            format!("{key}\0"),
            format!("no-pty {key}"),
            format!("command=\"id\" {key}"),
            format!("-----BEGIN OPENSSH PRIVATE KEY-----{data}"),
            format!("{key}{}", "x".repeat(MAX_BYTES)),
        ] {
            assert!(PublicKey::parse(&text).is_err(), "{text:.120}");
        }
        let fits = format!("{key}{}", "x".repeat(MAX_BYTES - key.len()));
        assert!(PublicKey::parse(&fits).is_ok());
    }
}
