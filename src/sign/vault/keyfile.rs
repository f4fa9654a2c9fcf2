//! The files that hold keys, named by fingerprint.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The largest key file, in bytes.
const LARGEST: u64 = 4 << 20;

/// Where a key is; none if the text is no fingerprint, as in a database that somebody changed.
fn path(folder: &Path, fingerprint: &str) -> io::Result<PathBuf> {
    let plain =
        (40..=64).contains(&fingerprint.len()) && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !plain {
        return Err(io::Error::other("the key's fingerprint is none"));
    }
    Ok(folder.join("keys").join(format!("{}.key", fingerprint.to_ascii_uppercase())))
}

/// Reads one into a buffer that does not grow.
pub(super) fn read(folder: &Path, fingerprint: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path(folder, fingerprint)?)?;
    let length = file.metadata()?.len();
    if length > LARGEST {
        return Err(io::Error::other("the key's file is too large"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1));
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a new one; it must not be there.
pub(super) fn create(folder: &Path, fingerprint: &str, bytes: &[u8]) -> io::Result<()> {
    let path = path(folder, fingerprint)?;
    let written = write(&path, bytes);
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        fs::remove_file(&path).ok();
    }
    written?;
    sync(folder)
}

/// Puts another in its place, at one moment.
pub(super) fn replace(folder: &Path, fingerprint: &str, bytes: &[u8]) -> io::Result<()> {
    let path = path(folder, fingerprint)?;
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write(&beside, bytes).and_then(|()| fs::rename(&beside, &path)).inspect_err(|_| {
        fs::remove_file(&beside).ok();
    })?;
    sync(folder)
}

/// Removes one; that it is not there is no error.
pub(super) fn remove(folder: &Path, fingerprint: &str) -> io::Result<()> {
    match fs::remove_file(path(folder, fingerprint)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync(folder),
    }
}

/// The files that belong to none of some keys, sorted.
pub(super) fn strangers(folder: &Path, fingerprints: &[String]) -> io::Result<Vec<String>> {
    let known: Vec<_> =
        fingerprints.iter().filter_map(|fingerprint| path(folder, fingerprint).ok()).collect();
    #[allow(clippy::disallowed_methods, reason = "the names are sorted")]
    let entries = fs::read_dir(folder.join("keys"))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if !known.contains(&path) {
            found.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder.join("keys"))?.sync_all()
}
