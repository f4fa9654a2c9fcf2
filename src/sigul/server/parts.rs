//! `sign-rpms`: packages come in, are signed, and go out, all at once.
//!
//! The order of what is answered is that of what was asked, except that failures come last: a client of sigul's counts
//! only successes, and takes no answer after a failure for genuine.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use zeroize::Zeroizing;

use super::Shared;
use super::entrance::{Entered, enter};
use super::packages::{Arrived, Refused};
use super::reply::{Answered, Body, send, send_body, write};
use super::request::{PIECE, RequestError, Seen, check, failed, timely};
use super::spool::Spool;
use crate::sign::agent::request::Request as Asked;
use crate::sign::agent::{Answers, Asking, Session};
use crate::sigul::stream::{Incoming, Outgoing, read_fields, read_mac, read_u64};
use crate::sigul::wire::operation::PART;
use crate::sigul::wire::{Code, Fields, PartKey, Proof};

/// Packages that are with the signer or wait for being answered, in one request: so many that it never waits for the next
/// while it brings those before on record.
const AT_A_TIME: usize = 128;
/// The most bytes of their headers, which are held in memory; one that has more is alone.
const HEADERS: usize = 8 << 20;
/// The most bytes of all packages of a request, as sigul has it.
const LARGEST: u64 = 10 << 30;
/// What each counts as at least, so that there are not millions; a client of sigul's rounds up to as much.
const ROUNDED: u64 = 1 << 15;
/// Failures of a request that are told in words; of further ones there is only the code.
const EXPLAINED: usize = 1000;

/// A package on its way.
enum Part {
    /// Its main header is with the signer.
    Asked(Vec<u8>, Box<Arrived>, OwnedSemaphorePermit),
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
    let entered = match enter(shared, asked, fields, inner).await {
        Ok(entered) => entered,
        Err(error @ (RequestError::Signer(_) | RequestError::Agent(_) | RequestError::Silent)) => {
            Err(Answered::failed(&error))
        }
        Err(error) => return Err(error),
    };
    let refusal = match entered {
        Ok(Entered { session, no_file_signing: None }) => Ok(session),
        Ok(Entered { no_file_signing: Some((code, message)), .. }) => {
            Err(Answered::refused(code, message.as_deref()))
        }
        Err(answered) => Err(answered),
    };
    let session = match refusal {
        Ok(session) => session,
        Err(answered) => {
            seen.refused(&answered);
            return send(outgoing, proof, answered, idle).await;
        }
    };
    seen.code = Some(Code::Ok);
    send(outgoing, proof, Answered::done(Fields::default()), idle).await?;
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
    let (mut sum, mut bytes, mut buffer) = (0_u64, 0_u64, vec![0; PIECE]);
    let room_for_headers = Arc::new(Semaphore::new(HEADERS));
    loop {
        let mut first = [0];
        if timely(idle, incoming.read(&mut first)).await? == 0 {
            return Ok(bytes);
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
        sum = sum.saturating_add(size.max(1).checked_next_multiple_of(ROUNDED).unwrap_or(u64::MAX));
        if sum > LARGEST {
            return Err(RequestError::TooLarge { size: sum, limit: LARGEST });
        }
        let (mut left, mut spool, mut full) = (size, Spool::new(&shared.spool), None);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let part = buffer.get_mut(..most).unwrap_or_default();
            let read = timely(idle, incoming.read(part)).await?;
            let piece = buffer.get(..read).unwrap_or_default();
            if piece.is_empty() {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            mac.update(piece);
            bytes += read as u64;
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
                    let room = u32::try_from(package.held().min(HEADERS)).unwrap_or(u32::MAX);
                    let room = room_for_headers.clone().acquire_many_owned(room);
                    let room = timely(idle, async { room.await.map_err(std::io::Error::other) }).await?;
                    match timely(idle, asking.header(package.main_header())).await {
                        Ok(()) => Part::Asked(id, Box::new(package), room),
                        Err(error) => Part::Refused(id, failed(&error)),
                    }
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
    let (mut failures, mut signed, mut broken) = (Vec::new(), 0, false);
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
        write(outgoing, &head, idle).await?;
        send_body(outgoing, payload_key.advance(), body, idle).await
    };
    // While the client sends, there may be nothing to answer for long.
    while let Some(part) = parts.recv().await {
        let (id, mut reason) = match part {
            Part::Refused(id, reason) => (id, reason),
            Part::Asked(id, package, _room) => match packet(&mut answers, &mut broken, idle).await {
                Err(reason) => (id, reason),
                Ok(packet) => match package.signature_header(&packet) {
                    Err(reason) => (id, reason),
                    Ok(header) => {
                        let body = if head_signing {
                            Body::Bytes(header.into())
                        } else {
                            Body::Spooled(package.with(&header))
                        };
                        reply(&id, Code::Ok, None, body).await?;
                        signed += 1;
                        continue;
                    }
                },
            },
        };
        reason.1 = reason.1.filter(|_| failures.len() < EXPLAINED);
        failures.push((id, reason));
    }
    for (id, (code, message)) in failures {
        reply(&id, code, message.as_deref(), Body::empty()).await?;
    }
    Ok(signed)
}

/// The signer's answer to the next header. Once it is gone, nothing more is expected of it.
async fn packet(
    answers: &mut Answers,
    broken: &mut bool,
    idle: Duration,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    if *broken {
        return Err((Code::UnknownError, Some("the signer has ended".into())));
    }
    match timely(idle, answers.next(Session::LARGEST_PAYLOAD)).await {
        Ok(Ok((_, packet))) => Ok(packet),
        Ok(Err(refusal)) => {
            let code = refusal.code.sigul().and_then(Code::of).unwrap_or(Code::UnknownError);
            Err((code, Some(refusal.message.unwrap_or_else(|| refusal.code.text().into()))))
        }
        Err(error) => {
            *broken = true;
            Err(failed(&error))
        }
    }
}
