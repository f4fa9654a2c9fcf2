//! Packages become a root file system: files only, by the rules of [`super::rules`].
//!
//! No program runs, nothing is owned by anyone but the running id, and no path is followed through a
//! link: the folder starts empty, everything in it is known by [`Root::nodes`], and an entry whose
//! parent is anything but a folder is refused. So no package can write outside the root.
//!
//! Two packages may have the same folder, the same link, or a file with the same content. A file that
//! differs is that of the package whose `Replaces` names the other; else it is an error. Times are
//! those of the packages; what gander makes itself gets the latest of them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::control::Paragraph;
use super::deb::{Deb, DebError, Defect, Entry, EntryKind};
use super::depends::{self, Relation};
use super::rules;
use super::version::Version;
use crate::base::RelPath;

/// Why packages do not become a root. Retrying can help only for `Write`.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A package cannot be read.
    #[error(transparent)]
    Deb(#[from] DebError),
    /// The folder to unpack into is not empty.
    #[error("the folder '{}' is not empty, so nothing is unpacked into it", .0.display())]
    NotEmpty(PathBuf),
    /// A file, link or folder cannot be made.
    #[error("'{path}' cannot be made while unpacking '{by}'")]
    Write {
        /// The path in the root.
        path: String,
        /// The package.
        by: String,
        /// The cause.
        source: io::Error,
    },
    /// An entry would be made through a link or a file: a package must not do that.
    #[error("the package '{by}' has '{path}', but '{parent}' is no folder in the root")]
    Through {
        /// The package.
        by: String,
        /// The entry.
        path: RelPath,
        /// The parent in question.
        parent: RelPath,
    },
    /// A hard link goes to something that no package unpacked as a file.
    #[error("the package '{by}' has the hard link '{path}' to '{to}', which is no file in the root")]
    HardLink {
        /// The package.
        by: String,
        /// The entry.
        path: RelPath,
        /// Its target.
        to: RelPath,
    },
    /// Two packages have different things at a path, and neither replaces the other.
    #[error("the packages '{first}' and '{second}' both have '{path}' and differ")]
    Conflict {
        /// The package that was unpacked before.
        first: String,
        /// The other one.
        second: String,
        /// The path.
        path: RelPath,
    },
}

/// Unpacks packages, in this order, into a folder that is empty or does not exist yet.
pub fn unpack(debs: &[PathBuf], into: &Path) -> Result<(), UnpackError> {
    let packages: Vec<_> = debs.iter().map(|path| Package::open(path)).collect::<Result<_, _>>()?;
    let mut root = Root::new(into, &packages)?;
    for (owner, package) in packages.iter().enumerate() {
        package.deb.walk(|entry, bytes| root.add(owner, entry, bytes))?;
    }
    root.complete()?;
    root.finish()
}

/// A package and what its control file says.
#[derive(Debug)]
struct Package {
    deb: Deb,
    fields: Paragraph,
    name: String,
    version: Version,
    replaces: Vec<Relation>,
}

impl Package {
    fn open(path: &Path) -> Result<Self, DebError> {
        let deb = Deb::open(path)?;
        let fields = deb.control()?;
        let read = || {
            let field = |name: &'static str| fields.get(name).ok_or(Defect::Field(name));
            let name = field("Package")?;
            if !depends::is_package_name(name) {
                return Err(Defect::Field("Package"));
            }
            let version = field("Version")?.parse().map_err(|_| Defect::Field("Version"))?;
            let replaces = fields.get("Replaces").map_or(Ok(Vec::new()), depends::parse);
            Ok((name.to_owned(), version, replaces.map_err(|_| Defect::Field("Replaces"))?))
        };
        let (name, version, replaces) = read().map_err(|defect| deb.error(defect))?;
        Ok(Self { deb, fields, name, version, replaces })
    }

    fn replaces(&self, other: &Self) -> bool {
        let named =
            |wanted: &depends::Alternative| wanted.name == other.name && wanted.accepts(&other.version);
        self.replaces.iter().flat_map(|relation| &relation.0).any(named)
    }
}

