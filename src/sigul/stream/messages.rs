//! Reading the parts of messages, never a byte further.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

use super::super::wire::{Fields, FieldsError, MAC};

/// Why a message could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The connection broke. A retry may help.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// What arrived is malformed. Retrying cannot help.
    #[error(transparent)]
    Fields(#[from] FieldsError),
}

/// Reads fields; gives also their bytes, which digests and HMACs cover.
pub async fn read_fields(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Fields, Zeroizing<Vec<u8>>), StreamError> {
    // Most fields fit; a larger buffer comes by steps that wipe the smaller one.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 << 10));
    while let missing @ 1.. = Fields::missing(&bytes) {
        let have = bytes.len();
        if have + missing > bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * (have + missing)));
            larger.extend_from_slice(&bytes);
            bytes = larger;
        }
        bytes.resize(have + missing, 0);
        stream.read_exact(bytes.get_mut(have..).unwrap_or_default()).await?;
    }
    Ok((Fields::parse(&bytes)?, bytes))
}

/// Reads a number of four bytes.
pub async fn read_u32(stream: &mut (impl AsyncRead + Unpin)) -> Result<u32, StreamError> {
    Ok(stream.read_u32().await?)
}

/// Reads a number of eight bytes.
pub async fn read_u64(stream: &mut (impl AsyncRead + Unpin)) -> Result<u64, StreamError> {
    Ok(stream.read_u64().await?)
}

/// Reads an HMAC.
pub async fn read_mac(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; MAC], StreamError> {
    let mut mac = [0; MAC];
    stream.read_exact(&mut mac).await?;
    Ok(mac)
}
