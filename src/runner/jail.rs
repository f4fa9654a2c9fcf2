//! The inside: what `gander jail` does.
//!
//! Three processes carry out a step:
//! - The *outer* one enters the namespaces and waits; it ends everything when its parent goes away or says so.
//! - *Process 1* of the jail builds the file system, or the bundle of an OCI runtime, then reaps. When process 2 has
//!   ended it says how, and the kernel ends with it what is left. With one id, a thread of it answers for the kernel
//!   meanwhile, and before it says anything it ends what is left itself and writes down who owns what (`supervise/`).
//! - *Process 2* gives up its rights and becomes the step: the program, or gander's own code. With an OCI runtime it
//!   becomes that, which gives up the rights and starts the program.
//!
//! An errand (`within.rs`) is done by the outer process alone, as root of the map.

use std::error::Error;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{DumpableBehavior, PidfdFlags, Signal, WaitOptions, WaitStatus};
use rustix::thread::{Gid, Uid, UnshareFlags};

use super::confine::give_up_rights;
use super::descriptors;
use super::mounts;
use super::request::{Cell, Go, Report, Request, Stage, Task, Work, receive, send};
use super::rights;
use super::runtime;
use super::supervise::{self, Watch};
use super::sys;
use super::within;
use crate::plan::StepIo;

/// What carries out native steps: given the kind and the folders.
pub type Native<'a> = &'a dyn Fn(&str, &StepIo) -> Result<(), Box<dyn Error>>;

/// The inside of a step: reads what to do from the socket that is stdin, and does it.
///
/// The caller must not have started a thread.
pub fn enter(native: Native<'_>) -> ExitCode {
    sys::heed_signals();
    let outcome = sys::close_inherited().and_then(|()| {
        let socket = UnixStream::from(rustix::io::dup(rustix::stdio::stdin()).map(cloexec)??);
        outer(&socket, native)
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Only a broken conversation ends here; what goes wrong in the jail is reported.
            eprintln!("gander jail: {error}; this command is started by gander itself, not by people");
            ExitCode::FAILURE
        }
    }
}

fn cloexec(fd: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    Ok(fd)
}

/// A failure on the way, to be reported.
struct Stuck {
    stage: Stage,
    doing: String,
    source: io::Error,
}

trait At<T> {
    fn at(self, stage: Stage, doing: &str) -> Result<T, Stuck>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, stage: Stage, doing: &str) -> Result<T, Stuck> {
        self.map_err(|source| Stuck { stage, doing: doing.into(), source: source.into() })
    }
}

impl From<mounts::MountError> for Stuck {
    fn from(error: mounts::MountError) -> Self {
        Self { stage: Stage::Mounts, doing: error.doing, source: error.source }
    }
}

fn report(socket: &UnixStream, stuck: &Stuck) -> io::Result<ExitCode> {
    let errno = stuck.source.raw_os_error().unwrap_or(libc::EIO);
    send(socket, &Report::Failed { stage: stuck.stage, doing: stuck.doing.clone(), errno })?;
    Ok(ExitCode::FAILURE)
}

fn outer(socket: &UnixStream, native: Native<'_>) -> io::Result<ExitCode> {
    let request: Request = receive(socket)?;
    let terminal = if request.interactive { Some(descriptors::receive(socket)?) } else { None };
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    die_with_parent()?;
    if request.interactive {
        sys::terminal_signals(true);
    } else {
        // Only gander itself is to get the terminal's signals; its end ends the rest.
        let _leader = rustix::process::setsid();
    }
    let single = request.single;
    if single {
        // Inside nobody can. An ordinary user cannot here either, and the supervisor hides his groups.
        rustix::thread::set_thread_groups(&[]).ok();
    }
    if let Err(error) = sys::unshare(UnshareFlags::NEWUSER) {
        return report(socket, &stuck(Stage::Namespaces, "make a user namespace", error.into()));
    }
    if request.interactive
        && let Err(error) = supervise::guard_terminal()
    {
        return report(socket, &stuck(Stage::Confine, "guard the terminal", error));
    }
    send(socket, &Report::Entered)?;
    let Go = receive(socket)?;
    let done = match request.task {
        Task::Cell(cell) => cell_outer(socket, cell, single, terminal, native),
        Task::Errand(errand) => {
            become_root(single).at(Stage::Namespaces, "become root of the map").and_then(|()| {
                within::run(&errand, single)
                    .map_or_else(|error| send(socket, &failure(&*error)), |report| send(socket, &report))
                    .at(Stage::Execute, "answer")
            })
        }
    };
    match done {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(stuck) => report(socket, &stuck),
    }
}

fn stuck(stage: Stage, doing: &str, source: io::Error) -> Stuck {
    Stuck { stage, doing: doing.into(), source }
}

fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Takes the ids that are 0 inside. The kernel forgets the death signal when ids change.
fn become_root(single: bool) -> io::Result<()> {
    let (user, group) = (Uid::ROOT, Gid::ROOT);
    if !single {
        rustix::thread::set_thread_groups(&[])?;
    }
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    die_with_parent()
}

