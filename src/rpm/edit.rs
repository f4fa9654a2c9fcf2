//! The signature header's editor: what makes a signed package of an unsigned one and a packet.
//!
//! A release's lock pins packets, and unsigned file + packet must give the signed file byte for byte,
//! also when rpmsign or sigul wrote it. So this editor writes what rpm's `rpmsign` writes:
//!
//! 1. Tags that are to go are dropped, new ones are put in; all others stay as they are, signatures of files (IMA,
//!    fs-verity) among them.
//! 2. Entries stand in the order of their tags, their data likewise, aligned to its type (2, 4 or 8
//!    bytes, with zeros). The region (tag 62, BIN, 16 bytes) comes first in the index; its trailer is
//!    the end of the store, with offset −16 × number of entries (the region included).
//! 3. The reserve (zeros) gives way: where the header would become longer than it was, the
//!    reserve becomes shorter by as much. A reserve that is too small for that stays as it is and the
//!    file grows. That of a version 4 package (RESERVEDSPACE, 1008; rpm 4.18) never grows back when a
//!    signature goes; that of a version 6 package (RESERVED, 999; rpm 6.0) does.
//! 4. Zeros pad the header to a multiple of 8. Lead, main header and payload are untouched.
//!
//! Where a packet stands, [`super::signature`] says.
//!
//! REVISION of the step that uses this has to be raised whenever other bytes come out.

use std::io::{self, Read, Write};

use super::header::{Header, HeaderError, Part, Type};
use super::headers::{Format, Headers, padding, read_lead};
use super::package::PackageError;
use super::signature::{self, Item, SignatureError};
use super::stated::{CLAIMS, Claim, Covered};
use super::{tags, verify};
use crate::openpgp::{Pending, VerifyError};

/// Why a signature cannot be put into a package. Except for a failed read or write, retrying cannot
/// help.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its signature header is damaged.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The signature is not one.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The signature uses something that is not supported.
    #[error("whether the signature belongs to the package cannot be found out")]
    Unsupported(#[source] VerifyError),
    /// There is already one under the same tag.
    #[error("the package already has a signature under tag {0}; start from the unsigned file")]
    Present(u32),
    /// The package has this very signature.
    #[error("the package already has this signature")]
    Same,
    /// The header would exceed rpm's bounds.
    #[error("the signature header would become larger than rpm allows")]
    TooLarge,
    /// rpm signs no packages of version 3, which have no region that a signature could cover.
    #[error("packages of version 3 cannot be signed")]
    Version3,
    /// A header signature would say nothing about the payload, and rpm refuses a package that is half signed.
    #[error("the main header has no digest of the payload, so a signature of the header would not cover it")]
    NoPayloadDigest,
    /// It was made for another package, or over header and payload.
    #[error("the signature was made over other data than this package's main header")]
    OtherData,
    /// A signature header does not belong to the package.
    #[error("the signature header belongs to another package: {0}")]
    OtherPackage(String),
    /// There is more than a signature header.
    #[error("{0} bytes follow the signature header")]
    Trailing(usize),
    /// Copying failed. A retry may help.
    #[error("the signed package cannot be written")]
    Io(#[source] io::Error),
}

/// How a packet is put into a package.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Drop all OpenPGP signatures first, as `rpmsign --resign` does.
    pub replace: bool,
    /// In a version 4 package, put the packet under OPENPGP, too, as `rpmsign --rpmv6` does; under the older tag only
    /// where the packet can stand there and none does.
    pub rpmv6: bool,
}

/// The tags that hold a place free (of version 4 and of version 6), and whether it grows again when a signature goes.
const RESERVES: [(u32, bool); 2] = [(tags::SIG_RESERVEDSPACE, false), (tags::SIG_RESERVED, true)];

