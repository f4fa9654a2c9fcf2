//! Asking the signer: what the network process uses.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::Zeroizing;

use super::frame::{self, Frame, FrameError, HEAD, Kind};
use super::request::{Answer, LONGEST_SECRET, Refusal, Request, Secret};
use crate::runner::hand_over;

/// Why the signer could not be asked. Trying again helps where a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// There is no signer.
    #[error("the signer cannot be reached; is `gander sigul signer` running?")]
    Unreachable(#[source] io::Error),
    /// The conversation broke.
    #[error("the conversation with the signer broke off")]
    Frame(#[from] FrameError),
    /// It ended before an answer.
    #[error("the signer ended the conversation without an answer")]
    Ended,
    /// A secret is longer than any can be.
    #[error("a password or passphrase has more than {LONGEST_SECRET} bytes")]
    LongSecret,
    /// The payload is longer than was expected.
    #[error("the signer's answer has more than {0} bytes")]
    LongPayload(usize),
    /// Nothing came in time.
    #[error("the signer did not answer within {} seconds", .0.as_secs())]
    Silent(Duration),
}

impl From<io::Error> for AgentError {
    fn from(error: io::Error) -> Self {
        Self::Frame(error.into())
    }
}

/// Where the signer is.
#[derive(Clone, Debug)]
enum Place {
    /// It listens at a path.
    Socket(PathBuf),
    /// It is a child, which gets a socket for each session over this one.
    Child(Arc<Mutex<StdStream>>),
}

/// A signer that can be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    patience: Duration,
}

impl Client {
    /// One that listens at a path.
    pub fn at(path: &Path) -> Self {
        Self::new(Place::Socket(path.into()))
    }

    /// One that was started with the other end of this socket as its stdin and `--listen stdin`. It ends when the last
    /// clone is dropped.
    pub fn child(control: StdStream) -> Self {
        Self::new(Place::Child(Arc::new(Mutex::new(control))))
    }

    fn new(place: Place) -> Self {
        Self { place, patience: Duration::from_secs(600) }
    }

    /// How long to wait for each frame of an answer (else 10 minutes). Wrong secrets are answered late.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Begins a session.
    pub async fn open(&self, request: &Request) -> Result<Session, AgentError> {
        let stream = match &self.place {
            Place::Socket(path) => UnixStream::connect(path).await.map_err(AgentError::Unreachable)?,
            Place::Child(control) => {
                let (ours, theirs) = StdStream::pair().map_err(AgentError::Unreachable)?;
                let control = control.lock().unwrap_or_else(PoisonError::into_inner);
                hand_over(&control, theirs.as_fd()).map_err(AgentError::Unreachable)?;
                ours.set_nonblocking(true)?;
                UnixStream::from_std(ours)?
            }
        };
        let (read, write) = stream.into_split();
        let mut session = Session {
            asking: Asking(BufWriter::with_capacity(frame::LONGEST, write)),
            answers: Answers { reader: BufReader::new(read), patience: self.patience },
        };
        let json = serde_json::to_vec(request).map_err(|error| FrameError::Json(error.to_string()))?;
        session.asking.frame(Kind::Request, &json).await?;
        Ok(session)
    }

    /// Asks for something that needs no data, and gives the answer with its payload (at most 16 MiB).
    pub async fn ask(
        &self,
        request: &Request,
        secrets: &[(Secret, &[u8])],
    ) -> Result<Result<(Answer, Zeroizing<Vec<u8>>), Refusal>, AgentError> {
        let mut session = self.open(request).await?;
        for (which, secret) in secrets {
            session.secret(*which, secret).await?;
        }
        session.finish().await
    }
}

/// A session: see [`super::request`].
#[derive(Debug)]
pub struct Session {
    asking: Asking,
    answers: Answers,
}

/// An answer with its payload, or a refusal.
pub type Outcome = Result<(Answer, Zeroizing<Vec<u8>>), Refusal>;

impl Session {
    /// Largest payload that [`Self::finish`] takes.
    pub const LARGEST_PAYLOAD: usize = 16 << 20;

    /// Sends a piece of data of any size.
    pub async fn data(&mut self, piece: &[u8]) -> Result<(), AgentError> {
        self.asking.data(piece).await
    }

    /// Sends a secret.
    pub async fn secret(&mut self, which: Secret, secret: &[u8]) -> Result<(), AgentError> {
        self.asking.secret(which, secret).await
    }

    /// Says that all was sent, and gives the answer with its payload (at most 16 MiB).
    pub async fn finish(&mut self) -> Result<Outcome, AgentError> {
        self.asking.end().await?;
        self.answers.next(Self::LARGEST_PAYLOAD).await
    }

