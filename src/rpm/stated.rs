//! What a package file states about its own bytes: digests and signatures.
//!
//! | tag of the signature header | what | over |
//! |---|---|---|
//! | 267 DSA, 268 RSA, 278 OPENPGP (several, base64) | OpenPGP signatures | main header |
//! | 1002 PGP, 1005 GPG | OpenPGP signatures | main header and payload |
//! | 269 SHA1, 273 SHA256, 279 SHA3_256 | digests, hexadecimal | main header |
//! | 1004 MD5 | digest, binary | main header and payload |
//!
//! | tag of the main header | over |
//! |---|---|
//! | 5092 with its function in 5093, 5121 (SHA-512), 5123 (SHA3-256) | payload |
//! | 5097 with its function in 5093, 5122 (SHA-512), 5124 (SHA3-256) | payload before compression |

use super::headers::Headers;
use super::package::{PackageError, clip};
use super::tags;
use super::values::text;
use crate::base::digest::hex;
use crate::openpgp::Hashing;

/// Which bytes of a package file are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covered {
    /// The main header.
    Header,
    /// The main header and the payload.
    HeaderAndPayload,
    /// The payload.
    Payload,
    /// The payload before compression.
    Archive,
}

impl Covered {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::HeaderAndPayload => "header+payload",
            Self::Payload => "payload",
            Self::Archive => "archive",
        }
    }
}

/// A digest that a package states; nothing is said of its being right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedDigest {
    /// Which bytes it is of.
    pub covered: Covered,
    /// The hash function, by its OpenPGP number.
    pub algorithm: u32,
    /// The digest, hexadecimal.
    pub value: String,
}

/// A signature that a package carries; nothing is said of its being good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredSignature<'h> {
    /// The tag of the signature header.
    pub tag: u32,
    /// Which bytes it is over.
    pub covered: Covered,
    /// The packet as it is stored: in base64 under tag 278, else binary.
    pub data: &'h [u8],
}

const SHA512: u32 = 10;

/// The name of a hash function, by its OpenPGP number (RFC 9580, section 9.5).
pub const fn algorithm_name(number: u32) -> Option<&'static str> {
    Some(match number {
        1 => "md5",
        2 => "sha1",
        3 => "ripemd160",
        8 => "sha256",
        9 => "sha384",
        10 => "sha512",
        11 => "sha224",
        12 => "sha3-256",
        14 => "sha3-512",
        _ => return None,
    })
}

impl Headers {
    /// The digests that the package states.
    pub fn digests(&self) -> Result<Vec<StatedDigest>, PackageError> {
        let mut found = Vec::new();
        let mut add = |covered, algorithm, value: Option<&[u8]>| {
            found.extend(value.map(|value| StatedDigest {
                covered,
                algorithm,
                value: text(value).into_owned(),
            }));
        };
        let (signature, main) = (&self.signature, &self.main);
        let [sha1, sha256, sha3] = [Hashing::SHA1, Hashing::SHA256, Hashing::SHA3_256].map(u32::from);
        add(Covered::Header, sha1, signature.raw_text(tags::SIG_SHA1)?);
        add(Covered::Header, sha256, signature.raw_text(tags::SIG_SHA256)?);
        add(Covered::Header, sha3, signature.raw_text(tags::SIG_SHA3_256)?);
        let md5 = signature.binary(tags::SIG_MD5)?.map(hex);
        add(Covered::HeaderAndPayload, Hashing::MD5.into(), md5.as_deref().map(str::as_bytes));
        let stated = main.number(tags::PAYLOADDIGESTALGO)?.map_or(sha256, clip);
        add(Covered::Payload, stated, main.raw_text(tags::PAYLOADDIGEST)?);
        add(Covered::Payload, SHA512, main.raw_text(tags::PAYLOADSHA512)?);
        add(Covered::Payload, sha3, main.raw_text(tags::PAYLOADSHA3_256)?);
        add(Covered::Archive, stated, main.raw_text(tags::PAYLOADDIGESTALT)?);
        add(Covered::Archive, SHA512, main.raw_text(tags::PAYLOADSHA512ALT)?);
        add(Covered::Archive, sha3, main.raw_text(tags::PAYLOADSHA3_256ALT)?);
        Ok(found)
    }

    /// The signatures that the package carries, in the order of their tags.
    pub fn signatures(&self) -> Result<Vec<StoredSignature<'_>>, PackageError> {
        let mut found = Vec::new();
        for (tag, covered) in [(tags::SIG_DSA, Covered::Header), (tags::SIG_RSA, Covered::Header)] {
            found.extend(self.signature.binary(tag)?.map(|data| StoredSignature { tag, covered, data }));
        }
        let (tag, covered) = (tags::SIG_OPENPGP, Covered::Header);
        found.extend(self.signature.texts(tag)?.raw().map(|data| StoredSignature { tag, covered, data }));
        for (tag, covered) in
            [(tags::SIG_PGP, Covered::HeaderAndPayload), (tags::SIG_GPG, Covered::HeaderAndPayload)]
        {
            found.extend(self.signature.binary(tag)?.map(|data| StoredSignature { tag, covered, data }));
        }
        Ok(found)
    }
}
