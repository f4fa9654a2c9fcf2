//! Giving signatures to a hub: what a signing service does with a hub.

use base64::Engine as _;
use openssl::hash::{MessageDigest, hash};

use super::connection::Hub;
use super::error::KojiError;
use super::rows::Signature;
use crate::base::digest::hex;
use crate::format::xmlrpc::Arguments;
use crate::openpgp;
use crate::rpm::{Header, Part, tags};

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
#[error("the signature header cannot be given to a hub: {0}")]
pub struct NoSignatureHeader(String);

impl SignatureHeader {
    /// Reads a signature header, with its padding or without.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoSignatureHeader> {
        let bad = |reason: &dyn std::fmt::Display| NoSignatureHeader(reason.to_string());
        let header = Header::parse(Part::Signature, bytes).map_err(|error| bad(&error))?;
        let length = header.bytes().len();
        let padding = bytes.get(length..).unwrap_or_default();
        if padding.len() >= 8 || padding.iter().any(|byte| *byte != 0) {
            return Err(bad(&"something follows it"));
        }
        let mut bytes = header.bytes().to_vec();
        bytes.resize(length.next_multiple_of(8), 0);
        let sigmd5 = header.binary(tags::SIG_MD5).map_err(|error| bad(&error))?.map(hex);
        let mut sigkey = String::new();
        // The order in which Koji looks for a signature (library 1.36.1, `get_sighdr_key`).
        for tag in [tags::SIG_GPG, tags::SIG_PGP, tags::SIG_DSA, tags::SIG_RSA] {
            let packet = header.binary(tag).map_err(|error| bad(&error))?;
            if let Some(packet) = packet.filter(|packet| !packet.is_empty()) {
                let info = openpgp::inspect_single(packet).map_err(|error| bad(&error))?;
                let [id] = info.issuer_ids.as_slice() else {
                    return Err(bad(&"its signature has not exactly one key id"));
                };
                sigkey = id.get(id.len().saturating_sub(8)..).unwrap_or_default().to_ascii_lowercase();
                break;
            }
        }
        let sighash = hash(MessageDigest::md5(), &bytes).map_err(|error| bad(&error))?;
        Ok(Self { sighash: hex(&sighash), bytes, sigkey, sigmd5 })
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
