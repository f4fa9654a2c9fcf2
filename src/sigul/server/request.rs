//! One request: what the bridge passes on, what the client says past it, and the answer.

use std::future::Future;
use std::io;

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_openssl::SslStream;
use zeroize::Zeroizing;

use super::Shared;
use super::operations::{self, Takes, answered, question, refused, secrets};
use super::packages::Arrived;
use super::parts;
use super::reply::{Answered, Body, send};
use super::signer::SignerError;
use super::spool::Spool;
use crate::openpgp::{CleartextError, clearsign};
use crate::sign::agent::request::{Operation as Question, Request as Asked};
use crate::sign::agent::{AgentError, Session};
use crate::sigul::stream::{
    Channel, Divided, Incoming, StreamError, Tls, TlsError, common_name, read_fields, read_u64,
};
use crate::sigul::wire::proof::ProofError;
use crate::sigul::wire::{Code, Fields, FieldsError, MAC, Operation, Proof, VERSION};

/// Bytes that are copied at once.
pub(super) const PIECE: usize = 1 << 16;
/// The most bytes of a payload that is passed over.
const PASSED_OVER: u64 = 1 << 30;
/// How long the bridge may take to close.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why a request has no answer: the connection is closed, as sigul does where it makes no sense.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the request is malformed: {0}")]
    Fields(#[from] FieldsError),
    #[error("the request is not what the client sent: {0}")]
    Proof(#[from] ProofError),
    #[error("version {0} of the protocol is not spoken here")]
    Version(u32),
    #[error("the operation '{0}' is not known")]
    Operation(String),
    #[error("the payload has {size} bytes, more than {limit}")]
    TooLarge { size: u64, limit: u64 },
    #[error("nothing came for too long")]
    Silent,
    #[error("the signer takes the request for senseless: {0}")]
    Senseless(String),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("the text cannot be put into a message: {0}")]
    Text(#[from] CleartextError),
    #[error("a part of the request failed in the server: {0}")]
    Failed(String),
}

impl From<io::Error> for RequestError {
    fn from(error: io::Error) -> Self {
        Self::Stream(error.into())
    }
}

/// What there is to say of a request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    operation: String,
    user: String,
    key: String,
    pub(super) bytes: u64,
    pub(super) code: Option<Code>,
    pub(super) packages: u32,
}

/// Serves a client of which the first byte has come.
pub(super) async fn serve(shared: &Shared, tls: &Tls, streams: Divided, first: [u8; 1]) {
    let (begun, mut seen) = (Instant::now(), Seen::default());
    shared.figures.add("requests", "", 1);
    let done = answer(shared, tls, streams, first, &mut seen).await;
    shared.figures.add("requests", "", -1);
    let code = match (&done, seen.code) {
        (Ok(()), Some(code)) => code.number().to_string(),
        _ => "none".into(),
    };
    // What is not known may be anything: figures have few labels.
    let known = Operation::find(&seen.operation).map_or("unknown", |operation| operation.name);
    shared.figures.add("requests_total", &format!("op=\"{known}\",code=\"{code}\""), 1);
    shared.figures.add("packages_total", "", seen.packages.into());
    shared.figures.add("payload_bytes_total", "", i64::try_from(seen.bytes).unwrap_or(i64::MAX));
    let milliseconds = begun.elapsed().as_millis();
    let reason = done.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let mut values: Vec<(&str, &dyn std::fmt::Display)> =
        vec![("user", &seen.user), ("op", &seen.operation), ("key", &seen.key), ("bytes", &seen.bytes)];
    if seen.packages > 0 {
        values.push(("packages", &seen.packages));
    }
    values.extend([("ms", &milliseconds as &dyn std::fmt::Display), ("code", &code)]);
    if done.is_err() {
        values.push(("reason", &reason));
    }
    shared.log.event("request", &values);
}

/// Ends what takes too long.
pub(super) async fn timely<T, E: Into<RequestError>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, RequestError> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(RequestError::Silent),
    }
}

/// A payload that has arrived.
enum Payload {
    Nothing,
    Memory(Zeroizing<Vec<u8>>),
    Streamed(Session),
    Package(Spool),
}

