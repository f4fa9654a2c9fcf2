//! Requests and answers of a hub: what HTTP carries, with the bounds that keep hostile clients harmless.
//!
//! As Koji does it (hub 1.35.3): calls are posted to `/kojihub`, logins with certificates to `/kojihub/ssllogin`, and
//! the answer is 200 even where it is a fault; a post of `application/octet-stream` is a piece of an upload. What is no
//! call is answered in plain text: 405 for another method, 400 for a body that is no call, 408 for one that does not
//! come. Every answer of the hub itself names the version in `Koji-Version`.

use std::io::{self, Read};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::mpsc;

use super::files;
use crate::hub::methods::{Caller, KOJI_VERSION, Methods, Piece, Ticket};

/// The body of an answer.
pub type Answer = BoxBody<Bytes, io::Error>;
/// An answer.
pub type Reply = Response<Answer>;

/// What is served, and how much a client may ask for.
#[derive(Clone, Debug)]
pub struct Service {
    /// Answers calls.
    pub methods: Arc<Methods>,
    /// The folder below `/kojifiles/`.
    pub topdir: PathBuf,
    /// The bounds.
    pub limits: Limits,
}

/// Bounds of what one client can take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a call.
    pub call: usize,
    /// Bytes of one piece of an upload.
    pub upload: u64,
    /// How long the head of a request, or the next part of a body, may take to come, and an answer to be taken.
    pub patience: Duration,
    /// Bytes a second that a body must bring beyond that.
    pub pace: u64,
    /// Connections at once; more wait.
    pub connections: usize,
}

impl Default for Limits {
    /// A signature header of a package with 100,000 signed files is some 30 MB of base64; the CLI sends pieces of 1 MiB.
    fn default() -> Self {
        Self {
            call: 48 << 20,
            upload: 256 << 20,
            patience: Duration::from_secs(60),
            pace: 16 << 10,
            connections: 64,
        }
    }
}

/// A short answer in plain text.
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed());
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    reply
}

fn xml(body: Vec<u8>) -> Reply {
    let mut reply = plain(StatusCode::OK, body);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    reply
}

/// An answer after which the connection is not used again: the rest of the body was not read.
fn closing(status: StatusCode, text: String) -> Reply {
    let mut reply = plain(status, text);
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Why a body did not arrive.
enum Broken {
    TooLong,
    TooSlow,
    Lost(String),
}

impl Broken {
    fn reply(self) -> Reply {
        match self {
            Self::TooLong => {
                closing(StatusCode::BAD_REQUEST, "Invalid request: Request too long\n".to_owned())
            }
            Self::TooSlow => closing(StatusCode::REQUEST_TIMEOUT, "Invalid request: timeout\n".to_owned()),
            Self::Lost(why) => closing(StatusCode::BAD_REQUEST, format!("Invalid request: {why}\n")),
        }
    }
}

/// A body that arrives in parts, in time and within its bound.
struct Incoming<B> {
    body: B,
    left: u64,
    received: u64,
    since: Instant,
    limits: Limits,
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Incoming<B> {
    fn new(body: B, most: u64, limits: Limits) -> Result<Self, Broken> {
        if body.size_hint().lower() > most {
            return Err(Broken::TooLong);
        }
        Ok(Self { body, left: most, received: 0, since: Instant::now(), limits })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let frame = tokio::time::timeout(self.limits.patience, self.body.frame());
            let data = match frame.await.map_err(|_| Broken::TooSlow)? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Broken::Lost(error.to_string())),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.left = self.left.checked_sub(length).ok_or(Broken::TooLong)?;
            self.received += length;
            let earned = Duration::from_secs(self.received / self.limits.pace.max(1));
            if self.since.elapsed() > self.limits.patience + earned {
                return Err(Broken::TooSlow);
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}

impl Service {
    /// Answers one request from an address.
    pub async fn answer<B>(&self, request: Request<B>, address: IpAddr) -> Reply
    where
        B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
    {
        let path = request.uri().path();
        if let Some(file) = path.strip_prefix("/kojifiles/") {
            return match *request.method() {
                Method::GET => files::serve(&self.topdir, file, request.headers(), false).await,
                Method::HEAD => files::serve(&self.topdir, file, request.headers(), true).await,
                _ => not_allowed("GET, HEAD", "Method Not Allowed\n"),
            };
        }
        let mut reply = match path {
            "/kojihub" | "/kojihub/" | "/kojihub/ssllogin" if request.method() == Method::POST => {
                self.post(request, address).await
            }
            "/kojihub" | "/kojihub/" | "/kojihub/ssllogin" => not_allowed(
                "POST",
                "Method Not Allowed\nThis is an XML-RPC server. Only POST requests are accepted.\n",
            ),
            _ => {
                return plain(
                    StatusCode::NOT_FOUND,
                    "there is a hub at /kojihub and its files at /kojifiles/\n",
                );
            }
        };
        reply.headers_mut().insert("koji-version", HeaderValue::from_static(KOJI_VERSION));
        reply
    }

    async fn post<B>(&self, request: Request<B>, address: IpAddr) -> Reply
    where
        B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
    {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let caller = match ticket(&head.headers, &query) {
            Ok(ticket) => Caller { address, ticket },
            Err(why) => return closing(StatusCode::BAD_REQUEST, format!("Invalid request: {why}\n")),
        };
        let upload =
            head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream");
        let answered =
            if upload { self.upload(caller, query, body).await } else { self.call(caller, body).await };
        answered.unwrap_or_else(|broken| broken.reply())
    }

    async fn call<B>(&self, caller: Caller, body: B) -> Result<Reply, Broken>
    where
        B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
    {
        let most = u64::try_from(self.limits.call).unwrap_or(u64::MAX);
        let mut incoming = Incoming::new(body, most, self.limits)?;
        let mut call = Vec::new();
        while let Some(data) = incoming.next().await? {
            call.extend_from_slice(&data);
        }
        if call.is_empty() {
            return Err(Broken::Lost("Empty request".to_owned()));
        }
        let methods = Arc::clone(&self.methods);
        let answered = tokio::task::spawn_blocking(move || methods.answer(&caller, &call)).await;
        match answered {
            Ok(Ok(answer)) => Ok(xml(answer)),
            Ok(Err(error)) => Err(Broken::Lost(error.to_string())),
            Err(_) => Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "the call failed\n")),
        }
    }

    /// Receives a piece of an upload: it is written as it comes, in a thread of its own.
    async fn upload<B>(&self, caller: Caller, query: String, body: B) -> Result<Reply, Broken>
    where
        B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
    {
        let mut incoming = Incoming::new(body, self.limits.upload, self.limits)?;
        let (sender, receiver) = mpsc::channel(4);
        let methods = Arc::clone(&self.methods);
        let writing = tokio::task::spawn_blocking(move || {
            let piece = Piece::read(|name| parameter(&query, name));
            methods.upload(&caller, piece, &mut Pieces { receiver, rest: Bytes::new() })
        });
        let sent = async {
            while let Some(data) = incoming.next().await? {
                if sender.send(Ok(data)).await.is_err() {
                    // Refused in the middle; the rest is read, so that the client gets to see why.
                    while incoming.next().await?.is_some() {}
                }
            }
            Ok(())
        };
        let sent = sent.await;
        if let Err(broken) = &sent {
            let why = if matches!(broken, Broken::TooSlow) {
                io::ErrorKind::TimedOut
            } else {
                io::ErrorKind::BrokenPipe
            };
            // Without this, what has arrived would be taken for all of it.
            drop(sender.send(Err(why.into())).await);
        }
        drop(sender);
        let written = writing.await;
        sent?;
        Ok(written.map_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the upload failed\n"), xml))
    }
}

/// The body of an upload, for a reader that may block.
struct Pieces {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(data) => self.rest = data?,
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(buffer.len()));
        for (to, from) in buffer.iter_mut().zip(&piece) {
            *to = *from;
        }
        Ok(piece.len())
    }
}

