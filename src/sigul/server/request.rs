//! One request: what the bridge passes on, what the client says past it, and the answer.

use std::future::Future;
use std::io::{self, BufWriter};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::Shared;
use super::entrance::{Entered, enter};
use super::inner;
use super::operations::{self, Takes, answered, bind, question, refused, secrets};
use super::packages::{Arrived, Refused, Spooled, words};
use super::parts;
use super::reply::{Answered, Body, send};
use super::signer::SignerError;
use super::spool::{Pieces, Spool};
use crate::openpgp::{CleartextError, clearsign_as_it_is};
use crate::sign::agent::request::{Answer, Request as Asked};
use crate::sign::agent::{AgentError, Session};
use crate::sigul::stream::{Channel, Divided, Incoming, StreamError, TlsError, read_fields, read_u64};
use crate::sigul::wire::proof::{PAYLOAD_DIGEST, ProofError};
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
    certificate: String,
    key: String,
    pub(super) bytes: u64,
    pub(super) code: Option<Code>,
    pub(super) packages: u32,
    reason: String,
}

impl Seen {
    /// Notes what the client is told.
    pub(super) fn refused(&mut self, answered: &Answered) {
        self.code = Some(answered.reply.code);
        let message = answered.reply.fields.get("message").unwrap_or_default();
        self.reason = String::from_utf8_lossy(message).into_owned();
    }
}

