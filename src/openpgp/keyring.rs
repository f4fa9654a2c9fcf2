//! The certificates that are trusted, each known once with all that its copies say.

use std::collections::BTreeMap;

use super::certificate::{Certificate, Fingerprint};

/// Certificates in the order of their fingerprints. Several copies of one certificate become one: a copy may be
/// older than another, and lack its revocations or newer bindings.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
}

impl FromIterator<Certificate> for Keyring {
    fn from_iter<I: IntoIterator<Item = Certificate>>(certificates: I) -> Self {
        let mut known: BTreeMap<Fingerprint, Certificate> = BTreeMap::new();
        for certificate in certificates {
            let merged = match known.remove(&certificate.fingerprint()) {
                Some(copy) => copy.merged(certificate),
                None => certificate,
            };
            known.insert(merged.fingerprint(), merged);
        }
        Self { certificates: known.into_values().collect() }
    }
}

impl Keyring {
    /// The certificates in the order of their fingerprints.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }
}

impl AsRef<[Certificate]> for Keyring {
    fn as_ref(&self) -> &[Certificate] {
        &self.certificates
    }
}
