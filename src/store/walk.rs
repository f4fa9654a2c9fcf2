//! Listing folders in a fixed order.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags};

/// How a folder is opened: never through a symbolic link.
pub(super) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The names in an open folder, sorted by bytes.
pub(super) fn names_in(folder: impl AsFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    // Not opened anew: the folder may forbid that by now.
    let mut folder = Dir::new(rustix::io::fcntl_dupfd_cloexec(folder, 0)?)?;
    folder.rewind();
    for entry in folder {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The names in a folder, sorted by bytes.
pub(super) fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let folder = rustix::fs::open(folder, FOLDER, Mode::empty())?;
    Ok(names_in(folder)?.iter().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()).collect())
}

/// The bytes in all files below a path, as `ls` gives their sizes; each name of a file counts.
pub(super) fn bytes_below(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for name in names(&folder)? {
            let path = folder.join(name);
            let metadata = std::fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                open.push(path);
            } else {
                sum += metadata.len();
            }
        }
    }
    Ok(sum)
}