/// Makes the signature header of a package with this packet: under OPENPGP in a version 6 package, else under
/// RSAHEADER or DSAHEADER. The packet must be made over exactly this main header, as far as one can tell without
/// the key.
pub fn sign(headers: &Headers, packet: &[u8], how: How) -> Result<Vec<u8>, EditError> {
    let format = headers.format()?;
    if format == Format::V3 {
        return Err(EditError::Version3);
    }
    let of_payload = |claim: &&Claim| matches!(claim.covered, Covered::Payload | Covered::Archive);
    if CLAIMS.iter().filter(of_payload).all(|claim| headers.main.find(claim.tag).is_none()) {
        return Err(EditError::NoPayloadDigest);
    }
    signature::inspect(packet)?;
    if !fits(packet, &headers.main)? {
        return Err(EditError::OtherData);
    }
    let mut removed = if how.replace { signature::ALL.to_vec() } else { Vec::new() };
    let present: Vec<(u32, Vec<u8>)> =
        if how.replace { Vec::new() } else { signature::packets(&headers.signature)? };
    let older = present.iter().find(|(tag, _)| *tag != tags::SIG_OPENPGP).map(|(tag, _)| *tag);
    let mut inserted = Vec::new();
    if format == Format::V6 || how.rpmv6 {
        let mut packets: Vec<Vec<u8>> = present
            .into_iter()
            .filter(|(tag, _)| *tag == tags::SIG_OPENPGP)
            .map(|(_, packet)| packet)
            .collect();
        if packets.iter().any(|known| known == packet) {
            return Err(EditError::Same);
        }
        packets.push(packet.to_vec());
        inserted.push(Item::for_packets(&packets)?);
        removed.push(tags::SIG_OPENPGP);
    }
    if format == Format::V4 {
        match (Item::for_packet(packet), older) {
            (Ok(item), None) => inserted.push(item),
            (Err(_), _) | (Ok(_), Some(_)) if how.rpmv6 => {}
            (Ok(_), Some(tag)) => return Err(EditError::Present(tag)),
            (Err(error), _) => return Err(error.into()),
        }
    }
    edit(&headers.signature, &removed, &inserted)
}

/// Whether a packet was made over this main header, as far as one can tell without the key.
fn fits(packet: &[u8], main: &Header) -> Result<bool, EditError> {
    let mut pending = Pending::new(packet).map_err(SignatureError::Packet)?;
    pending.update(main.bytes());
    pending.fits().map_err(EditError::Unsupported)
}

/// Takes a whole signature header, with or without its padding, for a package: it comes back with padding,
/// otherwise as it was. What it says about the main header must be true.
pub fn adopt(headers: &Headers, raw: &[u8]) -> Result<Vec<u8>, EditError> {
    let header = Header::parse(Part::Signature, raw)?;
    let length = header.bytes().len();
    let wanted = length + padding(length);
    if raw.len() != length && raw.len() != wanted {
        return Err(EditError::Trailing(raw.len().saturating_sub(wanted.min(raw.len())).max(1)));
    }
    for check in verify::header_digests(&header, headers.main.bytes()) {
        if let verify::Outcome::Bad(_) = check.outcome {
            return Err(EditError::OtherPackage(check.to_string()));
        }
    }
    for (tag, packet) in signature::packets(&header)? {
        // What cannot be told does not speak against it: old signatures, and those of algorithms to come.
        if matches!(fits(&packet, &headers.main), Ok(false)) {
            return Err(EditError::OtherPackage(format!(
                "the signature under tag {tag} was made over other data"
            )));
        }
    }
    let mut bytes = raw.to_vec();
    bytes.resize(wanted, 0);
    Ok(bytes)
}

/// Drops tags from a signature header and puts items into it; the new header with its padding.
pub fn edit(header: &Header, removed: &[u32], inserted: &[Item]) -> Result<Vec<u8>, EditError> {
    let kept = header.entries().iter().filter(|entry| !removed.contains(&entry.tag)).map(|entry| Item {
        tag: entry.tag,
        kind: entry.kind,
        count: entry.count,
        data: header.data(entry).to_vec(),
    });
    let mut items: Vec<Item> = kept.collect();
    for item in inserted {
        if items.iter().any(|known| known.tag == item.tag) {
            return Err(EditError::Present(item.tag));
        }
        items.push(item.clone());
    }
    items.sort_by_key(|item| item.tag);
    let mut bytes = fit(&mut items, header.bytes().len())?;
    bytes.resize(bytes.len() + padding(bytes.len()), 0);
    // What rpm would not read must not be written.
    Header::parse(Part::Signature, &bytes).map_err(|_| EditError::TooLarge)?;
    Ok(bytes)
}

