//! Appending to a ledger: what waits is written in one go and synced once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::entry::{Entry, Event, Head, LONGEST_LINE, Line};
use super::read::{Noted, Problem, ReadError, files, name_of, read};
use crate::base::{Digest, SourceDate};

/// A file of the ledger has about this many bytes at most; then the next one begins.
pub const ROTATE_AT: u64 = 64 << 20;
/// So many entries wait for the writer at most.
const WAITING: usize = 1024;
/// An entry that comes so soon after those before is one of a series, as when many packages are signed.
const SERIES: Duration = Duration::from_millis(10);
/// In a series, entries are gathered for so long: bringing each to the disk alone takes time that signing needs.
const GATHERING: Duration = Duration::from_millis(25);

/// Why nothing can be recorded, so that nothing may be signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file cannot be written (a full disk, for one). Nothing half written stays; trying again helps once that is
    /// mended.
    #[error("the ledger cannot be written ({0}), so nothing is signed; is its disk full?")]
    Write(String),
    /// A write could not be made sure of. The signer must be restarted, which checks what is there.
    #[error(
        "the ledger could not be brought to its disk ({0}), so nothing is signed until the signer is restarted"
    )]
    Broken(String),
    /// An entry is too long. Trying again cannot help.
    #[error("the ledger's entry would have more than {LONGEST_LINE} bytes")]
    Long,
    /// It was changed. Retrying cannot help: find out by whom, and restore it from a copy.
    #[error("the ledger is not as it was left: {0}; nothing is signed before it is restored")]
    Changed(Problem),
    /// It cannot be read.
    #[error("{0}: {1}")]
    Read(String, String),
}

impl From<ReadError> for LedgerError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.to_string(), error.source.to_string())
    }
}

/// Keeps the head a second time, elsewhere, before anything leaves the signer.
pub type Keep = Box<dyn FnMut(Head) -> Result<(), String> + Send>;

struct Job {
    entry: Entry,
    done: SyncSender<Result<Head, LedgerError>>,
}

/// A ledger that is being written.
#[derive(Debug)]
pub struct Ledger {
    jobs: SyncSender<Job>,
}

/// The promise of a line: what it records may leave only after it was kept.
#[derive(Debug)]
#[must_use = "what is recorded may leave only after this was waited for"]
pub struct Receipt(Receiver<Result<Head, LedgerError>>);

impl Receipt {
    /// Waits until the line is on the disk, and gives the head with it.
    pub fn wait(self) -> Result<Head, LedgerError> {
        self.0.recv().unwrap_or_else(|_| Err(LedgerError::Broken("its writer has ended".into())))
    }
}

impl Ledger {
    /// Opens the ledger in a folder, or makes it. `known` is the head as it was kept elsewhere. Half a line at the end is
    /// handled; anything else that is wrong is an error.
    pub fn open(
        folder: &Path,
        known: Option<Head>,
        now: SourceDate,
        rotate_at: u64,
        keep: Keep,
    ) -> Result<Self, LedgerError> {
        let mut writer = Writer::open(folder, known, rotate_at, keep)?;
        if let Some(torn) = writer.torn.take() {
            let mut entry = Entry::new(Event::Recovery, now);
            entry.digest = Some(Digest::of(&torn));
            entry.detail = Some(String::from_utf8_lossy(&torn).chars().take(8192).collect());
            writer.append(vec![entry]).map(drop)?;
        }
        let (jobs, waiting) = sync_channel(WAITING);
        let start = thread::Builder::new().name("ledger".into()).spawn(move || writer.work(&waiting));
        start.map_err(|error| LedgerError::Broken(error.to_string()))?;
        Ok(Self { jobs })
    }

    /// Has an entry written.
    pub fn record(&self, entry: Entry) -> Receipt {
        let (done, receipt) = sync_channel(1);
        // If the writer is gone, so is `done`, which the receipt tells.
        let _gone = self.jobs.send(Job { entry, done });
        Receipt(receipt)
    }
}

struct Writer {
    folder: PathBuf,
    file: File,
    length: u64,
    head: Head,
    rotate_at: u64,
    keep: Keep,
    broken: Option<String>,
    torn: Option<Vec<u8>>,
}

