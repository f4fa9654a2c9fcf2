//! The bridge: the only part that others connect to. It pairs clients with connections that the server holds open, and
//! passes on what they say, but not the secrets, which go through it in a TLS connection of the two.
//!
//! Handshakes are made at once, each in a task of its own, and never wait for a partner. One that does not come to an
//! end is ended: after a time, or when too many wait and it is the oldest.

mod config;
mod flow;
mod handshakes;
mod koji;
mod pair;
mod parts;
mod pool;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openssl::x509::X509Ref;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use config::{Config, ConfigError};
pub use koji::{FetchError, Instance};

use self::flow::Side;
use self::handshakes::Handshakes;
use self::pool::{Pool, Server};
use super::service::{Certificates, Figures, Log, Signals, keep_alive};
use super::stream::{TlsError, common_name, divide};

/// Connections that the kernel holds until they are taken.
const BACKLOG: u32 = 1024;

/// How long the bridge looks for more connections that were made before it was told to end.
const LAST: Duration = Duration::from_millis(50);

/// What the tasks of a bridge share.
#[derive(Debug)]
struct Shared {
    config: Config,
    certificates: Certificates,
    pool: Arc<Pool>,
    /// Places for pairs.
    room: Arc<Semaphore>,
    /// Places for clients.
    clients: Arc<Semaphore>,
    figures: Arc<Figures>,
    log: Log,
}

/// A bridge that listens.
#[derive(Debug)]
pub struct Bridge {
    shared: Arc<Shared>,
    clients: Vec<TcpListener>,
    servers: Vec<TcpListener>,
}

/// Why there is no bridge. Retrying helps where an address was in use.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// Its certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Somebody listens there.
    #[error(
        "the bridge cannot listen at {0}, where another process listens; \
        a bridge of the same user can be replaced with --take-over"
    )]
    Taken(SocketAddr),
    /// It cannot listen.
    #[error("the bridge cannot listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("the bridge cannot run")]
    System(#[from] io::Error),
}

impl Bridge {
    /// Listens where the configuration says. Where another bridge listens there is none, but one that is to take over
    /// listens beside it, and so gets a part of the connections, until the other ends.
    pub fn listen(config: Config, take_over: bool) -> Result<Self, BridgeError> {
        let all = |addresses: &[SocketAddr]| -> Result<Vec<TcpListener>, BridgeError> {
            let mut listeners = Vec::new();
            for address in addresses {
                match listen(*address, take_over) {
                    Ok(listener) => listeners.push(listener),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        return Err(BridgeError::Taken(*address));
                    }
                    // A machine without IPv6 has no "all its addresses".
                    Err(error) if addresses.len() > 1 && is_no_family(*address, &error) => {}
                    Err(source) => return Err(BridgeError::Listen { address: *address, source }),
                }
            }
            Ok(listeners)
        };
        let (clients, servers) = (all(&config.listen_clients)?, all(&config.listen_servers)?);
        let shared = Shared {
            certificates: Certificates::read(&config.identity)?,
            pool: Pool::new(config.spare_servers),
            room: Arc::new(Semaphore::new(config.most_pairs)),
            clients: Arc::new(Semaphore::new(config.most_clients)),
            figures: Arc::default(),
            log: Log::new(config.log),
            config,
        };
        Ok(Self { shared: Arc::new(shared), clients, servers })
    }

    /// Where clients and servers connect.
    pub fn addresses(&self) -> io::Result<(Vec<SocketAddr>, Vec<SocketAddr>)> {
        let all = |listeners: &[TcpListener]| -> io::Result<Vec<SocketAddr>> {
            listeners.iter().map(TcpListener::local_addr).collect()
        };
        Ok((all(&self.clients)?, all(&self.servers)?))
    }

    /// Works until it is told to end; then takes no client any more, serves those who are there, and returns.
    pub async fn run(self) -> Result<(), BridgeError> {
        let Self { shared, clients, servers } = self;
        let mut signals = Signals::new()?;
        if let Some(path) = &shared.config.status {
            let health = shared.clone();
            let healthy = move || match health.pool.len() + health.busy() {
                0 => Some("no server is connected".into()),
                _ => None,
            };
            super::service::serve(path, "gander_sigul_bridge", shared.figures.clone(), healthy).await?;
        }
        let (stop, stopped) = watch::channel(false);
        // Both are ended by themselves: who waits here still needs servers.
        let [mut of_clients, mut of_servers] = [JoinSet::new(), JoinSet::new()];
        let all = [Side::Client, Side::Server].map(|_| Handshakes::new(shared.config.most_handshakes));
        for (listeners, side) in [(clients, Side::Client), (servers, Side::Server)] {
            let [first, second] = &all;
            let (handshakes, accepting) = match side {
                Side::Client => (first, &mut of_clients),
                Side::Server => (second, &mut of_servers),
            };
            for listener in listeners {
                accepting.spawn(accept(shared.clone(), listener, side, handshakes.clone(), stopped.clone()));
            }
        }
        shared.log.event("started", &[]);
        super::service::ready();
        shared.certificates.attend(&mut signals, &shared.log).await;
        shared.log.event("ending", &[]);
        stop.send_replace(true);
        let done = async {
            while of_clients.join_next().await.is_some() {}
            let [unfinished, _] = &all;
            while unfinished.len() > 0 {
                tokio::time::sleep(LAST).await;
            }
            let all = u32::try_from(shared.config.most_clients).unwrap_or(u32::MAX);
            drop(shared.clients.acquire_many(all).await);
        };
        drop(tokio::time::timeout(shared.config.grace, done).await);
        of_servers.shutdown().await;
        shared.pool.close();
        shared.log.event("ended", &[]);
        Ok(())
    }
}

