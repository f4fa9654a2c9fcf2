//! `sign-rpms`: packages come in, are signed, and go out, all at once.
//!
//! The order of what is answered is that of what was asked, except that failures come last: a client of sigul's counts
//! only successes, and takes no answer after a failure for genuine.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::Shared;
use super::operations::{refused, secrets};
use super::packages::{Arrived, Refused};
use super::reply::{Answered, Body, send, send_body};
use super::request::{PIECE, RequestError, Seen, check, timely};
use super::spool::Spool;
use crate::sign::agent::request::Request as Asked;
use crate::sign::agent::{Answers, Asking, Session};
use crate::sigul::stream::{Incoming, Outgoing, read_fields, read_mac, read_u64};
use crate::sigul::wire::operation::PART;
use crate::sigul::wire::{Code, Fields, PartKey, Proof};

/// Packages that are signed at a time, in one request.
const AT_A_TIME: usize = 16;
/// The most bytes of all packages of a request, as sigul has it.
const LARGEST: u64 = 10 << 30;

/// A package on its way.
enum Part {
    /// Its main header is with the signer.
    Asked(Vec<u8>, Box<Arrived>),
    /// It is not signed.
    Refused(Vec<u8>, Refused),
}

/// Serves the packages of a request, after the reply to the request itself.
pub(super) async fn serve(
    shared: &Shared,
    (incoming, outgoing): (&mut Incoming, &mut Outgoing),
    asked: &Asked,
    fields: &Fields,
    inner: &Fields,
    proof: &Proof,
    seen: &mut Seen,
) -> Result<(), RequestError> {
    let idle = shared.config.idle;
    let [head, payload, head_back, payload_back] = Proof::parts(inner)?;
    let mut session = shared.signer.client()?.open(asked).await?;
    for (which, secret) in secrets(inner) {
        timely(idle, session.secret(which, secret)).await?;
    }
    let opened = timely(idle, session.finish()).await?;
    if let Err(refusal) = &opened {
        let answered = refused(refusal).ok_or_else(|| RequestError::Senseless(refusal.to_string()))?;
        seen.code = Some(answered.reply.code);
        return timely(idle, send(outgoing, proof, answered)).await;
    }
    seen.code = Some(Code::Ok);
    timely(idle, send(outgoing, proof, Answered::done(Fields::default()))).await?;
    let (asking, answers) = session.split();
    let (sender, parts) = mpsc::channel(AT_A_TIME);
    let taking = take(shared, incoming, asking, [head, payload], sender);
    let giving =
        give(shared, outgoing, answers, [head_back, payload_back], parts, fields.is_set("head-signing")?);
    let (bytes, packages) = tokio::try_join!(taking, giving)?;
    (seen.bytes, seen.packages) = (bytes, packages);
    Ok(())
}

/// Takes packages, and has the signer sign them; the bytes of all.
async fn take(
    shared: &Shared,
    incoming: &mut Incoming,
    mut asking: Asking,
    [mut head_key, mut payload_key]: [PartKey; 2],
    parts: mpsc::Sender<Part>,
) -> Result<u64, RequestError> {
    let idle = shared.config.idle;
    let (mut sum, mut buffer) = (0_u64, vec![0; PIECE]);
    loop {
        let mut first = [0];
        if timely(idle, incoming.read(&mut first)).await? == 0 {
            return Ok(sum);
        }
        let (fields, raw) = timely(idle, read_fields(&mut (&first[..]).chain(&mut *incoming))).await?;
        let (mut head, mut mac) = (head_key.advance(), payload_key.advance());
        head.update(&raw);
        let given = timely(idle, read_mac(incoming)).await?;
        if !head.is(&given) {
            // Whoever changed that could change what else follows.
            return Err(RequestError::Failed("the proof of a package's head is wrong".into()));
        }
        PART.check(&fields)?;
        let id = fields.bytes("id")?.to_vec();
        let size = timely(idle, read_u64(incoming)).await?;
        sum = sum.saturating_add(size);
        if sum > LARGEST {
            return Err(RequestError::TooLarge { size: sum, limit: LARGEST });
        }
        let (mut left, mut spool, mut full) = (size, Spool::new(&shared.config.spool), None);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let part = buffer.get_mut(..most).unwrap_or_default();
            let read = timely(idle, incoming.read(part)).await?;
            let piece = buffer.get(..read).unwrap_or_default();
            if piece.is_empty() {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            mac.update(piece);
            if full.is_none() {
                full = spool.add(piece).err();
            }
            left -= read as u64;
        }
        let given = timely(idle, read_mac(incoming)).await?;
        // A package that the bridge fetched is known by its MD5.
        let genuine = mac.is(&given) || fields.get("rpm-sigmd5").is_some();
        let part = if let Some(error) = full {
            Part::Refused(id, (Code::UnknownError, Some(format!("the package cannot be kept: {error}"))))
        } else if !genuine {
            Part::Refused(id, (Code::UnauthenticatedRpm, None))
        } else {
            match check(spool, fields).await? {
                Err(reason) => Part::Refused(id, reason),
                Ok(package) => {
                    timely(idle, asking.header(package.main_header())).await?;
                    Part::Asked(id, Box::new(package))
                }
            }
        };
        if timely(idle, async { Ok::<_, RequestError>(parts.send(part).await) }).await?.is_err() {
            return Err(RequestError::Failed("nothing more can be answered".into()));
        }
    }
}

/// Sends what was signed, and then what was not; how many were signed.
async fn give(
    shared: &Shared,
    outgoing: &mut Outgoing,
    mut answers: Answers,
    [mut head_key, mut payload_key]: [PartKey; 2],
    mut parts: mpsc::Receiver<Part>,
    head_signing: bool,
) -> Result<u32, RequestError> {
    let idle = shared.config.idle;
    let (mut failed, mut signed) = (Vec::new(), 0);
    let mut reply = async |id: &[u8], code: Code, message: Option<&str>, body: Body| {
        let mut fields = Fields::default().with("id", id);
        fields.set_u32("status", code.number());
        if let Some(message) = message {
            fields.set("message", message);
        }
        let raw = fields.encode()?;
        let mut mac = head_key.advance();
        mac.update(&raw);
        let head = [&raw[..], &mac.finish()].concat();
        outgoing.write_all(&head).await?;
        send_body(outgoing, payload_key.advance(), body).await
    };
    // While the client sends, there may be nothing to answer for long.
    while let Some(part) = parts.recv().await {
        let (id, package) = match part {
            Part::Asked(id, package) => (id, package),
            Part::Refused(id, reason) => {
                failed.push((id, reason));
                continue;
            }
        };
        let packet = match timely(idle, answers.next(Session::LARGEST_PAYLOAD)).await? {
            Ok((_, packet)) => packet,
            Err(refusal) => {
                let code = refusal.code.sigul().and_then(Code::of).unwrap_or(Code::UnknownError);
                let message = refusal.message.unwrap_or_else(|| refusal.code.text().into());
                failed.push((id, (code, Some(message))));
                continue;
            }
        };
        let body = match package.signature_header(&packet) {
            Err(reason) => {
                failed.push((id, reason));
                continue;
            }
            Ok(header) if head_signing => Body::Bytes(header.into()),
            Ok(header) => Body::Package(package.with(&header)),
        };
        timely(idle, reply(&id, Code::Ok, None, body)).await?;
        signed += 1;
    }
    for (id, (code, message)) in failed {
        timely(idle, reply(&id, code, message.as_deref(), Body::empty())).await?;
    }
    Ok(signed)
}
