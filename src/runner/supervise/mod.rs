//! The third way of running steps: with one id, and a supervisor that remembers to whom files belong.
//!
//! TODO
mod answers;
mod calls;
mod filter;
mod make;
mod notify;
mod record;
mod view;
mod who;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};

use self::answers::{Verdict, unheard};
use self::notify::Listener;
use self::who::{Table, Who};

pub(super) use self::filter::Level;
pub(super) use self::record::{Apply, Owners, Record, flatten};

/// Answers the calls of a step.
struct Supervisor {
    listener: Listener,
    /// The folder with all processes.
    proc: OwnedFd,
    record: Record,
    table: Table,
    /// Whether the step may change owners and become other users.
    capable: bool,
}

/// A supervisor at work.
#[derive(Debug)]
pub(super) struct Running {
    thread: JoinHandle<Result<Record, String>>,
    stop: Arc<AtomicBool>,
}

/// How closely a step is to be watched.
pub(super) fn level(capable: bool, record: &Record) -> Level {
    if capable || !record.is_empty() { Level::Full } else { Level::Bare }
}

/// Puts this process, which is to become the step, under supervision.
pub(super) fn submit(level: Level, supervisor: &UnixStream) -> io::Result<()> {
    if filter::ARCHITECTURE == 0 {
        return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
    }
    let listener = notify::install(&filter::program(level))?;
    super::descriptors::send(supervisor, listener.as_fd())
}

/// Starts answering, in a thread of this process, whose mask becomes 0. `end` is called when the step must end.
pub(super) fn start(
    step: UnixStream,
    record: Record,
    capable: bool,
    end: impl Fn() + Send + 'static,
) -> io::Result<Running> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = || rustix::fs::open("/proc", folder, Mode::empty());
    let (proc, table) = (proc()?, Table::new(proc()?, Who::root(capable)));
    rustix::process::umask(Mode::empty());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let work = move || {
        let work = AssertUnwindSafe(|| {
            // Without one the step has ended already.
            let Ok(listener) = super::descriptors::receive(&step) else { return Ok(record) };
            let listener = Listener::new(listener);
            let mut supervisor = Supervisor { listener, proc, record, table, capable };
            let done = supervisor.work(&stopped);
            if done.is_err() {
                // While the listener is there whoever asked waits, and does nothing more.
                end();
            }
            done.map(|()| supervisor.record)
        });
        std::panic::catch_unwind(work).unwrap_or_else(|_| {
            end();
            Err("met a bug of gander's supervisor (its log says more)".into())
        })
    };
    let thread = std::thread::Builder::new().name("supervisor".into()).spawn(work)?;
    Ok(Running { thread, stop })
}

impl Running {
    /// The record as it is in the end; or what could not be done exactly. To be called when no process is left.
    pub fn finish(self) -> Result<Record, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err("met a bug of gander's supervisor".into()))
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