/// Something in the root.
#[derive(Debug)]
enum Node {
    File {
        owner: Option<usize>,
    },
    Symlink {
        owner: Option<usize>,
        target: String,
    },
    /// Folders have no single owner; the mode is that of the first package that names it.
    Folder {
        mode: Option<u32>,
        mtime: Option<i64>,
    },
}

struct Root<'a> {
    base: &'a Path,
    packages: &'a [Package],
    nodes: BTreeMap<RelPath, Node>,
    latest: i64,
}

impl<'a> Root<'a> {
    #[allow(clippy::disallowed_methods, reason = "only whether there is any entry counts")]
    fn new(base: &'a Path, packages: &'a [Package]) -> Result<Self, UnpackError> {
        let failed =
            |source| UnpackError::Write { path: base.display().to_string(), by: "the root".into(), source };
        fs::create_dir_all(base).map_err(failed)?;
        if fs::read_dir(base).map_err(failed)?.next().is_some() {
            return Err(UnpackError::NotEmpty(base.into()));
        }
        Ok(Self { base, packages, nodes: BTreeMap::new(), latest: 0 })
    }

    fn name(&self, owner: Option<usize>) -> String {
        let package = owner.and_then(|owner| self.packages.get(owner));
        package.map_or_else(|| "the rules".into(), |package| package.name.clone())
    }

    fn written<T>(
        &self,
        owner: Option<usize>,
        path: &RelPath,
        result: io::Result<T>,
    ) -> Result<T, UnpackError> {
        result.map_err(|source| UnpackError::Write { path: path.to_string(), by: self.name(owner), source })
    }

    fn add(&mut self, owner: usize, entry: Entry, bytes: &mut dyn Read) -> Result<(), UnpackError> {
        let Some(path) = rules::place(&entry.path) else { return Ok(()) };
        self.latest = self.latest.max(entry.mtime);
        let owner = Some(owner);
        match entry.kind {
            EntryKind::Directory => {
                self.folder(owner, &path, Some(rules::folder_mode(entry.mode)), Some(entry.mtime))
            }
            EntryKind::Symlink(target) => {
                if rules::points_to_itself(&path, &entry.path, &target) {
                    return Ok(());
                }
                self.symlink(owner, &path, target, entry.mtime)
            }
            EntryKind::File(size) => {
                if self.makes_way(owner, &path, |existing| same_bytes(existing, bytes))? {
                    self.file(owner, &path, rules::file_mode(entry.mode), entry.mtime, size, bytes)?;
                }
                Ok(())
            }
            EntryKind::HardLink(to) => {
                let target = rules::place(&to);
                let known = target.filter(|target| matches!(self.nodes.get(target), Some(Node::File { .. })));
                let Some(target) = known else {
                    return Err(UnpackError::HardLink { by: self.name(owner), path, to });
                };
                if target == path {
                    return Ok(());
                }
                let source = target.below(self.base);
                if self.makes_way(owner, &path, |existing| same_bytes(existing, &mut File::open(&source)?))? {
                    self.parents(owner, &path)?;
                    self.written(owner, &path, fs::hard_link(&source, path.below(self.base)))?;
                    self.nodes.insert(path, Node::File { owner });
                }
                Ok(())
            }
        }
    }

    /// Whether a file may be made at a path: nothing is there, or what is there gave way.
    fn makes_way(
        &mut self,
        owner: Option<usize>,
        path: &RelPath,
        same: impl FnOnce(&Path) -> io::Result<bool>,
    ) -> Result<bool, UnpackError> {
        let (before, is_file) = match self.nodes.get(path) {
            None => return Ok(true),
            Some(Node::File { owner }) => (*owner, true),
            Some(Node::Symlink { owner, .. }) => (*owner, false),
            Some(Node::Folder { .. }) => return Err(self.conflict(None, owner, path)),
        };
        match self.preferred(before, owner) {
            Some(true) => {
                self.written(owner, path, fs::remove_file(path.below(self.base)))?;
                self.nodes.remove(path);
                Ok(true)
            }
            Some(false) => Ok(false),
            None if is_file && self.written(owner, path, same(&path.below(self.base)))? => Ok(false),
            None => Err(self.conflict(before, owner, path)),
        }
    }

