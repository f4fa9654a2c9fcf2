//! Compresses the files of the metadata.
//!
//! gzip (RFC 1952, 2.2) and Zstandard (RFC 8878, 3) define what follows a member, or a frame, as the rest of the same
//! content. So a list is compressed in pieces, by several threads, and a piece that did not change is taken over as it
//! is. An xz stream is compressed as a whole: its index comes at its end.

use std::io::{self, Read, Write};

use flate2::{Compression as GzipLevel, GzBuilder};

use crate::format::repodata::Compression;

/// Fixed, so that they are part of the format. The levels are createrepo_c's (1.2).
const ZSTD: i32 = 10;
/// Binary logarithm of the entries in zstd's two tables. A level's own are made for long contents: for pieces of one
/// megabyte they take ten times the memory, and save half a percent.
const ZSTD_TABLES: u32 = 18;
const GZIP: u32 = 6;
const XZ: u32 = 5;

impl Compression {
    /// Bytes of records, in all three lists together, of the smallest and of the largest chunk. gzip looks back no
    /// further than 32 KiB, so longer ones would cost memory and hardly save anything.
    pub(super) const fn chunk(self) -> (u64, u64) {
        match self {
            Self::Gzip => (1 << 19, 1 << 20),
            Self::Zstd | Self::Xz => (2 << 20, 4 << 20),
        }
    }

    /// Whether a content can be compressed in pieces.
    pub(super) const fn in_pieces(self) -> bool {
        !matches!(self, Self::Xz)
    }
}

/// Compresses pieces, one after the other; each thread has its own.
pub(super) struct Packer {
    compression: Compression,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Packer {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, zstd: None }
    }

    /// A piece that decompresses to these bytes. Only they decide its bytes.
    pub(super) fn pack(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self.compression {
            Compression::Zstd => match &mut self.zstd {
                Some(zstd) => zstd.compress(bytes),
                none => none.insert(zstd_compressor()?).compress(bytes),
            },
            Compression::Gzip => {
                // No name, no time, no system in the head.
                let head = GzBuilder::new().mtime(0).operating_system(255);
                let mut encoder = head.write(Vec::new(), GzipLevel::new(GZIP));
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Compression::Xz => {
                let mut encoder = stream(Vec::new());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

fn zstd_compressor() -> io::Result<zstd::bulk::Compressor<'static>> {
    use zstd::zstd_safe::CParameter::{ChainLog, HashLog};
    let mut compressor = zstd::bulk::Compressor::new(ZSTD)?;
    compressor.set_parameter(HashLog(ZSTD_TABLES))?;
    compressor.set_parameter(ChainLog(ZSTD_TABLES))?;
    Ok(compressor)
}

/// The stream of an xz file.
pub(super) fn stream<W: Write>(out: W) -> liblzma::write::XzEncoder<W> {
    liblzma::write::XzEncoder::new(out, XZ)
}

/// What a piece decompresses to, which must have this size.
pub(super) fn unpack(compression: Compression, piece: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match compression {
        Compression::Zstd => bytes = zstd::bulk::decompress(piece, size)?,
        Compression::Gzip => {
            flate2::read::GzDecoder::new(piece).take(size as u64 + 1).read_to_end(&mut bytes)?;
        }
        Compression::Xz => {
            liblzma::read::XzDecoder::new(piece).take(size as u64 + 1).read_to_end(&mut bytes)?;
        }
    }
    if bytes.len() == size { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_content() {
        let parts: [&[u8]; 3] = [b"", b"goose ", &b"gander ".repeat(1000)];
        for compression in [Compression::Zstd, Compression::Gzip] {
            let mut packer = Packer::new(compression);
            let pieces = parts.map(|part| packer.pack(part).unwrap());
            for (piece, part) in pieces.iter().zip(parts) {
                assert_eq!(unpack(compression, piece, part.len()).unwrap(), part);
                assert!(unpack(compression, piece, part.len() + 1).is_err());
            }
            // A packer that did other things before makes the same bytes.
            assert_eq!(Packer::new(compression).pack(parts[2]).unwrap(), pieces[2]);
            let mut whole = Vec::new();
            let file = pieces.concat();
            match compression {
                Compression::Zstd => zstd::Decoder::new(&*file).unwrap().read_to_end(&mut whole).unwrap(),
                _ => flate2::bufread::MultiGzDecoder::new(&*file).read_to_end(&mut whole).unwrap(),
            };
            assert_eq!(whole, parts.concat());
        }
    }
}
