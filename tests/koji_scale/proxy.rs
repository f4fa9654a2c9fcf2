//! A proxy that answers late: each request waits before it is passed on. It counts what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What passed the proxy.
#[derive(Default)]
pub struct Counts {
    pub requests: AtomicUsize,
    /// Bytes of answers, with their heads.
    pub bytes: AtomicUsize,
    open: AtomicUsize,
    /// Connections that were open at a time, at most.
    pub most: AtomicUsize,
}

/// Starts a proxy before `server`; it ends with the process. Gives its address.
pub fn start(server: SocketAddr, delay: Duration) -> (SocketAddr, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let counts = Arc::new(Counts::default());
    let counted = counts.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let counts = counted.clone();
            thread::spawn(move || connection(client, server, delay, &counts));
        }
    });
    (address, counts)
}

fn connection(client: TcpStream, server: SocketAddr, delay: Duration, counts: &Counts) {
    let Ok(server) = TcpStream::connect(server) else { return };
    for side in [&client, &server] {
        side.set_nodelay(true).unwrap();
    }
    let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
    counts.most.fetch_max(open, Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            pass(&client, &server, |bytes| {
                let begins =
                    [&b"GET "[..], b"POST ", b"HEAD "].iter().any(|method| bytes.starts_with(method));
                if begins {
                    counts.requests.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(delay);
                }
            });
        });
        pass(&server, &client, |bytes| {
            counts.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        });
    });
    counts.open.fetch_sub(1, Ordering::Relaxed);
}

/// Passes bytes on until one side ends, and tells of each piece before it goes.
fn pass(mut from: &TcpStream, mut to: &TcpStream, seen: impl Fn(&[u8])) {
    let mut buffer = vec![0; 1 << 18];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // One side's end is the other's; that one may be closed already.
    drop(to.shutdown(Shutdown::Write));
    drop(from.shutdown(Shutdown::Read));
}