fn cell_outer(
    socket: &UnixStream,
    cell: Cell,
    single: bool,
    terminal: Option<OwnedFd>,
    native: Native<'_>,
) -> Result<(), Stuck> {
    let namespaces = UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    sys::unshare(namespaces).at(Stage::Namespaces, "make the jail's namespaces")?;
    let stdin = match terminal {
        Some(terminal) => terminal,
        None => std::fs::File::open("/dev/null").at(Stage::Mounts, "open /dev/null")?.into(),
    };
    let sources = mounts::open(&cell)?;
    let watch = watch(&cell)?;
    become_root(single).at(Stage::Namespaces, "become root of the jail")?;
    sys::own_keyring().at(Stage::Namespaces, "give the jail a keyring of its own")?;
    rustix::system::sethostname(b"gander").at(Stage::Namespaces, "name the jail's host")?;
    // What it is where nobody has set one.
    rustix::system::setdomainname(b"(none)").at(Stage::Namespaces, "name the jail's domain")?;
    let (watched, held) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at(Stage::Namespaces, "make a pipe")?;
    match sys::fork().at(Stage::Namespaces, "start process 1 of the jail")? {
        sys::Fork::Child => {
            drop(held);
            let result = init(socket, &cell, sources, &stdin, watched, watch, native);
            if let Err(stuck) = result {
                let _unheard = report(socket, &stuck);
            }
            std::process::exit(0)
        }
        sys::Fork::Parent(init) => {
            // The child has its own copies. Held here, they would keep the other side of a pair from seeing that
            // nobody is left at this one, and the room of removed files from being free.
            drop((sources, watched, watch));
            wait_for_init(socket, init)
        }
    }
}

/// Waits for process 1; ends it when the parent wants that or is gone. Returns only when no process
/// of the jail is left.
fn wait_for_init(socket: &UnixStream, init: rustix::process::Pid) -> Result<(), Stuck> {
    let at = |error: rustix::io::Errno| stuck(Stage::Namespaces, "watch the jail", error.into());
    let pidfd = rustix::process::pidfd_open(init, PidfdFlags::empty()).map_err(at)?;
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN), PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(at(error)),
        }
        let [from_parent, from_init] = &fds;
        if !from_parent.revents().is_empty() && from_init.revents().is_empty() {
            rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).map_err(at)?;
        }
        if !from_parent.revents().is_empty() || !from_init.revents().is_empty() {
            let status = wait(init).map_err(at)?;
            if let Some(signal) = status.terminating_signal() {
                // Nobody listens if the parent is gone.
                let _unheard = send(socket, &Report::Signalled(signal));
            }
            return Ok(());
        }
    }
}

fn wait(pid: rustix::process::Pid) -> rustix::io::Result<WaitStatus> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Process 1: builds the file system, starts the step, reaps orphans, reports how the step ended.
/// When it exits the kernel kills what is left.
fn init(
    socket: &UnixStream,
    cell: &Cell,
    sources: mounts::Sources,
    stdin: &OwnedFd,
    watched: OwnedFd,
    watch: Option<Watch>,
    native: Native<'_>,
) -> Result<(), Stuck> {
    die_with_parent().at(Stage::Namespaces, "tie the jail to its parent")?;
    // Had the parent died before that call, nothing would ever end this process.
    let mut fds = [PollFd::new(&watched, PollFlags::IN)];
    let no_time = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&no_time)).at(Stage::Namespaces, "look for the parent")?;
    if fds.iter().any(|fd| !fd.revents().is_empty()) {
        std::process::exit(1);
    }
    drop(watched);
    // The step must not read gander's environment from /proc/1.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .at(Stage::Confine, "hide process 1")?;
    let runtime = cell.runtime.is_some();
    // While that of the host can be seen: else the kernel allows no new one.
    let watch = watch.map(|watch| mounts::proc().map(|proc| (watch, proc))).transpose()?;
    let runtime = match runtime {
        true => Some(runtime::prepare(sources, cell)?),
        false => {
            mounts::enter(sources, cell)?;
            None
        }
    };
    match sys::fork().at(Stage::Execute, "start the step's process")? {
        sys::Fork::Child => {
            let watch = watch.map(|(watch, _)| watch);
            let Err(stuck) = step(socket, cell, stdin.as_fd(), watch, runtime.as_ref(), native);
            let _unheard = report(socket, &stuck);
            std::process::exit(1)
        }
        sys::Fork::Parent(step) => {
            let watching = watch.map(|(watch, proc)| watch.start(proc, sys::kill_others)).transpose();
            let watching = watching.at(Stage::Execute, "start the supervisor")?;
            let at = |error: rustix::io::Errno| stuck(Stage::Execute, "wait for the step", error.into());
            let mut ended = reap(step).map_err(at)?;
            if let Some(said) = runtime.as_ref().and_then(runtime::Prepared::complaint) {
                ended = Report::Runtime { said };
            }
            if let Some(watching) = watching {
                // Nobody is to change anything while it is written down who owns what.
                loop {
                    sys::kill_others();
                    if matches!(rustix::process::wait(WaitOptions::empty()), Err(rustix::io::Errno::CHILD)) {
                        break;
                    }
                }
                let finished = watching.finish().at(Stage::Execute, "write down who owns what")?;
                ended = finished.map_or(ended, Report::Inexact);
            }
            send(socket, &ended).at(Stage::Execute, "report the step's end")
        }
    }
}

