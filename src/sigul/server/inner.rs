//! What a client says past the bridge, on the inner stream.
//!
//! Each side says the end of its TLS connection and then that of the stream. Clients differ in the order: sigul's says
//! both as soon as it has asked; siguldry's (0.9.0) waits for the server's end of TLS, does not say its own, and stops
//! listening at the server's end of the stream, even before it has said its own. So the server ends TLS at once, and
//! the stream only after the client has.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::request::{RequestError, timely};
use crate::sigul::stream::{Channel, Tls, TlsError, common_name, read_fields};
use crate::sigul::wire::{Fields, FieldsError};

/// A channel whose end is not said with that of TLS.
struct Kept(Channel);

impl AsyncRead for Kept {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Kept {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Makes the handshake with the client, reads what it says, and ends the stream; notes the name in its certificate.
pub(super) async fn listen(
    tls: &Tls,
    channel: Channel,
    [handshake, idle]: [Duration; 2],
    name: &mut String,
) -> Result<Fields, RequestError> {
    let mut stream = timely(handshake, tls.accept(Kept(channel))).await?;
    let certificate = stream.ssl().peer_certificate().ok_or(TlsError::Name)?;
    *name = common_name(&certificate)?;
    let (fields, _) = timely(idle, read_fields(&mut stream)).await?;
    timely(idle, stream.shutdown()).await?;
    let mut more = [0];
    match tokio::time::timeout(idle, stream.read(&mut more)).await {
        // An error is an end of the stream without one of TLS. The fields have their own length.
        Ok(Ok(0) | Err(_)) => {}
        Ok(Ok(_)) => return Err(FieldsError::Trailing(1).into()),
        Err(_) => return Err(RequestError::Silent),
    }
    timely(idle, stream.get_mut().0.shutdown()).await?;
    Ok(fields)
}
