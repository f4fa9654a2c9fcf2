//! The bridge: where clients and servers of signing services meet.
//!
//! Both connect to it, each side at addresses of its own, with certificates of one authority; a server's has to have a
//! configured name. Each handshake and each request has a task of its own, so nobody waits for another's network.
//! Clients whose request was read and judged get the server that has waited longest; the bridge passes on what both say
//! and never sees the secrets in it. It keeps nothing: a killed bridge loses the requests that were on their way.

mod config;
mod flow;
mod koji;
mod listen;
mod log;
mod metrics;
mod pair;
mod parts;
mod pool;

pub use config::{CLIENTS, Config, ConfigError, Limits, Listen, SERVERS, Seconds};
pub use koji::{FetchError, Instance};
pub use log::{Event, Log, LogFormat};

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openssl::x509::X509Ref;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use self::flow::Side;
use self::listen::Handshakes;
use self::metrics::{Counts, Now, add};
use self::pair::Client;
use self::pool::{Pool, Server};
use super::stream::{Tls, TlsError, common_name, divide};
use crate::base::chain;

/// Between two looks at what is still queued where the bridge ends.
const QUEUED: Duration = Duration::from_millis(20);
/// After an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no bridge.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The certificates cannot be used. Retrying cannot help.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It cannot listen somewhere. A retry helps where something else does.
    #[error("the bridge cannot listen at {address}")]
    Listen {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// None of the addresses is one that this machine can have. Retrying cannot help.
    #[error("this machine has none of the addresses at which the bridge has to listen for {0}")]
    Nowhere(&'static str),
}

/// What all tasks of a bridge have.
#[derive(Debug)]
struct Shared {
    config: Config,
    log: Arc<Log>,
    tls: RwLock<Tls>,
    pool: Arc<Pool>,
    /// Places for requests that are passed on.
    requests: Arc<Semaphore>,
    /// Places for clients.
    clients: Arc<Semaphore>,
    counts: Arc<Counts>,
    handshakes: [Handshakes; 2],
    next: AtomicU64,
}

/// A bridge that listens.
#[derive(Debug)]
pub struct Bridge {
    shared: Arc<Shared>,
    clients: Vec<TcpListener>,
    servers: Vec<TcpListener>,
    status: Option<UnixListener>,
}

impl Bridge {
    /// Listens.
    pub fn bind(config: Config, log: Arc<Log>) -> Result<Self, BridgeError> {
        let tls = Tls::new(&config.identity)?;
        let clients = bind(&config.listen.clients, "clients")?;
        let servers = bind(&config.listen.servers, "servers")?;
        let status = match &config.listen.status {
            None => None,
            Some(path) => Some(metrics::bind(path).map_err(|source| BridgeError::Listen {
                address: path.display().to_string(),
                source,
            })?),
        };
        let limits = config.limits;
        let shared = Shared {
            tls: RwLock::new(tls),
            pool: Pool::new(limits.servers),
            requests: Arc::new(Semaphore::new(limits.requests)),
            clients: Arc::new(Semaphore::new(limits.clients)),
            counts: Arc::default(),
            handshakes: [Handshakes::new(limits.handshakes), Handshakes::new(limits.handshakes)],
            next: AtomicU64::new(1),
            log,
            config,
        };
        Ok(Self { shared: Arc::new(shared), clients, servers, status })
    }

    /// Where it listens, for clients and for servers.
    pub fn addresses(&self) -> [Vec<SocketAddr>; 2] {
        [&self.clients, &self.servers]
            .map(|all| all.iter().filter_map(|one| one.local_addr().ok()).collect())
    }

    /// What reads the certificates again.
    pub fn reload(&self) -> Reload {
        Reload(self.shared.clone())
    }

    /// Works until `end`, and then until what is under way is done, or for as long as that may take.
    pub async fn run(self, end: impl Future<Output = ()>) {
        let [clients, servers] = self.addresses();
        let shown = |all: Vec<SocketAddr>| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let shared = self.shared;
        shared.log.write(
            "started",
            vec![("clients", shown(clients).into()), ("servers", shown(servers).into())],
        );
        let (stop, stopped) = watch::channel(false);
        let mut accepting = tokio::task::JoinSet::new();
        for (listeners, side) in [(self.clients, Side::Client), (self.servers, Side::Server)] {
            for listener in listeners {
                accepting.spawn(accept(shared.clone(), listener, side, stopped.clone()));
            }
        }
        let status = self.status.map(|listener| {
            let shown = shared.clone();
            tokio::spawn(metrics::serve(listener, shared.counts.clone(), move || shown.now()))
        });
        end.await;
        shared.log.write("ending", vec![("clients", shared.now().clients.into())]);
        stop.send_replace(true);
        let limit = shared.config.seconds.ending();
        let done = async {
            while accepting.join_next().await.is_some() {}
            while shared.handshakes[0].count() > 0 {
                tokio::time::sleep(QUEUED).await;
            }
            let all = u32::try_from(shared.config.limits.clients).unwrap_or(u32::MAX);
            drop(shared.clients.acquire_many(all).await);
        };
        let cut_off = timeout(limit, done).await.is_err();
        shared.log.write("ended", vec![("cut-off", if cut_off { shared.now().clients } else { 0 }.into())]);
        if let Some(status) = status {
            status.abort();
        }
    }
}

/// Reads the certificates of a bridge again.
#[derive(Clone, Debug)]
pub struct Reload(Arc<Shared>);

impl Reload {
    /// Reads them; those that were there stay where the new ones cannot be used. The log has it.
    pub fn certificates(&self) {
        let outcome = match Tls::new(&self.0.config.identity) {
            Ok(tls) => {
                *self.0.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
                vec![("outcome", "read".into())]
            }
            Err(error) => vec![("outcome", "failed".into()), ("reason", chain(&error).into())],
        };
        self.0.log.write("certificates", outcome);
    }
}

fn bind(addresses: &[SocketAddr], what: &'static str) -> Result<Vec<TcpListener>, BridgeError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let failed = |source| BridgeError::Listen { address: address.to_string(), source };
        listeners.extend(listen::bind(*address).map_err(failed)?);
    }
    if listeners.is_empty() { Err(BridgeError::Nowhere(what)) } else { Ok(listeners) }
}

