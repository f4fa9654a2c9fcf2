//! Signature packets: what they say, and their armor.

use std::io::{Read as _, Write as _};
use std::time::SystemTime;

use sequoia_openpgp::armor;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::{KeyHandle, Packet, PacketPile};

use super::certificate::{Fingerprint, seconds};

/// The most bytes of signature packets that are read at once.
pub const LIMIT: usize = 1 << 20;

/// Why bytes are no signature packets. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// More than any signature needs.
    #[error("the signature has more than {} MiB", LIMIT >> 20)]
    TooLarge,
    /// No OpenPGP packets.
    #[error("the signature is no OpenPGP packet: {0}")]
    Malformed(String),
    /// Another kind of packet, or none at all.
    #[error("the bytes hold no OpenPGP signature, or something besides")]
    NoSignature,
    /// A signature of a version or with an algorithm that is not understood.
    #[error("the signature is of a kind that is not supported: {0}")]
    Unsupported(String),
}

/// What a signature packet says of itself; nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureInfo {
    /// 3, 4 or 6.
    pub version: u8,
    /// Its type, 0 for a binary document, 1 for text.
    pub kind: u8,
    /// Number of the public-key algorithm (RFC 9580, section 9.1): 1 RSA, 17 DSA, 19 ECDSA, 22 EdDSA.
    pub algorithm: u8,
    /// Number of the hash function (section 9.5): 2 SHA-1, 8 SHA-256, 10 SHA-512.
    pub hash: u8,
    /// When it claims to be made, in seconds since 1970.
    pub created: Option<i64>,
    /// The fingerprint of the key that made it, where it says so.
    pub issuer: Option<Fingerprint>,
    /// The key ids (16 upper-case digits) that it names as its issuer.
    pub issuer_ids: Vec<String>,
}

impl SignatureInfo {
    pub(super) fn of(signature: &Signature) -> Self {
        let handles = signature.get_issuers();
        let issuer = handles.iter().find_map(|handle| match handle {
            KeyHandle::Fingerprint(fingerprint) => Some(Fingerprint::of(fingerprint)),
            KeyHandle::KeyID(_) => None,
        });
        let ids = handles.iter().filter_map(|handle| match handle {
            KeyHandle::KeyID(id) => Some(id.to_hex()),
            KeyHandle::Fingerprint(_) => None,
        });
        Self {
            version: signature.version(),
            kind: signature.typ().into(),
            algorithm: signature.pk_algo().into(),
            hash: signature.hash_algo().into(),
            created: signature.signature_creation_time().map(seconds),
            issuer,
            issuer_ids: ids.collect(),
        }
    }

    /// Whether the packet belongs under RSAHEADER (268); DSAHEADER (267) holds all others.
    pub fn is_rsa(&self) -> bool {
        matches!(self.algorithm, 1..=3)
    }
}

/// Parses signature packets, armored or not.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Signature>, PacketError> {
    if bytes.len() > LIMIT {
        return Err(PacketError::TooLarge);
    }
    let pile = PacketPile::from_bytes(bytes).map_err(|error| PacketError::Malformed(error.to_string()))?;
    let mut signatures = Vec::new();
    for packet in pile.into_children() {
        match packet {
            Packet::Signature(signature) => signatures.push(signature),
            Packet::Unknown(unknown) if unknown.tag() == sequoia_openpgp::packet::Tag::Signature => {
                return Err(PacketError::Unsupported(unknown.error().to_string()));
            }
            Packet::Marker(_) | Packet::Padding(_) => {}
            _ => return Err(PacketError::NoSignature),
        }
    }
    if signatures.is_empty() { Err(PacketError::NoSignature) } else { Ok(signatures) }
}

/// What the signature packets (armored or not) say of themselves.
pub fn inspect(bytes: &[u8]) -> Result<Vec<SignatureInfo>, PacketError> {
    Ok(parse(bytes)?.iter().map(SignatureInfo::of).collect())
}

/// Puts a detached signature into armor, the same bytes each time: no comment, no version.
pub fn armor_detached(packet: &[u8]) -> String {
    let armor = || -> std::io::Result<Vec<u8>> {
        let mut writer = armor::Writer::new(Vec::new(), armor::Kind::Signature)?;
        writer.write_all(packet)?;
        writer.finalize()
    };
    // Writing into memory cannot fail.
    String::from_utf8_lossy(&armor().unwrap_or_default()).into_owned()
}

/// Takes armor off, if there is any.
pub fn dearmor(bytes: &[u8]) -> Result<Vec<u8>, PacketError> {
    if bytes.len() > LIMIT {
        return Err(PacketError::TooLarge);
    }
    if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Ok(bytes.to_vec());
    }
    let mut reader =
        armor::Reader::from_bytes(bytes, armor::ReaderMode::Tolerant(Some(armor::Kind::Signature)));
    let mut packets = Vec::new();
    reader.read_to_end(&mut packets).map_err(|error| PacketError::Malformed(error.to_string()))?;
    Ok(packets)
}

pub(super) fn time(seconds: i64) -> SystemTime {
    std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
