//! What a payload is compressed with.
//!
//! PAYLOADCOMPRESSOR names it: `gzip`, `bzip2`, `xz`, `lzma`, `zstd`. Without the tag rpm (4.18) hands the payload to
//! zlib, which reads gzip and passes on everything else as it is: so do uncompressed payloads come to be read. For
//! `xz` and `lzma` rpm takes either format.
//!
//! Memory is bounded as in rpm: 100 MiB for xz and lzma (`xz -9` needs 65), windows of 128 MiB for zstd.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

const XZ_MEMORY: u64 = 100 << 20;
/// libzstd's own bound for windows, as the power of two.
const ZSTD_WINDOW: u32 = 27;

/// What a payload is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compressor {
    /// Nothing.
    None,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz or its predecessor lzma.
    Xz,
    /// zstd.
    Zstd,
}

impl Compressor {
    /// That of a tag's text.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gzip" => Self::Gzip,
            "bzip2" => Self::Bzip2,
            "xz" | "lzma" => Self::Xz,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }

    /// That of a payload without the tag, by its first bytes.
    pub(super) fn of(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) { Self::Gzip } else { Self::None }
    }

    /// That of any file, by its first bytes. The format lzma has no sign of its own and is not recognized.
    pub fn by_magic(start: &[u8]) -> Self {
        const MAGIC: [(&[u8], Compressor); 4] = [
            (&[0x1f, 0x8b], Compressor::Gzip),
            (b"BZh", Compressor::Bzip2),
            (b"\xfd7zXZ\0", Compressor::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Compressor::Zstd),
        ];
        let found = MAGIC.iter().find(|(magic, _)| start.starts_with(magic));
        found.map_or(Self::None, |(_, compressor)| *compressor)
    }
}

/// What is compressed, decompressed while it is read. How much comes out is not bounded here.
#[non_exhaustive]
pub enum Decoder<R: BufRead> {
    /// Passed on as it is.
    None(R),
    /// gzip, all members.
    Gzip(Box<MultiGzDecoder<R>>),
    /// bzip2, all streams.
    Bzip2(Box<MultiBzDecoder<R>>),
    /// One stream of xz or lzma.
    Xz(XzDecoder<R>),
    /// zstd, all frames.
    Zstd(zstd::stream::read::Decoder<'static, R>),
}

impl<R: BufRead> Decoder<R> {
    /// Starts to decompress.
    pub fn new(compressor: Compressor, reader: R) -> io::Result<Self> {
        Ok(match compressor {
            Compressor::None => Self::None(reader),
            Compressor::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(reader))),
            Compressor::Bzip2 => Self::Bzip2(Box::new(MultiBzDecoder::new(reader))),
            Compressor::Xz => {
                Self::Xz(XzDecoder::new_stream(reader, Stream::new_auto_decoder(XZ_MEMORY, 0)?))
            }
            Compressor::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Self::Zstd(decoder)
            }
        })
    }

    /// Whether nothing follows what was decompressed.
    pub fn is_at_end(&mut self) -> io::Result<bool> {
        let reader = match self {
            Self::None(reader) => reader,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Bzip2(decoder) => decoder.get_mut(),
            Self::Xz(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        };
        reader.fill_buf().map(<[u8]>::is_empty)
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl<R: BufRead> std::fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None(_) => "None",
            Self::Gzip(_) => "Gzip",
            Self::Bzip2(_) => "Bzip2",
            Self::Xz(_) => "Xz",
            Self::Zstd(_) => "Zstd",
        })
    }
}
