//! What a bridge counts, and the local socket that says so.
//!
//! `GET /metrics` answers in the text form of Prometheus, `GET /health` with 200 while a server is there, else with 503.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

/// Who asks for counts at once.
const ASKING: usize = 8;
/// How long such a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Connections that were accepted, of clients and of servers.
    pub(super) connections: [AtomicU64; 2],
    /// Those of them that never were what they had to be.
    pub(super) refused: [AtomicU64; 2],
    /// Requests whose reply was passed on, such that ended otherwise, and such that found no server.
    pub(super) requests: [AtomicU64; 3],
    /// Bytes of requests and of replies.
    pub(super) bytes: [AtomicU64; 2],
    /// Signatures that went to Koji.
    pub(super) imported: AtomicU64,
}

/// What is so now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Now {
    pub(super) running: usize,
    pub(super) clients: usize,
    pub(super) idle: usize,
    pub(super) waiting: usize,
    pub(super) handshakes: [usize; 2],
}

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Counts {
    /// All of it as text.
    pub(super) fn text(&self, now: Now) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, what: &str, values: &[(&str, u64)]| {
            let name = format!("gander_sigul_bridge_{name}");
            let _ = writeln!(text, "# HELP {name} {what}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sides = |both: &[AtomicU64; 2]| {
            [("{side=\"client\"}", of(&both[0])), ("{side=\"server\"}", of(&both[1]))]
        };
        family(
            "connections_total",
            "counter",
            "Connections that were accepted.",
            &sides(&self.connections),
        );
        family("refused_total", "counter", "Connections without a valid handshake.", &sides(&self.refused));
        let outcomes = ["{outcome=\"answered\"}", "{outcome=\"failed\"}", "{outcome=\"no-server\"}"];
        let requests: Vec<_> = outcomes.into_iter().zip(self.requests.iter().map(of)).collect();
        family("requests_total", "counter", "Requests that ended.", &requests);
        let bytes =
            [("{direction=\"request\"}", of(&self.bytes[0])), ("{direction=\"reply\"}", of(&self.bytes[1]))];
        family("bytes_total", "counter", "Bytes of requests and replies that were passed on.", &bytes);
        family("koji_signatures_total", "counter", "Signatures given to Koji.", &[("", of(&self.imported))]);
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        family("requests_running", "gauge", "Requests that are passed on.", &[("", number(now.running))]);
        family("clients", "gauge", "Clients with a valid handshake.", &[("", number(now.clients))]);
        family("servers_idle", "gauge", "Idle connections of servers.", &[("", number(now.idle))]);
        family("clients_waiting", "gauge", "Clients that wait for a server.", &[("", number(now.waiting))]);
        let handshakes = [
            ("{side=\"client\"}", number(now.handshakes[0])),
            ("{side=\"server\"}", number(now.handshakes[1])),
        ];
        family("handshakes", "gauge", "Unfinished handshakes.", &handshakes);
        text
    }
}

/// Listens on a local socket in place of whoever did so before.
pub(super) fn bind(path: &Path) -> std::io::Result<UnixListener> {
    // A bridge that takes over, or comes after one that was killed, replaces the name; the old socket goes on.
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let fresh = Path::new(&name);
    drop(std::fs::remove_file(fresh));
    let listener = UnixListener::bind(fresh)?;
    std::fs::rename(fresh, path)?;
    Ok(listener)
}

/// Answers on the local socket.
pub(super) async fn serve(
    listener: UnixListener,
    counts: Arc<Counts>,
    now: impl Fn() -> Now + Clone + Send + Sync + 'static,
) {
    let asking = Arc::new(Semaphore::new(ASKING));
    loop {
        let Ok(place) = asking.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (counts, now) = (counts.clone(), now.clone());
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let (status, text) = match request.uri().path() {
                "/metrics" => (StatusCode::OK, counts.text(now())),
                "/health" | "/" => {
                    let now = now();
                    match now.idle + now.running {
                        0 => (StatusCode::SERVICE_UNAVAILABLE, "no server is connected\n".to_owned()),
                        _ => (StatusCode::OK, "ok\n".to_owned()),
                    }
                }
                _ => (StatusCode::NOT_FOUND, "there are /health and /metrics\n".to_owned()),
            };
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            async { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            let serving = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            drop(tokio::time::timeout(PATIENCE, serving).await);
            drop(place);
        });
    }
}
