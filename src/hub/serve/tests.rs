use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Limits, Server};
use crate::hub::Hub;
use crate::hub::methods::Methods;

/// A server with little patience and a body of little room.
struct World {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    topdir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(Duration::from_millis(400))
    }

    fn with(patience: Duration) -> Self {
        let limits = Limits { call: 1000, upload: 1000, patience, pace: 1_000_000, connections: 4 };
        let topdir = tempfile::tempdir().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let folder = topdir.path().to_owned();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async {
                let methods = Arc::new(Methods::new(Hub::memory().unwrap()).unwrap());
                let server =
                    Server::bind("127.0.0.1:0".parse().unwrap(), methods, folder, limits).await.unwrap();
                tell.send(server.address().unwrap().port()).unwrap();
                server.run(async { drop(stopped.await) }).await;
            });
        });
        Self { port: told.recv().unwrap(), stop: Some(stop), thread: Some(thread), topdir }
    }

    fn connect(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn answer(&self, request: &str) -> String {
        let mut answer = Vec::new();
        drop(self.connect(request).read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
        self.thread.take().unwrap().join().unwrap();
    }
}

const CALL: &str = "<?xml version='1.0'?><methodCall><methodName>getAPIVersion</methodName></methodCall>";

fn post(length: usize, body: &str) -> String {
    format!(
        "POST /kojihub HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn bodies_that_do_not_come_are_not_waited_for() {
    let world = World::new();
    assert!(world.answer(&post(CALL.len(), CALL)).contains("<int>1</int>"));
    let slow = world.answer(&post(CALL.len(), &CALL[..10]));
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    let long = world.answer(&post(1001, ""));
    assert!(long.starts_with("HTTP/1.1 400") && long.ends_with("Request too long\n"), "{long}");
    let chunks = "3e8\r\n".to_owned() + &" ".repeat(1000) + "\r\n";
    let chunked =
        "POST /kojihub HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = world.answer(&format!("{chunked}{chunks}{chunks}"));
    assert!(endless.starts_with("HTTP/1.1 400"), "{endless}");

    // Byte by byte, each in time but all of them too slowly.
    let mut stream = world.connect(&post(900, ""));
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) && stream.write_all(b" ").is_ok() {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn heads_and_idle_connections_end_and_make_room() {
    let world = World::new();
    let idle: Vec<_> = (0..8).map(|_| world.connect("POST /kojihub HT")).collect();
    // They take all the room there is, until their time is over.
    assert!(world.answer(&post(CALL.len(), CALL)).contains("<int>1</int>"));
    drop(idle);
}

#[test]
fn a_client_that_takes_nothing_is_left() {
    let world = World::new();
    std::fs::write(world.topdir.path().join("large"), vec![0; 64 << 20]).unwrap();
    let takers: Vec<_> =
        (0..4).map(|_| world.connect("GET /kojifiles/large HTTP/1.1\r\nHost: hub\r\n\r\n")).collect();
    assert!(world.answer(&post(CALL.len(), CALL)).contains("<int>1</int>"));
    drop(takers);
}

#[test]
fn an_end_lets_a_call_end() {
    let mut world = World::with(Duration::from_secs(20));
    let mut stream =
        world.connect(&post(CALL.len(), "").replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
    // The server says this when the call has begun: it waits for the body.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    world.stop.take().unwrap().send(()).unwrap();
    stream.write_all(CALL.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("<int>1</int>"), "{answer}");
    world.thread.take().unwrap().join().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", world.port)).is_err());
    world.thread = Some(std::thread::spawn(|| {}));
}
