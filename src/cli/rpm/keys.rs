//! The keys that `--keys` names.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::output::quoted;
use super::super::{Failure, Global, Kind};
use crate::openpgp::{Certificate, Keyring};

/// Reads key files and folders of key files. In a folder, what is no key is passed over with a warning: a key that is
/// missing can only make signatures fail.
pub fn read(global: &Global, paths: &[PathBuf]) -> Result<Keyring, Failure> {
    let mut certificates = Vec::new();
    for path in paths {
        if !path.is_dir() {
            let words = |problem| format!("the keys in '{}' cannot be used: {problem}", quoted(path));
            certificates.extend(file(path).map_err(|problem| Failure::new(Kind::Input, words(problem)))?);
            continue;
        }
        for path in files(path).map_err(|error| {
            Failure::new(Kind::Input, format!("the folder '{}' cannot be read: {error}", quoted(path)))
        })? {
            match file(&path) {
                Ok(found) => certificates.extend(found),
                Err(problem) => {
                    global.say(format_args!("warning: '{}' is passed over: {problem}", quoted(&path)));
                }
            }
        }
    }
    let keyring: Keyring = certificates.into_iter().collect();
    if keyring.certificates().is_empty() {
        return Err(Failure::new(Kind::Input, "there is no key to verify signatures with")
            .hint("name a key file, or a folder that holds key files itself, with --keys"));
    }
    Ok(keyring)
}

/// The files right in a folder, sorted.
#[allow(clippy::disallowed_methods, reason = "the entries are sorted")]
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn file(path: &Path) -> Result<Vec<Certificate>, String> {
    let mut bytes = Vec::new();
    let limit = Certificate::KEYRING_LIMIT as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    Certificate::parse_all(&bytes).map_err(|error| error.to_string())
}
