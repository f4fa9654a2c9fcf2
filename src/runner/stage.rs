//! The folders of a step on the host: its inputs, its scratch space, its output.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::RunError;
use super::folders::{Folders, Place};
use super::host::host;
use super::ids::{Ids, Writer};
use super::supervise::Owners;
use crate::base::{Digest, RelPath};
use crate::plan::ResolvedInput;
use crate::store::Store;

/// The folders of one step.
pub(super) struct Stage {
    pub inputs: PathBuf,
    pub output: PathBuf,
    pub scratch: PathBuf,
    /// Where a tree is laid out that is the step's root; nothing is there yet.
    pub root: PathBuf,
    pub log: PathBuf,
    /// Where it is written who owns what, if the map has one id.
    pub owners: Option<PathBuf>,
}

/// Their names: all that may hold files of the map's ids.
pub(super) const FOLDERS: [&str; 4] = ["in", "build", "out", "root"];

impl Stage {
    /// Makes them in an empty folder; that of the output only if nothing is to be laid out there.
    pub fn new(folder: &Path, ids: &Ids, output: bool) -> Result<Self, RunError> {
        let make = |name: &str, now: bool| -> Result<PathBuf, RunError> {
            let path = folder.join(name);
            if now {
                let made = fs::create_dir(&path).and_then(|()| give(&path, ids));
                made.map_err(host(format!("make the folder '{}'", path.display())))?;
            }
            Ok(path)
        };
        let [inputs, scratch, output, root] = FOLDERS.map(|name| {
            make(
                name,
                match name {
                    "out" => output,
                    "root" => false,
                    _ => true,
                },
            )
        });
        let owners = (ids.writer == Writer::Single).then(|| folder.join("owners"));
        let log = folder.join("log");
        Ok(Self { inputs: inputs?, output: output?, scratch: scratch?, root: root?, log, owners })
    }

    /// Puts inputs under their names.
    pub fn fill(
        &self,
        folders: &Folders,
        label: &str,
        inputs: &BTreeMap<RelPath, ResolvedInput>,
        owners: &mut Owners,
    ) -> Result<(), RunError> {
        let ids = &folders.ids;
        let mut staged = BTreeMap::new();
        for (name, input) in inputs {
            let path = name.below(&self.inputs);
            let failed = || host(format!("stage the input '{name}' of {label}"));
            // What a tree holds may be a link to anywhere: nothing is put below.
            if std::iter::successors(name.parent(), RelPath::parent).any(|above| inputs.contains_key(&above))
            {
                return Err(failed()(io::Error::other("it lies in another input")));
            }
            if let Some(parent) = path.parent() {
                make_folders(&self.inputs, parent, ids).map_err(failed())?;
            }
            match input {
                ResolvedInput::File(digest) => {
                    stage_file(&folders.store, digest, &path, ids, &mut staged).map_err(failed())?;
                }
                ResolvedInput::Tree(digest) => {
                    folders.tree(label, digest, &path, Place::Input(name), owners)?;
                }
            }
        }
        // Folders tell nothing of when the step was run; those of trees have times of their own.
        let mut above: Vec<_> = inputs.keys().filter_map(RelPath::parent).collect();
        while let Some(folder) = above.pop() {
            set_old(&folder.below(&self.inputs)).map_err(host(format!("stage the inputs of {label}")))?;
            above.extend(folder.parent());
        }
        set_old(&self.inputs).map_err(host(format!("stage the inputs of {label}")))
    }
}

impl Stage {
    /// Writes down who owns what is laid out, for whoever watches the step.
    pub fn note(&self, owners: &Owners) -> Result<(), RunError> {
        let Some(path) = &self.owners else { return Ok(()) };
        let written = owners.to_bytes().and_then(|bytes| fs::write(path, bytes));
        written.map_err(host(format!("write '{}'", path.display())))
    }
}

/// Makes a folder open to all and gives it to the first id of the map.
pub(super) fn give(path: &Path, ids: &Ids) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o755))?;
    give_away(path, ids)
}

/// Gives a file or folder of this process's user to the first id of the map.
fn give_away(path: &Path, ids: &Ids) -> io::Result<()> {
    let (user, group) = ids.first();
    let metadata = fs::symlink_metadata(path)?;
    match (metadata.uid(), metadata.gid()) == (user, group) {
        true => Ok(()),
        false => chown(path, Some(user), Some(group)),
    }
}

fn make_folders(root: &Path, folder: &Path, ids: &Ids) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(root, parent, ids)?;
    }
    fs::create_dir(folder)?;
    give(folder, ids)
}

/// An object by a further name; a copy where that cannot be. In the jail it belongs to id 0: root gives the
/// object itself to the map, which is what an ordinary user's objects are from the start.
fn stage_file(
    store: &Store,
    digest: &Digest,
    path: &Path,
    ids: &Ids,
    staged: &mut BTreeMap<Digest, PathBuf>,
) -> io::Result<()> {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    // A second name of the same content is a second name of the same file, also where the first is a copy.
    if staged.get(digest).is_some_and(|first| fs::hard_link(first, path).is_ok()) {
        return Ok(());
    }
    let object = store.object_path(digest);
    let own = fs::symlink_metadata(&object)?.uid() == rustix::process::geteuid().as_raw();
    if own {
        give_away(&object, ids)?;
    }
    let (owner, first) = (fs::symlink_metadata(&object)?.uid(), ids.first().0);
    let linked = match owner == first {
        true => fs::hard_link(&object, path),
        // Another user's store.
        false => Err(PermissionDenied.into()),
    };
    match linked {
        Err(error)
            if matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported) =>
        {
            fs::copy(&object, path)?;
            give_away(path, ids)?;
            set_old(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o444))?;
        }
        result => result?,
    }
    staged.insert(*digest, path.to_owned());
    Ok(())
}

/// Gives a path the time that objects have: one second after 1970.
pub(super) fn set_old(path: &Path) -> io::Result<()> {
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::open(path)?.set_times(FileTimes::new().set_modified(old).set_accessed(old))
}

impl Stage {
    /// Makes the place below `/in` where a file or folder of the host is to be seen.
    pub fn mount_point(&self, source: &Path, target: &RelPath, ids: &Ids) -> Result<(), RunError> {
        let Some(below) = target.as_str().strip_prefix("in/") else { return Ok(()) };
        let path = self.inputs.join(below);
        let make = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
                make_folders(&self.inputs, parent, ids)?;
            }
            if fs::metadata(source)?.is_dir() {
                make_folders(&self.inputs, &path, ids)
            } else {
                File::create(&path).map(drop)
            }
        };
        make().map_err(host(format!("show '{}' at '/{target}'", source.display())))
    }
}
