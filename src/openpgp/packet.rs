//! Signature packets: what they say, and their armor.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::time::SystemTime;

use sequoia_openpgp::armor;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use sequoia_openpgp::{KeyHandle, Packet};

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
    /// One packet was wanted, in binary.
    #[error("the signature is in armor; it must be the packet itself")]
    Armored,
    /// One packet was wanted, and there are several.
    #[error("there are {0} packets instead of one signature")]
    Several(usize),
    /// One packet was wanted, and there is something behind it.
    #[error("{0} bytes follow the signature packet")]
    Trailing(usize),
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

    /// The key that it names: the fingerprint where it says so, else a key id.
    pub fn issuer_name(&self) -> Option<String> {
        self.issuer.as_ref().map(ToString::to_string).or_else(|| self.issuer_ids.first().cloned())
    }

    /// Whether the packet belongs under RSAHEADER (268); DSAHEADER (267) holds all others.
    pub fn is_rsa(&self) -> bool {
        matches!(self.algorithm, 1..=3)
    }

    /// What the public-key algorithm is called, such as `RSA`; `algorithm 99` where it has no name.
    pub fn algorithm_name(&self) -> Cow<'static, str> {
        match self.algorithm {
            1..=3 => "RSA".into(),
            17 => "DSA".into(),
            19 => "ECDSA".into(),
            22 => "EdDSA".into(),
            27 => "Ed25519".into(),
            28 => "Ed448".into(),
            30 => "ML-DSA-65+Ed25519".into(),
            31 => "ML-DSA-87+Ed448".into(),
            number => format!("algorithm {number}").into(),
        }
    }

    /// What the hash function is called, such as `SHA256`; `hash 99` where it has no name.
    pub fn hash_name(&self) -> Cow<'static, str> {
        match self.hash {
            1 => "MD5".into(),
            2 => "SHA1".into(),
            3 => "RIPEMD160".into(),
            8 => "SHA256".into(),
            9 => "SHA384".into(),
            10 => "SHA512".into(),
            11 => "SHA224".into(),
            12 => "SHA3-256".into(),
            14 => "SHA3-512".into(),
            number => format!("hash {number}").into(),
        }
    }
}

/// The first packet's tag and length with its header (RFC 9580, section 4.2); none where the bytes end before
/// it does, or where it has no definite length.
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let byte = |place: usize| bytes.get(place).copied().map(usize::from);
    let wide = |place: usize, width: usize| {
        bytes
            .get(place..place + width)
            .map(|piece| piece.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let first = *bytes.first()?;
    let (tag, header, body) = match (first >> 6, first & 3) {
        (0b11, _) => match byte(1)? {
            short @ ..192 => (first & 0x3f, 2, short),
            middle @ 192..224 => (first & 0x3f, 3, ((middle - 192) << 8) + byte(2)? + 192),
            255 => (first & 0x3f, 6, wide(2, 4)?),
            _ => return None,
        },
        (0b10, 3) => return None,
        (0b10, kind) => {
            let width = 1 << kind;
            (first >> 2 & 0xf, 1 + width, wide(1, width)?)
        }
        _ => return None,
    };
    let length = header.checked_add(body)?;
    (length <= bytes.len()).then_some((tag, length))
}

/// Parses exactly one signature packet: in binary, with nothing before and nothing behind it.
pub(super) fn parse_single(bytes: &[u8]) -> Result<Signature, PacketError> {
    if bytes.len() > LIMIT {
        return Err(PacketError::TooLarge);
    }
    if bytes.first().is_some_and(|byte| byte & 0x80 == 0) {
        // Text is either armor or nothing of OpenPGP at all.
        return Err(if parse(bytes).is_ok() { PacketError::Armored } else { PacketError::NoSignature });
    }
    let malformed = || PacketError::Malformed("it ends before the packet does".into());
    let (tag, length) = frame(bytes).ok_or_else(malformed)?;
    if tag != u8::from(sequoia_openpgp::packet::Tag::Signature) {
        return Err(PacketError::NoSignature);
    }
    let rest = bytes.get(length..).unwrap_or_default();
    if !rest.is_empty() {
        let (mut packets, mut left) = (1, rest);
        while let Some((_, length)) = frame(left) {
            packets += 1;
            left = left.get(length..).unwrap_or_default();
        }
        let whole = left.is_empty();
        return Err(if whole { PacketError::Several(packets) } else { PacketError::Trailing(rest.len()) });
    }
    parse(bytes)?.pop().ok_or(PacketError::NoSignature)
}

/// What exactly one signature packet says of itself: in binary, with nothing before and nothing behind it.
pub fn inspect_single(bytes: &[u8]) -> Result<SignatureInfo, PacketError> {
    parse_single(bytes).map(|signature| SignatureInfo::of(&signature))
}

/// Parses signature packets, armored or not.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Signature>, PacketError> {
    if bytes.len() > LIMIT {
        return Err(PacketError::TooLarge);
    }
    let malformed = |error: sequoia_openpgp::anyhow::Error| PacketError::Malformed(error.to_string());
    let mut signatures = Vec::new();
    // Packet by packet: what is no signature ends it before anything of it is unpacked.
    let mut rest = PacketParser::from_bytes(bytes).map_err(malformed)?;
    while let PacketParserResult::Some(parser) = rest {
        if matches!(parser.packet, Packet::CompressedData(_)) {
            return Err(PacketError::NoSignature);
        }
        let (packet, next) = parser.next().map_err(malformed)?;
        rest = next;
        match packet {
            Packet::Signature(signature) => signatures.push(signature),
            Packet::Unknown(unknown) if unknown.tag() == sequoia_openpgp::packet::Tag::Signature => {
                use sequoia_openpgp::Error as E;
                let damaged = matches!(
                    unknown.error().downcast_ref(),
                    Some(E::MalformedMPI(_) | E::MalformedPacket(_))
                );
                let words = unknown.error().to_string();
                return Err(if damaged {
                    PacketError::Malformed(words)
                } else {
                    PacketError::Unsupported(words)
                });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_unpacked() {
        // Compressed data that are none: whoever unpacks them finds them broken.
        let packet = [&[0xc8, 5, 1][..], &[0xff; 4]].concat();
        for bytes in [packet.clone(), armor_detached(&packet).into_bytes()] {
            assert!(matches!(parse(&bytes), Err(PacketError::NoSignature)), "{bytes:?}");
        }
    }
}
