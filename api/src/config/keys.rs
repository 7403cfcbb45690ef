//! The signing key: given by configuration, or generated once and kept in the data folder.

use std::io::{ErrorKind, Write};
use std::path::Path;

use domain::clock::Random;
use domain::id::hex;
use secrecy::SecretSlice;

const KEY_BYTES: usize = 32;

/// Reads a key in hexadecimal.
pub fn parse(text: &str) -> Result<SecretSlice<u8>, &'static str> {
    let fault = "must be at least 64 hexadecimal digits (32 bytes), such as `openssl rand -hex 32`";
    let text = text.trim();
    if text.len() < KEY_BYTES * 2 || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(fault);
    }
    let byte = |pair: &[u8]| {
        std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes.map(SecretSlice::from).ok_or(fault)
}

/// The key in `folder`, generated there (readable by its owner only) if it is missing.
pub fn signing_key(folder: &Path, random: &dyn Random) -> std::io::Result<SecretSlice<u8>> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("signing.key");
    match create(&path, random) {
        Ok(()) => {}
        // Another start, or another process just now, has made it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let text = std::fs::read_to_string(&path)?;
    let fault = |why| std::io::Error::other(format!("{}: {why}", path.display()));
    parse(&text).map_err(fault)
}

/// Writes the key beside its place and links it there, so that nobody ever reads half a key.
fn create(path: &Path, random: &dyn Random) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut bytes = [0; KEY_BYTES];
    random.fill(&mut bytes);
    let text = hex(&bytes);
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create(true).truncate(true).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked
}