/// Waits until the step's process has ended, and for all that were left to process 1 meanwhile.
fn reap(step: rustix::process::Pid) -> rustix::io::Result<Report> {
    loop {
        let (pid, status) = match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some(ended)) => ended,
            Ok(None) | Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        match (status.exit_status(), status.terminating_signal()) {
            _ if pid != step => {}
            (Some(code), _) => return Ok(Report::Exited(code)),
            (None, Some(signal)) => return Ok(Report::Signalled(signal)),
            (None, None) => {}
        }
    }
}

/// What watches a step that has one id. Done with the ids of the outside.
fn watch(cell: &Cell) -> Result<Option<Watch>, Stuck> {
    let Some(path) = &cell.owners else { return Ok(None) };
    Watch::new(path, rights::capabilities(cell.rights), cell.cpu)
        .at(Stage::Mounts, "read who owns what")
        .map(Some)
}

/// Process 2: confined, then the program or gander's own code.
fn step(
    socket: &UnixStream,
    cell: &Cell,
    stdin: BorrowedFd<'_>,
    watch: Option<Watch>,
    runtime: Option<&runtime::Prepared>,
    native: Native<'_>,
) -> Result<std::convert::Infallible, Stuck> {
    rustix::stdio::dup2_stdin(stdin).at(Stage::Confine, "set stdin")?;
    inherited(cell).at(Stage::Confine, "give up what the step does not need")?;
    if let (Some(prepared), Some(program)) = (runtime, &cell.runtime) {
        let error = prepared.start(program);
        return Err(stuck(Stage::Execute, &format!("start '{}'", program.display()), error));
    }
    confine(cell)?;
    if let Some(watch) = watch {
        watch
            .submit()
            .at(Stage::Confine, "put the step under a supervisor (is it under another one already?)")?;
    }
    match &cell.work {
        Work::Program { argv, environment, folder } => {
            let (program, arguments) = argv.split_first().ok_or_else(|| {
                stuck(Stage::Execute, "start a program without a name", libc_error(libc::ENOENT))
            })?;
            sys::terminal_signals(false);
            #[allow(
                clippy::disallowed_methods,
                reason = "this is the one place that starts a step's program"
            )]
            let mut command = std::process::Command::new(program);
            let error = command.args(arguments).env_clear().envs(environment).current_dir(folder).exec();
            Err(stuck(Stage::Execute, &format!("start the program '{program}' in '{folder}'"), error))
        }
        Work::Native { kind, params, source_date } => {
            rustix::process::chdir("/build").at(Stage::Execute, "enter /build")?;
            let io = StepIo {
                params: params.clone(),
                source_date: *source_date,
                inputs: PathBuf::from("/in"),
                output: PathBuf::from("/out"),
                scratch: PathBuf::from("/build"),
            };
            match native(kind, &io) {
                Ok(()) => std::process::exit(0),
                Err(error) => {
                    send(socket, &failure(&*error)).at(Stage::Execute, "report the step's error")?;
                    std::process::exit(1)
                }
            }
        }
    }
}

fn libc_error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// An error and what caused it, as a report.
fn failure(error: &(dyn Error + 'static)) -> Report {
    let (mut causes, mut errno, mut next) = (Vec::new(), None, Some(error));
    while let Some(error) = next {
        causes.push(error.to_string());
        errno = errno.or_else(|| error.downcast_ref::<io::Error>()?.raw_os_error());
        next = error.source();
    }
    Report::Native { causes, errno }
}

/// What an OCI runtime has no word for, but hands on to its container.
fn inherited(cell: &Cell) -> io::Result<()> {
    if let Some(cpu) = cell.cpu.filter(|cpu| *cpu < rustix::thread::CpuSet::MAX_CPU) {
        let mut one = rustix::thread::CpuSet::new();
        one.set(cpu);
        rustix::thread::sched_setaffinity(None, &one)?;
    }
    sys::personality(cell.bits32)?;
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Core, none)?)
}

/// Gives up every right that the step does not need.
fn confine(cell: &Cell) -> Result<(), Stuck> {
    give_up_rights(rights::capabilities(cell.rights))
        .at(Stage::Confine, "give up the rights that the step does not need")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_what_the_system_said() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file cannot be written")]
        struct Outer(#[source] io::Error);
        for (source, wanted) in
            [(libc_error(libc::ENOSPC), Some(libc::ENOSPC)), (io::Error::other("x"), None)]
        {
            let Report::Native { causes, errno } = failure(&Outer(source)) else { panic!("no failure") };
            assert_eq!((causes.len(), causes[0].as_str(), errno), (2, "the file cannot be written", wanted));
        }
    }
}