    /// Says that all was sent, and gives the answer; its payload is to be read by [`Self::piece`].
    pub async fn finish_in_pieces(&mut self) -> Result<Result<Answer, Refusal>, AgentError> {
        self.asking.end().await?;
        self.answers.answer().await
    }

    /// The next piece of the payload; none at its end.
    pub async fn piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, AgentError> {
        self.answers.piece().await
    }

    /// The two directions, for headers that are sent while others are answered.
    pub fn split(self) -> (Asking, Answers) {
        (self.asking, self.answers)
    }
}

/// The direction to the signer.
#[derive(Debug)]
pub struct Asking(BufWriter<OwnedWriteHalf>);

impl Asking {
    async fn frame(&mut self, kind: Kind, content: &[u8]) -> Result<(), AgentError> {
        unless_refused(write_frame(&mut self.0, kind, content).await)
    }

    /// Sends a piece of data of any size.
    pub async fn data(&mut self, piece: &[u8]) -> Result<(), AgentError> {
        for piece in piece.chunks(frame::LONGEST) {
            self.frame(Kind::Data, piece).await?;
        }
        Ok(())
    }

    async fn secret(&mut self, which: Secret, secret: &[u8]) -> Result<(), AgentError> {
        if secret.len() > LONGEST_SECRET {
            return Err(AgentError::LongSecret);
        }
        // Past the buffered writer, which would keep a copy.
        unless_refused(self.0.flush().await)?;
        let mut content = Zeroizing::new(Vec::with_capacity(HEAD + 1 + secret.len()));
        content.extend_from_slice(&frame::head_of(Kind::Secret, 1 + secret.len()));
        content.push(which as u8);
        content.extend_from_slice(secret);
        unless_refused(self.0.get_mut().write_all(&content).await)
    }

    /// Says that the request, or a header, is complete.
    pub async fn end(&mut self) -> Result<(), AgentError> {
        self.frame(Kind::End, &[]).await?;
        unless_refused(self.0.flush().await)
    }

    /// Sends a whole header.
    pub async fn header(&mut self, header: &[u8]) -> Result<(), AgentError> {
        self.data(header).await?;
        self.end().await
    }
}

/// A signer that hears no more may have refused already: then its refusal is there to be read.
fn unless_refused(written: io::Result<()>) -> Result<(), AgentError> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The direction from the signer.
#[derive(Debug)]
pub struct Answers {
    reader: BufReader<OwnedReadHalf>,
    patience: Duration,
}

impl Answers {
    /// The next answer with its payload, at most `limit` bytes.
    pub async fn next(&mut self, limit: usize) -> Result<Outcome, AgentError> {
        let answer = match self.answer().await? {
            Ok(answer) => answer,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut pieces = Vec::new();
        let mut length = 0;
        while let Some(piece) = self.piece().await? {
            length += piece.len();
            if length > limit {
                return Err(AgentError::LongPayload(limit));
            }
            pieces.push(piece);
        }
        // In one go, so that no copy of a secret stays behind in a buffer that was too small.
        let mut payload = Zeroizing::new(Vec::with_capacity(length));
        pieces.iter().for_each(|piece| payload.extend_from_slice(piece));
        Ok(Ok((answer, payload)))
    }

    async fn answer(&mut self) -> Result<Result<Answer, Refusal>, AgentError> {
        match self.frame().await? {
            (Kind::Answer, content) => Ok(Ok(frame::json(&content)?)),
            (Kind::Refusal, content) => Ok(Err(frame::json(&content)?)),
            (kind, _) => Err(FrameError::Order(kind).into()),
        }
    }

    async fn piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, AgentError> {
        match self.frame().await? {
            (Kind::Data, content) => Ok(Some(content)),
            (Kind::End, _) => Ok(None),
            (kind, _) => Err(FrameError::Order(kind).into()),
        }
    }

    async fn frame(&mut self) -> Result<Frame, AgentError> {
        match tokio::time::timeout(self.patience, read_frame(&mut self.reader)).await {
            Ok(frame) => frame?.ok_or(AgentError::Ended),
            Err(_) => Err(AgentError::Silent(self.patience)),
        }
    }
}

async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> Result<Option<Frame>, FrameError> {
    let mut first = [0; HEAD];
    let mut had = 0;
    while had < HEAD {
        match reader.read(first.get_mut(had..).unwrap_or_default()).await? {
            0 if had == 0 => return Ok(None),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            length => had += length,
        }
    }
    let (kind, length) = frame::head(first)?;
    let mut content = Zeroizing::new(vec![0; length]);
    reader.read_exact(&mut content).await?;
    Ok(Some((kind, content)))
}

async fn write_frame(writer: &mut (impl AsyncWrite + Unpin), kind: Kind, content: &[u8]) -> io::Result<()> {
    writer.write_all(&frame::head_of(kind, content.len())).await?;
    writer.write_all(content).await
}
