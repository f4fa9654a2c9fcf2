//! A person's command: on their terminal, or watched by somebody who ends it when they have seen enough.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use super::super::error::{Ended, RunError};
use super::super::host::{Done, Job, Output, host};
use super::super::request::{Bind, Cell, Task, Work};
use super::super::stage::Stage;
use super::super::supervise::Owners;
use super::{Runner, environment, standard_binds};
use crate::base::{Digest, RelPath, SourceDate};
use crate::plan::Rights;
use crate::store::{IdMap, Scratch, StoreError};

/// How errors call it.
const LABEL: &str = "the command";
/// How much of its error output is kept.
const ERRORS: u64 = 4096;

/// The root of a person's command.
#[derive(Clone, Debug)]
pub enum Root {
    /// An image of the store.
    Image(Digest),
    /// A folder that has the mount points (`build`, `dev`, `in`, `out`, `proc`, `tmp`).
    Folder(PathBuf),
}

/// A person's command. It has no rights beyond a plain step's, and the embedded runner always runs it.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its root.
    pub root: Root,
    /// Files and folders that it sees read-only: from where, and at which path of the jail. Paths below `in` are
    /// made; others must be in the root.
    pub binds: Vec<(PathBuf, RelPath)>,
    /// Where its `/out` goes; nothing is there yet. Lost if none, and if it is watched.
    pub output: Option<PathBuf>,
    /// The only time that it is told, if any.
    pub source_date: Option<SourceDate>,
    /// Its command line.
    pub argv: Vec<String>,
}

/// What somebody who watches a command wants after some of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To see more.
    Go,
    /// To see more, but for no longer than this.
    Within(Duration),
    /// To end it.
    Enough,
}

/// How a watched command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// By itself; with the last part of what it wrote to its standard error.
    Ended(Ended, String),
    /// Whoever watched had enough.
    Enough,
    /// Its time was over.
    Deadline,
}

fn in_store(doing: &str) -> impl FnOnce(StoreError) -> RunError {
    move |source| RunError::Store { label: LABEL.into(), doing: doing.into(), source }
}

impl Runner {
    /// Runs a command on the terminal, on one CPU as a step would be. How it ended is for the caller to judge.
    pub fn command(&self, command: &Command) -> Result<Ended, RunError> {
        let cpu = self.cpus.take();
        let (scratch, stage, cell) = self.prepare(command, "run", cpu.number)?;
        let job = self.job(None, Output::Terminal);
        let ended = job.run(&job.request(Task::Cell(cell), true));
        let taken = match (&ended, &command.output) {
            (Ok(_), Some(output)) => {
                // An output without a source date keeps the times that it has.
                let clamp = command.source_date.or(SourceDate::from_seconds(i64::from(u32::MAX)).ok());
                clamp.map_or(Ok(()), |clamp| {
                    let (_, tree) = self.folders.capture(&stage.output, clamp, LABEL, false, None)?;
                    let laid_out = crate::store::lay_out(&self.folders.store, &tree, output, &IdMap::own());
                    laid_out.map_err(in_store("bring out the output"))
                })
            }
            _ => Ok(()),
        };
        let cleared = self.folders.clear(scratch);
        let ended = ended?;
        taken.and(cleared).map(|()| ended)
    }

    /// Runs a command without a terminal, on all CPUs, for no longer than the deadline. What it writes to its
    /// standard output is given to `watch` as it comes. When this returns, no process of it is left; what it left in
    /// `/out` is lost.
    pub fn watch(
        &self,
        command: &Command,
        deadline: Duration,
        watch: &mut dyn FnMut(&[u8]) -> Next,
    ) -> Result<Watched, RunError> {
        let (scratch, _, cell) = self.prepare(command, "watch", None)?;
        let mut errors = tempfile::tempfile().map_err(host("make a temporary file"))?;
        let job = self.job(Some(deadline), Output::Watched { errors: &errors });
        let done = job.watch(&job.request(Task::Cell(cell), false), watch);
        let cleared = self.folders.clear(scratch);
        let done = done?;
        cleared?;
        Ok(match done {
            Done::Ended(ended) => {
                let mut said = Vec::new();
                let length = errors.seek(SeekFrom::End(0)).unwrap_or(0);
                let from = SeekFrom::Start(length.saturating_sub(ERRORS));
                // What cannot be read back is only missing from a message.
                let _read = errors.seek(from).and_then(|_| errors.take(ERRORS).read_to_end(&mut said));
                Watched::Ended(ended, String::from_utf8_lossy(&said).trim().to_owned())
            }
            Done::Enough => Watched::Enough,
            Done::Deadline | Done::Captured(_) => Watched::Deadline,
        })
    }

    fn job<'a>(&'a self, deadline: Option<Duration>, output: Output<'a>) -> Job<'a> {
        Job { gander: &self.folders.gander, ids: &self.folders.ids, label: LABEL, deadline, output }
    }

    /// Makes the folders and the jail of a command; `kind` names the scratch folder.
    fn prepare(
        &self,
        command: &Command,
        kind: &str,
        cpu: Option<usize>,
    ) -> Result<(Scratch, Stage, Cell), RunError> {
        let root = match &command.root {
            Root::Image(image) => self.folders.image_root(image)?,
            Root::Folder(folder) => folder.clone(),
        };
        let scratch = self.folders.store.scratch(kind).map_err(in_store("make a scratch folder"))?;
        let stage = Stage::new(scratch.path(), &self.folders.ids, true)?;
        stage.note(&Owners::default())?;
        let mut binds = standard_binds(&stage);
        let mut wanted = command.binds.clone();
        // Each after what it lies in.
        wanted.sort_by(|left, right| left.1.cmp(&right.1));
        for (source, target) in wanted {
            stage.mount_point(&source, &target, &self.folders.ids)?;
            binds.push(Bind { source, target, writable: false });
        }
        let work = Work::Program {
            argv: command.argv.clone(),
            environment: environment(command.source_date),
            folder: "/build".into(),
        };
        let cell = Cell {
            root: Some(root),
            binds,
            cpu,
            rights: Rights::Plain,
            owners: stage.owners.clone(),
            bits32: false,
            // A runtime knows no terminal, and does not give the output away as it comes.
            runtime: None,
            work,
        };
        Ok((scratch, stage, cell))
    }
}
