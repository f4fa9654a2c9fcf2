//! Running an action.

mod command;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cpus::Cpus;
use super::error::{Ended, ProgramFailure, RunError, quote};
use super::folders::{Folders, LayOut, Place};
use super::host::{Job, Output, host};
use super::ids::{Choice, Ids, Writer};
use super::probe;
use super::request::{Bind, Cell, Task, Work};
use super::stage::Stage;
use super::supervise::Owners;
use crate::base::{Digest, RelPath, SourceDate};
use crate::plan::{Action, Executor, ResolvedInput, Rights};
use crate::store::{Store, StoreError, Tree};

pub use command::{Command, Next, Root, Watched};

/// How long a step may take unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(3600);

/// Runs steps, each in its own jail. May be used by several threads at once.
pub struct Runner {
    folders: Folders,
    cpus: Cpus,
    without_range: Option<String>,
    /// The OCI runtime that runs programs; none for the embedded runner.
    runtime: Option<PathBuf>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Folders { gander, ids, .. } = &self.folders;
        f.debug_struct("Runner").field("gander", gander).field("ids", ids).finish_non_exhaustive()
    }
}

/// What runs the programs of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// gander itself.
    #[default]
    Embedded,
    /// `runc`, by OCI bundle.
    Runc,
}

/// How to run an action.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How long it may take.
    pub deadline: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { deadline: DEADLINE }
    }
}

/// What an action made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The digest of its output tree's manifest.
    pub tree: Digest,
    /// Its output tree.
    pub output: Tree,
    /// How long it took, staging and taking in included.
    pub elapsed: Duration,
}

impl Runner {
    /// A runner that keeps its files in this store and starts this gander executable as its inside.
    pub fn new(store: &Store, gander: PathBuf) -> Result<Self, RunError> {
        Self::with_ids(store, gander, Choice::Auto)
    }

    /// The same; steps get these ids.
    pub fn with_ids(store: &Store, gander: PathBuf, choice: Choice) -> Result<Self, RunError> {
        let (ids, without_range) = probe::ids(choice)?;
        let map = ids.map().map_err(|error| RunError::NoIds {
            reason: format!("the ranges that it may use are not usable: {error}"),
            cure: "let root correct /etc/subuid and /etc/subgid".into(),
        })?;
        let image: LayOut =
            Arc::new(|store, image, dest, map| Ok(crate::oci::lay_out(store, image, dest, map)?));
        let folders = Folders { store: store.clone(), gander, ids, map, image };
        for path in store.leftovers() {
            // One that belongs to another user's map waits for that user; it is in nobody's way.
            folders.remove(path).ok();
        }
        Ok(Self { folders, cpus: Cpus::new(), without_range, runtime: None })
    }

    /// The same runner with roots from elsewhere: for tests that have no image.
    #[must_use]
    pub fn with_roots(mut self, lay_out: LayOut) -> Self {
        self.folders.image = lay_out;
        self
    }

    /// The same runner with the programs of steps run by this backend. A person's command stays with the embedded
    /// one, which knows terminals.
    pub fn with_backend(mut self, backend: Backend) -> Result<Self, RunError> {
        self.runtime = match backend {
            Backend::Embedded => None,
            // The supervisor that stands in for a range of ids watches a program, not what starts it.
            Backend::Runc if self.folders.ids.writer == Writer::Single => {
                return Err(RunError::NoRange { name: "runc" });
            }
            Backend::Runc => Some(probe::program("runc").ok_or(RunError::NoRuntime { name: "runc" })?),
        };
        Ok(self)
    }

    /// The ids that steps get.
    pub fn ids(&self) -> &Ids {
        &self.folders.ids
    }

    /// Why steps have one id and not the 65,536 that they should have, and how to change that; none if they have
    /// these, or one was asked for.
    pub fn without_range(&self) -> Option<&str> {
        self.without_range.as_deref()
    }

    /// Runs an action, takes its output into the store and records that. Its log is kept only if it fails, below the
    /// store's `logs`.
    pub fn run(&self, action: &Action, options: &RunOptions) -> Result<Outcome, RunError> {
        let start = Instant::now();
        let step = &action.step;
        // Some labels say of what kind they are.
        let label = match step.label.starts_with(&step.kind) {
            true => step.label.clone(),
            false => format!("{} {}", step.kind, step.label).trim_end().to_owned(),
        };
        let store = &self.folders.store;
        let in_store = |doing: &str| {
            let (label, doing) = (label.clone(), doing.to_owned());
            move |source: StoreError| RunError::Store { label, doing, source }
        };
        let scratch = store.scratch(&step.kind).map_err(in_store("make a scratch folder"))?;
        let made = self.perform(action, options, &label, scratch.path());
        let cleared = self.folders.clear(scratch);
        // What went wrong first says more than what cleaning up met after it.
        let (tree, output) = made?;
        cleared?;
        store.record_action(&action.key(), &tree).map_err(in_store("record the result"))?;
        Ok(Outcome { tree, output, elapsed: start.elapsed() })
    }

