//! Divides a connection into its outer and its inner stream.
//!
//! Both ends may send pieces of the two in any order, and do: a client's first bytes are inner ones, in front of the
//! request that the other side has to read first. So what arrives is sorted by a task of its own into two buffers, each
//! of which holds back the connection when it is full; and what is sent goes through one queue, in the order in which it
//! was written.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::{mpsc, watch};
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
}

/// Tells when nothing more will arrive on a connection.
#[derive(Clone, Debug)]
pub struct Ended(watch::Receiver<bool>);

impl Ended {
    /// Whether the other side is gone.
    pub fn is_so(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for that.
    pub async fn wait(&mut self) {
        // An error says that the reading task is gone.
        drop(self.0.wait_for(|ended| *ended).await);
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
    end: Arc<OnceLock<Result<(), String>>>,
}

/// Where what arrived of one stream is put.
struct Sorted {
    pipe: DuplexStream,
    end: Arc<OnceLock<Result<(), String>>>,
}

impl Sorted {
    /// Says how the stream ended. The first reason is the one that counts.
    fn finish(self, how: Result<(), String>) {
        self.end.get_or_init(|| how);
    }
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
    let (outer_in, outer) = incoming();
    let (inner_in, inner) = incoming();
    let (ending, ended) = watch::channel(false);
    let (queue, pieces) = mpsc::channel(QUEUE);
    let mut sorting = tokio::spawn(async move {
        let mut streams = [Some(outer), Some(inner)];
        let error = sort(read, &mut streams).await;
        let reason = error.map_or_else(|error| error.to_string(), |()| "the connection has ended".into());
        streams.into_iter().flatten().for_each(|stream| stream.finish(Err(reason.clone())));
        ending.send_replace(true);
    });
    tokio::spawn(async move {
        send(write, pieces, patience).await;
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
    }
}

fn incoming() -> (Incoming, Sorted) {
    let (reader, writer) = tokio::io::duplex(BUFFER);
    let end = Arc::new(OnceLock::new());
    (Incoming { pipe: reader, end: end.clone() }, Sorted { pipe: writer, end })
}

/// Sorts what arrives, until the connection ends.
async fn sort(
    connection: impl AsyncRead + Unpin,
    [outer, inner]: &mut [Option<Sorted>; 2],
) -> io::Result<()> {
    let mut connection = tokio::io::BufReader::with_capacity(1 << 16, connection);
    let mut buffer = vec![0; LARGEST];
    loop {
        let mut head = [0; HEAD];
        if connection.read(&mut head[..1]).await? == 0 {
            return Ok(());
        }
        connection.read_exact(&mut head[1..]).await?;
        let (stream, length) = chunk::parse(head);
        let sorted = match stream {
            Stream::Outer => &mut *outer,
            Stream::Inner => &mut *inner,
        };
        if length == 0
            && let Some(sorted) = sorted.take()
        {
            sorted.finish(Ok(()));
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
            let taken = match sorted {
                Some(sorted) => sorted.pipe.write_all(part).await,
                None => Ok(()),
            };
            // Nobody reads that stream any more; the other one may still matter.
            if taken.is_err() {
                drop(sorted.take());
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
            && let Some(Err(reason)) = self.end.get()
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
