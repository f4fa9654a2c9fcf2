//! Downloads from small servers in threads that misbehave on purpose.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

/// What a server does with the request of this number (from 0): gets the path and the start of the
/// range, writes the whole answer.
type Behaviour = dyn Fn(usize, &str, Option<usize>, &mut TcpStream) + Send + Sync;

pub(super) struct Server {
    base: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn start(
        behaviour: impl Fn(usize, &str, Option<usize>, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (kept, behaviour): (_, Arc<Behaviour>) = (log.clone(), Arc::new(behaviour));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, behaviour) = (kept.clone(), behaviour.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &log, &*behaviour));
            }
        });
        Self { base, log }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, behaviour: &Behaviour) {
    let mut reader = BufReader::new(stream.try_clone().unwrap()).take(10_000).lines().map_while(Result::ok);
    let Some(first) = reader.next() else { return };
    let path = first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
    let mut range = None;
    for line in reader.take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_lowercase().strip_prefix("range: bytes=") {
            range = value.trim_end_matches('-').parse().ok();
        }
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.push(range.map_or_else(|| path.clone(), |start: usize| format!("{path} from {start}")));
        log.len() - 1
    };
    behaviour(number, &path, range, &mut stream);
}

pub(super) fn answer(stream: &mut TcpStream, status: &str, length: usize, more: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    // The client may have gone away already, which is what some tests want.
    let _unheard = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// Serves a body honestly, with ranges.
pub(super) fn honest(body: &[u8], range: Option<usize>, stream: &mut TcpStream) {
    match range {
        None => answer(stream, "200 OK", body.len(), "", body),
        Some(start) => {
            let rest = &body[start..];
            let range = format!("Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
            answer(stream, "206 Partial Content", rest.len(), &range, rest);
        }
    }
}

pub(super) fn body() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

pub(super) fn wanted(urls: Vec<String>) -> Wanted {
    let body = body();
    Wanted { label: "goose.deb".into(), urls, digest: Digest::of(&body), size: Some(body.len() as u64) }
}

pub(super) struct World {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) store: Store,
    pub(super) fetcher: Fetcher,
    pub(super) folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut fetcher = Fetcher::new(&store, false).unwrap();
        fetcher.pauses = vec![Duration::from_millis(1); 3];
        Self { runtime, store, fetcher, folder }
    }

    pub(super) fn all(&self, wanted: Vec<Wanted>) -> Result<(), FetchError> {
        self.runtime.block_on(self.fetcher.all(wanted, 2, &()))
    }

    fn reasons(&self, wanted: Wanted) -> Vec<String> {
        let error = self.all(vec![wanted]).unwrap_err();
        error
            .failed()
            .iter()
            .flat_map(|file| &file.attempts)
            .map(|attempt| attempt.reason.to_string())
            .collect()
    }

    pub(super) fn partials(&self) -> Vec<u64> {
        let path = self.folder.path().join("partial").join(Digest::of(body()).hex());
        std::fs::metadata(path).map(|found| found.len()).into_iter().collect()
    }

    pub(super) fn holds_it(&self) -> bool {
        self.store.read_object(&Digest::of(body()), 1 << 20).is_ok_and(|found| found == body())
    }
}

