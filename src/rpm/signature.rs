//! The OpenPGP signatures in a signature header: where they stand, and which place a packet has.
//!
//! | tag | form | covers |
//! |---|---|---|
//! | DSAHEADER (267), RSAHEADER (268) | one packet | the main header |
//! | OPENPGP (278, rpm 6) | any number of packets in base64 | the main header |
//! | GPG (1005), PGP (1002) | one packet | main header and payload, as before rpm 4 |
//!
//! The packet decides which of two tags it is: RSA stands under RSAHEADER, DSA, ECDSA and EdDSA under DSAHEADER.
//! Packets of version 6 and other algorithms have a place under OPENPGP only (rpm 6.0, `sign/rpmgensig.cc`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::header::{Header, HeaderError, Type};
use super::tags;
use crate::openpgp::{self, PacketError};

/// More signatures than any package has; a file that claims more is refused before they are looked at.
const MOST: usize = 64;

/// Tags of one packet each over the main header.
pub(super) const OF_HEADER: [u32; 2] = [tags::SIG_DSA, tags::SIG_RSA];
/// Tags of one packet each over main header and payload.
pub(super) const OF_BOTH: [u32; 2] = [tags::SIG_PGP, tags::SIG_GPG];

/// Every tag that an OpenPGP signature may stand under, as `rpmsign --resign` drops them (1006 is PGP 5's).
pub(super) const ALL: [u32; 6] =
    [tags::SIG_DSA, tags::SIG_RSA, tags::SIG_OPENPGP, tags::SIG_PGP, tags::SIG_GPG, tags::SIG_PGP5];

/// Why something is no signature of a package. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The signature header is damaged.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It is no packet, or more than one.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// It is not of the kind that a header signature must be.
    #[error("the signature cannot stand in a signature header: {0}")]
    Kind(String),
    /// What stands under OPENPGP is not base64.
    #[error("a signature under tag 278 is not base64")]
    Base64,
    /// There are more signatures than any package has.
    #[error("the signature header has {0} signatures, more than {MOST}")]
    TooMany(usize),
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
    /// The item of one header signature in a version 4 package: a packet of version 3 or 4, in binary.
    pub fn for_packet(packet: &[u8]) -> Result<Self, SignatureError> {
        let info = inspect(packet)?;
        let tag = match info.algorithm {
            _ if info.is_rsa() => tags::SIG_RSA,
            17 | 19 | 22 => tags::SIG_DSA,
            _ => {
                return Err(SignatureError::Kind(format!(
                    "{} needs a version 6 package",
                    info.algorithm_name()
                )));
            }
        };
        if !matches!(info.version, 3 | 4) {
            return Err(SignatureError::Kind(format!("version {} needs a version 6 package", info.version)));
        }
        Ok(Self { tag, kind: Type::Binary, count: count(packet.len())?, data: packet.to_vec() })
    }

    /// The item of the header signatures of a version 6 package, in this order: packets of version 4 or 6.
    pub fn for_packets(packets: &[Vec<u8>]) -> Result<Self, SignatureError> {
        let mut data = Vec::new();
        for packet in packets {
            let info = inspect(packet)?;
            if !matches!(info.version, 4 | 6) {
                return Err(SignatureError::Kind(format!(
                    "it has version {} instead of 4 or 6",
                    info.version
                )));
            }
            data.extend(BASE64.encode(packet).bytes());
            data.push(0);
        }
        Ok(Self { tag: tags::SIG_OPENPGP, kind: Type::TextArray, count: count(packets.len())?, data })
    }
}

/// Exactly one packet that signs a binary document.
pub(super) fn inspect(packet: &[u8]) -> Result<openpgp::SignatureInfo, SignatureError> {
    let info = openpgp::inspect_single(packet)?;
    if info.kind != 0 {
        return Err(SignatureError::Kind(format!("it has type {} instead of 0", info.kind)));
    }
    Ok(info)
}

fn count(length: usize) -> Result<u32, SignatureError> {
    u32::try_from(length).map_err(|_| SignatureError::Packet(PacketError::TooLarge))
}

/// The signatures over the main header, with the tag that each stands under.
pub fn packets(header: &Header) -> Result<Vec<(u32, Vec<u8>)>, SignatureError> {
    let mut found = Vec::new();
    for tag in OF_HEADER {
        if let Some(packet) = header.binary(tag)? {
            found.push((tag, packet.to_vec()));
        }
    }
    let texts = header.texts(tags::SIG_OPENPGP)?;
    if texts.len() > MOST {
        return Err(SignatureError::TooMany(texts.len()));
    }
    for text in texts {
        let text: String = text.split_ascii_whitespace().collect();
        found.push((tags::SIG_OPENPGP, BASE64.decode(text).map_err(|_| SignatureError::Base64)?));
    }
    Ok(found)
}

/// The packets that sign main header and payload, as before rpm 4, with the tag that each stands under.
pub fn legacy_packets(header: &Header) -> Result<Vec<(u32, Vec<u8>)>, SignatureError> {
    let mut found = Vec::new();
    for tag in OF_BOTH {
        if let Some(packet) = header.binary(tag)? {
            found.push((tag, packet.to_vec()));
        }
    }
    Ok(found)
}
