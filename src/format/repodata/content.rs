//! The content of a file of the metadata, decompressed.
//!
//! What it is compressed with is told by its first bytes, not by its name: gzip, bzip2, xz, zstd or nothing. No more is
//! ever given out than the size that repomd.xml states, or than a bound where it states none, so a file that expands
//! without end stops there. A content of another size than the stated one is an error, and so is anything that follows
//! what was compressed.

use std::io::{self, BufRead, Read};

use super::checksum::{Checksum, Verifier};
use crate::rpm::{Compressor, Decoder};

/// Bytes of the largest content that is read. Fedora's filelists have 0.8 GB.
pub const LARGEST_CONTENT: u64 = 4 << 30;

/// The content is not what was stated. It comes as the inner error of an [`io::Error`]. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// There is more. Where no size is stated, this is the largest that is read.
    #[error("the content has more than {0} bytes")]
    Larger(u64),
    /// There is less.
    #[error("the content has {found} bytes instead of {stated}")]
    Smaller {
        /// What was stated.
        stated: u64,
        /// What is there.
        found: u64,
    },
    /// Something follows what was compressed.
    #[error("something follows the compressed content")]
    Trailing,
    /// It has another checksum.
    #[error("the content does not have the checksum {0}")]
    Checksum(Checksum),
}

impl From<ContentError> for io::Error {
    fn from(error: ContentError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// A content that is being read.
pub struct Content<R: BufRead> {
    decoder: Decoder<R>,
    stated: Option<u64>,
    most: u64,
    read: u64,
    verifier: Option<(Verifier, Checksum)>,
}

impl<R: BufRead> Content<R> {
    /// Starts to read. `size` is the size that is stated for the content (`open-size`).
    pub fn open(mut file: R, size: Option<u64>) -> io::Result<Self> {
        let compressor = Compressor::by_magic(file.fill_buf()?);
        let most = size.unwrap_or(LARGEST_CONTENT);
        if most > LARGEST_CONTENT {
            return Err(ContentError::Larger(LARGEST_CONTENT).into());
        }
        let decoder = Decoder::new(compressor, file)?;
        Ok(Self { decoder, stated: size, most, read: 0, verifier: None })
    }

    /// Also verifies the content's checksum (`open-checksum`), unless it is a SHA-1. A wrong one is an error at the
    /// content's end.
    pub fn verifying(mut self, checksum: Checksum) -> Self {
        self.verifier = checksum.verifier().map(|verifier| (verifier, checksum));
        self
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(stated) = self.stated
            && stated != self.read
        {
            return Err(ContentError::Smaller { stated, found: self.read }.into());
        }
        if !self.decoder.is_at_end()? {
            return Err(ContentError::Trailing.into());
        }
        if let Some((verifier, checksum)) = self.verifier.take()
            && !verifier.agrees()
        {
            return Err(ContentError::Checksum(checksum).into());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.decoder.read(buffer)?;
        self.read = self.read.saturating_add(length as u64);
        if self.read > self.most {
            return Err(ContentError::Larger(self.most).into());
        }
        if let Some((verifier, _)) = &mut self.verifier {
            verifier.update(buffer.get(..length).unwrap_or_default());
        }
        if length == 0 {
            self.finish()?;
        }
        Ok(length)
    }
}

impl<R: BufRead> std::fmt::Debug for Content<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("decoder", &self.decoder).field("read", &self.read).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(content).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(content).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(content).unwrap();
        vec![
            ("plain", content.to_vec()),
            ("gzip", gzip.finish().unwrap()),
            ("bzip2", bzip2.finish().unwrap()),
            ("xz", xz.finish().unwrap()),
            ("zstd", zstd::encode_all(content, 1).unwrap()),
        ]
    }

    fn read(file: &[u8], size: Option<u64>) -> Result<Vec<u8>, io::Error> {
        let mut out = Vec::new();
        Content::open(file, size)?.read_to_end(&mut out).map(|_| out)
    }

    fn reason(error: &io::Error) -> Option<&ContentError> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }

    #[test]
    fn tells_compressions_by_their_first_bytes() {
        let content = b"<metadata/>".repeat(10_000);
        let size = content.len() as u64;
        for (name, file) in compressed(&content) {
            for stated in [None, Some(size)] {
                assert!(read(&file, stated).unwrap() == content, "{name}");
            }
            let error = read(&file, Some(size - 1)).unwrap_err();
            assert_eq!(reason(&error), Some(&ContentError::Larger(size - 1)), "{name}");
            let error = read(&file, Some(size + 1)).unwrap_err();
            let smaller = ContentError::Smaller { stated: size + 1, found: size };
            assert_eq!(reason(&error), Some(&smaller), "{name}");
            if name != "plain" {
                assert!(read(&file[..file.len() - 3], None).is_err(), "{name}: cut off");
                let error = read(&[&*file, b"x"].concat(), None).unwrap_err();
                assert!(!matches!(reason(&error), Some(ContentError::Larger(_))), "{name}: trailing");
                let mut flipped = file.clone();
                let middle = flipped.len() / 2;
                flipped[middle] ^= 1;
                assert!(read(&flipped, Some(size)).ok() != Some(content.clone()), "{name}: flipped");
            }
        }
        assert!(read(b"", Some(0)).unwrap().is_empty());
        assert!(Content::open(&b""[..], Some(LARGEST_CONTENT + 1)).is_err());
    }

    #[test]
    fn bombs_stop_at_the_bound() {
        // 8 MiB of zeros; of what would come out no more is taken than was stated.
        for (name, file) in compressed(&vec![0; 8 << 20]).into_iter().skip(1) {
            let mut content = Content::open(&*file, Some(100_000)).unwrap();
            let (mut buffer, mut taken) = ([0; 4096], 0);
            let error = loop {
                match content.read(&mut buffer) {
                    Ok(length) => taken += length,
                    Err(error) => break error,
                }
            };
            assert!(taken <= 100_000, "{name}: {taken}");
            assert_eq!(reason(&error), Some(&ContentError::Larger(100_000)), "{name}");
        }
    }

    #[test]
    fn verifies_the_checksum_of_the_content() {
        let content = b"<metadata/>";
        let sum: Checksum = crate::base::Digest::of(content).into();
        for (name, file) in compressed(content) {
            let all = |sum| {
                let mut out = Vec::new();
                Content::open(&*file, None).unwrap().verifying(sum).read_to_end(&mut out)
            };
            assert!(all(sum).is_ok(), "{name}");
            let wrong: Checksum = crate::base::Digest::of("x").into();
            assert_eq!(reason(&all(wrong).unwrap_err()), Some(&ContentError::Checksum(wrong)), "{name}");
        }
    }
}
