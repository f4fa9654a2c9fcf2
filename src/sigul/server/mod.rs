//! The server: decodes requests, knows who asks, and asks the signer. It holds no key and no secret for longer than a
//! request takes.
//!
//! It listens nowhere. It holds connections open at the bridge; when a client is given to one of them, the next is
//! opened.

mod config;
mod entrance;
mod inner;
mod operations;
mod packages;
mod parts;
mod reply;
mod request;
mod signer;
mod spool;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

pub use config::{Config, SignerAt};
pub use signer::SignerError;

use self::signer::Signer;
use self::spool::Room;
use super::service::{Certificates, Figures, Log, Signals, keep_alive};
use super::stream::{Divided, TlsError, divide};

/// The longest pause after the bridge could not be reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A connection that the bridge has not ended by then is one that it takes.
const SETTLED: Duration = Duration::from_secs(1);

/// A connection that was given to a client is replaced after this time at the latest.
const REFILL: Duration = Duration::from_millis(50);

/// What the tasks of a server share.
#[derive(Debug)]
struct Shared {
    config: Config,
    certificates: Certificates,
    signer: Signer,
    /// Why the signer cannot sign, when it was asked last.
    signer_trouble: Mutex<Option<String>>,
    spool: Arc<Room>,
    figures: Arc<Figures>,
    log: Log,
    /// Failures to reach the bridge, one after the other.
    failures: AtomicU32,
    /// Who has it tries to reach the bridge; why that failed last.
    trying: tokio::sync::Mutex<String>,
}

impl Shared {
    /// Whether clients that come now find connections: at least half of those that should wait do.
    fn has_spares(&self) -> bool {
        usize::try_from(self.figures.get("waiting", "")).unwrap_or(0) * 2 >= self.config.spare
    }

    /// What keeps it from serving requests.
    fn trouble(&self) -> Option<String> {
        if self.figures.get("waiting", "") + self.figures.get("requests", "") == 0 {
            return Some("the bridge cannot be reached, or accepts no connection of this server".into());
        }
        self.signer_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why there is no server. Retrying helps where the signer did not start for a passing reason.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no signer.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The system refused something else.
    #[error("the server cannot run")]
    System(#[from] io::Error),
}

/// Works until it is told to end; then takes no new request, lets those that have begun finish, and returns.
pub async fn run(config: Config) -> Result<(), ServerError> {
    let mut signals = Signals::new()?;
    let shared = Arc::new(Shared {
        certificates: Certificates::read(&config.identity)?,
        signer: Signer::new(&config.signer)?,
        signer_trouble: Mutex::default(),
        spool: Room::new(config.spool.clone(), config.spool_memory, config.spool_disk),
        trying: tokio::sync::Mutex::default(),
        figures: Arc::default(),
        log: Log::new(config.log),
        failures: AtomicU32::new(0),
        config,
    });
    if let Some(path) = &shared.config.status {
        let health = shared.clone();
        let healthy = move || health.trouble();
        super::service::serve(path, "gander_sigul_server", shared.figures.clone(), healthy).await?;
    }
    let room = Arc::new(Semaphore::new(shared.config.requests));
    let spare = Arc::new(Semaphore::new(shared.config.spare));
    let (end, ending) = watch::channel(false);
    let watching = tokio::spawn(signer::watch(shared.clone()));
    let opening = tokio::spawn(open(shared.clone(), room.clone(), spare, ending));
    shared.log.event("started", &[]);
    super::service::ready();
    shared.certificates.attend(&mut signals, &shared.log).await;
    shared.log.event("ending", &[]);
    opening.abort();
    end.send_replace(true);
    let all = u32::try_from(shared.config.requests).unwrap_or(u32::MAX);
    drop(tokio::time::timeout(shared.config.grace, room.acquire_many(all)).await);
    watching.abort();
    shared.log.event("ended", &[]);
    Ok(())
}

/// Keeps connections open at the bridge.
async fn open(
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    ending: watch::Receiver<bool>,
) {
    loop {
        // Neither is ever closed.
        let Ok(spare) = spare.clone().acquire_owned().await else { return };
        let Ok(place) = room.clone().acquire_owned().await else { return };
        tokio::spawn(attend(shared.clone(), spare, place, ending.clone()));
    }
}

/// Opens a connection and serves the client that the bridge gives it.
async fn attend(
    shared: Arc<Shared>,
    spare: OwnedSemaphorePermit,
    place: OwnedSemaphorePermit,
    mut ending: watch::Receiver<bool>,
) {
    let begun = tokio::select! {
        begun = wait(&shared) => begun,
        _ = ending.wait_for(|ending| *ending) => None,
    };
    if let Some((streams, first)) = begun {
        // The next one is opened when that holds this client up no more; one that takes long is not waited for.
        let (settled, settling) = oneshot::channel();
        tokio::spawn(async move {
            drop(tokio::time::timeout(REFILL, settling).await);
            drop(spare);
        });
        request::serve(&shared, streams, first, settled).await;
    }
    drop(place);
}

/// A connection on which a client's request has begun; none where the bridge gave it up.
async fn wait(shared: &Shared) -> Option<(Divided, [u8; 1])> {
    let tcp = reach(shared).await;
    shared.figures.add("connections_total", "", 1);
    shared.figures.add("waiting", "", 1);
    let count = Count(shared);
    let begun = {
        let beginning = begin(shared, tcp);
        tokio::pin!(beginning);
        tokio::select! {
            begun = &mut beginning => begun.map_err(|(error, _)| (error, true)),
            () = tokio::time::sleep(SETTLED) => {
                reached(shared);
                beginning.await
            }
        }
    };
    drop(count);
    match begun {
        Ok(begun) => {
            reached(shared);
            Some(begun)
        }
        Err((error, is_failure)) => {
            // A bridge that ends gracefully closes those that wait.
            shared.figures.add("lost_total", "", 1);
            if is_failure {
                pause(shared, &mut *shared.trying.lock().await, &error).await;
            }
            None
        }
    }
}

/// One that waits less when it is dropped.
struct Count<'a>(&'a Shared);

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.figures.add("waiting", "", -1);
    }
}

