//! The server: decodes requests, knows who asks, and asks the signer. It holds no key and no secret for longer than a
//! request takes.
//!
//! It listens nowhere. It holds connections open at the bridge; when a client is given to one of them, the next is
//! opened.

mod config;
mod operations;
mod packages;
mod parts;
mod reply;
mod request;
mod signer;
mod spool;

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub use config::{Config, SignerAt};
pub use signer::SignerError;

use self::signer::Signer;
use super::service::{Figures, Log, Signal, Signals, keep_alive};
use super::stream::{Divided, Tls, TlsError, divide};

/// The longest pause after the bridge could not be reached.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the tasks of a server share.
#[derive(Debug)]
struct Shared {
    config: Config,
    tls: RwLock<Tls>,
    signer: Signer,
    figures: Arc<Figures>,
    log: Log,
    /// Failures to reach the bridge, one after the other.
    failures: AtomicU32,
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
        tls: RwLock::new(Tls::new(&config.identity)?),
        signer: Signer::new(&config.signer)?,
        figures: Arc::default(),
        log: Log::new(config.log),
        failures: AtomicU32::new(0),
        config,
    });
    if let Some(path) = &shared.config.status {
        let health = shared.clone();
        let healthy = move || match health.failures.load(Ordering::Relaxed) {
            0 => None,
            _ => Some("the bridge cannot be reached".into()),
        };
        super::service::serve(path, "gander_sigul_server", shared.figures.clone(), healthy).await?;
    }
    let room = Arc::new(Semaphore::new(shared.config.requests));
    let spare = Arc::new(Semaphore::new(shared.config.spare));
    let (end, ending) = watch::channel(false);
    let opening = tokio::spawn(open(shared.clone(), room.clone(), spare, ending));
    shared.log.event("started", &[]);
    super::service::ready();
    loop {
        match signals.next().await {
            Signal::End => break,
            Signal::Reload => match Tls::new(&shared.config.identity) {
                Ok(tls) => {
                    *shared.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
                    shared.log.event("certificates-read", &[]);
                }
                Err(error) => shared.log.event("certificates-not-read", &[("reason", &error)]),
            },
        }
    }
    shared.log.event("ending", &[]);
    opening.abort();
    end.send_replace(true);
    let all = u32::try_from(shared.config.requests).unwrap_or(u32::MAX);
    drop(tokio::time::timeout(shared.config.grace, room.acquire_many(all)).await);
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
    let tls = shared.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
    let waiting = async {
        let mut streams = match connect(&shared, &tls).await {
            Ok(streams) => streams,
            Err(error) => {
                pause(&shared, &error).await;
                return None;
            }
        };
        shared.failures.store(0, Ordering::Relaxed);
        shared.figures.add("connections_total", "", 1);
        // The first byte is the first of a client's request; it may be long in coming.
        let mut first = [0];
        let read = streams.outer.incoming.read_exact(&mut first).await;
        read.ok().map(|_| (streams, first))
    };
    let begun = tokio::select! {
        begun = waiting => begun,
        _ = ending.wait_for(|ending| *ending) => None,
    };
    if let Some((streams, first)) = begun {
        // The next one may be opened.
        drop(spare);
        request::serve(&shared, &tls, streams, first).await;
    }
    drop(place);
}

/// Connects to the bridge. A bridge of sigul's makes its handshake only when there is a client, which may be never.
async fn connect(shared: &Shared, tls: &Tls) -> Result<Divided, TlsError> {
    let (host, port) = &shared.config.bridge;
    let unreachable =
        |error: io::Error| TlsError::Handshake { peer: format!("{host}:{port}"), reason: error.to_string() };
    let connecting = TcpStream::connect((host.as_str(), *port));
    let tcp = tokio::time::timeout(shared.config.handshake, connecting).await;
    let tcp = tcp.unwrap_or(Err(io::ErrorKind::TimedOut.into())).map_err(unreachable)?;
    keep_alive(&tcp);
    let stream = tls.connect(&shared.config.bridge_name, tcp).await?;
    Ok(divide(stream, shared.config.idle))
}

/// Waits the longer the more often the bridge could not be reached.
async fn pause(shared: &Shared, error: &TlsError) {
    let failures = shared.failures.fetch_add(1, Ordering::Relaxed);
    if failures == 0 {
        shared.log.event("bridge-not-reached", &[("reason", error)]);
    }
    let pause = Duration::from_millis(100) * 2_u32.saturating_pow(failures.min(12));
    tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
}
