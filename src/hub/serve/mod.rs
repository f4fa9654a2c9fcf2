//! A hub on the network: the XML-RPC of [`super::methods`] and the files of its folder, over plain HTTP/1.1.
//!
//! It has no TLS of its own: it listens on the loopback interface unless told otherwise, and stands behind a proxy where
//! others shall reach it.

mod files;
mod http;
mod patient;
mod range;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

pub use http::Limits;

use self::patient::Patient;
use super::methods::Methods;

/// Headers that a request may have, and bytes of its head.
const HEADERS: usize = 64;
const HEAD: usize = 64 << 10;
/// How long calls that have begun may take once the server was told to end.
const GRACE: Duration = Duration::from_secs(30);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    service: Arc<http::Service>,
}

impl Server {
    /// Listens at an address; port 0 is any that is free.
    pub async fn bind(
        address: SocketAddr,
        methods: Arc<Methods>,
        topdir: PathBuf,
        limits: Limits,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, service: Arc::new(http::Service { methods, topdir, limits }) })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready; then takes no new connection, lets what has begun end, and returns.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(self.service.limits.connections));
        let (tell, told) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            while connections.try_join_next().is_some() {}
            let accept = async {
                let place = Arc::clone(&room).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                accepted = accept => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (service, told) = (Arc::clone(&self.service), told.clone());
                    connections.spawn(async move {
                        connection(stream, peer, service, told).await;
                        drop(place);
                    });
                }
                // Out of file descriptors, say: others will end.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        drop(self.listener);
        drop(tell);
        let drained = async { while connections.join_next().await.is_some() {} };
        drop(tokio::time::timeout(GRACE, drained).await);
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Arc<http::Service>,
    mut told: watch::Receiver<()>,
) {
    // Small answers must not wait for more.
    drop(stream.set_nodelay(true));
    let patience = service.limits.patience;
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request, peer.ip()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(HEADERS)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, patience)), answer);
    let mut connection = std::pin::pin!(connection);
    // A client that breaks off is no concern of ours.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        _ = told.changed() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}
