//! Replies, with the proofs that they are the server's.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

use super::packages::Spooled;
use super::request::{RequestError, failed, timely};
use super::spool::Pieces;
use crate::sigul::stream::Outgoing;
use crate::sigul::wire::{Code, Fields, Mac, Proof, Reply};

/// Bytes that are copied at once.
const PIECE: usize = 1 << 16;

/// What follows the head of a reply.
pub(super) enum Body {
    /// Bytes.
    Bytes(Zeroizing<Vec<u8>>),
    /// Secret bytes.
    Pieces(Pieces),
    /// A signed package, or a signed text.
    Spooled(Spooled),
}

impl Body {
    /// None.
    pub(super) fn empty() -> Self {
        Self::Bytes(Zeroizing::default())
    }
}

/// An answer.
pub(super) struct Answered {
    pub(super) reply: Reply,
    pub(super) body: Body,
}

impl Answered {
    /// Something was done, and there is nothing more to say.
    pub(super) fn done(fields: Fields) -> Self {
        Self { reply: Reply { code: Code::Ok, fields }, body: Body::empty() }
    }

    /// Something was done, and these bytes are what came of it.
    pub(super) fn with(fields: Fields, bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { reply: Reply { code: Code::Ok, fields }, body: Body::Bytes(bytes) }
    }

    /// Something failed here, and was not done.
    pub(super) fn failed(error: &RequestError) -> Self {
        Self::refused(Code::UnknownError, failed(error).1.as_deref())
    }

    /// Something was refused.
    pub(super) fn refused(code: Code, message: Option<&str>) -> Self {
        let mut fields = Fields::default();
        if let Some(message) = message {
            fields.set("message", message);
        }
        Self { reply: Reply { code, fields }, body: Body::empty() }
    }
}

/// Sends an answer. The other side may take its time, but not longer than `idle` for each piece.
pub(super) async fn send(
    outgoing: &mut Outgoing,
    proof: &Proof,
    answered: Answered,
    idle: Duration,
) -> Result<(), RequestError> {
    let head = answered.reply.encode()?;
    let mac = Mac::of(&proof.header_key, &head);
    write(outgoing, &[&head[..], &mac].concat(), idle).await?;
    send_body(outgoing, Mac::new(&proof.payload_key), answered.body, idle).await
}

/// Sends a payload: its length, its bytes, their HMAC.
pub(super) async fn send_body(
    outgoing: &mut Outgoing,
    mut mac: Mac,
    body: Body,
    idle: Duration,
) -> Result<(), RequestError> {
    match body {
        Body::Bytes(bytes) => {
            write(outgoing, &(bytes.len() as u64).to_be_bytes(), idle).await?;
            mac.update(&bytes);
            write(outgoing, &bytes, idle).await?;
        }
        Body::Pieces(pieces) => {
            write(outgoing, &pieces.size().to_be_bytes(), idle).await?;
            for piece in pieces.all() {
                mac.update(piece);
                write(outgoing, piece, idle).await?;
            }
        }
        Body::Spooled(kept) => {
            write(outgoing, &kept.size().to_be_bytes(), idle).await?;
            mac.update(kept.start());
            write(outgoing, kept.start(), idle).await?;
            let mut buffer = vec![0; PIECE];
            let mut place = kept.rest_at();
            loop {
                let read = kept.read_at(place, &mut buffer)?;
                let piece = buffer.get(..read).unwrap_or_default();
                if piece.is_empty() {
                    break;
                }
                mac.update(piece);
                write(outgoing, piece, idle).await?;
                place += read as u64;
            }
        }
    }
    write(outgoing, &mac.finish(), idle).await
}

/// Writes piece by piece.
pub(super) async fn write(outgoing: &mut Outgoing, bytes: &[u8], idle: Duration) -> Result<(), RequestError> {
    for piece in bytes.chunks(PIECE) {
        timely(idle, outgoing.write_all(piece)).await?;
    }
    Ok(())
}
