//! The stream inside a layer: unpacked, hashed, and limited.

use std::io::{self, BufReader, Read};

use super::image::Compression;
use crate::base::Hasher;

/// A layer's bytes, unpacked.
pub enum Unpacked<R: Read> {
    /// As it is.
    Plain(R),
    /// gzip.
    Gzip(Box<flate2::bufread::MultiGzDecoder<BufReader<R>>>),
    /// zstd.
    Zstd(zstd::stream::read::Decoder<'static, BufReader<R>>),
}

impl<R: Read> Unpacked<R> {
    /// Begins to unpack.
    pub fn new(packed: R, compression: Compression) -> io::Result<Self> {
        let buffered = |packed| BufReader::with_capacity(1 << 16, packed);
        Ok(match compression {
            Compression::None => Self::Plain(packed),
            Compression::Gzip => Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(buffered(packed)))),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered(packed))?;
                // What decides how much memory it takes: 64 MiB.
                decoder.window_log_max(26)?;
                Self::Zstd(decoder)
            }
        })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.read(buffer),
            Self::Gzip(inner) => inner.read(buffer),
            Self::Zstd(inner) => inner.read(buffer),
        }
    }
}

/// Hashes what is read, up to so many bytes.
pub struct HashingReader<R> {
    /// Where from.
    pub inner: R,
    /// What was read so far.
    pub hasher: Hasher,
    /// How much may still come.
    pub rest: u64,
}

/// The layer unpacks to more than it may.
#[derive(Debug, thiserror::Error)]
#[error("the layer is too large")]
pub struct Exceeded;

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.rest = self.rest.checked_sub(read as u64).ok_or_else(|| io::Error::other(Exceeded))?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
