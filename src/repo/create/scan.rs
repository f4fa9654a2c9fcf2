//! Finds the packages below a folder.
//!
//! As createrepo_c (1.2): all files whose name ends in `.rpm`, hidden ones, too; folders are searched through links,
//! but not the `repodata` at the top. A pattern leaves a package out where it matches its path or its name alone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{AtFlags, Mode, OFlags, statat};

use super::error::{CreateError, MOST_PACKAGES, Problem, Reason, failed};
use crate::base::{RelPath, fnmatch};

/// What tells whether a file is the one that it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) modified: i64,
    pub(super) changed: i64,
}

impl Stat {
    /// None for what is no regular file.
    #[allow(clippy::unnecessary_cast, reason = "the types differ between platforms")]
    pub(super) fn of(stat: &rustix::fs::Stat) -> Option<Self> {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile;
        regular.then(|| Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        })
    }

    /// Whether nothing was written since. A further name of the file, as hard links make it, is no matter: it changes
    /// the time of change alone.
    pub(super) fn is_unwritten(&self, before: &Self) -> bool {
        *self == Self { changed: self.changed, ..*before }
    }
}

/// Which packages are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Patterns of paths, and of names alone, that are left out.
    pub excludes: Vec<String>,
    /// Only these paths, which must be there.
    pub only: Option<BTreeSet<String>>,
    /// Leave out packages that are symbolic links.
    pub skip_symlinks: bool,
}

impl Filter {
    fn takes(&self, path: &str) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let excluded = |pattern: &String| fnmatch::matches(pattern, path) || fnmatch::matches(pattern, name);
        !self.excludes.iter().any(excluded)
    }
}

/// The paths of all packages, in the order of [`RelPath`].
pub(super) fn find(
    root: &Path,
    filter: &Filter,
    problems: &mut Vec<Problem>,
) -> Result<Vec<RelPath>, CreateError> {
    match &filter.only {
        Some(only) => Ok(listed(root, only, filter, problems)),
        None => walk(root, filter, problems),
    }
}

fn listed(
    root: &Path,
    only: &BTreeSet<String>,
    filter: &Filter,
    problems: &mut Vec<Problem>,
) -> Vec<RelPath> {
    let mut found = BTreeSet::new();
    for line in only {
        let path = Path::new(line);
        let path = path.strip_prefix(root).unwrap_or(path);
        let path = path.strip_prefix("./").unwrap_or(path);
        match path.to_str().map(RelPath::new) {
            Some(Ok(path)) => {
                let is_link = || path.below(root).is_symlink();
                if filter.takes(path.as_str()) && !(filter.skip_symlinks && is_link()) {
                    found.insert(path);
                }
            }
            _ => problems.push(Problem { path: path.into(), reason: Reason::Outside }),
        }
    }
    found.into_iter().collect()
}

