//! Which package a file is: its digests, and whether it is whole.
//!
//! - *content*: SHA-256 of everything after the signature header and its padding, that is main
//!   header and payload; the same for every signed copy of a package.
//! - *header*: SHA-256 of the main header, what header signatures cover.
//! - *file*: SHA-256 of the whole file.
//!
//! What the file says of itself is checked on the way, as rpm 4.18 does (`lib/rpmvs.c`): SHA256 (273)
//! and SHA1 (269) of the main header, SHA3-256 (279) where OpenSSL has it; SIZE (1000) and MD5 (1004)
//! of main header and payload; PAYLOADDIGEST (5092) of the payload.

use std::io::{self, Read};

use super::header::HeaderError;
use super::headers::Headers;
use super::package::PackageError;
use super::tags;
use crate::base::digest::hex;
use crate::base::{Digest, Hasher};
use crate::openpgp::Hashing;

/// Why a file is not the whole package that it says it is. Except for failed reads, retrying cannot
/// help; fetching the file anew may.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Its headers cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A tag cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Reading failed. A retry may help.
    #[error("the package file cannot be read")]
    Io(#[source] io::Error),
    /// It ends too early.
    #[error("the package is truncated: after its signature header it has {found} bytes instead of {wanted}")]
    Truncated {
        /// Bytes that it has.
        found: u64,
        /// Bytes that it must have.
        wanted: u64,
    },
    /// Something was changed.
    #[error("the package is corrupt: its {what} is {found} instead of {wanted}")]
    Digest {
        /// Which digest.
        what: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: String,
    },
}

/// The digests of a package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of main header and payload.
    pub content: Digest,
    /// Of the main header.
    pub header: Digest,
    /// Of the file.
    pub file: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// The digests that the file states and that were found right.
    pub checked: Vec<&'static str>,
}

/// What the digest of the payload is called among [`Identity::checked`].
const PAYLOAD: &str = "payload's digest";

impl Identity {
    /// Whether the main header holds a digest of the payload, so that a signature of the header covers the payload, too.
    /// Packages of before rpm 4.14 have none.
    pub fn covers_payload(&self) -> bool {
        self.checked.contains(&PAYLOAD)
    }
}

/// A digest that the file states, with what it is when all was read.
struct Claim {
    what: &'static str,
    wanted: String,
    hashing: Hashing,
}

impl Claim {
    fn new(what: &'static str, number: u8, wanted: &str) -> Option<Self> {
        Some(Self { what, wanted: wanted.to_ascii_lowercase(), hashing: Hashing::new(number)? })
    }

    fn check(self, checked: &mut Vec<&'static str>) -> Result<(), IdentityError> {
        let found = self.hashing.finish().map(|bytes| hex(&bytes)).unwrap_or_default();
        if found != self.wanted {
            let wanted = self.wanted.escape_debug().take(128).collect();
            return Err(IdentityError::Digest { what: self.what, wanted, found });
        }
        checked.push(self.what);
        Ok(())
    }
}

/// Reads a package file to its end, in one pass and without keeping the payload.
pub fn identify(reader: impl Read) -> Result<(Headers, Identity), IdentityError> {
    let mut reader = Tee { inner: reader, file: Hasher::new() };
    let headers = Headers::read(&mut reader)?;
    let main = headers.main.bytes();
    let mut checked = Vec::new();

    let stated = |tag| headers.signature.text(tag);
    for (what, number, wanted) in [
        ("header's SHA256", Hashing::SHA256, stated(tags::SIG_SHA256)?),
        ("header's SHA1", Hashing::SHA1, stated(tags::SIG_SHA1)?),
        ("header's SHA3-256", Hashing::SHA3_256, stated(tags::SIG_SHA3_256)?),
    ] {
        if let Some(mut claim) = wanted.and_then(|wanted| Claim::new(what, number, &wanted)) {
            claim.hashing.update(main);
            claim.check(&mut checked)?;
        }
    }

    let md5 = headers.signature.binary(tags::SIG_MD5)?.map(hex);
    let mut whole = md5.and_then(|wanted| Claim::new("MD5 of header and payload", Hashing::MD5, &wanted));
    let algorithm = headers.main.number(tags::PAYLOADDIGESTALGO)?.unwrap_or(u64::from(Hashing::SHA256));
    let digest = headers.main.text(tags::PAYLOADDIGEST)?;
    let mut payload = digest
        .zip(u8::try_from(algorithm).ok())
        .and_then(|(wanted, number)| Claim::new(PAYLOAD, number, &wanted));

    let mut content = Hasher::new();
    content.update(main);
    if let Some(claim) = &mut whole {
        claim.hashing.update(main);
    }
    let mut buffer = vec![0; 1 << 17];
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(IdentityError::Io(error)),
        };
        let piece = buffer.get(..length).unwrap_or_default();
        content.update(piece);
        for claim in whole.iter_mut().chain(&mut payload) {
            claim.hashing.update(piece);
        }
    }
    if let Some(wanted) = headers.signature.number(tags::SIG_SIZE)?
        && content.length() < wanted
    {
        return Err(IdentityError::Truncated { found: content.length(), wanted });
    }
    for claim in payload.into_iter().chain(whole) {
        claim.check(&mut checked)?;
    }
    let size = reader.file.length();
    let (header, content, file) = (Digest::of(main), content.finish(), reader.file.finish());
    Ok((headers, Identity { content, header, file, size, checked }))
}

struct Tee<R> {
    inner: R,
    file: Hasher,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.file.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}