fn not_allowed(allowed: &'static str, text: &'static str) -> Reply {
    let mut reply = closing(StatusCode::METHOD_NOT_ALLOWED, text.to_owned());
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// The session that a request names: in headers since Koji 1.31, in the address before.
fn ticket(headers: &HeaderMap, query: &str) -> Result<Option<Ticket>, String> {
    let number =
        |text: &str| text.parse().map_err(|_| format!("invalid literal for int() with base 10: '{text}'"));
    let header =
        |name: &str| headers.get(name).map(|value| value.to_str().map_err(|error| error.to_string()));
    if let Some(id) = header("koji-session-id") {
        let key = header("koji-session-key").unwrap_or_else(|| Err("no session key".to_owned()))?.to_owned();
        // Hubs before 1.35 read the second one.
        let call = header("koji-session-callnum").or_else(|| header("koji-callnum"));
        let call = call.transpose()?.map(number).transpose()?;
        return Ok(Some(Ticket { id: number(id?)?, key, call }));
    }
    let Some(id) = parameter(query, "session-id") else { return Ok(None) };
    let key = parameter(query, "session-key").unwrap_or_default();
    let call = parameter(query, "callnum").map(|text| number(&text)).transpose()?;
    Ok(Some(Ticket { id: number(&id)?, key, call }))
}

/// A parameter of a query, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    String::from_utf8(files::decode(&value.replace('+', " "))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_stand_in_headers_or_in_the_address() {
        let mut headers = HeaderMap::new();
        assert_eq!(ticket(&headers, "filename=a").unwrap(), None);
        let url = ticket(&headers, "session-id=5&session-key=2-a%2Bb&callnum=9").unwrap().unwrap();
        assert_eq!(url, Ticket { id: 5, key: "2-a+b".into(), call: Some(9) });
        assert!(ticket(&headers, "session-id=x&session-key=k").is_err());
        headers.insert("koji-session-id", HeaderValue::from_static("7"));
        assert!(ticket(&headers, "").is_err());
        headers.insert("koji-session-key", HeaderValue::from_static("k"));
        assert_eq!(
            ticket(&headers, "session-id=5").unwrap(),
            Some(Ticket { id: 7, key: "k".into(), call: None })
        );
        headers.insert("koji-session-callnum", HeaderValue::from_static("-1x"));
        assert!(ticket(&headers, "").is_err());
        assert_eq!(parameter("a=1&b=x+y%2F", "b").as_deref(), Some("x y/"));
    }
}
