//! Figures, and the local socket that shows them: `GET /metrics` in Prometheus' text form, `GET /health`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

/// How many may look at once.
const READERS: usize = 16;
/// How long somebody may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// Figures by name and label.
#[derive(Debug, Default)]
pub struct Figures(Mutex<BTreeMap<(&'static str, String), i64>>);

impl Figures {
    /// Adds to a figure. A label looks like `op="sign-text"`, or is empty; its values are few.
    pub fn add(&self, name: &'static str, label: &str, number: i64) {
        let mut figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figure = figures.entry((name, label.into())).or_default();
        *figure = figure.saturating_add(number);
    }

    /// A figure.
    pub fn get(&self, name: &'static str, label: &str) -> i64 {
        let figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        figures.get(&(name, label.into())).copied().unwrap_or_default()
    }

    /// All, as Prometheus reads them; names get a prefix.
    pub fn text(&self, prefix: &str) -> String {
        let figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut last = "";
        for ((name, label), number) in figures.iter() {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            // Writing into memory cannot fail.
            if *name != last {
                let _ = writeln!(text, "# TYPE {prefix}_{name} {kind}");
            }
            let _ = match label.as_str() {
                "" => writeln!(text, "{prefix}_{name} {number}"),
                label => writeln!(text, "{prefix}_{name}{{{label}}} {number}"),
            };
            last = name;
        }
        text
    }
}

/// Shows figures on a socket, for ever. `healthy` says what is wrong, or nothing.
pub async fn serve(
    path: &Path,
    prefix: &'static str,
    figures: Arc<Figures>,
    healthy: impl Fn() -> Option<String> + Clone + Send + Sync + 'static,
) -> io::Result<()> {
    // One that a dead process left.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let room = Arc::new(Semaphore::new(READERS));
    tokio::spawn(async move {
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (figures, healthy) = (figures.clone(), healthy.clone());
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<hyper::body::Incoming>| {
                    let (status, text) = match request.uri().path() {
                        "/metrics" => (StatusCode::OK, figures.text(prefix)),
                        "/health" => match healthy() {
                            None => (StatusCode::OK, "ok\n".into()),
                            Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
                        },
                        _ => (StatusCode::NOT_FOUND, "there are /metrics and /health\n".into()),
                    };
                    let mut response = Response::new(Full::new(Bytes::from(text)));
                    *response.status_mut() = status;
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answer);
                // Whoever looked and went away is no concern of ours.
                drop(tokio::time::timeout(2 * PATIENCE, connection).await);
                drop(place);
            });
        }
    });
    Ok(())
}
