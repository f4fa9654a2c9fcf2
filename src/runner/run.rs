//! Running an action, or a person's command.

mod watch;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::CapabilitySet;

use super::error::{Ended, ProgramFailure, RunError};
use super::host::{Done, Job, Output, host};
use super::ids::{Ids, Writer};
use super::probe;
use super::request::{Bind, Cell, Errand, Request, Task, Work};
use super::roots;
use super::stage::Stage;
use crate::base::{Digest, RelPath, SourceDate};
use crate::plan::{Action, Executor, ResolvedInput};
use crate::store::{IdMap, Scratch, Store, StoreError, Tree};

pub use watch::{Next, Watched};

/// How long a step may take unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(3600);

/// How the root of an image is laid out at a path where nothing is, with the mount points of a jail.
pub type LayOut =
    Arc<dyn Fn(&Store, &Digest, &Path, &IdMap) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync>;

/// Runs steps, each in its own jail. May be used by several threads at once.
pub struct Runner {
    store: Store,
    gander: PathBuf,
    ids: Ids,
    map: IdMap,
    lay_out: LayOut,
    cpus: Cpus,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("gander", &self.gander).field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// How to run an action.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How long it may take.
    pub deadline: Duration,
    /// Where its log goes; kept only on failure (below the store's `logs`) if none.
    pub log: Option<PathBuf>,
    /// The capabilities that it keeps in its user namespace.
    pub keep: CapabilitySet,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { deadline: DEADLINE, log: None, keep: CapabilitySet::empty() }
    }
}

/// What an action made.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The digest of its output tree's manifest.
    pub tree: Digest,
    /// How long it took, staging and taking in included.
    pub elapsed: Duration,
    /// Its log, if it was to be kept.
    pub log: Option<PathBuf>,
}

/// The root of a person's command.
#[derive(Clone, Debug)]
pub enum Root {
    /// An image of the store.
    Image(Digest),
    /// A folder that has the mount points (`build`, `dev`, `in`, `out`, `proc`, `tmp`).
    Folder(PathBuf),
}

/// A person's command: it has the terminal.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its root.
    pub root: Root,
    /// Files and folders that it sees read-only: from where, and at which path of the jail. Paths below `in` are
    /// made; others must be in the root.
    pub binds: Vec<(PathBuf, RelPath)>,
    /// Where its `/out` goes; nothing is there yet. Lost if none.
    pub output: Option<PathBuf>,
    /// The only time that it is told, if any.
    pub source_date: Option<SourceDate>,
    /// Its command line.
    pub argv: Vec<String>,
}

impl Runner {
    /// A runner that keeps its files in this store and starts this gander executable as its inside.
    pub fn new(store: &Store, gander: PathBuf) -> Result<Self, RunError> {
        let ids = probe::ids()?;
        let map = ids.map().map_err(|error| RunError::NoIds {
            reason: format!("the ranges that it may use are not usable: {error}"),
            cure: "let root correct /etc/subuid and /etc/subgid".into(),
        })?;
        let lay_out: LayOut =
            Arc::new(|store, image, dest, map| Ok(crate::oci::lay_out(store, image, dest, map)?));
        let runner = Self { store: store.clone(), gander, ids, map, lay_out, cpus: Cpus::new() };
        for path in store.leftovers() {
            // One that belongs to another user's map waits for that user; it is in nobody's way.
            runner.remove(path).ok();
        }
        Ok(runner)
    }

    /// The same runner with roots from elsewhere: for tests that have no image.
    #[must_use]
    pub fn with_roots(self, lay_out: LayOut) -> Self {
        Self { lay_out, ..self }
    }

