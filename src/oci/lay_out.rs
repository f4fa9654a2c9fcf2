//! Lays out an image as a root file system.
//!
//! The layers are applied to a new folder, lowest first; each is read once, as a stream, and its digest
//! checked against the diff id when it ends, so a root that was laid out is the one that was named.
//! What an image may not do, or does otherwise than here, is an error that names the path:
//!
//! - A path is relative, without `..`; a leading `/` or `./` is dropped. Links in its folders are
//!   followed as a process inside the root would follow them, and so never lead outside.
//! - An entry replaces what has its name, and never writes through it; only a folder stays a folder.
//!   A hard link names a file that is there already.
//! - `.wh.NAME` removes `NAME` as lower layers made it, `.wh..wh..opq` all that they put into
//!   its folder. Other names with `.wh..wh.` are a union file system's own and are passed over.
//! - Device nodes are passed over: `/dev` is the runner's. Sparse files and unknown kinds are errors.
//! - Modes, whole-second times, owners, `user.*` attributes and file capabilities are as the layer says;
//!   attributes of other kinds belong to a host and are passed over. A folder that no layer has an entry
//!   for gets mode 0755 and the time 0.
//! - Owners go through the id map. Only root can give files away: an ordinary user, whose map has the user's
//!   own id stand for id 0, can lay out what belongs to id 0 throughout, as all that gander assembles does.
//!   An image with other owners or with file capabilities is an error then, because its root would
//!   differ from the one that root lays out.
//! - The folders that a jail mounts on ([`MOUNTPOINTS`]) are there afterwards, and are no links.
//! - At most [`Limits`] are unpacked.

mod owners;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use self::owners::{Create, Node, Owners, times};
use super::image::{Compression, Image, ImageError};
use super::rootdir::{self, RootDir};
use super::tar_stream::{Entry, Kind, Reader, TarError};
use super::unpacked::{Exceeded, HashingReader, Unpacked};
use crate::base::{Digest, Hasher, RelPath};
use crate::store::{IdMap, Ids, Store};

/// What a jail mounts on, and the mode of each where the image does not have it.
pub const MOUNTPOINTS: [(&str, u32); 9] = [
    ("build", 0o755),
    ("dev", 0o755),
    ("in", 0o755),
    ("out", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
];

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// How much an image may unpack to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Entries of all layers together.
    pub entries: u64,
    /// Bytes of one unpacked layer.
    pub layer_bytes: u64,
}

impl Default for Limits {
    /// A million entries, 32 GiB a layer: well above the largest build roots.
    fn default() -> Self {
        Self { entries: 1_000_000, layer_bytes: 32 << 30 }
    }
}

