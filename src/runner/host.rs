//! The parent's side: starts `gander jail`, writes its map, keeps the deadline.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::descriptors;
use super::error::{Cause, Ended, RunError};
use super::ids::{self, Ids, Writer};
use super::probe;
use super::request::{Errand, Go, Report, Request, Stage, Task, receive, send};
use super::run::Next;
use super::sys;
use crate::base::Digest;
use crate::store::Extent;

/// How much of a log an error shows.
const TAIL: u64 = 4096;

/// Where a jail's output goes.
pub(super) enum Output<'a> {
    /// Into a log file.
    Log { file: &'a File, path: Option<&'a Path> },
    /// To where gander's own goes, and its input comes from there.
    Terminal,
    /// To somebody who watches; only errors go into a file.
    Watched { errors: &'a File },
}

/// Somebody who watches the output.
type Watcher<'a> = &'a mut dyn FnMut(&[u8]) -> Next;

/// How it went.
pub(super) enum Done {
    Ended(Ended),
    Captured(Digest),
    /// Whoever watched had enough.
    Enough,
    /// Whoever watched ran out of time.
    Deadline,
}

/// What to run and how.
pub(super) struct Job<'a> {
    /// The gander executable.
    pub gander: &'a Path,
    /// The ids it gets.
    pub ids: &'a Ids,
    /// For messages.
    pub label: &'a str,
    /// How long it may take; for ever if none.
    pub deadline: Option<Duration>,
    /// Where its output goes.
    pub output: Output<'a>,
}