    /// The ids that steps get.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Runs an action, takes its output into the store and records that.
    pub fn run(&self, action: &Action, options: &RunOptions) -> Result<Outcome, RunError> {
        let start = Instant::now();
        let step = &action.step;
        // Some labels say of what kind they are.
        let label = match step.label.starts_with(&step.kind) {
            true => step.label.clone(),
            false => format!("{} {}", step.kind, step.label).trim_end().to_owned(),
        };
        let in_store = |doing: &str| {
            let (label, doing) = (label.clone(), doing.to_owned());
            move |source: StoreError| RunError::Store { label, doing, source }
        };
        let bits32 = match &step.executor {
            Executor::Program(_) => check_platform(&label, &step.platform)?,
            Executor::Native(_) => false,
        };
        let root = match (&step.executor, &action.root) {
            (Executor::Program(_), Some(ResolvedInput::File(image))) => Some(self.image_root(image)?),
            (Executor::Program(_), Some(ResolvedInput::Tree(_))) => todo!("a tree as root"),
            (Executor::Native(_), None) => None,
            (Executor::Program(_), None) => return Err(RunError::NoRoot { label }),
            (Executor::Native(_), Some(_)) => None,
        };
        let scratch = self.store.scratch(&step.kind).map_err(in_store("make a scratch folder"))?;
        let stage = Stage::new(scratch.path(), &self.ids)?;
        stage.fill(&self.store, &label, &action.inputs, &self.map)?;
        let log_path = options.log.clone().unwrap_or_else(|| stage.log.clone());
        let log = File::options().read(true).write(true).create(true).truncate(true).open(&log_path);
        let log = log.map_err(host(format!("write the log '{}'", log_path.display())))?;
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
        let binds = standard_binds(&stage);
        let capabilities = options.keep.bits();
        let cell = Cell { root, binds, cpu: cpu.number, capabilities, bits32, work };
        let job = Job {
            gander: &self.gander,
            ids: &self.ids,
            label: &label,
            deadline: Some(options.deadline),
            output: Output::Log { file: &log, path: Some(&log_path) },
        };
        let ended = job.run(&Request { interactive: false, task: Task::Cell(cell) });
        drop(cpu);
        let done = ended.and_then(|ended| match (ended, &step.executor) {
            (Ended::Exited(0), _) => Ok(()),
            (ended, Executor::Program(argv)) => {
                let (log, tail) = job.tail();
                let (label, argv) = (label.clone(), argv.clone());
                Err(RunError::Program(Box::new(ProgramFailure { label, argv, ended, log, tail })))
            }
            (ended, Executor::Native(_)) => {
                let (log, tail) = job.tail();
                Err(RunError::Lost { label: label.clone(), status: format!("it {ended}"), log, tail })
            }
        });
        let captured = match done {
            Ok(()) => self.capture(&stage.output, step.source_date, &label),
            Err(error) => Err(self.keep_log(error, &action.key(), &stage.log)),
        };
        let cleared = self.clear(scratch);
        // What went wrong first says more than what cleaning up met after it.
        let tree = captured?;
        cleared?;
        let digest = self.store.put_tree(&tree).map_err(in_store("keep the output"))?;
        self.store.record_action(&action.key(), &digest).map_err(in_store("record the result"))?;
        Ok(Outcome { tree: digest, elapsed: start.elapsed(), log: options.log.clone() })
    }

    /// Runs a person's command on the terminal. How it ended is for the caller to judge.
    pub fn command(&self, command: &Command) -> Result<Ended, RunError> {
        let label = "the command";
        let in_store = |doing: &str| {
            let doing = doing.to_owned();
            move |source: StoreError| RunError::Store { label: label.into(), doing, source }
        };
        let bits32 = false;
        let root = match &command.root {
            Root::Image(image) => self.image_root(image)?,
            Root::Folder(folder) => folder.clone(),
        };
        let scratch = self.store.scratch("run").map_err(in_store("make a scratch folder"))?;
        let stage = Stage::new(scratch.path(), &self.ids)?;
        let mut binds = standard_binds(&stage);
        let mut wanted = command.binds.clone();
        wanted.sort_by(|left, right| left.1.cmp(&right.1));
        for (source, target) in wanted {
            stage.mount_point(&source, &target)?;
            binds.push(Bind { source, target, writable: false });
        }
        let work = Work::Program {
            argv: command.argv.clone(),
            environment: environment(command.source_date),
            folder: "/build".into(),
        };
        let cpu = self.cpus.take();
        let cell = Cell { root: Some(root), binds, cpu: cpu.number, capabilities: 0, bits32, work };
        let job =
            Job { gander: &self.gander, ids: &self.ids, label, deadline: None, output: Output::Terminal };
        let ended = job.run(&Request { interactive: true, task: Task::Cell(cell) });
        let taken = match (&ended, &command.output) {
            (Ok(_), Some(output)) => {
                // An output without a source date keeps the times that it has.
                let clamp = command.source_date.or(SourceDate::from_seconds(i64::from(u32::MAX)).ok());
                clamp.map_or(Ok(()), |clamp| {
                    let tree = self.capture(&stage.output, clamp, label)?;
                    let laid_out = crate::store::lay_out(&self.store, &tree, output, &IdMap::own());
                    laid_out.map_err(in_store("bring out the output"))
                })
            }
            _ => Ok(()),
        };
        let cleared = self.clear(scratch);
        let ended = ended?;
        taken.and(cleared).map(|()| ended)
    }