/// Makes the handshake, and waits for the first byte of a client's request. Both may be long in coming: a bridge of
/// sigul's makes its handshake only when there is a client. An error is a failure, whenever it comes, if it is one of the
/// handshake.
async fn begin(shared: &Shared, tcp: TcpStream) -> Result<(Divided, [u8; 1]), (TlsError, bool)> {
    let name = &shared.config.bridge_name;
    let stream = shared.certificates.tls().connect(name, tcp).await.map_err(|error| (error, true))?;
    let mut streams = divide(stream, shared.config.idle);
    let mut first = [0];
    let read = streams.outer.incoming.read_exact(&mut first).await;
    read.map_err(|error| (TlsError::Handshake { peer: name.clone(), reason: error.to_string() }, false))?;
    Ok((streams, first))
}

/// Connects to the bridge. While that fails, only one tries, with pauses.
async fn reach(shared: &Shared) -> TcpStream {
    let mut last = shared.trying.lock().await;
    let (host, port) = &shared.config.bridge;
    loop {
        let connecting = TcpStream::connect((host.as_str(), *port));
        let tcp = tokio::time::timeout(shared.config.handshake, connecting).await;
        match tcp.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(tcp) => {
                keep_alive(&tcp);
                return tcp;
            }
            Err(error) => pause(shared, &mut last, &error).await,
        }
    }
}

/// Notes that the bridge takes connections.
fn reached(shared: &Shared) {
    if shared.failures.swap(0, Ordering::Relaxed) > 0 {
        shared.log.event("bridge-reached", &[]);
    }
}

/// Waits the longer the more often the bridge could not be reached. That is told when it begins, and when the reason
/// becomes another.
async fn pause(shared: &Shared, last: &mut String, error: &(dyn std::error::Error + Sync)) {
    let failures = shared.failures.fetch_add(1, Ordering::Relaxed);
    let reason = error.to_string();
    if failures == 0 || reason != *last {
        shared.log.event("bridge-not-reached", &[("reason", &reason)]);
        *last = reason;
    }
    let pause = Duration::from_millis(100) * 2_u32.saturating_pow(failures.min(12));
    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
}
