//! What every connection is told, and what systemd is.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// Small messages do not wait for more, and a partner that is gone without a word is found out: the kernel asks a silent
/// one whether it is still there.
pub fn keep_alive(stream: &TcpStream) {
    // A connection without all that works, and ends when it is used.
    drop(stream.set_nodelay(true));
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, Duration::from_secs(60));
    let _ = sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10));
    let _ = sockopt::set_tcp_keepcnt(stream, 3);
}

/// Tells systemd, where it started this, that the service is ready (sd_notify(3)).
#[allow(clippy::disallowed_methods, reason = "where systemd listens reaches no output")]
pub fn ready() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let tell = || {
        let address = match path.as_encoded_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&path)?,
        };
        UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address)
    };
    if let Err(error) = tell() {
        eprintln!("systemd was not told that the service is ready: {error}");
    }
}
