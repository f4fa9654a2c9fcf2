//! Divides a connection into its outer and its inner stream.
//!
//! Both ends may send pieces of the two in any order, and do: a client's first bytes are inner ones, in front of the
//! request that the other side has to read first. So what arrives is sorted by a task of its own into two buffers, each
//! of which holds back the connection when it is full; and what is sent goes through one queue, in the order in which it
//! was written.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::PollSender;

use super::super::wire::chunk::{self, HEAD, LARGEST, Stream};

/// Bytes of each stream that are kept before the other side has to wait. What a client may send of one stream while the
/// other is read: a TLS handshake, or the start of a package.
const BUFFER: usize = 1 << 18;
/// Pieces that wait to be sent.
const QUEUE: usize = 8;

/// A piece that is to be sent; an empty one ends its stream.
struct Piece(Stream, Vec<u8>);

/// A connection and its two streams.
#[derive(Debug)]
pub struct Divided {
    /// What the bridge reads and writes.
    pub outer: Channel,
    /// What goes from end to end.
    pub inner: Channel,
    /// Tells when nothing more will arrive.
    pub ended: Ended,
    /// Tells when all that was written is sent, once nobody can write any more.
    pub sent: Sent,
}

/// What is still to come on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Anything.
    Open,
    /// Nothing, as was said: the outer stream had its end, and then the connection in this direction. Whoever asked may
    /// still wait for an answer.
    Closed,
    /// Nothing: the connection ended in the middle.
    Gone,
}

/// Tells when nothing more will arrive on a connection.
#[derive(Clone, Debug)]
pub struct Ended(watch::Receiver<State>);

impl Ended {
    /// Whether nothing more will arrive.
    pub fn is_so(&self) -> bool {
        *self.0.borrow() != State::Open || self.0.has_changed().is_err()
    }

    /// Waits for that.
    pub async fn wait(&mut self) {
        // An error says that the reading task is gone.
        drop(self.0.wait_for(|state| *state != State::Open).await);
    }

    /// Waits until the other side is gone: the connection ended, and not behind the end of the outer stream, where
    /// sigul's own programs close their sending side and wait for an answer.
    pub async fn gone(&mut self) {
        let gone = self.0.wait_for(|state| *state == State::Gone).await.is_ok();
        if !gone && *self.0.borrow() == State::Closed {
            std::future::pending::<()>().await;
        }
    }
}

/// Tells when all that was written is sent.
#[derive(Debug)]
pub struct Sent(oneshot::Receiver<()>);

impl Sent {
    /// Waits until nobody can write any more and all is sent, or cannot be.
    pub async fn wait(self) {
        // An error says that the sending task is gone.
        drop(self.0.await);
    }
}

/// Both directions of one stream.
#[derive(Debug)]
pub struct Channel {
    /// What arrives.
    pub incoming: Incoming,
    /// What is sent.
    pub outgoing: Outgoing,
}

/// What arrives of one stream. The end of the connection without an end of the stream is an error.
#[derive(Debug)]
pub struct Incoming {
    pipe: DuplexStream,
    broken: Arc<OnceLock<String>>,
    /// Whether its end came.
    whole: Arc<AtomicBool>,
}

/// What arrives of one stream is put into this.
struct Pipe {
    writer: Option<DuplexStream>,
    whole: Arc<AtomicBool>,
}

/// What is sent of one stream. It is to be shut down where the other side waits for its end.
pub struct Outgoing {
    stream: Stream,
    queue: PollSender<Piece>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({:?})", self.stream)
    }
}

/// Divides a connection. A piece that cannot be sent within `patience` ends it; so does the last owner of its ends.
pub fn divide<S>(connection: S, patience: Duration) -> Divided
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read, write) = tokio::io::split(connection);
    let broken = Arc::new(OnceLock::new());
    let (outer_in, outer) = incoming(&broken);
    let (inner_in, inner) = incoming(&broken);
    let whole = outer.whole.clone();
    let (ending, ended) = watch::channel(State::Open);
    let (queue, pieces) = mpsc::channel(QUEUE);
    let mut sorting = tokio::spawn(async move {
        let error = sort(read, [outer, inner], &broken).await;
        let closed = error.is_ok() && whole.load(Ordering::Acquire);
        ending.send_replace(if closed { State::Closed } else { State::Gone });
    });
    let (sending, sent) = oneshot::channel();
    tokio::spawn(async move {
        send(write, pieces, patience).await;
        let _ = sending.send(());
        // Nobody sends any more; who only reads gets what is still on its way, and no more.
        if tokio::time::timeout(patience, &mut sorting).await.is_err() {
            sorting.abort();
        }
    });
    let outgoing = |stream| Outgoing { stream, queue: PollSender::new(queue.clone()) };
    Divided {
        outer: Channel { incoming: outer_in, outgoing: outgoing(Stream::Outer) },
        inner: Channel { incoming: inner_in, outgoing: outgoing(Stream::Inner) },
        ended: Ended(ended),
        sent: Sent(sent),
    }
}

