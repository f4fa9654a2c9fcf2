//! Running a command whose output somebody watches, and ending it when they have seen enough.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use super::super::error::{Ended, RunError};
use super::super::host::{Done, Job, Output, host};
use super::super::request::{Bind, Cell, Task, Work};
use super::super::stage::Stage;
use super::super::supervise::Owners;
use super::{Command, Root, Runner, environment, standard_binds};

/// How much of its error output is kept.
const ERRORS: u64 = 4096;

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

impl Runner {
    /// Runs a command without a terminal, on all CPUs, for no longer than the deadline. What it writes to its
    /// standard output is given to `watch` as it comes. When this returns, no process of it is left; what it left in
    /// `/out` is lost.
    pub fn watch(
        &self,
        command: &Command,
        deadline: Duration,
        watch: &mut dyn FnMut(&[u8]) -> Next,
    ) -> Result<Watched, RunError> {
        let label = "the command";
        let root = match &command.root {
            Root::Image(image) => self.folders.image_root(image)?,
            Root::Folder(folder) => folder.clone(),
        };
        let scratch = self.folders.store.scratch("watch").map_err(|source| RunError::Store {
            label: label.into(),
            doing: "make a scratch folder".into(),
            source,
        })?;
        let stage = Stage::new(scratch.path(), &self.folders.ids, true)?;
        stage.note(&Owners::default())?;
        let mut binds = standard_binds(&stage);
        for (source, target) in command.binds.clone() {
            stage.mount_point(&source, &target, &self.folders.ids)?;
            binds.push(Bind { source, target, writable: false });
        }
        let work = Work::Program {
            argv: command.argv.clone(),
            environment: environment(command.source_date),
            folder: "/build".into(),
        };
        let mut errors = tempfile::tempfile().map_err(host("make a temporary file"))?;
        let cell = Cell {
            root: Some(root),
            binds,
            cpu: None,
            capabilities: 0,
            makes_root: false,
            owners: stage.owners.clone(),
            bits32: false,
            runtime: None,
            work,
        };
        let job = Job {
            gander: &self.folders.gander,
            ids: &self.folders.ids,
            label,
            deadline: Some(deadline),
            output: Output::Watched { errors: &errors },
        };
        let done = job.watch(&job.request(Task::Cell(cell), false), watch);
        self.folders.clear(scratch)?;
        Ok(match done? {
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
}
