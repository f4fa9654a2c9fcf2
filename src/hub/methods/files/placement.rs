//! Files that come and go with a change of the hub's state, so that a hub that is killed at any moment has both or neither.
//!
//! A file is written and synchronised under a name that nobody looks at (`topdir/.incoming/`), noted in a journal
//! beside the database, and renamed to where it belongs; then the database commits, and the journal goes. A file that
//! goes is noted before and removed behind the commit. Whoever opens the hub next looks at the journals that are still
//! there: the database says whether the change took place, and the files are made to agree with it.
//!
//! Each transaction has a journal of its own, a file in `journal/` with one JSON object a line ([`Note`]), and a lock on
//! it that ends with the process: a journal that can be locked is of one who died.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::format::xmlrpc::Fault;
use crate::hub::methods::{generic, internal};

/// Where files are written before they have a name.
const INCOMING: &str = ".incoming";
const JOURNALS: &str = "journal";

/// What became of a file, and how to tell from the database whether that took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Note {
    /// The file of an RPM came: it took place if the database has the RPM.
    Rpm {
        /// Relative to topdir.
        path: PathBuf,
        /// name-version-release.arch.
        nvra: String,
    },
    /// A signature header came: it took place if the database has the signature.
    Signature {
        /// Relative to topdir.
        path: PathBuf,
        /// name-version-release.arch.
        nvra: String,
        /// The key.
        sigkey: String,
    },
    /// A build's folder goes: that took place if the database calls it deleted.
    Build {
        /// Relative to topdir.
        path: PathBuf,
        /// Its id.
        id: i64,
    },
    /// A build's folder came to a volume: it took place if the database has the build there.
    Arrival {
        /// Relative to topdir.
        path: PathBuf,
        /// The build's id.
        id: i64,
        /// The volume's id.
        volume: i64,
    },
    /// A build's folder goes from a volume: that took place if the database has the build elsewhere.
    Departure {
        /// Relative to topdir.
        path: PathBuf,
        /// The build's id.
        id: i64,
        /// The volume's id.
        volume: i64,
    },
}

impl Note {
    fn path(&self) -> &Path {
        match self {
            Self::Rpm { path, .. }
            | Self::Signature { path, .. }
            | Self::Build { path, .. }
            | Self::Arrival { path, .. }
            | Self::Departure { path, .. } => path,
        }
    }

    fn comes(&self) -> bool {
        !matches!(self, Self::Build { .. } | Self::Departure { .. })
    }

    /// Removes what this is about: a file, or a folder with what is in it.
    fn undo(&self, topdir: &Path) -> io::Result<()> {
        let path = topdir.join(self.path());
        remove(match self {
            Self::Rpm { .. } | Self::Signature { .. } => fs::remove_file(path),
            Self::Build { .. } | Self::Arrival { .. } | Self::Departure { .. } => fs::remove_dir_all(path),
        })
    }
}

/// A file that was written and has no name yet.
#[derive(Debug)]
pub struct Staged(NamedTempFile);

impl Staged {
    /// The file, at its beginning or wherever it was left.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }
}

/// The folder of a hub's files.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    topdir: PathBuf,
}

impl Files {
    /// The files of the hub in a folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), topdir: folder.join("topdir") }
    }

    /// Where they are.
    pub fn topdir(&self) -> &Path {
        &self.topdir
    }

    /// Writes a file that has no name yet. It is on the disk when this returns.
    pub fn stage<T>(&self, write: impl FnOnce(&mut File) -> Result<T, Fault>) -> Result<(Staged, T), Fault> {
        let folder = self.topdir.join(INCOMING);
        fs::create_dir_all(&folder).map_err(internal)?;
        let mut file = NamedTempFile::new_in(folder).map_err(internal)?;
        // Says that its writer lives.
        file.as_file().lock().map_err(internal)?;
        let written = write(file.as_file_mut())?;
        let public = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(public).map_err(internal)?;
        file.as_file().sync_all().map_err(internal)?;
        Ok((Staged(file), written))
    }

    /// Gives a file that follows from others its name, in place of an older one.
    pub fn replace(&self, staged: Staged, path: &Path) -> Result<(), Fault> {
        let path = self.topdir.join(path);
        let folder = make_folder(&path)?;
        staged.0.persist(&path).map_err(|error| internal(error.error))?;
        sync(folder).map_err(internal)
    }

    /// Removes what dead processes left half written. `holds` says whether what a note is about took place. To be called
    /// with the hub's lock.
    pub fn recover(&self, holds: impl Fn(&Note) -> Result<bool, Fault>) -> Result<(), Fault> {
        for journal in dead(&self.journals()) {
            for note in read(&journal)? {
                if note.comes() != holds(&note)? {
                    note.undo(&self.topdir).map_err(internal)?;
                }
            }
            remove(fs::remove_file(journal)).map_err(internal)?;
        }
        for half in dead(&self.topdir.join(INCOMING)) {
            remove(fs::remove_file(half)).map_err(internal)?;
        }
        Ok(())
    }

    /// Removes all uploads.
    pub fn clear_uploads(&self) -> io::Result<()> {
        remove(fs::remove_dir_all(self.topdir.join("work")))
    }

    fn journals(&self) -> PathBuf {
        self.folder.join(JOURNALS)
    }
}