impl Shared {
    /// Pairs at the moment.
    fn busy(&self) -> usize {
        self.config.most_pairs.saturating_sub(self.room.available_permits())
    }
}

/// Whether the machine has no addresses of the family of one that stands for all.
fn is_no_family(address: SocketAddr, error: &io::Error) -> bool {
    let no = [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL];
    address.ip().is_unspecified() && no.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn listen(address: SocketAddr, take_over: bool) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // With this the kernel gives an address to any number of processes of one user, so only who takes over asks for it
    // before it listens.
    socket.set_reuseport(take_over)?;
    if address.is_ipv6() {
        // So that the same port on all addresses of IPv4 is another place.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    // But all let themselves be taken over.
    rustix::net::sockopt::set_socket_reuseport(&listener, true)?;
    Ok(listener)
}

/// Takes connections of one side; of clients until the bridge is told to end, and then those that the system has taken
/// already.
async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    side: Side,
    handshakes: Handshakes,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped), if side == Side::Client => break,
        };
        match accepted {
            Ok((stream, peer)) => welcome(&shared, stream, peer, side, &handshakes),
            // Out of file descriptors, say: others will end.
            Err(error) => {
                shared.log.event("not-accepted", &[("side", &side), ("reason", &error)]);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    while let Ok(Ok((stream, peer))) = tokio::time::timeout(LAST, listener.accept()).await {
        welcome(&shared, stream, peer, side, &handshakes);
    }
}

fn welcome(shared: &Arc<Shared>, stream: TcpStream, peer: SocketAddr, side: Side, handshakes: &Handshakes) {
    shared.figures.add("connections_total", &format!("side=\"{side}\""), 1);
    let shared = shared.clone();
    let patience = shared.config.handshake;
    handshakes.spawn(patience, move |done| async move { greet(shared, stream, peer, side, done).await });
}

/// Makes the handshake, and goes on in a task of its own.
async fn greet(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, side: Side, done: handshakes::Done) {
    let tls = shared.certificates.tls();
    keep_alive(&stream);
    let refused = |reason: &dyn std::fmt::Display| {
        shared.figures.add("refused_total", &format!("side=\"{side}\""), 1);
        shared.log.event("refused", &[("side", &side), ("peer", &peer), ("reason", reason)]);
    };
    let stream = match tls.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return refused(&error),
    };
    let Some(certificate) = stream.ssl().peer_certificate() else { return refused(&TlsError::Name) };
    let patience = shared.config.idle;
    match side {
        Side::Server => {
            let names = names(&certificate);
            let Some(name) = shared.config.server_names.iter().find(|name| names.contains(name)) else {
                let names: Vec<_> = names.iter().map(|name| name.escape_debug().to_string()).collect();
                let names = names.join(" ");
                return refused(&format!("its certificate is that of '{names}', which is no server here"));
            };
            let server = Server { number: 0, name: name.clone(), connection: divide(stream, patience) };
            if shared.pool.offer(server) {
                shared.log.event("server", &[("peer", &peer), ("name", name)]);
            } else {
                refused(&"more connections of servers wait than are kept");
            }
        }
        Side::Client => {
            let name = match common_name(&certificate) {
                Ok(name) => name,
                Err(error) => return refused(&error),
            };
            let Ok(place) = shared.clients.clone().try_acquire_owned() else {
                return refused(&"more clients are connected than are served");
            };
            tokio::spawn(async move {
                let connection = divide(stream, patience);
                pair::serve(&shared, pair::Client { name, peer, connection }).await;
                drop(place);
            });
        }
    }
    drop(done);
}

/// What a certificate is called: its common name, and those of its alternative names that are names of hosts.
fn names(certificate: &X509Ref) -> Vec<String> {
    let mut names: Vec<String> = common_name(certificate).into_iter().collect();
    for other in certificate.subject_alt_names().into_iter().flatten() {
        names.extend(other.dnsname().map(str::to_owned));
    }
    names
}
