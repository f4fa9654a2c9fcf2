//! The bridge: the only part that others connect to. It pairs clients with connections that the server holds open, and
//! passes on what they say, but not the secrets, which go through it in a TLS connection of the two.
//!
//! Handshakes are made at once, each in a task of its own, and never wait for a partner. One that does not come to an
//! end is ended: after a time, or when too many wait and it is the oldest.

mod config;
mod handshakes;
mod pool;
mod relay;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use openssl::x509::X509Ref;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_openssl::SslStream;

pub use config::{Config, ConfigError};

use self::handshakes::Handshakes;
use self::pool::Pool;
use super::service::{Figures, Log, Signal, Signals, keep_alive};
use super::stream::{Tls, TlsError, common_name, divide};

/// Connections that the kernel holds until they are taken.
const BACKLOG: u32 = 1024;

/// What the tasks of a bridge share.
#[derive(Debug)]
struct Shared {
    config: Config,
    tls: RwLock<Tls>,
    pool: Pool,
    /// Places for pairs.
    room: Semaphore,
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

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl Bridge {
    /// Listens where the configuration says. A bridge that is to take over may listen at the same addresses.
    pub fn listen(config: Config) -> Result<Self, BridgeError> {
        let all = |addresses: &[SocketAddr]| -> Result<Vec<TcpListener>, BridgeError> {
            let listen = |address: &SocketAddr| {
                listen(*address).map_err(|source| BridgeError::Listen { address: *address, source })
            };
            addresses.iter().map(listen).collect()
        };
        let (clients, servers) = (all(&config.listen_clients)?, all(&config.listen_servers)?);
        let shared = Shared {
            tls: RwLock::new(Tls::new(&config.identity)?),
            pool: Pool::new(config.spare_servers),
            room: Semaphore::new(config.most_pairs),
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

    /// Works until it is told to end; then takes nobody any more, lets pairs finish, and returns.
    pub async fn run(self) -> Result<(), BridgeError> {
        let Self { shared, clients, servers } = self;
        let mut signals = Signals::new()?;
        if let Some(path) = &shared.config.status {
            let health = shared.clone();
            let healthy = move || match health.pool.len() {
                0 => Some("no server is connected".into()),
                _ => None,
            };
            super::service::serve(path, "gander_sigul_bridge", shared.figures.clone(), healthy).await?;
        }
        let mut accepting = JoinSet::new();
        let sides = [(clients, Side::Client), (servers, Side::Server)];
        for (listeners, side) in sides {
            let handshakes = Handshakes::new(shared.config.most_handshakes);
            for listener in listeners {
                accepting.spawn(accept(shared.clone(), listener, side, handshakes.clone()));
            }
        }
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
        // Who waits for a partner is let go, too: another bridge may have one.
        accepting.shutdown().await;
        shared.pool.close();
        shared.log.event("ending", &[]);
        let all = u32::try_from(shared.config.most_pairs).unwrap_or(u32::MAX);
        drop(tokio::time::timeout(shared.config.grace, shared.room.acquire_many(all)).await);
        shared.log.event("ended", &[]);
        Ok(())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    if address.is_ipv6() {
        // So that the same port on all addresses of IPv4 is another place.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes connections of one side.
async fn accept(shared: Arc<Shared>, listener: TcpListener, side: Side, handshakes: Handshakes) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                shared.figures.add("connections_total", &format!("side=\"{}\"", side.name()), 1);
                let shared = shared.clone();
                let patience = shared.config.handshake;
                handshakes.spawn(patience, move |done| async move {
                    greet(shared, stream, peer, side, done).await
                });
            }
            // Out of file descriptors, say: others will end.
            Err(error) => {
                shared.log.event("not-accepted", &[("side", &side.name()), ("reason", &error)]);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Makes the handshake, and goes on in a task of its own.
async fn greet(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, side: Side, done: handshakes::Done) {
    let tls = shared.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
    keep_alive(&stream);
    let refused = |reason: &dyn std::fmt::Display| {
        shared.figures.add("refused_total", &format!("side=\"{}\"", side.name()), 1);
        shared.log.event("refused", &[("side", &side.name()), ("peer", &peer), ("reason", reason)]);
    };
    let stream = match tls.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return refused(&error),
    };
    let name = match who(&stream) {
        Ok(name) => name,
        Err(error) => return refused(&error),
    };
    if side == Side::Server && !shared.config.server_names.iter().any(|known| *known == name) {
        return refused(&format!("its certificate is {name}'s, which is no server of this bridge"));
    }
    let patience = shared.config.idle;
    tokio::spawn(async move {
        let streams = divide(stream, patience);
        match side {
            Side::Server => shared.pool.offer(streams),
            Side::Client => relay::client(&shared, streams, &name, peer).await,
        }
    });
    drop(done);
}

fn who(stream: &SslStream<TcpStream>) -> Result<String, TlsError> {
    let certificate = stream.ssl().peer_certificate().ok_or(TlsError::Name)?;
    let certificate: &X509Ref = &certificate;
    common_name(certificate)
}