#[allow(clippy::disallowed_methods, reason = "the names of each folder are sorted")]
fn walk(root: &Path, filter: &Filter, problems: &mut Vec<Problem>) -> Result<Vec<RelPath>, CreateError> {
    let mut found = Vec::new();
    // Names in the order in which they are to be looked at, the next one last.
    let mut open: Vec<(Option<RelPath>, bool)> = vec![(None, true)];
    while let Some((path, is_folder)) = open.pop() {
        if let Some(file) = path.as_ref().filter(|_| !is_folder) {
            found.push(file.clone());
            if found.len() > MOST_PACKAGES {
                return Err(CreateError::TooMany);
            }
            continue;
        }
        let folder = path.as_ref().map_or_else(|| root.to_owned(), |path| path.below(root));
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(failed("reading", &folder))? {
            let entry = entry.map_err(failed("reading", &folder))?;
            let name = entry.file_name();
            let is_package = name.as_encoded_bytes().ends_with(b".rpm");
            let mut kind = entry.file_type().map_err(failed("looking at", &entry.path()))?;
            let is_link = kind.is_symlink();
            let mut problem = |reason| {
                let path = entry.path();
                let path = path.strip_prefix(root).map_or(path.clone(), Path::to_owned);
                problems.push(Problem { path, reason });
            };
            if is_link {
                match fs::metadata(entry.path()) {
                    Ok(target) => kind = target.file_type(),
                    Err(error) => {
                        if is_package && !filter.skip_symlinks {
                            let nowhere = error.kind() == std::io::ErrorKind::NotFound;
                            problem(if nowhere { Reason::Dangling } else { error.into() });
                        }
                        continue;
                    }
                }
            }
            if !(kind.is_dir() || is_package)
                || kind.is_dir() && is_link && leads_back(&entry.path(), &folder)
            {
                continue;
            }
            let below = match (name.to_str(), &path) {
                (None, _) if kind.is_dir() || is_package => {
                    problem(Reason::NotUtf8);
                    continue;
                }
                (None, _) => continue,
                (Some(name), None) => RelPath::new(name),
                (Some(name), Some(path)) => path.join(name),
            };
            let Ok(below) = below else {
                problem(Reason::Outside);
                continue;
            };
            match kind {
                kind if kind.is_dir() => {
                    // Also folders in which a run puts its work.
                    let is_ours = path.is_none()
                        && matches!(below.as_str(), "repodata" | ".repodata" | super::switch::WORK);
                    if !is_ours {
                        names.push((Some(below), true));
                    }
                }
                _ if !filter.takes(below.as_str()) || is_link && filter.skip_symlinks => {}
                kind if kind.is_file() => names.push((Some(below), false)),
                _ => problem(Reason::NoFile),
            }
        }
        // Within one folder, the order of whole paths is that of names.
        names.sort_by(|(left, _), (right, _)| {
            right.as_ref().map(RelPath::as_str).cmp(&left.as_ref().map(RelPath::as_str))
        });
        open.append(&mut names);
    }
    Ok(found)
}

/// Whether a link leads to a folder above the one that it lies in.
fn leads_back(link: &Path, folder: &Path) -> bool {
    match (fs::canonicalize(link), fs::canonicalize(folder)) {
        (Ok(target), Ok(folder)) => folder.starts_with(target),
        _ => false,
    }
}

/// A folder whose files are opened and looked at by relative paths.
pub(super) struct Root {
    folder: OwnedFd,
    pub(super) path: PathBuf,
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, CreateError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(folder) => Ok(Self { folder, path: path.into() }),
            Err(rustix::io::Errno::NOTDIR) => Err(CreateError::NoFolder(path.into())),
            Err(error) => Err(failed("opening", path)(error.into())),
        }
    }

    /// Opens a package.
    pub(super) fn file(&self, path: &RelPath) -> Result<File, Reason> {
        // A fifo must not make us wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, path.as_str(), flags, Mode::empty());
        file.map(File::from).map_err(|error| Reason::Io(error.into()))
    }

    fn stat(&self, path: &RelPath) -> Result<Stat, Reason> {
        match statat(&self.folder, path.as_str(), AtFlags::empty()) {
            Ok(stat) => Stat::of(&stat).ok_or(Reason::NoFile),
            Err(rustix::io::Errno::NOENT) => Err(Reason::Missing),
            Err(error) => Err(Reason::Io(error.into())),
        }
    }

    /// Looks at all of these files, with so many threads; none for what is a problem.
    pub(super) fn stats(
        &self,
        paths: &[RelPath],
        workers: usize,
        problems: &mut Vec<Problem>,
    ) -> Vec<Option<Stat>> {
        const AT_ONCE: usize = 256;
        let next = AtomicUsize::new(0);
        let work = || {
            let mut seen = Vec::new();
            loop {
                let start = next.fetch_add(AT_ONCE, Ordering::Relaxed);
                let Some(part) = paths.get(start..paths.len().min(start + AT_ONCE)) else { return seen };
                if part.is_empty() {
                    return seen;
                }
                seen.push((start, part.iter().map(|path| self.stat(path)).collect::<Vec<_>>()));
            }
        };
        let helpers = workers.saturating_sub(1).min(paths.len() / AT_ONCE);
        let mut parts = thread::scope(|scope| {
            let threads: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
            let mut parts = work();
            for thread in threads {
                match thread.join() {
                    Ok(more) => parts.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            parts
        });
        parts.sort_by_key(|(start, _)| *start);
        let all = parts.into_iter().flat_map(|(_, part)| part);
        all.zip(paths)
            .map(|(stat, path)| {
                let problem = |reason| problems.push(Problem { path: path.as_str().into(), reason });
                stat.map_err(problem).ok()
            })
            .collect()
    }
}