    fn capture(&self, output: &Path, clamp: SourceDate, label: &str) -> Result<Tree, RunError> {
        let plain = crate::store::capture(&self.store, output, &self.map, clamp);
        let failed =
            |source| RunError::Store { label: label.into(), doing: "take in the output".into(), source };
        match (plain, self.ids.writer) {
            (Err(_), Writer::Helpers) => {
                let store = self.store.root().to_owned();
                match self.errand(label, Errand::Capture { store, folder: output.to_owned(), clamp })? {
                    Done::Captured(tree) => self.store.tree(&tree).map_err(failed),
                    Done::Ended(ended) => Err(lost(label, ended)),
                    Done::Enough | Done::Deadline => Err(lost(label, Ended::Exited(1))),
                }
            }
            (plain, _) => plain.map_err(failed),
        }
    }

    fn image_root(&self, image: &Digest) -> Result<PathBuf, RunError> {
        roots::root(&self.store, image, &self.ids, |dest| {
            let plain = (self.lay_out)(&self.store, image, dest, &self.map);
            match (plain, self.ids.writer) {
                (Err(_), Writer::Helpers) => {
                    self.remove(dest)?;
                    let label = format!("the root of the image {image}");
                    let (store, to) = (self.store.root().to_owned(), dest.to_owned());
                    let laid_out = self.errand(&label, Errand::LayOut { store, image: *image, dest: to });
                    match laid_out {
                        Ok(Done::Ended(Ended::Exited(0))) => Ok(()),
                        Ok(_) => Err(lost(&label, Ended::Exited(1))),
                        Err(error) => {
                            self.remove(dest)?;
                            Err(error)
                        }
                    }
                }
                (plain, _) => plain.map_err(|source| RunError::Root { image: *image, source }),
            }
        })
    }

    /// Does something with the rights of the map's root.
    fn errand(&self, label: &str, errand: Errand) -> Result<Done, RunError> {
        let log = tempfile::tempfile().map_err(host("make a temporary file"))?;
        let output = Output::Log { file: &log, path: None };
        Job { gander: &self.gander, ids: &self.ids, label, deadline: Some(DEADLINE), output }.errand(errand)
    }

    /// Moves the log of a failed step to where it stays, and says so in the error.
    fn keep_log(&self, mut error: RunError, key: &Digest, temporary: &Path) -> RunError {
        let named = match &mut error {
            RunError::Program(failure) => &mut failure.log,
            RunError::Deadline { log, .. } | RunError::Lost { log, .. } => log,
            _ => return error,
        };
        if named.as_deref() == Some(temporary) {
            let folder = self.store.root().join("logs");
            let kept = folder.join(format!("{}.log", key.hex()));
            let moved = fs::create_dir_all(&folder).and_then(|()| fs::rename(temporary, &kept));
            *named = moved.ok().map(|()| kept);
        }
        error
    }

    /// Removes a scratch folder, also what in it belongs to other ids.
    fn clear(&self, scratch: Scratch) -> Result<(), RunError> {
        for name in ["in", "build", "out"] {
            self.remove(&scratch.path().join(name))?;
        }
        drop(scratch);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), RunError> {
        let removed = crate::store::remove_tree(path);
        match (removed, self.ids.writer) {
            (Ok(()), _) => Ok(()),
            (Err(_), Writer::Helpers) => {
                let label = format!("the removal of '{}'", path.display());
                self.errand(&label, Errand::Remove { folder: path.to_owned() }).map(|_| ())
            }
            (Err(source), Writer::Direct) => {
                Err(RunError::Host { doing: format!("remove '{}'", path.display()), source })
            }
        }
    }
}

fn lost(label: &str, ended: Ended) -> RunError {
    RunError::Lost { label: label.into(), status: format!("it {ended}"), log: None, tail: String::new() }
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

/// The CPUs that this process may use, and how many steps run on each.
struct Cpus(Arc<Mutex<Vec<(usize, u32)>>>);

/// A CPU in use.
struct Cpu {
    number: Option<usize>,
    all: Arc<Mutex<Vec<(usize, u32)>>>,
}

impl Cpus {
    fn new() -> Self {
        let allowed = rustix::thread::sched_getaffinity(None).unwrap_or_default();
        let mut cpus: Vec<_> = (0..rustix::thread::CpuSet::MAX_CPU)
            .filter(|cpu| allowed.is_set(*cpu))
            .map(|cpu| (cpu, 0))
            .collect();
        // Two gander processes are not to crowd on the first.
        let turn = std::process::id() as usize % cpus.len().max(1);
        cpus.rotate_left(turn);
        Self(Arc::new(Mutex::new(cpus)))
    }

    /// The one that the fewest steps run on.
    fn take(&self) -> Cpu {
        let mut cpus = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = cpus.iter_mut().min_by_key(|(_, steps)| *steps).map(|(cpu, steps)| {
            *steps += 1;
            *cpu
        });
        Cpu { number, all: Arc::clone(&self.0) }
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        let mut cpus = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, steps)) = cpus.iter_mut().find(|(cpu, _)| Some(*cpu) == self.number) {
            *steps = steps.saturating_sub(1);
        }
    }
}
