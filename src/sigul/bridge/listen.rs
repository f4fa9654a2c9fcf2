//! Sockets that listen, and handshakes that nobody has to wait for.
//!
//! Addresses are bound with SO_REUSEPORT: a new bridge listens before the old one ends, and nobody is refused between
//! them. Each handshake has a task of its own; of those that are unfinished only so many are kept, and a new one throws
//! out the oldest: connections that never finish theirs do not keep out others.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;
/// Without a byte for so long the other side is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Between such questions.
const AGAIN: Duration = Duration::from_secs(5);
/// Questions without an answer that end a connection.
const QUESTIONS: u32 = 3;

/// Listens at an address; none where this machine has no addresses of its family.
pub(super) fn bind(address: SocketAddr) -> io::Result<Option<TcpListener>> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if address.is_ipv6() {
            // The port may be bound for IPv4, too.
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    match listen() {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if address.ip().is_unspecified() && is_no_family(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_no_family(error: &io::Error) -> bool {
    let no = [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|number| no.iter().any(|errno| errno.raw_os_error() == number))
}

/// Has the system notice a partner that vanished without a word.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, AGAIN)?;
    sockopt::set_tcp_keepcnt(stream, QUESTIONS)?;
    sockopt::set_socket_keepalive(stream, true)?;
    Ok(())
}

/// Handshakes that are not finished.
#[derive(Debug)]
pub(super) struct Handshakes {
    most: usize,
    unfinished: Mutex<VecDeque<(u64, oneshot::Sender<()>)>>,
}

impl Handshakes {
    pub(super) fn new(most: usize) -> Self {
        Self { most, unfinished: Mutex::default() }
    }

    /// Begins one. What is returned ends when it is thrown out.
    pub(super) fn begin(&self, id: u64) -> oneshot::Receiver<()> {
        let (sender, thrown_out) = oneshot::channel();
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.push_back((id, sender));
        while unfinished.len() > self.most {
            drop(unfinished.pop_front());
        }
        thrown_out
    }

    /// Ends one.
    pub(super) fn end(&self, id: u64) {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).retain(|(one, _)| *one != id);
    }

    pub(super) fn count(&self) -> usize {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let handshakes = Handshakes::new(2);
        let mut one = handshakes.begin(1);
        let mut two = handshakes.begin(2);
        handshakes.end(1);
        assert!(one.try_recv().is_err(), "ended");
        let mut three = handshakes.begin(3);
        assert_eq!(two.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        let mut four = handshakes.begin(4);
        assert_eq!(two.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        for one in [&mut three, &mut four] {
            assert_eq!(one.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        }
        assert_eq!(handshakes.count(), 2);
    }

    #[tokio::test]
    async fn two_may_listen_at_one_address() {
        for ip in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(Some(one)) = bind(ip.parse().unwrap()) else {
                eprintln!("no {ip} here");
                continue;
            };
            assert!(bind(one.local_addr().unwrap()).unwrap().is_some());
        }
    }
}