impl Shared {
    fn now(&self) -> Now {
        let (idle, waiting) = self.pool.counts();
        let taken = |places: &Semaphore, all: usize| all.saturating_sub(places.available_permits());
        Now {
            running: taken(&self.requests, self.config.limits.requests),
            clients: taken(&self.clients, self.config.limits.clients),
            idle,
            waiting,
            handshakes: self.handshakes.each_ref().map(Handshakes::count),
        }
    }

    /// Tells that a connection was not what it had to be.
    fn refuse(&self, side: Side, address: SocketAddr, id: u64, reason: String) {
        add(&self.counts.refused[usize::from(side == Side::Server)], 1);
        self.log.write(
            "refused",
            vec![
                ("connection", id.into()),
                ("address", address.to_string().into()),
                ("side", side.to_string().into()),
                ("reason", reason.into()),
            ],
        );
    }
}

/// Accepts connections until the bridge ends, and then those that the system has accepted already.
async fn accept(shared: Arc<Shared>, listener: TcpListener, side: Side, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok((stream, address)) => drop(tokio::spawn(welcome(shared.clone(), stream, address, side))),
            Err(error) => {
                shared.log.write("accept", vec![("reason", error.to_string().into())]);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    while let Ok(Ok((stream, address))) = timeout(QUEUED, listener.accept()).await {
        drop(tokio::spawn(welcome(shared.clone(), stream, address, side)));
    }
}

/// Makes the handshake with whoever has connected, and finds out who it is.
async fn welcome(shared: Arc<Shared>, stream: TcpStream, address: SocketAddr, side: Side) {
    let id = shared.next.fetch_add(1, Ordering::Relaxed);
    let place = usize::from(side == Side::Server);
    let [clients, servers] = &shared.handshakes;
    let handshakes = if side == Side::Client { clients } else { servers };
    add(&shared.counts.connections[place], 1);
    let thrown_out = handshakes.begin(id);
    let limit = shared.config.seconds.handshake();
    let tls = shared.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
    let handshake = async {
        listen::prepare(&stream).map_err(|error| error.to_string())?;
        match timeout(limit, tls.accept(stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the handshake took more than {} seconds", limit.as_secs())),
        }
    };
    let done = tokio::select! {
        done = handshake => done,
        _ = thrown_out => Err("it was the oldest of too many unfinished handshakes".into()),
    };
    let certificate = done.and_then(|stream| {
        let certificate = stream.ssl().peer_certificate().ok_or("it has no certificate")?;
        Ok((stream, certificate))
    });
    let (stream, certificate) = match certificate {
        Ok(both) => both,
        Err(reason) => {
            handshakes.end(id);
            return shared.refuse(side, address, id, reason);
        }
    };
    let connection = divide(stream, shared.config.seconds.idle());
    match side {
        Side::Server => {
            handshakes.end(id);
            let names = names(&certificate);
            let Some(name) = shared.config.server_names.iter().find(|name| names.contains(name)) else {
                let names = names.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>();
                let reason = format!("its certificate is none of a server: {}", names.join(", "));
                return shared.refuse(side, address, id, reason);
            };
            let server = Server { id, name: name.clone(), connection };
            match shared.pool.add(server) {
                Ok(()) => shared.log.write(
                    "server",
                    vec![
                        ("connection", id.into()),
                        ("address", address.to_string().into()),
                        ("server", name.as_str().into()),
                    ],
                ),
                Err(_) => shared.refuse(side, address, id, "there are too many idle servers".into()),
            }
        }
        Side::Client => {
            // Before the handshake counts as ended: whoever ends the bridge sees one or the other.
            let place = shared.clients.clone().try_acquire_owned();
            handshakes.end(id);
            let name = match common_name(&certificate) {
                Ok(name) => name,
                Err(error) => return shared.refuse(side, address, id, error.to_string()),
            };
            let Ok(place) = place else {
                return shared.refuse(side, address, id, "there are too many clients".into());
            };
            let client = Client { id, name, address: address.to_string(), connection };
            pair::serve(shared.clone(), client).await;
            drop(place);
        }
    }
}

/// What a certificate is called: its common name and its alternative names that are those of hosts.
fn names(certificate: &X509Ref) -> Vec<String> {
    let mut names: Vec<String> = common_name(certificate).into_iter().collect();
    for other in certificate.subject_alt_names().into_iter().flatten() {
        names.extend(other.dnsname().map(str::to_owned).filter(|name| !names.contains(name)));
    }
    names
}
