//! The signature header's editor: what makes a signed package of an unsigned one and a packet.
//!
//! A release's lock pins packets, and unsigned file + packet must give the signed file byte for byte,
//! also when rpmsign or sigul wrote it. So this editor writes what rpm 4.18's `rpmsign` writes:
//!
//! 1. Tags that are to go are dropped, new ones are put in; all others stay as they are.
//! 2. Entries stand in the order of their tags, their data likewise, aligned to its type (2, 4 or 8
//!    bytes, with zeros). The region (tag 62, BIN, 16 bytes) comes first in the index; its trailer is
//!    the end of the store, with offset −16 × number of entries (the region included).
//! 3. RESERVEDSPACE (1008, zeros) gives way: where the header would become longer than it was, the
//!    reserve becomes shorter by as much. A reserve that is too small for that stays as it is and the
//!    file grows; the reserve never grows back when a signature goes.
//! 4. Zeros pad the header to a multiple of 8. Lead, main header and payload are untouched.
//!
//! One header signature of a version 4 packet stands under RSAHEADER (268) if it is an RSA one, else
//! under DSAHEADER (267).
//!
//! REVISION of the step that uses this has to be raised whenever other bytes come out.

use std::io::{self, Read, Write};

use base64::Engine as _;

use super::header::{Header, HeaderError, Part, Type};
use super::package::{PackageError, padding, read_lead};
use super::tags;
use crate::openpgp::{self, PacketError};

/// Why a signature cannot be put into a package. Except for a failed read or write, retrying cannot
/// help.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its signature header is damaged.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The signature is not one.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// It is not of the kind that a header signature must be.
    #[error("the signature cannot stand in a signature header: {0}")]
    Kind(String),
    /// There is already one under the same tag.
    #[error("the package already has a signature under tag {0}; start from the unsigned file")]
    Present(u32),
    /// The header would exceed rpm's bounds.
    #[error("the signature header would become larger than rpm allows")]
    TooLarge,
    /// Copying failed. A retry may help.
    #[error("the signed package cannot be written")]
    Io(#[source] io::Error),
}

/// A tag with its data, to be put into a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The tag.
    pub tag: u32,
    /// The type of its data.
    pub kind: Type,
    /// Number of items.
    pub count: u32,
    /// The data as it stands in the store.
    pub data: Vec<u8>,
}

impl Item {
    /// The item for a header signature: one version 4 packet, in binary.
    pub fn for_packet(packet: &[u8]) -> Result<Self, SignatureError> {
        let infos = openpgp::inspect(packet)?;
        let [info] = infos.as_slice() else {
            return Err(SignatureError::Kind(format!("it is {} packets instead of one", infos.len())));
        };
        if packet.first().is_none_or(|byte| byte & 0x80 == 0) {
            return Err(SignatureError::Kind("it is armored".into()));
        }
        if info.version != 4 || info.kind != 0 {
            let kind = format!("it has version {} and type {} instead of 4 and 0", info.version, info.kind);
            return Err(SignatureError::Kind(kind));
        }
        let tag = if info.is_rsa() { tags::SIG_RSA } else { tags::SIG_DSA };
        let count = u32::try_from(packet.len()).map_err(|_| SignatureError::TooLarge)?;
        Ok(Self { tag, kind: Type::Binary, count, data: packet.to_vec() })
    }
}

/// Puts a packet into a signature header; the new header with its padding.
pub fn insert(header: &Header, packet: &[u8]) -> Result<Vec<u8>, SignatureError> {
    edit(header, &[], &[Item::for_packet(packet)?])
}

/// Drops tags from a signature header and puts items into it; the new header with its padding.
pub fn edit(header: &Header, removed: &[u32], inserted: &[Item]) -> Result<Vec<u8>, SignatureError> {
    let kept = header.entries().iter().filter(|entry| !removed.contains(&entry.tag)).map(|entry| Item {
        tag: entry.tag,
        kind: entry.kind,
        count: entry.count,
        data: header.data(entry).to_vec(),
    });
    let mut items: Vec<Item> = kept.collect();
    for item in inserted {
        if items.iter().any(|known| known.tag == item.tag) {
            return Err(SignatureError::Present(item.tag));
        }
        items.push(item.clone());
    }
    items.sort_by_key(|item| item.tag);
    let mut bytes = assemble(&items)?;
    let excess = bytes.len().saturating_sub(header.bytes().len());
    if let Some(reserve) = items.iter_mut().find(|item| item.tag == tags::SIG_RESERVEDSPACE)
        && excess > 0
        && excess < reserve.data.len()
    {
        reserve.data.truncate(reserve.data.len() - excess);
        reserve.count = u32::try_from(reserve.data.len()).map_err(|_| SignatureError::TooLarge)?;
        bytes = assemble(&items)?;
    }
    bytes.resize(bytes.len() + padding(bytes.len()), 0);
    // What rpm would not read must not be written.
    Header::parse(Part::Signature, &bytes).map_err(|_| SignatureError::TooLarge)?;
    Ok(bytes)
}

/// Writes a signature header of items in order.
fn assemble(items: &[Item]) -> Result<Vec<u8>, SignatureError> {
    let number = |length: usize| u32::try_from(length).map_err(|_| SignatureError::TooLarge);
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

/// Copies a package with another signature header (as [`insert`] and [`edit`] give it), streaming:
/// the payload is never in memory.
pub fn splice(mut package: impl Read, header: &[u8], mut signed: impl Write) -> Result<(), SignatureError> {
    let lead = read_lead(&mut package)?;
    let old = Header::read(Part::Signature, &mut package)?;
    let gap = padding(old.bytes().len()) as u64;
    let skipped = io::copy(&mut package.by_ref().take(gap), &mut io::sink()).map_err(SignatureError::Io)?;
    if skipped != gap {
        return Err(PackageError::Truncated("signature header's padding").into());
    }
    let mut copy = || {
        signed.write_all(&lead)?;
        signed.write_all(header)?;
        io::copy(&mut package, &mut signed)?;
        signed.flush()
    };
    copy().map_err(SignatureError::Io)
}

/// The signatures over the main header, with the tag that each stands under: DSAHEADER and RSAHEADER
/// hold one packet each, OPENPGP (278, rpm 6) several in base64.
pub fn packets(header: &Header) -> Result<Vec<(u32, Vec<u8>)>, SignatureError> {
    let mut found = Vec::new();
    for tag in [tags::SIG_DSA, tags::SIG_RSA] {
        if let Some(packet) = header.binary(tag)? {
            found.push((tag, packet.to_vec()));
        }
    }
    for text in header.texts(tags::SIG_OPENPGP)? {
        let packet = base64::engine::general_purpose::STANDARD
            .decode(text.split_ascii_whitespace().collect::<String>())
            .map_err(|_| SignatureError::Kind("a signature under OPENPGP is not base64".into()))?;
        found.push((tags::SIG_OPENPGP, packet));
    }
    Ok(found)
}