fn incoming(broken: &Arc<OnceLock<String>>) -> (Incoming, Pipe) {
    let (pipe, writer) = tokio::io::duplex(BUFFER);
    let whole = Arc::<AtomicBool>::default();
    let incoming = Incoming { pipe, broken: broken.clone(), whole: whole.clone() };
    (incoming, Pipe { writer: Some(writer), whole })
}

/// Sorts what arrives, until the connection ends; then says why, before whoever reads sees the end.
async fn sort(
    connection: impl AsyncRead + Unpin,
    mut pipes: [Pipe; 2],
    broken: &OnceLock<String>,
) -> io::Result<()> {
    let ended = sort_into(connection, &mut pipes).await;
    broken.get_or_init(|| match &ended {
        Ok(()) => "the connection has ended".into(),
        Err(error) => error.to_string(),
    });
    ended
}

async fn sort_into(connection: impl AsyncRead + Unpin, [outer, inner]: &mut [Pipe; 2]) -> io::Result<()> {
    let mut connection = tokio::io::BufReader::with_capacity(1 << 16, connection);
    let mut buffer = vec![0; LARGEST];
    loop {
        let mut head = [0; HEAD];
        if connection.read(&mut head[..1]).await? == 0 {
            return Ok(());
        }
        connection.read_exact(&mut head[1..]).await?;
        let (stream, length) = chunk::parse(head);
        let pipe = match stream {
            Stream::Outer => &mut *outer,
            Stream::Inner => &mut *inner,
        };
        if length == 0 {
            pipe.whole.store(true, Ordering::Release);
            drop(pipe.writer.take());
        }
        let mut left = length as usize;
        while left > 0 {
            let part = buffer.get_mut(..left.min(LARGEST)).unwrap_or_default();
            let read = connection.read(part).await?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection broke off"));
            }
            left -= read;
            let part = part.get(..read).unwrap_or_default();
            let taken = match &mut pipe.writer {
                Some(writer) => writer.write_all(part).await,
                None => Ok(()),
            };
            // Nobody reads that stream any more; the other one may still matter.
            if taken.is_err() {
                drop(pipe.writer.take());
            }
        }
    }
}

/// Sends pieces until all who could send are gone, and then says that it was all.
async fn send(
    mut connection: impl AsyncWrite + Unpin,
    mut pieces: mpsc::Receiver<Piece>,
    patience: Duration,
) {
    let mut record = Vec::with_capacity(HEAD + LARGEST);
    while let Some(Piece(stream, bytes)) = pieces.recv().await {
        record.clear();
        record.extend_from_slice(&chunk::head(stream, bytes.len()));
        record.extend_from_slice(&bytes);
        let sending = async {
            connection.write_all(&record).await?;
            if pieces.is_empty() { connection.flush().await } else { Ok(()) }
        };
        // What waits is dropped with the queue: whoever writes more is told.
        if !matches!(tokio::time::timeout(patience, sending).await, Ok(Ok(()))) {
            return;
        }
    }
    drop(tokio::time::timeout(patience, connection.shutdown()).await);
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(cx, buf))?;
        if buf.filled().len() == before
            && buf.remaining() > 0
            && !self.whole.load(Ordering::Acquire)
            && let Some(reason) = self.broken.get()
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason.clone())));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Outgoing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let part = bytes.get(..bytes.len().min(LARGEST)).unwrap_or_default();
        if part.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.queue.poll_reserve(cx)).map_err(|_| gone())?;
        let piece = Piece(self.stream, part.to_vec());
        self.queue.send_item(piece).map_err(|_| gone())?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The sending task flushes whenever nothing waits.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.queue.is_closed() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.queue.poll_reserve(cx)).map_err(|_| gone())?;
        let end = Piece(self.stream, Vec::new());
        self.queue.send_item(end).map_err(|_| gone())?;
        self.queue.close();
        Poll::Ready(Ok(()))
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the other side is gone")
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_read(cx, buf)
    }
}

impl AsyncWrite for Channel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.outgoing).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.outgoing).poll_shutdown(cx)
    }
}
