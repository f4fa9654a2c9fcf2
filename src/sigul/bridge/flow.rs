//! Bytes from one side to the other: bounded, counted, and never without a deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::koji::FetchError;
use crate::sigul::stream::{Incoming, Outgoing, StreamError};
use crate::sigul::wire::FieldsError;

/// Bytes that are passed on at once.
const PIECE: usize = 1 << 16;
/// The most bytes that client and server say to each other in secret, in each direction: two handshakes' worth and
/// fields.
const LARGEST_SECRETS: u64 = 4 << 20;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Self::Client { "client" } else { "server" })
    }
}

/// Why a request was not passed on, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The connection broke, or was closed. A retry may help.
    #[error("the {0} is gone: {1}")]
    Gone(Side, String),
    /// Nothing came, or nothing was taken, for too long. A retry may help.
    #[error("the {0} was silent for {time} seconds while {2} was due", time = .1.as_secs())]
    Silent(Side, Duration, &'static str),
    /// A payload comes so slowly that it only keeps others out. Retrying cannot help.
    #[error("the {0} is slower than it may be")]
    Slow(Side),
    /// Fields are malformed, or not those of the operation. Retrying cannot help.
    #[error("the {0} sent what is not known: {1}")]
    Fields(Side, FieldsError),
    /// Something else is malformed. Retrying cannot help.
    #[error("the {0} sent what is not known: {1}")]
    Form(Side, String),
    /// No server was free in time. A retry may help.
    #[error("no server was free for {} seconds", .0.as_secs())]
    NoServer(Duration),
    /// A package broke off on its way from Koji. A retry may help.
    #[error("a package did not come from Koji")]
    Fetch(#[source] FetchError),
    /// Koji did not take a signature. A retry may help.
    #[error("the signature was not given to Koji")]
    Koji(#[source] FetchError),
}

impl Broken {
    pub(super) fn of(side: Side) -> impl Fn(StreamError) -> Self {
        move |error| match error {
            StreamError::Io(error) => Self::Gone(side, error.to_string()),
            StreamError::Fields(error) => Self::Fields(side, error),
        }
    }
}

/// How long to wait for payloads, and what was passed on.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) idle: Duration,
    pub(super) pace: u64,
    /// Bytes from the client, and from the server.
    bytes: [AtomicU64; 2],
}

impl Meter {
    pub(super) fn new(idle: Duration, pace: u64) -> Self {
        Self { idle, pace, bytes: Default::default() }
    }

    /// Bytes of requests, and of replies.
    pub(super) fn bytes(&self) -> [u64; 2] {
        self.bytes.each_ref().map(|bytes| bytes.load(Ordering::Relaxed))
    }

    pub(super) fn count(&self, from: Side, bytes: usize) {
        let [client, server] = &self.bytes;
        let counter = if from == Side::Client { client } else { server };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Ends what has to happen within a time.
    pub(super) async fn within<T>(
        limit: Duration,
        side: Side,
        what: &'static str,
        work: impl Future<Output = Result<T, StreamError>>,
    ) -> Result<T, Broken> {
        let done = timeout(limit, work).await.map_err(|_| Broken::Silent(side, limit, what))?;
        done.map_err(Broken::of(side))
    }

    /// Writes bytes.
    pub(super) async fn write(&self, to: &mut Outgoing, side: Side, bytes: &[u8]) -> Result<(), Broken> {
        Self::within(self.idle, side, "taking a message", async { Ok(to.write_all(bytes).await?) }).await
    }

    /// Passes on a payload of so many bytes; to nobody, where it was not asked for.
    pub(super) async fn payload(
        &self,
        from: (&mut Incoming, Side),
        mut to: Option<(&mut Outgoing, Side)>,
        size: u64,
    ) -> Result<(), Broken> {
        let (from, side) = from;
        let (mut left, mut buffer) = (size, vec![0; PIECE]);
        let mut since = Pace::new(self);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..most).unwrap_or_default();
            let begun = Instant::now();
            let read =
                Self::within(self.idle, side, "a payload", async { Ok(from.read(piece).await?) }).await?;
            if read == 0 {
                return Err(Broken::Gone(side, "a payload was cut off".into()));
            }
            since.passed(side, read, begun)?;
            self.count(side, read);
            left -= read as u64;
            if let Some((to, side)) = &mut to {
                self.write(to, *side, piece.get(..read).unwrap_or_default()).await?;
            }
        }
        Ok(())
    }

    /// Passes on what the other two say to each other in secret, until it ends.
    pub(super) async fn secrets(
        &self,
        from: (&mut Incoming, Side),
        to: (&mut Outgoing, Side),
    ) -> Result<(), Broken> {
        let ((from, side), (to, other)) = (from, to);
        let mut buffer = vec![0; PIECE / 4];
        let mut sum = 0_u64;
        loop {
            // Its deadline is that of both directions together.
            let read = from.read(&mut buffer).await.map_err(|error| Broken::Gone(side, error.to_string()))?;
            if read == 0 {
                return to.shutdown().await.map_err(|error| Broken::Gone(other, error.to_string()));
            }
            sum += read as u64;
            if sum > LARGEST_SECRETS {
                return Err(Broken::Form(side, "more secrets than any request has".into()));
            }
            self.write(to, other, buffer.get(..read).unwrap_or_default()).await?;
        }
    }

    /// Ends where nothing was passed on in either direction for so long.
    pub(super) async fn silence(&self, limit: Duration) -> Broken {
        let mut last = self.bytes();
        loop {
            tokio::time::sleep(limit).await;
            let now = self.bytes();
            if now == last {
                return Broken::Silent(Side::Server, limit, "an answer");
            }
            last = now;
        }
    }
}

/// Whether a sender is as fast as it has to be: what it is waited for counts, not what the receiver takes.
struct Pace {
    grace: Duration,
    pace: u64,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn new(meter: &Meter) -> Self {
        Self { grace: meter.idle, pace: meter.pace.max(1), waited: Duration::ZERO, bytes: 0 }
    }

    fn passed(&mut self, side: Side, bytes: usize, begun: Instant) -> Result<(), Broken> {
        self.waited += begun.elapsed();
        self.bytes += bytes as u64;
        let earned = self.grace + Duration::from_secs(self.bytes / self.pace);
        if self.waited > earned { Err(Broken::Slow(side)) } else { Ok(()) }
    }
}