    /// Runs an action in a scratch folder; what it leaves there is for the caller to clear.
    fn perform(
        &self,
        action: &Action,
        options: &RunOptions,
        label: &str,
        scratch: &Path,
    ) -> Result<(Digest, Tree), RunError> {
        let (step, folders) = (&action.step, &self.folders);
        let bits32 = match &step.executor {
            Executor::Program(_) => check_platform(label, &step.platform)?,
            Executor::Native(_) => false,
        };
        let stage = Stage::new(scratch, &folders.ids, action.base.is_none())?;
        let mut owners = Owners::default();
        let root = match (&step.executor, &action.root) {
            (Executor::Program(_), Some(ResolvedInput::File(image))) => Some(folders.image_root(image)?),
            (Executor::Program(_), Some(ResolvedInput::Tree(tree))) => {
                folders.tree(label, tree, &stage.root, Place::Root, &mut owners)?;
                Some(stage.root.clone())
            }
            (Executor::Program(_), None) => return Err(RunError::NoRoot { label: label.into() }),
            (Executor::Native(_), _) => None,
        };
        stage.fill(folders, label, &action.inputs, &mut owners)?;
        if let Some(base) = &action.base {
            folders.tree(label, base, &stage.output, Place::Base, &mut owners)?;
        }
        stage.note(&owners)?;
        let log = open_log(&stage.log, &folders.ids);
        let log = log.map_err(host(format!("write the log '{}'", stage.log.display())))?;
        let work = match &step.executor {
            Executor::Program(argv) => Work::Program {
                argv: argv.clone(),
                environment: environment(Some(step.source_date)),
                folder: "/build".into(),
            },
            Executor::Native(_) => Work::Native {
                kind: step.kind.clone(),
                params: step.params.clone(),
                source_date: step.source_date,
            },
        };
        let cpu = self.cpus.take();
        let cell = Cell {
            root,
            binds: standard_binds(&stage),
            cpu: cpu.number,
            rights: step.rights,
            owners: stage.owners.clone(),
            bits32,
            runtime: self.runtime.clone().filter(|_| matches!(work, Work::Program { .. })),
            work,
        };
        let job = Job {
            gander: &folders.gander,
            ids: &folders.ids,
            label,
            deadline: Some(options.deadline),
            output: Output::Log { file: &log, path: Some(&stage.log) },
        };
        let ended = job.run(&job.request(Task::Cell(cell), false));
        drop(cpu);
        // Back from the map's root. An ordinary user's was his all the time.
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        rustix::fs::fchown(&log, Some(user), Some(group)).ok();
        let done = ended.and_then(|ended| match (ended, &step.executor) {
            (Ended::Exited(0), _) => Ok(()),
            (ended, Executor::Program(argv)) => {
                let (path, tail) = job.tail();
                // A log that cannot be written to is missing this much; the failure itself is told all the same.
                let _unwritten = writeln!(&log, "command: {}", quote(argv));
                let (label, argv, log) = (label.to_owned(), argv.clone(), path);
                Err(RunError::Program(Box::new(ProgramFailure { label, argv, ended, log, tail })))
            }
            (ended, Executor::Native(_)) => {
                let (log, tail) = job.tail();
                Err(RunError::Lost { label: label.into(), status: format!("it {ended}"), log, tail })
            }
        });
        let foreign = step.rights == Rights::MakeRoot || action.base.is_some();
        match done {
            Ok(()) => {
                folders.capture(&stage.output, step.source_date, label, foreign, stage.owners.as_deref())
            }
            Err(error) => Err(self.keep_log(error, &action.key())),
        }
    }

    /// Moves the log of a failed step to where it stays, and says so in the error.
    fn keep_log(&self, mut error: RunError, key: &Digest) -> RunError {
        let named = match &mut error {
            RunError::Program(failure) => &mut failure.log,
            RunError::Deadline { log, .. } | RunError::Lost { log, .. } | RunError::Inexact { log, .. } => {
                log
            }
            _ => return error,
        };
        *named = named.take().and_then(|temporary| {
            let folder = self.folders.store.root().join("logs");
            let kept = folder.join(format!("{}.log", key.hex()));
            let moved = fs::create_dir_all(&folder).and_then(|()| fs::rename(temporary, &kept));
            moved.ok().map(|()| kept)
        });
        error
    }
}

/// Makes the log of a step. It belongs to the map's root while the step runs, so that a script may open its
/// `/dev/stderr`; all writers append, since who opens that may cut the file short under the others.
fn open_log(path: &Path, ids: &Ids) -> io::Result<File> {
    let log = File::options().read(true).append(true).create(true).open(path)?;
    log.set_len(0)?;
    let (user, group) = ids.first();
    let metadata = log.metadata()?;
    if (metadata.uid(), metadata.gid()) != (user, group) {
        // Where this is refused the log is complete all the same.
        std::os::unix::fs::fchown(&log, Some(user), Some(group)).ok();
    }
    Ok(log)
}

fn standard_binds(stage: &Stage) -> Vec<Bind> {
    [("build", &stage.scratch, true), ("in", &stage.inputs, false), ("out", &stage.output, true)]
        .into_iter()
        .filter_map(|(target, source, writable)| {
            Some(Bind { source: source.clone(), target: RelPath::new(target).ok()?, writable })
        })
        .collect()
}

/// Exactly what a program finds in its environment.
fn environment(source_date: Option<SourceDate>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from(
        [
            ("HOME", "/build"),
            ("LC_ALL", "C.UTF-8"),
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("TMPDIR", "/tmp"),
            ("TZ", "UTC"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    environment.extend(source_date.map(|date| ("SOURCE_DATE_EPOCH".to_owned(), date.seconds().to_string())));
    environment
}

/// Whether programs of this platform run here, and whether they are to see a 32-bit machine.
fn check_platform(label: &str, platform: &str) -> Result<bool, RunError> {
    let uname = rustix::system::uname();
    let host = uname.machine().to_string_lossy();
    match (platform, &*host) {
        ("i386" | "i486" | "i586" | "i686", "x86_64") => Ok(true),
        (platform, host) if platform == host || platform == "noarch" => Ok(false),
        _ => Err(RunError::Platform { label: label.into(), platform: platform.into(), host: host.into() }),
    }
}
