//! One session, on the signer's side: see [`super::request`].

use std::io::{self, BufWriter, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use zeroize::Zeroizing;

use super::frame::{self, FrameError, Kind};
use super::request::{
    Answer, Code, LARGEST_HEADER, LARGEST_IMPORT, LARGEST_MESSAGE, LARGEST_TEXT, Operation, Refusal, Request,
};
use crate::sign::hashing::Hashing;
use crate::sign::vault::{Made, Opened, Secrets, Vault};

/// Headers that were signed and wait to be answered, at most.
const AHEAD: usize = 64;

/// Bytes that all sessions together may hold in memory.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicU64,
}

impl Budget {
    pub const fn new(bytes: u64) -> Self {
        Self { left: AtomicU64::new(bytes) }
    }
}

/// A part of the budget; it is given back when this is dropped.
struct Share<'a> {
    taken: u64,
    budget: &'a Budget,
}

impl Share<'_> {
    fn grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        let take = |left: u64| left.checked_sub(bytes);
        let taken = self.budget.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        let full = "the signer's memory is taken by other requests";
        taken.map_err(|_| Refusal::because(Code::Unavailable, full))?;
        self.taken += bytes;
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.taken, Ordering::AcqRel);
    }
}

/// Data that were sent, with what they take of the budget.
struct Held<'a> {
    bytes: Zeroizing<Vec<u8>>,
    share: Share<'a>,
    limit: u64,
}