/// An image cannot be laid out. Except for `Io` and a store's trouble, retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum LayOutError {
    /// The image itself.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The destination cannot be made, or exists; retrying can help when it is free.
    #[error("the root file system '{}' cannot be made", path.display())]
    Destination {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A layer is no archive, or its compression is damaged.
    #[error("the layer {layer} cannot be unpacked")]
    Tar {
        /// The layer.
        layer: Digest,
        /// What is wrong.
        #[source]
        source: TarError,
    },
    /// A layer's entry is not acceptable.
    #[error("the layer {layer} cannot be unpacked: its entry '{path}' {problem}")]
    Hostile {
        /// The layer.
        layer: Digest,
        /// The entry's path, escaped.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A layer unpacks to other bytes than the configuration says.
    #[error("the layer {layer} unpacks to {found}, not to {expected} as the image says")]
    DiffId {
        /// The layer.
        layer: Digest,
        /// What the image says.
        expected: Digest,
        /// What came out.
        found: Digest,
    },
    /// More than an image may hold.
    #[error("the layer {layer} unpacks to more than {limit}")]
    TooMuch {
        /// The layer.
        layer: Digest,
        /// The limit, in words.
        limit: String,
    },
    /// The image has owners or capabilities that this process cannot give.
    #[error("'{path}' in the image needs {what}, which only root can give")]
    Privilege {
        /// The entry's path.
        path: String,
        /// The owner or capability.
        what: String,
    },
    /// The file system refuses; a retry can help where the surroundings are at fault.
    #[error("'{path}' cannot be laid out")]
    Io {
        /// The path inside the root.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Lays out an image of the store in a folder that does not exist yet. After an error the folder holds a
/// part; the caller removes it, and gives a whole one its name by renaming.
pub fn lay_out(store: &Store, manifest: &Digest, dest: &Path, ids: &IdMap) -> Result<(), LayOutError> {
    lay_out_within(store, manifest, dest, ids, Limits::default())
}

/// The same with other limits.
pub fn lay_out_within(
    store: &Store,
    manifest: &Digest,
    dest: &Path,
    ids: &IdMap,
    limits: Limits,
) -> Result<(), LayOutError> {
    let image = Image::load(store, manifest)?;
    let mut root = Unpacker::begin(dest, ids, limits)?;
    for (layer, diff_id) in image.manifest.layers.iter().zip(&image.config.diff_ids) {
        let digest = layer.blob.digest;
        let file = store
            .open_object(&digest)
            .map_err(|source| LayOutError::Image(ImageError::Store { image: *manifest, source }))?;
        root.apply(digest, file, layer.compression, *diff_id)?;
    }
    root.finish()
}

/// A root file system while layers are applied to it.
struct Unpacker<'a> {
    root: RootDir,
    owners: Owners<'a>,
    limits: Limits,
    entries: u64,
    layer: Digest,
    /// Paths that the current layer made; only kept above the lowest, where whiteouts have a meaning.
    made: Option<BTreeSet<String>>,
    /// What to set on each folder at the end; the top one has the empty path.
    folders: BTreeMap<String, Node>,
    /// Who id 0 is outside.
    zero: (u32, u32),
    buffer: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    fn begin(dest: &Path, ids: &'a IdMap, limits: Limits) -> Result<Self, LayOutError> {
        let root = RootDir::create(dest)
            .map_err(|error| LayOutError::Destination { path: dest.into(), source: error.into() })?;
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owners = Owners { ids, own };
        let mut unpacker = Self {
            root,
            owners,
            limits,
            entries: 0,
            layer: Digest::from_bytes([0; 32]),
            made: None,
            folders: BTreeMap::new(),
            zero: (0, 0),
            buffer: vec![0; 1 << 18],
        };
        unpacker.zero = unpacker.owner("/", 0, 0)?;
        unpacker.folders.insert(String::new(), Node::implied(0o755, unpacker.zero));
        Ok(unpacker)
    }

    /// Applies one layer above those before.
    fn apply(
        &mut self,
        layer: Digest,
        packed: impl Read,
        compression: Compression,
        diff_id: Digest,
    ) -> Result<(), LayOutError> {
        self.made = (self.layer != Digest::from_bytes([0; 32])).then(BTreeSet::new);
        self.layer = layer;
        let tar = |source| LayOutError::Tar { layer, source };
        let unpacked =
            Unpacked::new(packed, compression).map_err(|source| tar(TarError::Io { at: 0, source }))?;
        let hashing = HashingReader { inner: unpacked, hasher: Hasher::new(), rest: self.limits.layer_bytes };
        let mut reader = Reader::new(BufReader::with_capacity(1 << 18, hashing));
        let result = self.entries_of(&mut reader);
        // A limit shows as an I/O error deep inside; here it gets its own words.
        let too_much = |error: LayOutError| match &error {
            LayOutError::Tar { source: TarError::Io { source, .. }, .. }
                if source.get_ref().is_some_and(|inner| inner.is::<Exceeded>()) =>
            {
                LayOutError::TooMuch { layer, limit: format!("{} bytes", self.limits.layer_bytes) }
            }
            _ => error,
        };
        result.map_err(too_much)?;
        let hasher = reader.drain().map_err(|source| too_much(tar(source)))?.into_inner().hasher;
        let found = hasher.finish();
        if found == diff_id { Ok(()) } else { Err(LayOutError::DiffId { layer, expected: diff_id, found }) }
    }

    fn entries_of<R: Read>(&mut self, reader: &mut Reader<R>) -> Result<(), LayOutError> {
        let layer = self.layer;
        while let Some(entry) = reader.next_entry().map_err(|source| LayOutError::Tar { layer, source })? {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(LayOutError::TooMuch {
                    layer,
                    limit: format!("{} entries", self.limits.entries),
                });
            }
            self.entry(&entry, reader)?;
        }
        Ok(())
    }

    fn hostile(&self, path: impl AsRef<[u8]>, problem: impl Into<String>) -> LayOutError {
        LayOutError::Hostile { layer: self.layer, path: escape(path.as_ref()), problem: problem.into() }
    }

    fn entry<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> Result<(), LayOutError> {
        let text = std::str::from_utf8(&entry.path)
            .map_err(|_| self.hostile(&entry.path, "is not named in UTF-8"))?;
        let Some(path) = relative(text)
            .map_err(|()| self.hostile(text, "has a path that leaves the root or is no path"))?
        else {
            if entry.kind != Kind::Directory {
                return Err(self.hostile(text, "would replace the root itself"));
            }
            let folder = self.node(text, entry)?;
            self.folders.insert(String::new(), folder);
            return Ok(());
        };
        if let Some(name) = path.file_name().strip_prefix(WHITEOUT) {
            return self.whiteout(&path, name);
        }
        match entry.kind {
            Kind::Device => return Ok(()),
            Kind::Other(b'S') => {
                return Err(self.hostile(text, "is a sparse file, which gander does not read"));
            }
            Kind::Other(kind) => {
                return Err(self.hostile(text, format!("is of the unknown kind '{}'", kind.escape_ascii())));
            }
            _ => {}
        }
        if let Some(made) = &mut self.made {
            made.insert(path.as_str().into());
        }
        if entry.kind == Kind::Directory {
            return self.directory(&path, entry);
        }
        let source = match entry.kind {
            Kind::HardLink => {
                let link =
                    std::str::from_utf8(&entry.link).ok().and_then(|link| relative(link).ok().flatten());
                Some(link.ok_or_else(|| self.hostile(text, "is a hard link that leaves the root"))?)
            }
            _ => None,
        };
        if source.as_ref() == Some(&path) {
            return Err(self.hostile(text, "is a hard link to itself"));
        }
        let created = self.create(&path, entry, source.as_ref(), reader);
        match created {
            Err(Create::Errno(Errno::EXIST)) => {
                // Content is only read after the name was free, so trying again loses nothing.
                self.remove(&path)?;
                self.create(&path, entry, source.as_ref(), reader)
                    .map_err(|error| self.create_error(path.as_str(), error))
            }
            result => result.map_err(|error| self.create_error(path.as_str(), error)),
        }
    }

    fn create_error(&self, path: &str, error: Create) -> LayOutError {
        match error {
            Create::Errno(errno) => self.io(path, errno),
            Create::Other(error) => error,
        }
    }

    fn io(&self, path: &str, errno: Errno) -> LayOutError {
        match errno {
            Errno::NOTDIR | Errno::LOOP | Errno::EXIST => {
                self.hostile(path, "stands below something that is no folder, or below a link to nowhere")
            }
            _ => LayOutError::Io { path: escape(path.as_bytes()), source: errno.into() },
        }
    }

    /// Creates what is no folder, under a name that is free.
    fn create<R: Read>(
        &mut self,
        path: &RelPath,
        entry: &Entry,
        source: Option<&RelPath>,
        reader: &mut Reader<R>,
    ) -> Result<(), Create> {
        let node = self.node(path.as_str(), entry)?;
        let name = path.file_name();
        let layer = self.layer;
        let linked = match source {
            // Opened by itself: the parent that is held may not be the same.
            Some(source) => {
                let folder = source.parent().map_or_else(|| ".".into(), |parent| parent.as_str().to_owned());
                let folder = self.root.open_folder(&folder, OFlags::empty()).ok();
                let found = folder.filter(|folder| {
                    rootdir::is_folder(folder.as_fd(), source.file_name()) == Ok(Some(false))
                });
                Some(found.ok_or_else(|| {
                    self.hostile(
                        path.as_str(),
                        format!("is a hard link to '{source}', which is no file of the image"),
                    )
                })?)
            }
            None => None,
        };
        let (folders, zero) = (&mut self.folders, self.zero);
        let parent = self.root.parent(path, &mut |made| {
            folders.insert(made.into(), Node::implied(0o755, zero));
        })?;
        if let (Some(folder), Some(source)) = (linked, source) {
            rustix::fs::linkat(folder, source.file_name(), parent, name, AtFlags::empty())?;
            return Ok(());
        }
        match entry.kind {
            Kind::Symlink => {
                let target = std::str::from_utf8(&entry.link)
                    .ok()
                    .filter(|link| !link.is_empty() && !link.contains('\0'));
                let Some(target) = target else {
                    let problem = "is a link to something that is no path".into();
                    return Err(Create::Other(LayOutError::Hostile {
                        layer,
                        path: path.to_string(),
                        problem,
                    }));
                };
                rustix::fs::symlinkat(target, parent, name)?;
                self.owners.give_name(parent, path, node.owner)?;
                rustix::fs::utimensat(parent, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            Kind::Fifo => {
                rustix::fs::mkfifoat(parent, name, Mode::RUSR | Mode::WUSR)?;
                self.owners.give_name(parent, path, node.owner)?;
                rustix::fs::chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
                rustix::fs::utimensat(parent, name, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            _ => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?;
                loop {
                    let count = reader
                        .read_content(&mut self.buffer)
                        .map_err(|source| Create::Other(LayOutError::Tar { layer, source }))?;
                    if count == 0 {
                        break;
                    }
                    let mut part = self.buffer.get(..count).unwrap_or_default();
                    while !part.is_empty() {
                        // A short write is followed by the error that explains it.
                        match rustix::io::write(&file, part) {
                            Ok(written) => part = part.get(written..).unwrap_or_default(),
                            Err(Errno::INTR) => {}
                            // No name was taken here: EEXIST means something else to the caller.
                            Err(error) => {
                                let path = escape(path.as_str().as_bytes());
                                return Err(Create::Other(LayOutError::Io { path, source: error.into() }));
                            }
                        }
                    }
                }
                self.owners.finish(file.as_fd(), path.as_str(), &node)?;
            }
        }
        Ok(())
    }

    fn directory(&mut self, path: &RelPath, entry: &Entry) -> Result<(), LayOutError> {
        let folder = self.node(path.as_str(), entry)?;
        let (folders, zero) = (&mut self.folders, self.zero);
        let parent = self.root.parent(path, &mut |made| {
            folders.insert(made.into(), Node::implied(0o755, zero));
        });
        let found = parent.and_then(|parent| rootdir::is_folder(parent, path.file_name()));
        match found.map_err(|error| self.io(path.as_str(), error))? {
            Some(true) => {}
            found => {
                if found.is_some() {
                    self.remove(path)?;
                }
                let parent = self.root.parent(path, &mut |_| ());
                let made = parent.and_then(|parent| rootdir::make_folder(parent, path.file_name()));
                made.map_err(|error| self.io(path.as_str(), error))?;
            }
        }
        self.folders.insert(path.as_str().into(), folder);
        Ok(())
    }

    fn node(&self, path: &str, entry: &Entry) -> Result<Node, LayOutError> {
        let owner = self.owner(path, entry.uid, entry.gid)?;
        Ok(Node { mode: entry.mode, owner, mtime: entry.mtime, xattrs: entry.xattrs.clone() })
    }

    fn whiteout(&mut self, path: &RelPath, name: &str) -> Result<(), LayOutError> {
        let folder = path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        let Some(made) = &self.made else { return Ok(()) };
        if path.file_name() == OPAQUE {
            let lower = |path: &str| {
                let below = format!("{path}/");
                !made.contains(path)
                    && made.range(below.clone()..).next().is_none_or(|found| !found.starts_with(&below))
            };
            let names = self.root.list(folder).map_err(|error| self.io(folder, error))?;
            let paths = names
                .iter()
                .map(|name| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") });
            let gone: Vec<_> =
                paths.filter(|path| lower(path)).filter_map(|path| RelPath::new(path).ok()).collect();
            return gone.iter().try_for_each(|path| self.remove(path));
        }
        if name.starts_with(WHITEOUT) {
            return Ok(());
        }
        let target = if folder.is_empty() { name.into() } else { format!("{folder}/{name}") };
        let target =
            RelPath::new(target).map_err(|_| self.hostile(path.as_str(), "is a whiteout of no name"))?;
        if made.contains(target.as_str()) { Ok(()) } else { self.remove(&target) }
    }

    fn remove(&mut self, path: &RelPath) -> Result<(), LayOutError> {
        self.root.remove(path).map_err(|error| self.io(path.as_str(), error))?;
        self.folders.remove(path.as_str());
        let below = format!("{path}/");
        let gone = self.folders.range(below.clone()..).map(|(folder, _)| folder.clone());
        let gone: Vec<_> = gone.take_while(|folder| folder.starts_with(&below)).collect();
        for folder in gone {
            self.folders.remove(&folder);
        }
        Ok(())
    }

    /// The owner outside.
    fn owner(&self, path: &str, uid: u64, gid: u64) -> Result<(u32, u32), LayOutError> {
        let outside = |id: u64, ids: &Ids| u32::try_from(id).ok().and_then(|id| ids.to_outside(id));
        outside(uid, &self.owners.ids.users).zip(outside(gid, &self.owners.ids.groups)).ok_or_else(|| {
            let what = format!("belongs to {uid}:{gid}, for which the id map has no place");
            self.hostile(path, what)
        })
    }

    /// Makes the mountpoints and gives every folder its mode, owner and time, deepest first.
    fn finish(mut self) -> Result<(), LayOutError> {
        for (name, mode) in MOUNTPOINTS {
            match rootdir::is_folder(self.root.root(), name).map_err(|error| self.io(name, error))? {
                Some(true) => {}
                Some(false) => {
                    return Err(self.hostile(name, "is no folder, yet something is to be mounted there"));
                }
                None => {
                    rootdir::make_folder(self.root.root(), name).map_err(|error| self.io(name, error))?;
                    self.folders.insert(name.into(), Node::implied(mode, self.zero));
                }
            }
        }
        let folders = std::mem::take(&mut self.folders);
        // A folder's path is a prefix of those below it, so the reverse order has these first.
        for (path, folder) in folders.iter().rev() {
            let at = if path.is_empty() { "." } else { path };
            let fd = match self.root.open_folder(at, OFlags::empty()) {
                // Gone by way of a link: the folder had two names, and was removed under the other.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                result => result.map_err(|error| self.io(path, error))?,
            };
            self.owners.finish(fd.as_fd(), path, folder).map_err(|error| self.create_error(path, error))?;
        }
        Ok(())
    }
}

/// The path below the root; none for the root itself.
fn relative(path: &str) -> Result<Option<RelPath>, ()> {
    let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if path.is_empty() {
        return Err(());
    }
    if parts.is_empty() { Ok(None) } else { RelPath::new(parts.join("/")).map(Some).map_err(|_| ()) }
}

fn escape(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().flat_map(char::escape_debug).take(300).collect()
}

#[cfg(test)]
mod tests;