impl Job<'_> {
    /// Runs it to its end: when this returns, no process of it is left. How a program ended is no
    /// error here.
    pub fn run(&self, request: &Request) -> Result<Ended, RunError> {
        match self.perform(request, None)? {
            Done::Ended(ended) => Ok(ended),
            _ => Err(host("understand the jail")(io::ErrorKind::InvalidData.into())),
        }
    }

    /// What the jail is told.
    pub fn request(&self, task: Task, interactive: bool) -> Request {
        Request { interactive, single: self.ids.writer == Writer::Single, task }
    }

    /// Runs it to its end, or until whoever watches has seen enough or has no more time.
    pub fn watch(&self, request: &Request, watcher: Watcher<'_>) -> Result<Done, RunError> {
        self.perform(request, Some(watcher))
    }

    /// Does an errand within the map.
    pub fn errand(&self, errand: Errand) -> Result<Done, RunError> {
        self.perform(&self.request(Task::Errand(errand), false), None)
    }

    fn perform(&self, request: &Request, watcher: Option<Watcher<'_>>) -> Result<Done, RunError> {
        let (ours, theirs) = UnixStream::pair().map_err(host("make a socket pair"))?;
        let mut child = Ending(self.spawn(theirs)?);
        let interactive = request.interactive;
        if interactive {
            sys::terminal_signals(true);
        }
        let outcome = self.converse(&ours, request, &mut child.0, watcher);
        // A jail that still runs takes this as the order to end.
        drop(ours);
        if let (Task::Errand(_), Some(Err(RunError::Deadline { .. }))) = (&request.task, &outcome) {
            // An errand does not listen while it works. It is one process, which ends by this.
            child.0.kill().ok();
        }
        let status = child.0.wait().map_err(host("wait for the jail"));
        if interactive {
            sys::terminal_signals(false);
        }
        match (outcome, status?) {
            (Some(outcome), _) => outcome,
            (None, status) => {
                let (log, tail) = self.tail();
                Err(RunError::Lost { label: self.label.into(), status: status.to_string(), log, tail })
            }
        }
    }

    fn spawn(&self, socket: UnixStream) -> Result<Child, RunError> {
        #[allow(clippy::disallowed_methods, reason = "the runner starts gander's own inside here")]
        let mut command = Command::new(self.gander);
        // Its environment stays: what is preloaded into gander is meant for native steps too.
        command.arg0("gander").arg("jail").stdin(Stdio::from(OwnedFd::from(socket)));
        if let Output::Log { file, .. } = self.output {
            let copy = || file.try_clone().map_err(host("share the log file"));
            command.stdout(copy()?).stderr(copy()?);
        }
        if let Output::Watched { errors } = self.output {
            let errors = errors.try_clone().map_err(host("share the file for errors"))?;
            command.stdout(Stdio::piped()).stderr(errors);
        }
        command.spawn().map_err(host(format!("start '{} jail'", self.gander.display())))
    }

    /// The conversation, up to the last report. None: the jail went away without one.
    fn converse(
        &self,
        socket: &UnixStream,
        request: &Request,
        child: &mut Child,
        watcher: Option<Watcher<'_>>,
    ) -> Option<Result<Done, RunError>> {
        let talk = || -> io::Result<()> {
            send(socket, request)?;
            if request.interactive { descriptors::send(socket, io::stdin().as_fd()) } else { Ok(()) }
        };
        // Also for a jail that never comes to work at all.
        if let Err(error) = socket.set_read_timeout(self.deadline) {
            return Some(Err(host("set the deadline")(error)));
        }
        match talk() {
            Ok(()) => {}
            Err(error) if gone(&error) => return None,
            Err(error) => return Some(Err(host("describe the step to its jail")(error))),
        }
        match receive(socket) {
            Ok(Report::Entered) => {}
            other => return self.last_report(other),
        }
        if let Err(error) = self.write_map(child.id()) {
            return Some(Err(error));
        }
        if send(socket, &Go).is_err() {
            return None;
        }
        if let (Some(watcher), Some(output)) = (watcher, child.stdout.take()) {
            return match self.follow(socket, output, watcher) {
                Ok(None) => self.last_report(receive(socket)),
                Ok(Some(done)) => Some(Ok(done)),
                Err(error) => Some(Err(host("watch the jail's output")(error))),
            };
        }
        self.last_report(receive(socket))
    }

    /// Gives the output to whoever watches until they have enough, time is over, or (none) the jail reports.
    fn follow(
        &self,
        socket: &UnixStream,
        mut output: ChildStdout,
        watcher: Watcher<'_>,
    ) -> io::Result<Option<Done>> {
        let mut end = Instant::now() + self.deadline.unwrap_or(Duration::from_secs(u32::MAX.into()));
        let mut buffer = vec![0; 1 << 16];
        let (mut open, mut reported) = (true, false);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() && !reported {
                return Ok(Some(Done::Deadline));
            }
            // After the report only what is in the pipe already counts.
            let left = if reported { Duration::ZERO } else { left };
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut fds = vec![PollFd::new(socket, PollFlags::IN)];
            if open {
                fds.push(PollFd::new(&output, PollFlags::IN));
            }
            match poll(&mut fds, Some(&left)) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if ready.get(1) == Some(&true) {
                let length = match output.read(&mut buffer) {
                    Ok(length) => length,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                open = length > 0;
                if !open {
                    continue;
                }
                match watcher(buffer.get(..length).unwrap_or_default()) {
                    Next::Enough => return Ok(Some(Done::Enough)),
                    Next::Within(time) => end = end.min(Instant::now() + time),
                    Next::Go => {}
                }
            } else if reported || !open && ready.first() == Some(&true) {
                return Ok(None);
            } else {
                reported = ready.first() == Some(&true);
            }
        }
    }

    fn last_report(&self, report: io::Result<Report>) -> Option<Result<Done, RunError>> {
        let label = || self.label.to_owned();
        Some(match report {
            Ok(Report::Exited(code)) => Ok(Done::Ended(Ended::Exited(code))),
            Ok(Report::Signalled(signal)) => Ok(Done::Ended(Ended::Signalled(signal))),
            Ok(Report::Inexact(what)) => {
                let (log, tail) = self.tail();
                Err(RunError::Inexact { label: label(), what, log, tail })
            }
            Ok(Report::Captured(tree)) => Ok(Done::Captured(tree)),
            Ok(Report::Runtime { said }) => Err(RunError::Runtime { label: label(), said }),
            Ok(Report::Native { causes, errno }) => {
                let mut causes = causes.into_iter();
                let message = causes.next().unwrap_or_default();
                Err(RunError::Native { label: label(), message, errno, source: Cause::chain(causes) })
            }
            Ok(Report::Failed { stage, doing, errno }) => {
                let source = io::Error::from_raw_os_error(errno);
                Err(match stage {
                    Stage::Namespaces => {
                        RunError::Forbidden { reasons: probe::forbidden(&source), doing, source }
                    }
                    Stage::Mounts | Stage::Confine => RunError::Setup { label: label(), doing, source },
                    Stage::Execute => RunError::Execute { label: label(), doing, source },
                })
            }
            Ok(Report::Entered) => Err(host("understand the jail")(io::ErrorKind::InvalidData.into())),
            Err(error) if gone(&error) => return None,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let (log, tail) = self.tail();
                let deadline = self.deadline.unwrap_or_default();
                Err(RunError::Deadline { label: label(), deadline, log, tail })
            }
            Err(error) => Err(host("understand the jail")(error)),
        })
    }

    fn write_map(&self, pid: u32) -> Result<(), RunError> {
        let Ids { users, groups, writer } = self.ids;
        match writer {
            Writer::Single => {
                // Without a right over groups, only who can drop none may map his own.
                write_file(&format!("/proc/{pid}/setgroups"), "deny").map_err(refused)?;
                write_direct(pid, "gid", groups)?;
                write_direct(pid, "uid", users)
            }
            Writer::Direct => {
                write_direct(pid, "gid", groups)?;
                write_direct(pid, "uid", users)
            }
            Writer::Helpers => {
                let helpers = [("newuidmap", users), ("newgidmap", groups)];
                let running = helpers.map(|(tool, extents)| (tool, start_helper(tool, pid, extents)));
                // Both are waited for, whatever becomes of the first.
                running.map(|(tool, child)| end_helper(tool, child?)).into_iter().collect()
            }
        }
    }

    /// The path and the last part of the log.
    pub fn tail(&self) -> (Option<PathBuf>, String) {
        match &self.output {
            Output::Terminal | Output::Watched { .. } => (None, String::new()),
            Output::Log { file, path } => (path.map(Path::to_path_buf), tail(file).unwrap_or_default()),
        }
    }
}

