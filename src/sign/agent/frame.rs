//! Frames between the signer and whoever asks it.
//!
//! A frame is `u32` big-endian length of what follows the kind, `u8` kind, then that many bytes, at most
//! [`LONGEST`]. The length is checked before anything is read into memory. Secrets are read into buffers that are
//! made in their final size and wiped when they are dropped.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use super::request::{LONGEST_SECRET, Secret};

/// The longest content of a frame, in bytes.
pub const LONGEST: usize = 64 << 10;
/// Length and kind.
pub(super) const HEAD: usize = 5;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// To the signer: the request in JSON.
    Request = 1,
    /// Both ways: a piece of data, not empty.
    Data = 2,
    /// To the signer: the number of the secret, then the secret.
    Secret = 3,
    /// Both ways: nothing more follows; empty.
    End = 4,
    /// From the signer: the answer in JSON.
    Answer = 5,
    /// From the signer: the refusal in JSON.
    Refusal = 6,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        let all = [Self::Request, Self::Data, Self::Secret, Self::End, Self::Answer, Self::Refusal];
        all.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The longest content that this kind may have.
    const fn longest(self) -> usize {
        match self {
            Self::End => 0,
            Self::Secret => 1 + LONGEST_SECRET,
            _ => LONGEST,
        }
    }
}

/// Why a frame is none. Trying again cannot help, except where reading or writing failed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection failed, was closed in the middle, or nothing came in time.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// No such kind.
    #[error("a frame of the unknown kind {0} came")]
    Kind(u8),
    /// Too long, or empty where it must not be.
    #[error("a frame of kind {kind:?} with {length} bytes came, which is not allowed")]
    Length {
        /// Its kind.
        kind: Kind,
        /// Its length.
        length: u32,
    },
    /// No such secret.
    #[error("a secret of the unknown kind {0} came")]
    Secret(u8),
    /// It is out of turn.
    #[error("a frame of kind {0:?} came out of turn")]
    Order(Kind),
    /// The JSON cannot be understood.
    #[error("a frame cannot be understood: {0}")]
    Json(String),
}

/// Kind and length of a frame from its first bytes, checked.
pub(super) fn head(bytes: [u8; HEAD]) -> Result<(Kind, usize), FrameError> {
    let [a, b, c, d, number] = bytes;
    let length = u32::from_be_bytes([a, b, c, d]);
    let kind = Kind::from_number(number).ok_or(FrameError::Kind(number))?;
    match usize::try_from(length) {
        Ok(size) if size <= kind.longest() && (size > 0 || kind == Kind::End) => Ok((kind, size)),
        _ => Err(FrameError::Length { kind, length }),
    }
}

/// The first bytes of a frame whose content is within the limits.
pub(super) fn head_of(kind: Kind, length: usize) -> [u8; HEAD] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [a, b, c, d, kind as u8]
}

/// A frame that was read. Its content is wiped when it is dropped.
pub type Frame = (Kind, Zeroizing<Vec<u8>>);

/// Reads a frame; none at the end of the connection.
pub fn read(mut reader: impl Read) -> Result<Option<Frame>, FrameError> {
    let mut first = [0; HEAD];
    let mut had = 0;
    while had < HEAD {
        match reader.read(first.get_mut(had..).unwrap_or_default()) {
            Ok(0) if had == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(length) => had += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (kind, length) = head(first)?;
    let mut content = Zeroizing::new(vec![0; length]);
    reader.read_exact(&mut content)?;
    Ok(Some((kind, content)))
}

/// Writes a frame whose content is within the limits.
pub fn write(mut writer: impl Write, kind: Kind, content: &[u8]) -> io::Result<()> {
    if content.len() > kind.longest() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    writer.write_all(&head_of(kind, content.len()))?;
    writer.write_all(content)
}

/// Takes the content of a frame with a secret apart.
pub(super) fn secret(content: &[u8]) -> Result<(Secret, Zeroizing<Vec<u8>>), FrameError> {
    let (number, secret) = content.split_first().ok_or(FrameError::Secret(0))?;
    let which = Secret::from_number(*number).ok_or(FrameError::Secret(*number))?;
    Ok((which, Zeroizing::new(secret.to_vec())))
}

/// Reads JSON of a frame.
pub(super) fn json<T: serde::de::DeserializeOwned>(content: &[u8]) -> Result<T, FrameError> {
    // serde quotes what it does not know; nothing secret is in JSON.
    serde_json::from_slice(content)
        .map_err(|error| FrameError::Json(error.to_string().escape_debug().take(200).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Data, b"abc").unwrap();
        write(&mut bytes, Kind::End, b"").unwrap();
        assert_eq!(bytes, b"\0\0\0\x03\x02abc\0\0\0\0\x04");
        let mut reader = &bytes[..];
        let (kind, content) = read(&mut reader).unwrap().unwrap();
        assert_eq!((kind, content.as_slice()), (Kind::Data, &b"abc"[..]));
        assert_eq!(read(&mut reader).unwrap().unwrap().0, Kind::End);
        assert!(read(&mut reader).unwrap().is_none());
    }

    #[test]
    fn what_is_no_frame_is_refused_before_memory_is_taken() {
        let cases: [(&[u8], &str); 7] = [
            (b"\xff\xff\xff\xff\x02", "Length"),
            (b"\x00\x01\x00\x01\x02", "Length"),
            (b"\0\0\0\0\x02", "Length"),
            (b"\0\0\0\x01\x04x", "Length"),
            (b"\0\0\x10\0\x03", "Length"),
            (b"\0\0\0\x01\x09x", "Kind"),
            (b"\0\0\0", "Io"),
        ];
        for (bytes, wanted) in cases {
            let error = format!("{:?}", read(bytes).unwrap_err());
            assert!(error.starts_with(wanted), "{bytes:?}: {error}");
        }
        assert!(matches!(secret(b"\x09abc"), Err(FrameError::Secret(9))));
    }
}
