//! Giving signatures to a hub: what a signing service does with a hub.

use base64::Engine as _;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};

use super::connection::Hub;
use super::error::KojiError;
use super::rows::Signature;
use crate::base::digest::hex;
use crate::format::xmlrpc::Arguments;
use crate::openpgp::{self, PacketError};
use crate::rpm::{Header, HeaderError, Headers, Part, tags};

/// A signature header, as hubs keep them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeader {
    /// Its bytes with their padding to a multiple of 8.
    pub bytes: Vec<u8>,
    /// The last 8 digits of the id of the key that signed; empty where nobody did.
    pub sigkey: String,
    /// MD5 of the bytes.
    pub sighash: String,
    /// MD5 of main header and payload, where it says so.
    pub sigmd5: Option<String>,
}

/// Bytes are no signature header that a hub takes. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum NoSignatureHeader {
    /// They are no header.
    #[error("it is damaged")]
    Header(#[from] HeaderError),
    /// They are more than one.
    #[error("there is something behind it")]
    Behind,
    /// Its signature is no OpenPGP packet.
    #[error("its signature is no packet")]
    Packet(#[from] PacketError),
    /// Its signature names no key, or several.
    #[error("its signature has {0} key ids, not exactly one")]
    KeyIds(usize),
    /// Its signature is of a version that Koji does not read.
    #[error("its signature is a packet of version {0}")]
    Version(u8),
    /// OpenSSL fails.
    #[error("its MD5 cannot be had")]
    OpenSsl(#[from] ErrorStack),
}

impl SignatureHeader {
    /// Reads a signature header, with its padding or without.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoSignatureHeader> {
        let header = Header::parse(Part::Signature, bytes)?;
        let length = header.bytes().len();
        let padded = length.next_multiple_of(8);
        let padding = bytes.get(length..).unwrap_or_default();
        let fits = bytes.len() == length || bytes.len() == padded && padding.iter().all(|byte| *byte == 0);
        if !fits {
            return Err(NoSignatureHeader::Behind);
        }
        let mut bytes = bytes.to_vec();
        // A copy that is put together of it needs the padding.
        bytes.resize(padded, 0);
        Self::new(&header, bytes)
    }

    /// The signature header of a package, with its padding as it is there.
    pub fn of(headers: &Headers) -> Result<Self, NoSignatureHeader> {
        let bytes = [headers.signature.bytes(), &headers.padding[..]].concat();
        Self::new(&headers.signature, bytes)
    }

    fn new(header: &Header, bytes: Vec<u8>) -> Result<Self, NoSignatureHeader> {
        let sigmd5 = header.binary(tags::SIG_MD5)?.map(hex);
        let mut sigkey = String::new();
        // The order in which Koji looks for a signature (hub 1.35.3, library 1.36.1: `get_sighdr_key`).
        for tag in [tags::SIG_GPG, tags::SIG_PGP, tags::SIG_DSA, tags::SIG_RSA] {
            if let Some(packet) = header.binary(tag)?.filter(|packet| !packet.is_empty()) {
                sigkey = key_of(packet)?;
                break;
            }
        }
        let sighash = hex(&hash(MessageDigest::md5(), &bytes)?);
        Ok(Self { bytes, sigkey, sighash, sigmd5 })
    }
}

/// The key that a signature packet names, by the last 8 digits of its id. Koji reads packets of version 3 and 4 which name
/// exactly one id.
fn key_of(packet: &[u8]) -> Result<String, NoSignatureHeader> {
    let info = openpgp::inspect_single(packet)?;
    match (info.version, info.issuer_ids.as_slice()) {
        (3 | 4, [id]) => Ok(id.get(id.len().saturating_sub(8)..).unwrap_or_default().to_ascii_lowercase()),
        (3 | 4, ids) => Err(NoSignatureHeader::KeyIds(ids.len())),
        (version, _) => Err(NoSignatureHeader::Version(version)),
    }
}

impl Hub {
    /// Signatures of an RPM by one key.
    pub async fn signatures_by(&self, rpm: i64, sigkey: &str) -> Result<Vec<Signature>, KojiError> {
        self.call("queryRPMSigs", Arguments::none().with("rpm_id", rpm).with("sigkey", sigkey)).await
    }

    /// Gives a signature of an RPM to the hub; it needs a login and the permission `sign`. No signed copy is written.
    pub async fn add_signature(&self, rpm: i64, header: &SignatureHeader) -> Result<(), KojiError> {
        let data = base64::engine::general_purpose::STANDARD.encode(&header.bytes);
        self.call::<Option<bool>>("addRPMSig", Arguments::of(rpm).and(data)).await.map(drop)
    }
}