/// Writes a signature header of items in order that has this length, as far as the first reserve that it has allows.
fn fit(items: &mut [Item], wanted: usize) -> Result<Vec<u8>, EditError> {
    let mut bytes = assemble(items)?;
    let found = RESERVES
        .iter()
        .find_map(|(tag, grows)| Some((items.iter().position(|item| item.tag == *tag)?, *grows)));
    let Some((place, grows)) = found else { return Ok(bytes) };
    // Once more where what stands behind the reserve is aligned otherwise than before.
    for _ in 0..2 {
        let Some(reserve) = items.get_mut(place) else { break };
        let excess = bytes.len().saturating_sub(wanted);
        let missing = wanted.saturating_sub(bytes.len());
        let length = match reserve.data.len() {
            old if excess > 0 && excess < old => old - excess,
            old if missing > 0 && grows => old + missing,
            _ => break,
        };
        reserve.data.resize(length, 0);
        reserve.count = number(length)?;
        bytes = assemble(items)?;
    }
    Ok(bytes)
}

fn number(length: usize) -> Result<u32, EditError> {
    u32::try_from(length).map_err(|_| EditError::TooLarge)
}

/// Writes a signature header of items in order.
fn assemble(items: &[Item]) -> Result<Vec<u8>, EditError> {
    let entries = number(items.len() + 1)?;
    let mut index = Vec::new();
    let mut store = Vec::new();
    let entry = |index: &mut Vec<u8>, fields: [u32; 4]| {
        fields.iter().for_each(|field| index.extend(field.to_be_bytes()));
    };
    for item in items {
        let aligned = store.len().next_multiple_of(item.kind.alignment());
        store.resize(aligned, 0);
        entry(&mut index, [item.tag, item.kind as u32, number(aligned)?, item.count]);
        store.extend(&item.data);
    }
    let region = |offset| [Part::Signature.region_tag(), Type::Binary as u32, offset, 16];
    let mut bytes = vec![0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
    let end = number(store.len())?;
    bytes.extend(entries.to_be_bytes());
    bytes.extend((end + 16).to_be_bytes());
    entry(&mut bytes, region(end));
    bytes.extend(index);
    entry(&mut store, region((entries * 16).wrapping_neg()));
    bytes.extend(store);
    Ok(bytes)
}

/// Writes a package with another signature header (as [`sign`], [`adopt`] and [`edit`] give it), streaming: of a
/// reader that stands at the payload, which is never in memory.
pub fn write(
    headers: &Headers,
    signature: &[u8],
    mut payload: impl Read,
    mut signed: impl Write,
) -> Result<(), EditError> {
    let mut copy = || {
        signed.write_all(&headers.lead)?;
        signed.write_all(signature)?;
        signed.write_all(headers.main.bytes())?;
        io::copy(&mut payload, &mut signed)?;
        signed.flush()
    };
    copy().map_err(EditError::Io)
}

/// Copies a package with another signature header (as [`sign`] and [`edit`] give it), streaming:
/// the payload is never in memory.
pub fn splice(mut package: impl Read, header: &[u8], mut signed: impl Write) -> Result<(), EditError> {
    let lead = read_lead(&mut package)?;
    let old = Header::read(Part::Signature, &mut package)?;
    let gap = padding(old.bytes().len()) as u64;
    let skipped = io::copy(&mut package.by_ref().take(gap), &mut io::sink()).map_err(EditError::Io)?;
    if skipped != gap {
        return Err(PackageError::Truncated("signature header's padding").into());
    }
    let mut copy = || {
        signed.write_all(&lead)?;
        signed.write_all(header)?;
        io::copy(&mut package, &mut signed)?;
        signed.flush()
    };
    copy().map_err(EditError::Io)
}
