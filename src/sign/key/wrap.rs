//! Secrets under a passphrase as `gpg --symmetric` puts them (SKESK version 4, SEIPD version 1, iterated and salted S2K,
//! AES-256), so that gpg reads ours and we read gpg's; and messages that a key decrypts.

use std::io::{Read as _, Write as _};

use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::crypto::{KeyPair, Password, SessionKey};
use sequoia_openpgp::packet::{PKESK, SKESK};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp::{KeyHandle, Packet, PacketPile, anyhow};
use zeroize::Zeroizing;

/// The largest message that is decrypted, in bytes.
const LARGEST_MESSAGE: usize = 1 << 30;
/// The largest secret under a passphrase: a backup of a key.
const LARGEST_SECRET: usize = 4 << 20;

/// Why a secret is not opened or closed. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// The passphrase is not the right one, or the bytes are damaged.
    #[error("the passphrase does not open it")]
    Passphrase,
    /// It is no such message, or too large.
    #[error("it is no message that can be opened here: {0}")]
    Malformed(String),
    /// The library refused.
    #[error("nothing could be encrypted: {0}")]
    Library(String),
}

/// Puts a secret under a passphrase; not armored.
pub fn seal(secret: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, WrapError> {
    let failed = |error: anyhow::Error| WrapError::Library(error.to_string());
    let mut sealed = Vec::new();
    let message = Message::new(&mut sealed);
    let message = Encryptor::with_passwords(message, [Password::from(passphrase)])
        .symmetric_algo(SymmetricAlgorithm::AES256)
        .build()
        .map_err(failed)?;
    let mut message = LiteralWriter::new(message).build().map_err(failed)?;
    message.write_all(secret).map_err(|error| WrapError::Library(error.to_string()))?;
    message.finalize().map_err(failed)?;
    Ok(sealed)
}

/// Opens what [`seal`] or `gpg --symmetric` made, armored or not.
pub fn unseal(sealed: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    let mut refused = false;
    let helper =
        Helper { keys: Vec::new(), password: Some(Password::from(passphrase)), refused: &mut refused };
    let opened = open(sealed, helper, LARGEST_SECRET);
    opened.map_err(|error| if refused { WrapError::Passphrase } else { malformed(&error) })
}

/// Whether bytes have the form that [`unseal`] opens, whatever the passphrase: a session key under a passphrase, and a
/// message with protection of its integrity. GnuPG before 2.1 left that out for ciphers of its time.
pub fn is_openable(sealed: &[u8]) -> bool {
    let Ok(pile) = PacketPile::from_bytes(sealed) else { return false };
    let last = pile.children().last();
    pile.children().any(|packet| matches!(packet, Packet::SKESK(_))) && matches!(last, Some(Packet::SEIP(_)))
}

/// Decrypts a message by one of some keys.
pub(super) fn decrypt(message: &[u8], keys: Vec<KeyPair>) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    let mut refused = false;
    let helper = Helper { keys, password: None, refused: &mut refused };
    open(message, helper, LARGEST_MESSAGE).map_err(|error| malformed(&error))
}

fn malformed(error: &anyhow::Error) -> WrapError {
    WrapError::Malformed(error.to_string().chars().take(200).collect())
}

/// What opens a message.
struct Helper<'a> {
    keys: Vec<KeyPair>,
    password: Option<Password>,
    refused: &'a mut bool,
}

impl VerificationHelper for Helper<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> sequoia_openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _structure: MessageStructure<'_>) -> sequoia_openpgp::Result<()> {
        Ok(())
    }
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> sequoia_openpgp::Result<Option<Cert>> {
        for skesk in skesks {
            let opened = self.password.as_ref().and_then(|password| skesk.decrypt(password).ok());
            if opened.is_some_and(|(algorithm, key)| decrypt(algorithm, &key)) {
                return Ok(None);
            }
        }
        for pkesk in pkesks {
            for pair in &mut self.keys {
                let opened = pkesk.decrypt(pair, algorithm);
                if opened.is_some_and(|(algorithm, key)| decrypt(algorithm, &key)) {
                    return Ok(None);
                }
            }
        }
        *self.refused = true;
        Err(anyhow::anyhow!("nothing here opens the message"))
    }
}

/// Reads a message into a buffer that does not grow unless the message is compressed.
fn open(message: &[u8], helper: Helper<'_>, limit: usize) -> sequoia_openpgp::Result<Zeroizing<Vec<u8>>> {
    let policy = StandardPolicy::new();
    let reader = DecryptorBuilder::from_bytes(message)?.with_policy(&policy, None, helper)?;
    let mut out = Zeroizing::new(Vec::with_capacity(limit.min(message.len() + 4096)));
    reader.take(limit as u64 + 1).read_to_end(&mut out)?;
    if out.len() > limit {
        return Err(anyhow::anyhow!("the message is too large"));
    }
    Ok(out)
}
