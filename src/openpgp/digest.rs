//! Hash functions by their OpenPGP numbers (RFC 9580, section 9.5), which RPM uses too.

use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::types::HashAlgorithm;

/// A hash function at work.
pub struct Hashing(Context);

impl Hashing {
    /// MD5.
    pub const MD5: u8 = 1;
    /// SHA-1.
    pub const SHA1: u8 = 2;
    /// SHA-256.
    pub const SHA256: u8 = 8;
    /// SHA-512.
    pub const SHA512: u8 = 10;
    /// SHA3-256.
    pub const SHA3_256: u8 = 12;

    /// Starts; none where the function is unknown or switched off in OpenSSL.
    pub fn new(number: u8) -> Option<Self> {
        HashAlgorithm::from(number).context().ok().map(|builder| Self(builder.for_digest()))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest; none where OpenSSL failed.
    pub fn finish(self) -> Option<Vec<u8>> {
        self.0.into_digest().ok()
    }
}

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hashing({})", self.0.algo())
    }
}