impl Writer {
    fn open(folder: &Path, known: Option<Head>, rotate_at: u64, keep: Keep) -> Result<Self, LedgerError> {
        let failed = |error: io::Error| LedgerError::Write(error.to_string());
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let all = files(folder)?;
        let known = known.unwrap_or(Head::EMPTY);
        // All files from the one on that has the known head; those before were checked when that was kept.
        let from =
            all.iter().map(|(first, _)| *first).rfind(|first| *first <= known.count.max(1)).unwrap_or(1);
        let found = read(folder, from, &[Noted::Head(known)], |_, _| {})?;
        if let Some(problem) = found.problems.iter().find(|problem| !matches!(problem, Problem::Torn { .. }))
        {
            return Err(LedgerError::Changed(problem.clone()));
        }
        let (file, length) = match all.last() {
            Some((_, path)) => {
                let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
                let whole = file.metadata().map_err(failed)?.len();
                (file, whole - found.torn.as_ref().map_or(0, |torn| torn.len() as u64))
            }
            None => (create(folder, 1).map_err(failed)?, 0),
        };
        let broken = None;
        Ok(Self {
            folder: folder.into(),
            file,
            length,
            head: found.head,
            rotate_at,
            keep,
            broken,
            torn: found.torn,
        })
    }

    fn work(mut self, waiting: &Receiver<Job>) {
        let mut last: Option<Instant> = None;
        while let Ok(first) = waiting.recv() {
            if last.is_some_and(|last| last.elapsed() < SERIES) {
                thread::sleep(GATHERING);
            }
            let mut jobs = vec![first];
            while jobs.len() < WAITING
                && let Ok(job) = waiting.try_recv()
            {
                jobs.push(job);
            }
            let (entries, done): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.entry, job.done)).unzip();
            match self.append(entries) {
                Ok(heads) => heads.into_iter().zip(done).for_each(|(head, done)| {
                    // Whoever asked may have gone; the line stays.
                    let _gone = done.send(head);
                }),
                Err(error) => done.into_iter().for_each(|done| {
                    let _gone = done.send(Err(error.clone()));
                }),
            }
            last = Some(Instant::now());
        }
    }

    /// Writes entries, syncs once and keeps the new head.
    fn append(&mut self, entries: Vec<Entry>) -> Result<Vec<Result<Head, LedgerError>>, LedgerError> {
        if let Some(why) = &self.broken {
            return Err(LedgerError::Broken(why.clone()));
        }
        // An empty file is one that a killed signer had begun.
        if self.length > 0 && self.length >= self.rotate_at {
            self.file = create(&self.folder, self.head.count + 1)
                .map_err(|error| LedgerError::Write(error.to_string()))?;
            self.length = 0;
        }
        let (mut text, mut head, mut heads) = (Vec::new(), self.head, Vec::new());
        for entry in entries {
            let line = Line { seq: head.count + 1, prev: head.hash, entry };
            let json = serde_json::to_vec(&line).map_err(|error| LedgerError::Write(error.to_string()))?;
            if json.len() > LONGEST_LINE {
                heads.push(Err(LedgerError::Long));
                continue;
            }
            head = Head { count: line.seq, hash: Digest::of(&json) };
            text.extend_from_slice(&json);
            text.push(b'\n');
            heads.push(Ok(head));
        }
        let write = |file: &mut File| {
            file.seek(SeekFrom::Start(self.length))?;
            // What a write that failed, or a kill, left there.
            file.set_len(self.length)?;
            file.write_all(&text)
        };
        if let Err(error) = write(&mut self.file) {
            if let Err(worse) = self.file.set_len(self.length) {
                self.broken = Some(worse.to_string());
            }
            return Err(LedgerError::Write(error.to_string()));
        }
        if let Err(error) = self.file.sync_data() {
            // The kernel may have dropped what it could not write, and says so only once.
            self.broken = Some(error.to_string());
            return Err(LedgerError::Broken(error.to_string()));
        }
        self.length += text.len() as u64;
        self.head = head;
        // The lines are there and stay, but what they record does not leave.
        (self.keep)(head).map_err(LedgerError::Write)?;
        Ok(heads)
    }
}

fn create(folder: &Path, first: u64) -> io::Result<File> {
    let path = folder.join(name_of(first));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests;