    /// Whether the second of two packages replaces the first (true) or the first the second (false).
    fn preferred(&self, first: Option<usize>, second: Option<usize>) -> Option<bool> {
        let [first, second] = [first, second].map(|owner| owner.and_then(|owner| self.packages.get(owner)));
        let (first, second) = (first?, second?);
        if second.replaces(first) { Some(true) } else { first.replaces(second).then_some(false) }
    }

    fn conflict(&self, first: Option<usize>, second: Option<usize>, path: &RelPath) -> UnpackError {
        UnpackError::Conflict { first: self.name(first), second: self.name(second), path: path.clone() }
    }

    /// Makes sure that every parent is a folder of the root.
    fn parents(&mut self, owner: Option<usize>, path: &RelPath) -> Result<(), UnpackError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        match self.nodes.get(&parent) {
            Some(Node::Folder { .. }) => Ok(()),
            Some(_) => Err(UnpackError::Through { by: self.name(owner), path: path.clone(), parent }),
            None => self.folder(owner, &parent, None, None),
        }
    }

    fn folder(
        &mut self,
        owner: Option<usize>,
        path: &RelPath,
        mode: Option<u32>,
        mtime: Option<i64>,
    ) -> Result<(), UnpackError> {
        match self.nodes.get_mut(path) {
            Some(Node::Folder { mode: known_mode, mtime: known_mtime }) => {
                *known_mode = known_mode.or(mode);
                *known_mtime = (*known_mtime).max(mtime);
                return Ok(());
            }
            Some(Node::File { owner: before } | Node::Symlink { owner: before, .. }) => {
                let before = *before;
                return Err(self.conflict(before, owner, path));
            }
            None => {}
        }
        self.parents(owner, path)?;
        // Open to the owner alone until it is complete; `finish` gives it its mode.
        let made = fs::DirBuilder::new().mode(0o700).create(path.below(self.base));
        self.written(owner, path, made)?;
        self.nodes.insert(path.clone(), Node::Folder { mode, mtime });
        Ok(())
    }

    fn symlink(
        &mut self,
        owner: Option<usize>,
        path: &RelPath,
        target: String,
        mtime: i64,
    ) -> Result<(), UnpackError> {
        if matches!(self.nodes.get(path), Some(Node::Symlink { target: known, .. }) if *known == target)
            || !self.makes_way(owner, path, |_| Ok(false))?
        {
            return Ok(());
        }
        self.parents(owner, path)?;
        let place = path.below(self.base);
        self.written(owner, path, std::os::unix::fs::symlink(&target, &place))?;
        self.written(owner, path, set_time(&place, mtime))?;
        self.nodes.insert(path.clone(), Node::Symlink { owner, target });
        Ok(())
    }

    fn file(
        &mut self,
        owner: Option<usize>,
        path: &RelPath,
        mode: u32,
        mtime: i64,
        size: u64,
        bytes: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        self.parents(owner, path)?;
        let place = path.below(self.base);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(place);
        let mut file = self.written(owner, path, file)?;
        let mut copied = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = bytes.read(&mut buffer).map_err(|source| self.unreadable(owner, path, source))?;
            if read == 0 {
                break;
            }
            copied += read as u64;
            let piece = buffer.get(..read).unwrap_or_default();
            self.written(owner, path, file.write_all(piece))?;
        }
        if copied != size {
            return Err(self.unreadable(owner, path, io::ErrorKind::UnexpectedEof.into()));
        }
        let finished = file.set_permissions(fs::Permissions::from_mode(mode)).and_then(|()| {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(mtime.unsigned_abs()))
        });
        self.written(owner, path, finished)?;
        self.nodes.insert(path.clone(), Node::File { owner });
        Ok(())
    }

    fn unreadable(&self, owner: Option<usize>, path: &RelPath, source: io::Error) -> UnpackError {
        let defect = Defect::Read { what: format!("'{path}'"), source };
        match owner.and_then(|owner| self.packages.get(owner)) {
            Some(package) => package.deb.error(defect).into(),
            None => UnpackError::Write {
                path: path.to_string(),
                by: self.name(owner),
                source: io::Error::other(defect),
            },
        }
    }

    /// Makes what maintainer scripts would have made.
    fn complete(&mut self) -> Result<(), UnpackError> {
        let plain = |text: &str| RelPath::new(text).ok();
        for (path, mode) in rules::FOLDERS {
            let Some(path) = plain(path) else { continue };
            if !matches!(self.nodes.get(&path), Some(Node::Symlink { .. } | Node::File { .. })) {
                self.folder(None, &path, Some(*mode), None)?;
            }
        }
        for top in rules::MERGED {
            let target = format!("usr/{top}");
            let (Some(path), Some(place)) = (plain(top), plain(&target)) else { continue };
            if self.nodes.contains_key(&place) {
                self.symlink(None, &path, target, self.latest)?;
            }
        }
        for (link, candidates) in rules::ALTERNATIVES {
            let Some(path) = plain(link).filter(|path| !self.nodes.contains_key(path)) else { continue };
            let folder = path.parent();
            let there = |name: &&&str| {
                let place = folder.as_ref().and_then(|folder| folder.join(name).ok());
                place.is_some_and(|place| self.nodes.contains_key(&place))
            };
            if let Some(target) = candidates.iter().find(there) {
                self.symlink(None, &path, (*target).into(), self.latest)?;
            }
        }
        for (link, target) in rules::LINKS {
            if let Some(path) = plain(link).filter(|path| !self.nodes.contains_key(path)) {
                self.symlink(None, &path, (*target).into(), self.latest)?;
            }
        }
        for (file, copied, content) in rules::FILES {
            let Some(path) = plain(file).filter(|path| !self.nodes.contains_key(path)) else { continue };
            let source = copied.and_then(plain);
            let source = source.filter(|source| matches!(self.nodes.get(source), Some(Node::File { .. })));
            let bytes = match source {
                Some(source) => self.written(None, &path, fs::read(source.below(self.base)))?,
                None => content.as_bytes().to_vec(),
            };
            self.file(None, &path, 0o644, self.latest, bytes.len() as u64, &mut bytes.as_slice())?;
        }
        self.status()
    }

    /// dpkg's database: which packages these are.
    fn status(&mut self) -> Result<(), UnpackError> {
        let Ok(path) = RelPath::new("var/lib/dpkg/status") else { return Ok(()) };
        if self.nodes.contains_key(&path) {
            return Ok(());
        }
        let mut text = String::new();
        for package in self.packages {
            for (name, value) in package.fields.fields() {
                text.push_str(name);
                text.push_str(": ");
                text.push_str(&value.replace('\n', "\n "));
                text.push('\n');
                if name.eq_ignore_ascii_case("Package") {
                    text.push_str("Status: install ok installed\n");
                }
            }
            text.push('\n');
        }
        self.file(None, &path, 0o644, self.latest, text.len() as u64, &mut text.as_bytes())
    }

    /// Gives folders their modes and times, the deepest first, and the root its own.
    fn finish(self) -> Result<(), UnpackError> {
        for (path, node) in self.nodes.iter().rev() {
            if let Node::Folder { mode, mtime } = node {
                let place = path.below(self.base);
                let mode = fs::Permissions::from_mode(mode.unwrap_or(0o755));
                // The time first: a mode may take away the right to come here.
                let done = set_time(&place, mtime.unwrap_or(self.latest))
                    .and_then(|()| fs::set_permissions(place, mode));
                self.written(None, path, done)?;
            }
        }
        let done = fs::set_permissions(self.base, fs::Permissions::from_mode(0o755))
            .and_then(|()| set_time(self.base, self.latest));
        done.map_err(|source| UnpackError::Write { path: "/".into(), by: self.name(None), source })
    }
}

/// Sets the modification time of a path itself, never of what a link goes to.
fn set_time(path: &Path, mtime: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Whether a file has exactly the bytes of a stream.
fn same_bytes(path: &Path, bytes: &mut dyn Read) -> io::Result<bool> {
    let mut left = io::BufReader::new(File::open(path)?);
    let mut buffer = vec![0; 64 << 10];
    let mut other = vec![0; 64 << 10];
    loop {
        let read = bytes.read(&mut buffer)?;
        if read == 0 {
            return Ok(left.read(&mut [0])? == 0);
        }
        let (Some(piece), Some(known)) = (buffer.get(..read), other.get_mut(..read)) else {
            return Ok(false);
        };
        match left.read_exact(known) {
            Ok(()) if known == piece => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
