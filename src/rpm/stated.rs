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
//! | 5092 (SHA-256), 5121 (SHA-512), 5123 (SHA3-256) | payload |
//! | 5097 (SHA-256), 5122 (SHA-512), 5124 (SHA3-256) | payload before compression |
//!
//! A main header can name another function for 5092 and 5097, in 5093. What is shown of a package goes by that; what is
//! verified does not, as in rpm (4.18, `lib/rpmvs.c`), which writes and checks SHA-256 only.

use super::header::Type;
use super::headers::Headers;
use super::package::{PackageError, clip};
use super::values::text;
use super::{signature, tags};
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

/// A digest that a package may state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// The tag: of the main header where it is of the payload alone, else of the signature header.
    pub(super) tag: u32,
    /// The type that it must have.
    pub(super) kind: Type,
    /// Which bytes it is of.
    pub(super) covered: Covered,
    /// The hash function, by its OpenPGP number.
    pub(super) number: u8,
    /// The hash function's name, as rpm writes it.
    pub(super) name: &'static str,
}

const fn claim(tag: u32, kind: Type, covered: Covered, number: u8, name: &'static str) -> Claim {
    Claim { tag, kind, covered, number, name }
}

/// All digests that a package may state, by what they cover, the weakest first.
pub(super) const CLAIMS: [Claim; 10] = [
    claim(tags::SIG_SHA1, Type::Text, Covered::Header, Hashing::SHA1, "SHA1"),
    claim(tags::SIG_SHA256, Type::Text, Covered::Header, Hashing::SHA256, "SHA256"),
    claim(tags::SIG_SHA3_256, Type::Text, Covered::Header, Hashing::SHA3_256, "SHA3-256"),
    claim(tags::SIG_MD5, Type::Binary, Covered::HeaderAndPayload, Hashing::MD5, "MD5"),
    claim(tags::PAYLOADDIGEST, Type::TextArray, Covered::Payload, Hashing::SHA256, "SHA256"),
    claim(tags::PAYLOADSHA512, Type::Text, Covered::Payload, Hashing::SHA512, "SHA512"),
    claim(tags::PAYLOADSHA3_256, Type::Text, Covered::Payload, Hashing::SHA3_256, "SHA3-256"),
    claim(tags::PAYLOADDIGESTALT, Type::TextArray, Covered::Archive, Hashing::SHA256, "SHA256"),
    claim(tags::PAYLOADSHA512ALT, Type::Text, Covered::Archive, Hashing::SHA512, "SHA512"),
    claim(tags::PAYLOADSHA3_256ALT, Type::Text, Covered::Archive, Hashing::SHA3_256, "SHA3-256"),
];

impl Claim {
    /// The digest that a package states here, hexadecimal.
    pub(super) fn stated(&self, headers: &Headers) -> Result<Option<String>, PackageError> {
        let header = match self.covered {
            Covered::Header | Covered::HeaderAndPayload => &headers.signature,
            Covered::Payload | Covered::Archive => &headers.main,
        };
        Ok(match self.kind {
            Type::Binary => header.binary(self.tag)?.map(hex),
            _ => header.raw_text(self.tag)?.map(|value| text(value).into_owned()),
        })
    }
}

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
        let named = self.main.number(tags::PAYLOADDIGESTALGO)?.map(clip);
        let mut found = Vec::new();
        for claim in &CLAIMS {
            let algorithm = match claim.tag {
                tags::PAYLOADDIGEST | tags::PAYLOADDIGESTALT => named,
                _ => None,
            };
            let algorithm = algorithm.unwrap_or(claim.number.into());
            let value = claim.stated(self)?;
            found.extend(value.map(|value| StatedDigest { covered: claim.covered, algorithm, value }));
        }
        Ok(found)
    }

    /// The signatures that the package carries, in the order of their tags.
    pub fn signatures(&self) -> Result<Vec<StoredSignature<'_>>, PackageError> {
        let mut found = Vec::new();
        for tag in signature::OF_HEADER {
            let covered = Covered::Header;
            found.extend(self.signature.binary(tag)?.map(|data| StoredSignature { tag, covered, data }));
        }
        let (tag, covered) = (tags::SIG_OPENPGP, Covered::Header);
        found.extend(self.signature.texts(tag)?.raw().map(|data| StoredSignature { tag, covered, data }));
        for tag in signature::OF_BOTH {
            let covered = Covered::HeaderAndPayload;
            found.extend(self.signature.binary(tag)?.map(|data| StoredSignature { tag, covered, data }));
        }
        Ok(found)
    }
}
