//! The folders of a step on the host: its inputs, its scratch space, its output.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::RunError;
use super::host::host;
use super::ids::Ids;
use crate::base::{Digest, RelPath};
use crate::plan::ResolvedInput;
use crate::store::{IdMap, Store};

/// The folders of one step.
pub(super) struct Stage {
    pub inputs: PathBuf,
    pub output: PathBuf,
    pub scratch: PathBuf,
    pub log: PathBuf,
}

impl Stage {
    /// Makes them in an empty folder.
    pub fn new(folder: &Path, ids: &Ids) -> Result<Self, RunError> {
        let make = |name: &str| -> Result<PathBuf, RunError> {
            let path = folder.join(name);
            let made = fs::create_dir(&path).and_then(|()| give(&path, ids));
            made.map_err(host(format!("make the folder '{}'", path.display())))?;
            Ok(path)
        };
        let (inputs, output, scratch) = (make("in")?, make("out")?, make("build")?);
        Ok(Self { inputs, output, scratch, log: folder.join("log") })
    }

    /// Puts inputs under their names.
    pub fn fill(
        &self,
        store: &Store,
        label: &str,
        inputs: &BTreeMap<RelPath, ResolvedInput>,
        map: &IdMap,
    ) -> Result<(), RunError> {
        for (name, input) in inputs {
            let path = name.below(&self.inputs);
            let failed = || host(format!("stage the input '{name}' of {label}"));
            if let Some(parent) = path.parent() {
                make_folders(&self.inputs, parent).map_err(failed())?;
            }
            match input {
                ResolvedInput::File(digest) => stage_file(store, digest, &path).map_err(failed())?,
                ResolvedInput::Tree(digest) => {
                    let laid_out =
                        store.tree(digest).and_then(|tree| crate::store::lay_out(store, &tree, &path, map));
                    laid_out.map_err(|source| RunError::Store {
                        label: label.into(),
                        doing: format!("stage the input '{name}'"),
                        source,
                    })?;
                }
            }
        }
        // Folders tell nothing of when the step was run; those of trees have times of their own.
        let mut folders: Vec<_> = inputs.keys().filter_map(RelPath::parent).collect();
        while let Some(folder) = folders.pop() {
            set_old(&folder.below(&self.inputs)).map_err(host(format!("stage the inputs of {label}")))?;
            folders.extend(folder.parent());
        }
        set_old(&self.inputs).map_err(host(format!("stage the inputs of {label}")))
    }
}

/// Makes a folder open to all and gives it to the first id of the map.
pub(super) fn give(path: &Path, ids: &Ids) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o755))?;
    let (user, group) = ids.first();
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if (user, group) == own { Ok(()) } else { chown(path, Some(user), Some(group)) }
}

fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(root, parent)?;
    }
    fs::create_dir(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// An object by a further name; a copy where the file system cannot do that.
fn stage_file(store: &Store, digest: &Digest, path: &Path) -> io::Result<()> {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    let object = store.object_path(digest);
    match fs::hard_link(&object, path) {
        Err(error)
            if matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported) =>
        {
            fs::copy(&object, path)?;
            set_old(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o444))
        }
        result => result,
    }
}

/// Gives a path the time that objects have: one second after 1970.
pub(super) fn set_old(path: &Path) -> io::Result<()> {
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::open(path)?.set_times(FileTimes::new().set_modified(old).set_accessed(old))
}

/// Removes a folder; an error where that needs the rights of the map.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    crate::store::remove_tree(path)
}

impl Stage {
    /// Makes the place below `/in` where a file or folder of the host is to be seen.
    pub fn mount_point(&self, source: &Path, target: &RelPath) -> Result<(), RunError> {
        let Some(below) = target.as_str().strip_prefix("in/") else { return Ok(()) };
        let path = self.inputs.join(below);
        let make = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                make_folders(&self.inputs, parent)?;
            }
            if fs::metadata(source)?.is_dir() {
                make_folders(&self.inputs, &path)
            } else {
                File::create(&path).map(drop)
            }
        };
        make().map_err(host(format!("show '{}' at '/{target}'", source.display())))
    }
}
