//! Files that are written complete or not at all.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::super::output::quoted;
use super::super::{Failure, Kind};

/// Writes a file beside its place and gives it its name when it is done; one that exists is replaced only if told so.
pub fn file(
    path: &Path,
    replace: bool,
    write: impl FnOnce(&mut File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let exists = || {
        Failure::new(Kind::Usage, format!("the file '{}' exists", quoted(path))).hint("--force replaces it")
    };
    if !replace && path.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".gander-rpm").tempfile_in(folder);
    let mut output = made.map_err(|error| failed(path, error))?;
    write(output.as_file_mut())?;
    let file = output.as_file();
    file.set_permissions(Permissions::from_mode(0o644))
        .and_then(|()| file.sync_all())
        .map_err(|error| failed(path, error))?;
    if replace {
        output.persist(path).map(drop).map_err(|error| failed(path, error.error))
    } else {
        output.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(),
            _ => failed(path, error.error),
        })
    }
}

/// A file that cannot be written.
pub fn failed(path: &Path, error: std::io::Error) -> Failure {
    super::about(Kind::Surroundings, "nothing can be written to", path, error)
}
