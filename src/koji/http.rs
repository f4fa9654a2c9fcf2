//! Calls over HTTP.
//!
//! `POST` of XML to the hub's address; status 200 even for faults. Answers are compressed where the server can, and
//! undone here, so that what is counted and bounded is what is read.

use std::io::{self, Read};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use hyper::body::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Certificate, Client, Response, Url};
use tokio::sync::mpsc;

use super::connection::CONNECTIONS;
use super::error::KojiError;
use super::profile::{Profile, ProfileError};
use super::transport::{Reply, Request, Sending, Transport};
use crate::base::chain;

/// Bytes that a server can send compressed.
const MOST_COMPRESSED: u64 = 8 << 30;
/// Bytes of an error page that are shown.
const SHOWN: usize = 200;
/// Pieces that wait for the reader.
const AHEAD: usize = 16;

/// A hub at an address.
#[derive(Debug)]
pub struct Http {
    client: Client,
    url: Url,
}

impl Http {
    /// Prepares connections to a hub; none is made yet.
    pub fn new(profile: &Profile) -> Result<Self, KojiError> {
        let url =
            Url::parse(&profile.server).map_err(|error| unusable(&profile.server, &error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable(&profile.server, "only http and https are spoken"));
        }
        let mut builder = Client::builder()
            // What Koji's own library says, since hubs and their proxies know it.
            .user_agent("koji/1")
            .http1_only()
            .pool_max_idle_per_host(CONNECTIONS)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(profile.auth_timeout)
            .read_timeout(profile.timeout);
        if profile.no_ssl_verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        } else if let Some(path) = &profile.serverca {
            let unread = |source| ProfileError::Read { path: path.clone(), source };
            let pem = std::fs::read(path).map_err(unread)?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| unread(io::Error::new(io::ErrorKind::InvalidData, chain(&error))))?;
            // As with Koji: these, and no others.
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| unusable(&profile.server, &chain(&error)))?;
        Ok(Self { client, url })
    }

    async fn exchange(&self, request: Request) -> Result<Reply, KojiError> {
        let mut url = self.url.clone();
        let mut post = HeaderMap::new();
        if let Some(ticket) = &request.session {
            let fields = [
                ("session-id", "Koji-Session-Id", ticket.id.to_string()),
                ("session-key", "Koji-Session-Key", ticket.key.as_str().to_owned()),
                ("callnum", "Koji-Session-Callnum", ticket.number.to_string()),
            ];
            for (parameter, header, value) in fields {
                if ticket.in_url {
                    url.query_pairs_mut().append_pair(parameter, &value);
                } else if let Ok(mut value) = reqwest::header::HeaderValue::from_str(&value) {
                    value.set_sensitive(true);
                    post.insert(header, value);
                }
            }
        }
        let sent = self
            .client
            .post(url)
            .headers(post)
            .header(CONTENT_TYPE, "text/xml")
            .header(ACCEPT_ENCODING, "gzip, deflate")
            .body(request.body.to_vec())
            .send()
            .await;
        let response = sent.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if status.is_redirection() {
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let target = shown(target.unwrap_or("nowhere").as_bytes());
            return Err(KojiError::Redirect { url: self.url.to_string(), target });
        }
        if !status.is_success() {
            let text = beginning(response).await;
            return Err(KojiError::Status { url: self.url.to_string(), status: status.as_u16(), text });
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let version = header("Koji-Version").map(str::to_owned);
        let encoding = header(CONTENT_ENCODING.as_str()).unwrap_or_default().trim().to_ascii_lowercase();
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(pump(response, sender));
        let arriving = Arriving { receiver, piece: Bytes::new(), ended: false }.take(MOST_COMPRESSED);
        let body: Box<dyn Read + Send> = match encoding.as_str() {
            "" | "identity" => Box::new(arriving),
            "gzip" | "x-gzip" => Box::new(Gunzip::Before(arriving)),
            "deflate" => Box::new(ZlibDecoder::new(arriving)),
            other => {
                let text = format!("the answer is encoded as '{}'", shown(other.as_bytes()));
                return Err(KojiError::Status { url: self.url.to_string(), status: status.as_u16(), text });
            }
        };
        Ok(Reply { version, body })
    }

    fn broken(&self, error: &reqwest::Error) -> KojiError {
        // The error's own address has the session in it on old hubs.
        let mut reason = String::new();
        let mut source = std::error::Error::source(error);
        let mut certificate = false;
        while let Some(cause) = source {
            let text = cause.to_string();
            certificate |= text.contains("certificate verify failed");
            if !reason.contains(&text) {
                reason.push_str(if reason.is_empty() { "" } else { ": " });
                reason.push_str(&text);
            }
            source = cause.source();
        }
        if reason.is_empty() {
            reason = if error.is_timeout() { "nothing came in time" } else { "the request failed" }.into();
        }
        KojiError::Connection { url: self.url.to_string(), reason, certificate }
    }
}

impl Transport for Http {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(self.exchange(request))
    }

    fn name(&self) -> &str {
        self.url.as_str()
    }
}

fn unusable(server: &str, reason: &str) -> KojiError {
    KojiError::Connection { url: server.into(), reason: reason.into(), certificate: true }
}

/// The beginning of an error page, in one line.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < SHOWN {
        match response.chunk().await {
            Ok(Some(piece)) => {
                bytes.extend_from_slice(piece.get(..SHOWN.min(piece.len())).unwrap_or_default());
            }
            Ok(None) | Err(_) => break,
        }
    }
    shown(&bytes)
}

/// Foreign bytes for a message.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|one| !one.is_control())
        .take(SHOWN)
        .collect()
}

/// Hands on what arrives, until nobody wants it any more.
async fn pump(mut response: Response, sender: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let piece = match response.chunk().await {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => return,
            Err(error) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, chain(&error.without_url()))),
        };
        let failed = piece.is_err();
        if sender.send(piece).await.is_err() || failed {
            return;
        }
    }
}

/// A body while it arrives, for a reader that waits.
struct Arriving {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
    ended: bool,
}

impl Read for Arriving {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => self.ended = true,
            }
        }
        let count = self.piece.len().min(to.len());
        let piece = self.piece.split_to(count);
        to.iter_mut().zip(&*piece).for_each(|(to, from)| *to = *from);
        Ok(count)
    }
}

/// A body that is decompressed. The decoder waits for the beginning as soon as it is made, so it is made by the reader.
enum Gunzip<R> {
    Before(R),
    Begun(Box<MultiGzDecoder<R>>),
    Broken,
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Before(reader) => Self::Begun(Box::new(MultiGzDecoder::new(reader))),
            other => other,
        };
        match self {
            Self::Begun(decoder) => decoder.read(to),
            _ => Ok(0),
        }
    }
}