/// The files in a folder that no living process has locked.
fn dead(folder: &Path) -> Vec<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "their order means nothing")]
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths.filter(|path| File::open(path).is_ok_and(|file| file.try_lock().is_ok())).collect()
}

fn read(journal: &Path) -> Result<Vec<Note>, Fault> {
    let mut notes = Vec::new();
    for line in BufReader::new(File::open(journal).map_err(internal)?).split(b'\n') {
        // The last line may have been cut: then its file never got its name.
        let line = line.map_err(internal)?;
        let Ok(note) = serde_json::from_slice::<Note>(&line) else { break };
        if !note.path().components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(internal("the hub's journal is damaged"));
        }
        notes.push(note);
    }
    Ok(notes)
}

/// What is missing need not be removed.
fn remove(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Copies a folder with what is in it; all of it is on the disk when this returns.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    #[allow(clippy::disallowed_methods, reason = "their order means nothing")]
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    sync(to)
}

fn make_folder(path: &Path) -> Result<&Path, Fault> {
    let folder = path.parent().ok_or_else(|| internal("a path without a folder"))?;
    fs::create_dir_all(folder).map_err(internal)?;
    Ok(folder)
}

/// What a transaction does to files.
enum Step {
    /// Noted in the journal.
    Noted(Note),
    /// Done once the transaction is, and no harm where it is not.
    Later(Box<dyn FnOnce() + Send>),
}

/// The files that come and go with one transaction. Without [`Placement::commit`] all is as before. To be used and dropped
/// with the hub's lock.
pub struct Placement<'f> {
    files: &'f Files,
    journal: Option<NamedTempFile>,
    steps: Vec<Step>,
}

impl fmt::Debug for Placement<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Placement").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl<'f> Placement<'f> {
    /// Nothing yet.
    pub fn new(files: &'f Files) -> Self {
        Self { files, journal: None, steps: Vec::new() }
    }

    /// The files that this is about.
    pub fn files(&self) -> &'f Files {
        self.files
    }

    /// Gives a file the name that its note says. The file of an RPM takes no other's place; a signature header may take
    /// that of one which the database does not have.
    pub fn place(&mut self, staged: Staged, note: Note) -> Result<(), Fault> {
        let path = self.files.topdir.join(note.path());
        let alone = matches!(note, Note::Rpm { .. });
        if alone && path.symlink_metadata().is_ok() {
            return Err(generic(format!("Destination exists: {}", note.path().display())));
        }
        let folder = make_folder(&path)?;
        self.note(note).map_err(internal)?;
        let persisted = if alone { staged.0.persist_noclobber(&path) } else { staged.0.persist(&path) };
        persisted.map_err(|error| internal(error.error))?;
        sync(folder).map_err(internal)
    }

    /// Copies a folder to where its note says, where nothing may be. Links in it stay links.
    pub fn copy(&mut self, from: &Path, note: Note) -> Result<(), Fault> {
        let (from, to) = (self.files.topdir.join(from), self.files.topdir.join(note.path()));
        if to.symlink_metadata().is_ok() {
            return Err(generic(format!("Destination directory exists: {}", note.path().display())));
        }
        let folder = make_folder(&to)?;
        self.note(note).map_err(internal)?;
        copy_folder(&from, &to).and_then(|()| sync(folder)).map_err(internal)
    }

    /// Has what a note is about removed, once the transaction is done.
    pub fn remove(&mut self, note: Note) -> Result<(), Fault> {
        self.note(note).map_err(internal)
    }

    /// Has something done once the transaction is, that nothing depends on.
    pub fn later(&mut self, act: impl FnOnce() + Send + 'static) {
        self.steps.push(Step::Later(Box::new(act)));
    }

    fn note(&mut self, note: Note) -> io::Result<()> {
        let mut line = serde_json::to_vec(&note)?;
        line.push(b'\n');
        let journal = match self.journal.take() {
            Some(journal) => self.journal.insert(journal),
            None => {
                let folder = self.files.journals();
                fs::create_dir_all(&folder)?;
                let journal = NamedTempFile::new_in(&folder)?;
                journal.as_file().lock()?;
                sync(&folder)?;
                sync(&self.files.folder)?;
                self.journal.insert(journal)
            }
        };
        let length = journal.as_file().metadata()?.len();
        let written = journal.write_all(&line).and_then(|()| journal.as_file().sync_all());
        if let Err(error) = written {
            // Half a line would hide those that come after it.
            journal.as_file().set_len(length)?;
            journal.seek(SeekFrom::Start(length))?;
            return Err(error);
        }
        self.steps.push(Step::Noted(note));
        Ok(())
    }

    /// Where this transaction stands, for [`Placement::back_to`].
    pub fn mark(&self) -> usize {
        self.steps.len()
    }

    /// Takes back what was done since a mark.
    pub fn back_to(&mut self, mark: usize) {
        let mut whole = true;
        for step in self.steps.split_off(mark.min(self.steps.len())).into_iter().rev() {
            if let Step::Noted(note) = step
                && note.comes()
            {
                whole &= note.undo(&self.files.topdir).is_ok();
            }
        }
        self.close(whole);
    }

    /// The database has committed: what was to go goes.
    pub fn commit(mut self) {
        let mut whole = true;
        for step in std::mem::take(&mut self.steps) {
            match step {
                Step::Noted(note) if note.comes() => {}
                Step::Noted(note) => whole &= note.undo(&self.files.topdir).is_ok(),
                Step::Later(act) => act(),
            }
        }
        self.close(whole);
    }

    /// Ends the journal where nothing is left to be done. Where something could not be done, it stays for when the hub
    /// is opened again.
    fn close(&mut self, whole: bool) {
        if let Some(journal) = self.journal.take_if(|_| self.steps.is_empty())
            && !whole
        {
            drop(journal.keep());
        }
    }
}