/// Serves a client of which the first byte has come; drops `settled` once another connection may be opened.
pub(super) async fn serve(shared: &Shared, streams: Divided, first: [u8; 1], settled: oneshot::Sender<()>) {
    let (begun, mut seen) = (Instant::now(), Seen::default());
    shared.figures.add("requests", "", 1);
    let done = answer(shared, streams, first, settled, &mut seen).await;
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
    if let Err(error) = &done {
        seen.reason = words(error);
    }
    let mut values: Vec<(&str, &dyn std::fmt::Display)> =
        vec![("user", &seen.user), ("op", &seen.operation), ("key", &seen.key), ("bytes", &seen.bytes)];
    // Somebody else's certificate is worth knowing.
    if !seen.certificate.is_empty() && seen.certificate != seen.user {
        values.push(("certificate", &seen.certificate));
    }
    if seen.packages > 0 {
        values.push(("packages", &seen.packages));
    }
    values.extend([("ms", &milliseconds as &dyn std::fmt::Display), ("code", &code)]);
    if !seen.reason.is_empty() {
        values.push(("reason", &seen.reason));
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
    /// The signer has it, and a text is kept besides.
    Streamed(Session, Option<Spool>),
    Package(Spool),
    /// It could not be kept, or not be given to the signer.
    Failed(Refused),
}

async fn answer(
    shared: &Shared,
    streams: Divided,
    first: [u8; 1],
    settled: oneshot::Sender<()>,
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
    let mut asked = question(&name, &fields)?.map(|operation| Asked { user: seen.user.clone(), operation });
    let size = timely(idle, read_u64(&mut incoming)).await?;
    let (payload, digest) = payload(shared, &mut incoming, size, &name, asked.as_ref()).await?;
    seen.bytes = size;

    // What the client says past the bridge.
    let tls = shared.certificates.tls();
    let limits = [shared.config.handshake, idle];
    let inner_fields = inner::listen(&tls, inner, limits, &mut seen.certificate).await?;
    // While enough connections wait, this client's answer comes before another one.
    let settled = Some(settled).filter(|_| shared.has_spares());
    let certificate = seen.certificate.clone();
    let header = [&VERSION.to_be_bytes()[..], &raw].concat();
    // For a package that the bridge fetched, the client can only name its MD5.
    let proof = Proof::read(&inner_fields, &header, &digest, name == "sign-rpm")?;
    if let Some(asked) = &mut asked {
        bind(&mut asked.operation, &inner_fields)?;
    }

    let config = &shared.config;
    let is_user = certificate == seen.user || config.lenient || config.proxies.contains(&certificate);
    let answered = match asked {
        _ if !is_user => Answered::refused(Code::AuthenticationFailed, None),
        None => Answered::refused(Code::UnknownOp, None),
        Some(asked) if name == "sign-rpms" => {
            let streams = (&mut incoming, &mut outgoing);
            parts::serve(shared, streams, &asked, &fields, &inner_fields, &proof, seen).await?;
            drop(settled);
            return farewell(&mut outgoing, &mut ended).await;
        }
        Some(asked) => act(shared, &name, &fields, &asked, payload, &inner_fields).await?,
    };
    seen.refused(&answered);
    send(&mut outgoing, &proof, answered, idle).await?;
    drop(settled);
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
        Takes::Stream(limit) | Takes::Text(limit) => limit,
        Takes::Package => 1 << 30,
        Takes::Refused => PASSED_OVER,
    };
    if size > limit {
        return Err(RequestError::TooLarge { size, limit });
    }
    let idle = shared.config.idle;
    let mut payload = match (takes, asked) {
        (Takes::Stream(_) | Takes::Text(_), Some(asked)) => match open(shared, asked).await {
            Ok(session) => {
                let text = matches!(takes, Takes::Text(_)).then(|| Spool::new(&shared.spool));
                Payload::Streamed(session, text)
            }
            Err(error) => Payload::Failed(failed(&error)),
        },
        (Takes::Package, _) => Payload::Package(Spool::new(&shared.spool)),
        _ => Payload::Nothing,
    };
    let mut hash = Sha512::new();
    let (mut left, mut buffer) = (size, Zeroizing::new(vec![0; PIECE]));
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let part = buffer.get_mut(..most).unwrap_or_default();
        let read = timely(idle, incoming.read(part)).await?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        hash.update(piece);
        left -= read as u64;
        // A failure is told when it is known who asks; until then the rest is passed over.
        let taken = match &mut payload {
            Payload::Nothing | Payload::Failed(_) => Ok(()),
            Payload::Streamed(session, text) => {
                let kept = text.as_mut().map_or(Ok(()), |text| text.add(piece).map_err(unkept));
                match kept {
                    Ok(()) => timely(idle, session.data(piece)).await.map_err(|error| failed(&error)),
                    failed => failed,
                }
            }
            Payload::Package(spool) => spool.add(piece).map_err(unkept),
        };
        if let Err(reason) = taken {
            payload = Payload::Failed(reason);
        }
    }
    Ok((payload, hash.finalize().into()))
}

/// Begins a session with the signer.
pub(super) async fn open(shared: &Shared, asked: &Asked) -> Result<Session, RequestError> {
    let client = shared.signer.client()?;
    timely(shared.config.handshake, client.open(asked)).await
}

