//! All of a package file that stands in front of its payload: lead, signature header, main header.
//!
//! | part | bytes |
//! |---|---|
//! | lead | 96 |
//! | signature header | its own length, then up to 7 bytes to a multiple of 8 |
//! | main header | its own length |
//! | payload | the rest |
//!
//! Of the *lead* rpm (4.18, `lib/rpmlead.c`) looks at the magic number `ed ab ee db`, the major version (3 or 4) and
//! the signature type (5); the rest is history.
//!
//! A package is of format 6 if its RPMFORMAT says so (no other value is known), else of format 4 if its main header
//! has a region, else of format 3. What rpm copies out of the signature header into its view of a package may not
//! stand in the main header (rpm 4.18, `lib/package.c`, `headerMergeLegacySigs`).

use std::io::{self, Read};
use std::ops::Range;

use super::header::{Header, Part};
use super::package::{Package, PackageError};
use super::{tag_kinds, tags};
use crate::base::Hasher;

/// Bytes of the lead.
pub const LEAD: usize = 96;

/// The version of the package format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Of before rpm 4.0: no regions, so no signature of the main header alone.
    V3 = 3,
    /// Of rpm 4.
    V4 = 4,
    /// Of rpm 6.
    V6 = 6,
}

/// The headers of a package file: all in front of its payload.
#[derive(Clone, Debug)]
pub struct Headers {
    /// The lead.
    pub lead: [u8; LEAD],
    /// The signature header.
    pub signature: Header,
    /// The bytes between the two headers (0 to 7, usually zeros).
    pub padding: Vec<u8>,
    /// The main header.
    pub main: Header,
}

/// A reader of a package file that hashes all of it on the way.
pub(super) struct Tee<R> {
    inner: R,
    /// What was read.
    pub(super) file: Hasher,
}

impl<R> Tee<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, file: Hasher::new() }
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.file.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

/// Reads and checks the lead.
pub(super) fn read_lead(mut reader: impl Read) -> Result<[u8; LEAD], PackageError> {
    let mut lead = [0; LEAD];
    reader.read_exact(&mut lead).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => PackageError::Truncated("lead (the first 96 bytes)"),
        _ => PackageError::Io(error),
    })?;
    let [magic @ .., major] = [lead[0], lead[1], lead[2], lead[3], lead[4]];
    if magic != [0xed, 0xab, 0xee, 0xdb] {
        return Err(PackageError::Lead("it does not start with RPM's magic number"));
    }
    if !(3..=4).contains(&major) {
        return Err(PackageError::Lead("its version is not supported"));
    }
    if (lead[78], lead[79]) != (0, 5) {
        return Err(PackageError::Lead("its signature type is not supported"));
    }
    Ok(lead)
}

/// Bytes of padding behind a signature header of this length.
pub(super) const fn padding(length: usize) -> usize {
    (8 - length % 8) % 8
}

/// How many bytes the headers of a package file take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All in front of the payload.
    Whole(u64),
    /// So many bytes of the file have to be seen to know.
    Unknown(u64),
}

/// Says from the first bytes of a package file how many its headers take; nothing else of them is looked at.
pub fn extent(start: &[u8]) -> Result<Extent, PackageError> {
    read_lead(start.get(..LEAD.min(start.len())).unwrap_or_default())?;
    let intro = |at: usize| {
        let bytes: &[u8; 16] = start.get(at..)?.first_chunk()?;
        let number = |at: usize| bytes.get(at..)?.first_chunk().map(|number| u32::from_be_bytes(*number));
        let known = bytes.starts_with(&[0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0]);
        Some(known.then_some(16 + 16 * u64::from(number(8)?) + u64::from(number(12)?)))
    };
    let signature = LEAD;
    let Some(length) = intro(signature) else { return Ok(Extent::Unknown((signature + 16) as u64)) };
    let broken = PackageError::Lead("what follows is no header");
    let Some(length) = length else { return Err(broken) };
    let main = signature as u64 + length.next_multiple_of(8);
    match usize::try_from(main).ok().and_then(intro) {
        None => Ok(Extent::Unknown(main + 16)),
        Some(None) => Err(broken),
        Some(Some(length)) => Ok(Extent::Whole(main + length)),
    }
}

