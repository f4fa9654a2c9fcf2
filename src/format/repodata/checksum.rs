//! Checksums as repository metadata state them: the name of an algorithm and hexadecimal digits.
//!
//! Names are createrepo_c's (0.17, `checksum.c`): `sha` and `sha1`, `sha224`, `sha256`, `sha384`, `sha512`. MD5 is
//! refused. SHA-1 is read, since old repositories name their packages by it, but nothing is verified by it.

use std::fmt;

use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use crate::base::Digest;
use crate::base::digest::hex;

/// A checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checksum {
    /// SHA-1, good for telling packages apart and nothing else.
    Sha1([u8; 20]),
    /// SHA-224.
    Sha224([u8; 28]),
    /// SHA-256.
    Sha256(Digest),
    /// SHA-384.
    Sha384([u8; 48]),
    /// SHA-512.
    Sha512([u8; 64]),
}

/// The text is no checksum. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// The algorithm is unknown or refused.
    #[error("the checksum's type '{}' is not supported", .0.escape_debug())]
    Kind(String),
    /// The digits are wrong.
    #[error("'{}' is no {kind} checksum in lower-case hexadecimal digits", text.escape_debug())]
    Digits {
        /// The algorithm.
        kind: &'static str,
        /// The text, shortened.
        text: String,
    },
}

impl Checksum {
    /// Reads the name of an algorithm and digits. Capital digits, which nobody writes, are refused: texts that differ
    /// are different checksums.
    pub fn parse(kind: &str, text: &str) -> Result<Self, ChecksumError> {
        let read = match kind {
            "sha" | "sha1" => bytes(text).map(Self::Sha1),
            "sha224" => bytes(text).map(Self::Sha224),
            "sha256" => bytes(text).map(|bytes| Self::Sha256(Digest::from_bytes(bytes))),
            "sha384" => bytes(text).map(Self::Sha384),
            "sha512" => bytes(text).map(Self::Sha512),
            _ => return Err(ChecksumError::Kind(kind.chars().take(40).collect())),
        };
        read.ok_or_else(|| ChecksumError::Digits {
            kind: Self::names().find(|name| *name == kind).unwrap_or("sha1"),
            text: text.chars().take(140).collect(),
        })
    }

    /// Reads digits alone, whose number tells the algorithm: a `pkgid`.
    pub fn from_hex(text: &str) -> Result<Self, ChecksumError> {
        let kind = match text.len() {
            40 => "sha1",
            56 => "sha224",
            96 => "sha384",
            128 => "sha512",
            _ => "sha256",
        };
        Self::parse(kind, text)
    }

    fn names() -> impl Iterator<Item = &'static str> {
        ["sha1", "sha224", "sha256", "sha384", "sha512"].into_iter()
    }

    /// The name of its algorithm.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sha1(_) => "sha1",
            Self::Sha224(_) => "sha224",
            Self::Sha256(_) => "sha256",
            Self::Sha384(_) => "sha384",
            Self::Sha512(_) => "sha512",
        }
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Sha224(bytes) => bytes,
            Self::Sha256(digest) => digest.as_bytes(),
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// Its hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(self.as_bytes())
    }

    /// The digest that the store and locks go by, where it is one.
    pub const fn sha256(&self) -> Option<Digest> {
        match self {
            Self::Sha256(digest) => Some(*digest),
            _ => None,
        }
    }

    /// Starts to verify what it is said to be of; none for SHA-1, by which nothing can be verified.
    pub fn verifier(&self) -> Option<Verifier> {
        let state = match self {
            Self::Sha1(_) => return None,
            Self::Sha224(_) => State::Sha224(Sha224::new()),
            Self::Sha256(_) => State::Sha256(Sha256::new()),
            Self::Sha384(_) => State::Sha384(Sha384::new()),
            Self::Sha512(_) => State::Sha512(Sha512::new()),
        };
        Some(Verifier { state, expected: *self })
    }
}

/// Compares bytes that come piece by piece with a checksum.
pub struct Verifier {
    state: State,
    expected: Checksum,
}

enum State {
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Verifier {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha224(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// Whether all bytes together have the checksum.
    pub fn agrees(self) -> bool {
        let expected = self.expected.as_bytes();
        match self.state {
            State::Sha224(state) => state.finalize().as_slice() == expected,
            State::Sha256(state) => state.finalize().as_slice() == expected,
            State::Sha384(state) => state.finalize().as_slice() == expected,
            State::Sha512(state) => state.finalize().as_slice() == expected,
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.expected).finish()
    }
}

impl From<Digest> for Checksum {
    fn from(digest: Digest) -> Self {
        Self::Sha256(digest)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.hex())
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Exactly these many bytes.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_has_the_right_digits() {
        for (kind, digits) in
            [("sha", 40), ("sha1", 40), ("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)]
        {
            let text = "0f".repeat(digits / 2);
            let checksum = Checksum::parse(kind, &text).unwrap();
            assert_eq!((checksum.hex(), Checksum::from_hex(&text).unwrap()), (text.clone(), checksum));
            for wrong in [&text[2..], &text.to_uppercase(), &text.replace('f', "g"), &format!("{text}0f"), ""]
            {
                assert!(
                    matches!(Checksum::parse(kind, wrong), Err(ChecksumError::Digits { .. })),
                    "{kind} {wrong}"
                );
            }
        }
        assert!(matches!(Checksum::parse("md5", &"0".repeat(32)), Err(ChecksumError::Kind(_))));
        assert!(Checksum::from_hex(&"0".repeat(32)).is_err());
    }

    #[test]
    fn verifies() {
        // Of "abc": FIPS 180's examples.
        for text in [
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            for (content, expected) in [("abc", true), ("abd", false)] {
                let mut verifier = Checksum::from_hex(text).unwrap().verifier().unwrap();
                content.as_bytes().chunks(2).for_each(|piece| verifier.update(piece));
                assert_eq!(verifier.agrees(), expected, "{text} {content}");
            }
        }
        assert!(Checksum::from_hex(&"0".repeat(40)).unwrap().verifier().is_none());
    }
}
