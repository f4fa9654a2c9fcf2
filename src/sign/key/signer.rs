//! Signing with a key at hand.

use sequoia_openpgp::Packet;
use sequoia_openpgp::crypto::Signer as _;
use sequoia_openpgp::packet::one_pass_sig::OnePassSig3;
use sequoia_openpgp::packet::{Literal, OnePassSig};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{DataFormat, SignatureType};

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{KeyError, Private, files};
use crate::base::SourceDate;
use crate::openpgp::cleartext::{check, signed_text};
use crate::openpgp::{Certificate, verify_detached, verify_text};
use crate::sign::{SignError, Signer, packet};

/// A secret key at hand, in memory or on a token, ready to sign.
#[derive(Clone)]
pub struct LocalSigner {
    certificate: Certificate,
    pair: Private,
}

impl std::fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalSigner({})", self.certificate.fingerprint())
    }
}

impl Signer for LocalSigner {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn sign_detached(&self, data: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError> {
        let created = self.time(created);
        let signature = packet::document(&self.pair, SignatureType::Binary, data, created)?;
        verify_detached(&self.certificate, &signature, data, None).map_err(SignError::NotAccepted)?;
        Ok(signature)
    }

    fn sign_cleartext(&self, text: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError> {
        check(text)?;
        self.sign_text(text, created)
    }
}

impl LocalSigner {
    /// Reads an armored or binary secret key file; the passphrase counts only for a protected key. Which of its keys signs,
    /// [`SecretKey::signer`](super::SecretKey::signer) says.
    pub fn open(path: &Path, passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        files::read_key(path, passphrase)?.signer().map_err(|error| error.of(path))
    }

    pub(super) const fn new(certificate: Certificate, pair: Private) -> Self {
        Self { certificate, pair }
    }

    pub(in crate::sign) const fn pair(&self) -> &Private {
        &self.pair
    }

    /// The time of a signature: the one that is wanted, or that of the key where it is later.
    pub(in crate::sign) fn time(&self, wanted: SourceDate) -> i64 {
        let key = self.pair.public().creation_time().duration_since(UNIX_EPOCH);
        let key = key.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        wanted.seconds().max(self.certificate.created()).max(key)
    }

    /// Signs any text, as [`clearsign_as_it_is`](crate::openpgp::clearsign_as_it_is) takes it.
    pub fn sign_text(&self, text: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError> {
        let created = self.time(created);
        let signature = packet::document(&self.pair, SignatureType::Text, &signed_text(text)?, created)?;
        verify_text(&self.certificate, &signature, text, None).map_err(SignError::NotAccepted)?;
        Ok(signature)
    }

    /// Signs data in one message: what `gpg --sign` makes, not armored and not compressed.
    pub fn inline(&self, data: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError> {
        let failed = |error: sequoia_openpgp::anyhow::Error| SignError::Library(error.to_string());
        let packet = self.sign_detached(data, created)?;
        let Packet::Signature(signature) = Packet::from_bytes(&packet).map_err(failed)? else {
            return Err(SignError::Library("no signature was made".into()));
        };
        let mut begin = OnePassSig3::try_from(&signature).map_err(failed)?;
        begin.set_last(true);
        let mut literal = Literal::new(DataFormat::Binary);
        literal.set_body(data.to_vec());
        let packets = [Packet::from(OnePassSig::from(begin)), Packet::from(literal), Packet::from(signature)];
        let mut message = Vec::new();
        for packet in packets {
            message.extend(packet.to_vec().map_err(failed)?);
        }
        Ok(message)
    }
}
