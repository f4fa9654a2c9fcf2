//! New metadata come into place at one moment.
//!
//! They are written into a folder beside `repodata`, which is locked for as long. Names that begin with a checksum never
//! mean anything else, so those files are moved first, and then `repomd.xml` takes the place of the old one: who is
//! killed leaves the old metadata or the new. Where names are simple, the two folders are exchanged as a whole.
//!
//! Files of the old metadata go at the end, and signatures of a `repomd.xml` that is another one now before it comes.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::error::{CreateError, failed};
use crate::format::repodata::Repomd;

/// The folder in which new metadata are written.
pub(super) const WORK: &str = ".repodata-gander";
const REPOMD: &str = "repomd.xml";

/// New metadata on their way. Dropped before they came into place, they vanish.
pub(super) struct Work {
    /// Where they are written.
    pub(super) folder: PathBuf,
    /// The folder that holds the metadata.
    repodata: PathBuf,
    /// Held for its lock.
    lock: File,
}

impl Work {
    /// Starts to write metadata into a folder.
    pub(super) fn begin(output: &Path) -> Result<Self, CreateError> {
        fs::create_dir_all(output).map_err(failed("making the folder", output))?;
        // `repodata` may be a link; beside what it leads to files can be renamed into it.
        let repodata = output.join("repodata");
        let repodata = fs::canonicalize(&repodata).unwrap_or(repodata);
        let beside = repodata.parent().unwrap_or(output).to_owned();
        let lock = File::open(&beside).map_err(failed("opening", &beside))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CreateError::Busy(output.into())),
            Err(TryLockError::Error(error)) => return Err(failed("locking", &beside)(error)),
        }
        let folder = beside.join(WORK);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("removing what a killed run left in", &folder)(error));
            }
            _ => {}
        }
        fs::create_dir(&folder).map_err(failed("making the folder", &folder))?;
        Ok(Self { folder, repodata, lock })
    }

    /// Brings the metadata into place. `keep` are the names of the old files that the new `repomd.xml` names, too; with
    /// `retain` all others stay, as well. `time` is the time that the new files get, if it matters.
    pub(super) fn switch(
        self,
        repomd: &Repomd,
        old: Option<&Repomd>,
        retain: bool,
        simple: bool,
        time: Option<i64>,
    ) -> Result<(), CreateError> {
        let text = repomd.to_xml();
        let path = self.folder.join(REPOMD);
        fs::write(&path, &text).map_err(failed("writing", &path))?;
        let names: BTreeSet<&str> = repomd.data.iter().map(|data| data.location.file_name()).collect();
        let mut written = self.written(&names)?;
        for name in written.iter().map(String::as_str).chain([REPOMD]) {
            let path = self.folder.join(name);
            if let Some(time) = time.and_then(|time| u64::try_from(time).ok()) {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time);
                let file = File::options().write(true).open(&path);
                file.and_then(|file| file.set_modified(time))
                    .map_err(failed("setting the time of", &path))?;
            }
        }
        let superseded: Vec<&str> = match old {
            Some(old) if !retain => {
                let inside = old.data.iter().filter(|data| data.location.as_str().starts_with("repodata/"));
                inside.map(|data| data.location.file_name()).filter(|name| !names.contains(name)).collect()
            }
            _ => Vec::new(),
        };
        let current = self.repodata.join(REPOMD);
        let same = fs::read(&current).is_ok_and(|bytes| bytes == text.as_bytes());
        if !self.repodata.is_dir() {
            return fs::rename(&self.folder, &self.repodata)
                .map_err(failed("putting into place", &self.repodata));
        }
        if simple {
            return self.exchange(&superseded, same);
        }
        written.push(REPOMD.into());
        if !same {
            let signature = self.repodata.join(format!("{REPOMD}.asc"));
            remove(&signature)?;
        }
        for name in &written {
            let to = self.repodata.join(name);
            fs::rename(self.folder.join(name), &to).map_err(failed("putting into place", &to))?;
        }
        superseded.iter().try_for_each(|name| remove(&self.repodata.join(name)))
    }

    /// The files that were written, without repomd.xml; what is not named by it goes.
    #[allow(clippy::disallowed_methods, reason = "the names are sorted")]
    fn written(&self, names: &BTreeSet<&str>) -> Result<Vec<String>, CreateError> {
        let mut written = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed("reading", &self.folder))? {
            let entry = entry.map_err(failed("reading", &self.folder))?;
            match entry.file_name().into_string() {
                Ok(name) if names.contains(&*name) => written.push(name),
                Ok(name) if name == REPOMD => {}
                _ => remove(&entry.path())?,
            }
        }
        written.sort();
        Ok(written)
    }

    /// Exchanges the two folders, after all that is to stay was linked into the new one.
    #[allow(clippy::disallowed_methods, reason = "the order of links plays no part")]
    fn exchange(&self, superseded: &[&str], same: bool) -> Result<(), CreateError> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(&self.repodata).map_err(failed("reading", &self.repodata))? {
            let entry = entry.map_err(failed("reading", &self.repodata))?;
            let name = entry.file_name();
            let gone = superseded.iter().any(|gone| name == *gone) || name == "repomd.xml.asc" && !same;
            if gone {
                continue;
            }
            let to = self.folder.join(&name);
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(name);
            } else if !to.exists() {
                fs::hard_link(entry.path(), &to).map_err(failed("linking", &to))?;
            }
        }
        let (new, old) = (&self.folder, &self.repodata);
        match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
            // Not every file system can do it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                let aside = old.with_file_name(format!("{WORK}-old"));
                let moved = fs::rename(old, &aside).and_then(|()| fs::rename(new, old));
                moved.and_then(|()| fs::rename(&aside, new)).map_err(failed("putting into place", old))?;
            }
            exchanged => exchanged.map_err(|error| failed("putting into place", old)(error.into()))?,
        }
        for name in folders {
            let to = old.join(&name);
            fs::rename(new.join(&name), &to).map_err(failed("putting into place", &to))?;
        }
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // It is not there where it became the new folder.
        fs::remove_dir_all(&self.folder).ok();
        // Closing it is not enough: a program that another thread is just starting has it open, too, for a moment.
        self.lock.unlock().ok();
    }
}

fn remove(path: &Path) -> Result<(), CreateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("removing", path)(error)),
        _ => Ok(()),
    }
}
