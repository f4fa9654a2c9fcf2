//! Which package a file is: its digests, and whether it is whole.
//!
//! - *content*: SHA-256 of everything after the signature header and its padding, that is main
//!   header and payload; the same for every signed copy of a package.
//! - *header*: SHA-256 of the main header, what header signatures cover.
//! - *file*: SHA-256 of the whole file.
//!
//! What the file says of itself is checked on the way, as rpm does (`lib/rpmvs.c`): its size, and the digests of main
//! header, payload and both ([`super::stated`]), where OpenSSL has the function. Those of the payload before compression
//! are left to [`super::verify`]: nothing follows from them where there are others, and hashing is what takes the time.

use std::io::{self, Read};

use super::header::HeaderError;
use super::headers::{Headers, Tee};
use super::package::PackageError;
use super::stated::{CLAIMS, Claim, Covered};
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
    #[error("the package is corrupt: the {what} is {found} instead of {wanted}")]
    Digest {
        /// Which digest, of what.
        what: String,
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
    /// What the digests cover that the file states and that were found right.
    pub checked: Vec<Covered>,
}

impl Identity {
    /// Whether the main header holds a digest of the payload, so that a signature of the header covers the payload, too.
    /// Packages of before rpm 4.14 have none.
    pub fn covers_payload(&self) -> bool {
        self.checked.contains(&Covered::Payload)
    }
}

/// A digest that the file states, while the data are read.
struct Stated {
    claim: &'static Claim,
    wanted: String,
    hashing: Hashing,
}

impl Stated {
    /// Those that the file states of these bytes.
    fn of(headers: &Headers, covered: Covered) -> Result<Vec<Self>, PackageError> {
        let mut found = Vec::new();
        for claim in CLAIMS.iter().filter(|claim| claim.covered == covered) {
            if let Some(wanted) = claim.stated(headers)?
                && let Some(hashing) = Hashing::new(claim.number)
            {
                found.push(Self { claim, wanted: wanted.to_ascii_lowercase(), hashing });
            }
        }
        Ok(found)
    }

    fn check(self, checked: &mut Vec<Covered>) -> Result<(), IdentityError> {
        let Claim { name, covered, .. } = self.claim;
        let found = self.hashing.finish().map(|bytes| hex(&bytes)).unwrap_or_default();
        if found != self.wanted {
            let what = format!("{name} of its {}", covered.name().replace('+', " and "));
            let wanted = self.wanted.escape_debug().take(128).collect();
            return Err(IdentityError::Digest { what, wanted, found });
        }
        checked.push(*covered);
        Ok(())
    }
}

/// Reads a package file to its end, in one pass and without keeping the payload.
pub fn identify(reader: impl Read) -> Result<(Headers, Identity), IdentityError> {
    let mut reader = Tee::new(reader);
    let headers = Headers::read(&mut reader)?;
    let main = headers.main.bytes();
    let mut checked = Vec::new();
    for mut stated in Stated::of(&headers, Covered::Header)? {
        stated.hashing.update(main);
        stated.check(&mut checked)?;
    }
    let mut whole = Stated::of(&headers, Covered::HeaderAndPayload)?;
    let mut payload = Stated::of(&headers, Covered::Payload)?;

    let mut content = Hasher::new();
    content.update(main);
    whole.iter_mut().for_each(|stated| stated.hashing.update(main));
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
        for stated in whole.iter_mut().chain(&mut payload) {
            stated.hashing.update(piece);
        }
    }
    if let Some(wanted) = headers.signature.number(tags::SIG_SIZE)?
        && content.length() < wanted
    {
        return Err(IdentityError::Truncated { found: content.length(), wanted });
    }
    for stated in payload.into_iter().chain(whole) {
        stated.check(&mut checked)?;
    }
    let size = reader.file.length();
    let (header, content, file) = (Digest::of(main), content.finish(), reader.file.finish());
    Ok((headers, Identity { content, header, file, size, checked }))
}
