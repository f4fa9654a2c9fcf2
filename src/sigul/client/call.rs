//! One request and its reply.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use zeroize::Zeroizing;

use super::Client;
use crate::sigul::stream::{
    Channel, Divided, Incoming, Outgoing, StreamError, TlsError, divide, read_fields, read_mac, read_u32,
    read_u64,
};
use crate::sigul::wire::{Code, Fields, FieldsError, MAC, Mac, PartKey, Proof, RequestHeader, proof};

/// Bytes that are copied at once.
pub(super) const PIECE: usize = 1 << 16;
/// The most bytes of a server's last words on the inner connection, which says nothing there.
const WORDS: usize = 1 << 12;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The bridge cannot be reached. A retry may help.
    #[error("the bridge {bridge} cannot be reached")]
    Unreachable {
        /// Host and port.
        bridge: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bridge or the server is not who it should be, or does not accept the user. Retrying cannot help.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file cannot be read or written.
    #[error("the file '{path}' cannot be {what}")]
    File {
        /// `read` or `written`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A name or secret does not fit into a request. Retrying cannot help.
    #[error("the request cannot be made")]
    Request(#[from] FieldsError),
    /// The connection ended early: the bridge has no server at hand, or the request was malformed for one of them. A
    /// retry may help.
    #[error("the connection ended before there was an answer ({reason})")]
    Ended {
        /// What was seen of it.
        reason: String,
    },
    /// Nothing happened for too long. A retry may help.
    #[error("nothing came from the bridge for {} seconds", .0.as_secs())]
    Silent(Duration),
    /// The answer is malformed, or was changed on its way. Retrying cannot help.
    #[error("the answer is not the server's: {0}")]
    Forged(&'static str),
    /// The answer is larger than what was asked for can be. Retrying cannot help.
    #[error("the answer has {size} bytes, more than the {limit} that it may have")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The server refused. Retrying helps only where the reason passes.
    #[error("the server refused: {}", refusal(*code, message.as_deref()))]
    Refused {
        /// Why: the number, which may be one that is not known.
        code: u32,
        /// The server's own words.
        message: Option<String>,
    },
    /// What the server answered is not what was asked for. Retrying cannot help.
    #[error("the answer is not what was asked for: {0}")]
    Unexpected(String),
}

/// Words of the other side, of which nothing can hide or change what stands beside them.
pub(super) fn visible(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A refusal in words.
fn refusal(code: u32, message: Option<&str>) -> String {
    let words = Code::of(code).map_or_else(|| format!("code {code}"), |code| code.to_string());
    match message {
        Some(message) if !message.is_empty() => format!("{words} ({})", visible(message)),
        _ => words,
    }
}

impl From<StreamError> for ClientError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Io(error) => error.into(),
            StreamError::Fields(_) => Self::Forged("its fields are malformed"),
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Ended { reason: error.to_string() }
    }
}

/// What is sent besides fields.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// Nothing.
    None,
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A file.
    File(&'a Path),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The operation's name.
    pub operation: &'a str,
    /// Its fields, without operation and user.
    pub fields: Fields,
    /// Its secrets.
    pub secrets: Fields,
    /// Its payload.
    pub payload: Payload<'a>,
}

impl<'a> Request<'a> {
    /// A request without fields, secrets and payload.
    pub fn new(operation: &'a str) -> Self {
        Self { operation, fields: Fields::default(), secrets: Fields::default(), payload: Payload::None }
    }

    /// The same with a field.
    #[must_use]
    pub fn field(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.set(key, value);
        self
    }

    /// The same with a secret.
    #[must_use]
    pub fn secret(mut self, key: &str, value: &[u8]) -> Self {
        self.secrets.set(key, value);
        self
    }

    /// The same with a payload.
    #[must_use]
    pub fn payload(mut self, payload: Payload<'a>) -> Self {
        self.payload = payload;
        self
    }
}

/// A connection on which a request was answered.
pub(super) struct Answered {
    pub outer: Channel,
    pub fields: Fields,
    pub parts: Option<[PartKey; 4]>,
    payload_key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answered")
    }
}

impl Client {
    /// Asks, and gives the reply's fields and its payload of at most `limit` bytes.
    pub async fn call(&self, request: Request<'_>, limit: u64) -> Result<(Fields, Vec<u8>), ClientError> {
        let mut payload = Vec::new();
        let fields = self.call_into(request, limit, &mut payload).await?;
        Ok((fields, payload))
    }

    /// Asks, writes the reply's payload of at most `limit` bytes, and gives its fields. What was written counts only
    /// where this succeeds.
    pub async fn call_into(
        &self,
        request: Request<'_>,
        limit: u64,
        output: &mut (impl AsyncWrite + Unpin),
    ) -> Result<Fields, ClientError> {
        let no_data = request.fields.get("return-data") == Some(&[0]);
        let mut answered = self.ask(request, false).await?;
        let mac = Mac::new(&answered.payload_key);
        let incoming = &mut answered.outer.incoming;
        if no_data {
            self.receive_nothing(incoming).await?;
        } else {
            self.receive(incoming, mac, limit, output, "its payload's proof is wrong").await?;
        }
        // Tells the bridge that nothing more comes.
        drop(answered.outer.outgoing.shutdown().await);
        Ok(answered.fields)
    }

    /// Sends a request and reads the head of its reply.
    pub(super) async fn ask(&self, request: Request<'_>, parts: bool) -> Result<Answered, ClientError> {
        let Request { operation, mut fields, mut secrets, payload } = request;
        fields.set("op", operation).set("user", &self.user);
        let header = RequestHeader { fields };
        let head = header.encode()?;
        let mut random = Zeroizing::new([0; 6 * MAC]);
        openssl::rand::rand_bytes(&mut random[..]).map_err(TlsError::OpenSsl)?;
        let mut random = random.chunks_exact(MAC);
        let mut key = || random.next().unwrap_or_default();
        if parts {
            proof::PART_KEYS.iter().for_each(|name| {
                secrets.set(name, key());
            });
        }
        let parts =
            if parts { Some(Proof::parts(&secrets).map_err(|_| ClientError::Forged("keys"))?) } else { None };
        let keys = [key(), key()];

        let Divided { mut outer, inner, .. } = self.connect().await?;
        self.timely(async { Ok(outer.outgoing.write_all(&head).await?) }).await?;
        let digest = self.send_payload(&mut outer.outgoing, payload).await?;
        let proof = Proof::write(&mut secrets, &header, &digest, keys)?;
        let names = operation == "sign-rpm" && header.fields.get("rpm-sigmd5").is_some();
        if names && matches!(payload, Payload::None) {
            // The bridge puts a package in the payload's place.
            secrets.remove(proof::PAYLOAD_DIGEST);
        }
        let secrets = secrets.encode()?;
        let inner = self.timely(async { Ok(self.tls.connect(&self.settings.server_name, inner).await?) });
        self.hand_over(inner.await?, &secrets).await?;

        let (fields, code) = self.timely(read_head(&mut outer, &proof)).await?;
        if code != Code::Ok.number() {
            let message = fields.optional_text("message").ok().flatten().map(str::to_owned);
            return Err(ClientError::Refused { code, message });
        }
        Ok(Answered { outer, fields, parts, payload_key: proof.payload_key })
    }

    async fn connect(&self) -> Result<Divided, ClientError> {
        let (host, port) = &self.settings.bridge;
        let unreachable = |source| ClientError::Unreachable { bridge: format!("{host}:{port}"), source };
        self.timely(async {
            let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
            tcp.set_nodelay(true).map_err(unreachable)?;
            let tls = self.tls.connect(&self.settings.bridge_name, tcp).await?;
            Ok(divide(tls, self.settings.patience))
        })
        .await
    }

    /// Ends what takes too long.
    pub(super) async fn timely<T>(
        &self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let patience = self.settings.patience;
        tokio::time::timeout(patience, work).await.unwrap_or(Err(ClientError::Silent(patience)))
    }

    async fn send_payload(
        &self,
        outer: &mut Outgoing,
        payload: Payload<'_>,
    ) -> Result<[u8; MAC], ClientError> {
        let mut hash = Sha512::new();
        let hashing = |piece: &[u8]| hash.update(piece);
        match payload {
            Payload::None => self.send(outer, 0, &mut io::empty(), None, |_| ()).await?,
            Payload::Bytes(bytes) => {
                self.send(outer, bytes.len() as u64, &mut &bytes[..], None, hashing).await?;
            }
            Payload::File(path) => {
                let (mut file, size) = open(path)?;
                self.send(outer, size, &mut file, Some(path), hashing).await?;
            }
        }
        Ok(hash.finalize().into())
    }

    /// Sends a length and as many bytes.
    pub(super) async fn send(
        &self,
        outer: &mut Outgoing,
        size: u64,
        source: &mut impl io::Read,
        path: Option<&Path>,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<(), ClientError> {
        let unread =
            |source| ClientError::File { what: "read", path: path.unwrap_or(Path::new("-")).into(), source };
        self.timely(async { Ok(outer.write_all(&size.to_be_bytes()).await?) }).await?;
        let (mut left, mut buffer) = (size, vec![0; PIECE]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..most).unwrap_or_default();
            // Files of this machine: reading them holds nothing up for long.
            source.read_exact(piece).map_err(unread)?;
            seen(piece);
            self.timely(async { Ok(outer.write_all(piece).await?) }).await?;
            left -= most as u64;
        }
        Ok(())
    }

    /// Gives the server the secrets, and waits until it has them.
    async fn hand_over(&self, mut inner: SslStream<Channel>, secrets: &[u8]) -> Result<(), ClientError> {
        self.timely(async {
            inner.write_all(secrets).await?;
            inner.shutdown().await?;
            let mut words = [0; WORDS];
            let refused = |reason: io::Error| TlsError::Handshake {
                peer: self.settings.server_name.clone(),
                reason: reason.to_string(),
            };
            match inner.read(&mut words).await.map_err(refused)? {
                0 => Ok(()),
                _ => Err(ClientError::Forged("there is more than the end on the inner connection")),
            }
        })
        .await
    }

    /// Reads a length, as many bytes, and their HMAC.
    pub(super) async fn receive(
        &self,
        incoming: &mut (impl AsyncRead + Unpin),
        mut mac: Mac,
        limit: u64,
        output: &mut (impl AsyncWrite + Unpin),
        forged: &'static str,
    ) -> Result<u64, ClientError> {
        let size = self.timely(async { Ok(read_u64(incoming).await?) }).await?;
        if size > limit {
            return Err(ClientError::TooLarge { size, limit });
        }
        let (mut left, mut buffer) = (size, vec![0; PIECE]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..most).unwrap_or_default();
            let read = self.timely(async { Ok(incoming.read(piece).await?) }).await?;
            let piece = piece.get(..read).unwrap_or_default();
            if piece.is_empty() {
                return Err(ClientError::Ended { reason: "its payload is cut off".into() });
            }
            mac.update(piece);
            output.write_all(piece).await.map_err(|source| ClientError::File {
                what: "written",
                path: "-".into(),
                source,
            })?;
            left -= read as u64;
        }
        let given = self.timely(async { Ok(read_mac(incoming).await?) }).await?;
        if mac.is(&given) { Ok(size) } else { Err(ClientError::Forged(forged)) }
    }

    /// Reads what stands in place of a payload that was not asked for: a bridge cannot make its HMAC, so that is not
    /// looked at.
    pub(super) async fn receive_nothing(&self, incoming: &mut Incoming) -> Result<(), ClientError> {
        self.timely(async {
            match read_u64(incoming).await? {
                0 => Ok(read_mac(incoming).await.map(drop)?),
                size => Err(ClientError::TooLarge { size, limit: 0 }),
            }
        })
        .await
    }
}

/// Reads code, fields and their HMAC.
async fn read_head(outer: &mut Channel, proof: &Proof) -> Result<(Fields, u32), ClientError> {
    let code = read_u32(&mut outer.incoming).await?;
    let (fields, raw) = read_fields(&mut outer.incoming).await?;
    let mut mac = Mac::new(&proof.header_key);
    mac.update(&code.to_be_bytes());
    mac.update(&raw);
    if mac.is(&read_mac(&mut outer.incoming).await?) {
        Ok((fields, code))
    } else {
        Err(ClientError::Forged("its head's proof is wrong"))
    }
}

/// A file and its size.
pub(super) fn open(path: &Path) -> Result<(std::fs::File, u64), ClientError> {
    let unread = |source| ClientError::File { what: "read", path: path.into(), source };
    let file = std::fs::File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    if !metadata.is_file() {
        return Err(unread(io::Error::other("it is no regular file")));
    }
    Ok((file, metadata.len()))
}