async fn answer(
    shared: &Shared,
    tls: &Tls,
    streams: Divided,
    first: [u8; 1],
    seen: &mut Seen,
) -> Result<(), RequestError> {
    let idle = shared.config.idle;
    let Divided { outer, inner, mut ended, .. } = streams;
    let Channel { mut incoming, mut outgoing } = outer;
    // What the bridge passes on.
    let mut version = [first[0], 0, 0, 0];
    timely(idle, incoming.read_exact(&mut version[1..])).await?;
    let version = u32::from_be_bytes(version);
    if version != VERSION {
        outgoing.write_all(&Code::UnknownVersion.number().to_be_bytes()).await?;
        outgoing.shutdown().await?;
        return Err(RequestError::Version(version));
    }
    let (fields, raw) = timely(idle, read_fields(&mut incoming)).await?;
    let name = fields.text("op")?.to_owned();
    seen.operation.clone_from(&name);
    seen.user = fields.text("user")?.into();
    seen.key = fields.get("key").map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default();
    match Operation::find(&name) {
        Some(operation) => operation.check(&fields)?,
        None => return Err(RequestError::Operation(name)),
    }
    let asked = question(&name, &fields)?.map(|operation| Asked { user: seen.user.clone(), operation });
    let size = timely(idle, read_u64(&mut incoming)).await?;
    seen.bytes = size;
    let (payload, digest) = payload(shared, &mut incoming, size, &name, asked.as_ref()).await?;

    // What the client says past the bridge.
    let inner = timely(shared.config.handshake, tls.accept(inner)).await?;
    let certificate = inner.ssl().peer_certificate().ok_or(TlsError::Name)?;
    let certificate = common_name(&certificate)?;
    let inner_fields = past_the_bridge(inner, idle).await?;
    let header = [&VERSION.to_be_bytes()[..], &raw].concat();
    // A bridge that fetched the package cannot make the client vouch for it otherwise.
    let vouched = name == "sign-rpm" && fields.get("rpm-sigmd5").is_some();
    let proof = Proof::read(&inner_fields, &header, &digest, vouched)?;

    let config = &shared.config;
    let is_user = certificate == seen.user || config.lenient || config.proxies.contains(&certificate);
    let answered = match asked {
        _ if !is_user => Answered::refused(Code::AuthenticationFailed, None),
        None => Answered::refused(Code::UnknownOp, None),
        Some(_) if fields.get("file-signing-key").is_some() => Answered::refused(
            Code::UnsupportedKeytype,
            Some("signatures of the files in packages are not offered"),
        ),
        Some(asked) if name == "sign-rpms" => {
            let streams = (&mut incoming, &mut outgoing);
            parts::serve(shared, streams, &asked, &fields, &inner_fields, &proof, seen).await?;
            return farewell(&mut outgoing, &mut ended).await;
        }
        Some(asked) => act(shared, &name, &fields, &asked, payload, &inner_fields).await?,
    };
    seen.code = Some(answered.reply.code);
    timely(idle, send(&mut outgoing, &proof, answered)).await?;
    farewell(&mut outgoing, &mut ended).await
}

/// Ends the connection so that all of it arrives.
async fn farewell(
    outgoing: &mut crate::sigul::stream::Outgoing,
    ended: &mut crate::sigul::stream::Ended,
) -> Result<(), RequestError> {
    outgoing.shutdown().await?;
    // One that is closed while the other side still sends would be reset, with what was not read yet.
    drop(tokio::time::timeout(FAREWELL, ended.wait()).await);
    Ok(())
}