#[test]
fn downloads_once_and_tells_how_it_goes() {
    #[derive(Default)]
    struct Sum(AtomicI64);
    impl Progress for Sum {
        fn advance(&self, bytes: i64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let server = Server::start(|_, _, range, stream| honest(&body(), range, stream));
    let world = World::new();
    let files = || vec![wanted(vec![server.url("a")]), wanted(vec![server.url("b")])];
    let sum = Sum::default();
    world.runtime.block_on(world.fetcher.all(files(), 2, &sum)).unwrap();
    assert_eq!(sum.0.into_inner(), 800_000);
    world.all(files()).unwrap();
    assert!(world.holds_it());
    // Equal digests are one download, and what the store has is none.
    assert_eq!(server.requests(), ["a"]);
    assert_eq!(world.partials(), [0; 0]);
}

#[test]
fn resumes_after_a_lost_connection() {
    let server = Server::start(|number, _, range, stream| {
        let body = body();
        if number == 0 {
            answer(stream, "200 OK", body.len(), "", &body[..300_000]);
        } else {
            honest(&body, range, stream);
        }
    });
    let world = World::new();
    world.all(vec![wanted(vec![server.url("a")])]).unwrap();
    assert!(world.holds_it());
    let [first, second] = server.requests().try_into().unwrap();
    assert_eq!(first, "a");
    assert!(second.starts_with("a from "), "{second}");
}

#[test]
fn resumes_what_an_earlier_run_left_and_distrusts_it() {
    for (left, requests) in [
        (body()[..1000].to_vec(), vec!["a from 1000"]),
        (b"something else".to_vec(), vec!["a from 14", "a"]),
        (vec![0; 900_000], vec!["a"]),
    ] {
        let server = Server::start(|_, _, range, stream| honest(&body(), range, stream));
        let world = World::new();
        let partial = world.folder.path().join("partial");
        std::fs::create_dir_all(&partial).unwrap();
        std::fs::write(partial.join(Digest::of(body()).hex()), left).unwrap();
        world.all(vec![wanted(vec![server.url("a")])]).unwrap();
        assert!(world.holds_it());
        assert_eq!(server.requests(), requests);
    }
}

#[test]
fn a_server_without_ranges_starts_again() {
    let server = Server::start(|number, _, _, stream| {
        let body = body();
        let end = if number == 0 { 300_000 } else { body.len() };
        answer(stream, "200 OK", body.len(), "", &body[..end]);
    });
    let world = World::new();
    world.all(vec![wanted(vec![server.url("a")])]).unwrap();
    assert!(world.holds_it());
}

#[test]
fn tries_again_and_elsewhere() {
    let server = Server::start(|number, path, range, stream| match (path, number) {
        ("gone", _) => answer(stream, "404 Not Found", 0, "", b""),
        ("busy", 0..=2) => answer(stream, "503 Service Unavailable", 0, "", b""),
        _ => honest(&body(), range, stream),
    });
    let world = World::new();
    world.all(vec![wanted(vec![server.url("gone"), server.url("busy")])]).unwrap();
    assert!(world.holds_it());
    assert_eq!(server.requests(), ["gone", "busy", "busy", "busy"]);
}

#[test]
fn reports_every_failure_at_once() {
    let server = Server::start(|_, path, range, stream| match path {
        "gone" => answer(stream, "404 Not Found", 0, "", b""),
        "wrong" => honest(&vec![1; 800_000], range, stream),
        "large" => honest(&vec![1; 900_000], range, stream),
        // Without an announced length the stream itself must be bounded.
        "endless" => {
            let _unheard = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[0; 10_000]).is_ok() {}
        }
        _ => answer(stream, "403 Forbidden", 0, "", b""),
    });
    let world = World::new();
    let names = ["gone", "wrong", "large", "endless", "forbidden"];
    let reasons = world.reasons(wanted(names.iter().map(|name| server.url(name)).collect()));
    let digest = Digest::of(vec![1; 800_000]);
    assert_eq!(
        reasons,
        [
            "the server does not have it (status 404)".to_owned(),
            format!("the file is another one: expected {}, got {digest}", Digest::of(body())),
            "the server sends more than 800000 bytes".to_owned(),
            "the server sends more than 800000 bytes".to_owned(),
            "the server answers with status 403".to_owned(),
        ]
    );
    assert_eq!(server.requests().len(), 5, "none of these is worth another try");
    assert_eq!(world.partials(), [0; 0]);
    let other =
        Wanted { label: "swan.deb".into(), digest: Digest::of("swan"), ..wanted(vec![server.url("gone")]) };
    let error = world.all(vec![wanted(vec![server.url("gone")]), other]).unwrap_err();
    assert_eq!(error.failed().iter().map(|file| file.is_gone()).collect::<Vec<_>>(), [true, true]);
    let text = error.to_string();
    assert!(text.contains("goose.deb: http://") && text.contains("swan.deb: http://"), "{text}");
    assert!(!world.holds_it());
}

#[test]
fn gives_up_on_a_dead_server_and_keeps_what_came() {
    let server = Server::start(|number, _, _, stream| {
        if number == 0 {
            answer(stream, "200 OK", 800_000, "", &body()[..300_000]);
        }
    });
    let world = World::new();
    let error = world.all(vec![wanted(vec![server.url("a")])]).unwrap_err();
    assert!(error.is_surroundings());
    assert!(world.partials()[0] > 0);
    // The first try, and as many again as there are pauses after the one that brought something.
    assert_eq!(server.requests().len(), 1 + 1 + 3 - 1);
}

#[test]
fn offline_lists_what_is_missing() {
    let world = World::new();
    let fetcher = Fetcher::new(&world.store, true).unwrap();
    world.store.put_bytes(b"here").unwrap();
    let here = Wanted { label: "here.deb".into(), urls: Vec::new(), digest: Digest::of("here"), size: None };
    let gone = wanted(vec!["http://127.0.0.1:1/".into()]);
    let result = world.runtime.block_on(fetcher.all(vec![here, gone], 2, &()));
    let text = result.unwrap_err().to_string();
    assert!(text.contains("goose.deb") && !text.contains("here.deb"), "{text}");
    let small = world.runtime.block_on(fetcher.small("http://127.0.0.1:1/", 10));
    assert!(matches!(small, Err(FetchError::Small(Attempt { reason: Reason::Offline, .. }))));
}

#[test]
fn small_files_are_bounded() {
    let server = Server::start(|_, _, range, stream| honest(b"0123456789", range, stream));
    let world = World::new();
    let small = |limit| world.runtime.block_on(world.fetcher.small(&server.url("s"), limit));
    assert_eq!(small(10).unwrap(), b"0123456789");
    assert!(matches!(
        small(9),
        Err(FetchError::Small(Attempt { reason: Reason::TooLarge { limit: 9 }, .. }))
    ));
}
