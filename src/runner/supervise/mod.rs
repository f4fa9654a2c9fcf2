//! The third way of running steps: with one id, and a supervisor that remembers to whom files belong.
//!
//! Where an ordinary user can have no range of ids (no line in `/etc/subuid`, no `newuidmap`, no new privileges, a
//! container with one id), the map of a step has one id, 0. Everything that is made belongs to the user outside and
//! to root inside. A seccomp filter stops the calls that this would spoil, and a thread of the jail's process 1
//! answers them as a jail with 65,536 ids would. A step gives *the same bytes as in the other modes, or it is
//! refused* with an error that names what it did.
//!
//! # What is answered
//! - `chown` and its kin: the new owner goes into the record (`record.rs`), and on the disk only happens what the
//!   kernel does besides (set-id bits and capabilities go). Ids from 65,536 on are refused as there.
//! - `stat` and its kin, for files in the record: the real answer, with the owner from the record.
//! - `setuid` and its kin, `getuid` and its kin, `setgroups`, `getgroups`, `prctl` where it keeps rights: each thread
//!   and what it starts is who it would be (`who.rs`).
//! - Whatever makes a file, where that would belong to another: for somebody who has become another user, and in a
//!   folder that hands down another's group. The supervisor makes it, notes the owner, and hands it over (`make.rs`).
//! - Whatever needs a permission, where the kernel's own check knows too little (`permissions.rs`): for somebody who
//!   has become another user, and for steps that may not pass over the permissions of others.
//! - `io_uring`, and the newest calls that set attributes by path: as if the kernel had none of them.
//!
//! Device nodes are refused by the kernel itself, as in every mode; capabilities of files are its own matter.
//!
//! # What is laid out
//! A tree whose owners the disk cannot hold is laid out as root's; the record starts with its owners. When the step
//! has ended and no process of it is left, the record gives the output its owners. So trees go from step to step
//! and from mode to mode.
//!
//! # What is refused
//! - Access lists that name other ids than root's, in trees and by programs.
//! - Programs of 32 bits and of the x32 kind, whose calls nobody watches; but where nothing in the step belongs to
//!   others than root and it has no right to change that (builds, as a rule), 32 bits are no matter.
//! - A process whose parent has ended before it was seen, once anybody in the step has become another user: who it is
//!   cannot be told. So is taking over orphans (`PR_SET_CHILD_SUBREAPER`), by which strangers come to look like children.
//! - User namespaces of the step's own, in which it would have other ids, rights and mounts; but where nothing in the
//!   step belongs to others and it has no right to change that, they are no matter.
//! - More files of others than the supervisor can hold open: 128 fewer than the hard limit of open files.
//! - A process into which the supervisor may not look (where the setting `kernel.yama.ptrace_scope` is 3).
//! - Files without a name that would belong to others; changes of owner through a link of `/proc` in the middle of
//!   a path; what `openat2` is to make for others with `RESOLVE_` flags.
//! - A container image with other owners than root: its root cannot be laid out.
//!
//! # What is left
//! A program can see a difference, if it wants to, and an output would differ if it wrote that down:
//! - `/proc` tells the real ids (`status`, `uid_map`, the owners of its folders), and so do sockets
//!   (`SO_PEERCRED`) and the auxiliary vector.
//! - Somebody who has become another user may *read* files and run programs that he could not open there, and list
//!   folders; may send signals to others; keeps the set-id bits of files that he writes to or changes the mode of.
//! - Who has given up capabilities by itself (`capset`) is answered as if it had them yet.
//! - What another user makes by `bind` is root's, and so is what has no name on a disk (pipes, `memfd_create`). Times of
//!   an open file may be set by whoever has it open.
//! - A file that was removed and is open yet may be said to be root's, in a step with more than 1,024 files of others.
//! - A plain step on a tree of others is checked wherever it opens, makes, renames or removes something or asks
//!   what it is. The search permission of folders is not asked for in paths of other calls (attributes, for one).
//! - A step that changes the words of a call in memory while it is looked at deceives the supervisor. That reaches
//!   nothing but its own output.
//! - A call that a signal interrupts is begun anew. Before Linux 5.19 that may happen after a file was made, and
//!   then "file exists" is the answer.
//!
//! # Where it lives
//! The step's process puts itself under the filter before it becomes the program, and hands the listener to process 1
//! over a socket. Process 1 goes on reaping; a thread of it answers, on the step's own CPU.
//! When it cannot answer any more, it kills every process of the step while those that asked still wait; when
//! process 1 dies, the kernel kills them. The filter needs Linux 5.5, making files for others 5.14.
//!
//! # What it costs
//! A step that is [`Level::Bare`] runs at full speed: its calls are stopped only if they name other ids. In others a
//! call that is stopped takes some microseconds more.

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

/// Keeps this process and what it will start from typing on the terminal in a person's place.
pub(super) fn guard_terminal() -> io::Result<()> {
    notify::restrict(&filter::terminal())
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
        let (limit, held) = more_open_files();
        let mut file = File::options().read(true).write(true).open(owners)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let record = Record::of(&Owners::parse(&bytes)?, held)?;
        let (ours, theirs) = UnixStream::pair()?;
        Ok(Self { file, record, powers, cpu, limit, ours, theirs })
    }

    fn level(&self) -> Level {
        match (self.powers, self.record.is_empty()) {
            (Powers { owners: true, .. }, _) | (Powers { read: true, .. }, false) => Level::Full,
            (_, true) => Level::Bare,
            (_, false) => Level::Guarded,
        }
    }

    /// Puts this process, which is to become the step, under supervision. Nothing of the supervisor's stays in it.
    pub fn submit(self) -> io::Result<()> {
        let program = filter::program(self.level());
        let Self { theirs, limit, .. } = self;
        // Whoever answers looks into whoever asks. There is nobody else yet who could look, too.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        let listener = notify::install(&program)?;
        descriptors::send(&theirs, listener.as_fd())?;
        // Last: under it there might have been no number left for the listener.
        Ok(rustix::process::setrlimit(OPEN_FILES, limit)?)
    }

    /// Starts answering, in a thread of this process, whose mask becomes 0. `proc` has all processes; `end` is called
    /// when the step must end at once.
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

/// How many files this process may have open besides those that the record holds: a few dozen while it answers.
const OTHERS: u64 = 128;

/// The record holds files open: as many as the system lets this process have. Returns what the limit was, and how
/// many files the record may hold.
fn more_open_files() -> (Rlimit, usize) {
    let old = rustix::process::getrlimit(OPEN_FILES);
    // With the old limit fewer files can change hands.
    rustix::process::setrlimit(OPEN_FILES, Rlimit { current: old.maximum, ..old }).ok();
    let now = rustix::process::getrlimit(OPEN_FILES).current.unwrap_or(u64::MAX);
    (old, usize::try_from(now.saturating_sub(OTHERS)).unwrap_or(usize::MAX))
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
