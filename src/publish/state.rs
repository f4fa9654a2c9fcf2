//! The folder with the releases and their record beside DEST, and the link that DEST is.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::error::PublishError;
use super::record::{self, FileRecord, Record, Release};
use crate::base::Digest;

const RECORD: &str = "record";
const LOCK: &str = "lock";
const NEW: &str = "new";
const NEXT: &str = "next";
const PART: &str = "part";

/// More than a record or a list of a distribution has.
const LARGEST: u64 = 1 << 30;

/// Where a release goes, and where its releases lie.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The link.
    pub dest: PathBuf,
    /// The folder that holds it.
    parent: PathBuf,
    /// The folder of the releases, and its name.
    pub folder: PathBuf,
    name: String,
}

/// The right to publish at a place, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    lock: File,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing it is not enough: a program that another thread is just starting has it open, too, for a moment.
        self.lock.unlock().ok();
    }
}

impl Place {
    pub(super) fn new(dest: &Path) -> Result<Self, PublishError> {
        let name = dest.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| PublishError::NoName(dest.into()))?;
        let parent = match dest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        // Without the '/' that may stand at the end, which would follow the link.
        let dest = parent.join(name);
        let name = format!(".{name}.published");
        Ok(Self { dest, folder: parent.join(&name), parent, name })
    }

    /// The folder of a release.
    pub(super) fn release(&self, number: u32) -> PathBuf {
        self.folder.join(number.to_string())
    }

    /// Where a release is laid out.
    pub(super) fn new_folder(&self) -> PathBuf {
        self.folder.join(NEW)
    }

    /// The release that DEST shows; 0 where there is nothing yet.
    pub(super) fn public(&self) -> Result<u32, PublishError> {
        let occupied = || PublishError::Occupied(self.dest.clone());
        match fs::symlink_metadata(&self.dest) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(PublishError::read(&self.dest)(error)),
            // An empty folder was made for what comes.
            Ok(found) if found.is_dir() && is_empty(&self.dest) => Ok(0),
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(&self.dest).map_err(PublishError::read(&self.dest))?;
                let number = target.strip_prefix(&self.name).ok().and_then(Path::to_str);
                number
                    .and_then(|number| number.parse().ok())
                    .filter(|number| *number > 0)
                    .ok_or_else(occupied)
            }
            Ok(_) => Err(occupied()),
        }
    }

    /// Takes the right to publish. Gives none where somebody else has it.
    pub(super) fn turn(&self) -> Result<Turn, PublishError> {
        fs::create_dir_all(&self.folder).map_err(PublishError::write(&self.folder))?;
        let path = self.folder.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(PublishError::write(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Turn { lock }),
            Err(fs::TryLockError::WouldBlock) => Err(PublishError::Busy(self.dest.clone())),
            Err(fs::TryLockError::Error(error)) => Err(PublishError::write(&path)(error)),
        }
    }

    /// The record of what is public and what was before. What a run that was killed had written of the release to come
    /// is left out.
    pub(super) fn record(&self) -> Result<Record, PublishError> {
        let path = self.folder.join(RECORD);
        let damaged = |what: String| PublishError::Record { path: path.clone(), what };
        let public = self.public()?;
        let mut record = match read_text(&path)? {
            Some(text) => Record::parse(&text).map_err(damaged)?,
            None => Record::default(),
        };
        if public == 0 && record.public != 0 {
            return Err(PublishError::LinkGone { path: self.dest.clone(), number: record.public });
        }
        if public < record.public {
            return Err(damaged(format!(
                "release {} was public last, and the link leads to {public}",
                record.public
            )));
        }
        if public != 0 && record.find(public).is_none() {
            return Err(damaged(format!("it lacks release {public}, which is public")));
        }
        record.public = public;
        record.releases.retain(|release| release.number <= public);
        Ok(record)
    }

    /// The files of a release.
    pub(super) fn files(&self, release: &Release) -> Result<Vec<FileRecord>, PublishError> {
        let path = self.list(release.number);
        let damaged = |what: String| PublishError::Record { path: path.clone(), what };
        let text = read_text(&path)?.ok_or_else(|| damaged("it is missing".into()))?;
        if Digest::of(&text) != release.list {
            return Err(damaged("it is not the one that the record names".into()));
        }
        record::parse_files(&text).map_err(damaged)
    }

    fn list(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.files"))
    }

    /// Writes the list of a release's files; gives its digest.
    pub(super) fn write_files(&self, number: u32, files: &[FileRecord]) -> Result<Digest, PublishError> {
        let text = record::files_to_text(files);
        self.write(&self.list(number), &text)?;
        Ok(Digest::of(text))
    }

    pub(super) fn write_record(&self, record: &Record) -> Result<(), PublishError> {
        self.write(&self.folder.join(RECORD), &record.to_text())
    }

    /// Writes a file that is there as a whole or as it was, also after the power failed.
    fn write(&self, path: &Path, text: &str) -> Result<(), PublishError> {
        let part = self.folder.join(PART);
        let written = File::create(&part).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, path)?;
            sync(&self.folder)
        });
        written.map_err(PublishError::write(path))
    }

    /// Gives the laid-out release its number, with all that belongs to it on the disk.
    pub(super) fn keep_new(&self, number: u32) -> Result<(), PublishError> {
        let (new, release) = (self.new_folder(), self.release(number));
        let kept = File::open(&new).and_then(|folder| {
            rustix::fs::syncfs(&folder)?;
            fs::rename(&new, &release)?;
            sync(&self.folder)
        });
        kept.map_err(PublishError::write(&release))
    }

    /// Lets DEST show a release: the one moment at which everything changes.
    pub(super) fn switch(&self, number: u32) -> Result<(), PublishError> {
        let next = self.folder.join(NEXT);
        // The target is seen from where the link goes.
        let switched = symlink(format!("{}/{number}", self.name), &next).and_then(|()| {
            if fs::symlink_metadata(&self.dest).is_ok_and(|found| found.is_dir()) {
                fs::remove_dir(&self.dest)?;
            }
            fs::rename(&next, &self.dest)?;
            sync(&self.parent)
        });
        switched.map_err(PublishError::write(&self.dest))
    }

    /// Removes what the record does not name: what a killed run left, and releases that are held no longer. What this
    /// command did not name is left alone. Gives the numbers of removed releases.
    #[allow(clippy::disallowed_methods, reason = "the numbers are sorted")]
    pub(super) fn clean(&self, record: &Record) -> Result<Vec<u32>, PublishError> {
        let mut removed = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(PublishError::read(&self.folder))? {
            let entry = entry.map_err(PublishError::read(&self.folder))?;
            let (name, path) = (entry.file_name(), entry.path());
            let Some(name) = name.to_str() else { continue };
            let number: Option<u32> = name.strip_suffix(".files").unwrap_or(name).parse().ok();
            let gone = match number {
                Some(number) => record.find(number).is_none(),
                None => matches!(name, NEW | NEXT | PART),
            };
            if !gone {
                continue;
            }
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let done = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            done.map_err(PublishError::write(&path))?;
            removed.extend(number.filter(|_| is_folder));
        }
        removed.sort_unstable();
        Ok(removed)
    }
}

#[allow(clippy::disallowed_methods, reason = "only asked for the presence of any entry")]
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read_text(path: &Path) -> Result<Option<String>, PublishError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(PublishError::read(path))?,
    };
    let mut text = String::new();
    let read = file.take(LARGEST).read_to_string(&mut text);
    read.map_err(PublishError::read(path))?;
    Ok(Some(text))
}