/// Makes sure that an early return leaves no zombie.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // Both fail if it has been waited for, which is the usual case.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

pub(super) fn host(doing: impl Into<String>) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Host { doing: doing.into(), source }
}

fn gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn write_direct(pid: u32, kind: &str, extents: &[Extent]) -> Result<(), RunError> {
    write_file(&format!("/proc/{pid}/{kind}_map"), &ids::map_text(extents)).map_err(refused)
}

/// The kernel takes such a file in one write or not at all.
fn write_file(path: &str, text: &str) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    match rustix::io::write(&file, text.as_bytes())? {
        written if written == text.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

fn refused(source: io::Error) -> RunError {
    let doing = "write the map of a user namespace".into();
    RunError::Forbidden { doing, reasons: probe::forbidden(&source), source }
}

fn start_helper(tool: &str, pid: u32, extents: &[Extent]) -> Result<Child, RunError> {
    #[allow(clippy::disallowed_methods, reason = "only these helpers can map ids for an ordinary user")]
    let mut command = Command::new(probe::program(tool).unwrap_or_else(|| tool.into()));
    command.arg(pid.to_string());
    for extent in extents {
        command.args([extent.inside, extent.outside, extent.count].map(|number| number.to_string()));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().map_err(host(format!("start {tool}")))
}

fn end_helper(tool: &str, child: Child) -> Result<(), RunError> {
    let output = child.wait_with_output().map_err(host(format!("wait for {tool}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(RunError::Forbidden {
        doing: format!("have {tool} write the map of a user namespace"),
        reasons: probe::forbidden(&io::Error::from_raw_os_error(libc::EPERM)),
        source: io::Error::other(said.trim().to_owned()),
    })
}

fn tail(mut log: &File) -> io::Result<String> {
    let length = log.metadata()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    log.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // Half a line at the start says nothing.
    let whole = if length > TAIL { text.split_once('\n').map_or(&*text, |(_, rest)| rest) } else { &text };
    // A log may not steer the terminal.
    Ok(whole.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t')).collect())
}