impl<'a> Held<'a> {
    fn new(limit: u64, budget: &'a Budget) -> Self {
        Self { bytes: Zeroizing::default(), share: Share { taken: 0, budget }, limit }
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let length = (self.bytes.len() + piece.len()) as u64;
        if length > self.limit {
            return Err(Refusal::because(
                Code::InvalidRequest,
                format!("more than {} bytes were sent, which is too much for this operation", self.limit),
            ));
        }
        while self.share.taken < length {
            // Twice as much each time. What was there is copied, not left behind: it may be a secret key.
            let taken = self.share.taken;
            self.share.grow(taken.max(1 << 16).min(self.limit - taken))?;
            let size = usize::try_from(self.share.taken).unwrap_or(usize::MAX);
            let mut larger = Zeroizing::new(Vec::with_capacity(size));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

/// What becomes of the data of a request.
enum Body<'a> {
    Hashed(Hashing),
    Held(Held<'a>),
}

impl<'a> Body<'a> {
    fn of(operation: &Operation, budget: &'a Budget) -> Result<Self, Refusal> {
        let limit = match operation {
            Operation::SignData { .. } | Operation::SignContainer { .. } => {
                let failed = |error| Refusal::because(Code::UnknownError, error);
                return Hashing::new().map(Self::Hashed).map_err(failed);
            }
            Operation::SignText { .. } | Operation::SignGitTag { .. } => LARGEST_TEXT,
            Operation::Decrypt { .. } => LARGEST_MESSAGE,
            Operation::ImportKey { .. } => LARGEST_IMPORT,
            _ => 0,
        };
        Ok(Self::Held(Held::new(limit, budget)))
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Hashed(hashing) => {
                hashing.update(piece);
                Ok(())
            }
            Self::Held(held) => held.add(piece),
        }
    }
}

/// What the sessions share.
#[derive(Debug)]
pub(super) struct Shared {
    pub vault: Vault,
    pub budget: Budget,
    pub sessions: AtomicU64,
}

/// Serves a session to its end.
pub(super) fn serve(shared: &Shared, stream: &UnixStream) -> Result<(), FrameError> {
    let Some((kind, content)) = frame::read(stream)? else { return Ok(()) };
    if kind != Kind::Request {
        return Err(FrameError::Order(kind));
    }
    let request: Request = frame::json(&content)?;
    let mut secrets = Secrets::default();
    let mut body = Body::of(&request.operation, &shared.budget);
    loop {
        let Some((kind, content)) = frame::read(stream)? else {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        };
        match kind {
            Kind::Data => {
                // What does not fit is still read, so that whoever sends it hears why.
                if let Ok(open) = &mut body
                    && let Err(refusal) = open.add(&content)
                {
                    body = Err(refusal);
                }
            }
            Kind::Secret => {
                let (which, secret) = frame::secret(&content)?;
                if !secrets.add(which, secret) {
                    return Err(FrameError::Order(kind));
                }
            }
            Kind::End => break,
            other => return Err(FrameError::Order(other)),
        }
    }
    if let (Operation::SignRpmHeaders { .. }, Ok(_)) = (&request.operation, &body) {
        drop(body);
        return match shared.vault.unlock(&request, &secrets) {
            Ok(opened) => {
                drop(secrets);
                answer(&mut BufWriter::new(stream), &Answer::Done {}, &[])?;
                headers(shared, stream, &request, &opened)
            }
            Err(refusal) => refuse(&mut BufWriter::new(stream), &refusal),
        };
    }
    // A message may be compressed, so what it becomes has the size that it may have, and the library keeps a part of it.
    let mut decrypted = Share { taken: 0, budget: &shared.budget };
    if let (Operation::Decrypt { .. }, Ok(_)) = (&request.operation, &body)
        && let Err(refusal) = decrypted.grow(2 * LARGEST_MESSAGE)
    {
        body = Err(refusal);
    }
    let outcome = match body {
        Ok(body) => carry_out(shared, &request, &secrets, body),
        Err(refusal) => {
            shared.vault.turned_away(&request, &refusal);
            Err(refusal)
        }
    };
    drop(secrets);
    let mut writer = BufWriter::new(stream);
    match outcome {
        Ok((what, payload)) => answer(&mut writer, &what, &payload),
        Err(refusal) => refuse(&mut writer, &refusal),
    }
}

type Outcome = Result<(Answer, Zeroizing<Vec<u8>>), Refusal>;

fn carry_out(shared: &Shared, request: &Request, secrets: &Secrets, body: Body<'_>) -> Outcome {
    let vault = &shared.vault;
    let made = match (&request.operation, body) {
        (Operation::Health {}, _) => {
            let sessions = shared.sessions.load(Ordering::Relaxed);
            let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
            return Ok((vault.health(sessions), Zeroizing::default()));
        }
        (_, Body::Hashed(hashing)) => {
            vault.work_hashed(&vault.unlock(request, secrets)?, request, &hashing)?
        }
        (
            Operation::SignText { .. } | Operation::SignGitTag { .. } | Operation::Decrypt { .. },
            Body::Held(held),
        ) => vault.work(&vault.unlock(request, secrets)?, request, &held.bytes)?,
        (_, Body::Held(held)) => {
            let reply = vault.administer(request, secrets, &held.bytes)?;
            return Ok((reply.answer, reply.payload));
        }
    };
    vault.release(made)
}

/// Signs headers while those before wait for the ledger.
fn headers(
    shared: &Shared,
    stream: &UnixStream,
    request: &Request,
    opened: &Opened,
) -> Result<(), FrameError> {
    let (ahead, made) = sync_channel::<Result<Made, Refusal>>(AHEAD);
    thread::scope(|scope| {
        let answering = thread::Builder::new().name("answers".into()).stack_size(super::serve::STACK);
        let answering = answering.spawn_scoped(scope, move || answers(&shared.vault, stream, &made))?;
        let signed = || -> Result<(), FrameError> {
            loop {
                let mut header = Held::new(LARGEST_HEADER, &shared.budget);
                let mut problem = None;
                let mut begun = false;
                loop {
                    match frame::read(stream)? {
                        None if !begun => return Ok(()),
                        None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                        Some((Kind::End, _)) => break,
                        Some((Kind::Data, piece)) if problem.is_none() => problem = header.add(&piece).err(),
                        Some((Kind::Data, _)) => {}
                        Some((other, _)) => return Err(FrameError::Order(other)),
                    }
                    begun = true;
                }
                let outcome = match problem {
                    Some(refusal) => {
                        shared.vault.turned_away(request, &refusal);
                        Err(refusal)
                    }
                    None => shared.vault.work(opened, request, &header.bytes),
                };
                if ahead.send(outcome).is_err() {
                    // Nobody hears the answers any more.
                    return Ok(());
                }
            }
        };
        let signed = signed();
        drop(ahead);
        match answering.join() {
            Ok(answered) => signed.and(answered),
            Err(_) => Err(io::Error::other("answering failed").into()),
        }
    })
}

fn answers(
    vault: &Vault,
    stream: &UnixStream,
    made: &Receiver<Result<Made, Refusal>>,
) -> Result<(), FrameError> {
    let mut writer = BufWriter::new(stream);
    let mut next = made.recv().ok();
    while let Some(waited) = next.take() {
        match waited.and_then(|made| vault.release(made)) {
            Ok((what, payload)) => frames(&mut writer, &what, &payload)?,
            Err(refusal) => put(&mut writer, Kind::Refusal, &refusal)?,
        }
        // Flushed where nothing more is ready.
        next = made.try_recv().ok();
        if next.is_none() {
            writer.flush()?;
            next = made.recv().ok();
        }
    }
    Ok(())
}

type Writer<'a> = BufWriter<&'a UnixStream>;

fn put(writer: &mut Writer<'_>, kind: Kind, what: &impl serde::Serialize) -> Result<(), FrameError> {
    let json = serde_json::to_vec(what).map_err(|error| FrameError::Json(error.to_string()))?;
    Ok(frame::write(writer, kind, &json)?)
}

fn frames(writer: &mut Writer<'_>, what: &Answer, payload: &[u8]) -> Result<(), FrameError> {
    put(writer, Kind::Answer, what)?;
    for piece in payload.chunks(frame::LONGEST) {
        frame::write(&mut *writer, Kind::Data, piece)?;
    }
    Ok(frame::write(&mut *writer, Kind::End, &[])?)
}

fn answer(writer: &mut Writer<'_>, what: &Answer, payload: &[u8]) -> Result<(), FrameError> {
    frames(writer, what, payload)?;
    Ok(writer.flush()?)
}

pub(super) fn refuse(writer: &mut Writer<'_>, refusal: &Refusal) -> Result<(), FrameError> {
    put(writer, Kind::Refusal, refusal)?;
    Ok(writer.flush()?)
}
