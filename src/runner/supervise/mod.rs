//! The third way of running steps: with one id, and a supervisor that remembers to whom files belong.
//!
//! TODO
mod answers;
mod calls;
mod filter;
mod make;
mod notify;
mod permissions;
mod record;
mod view;
mod who;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CpuSet};

use self::answers::{Verdict, unheard};
use self::filter::Level;
use self::notify::Listener;
use self::permissions::Powers;
use self::who::{Table, Who};
use super::descriptors;

use self::record::Record;
pub(super) use self::record::{Owners, flatten, other_list, owned};

/// Answers the calls of a step.
struct Supervisor {
    listener: Listener,
    /// The folder with all processes.
    proc: OwnedFd,
    record: Record,
    table: Table,
    powers: Powers,
}

/// What is to watch a step.
pub(super) struct Watch {
    /// Where it is written who owns what.
    file: File,
    record: Record,
    powers: Powers,
    cpu: Option<usize>,
    /// How many files the step may have open.
    limit: Rlimit,
    /// Between process 1 and the step.
    ours: UnixStream,
    theirs: UnixStream,
}

/// A supervisor at work.
pub(super) struct Running {
    file: File,
    thread: JoinHandle<Result<Record, String>>,
    stop: Arc<AtomicBool>,
}

/// Whether steps can be watched on this kind of machine.
pub(super) const fn is_possible() -> bool {
    filter::ARCHITECTURE != 0
}

impl Watch {
    /// For a step whose owners are in this file.
    pub fn new(owners: &Path, capabilities: CapabilitySet, cpu: Option<usize>) -> io::Result<Self> {
        let powers = Powers {
            owners: capabilities.contains(CapabilitySet::CHOWN),
            files: capabilities.contains(CapabilitySet::DAC_OVERRIDE),
            read: capabilities.contains(CapabilitySet::DAC_READ_SEARCH),
        };
        let limit = more_open_files();
        let mut file = File::options().read(true).write(true).open(owners)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let record = Record::of(&Owners::parse(&bytes)?)?;
        let (ours, theirs) = UnixStream::pair()?;
        Ok(Self { file, record, powers, cpu, limit, ours, theirs })
    }

    fn level(&self) -> Level {
        match (self.powers, self.record.is_empty()) {
            (Powers { owners: true, .. } | Powers { read: true, .. }, false) => Level::Full,
            (Powers { owners: true, .. }, true) => Level::Full,
            (_, true) => Level::Bare,
            (_, false) => Level::Guarded,
        }
    }

    /// Puts this process, which is to become the step, under supervision.
    pub fn submit(&self) -> io::Result<()> {
        rustix::process::setrlimit(OPEN_FILES, self.limit.clone())?;
        // Whoever answers looks into whoever asks. There is nobody else yet who could look, too.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        let listener = notify::install(&filter::program(self.level()))?;
        descriptors::send(&self.theirs, listener.as_fd())
    }

    /// Starts answering, in a thread of this process, whose mask becomes 0. `proc` has all processes; `end` is called when the step must
    /// end at once.
    pub fn start(self, proc: OwnedFd, end: impl Fn() + Send + 'static) -> io::Result<Running> {
        let Self { file, record, powers, cpu, ours, theirs, .. } = self;
        // Only the step is to have that end.
        drop(theirs);
        let table = Table::new(proc.try_clone()?, Who::root(powers.owners));
        rustix::process::umask(Mode::empty());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            let work = AssertUnwindSafe(|| {
                near(cpu);
                // Without one the step has ended already.
                let Ok(listener) = descriptors::receive(&ours) else { return Ok(record) };
                let listener = Listener::new(listener);
                let mut supervisor = Supervisor { listener, proc, record, table, powers };
                let done = supervisor.work(&stopped);
                if done.is_err() {
                    // While the listener is there whoever asked waits, and does nothing more.
                    end();
                }
                done.map(|()| supervisor.record)
            });
            std::panic::catch_unwind(work).unwrap_or_else(|_| {
                end();
                Err("met a bug of gander's supervisor".into())
            })
        };
        let thread = std::thread::Builder::new().name("supervisor".into()).spawn(work)?;
        Ok(Running { file, thread, stop })
    }
}

const OPEN_FILES: Resource = Resource::Nofile;

/// The record holds files open: as many as the system lets this process have. Returns what the limit was.
fn more_open_files() -> Rlimit {
    let limit = rustix::process::getrlimit(OPEN_FILES);
    // With the old limit fewer files can change hands.
    rustix::process::setrlimit(OPEN_FILES, Rlimit { current: limit.maximum, ..limit.clone() }).ok();
    limit
}

/// Runs on the step's own CPU: while it answers the step waits.
fn near(cpu: Option<usize>) {
    if let Some(cpu) = cpu.filter(|cpu| *cpu < CpuSet::MAX_CPU) {
        let mut one = CpuSet::new();
        one.set(cpu);
        // Elsewhere it would be slower, nothing else.
        rustix::thread::sched_setaffinity(None, &one).ok();
    }
}

impl Running {
    /// Writes down who owns what in the end; or tells what could not be done exactly. To be called when no other
    /// process is left.
    pub fn finish(self) -> io::Result<Option<String>> {
        self.stop.store(true, Ordering::Relaxed);
        let done = self.thread.join().unwrap_or_else(|_| Err("met a bug of gander's supervisor".into()));
        let record = match done {
            Ok(record) => record,
            Err(what) => return Ok(Some(what)),
        };
        self.file.set_len(0)?;
        self.file.write_all_at(&record.to_bytes()?, 0)?;
        Ok(None)
    }
}

impl Supervisor {
    fn work(&mut self, stop: &AtomicBool) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot be supervised any more ({error})");
        while let Some(call) = self.listener.receive(stop).map_err(failed)? {
            let answered = match self.judge(&call) {
                Verdict::Pass => self.listener.pass(call.id),
                Verdict::Answer(result) => self.listener.answer(call.id, result),
                Verdict::Give(file, close) => self.listener.give(call.id, file.as_fd(), close),
                Verdict::Refuse(what) => return Err(what),
            };
            match answered {
                Err(error) if !unheard(&error) => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(())
    }
}
