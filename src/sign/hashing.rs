//! Data that are hashed while they come, before it is known which key will sign them.

use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::types::SignatureType;

use super::{LocalSigner, SignError, Signer as _, packet};
use crate::base::{Digest, SourceDate};
use crate::openpgp::verify::verify_hashed;

/// SHA-256 of data of any size. What a version 4 signature over them hashes begins with them, so one pass serves both.
#[derive(Clone)]
pub struct Hashing {
    context: Context,
    size: u64,
}

impl std::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hashing({} bytes)", self.size)
    }
}

impl Hashing {
    /// Begins.
    pub fn new() -> Result<Self, SignError> {
        Ok(Self { context: packet::context()?, size: 0 })
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.context.update(piece);
        self.size += piece.len() as u64;
    }

    /// SHA-256 and size of what came so far.
    pub fn digest(&self) -> (Digest, u64) {
        let bytes =
            self.context.clone().into_digest().ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        (Digest::from_bytes(bytes.unwrap_or_default()), self.size)
    }

    /// Signs what came: a packet as [`Signer::sign_detached`](super::Signer::sign_detached) makes it, verified.
    pub fn sign(&self, signer: &LocalSigner, created: SourceDate) -> Result<Vec<u8>, SignError> {
        let created = signer.time(created);
        let signature = packet::hashed(signer.pair(), SignatureType::Binary, &self.context, created)?;
        verify_hashed(signer.certificate(), &signature, self.context.clone())
            .map_err(SignError::NotAccepted)?;
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::demonstration;

    #[test]
    fn pieces_give_the_same_signature_as_the_whole() {
        let created = "2026-11-01T00:00:00Z".parse().unwrap();
        let signer = demonstration("test", created, "Test").unwrap();
        let mut hashing = Hashing::new().unwrap();
        for piece in [&b"some "[..], b"", b"data"] {
            hashing.update(piece);
        }
        assert_eq!(hashing.digest(), (Digest::of("some data"), 9));
        assert_eq!(
            hashing.sign(&signer, created).unwrap(),
            signer.sign_detached(b"some data", created).unwrap()
        );
    }
}