/// Something that failed here, as the client is told.
pub(super) fn failed(error: &RequestError) -> Refused {
    (Code::UnknownError, Some(words(error)))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unkept(error: io::Error) -> Refused {
    (Code::UnknownError, Some(format!("the payload cannot be kept: {}", words(&error))))
}

/// Asks the signer, and puts its answer into the protocol's words. A signer that fails is no reason to say nothing.
async fn act(
    shared: &Shared,
    operation: &str,
    fields: &Fields,
    asked: &Asked,
    payload: Payload,
    inner: &Fields,
) -> Result<Answered, RequestError> {
    let answered = match payload {
        Payload::Failed((code, message)) => return Ok(Answered::refused(code, message.as_deref())),
        Payload::Package(spool) => sign_package(shared, fields, asked, spool, inner).await,
        Payload::Nothing => match open(shared, asked).await {
            Ok(session) => finish(shared, operation, session, None, inner).await,
            Err(error) => Err(error),
        },
        Payload::Streamed(session, text) => finish(shared, operation, session, text, inner).await,
    };
    match answered {
        Err(error @ (RequestError::Signer(_) | RequestError::Agent(_) | RequestError::Silent)) => {
            Ok(Answered::failed(&error))
        }
        other => other,
    }
}

/// Gives the signer the secrets, and waits for its answer.
async fn finish(
    shared: &Shared,
    operation: &str,
    mut session: Session,
    text: Option<Spool>,
    inner: &Fields,
) -> Result<Answered, RequestError> {
    let idle = shared.config.idle;
    for (which, secret) in secrets(inner) {
        timely(idle, session.secret(which, secret)).await?;
    }
    let answer = match timely(idle, session.finish_in_pieces()).await? {
        Ok(answer) => answer,
        Err(refusal) => return refused(&refusal).ok_or_else(|| RequestError::Senseless(refusal.to_string())),
    };
    let mut pieces = Pieces::new(&shared.spool);
    while let Some(piece) = timely(idle, session.piece()).await? {
        if !pieces.add(piece) {
            let full = "other requests take all the memory that there is for answers";
            return Ok(Answered::refused(Code::UnknownError, Some(full)));
        }
    }
    let mut done = Answered::done(Fields::default());
    if let Answer::Cleartext {} = answer {
        done.body = Body::Pieces(pieces);
        return Ok(done);
    }
    let bytes = pieces.whole();
    let Some(text) = text else { return Ok(answered(operation, answer, bytes)) };
    let putting = tokio::task::spawn_blocking(move || message(text, &bytes));
    let message = putting.await.map_err(|error| RequestError::Failed(error.to_string()))?;
    match message {
        Ok(message) => done.body = Body::Spooled(Spooled::all(message)),
        Err(CleartextError::Io(error)) => {
            let (code, reason) = unkept(error);
            return Ok(Answered::refused(code, reason.as_deref()));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(done)
}

/// Puts a text and its signature into a message, which is spooled as the text is.
fn message(mut text: Spool, signature: &[u8]) -> Result<Spool, CleartextError> {
    let mut message = BufWriter::with_capacity(PIECE, Spool::new(&text.room().clone()));
    clearsign_as_it_is(text.read_whole()?, signature, &mut message)?;
    message.into_inner().map_err(|error| error.into_error().into())
}

/// Has a package's main header signed, and puts the signature into the package: sigul's checks in sigul's order.
async fn sign_package(
    shared: &Shared,
    fields: &Fields,
    asked: &Asked,
    spool: Spool,
    inner: &Fields,
) -> Result<Answered, RequestError> {
    let idle = shared.config.idle;
    let Entered { session, no_file_signing } = match enter(shared, asked, fields, inner).await? {
        Ok(entered) => entered,
        Err(answered) => return Ok(answered),
    };
    let told = |(code, message): Refused| Ok(Answered::refused(code, message.as_deref()));
    let package = match check(spool, fields.clone()).await? {
        Ok(package) => package,
        Err(reason) => return told(reason),
    };
    if inner.get(PAYLOAD_DIGEST).is_none() && fields.get("rpm-sigmd5").is_none() {
        return told((Code::UnauthenticatedRpm, None));
    }
    if let Some(reason) = no_file_signing {
        return told(reason);
    }
    let (mut asking, mut answers) = session.split();
    timely(idle, asking.header(package.main_header())).await?;
    let packet = match timely(idle, answers.next(Session::LARGEST_PAYLOAD)).await? {
        Ok((_, packet)) => packet,
        Err(refusal) => {
            return refused(&refusal).ok_or_else(|| RequestError::Senseless(refusal.to_string()));
        }
    };
    match package.signature_header(&packet) {
        Err(reason) => told(reason),
        // Always all of it: sigul knows head-signing with many packages only.
        Ok(header) => {
            let mut done = Answered::done(Fields::default());
            done.body = Body::Spooled(package.with(&header));
            Ok(done)
        }
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
