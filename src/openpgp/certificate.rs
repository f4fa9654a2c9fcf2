//! Certificates (public keys with their user ids) and keyrings.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{KeyParts, KeyRole};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::judge::policy;
use crate::base::digest::hex;

/// The fingerprint of a certificate or key: 40 (version 4) or 64 (version 6) upper-case hexadecimal
/// digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

/// The text is no fingerprint. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a key fingerprint: expected 40 or 64 hexadecimal digits (short key ids are not unique)"
)]
pub struct FingerprintError(String);

impl Fingerprint {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(fingerprint: &sequoia_openpgp::Fingerprint) -> Self {
        Self(hex(fingerprint.as_bytes()).to_ascii_uppercase())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Takes lower case and spaces between the digits, as gpg prints them.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits: String =
            text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).take(65).collect();
        if matches!(digits.len(), 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(digits))
        } else {
            Err(FingerprintError(text.escape_debug().take(100).collect()))
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why bytes are no keyring. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Larger than any keyring that we accept.
    #[error("the keyring has more than {} MiB", Certificate::KEYRING_LIMIT >> 20)]
    TooLarge,
    /// It cannot be parsed.
    #[error("the keyring holds no readable OpenPGP certificate: {0}")]
    Malformed(String),
    /// It holds no certificate.
    #[error("the keyring is empty")]
    Empty,
    /// A public key was wanted, several are there.
    #[error("the file holds {0} certificates, exactly one was expected")]
    Several(usize),
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate(Cert);

impl Certificate {
    /// The largest keyring that is read.
    pub const KEYRING_LIMIT: usize = 16 << 20;

    /// Parses the certificates of a keyring, armored or not. Secret parts are dropped.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, KeyringError> {
        if bytes.len() > Self::KEYRING_LIMIT {
            return Err(KeyringError::TooLarge);
        }
        let malformed = |error: &dyn fmt::Display| KeyringError::Malformed(error.to_string());
        let mut certificates = Vec::new();
        // A keyring file may be several armored blocks one after the other; sequoia reads the first.
        for block in blocks(bytes) {
            for cert in CertParser::from_bytes(block).map_err(|error| malformed(&error))? {
                certificates.push(Self(cert.map_err(|error| malformed(&error))?.strip_secret_key_material()));
            }
        }
        if certificates.is_empty() { Err(KeyringError::Empty) } else { Ok(certificates) }
    }

    /// Parses exactly one certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyringError> {
        let mut all = Self::parse_all(bytes)?;
        match (all.pop(), all.len()) {
            (Some(one), 0) => Ok(one),
            (_, others) => Err(KeyringError::Several(others + 1)),
        }
    }

    /// Its fingerprint (that of its primary key).
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.fingerprint())
    }

    /// The fingerprints of its primary key and its subkeys: any of them may have made a signature.
    pub fn key_fingerprints(&self) -> Vec<Fingerprint> {
        self.0.keys().map(|key| Fingerprint::of(&key.key().fingerprint())).collect()
    }

    /// Its user ids, in its own order.
    pub fn user_ids(&self) -> Vec<String> {
        self.0.userids().map(|id| String::from_utf8_lossy(id.userid().value()).into_owned()).collect()
    }

    /// The primary key's algorithm, such as `RSA 4096` or `EdDSA 256`.
    pub fn algorithm(&self) -> String {
        algorithm(self.0.primary_key().key())
    }

    /// This certificate with what a copy of it says besides, revocations for one.
    pub(super) fn merged(self, copy: Self) -> Self {
        match self.0.clone().merge_public(copy.0) {
            Ok(merged) => Self(merged),
            // Another certificate; callers compare fingerprints first.
            Err(_) => self,
        }
    }

    /// When its primary key was made, in seconds since 1970.
    pub fn created(&self) -> i64 {
        seconds(self.0.primary_key().key().creation_time())
    }

    /// When its primary key expires as its newest binding says; none if never. An error says why the
    /// certificate is not usable at all (such as bindings made with SHA-1).
    pub fn expiry(&self) -> Result<Option<i64>, String> {
        let policy = policy();
        // The newest binding there is: seen from the end of OpenPGP's 32-bit time.
        let end = UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX));
        let valid = self.0.with_policy(&policy, end).map_err(|error| error.root_cause().to_string())?;
        Ok(valid.primary_key().key_expiration_time().map(seconds))
    }

    /// The certificate in armor, the same bytes each time.
    pub fn armored(&self) -> String {
        let bytes = self.0.clone().strip_secret_key_material().armored().to_vec().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The certificate's packets without armor.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_vec().unwrap_or_default()
    }

    pub(crate) fn cert(&self) -> &Cert {
        &self.0
    }

    pub(crate) fn from_cert(cert: &Cert) -> Self {
        Self(cert.clone().strip_secret_key_material())
    }
}

impl AsRef<[Self]> for Certificate {
    fn as_ref(&self) -> &[Self] {
        std::slice::from_ref(self)
    }
}

/// A key's algorithm and its bits, such as `RSA 4096`.
pub(super) fn algorithm<P: KeyParts, R: KeyRole>(key: &Key<P, R>) -> String {
    let name = match u8::from(key.pk_algo()) {
        1..=3 => "RSA".into(),
        17 => "DSA".into(),
        19 => "ECDSA".into(),
        22 => "EdDSA".into(),
        27 => "Ed25519".into(),
        _ => key.pk_algo().to_string(),
    };
    key.mpis().bits().map_or(name.clone(), |bits| format!("{name} {bits}"))
}

pub(super) fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// The armored blocks of a text, or all of it where there are none.
fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    let starts: Vec<usize> = bytes
        .windows(BEGIN.len())
        .enumerate()
        .filter(|(place, window)| *window == BEGIN && (*place == 0 || bytes.get(place - 1) == Some(&b'\n')))
        .map(|(place, _)| place)
        .collect();
    let binary = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    if starts.is_empty() || binary {
        return vec![bytes];
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| bytes.get(*start..end)).collect()
}