/// Takes a payload, and its SHA-512.
async fn payload(
    shared: &Shared,
    incoming: &mut Incoming,
    size: u64,
    operation: &str,
    asked: Option<&Asked>,
) -> Result<(Payload, [u8; MAC]), RequestError> {
    let takes = operations::takes(operation);
    let limit = match takes {
        Takes::Nothing => 0,
        Takes::Memory(limit) => limit,
        Takes::Stream => u64::MAX,
        Takes::Package => 1 << 30,
        Takes::Refused => PASSED_OVER,
    };
    if size > limit {
        return Err(RequestError::TooLarge { size, limit });
    }
    let mut payload = match (takes, asked) {
        (Takes::Stream, Some(asked)) => Payload::Streamed(shared.signer.client()?.open(asked).await?),
        (Takes::Package, _) => Payload::Package(Spool::new(&shared.config.spool)),
        // It grows with what comes, not with what is announced.
        (Takes::Memory(_), _) => Payload::Memory(Zeroizing::default()),
        _ => Payload::Nothing,
    };
    let mut hash = Sha512::new();
    let (mut left, mut buffer) = (size, Zeroizing::new(vec![0; PIECE]));
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let part = buffer.get_mut(..most).unwrap_or_default();
        let read = timely(shared.config.idle, incoming.read(part)).await?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        hash.update(piece);
        match &mut payload {
            Payload::Nothing => {}
            Payload::Memory(bytes) => bytes.extend_from_slice(piece),
            Payload::Streamed(session) => timely(shared.config.idle, session.data(piece)).await?,
            Payload::Package(spool) => spool.add(piece)?,
        }
        left -= read as u64;
    }
    Ok((payload, hash.finalize().into()))
}

/// Reads what the client says past the bridge, and says that it was all.
async fn past_the_bridge(mut inner: SslStream<Channel>, idle: Duration) -> Result<Fields, RequestError> {
    let (fields, _) = timely(idle, read_fields(&mut inner)).await?;
    let mut more = [0];
    if timely(idle, inner.read(&mut more)).await? != 0 {
        return Err(FieldsError::Trailing(1).into());
    }
    timely(idle, inner.shutdown()).await?;
    Ok(fields)
}

/// Asks the signer, and puts its answer into the protocol's words.
async fn act(
    shared: &Shared,
    operation: &str,
    fields: &Fields,
    asked: &Asked,
    payload: Payload,
    inner: &Fields,
) -> Result<Answered, RequestError> {
    let idle = shared.config.idle;
    let (mut session, text, package) = match payload {
        Payload::Streamed(session) => (session, None, None),
        Payload::Nothing => (shared.signer.client()?.open(asked).await?, None, None),
        Payload::Memory(bytes) => {
            let mut session = shared.signer.client()?.open(asked).await?;
            timely(idle, session.data(&bytes)).await?;
            (session, Some(bytes), None)
        }
        Payload::Package(spool) => {
            let checked = check(spool, fields.clone()).await?;
            let package = match checked {
                Ok(package) => package,
                Err((code, message)) => return Ok(Answered::refused(code, message.as_deref())),
            };
            (shared.signer.client()?.open(asked).await?, None, Some(package))
        }
    };
    for (which, secret) in secrets(inner) {
        timely(idle, session.secret(which, secret)).await?;
    }
    let outcome = timely(idle, session.finish()).await?;
    let (answer, bytes) = match outcome {
        Ok(answer) => answer,
        Err(refusal) => return refused(&refusal).ok_or_else(|| RequestError::Senseless(refusal.to_string())),
    };
    match (package, text) {
        (Some(package), _) => {
            let (mut asking, mut answers) = session.split();
            timely(idle, asking.header(package.main_header())).await?;
            let packet = timely(idle, answers.next(Session::LARGEST_PAYLOAD)).await?;
            let packet = match packet {
                Ok((_, packet)) => packet,
                Err(refusal) => {
                    return refused(&refusal).ok_or_else(|| RequestError::Senseless(refusal.to_string()));
                }
            };
            Ok(match package.signature_header(&packet) {
                Err((code, message)) => Answered::refused(code, message.as_deref()),
                Ok(header) if fields.is_set("head-signing")? => {
                    Answered::with(Fields::default(), header.into())
                }
                Ok(header) => {
                    let mut done = Answered::done(Fields::default());
                    done.body = Body::Package(package.with(&header));
                    done
                }
            })
        }
        (None, Some(text)) if matches!(asked.operation, Question::SignText { .. }) => {
            Ok(Answered::with(Fields::default(), clearsign(&text, &bytes)?.into()))
        }
        (None, _) => Ok(answered(operation, answer, bytes)),
    }
}

/// Looks at a package, away from where many requests are served.
pub(super) async fn check(
    spool: Spool,
    fields: Fields,
) -> Result<Result<Arrived, super::packages::Refused>, RequestError> {
    let checking = tokio::task::spawn_blocking(move || Arrived::check(spool, &fields));
    checking.await.map_err(|error| RequestError::Failed(error.to_string()))
}
