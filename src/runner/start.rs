//! Processes of gander itself that serve: started with a socket as their stdin, or by systemd with one that listens.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::sys;

/// Starts a subcommand of gander with one end of a socket pair as its stdin, and gives the other end. Its stderr is this
/// process's; its environment is empty, so nothing of this one's reaches it.
pub fn start(gander: &Path, arguments: &[&str]) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    #[allow(clippy::disallowed_methods, reason = "the runner starts gander's own processes here")]
    let mut command = Command::new(gander);
    command.args(arguments).env_clear().stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
    Ok((command.spawn()?, ours))
}

/// The one socket that systemd has opened for this process (`LISTEN_FDS`), if it was started that way. Everything else
/// that was inherited, but for the standard descriptors, is closed: an open folder would lead out of any confinement. Call
/// it first thing.
pub fn activated() -> io::Result<Option<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    #[allow(clippy::disallowed_methods, reason = "this is how systemd says what it passes")]
    let read = |name| std::env::var(name).ok();
    let ours = read("LISTEN_PID").and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    let Some(count) = read("LISTEN_FDS").filter(|_| ours) else {
        return sys::close_inherited().map(|()| None);
    };
    sys::close_from(4)?;
    if count != "1" {
        return Err(io::Error::other(format!(
            "systemd passes {} sockets where one is expected",
            count.escape_debug()
        )));
    }
    if TAKEN.swap(true, Ordering::AcqRel) || fs::read_link("/proc/self/fd/3").is_err() {
        return Err(io::Error::other("the socket that systemd passes is not there"));
    }
    let socket = sys::first_passed();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    Ok(Some(socket))
}
