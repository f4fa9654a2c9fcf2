//! The signer's side: takes connections, checks who is at their other end, gives each a thread.

use std::io::{self, BufWriter};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::request::{Code, Refusal};
use super::session::{self, Budget, Shared};
use crate::runner::take_over;
use crate::sign::log::say;
use crate::sign::vault::Vault;

/// The stack of a session's thread, in bytes.
pub(super) const STACK: usize = 1 << 20;

/// Where sessions come from.
#[derive(Debug)]
pub enum Door {
    /// A socket that listens.
    Listener(UnixListener),
    /// A socket over which a parent sends one for each session; the signer ends when the parent closes it.
    Parent(UnixStream),
}

/// What a signer allows itself.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Who may connect: a user id.
    pub peer: u32,
    /// Sessions at once; more are told that the signer is busy.
    pub sessions: u64,
    /// After so much silence a session is ended.
    pub silence: Duration,
    /// Bytes that sessions may hold in memory together.
    pub memory: u64,
}

/// Serves until SIGTERM or SIGINT comes or the parent goes, then waits for the open sessions (30 seconds at most). SIGHUP
/// has the policy read again and wipes all unlocked keys; SIGUSR1 only wipes.
pub fn serve(vault: Vault, door: Door, allowance: Allowance) -> io::Result<()> {
    let shared =
        Arc::new(Shared { vault, budget: Budget::new(allowance.memory), sessions: AtomicU64::new(0) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(attend(&shared, door, allowance))?;
    for _ in 0..300 {
        if shared.sessions.load(Ordering::Acquire) == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

async fn attend(shared: &Arc<Shared>, door: Door, allowance: Allowance) -> io::Result<()> {
    let (sender, mut arrived) = tokio::sync::mpsc::channel::<UnixStream>(1);
    let listener = match door {
        Door::Listener(listener) => {
            listener.set_nonblocking(true)?;
            Some(tokio::net::UnixListener::from_std(listener)?)
        }
        Door::Parent(parent) => {
            thread::Builder::new().name("door".into()).spawn(move || {
                while let Ok(stream) = take_over(&parent) {
                    if sender.blocking_send(UnixStream::from(stream)).is_err() {
                        break;
                    }
                }
            })?;
            None
        }
    };
    let (mut hangup, mut user) = (signal(SignalKind::hangup())?, signal(SignalKind::user_defined1())?);
    let (mut end, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        let next = async {
            match &listener {
                Some(listener) => listener.accept().await.and_then(|(stream, _)| stream.into_std()).map(Some),
                None => Ok(arrived.recv().await),
            }
        };
        tokio::select! {
            next = next => match next {
                Ok(Some(stream)) => begin(shared, stream, allowance),
                Ok(None) => return Ok(()),
                Err(error) => {
                    say(format_args!("no connection can be taken: {error}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = second.tick() => shared.vault.wipe_idle(),
            _ = hangup.recv() => match shared.vault.reload() {
                Ok(()) => say("the policy was read again"),
                Err(error) => say(format_args!("nothing is signed: {error}")),
            },
            _ = user.recv() => shared.vault.wipe(),
            _ = end.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// Counts a session.
struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

fn begin(shared: &Arc<Shared>, stream: UnixStream, allowance: Allowance) {
    let counted = Counted(shared.clone());
    let others = shared.sessions.fetch_add(1, Ordering::AcqRel);
    let prepare = || -> io::Result<bool> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(allowance.silence))?;
        stream.set_write_timeout(Some(allowance.silence))?;
        let peer = rustix::net::sockopt::socket_peercred(&stream)?.uid.as_raw();
        if peer != allowance.peer {
            say(format_args!("user {peer} may not connect"));
        }
        Ok(peer == allowance.peer)
    };
    match prepare() {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return say(format_args!("a connection cannot be used: {error}")),
    }
    if others >= allowance.sessions {
        let refusal = Refusal::because(Code::Unavailable, "the signer has as many sessions as it may have");
        // Whoever connected may be gone.
        drop(session::refuse(&mut BufWriter::new(&stream), &refusal));
        return;
    }
    let serve = move || {
        if let Err(error) = session::serve(&counted.0, &stream) {
            say(format_args!("a session was ended: {error}"));
        }
    };
    if let Err(error) = thread::Builder::new().name("session".into()).stack_size(STACK).spawn(serve) {
        say(format_args!("no thread for a session: {error}"));
    }
}