impl Headers {
    /// Reads lead, signature header and main header; leaves the stream at the payload.
    pub fn read(mut reader: impl Read) -> Result<Self, PackageError> {
        let lead = read_lead(&mut reader)?;
        let signature = Header::read(Part::Signature, &mut reader)?;
        let wanted = padding(signature.bytes().len());
        let mut gap = Vec::new();
        reader.by_ref().take(wanted as u64).read_to_end(&mut gap).map_err(PackageError::Io)?;
        if gap.len() != wanted {
            return Err(PackageError::Truncated("signature header's padding"));
        }
        let main = Header::read(Part::Main, &mut reader)?;
        let headers = Self { lead, signature, padding: gap, main };
        match headers.displaced() {
            Some(tag) => Err(PackageError::Displaced(tag)),
            None => Ok(headers),
        }
    }

    /// A tag of the main header that only the signature header may have.
    fn displaced(&self) -> Option<u32> {
        let never = tag_kinds::COPIES.into_iter();
        let both = tag_kinds::EITHER.into_iter().filter(|(_, tag)| self.signature.find(*tag).is_some());
        never.chain(both.map(|(tag, _)| tag)).find(|tag| self.main.find(*tag).is_some())
    }

    /// The version of the package format.
    pub fn format(&self) -> Result<Format, PackageError> {
        match self.main.number(tags::RPMFORMAT)? {
            Some(6) => Ok(Format::V6),
            Some(other) => Err(PackageError::Format(other)),
            None if self.main.has_region() => Ok(Format::V4),
            None => Ok(Format::V3),
        }
    }

    /// Where the main header lies in the file.
    pub fn main_range(&self) -> Range<u64> {
        let start = (LEAD + self.signature.bytes().len() + self.padding.len()) as u64;
        start..start + self.main.bytes().len() as u64
    }

    /// What the package says about itself.
    pub fn package(&self) -> Result<Package<'_>, PackageError> {
        Package::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lead and two headers of these numbers of entries and bytes, without their content.
    fn start(signature: (u32, u32), main: (u32, u32)) -> Vec<u8> {
        let mut bytes = vec![0; LEAD];
        bytes[..5].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3]);
        bytes[79] = 5;
        for (entries, size) in [signature, main] {
            bytes.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0]);
            bytes.extend(entries.to_be_bytes());
            bytes.extend(size.to_be_bytes());
            if bytes.len() < 200 && u64::from(entries) * 16 + u64::from(size) < 1000 {
                bytes.resize(bytes.len() + (entries * 16 + size).next_multiple_of(8) as usize, 0);
            }
        }
        bytes
    }

    #[test]
    fn the_first_bytes_tell_how_long_headers_are() {
        let whole = start((2, 13), (3, 100));
        let main = LEAD as u64 + 16 + 48;
        assert_eq!(extent(&whole).unwrap(), Extent::Whole(main + 16 + 48 + 100));
        assert_eq!(extent(&whole[..LEAD + 15]).unwrap(), Extent::Unknown(LEAD as u64 + 16));
        assert_eq!(extent(&whole[..main as usize + 3]).unwrap(), Extent::Unknown(main + 16));
        assert_eq!(
            extent(&start((2, 13), (u32::MAX, u32::MAX))).unwrap(),
            Extent::Whole(main + 16 + 17 * 0xffff_ffff)
        );
        let far = LEAD as u64 + (16 + 17 * 0xffff_ffff_u64).next_multiple_of(8) + 16;
        assert_eq!(extent(&start((u32::MAX, u32::MAX), (1, 1))).unwrap(), Extent::Unknown(far));
        assert!(extent(&whole[..LEAD - 1]).is_err() && extent(b"<html>").is_err());
        for at in [LEAD, LEAD + 4, main as usize + 2] {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert!(extent(&other).is_err(), "{at}");
        }
    }
}