impl Drop for Placement<'_> {
    fn drop(&mut self) {
        self.back_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Files) {
        let world = tempfile::tempdir().unwrap();
        let files = Files::new(world.path());
        fs::create_dir_all(files.topdir()).unwrap();
        (world, files)
    }

    fn note(path: &str) -> Note {
        Note::Rpm { path: path.into(), nvra: "a-1-1.noarch".into() }
    }

    fn staged(files: &Files) -> Staged {
        files.stage(|file| file.write_all(b"x").map_err(internal)).unwrap().0
    }

    #[allow(clippy::disallowed_methods, reason = "they are counted")]
    fn journals(world: &tempfile::TempDir) -> usize {
        fs::read_dir(world.path().join(JOURNALS)).unwrap().count()
    }

    #[test]
    fn files_come_with_the_transaction_or_not_at_all() {
        let (world, files) = world();
        let at = |path: &str| files.topdir().join(path);
        let mut placement = Placement::new(&files);
        placement.place(staged(&files), note("p/a")).unwrap();
        let mark = placement.mark();
        placement.place(staged(&files), note("p/b")).unwrap();
        placement.back_to(mark);
        assert!(placement.place(staged(&files), note("p/a")).is_err(), "there is one already");
        placement.commit();
        assert!(at("p/a").exists() && !at("p/b").exists() && journals(&world) == 0);

        let mut dropped = Placement::new(&files);
        dropped.place(staged(&files), note("p/c")).unwrap();
        dropped.remove(Note::Build { path: "p".into(), id: 1 }).unwrap();
        drop(dropped);
        assert!(at("p/a").exists() && !at("p/c").exists() && journals(&world) == 0);

        let mut placement = Placement::new(&files);
        placement.remove(Note::Build { path: "p".into(), id: 1 }).unwrap();
        assert!(at("p/a").exists());
        placement.commit();
        assert!(!at("p").exists());
    }

    #[test]
    fn what_a_dead_process_left_is_made_to_agree_with_the_database() {
        for holds in [false, true] {
            let (world, files) = world();
            let at = |path: &str| files.topdir().join(path);
            let mut placement = Placement::new(&files);
            placement.place(staged(&files), note("p/a")).unwrap();
            fs::create_dir_all(at("old/build")).unwrap();
            placement.remove(Note::Build { path: "old/build".into(), id: 1 }).unwrap();
            // As a kill does it: nothing is taken back, and the lock ends.
            placement.steps.clear();
            let mut journal = placement.journal.take().unwrap();
            journal.write_all(b"{\"rpm\":{\"path\":\"q").unwrap();
            drop(journal.keep().unwrap());
            let half = files.topdir().join(INCOMING).join("half");
            fs::write(&half, "x").unwrap();
            let alive = staged(&files);
            let mut living = Placement::new(&files);
            living.place(staged(&files), note("p/living")).unwrap();

            files.recover(|_| Ok(holds)).unwrap();
            assert!(at("p/living").exists() && journals(&world) == 1, "one who lives is left alone");
            assert_eq!(at("p/a").exists(), holds);
            assert_eq!(at("old/build").exists(), !holds);
            assert!(!half.exists());
            assert!(alive.0.path().exists(), "what is being written stays");
        }
    }

    #[test]
    fn a_journal_cannot_name_what_is_elsewhere() {
        let (world, files) = world();
        fs::write(world.path().join("safe"), "x").unwrap();
        fs::create_dir(world.path().join(JOURNALS)).unwrap();
        fs::write(world.path().join(JOURNALS).join("x"), "{\"rpm\":{\"path\":\"../safe\",\"nvra\":\"a\"}}\n")
            .unwrap();
        assert!(files.recover(|_| Ok(false)).is_err());
        assert!(world.path().join("safe").exists());
    }
}
