//! Secrets under a passphrase as `gpg --symmetric` puts them (SKESK version 4, SEIPD version 1, iterated and salted S2K,
//! AES-256), so that gpg reads ours and we read gpg's; and messages that a key decrypts.

use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::crypto::{KeyPair, Password, S2K, SessionKey};
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

/// The largest message that is decrypted, in bytes: a compressed one may become anything.
const LARGEST_MESSAGE: usize = 64 << 20;
/// The largest secret under a passphrase: a backup of a key.
const LARGEST_SECRET: usize = 4 << 20;

/// How many ways to open a message are tried: each takes its time.
const MOST_WAYS: usize = 32;
/// The most memory of Argon2, as a power of two in KiB: 256 MiB.
const ARGON2_MEMORY: u8 = 18;
/// The most passes of Argon2 over its memory.
const ARGON2_PASSES: u8 = 8;

/// Whether it costs no more than it should to make a key of a passphrase. Who made the bytes chooses the price: with
/// Argon2 (RFC 9580, section 3.7.1.4) up to 2 TiB and 255 passes, with the others a third of a second.
pub(super) const fn is_affordable(s2k: &S2K) -> bool {
    match s2k {
        S2K::Argon2 { t, m, .. } => *t <= ARGON2_PASSES && *m <= ARGON2_MEMORY,
        _ => true,
    }
}

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
    open(sealed, Vec::new(), Some(Password::from(passphrase)), LARGEST_SECRET)
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
    open(message, keys, None, LARGEST_MESSAGE).map_err(|error| match error {
        WrapError::Passphrase => WrapError::Malformed("no key here opens it".into()),
        other => other,
    })
}

fn malformed(error: &anyhow::Error) -> WrapError {
    WrapError::Malformed(error.to_string().chars().take(200).collect())
}

/// What opens a message.
struct Helper<'a> {
    keys: Vec<KeyPair>,
    password: Option<Password>,
    came: &'a mut Came,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Came {
    /// Nothing was encrypted.
    #[default]
    Plain,
    /// Nothing here opens it.
    Refused,
    Opened,
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
        let affordable = |skesk: &&SKESK| match skesk {
            SKESK::V4(skesk) => is_affordable(skesk.s2k()),
            SKESK::V6(skesk) => is_affordable(skesk.s2k()),
            _ => false,
        };
        for skesk in skesks.iter().filter(affordable).take(MOST_WAYS) {
            let opened = self.password.as_ref().and_then(|password| skesk.decrypt(password).ok());
            if opened.is_some_and(|(algorithm, key)| decrypt(algorithm, &key)) {
                *self.came = Came::Opened;
                return Ok(None);
            }
        }
        let mut left = MOST_WAYS;
        for pkesk in pkesks {
            // One without a recipient may be for any key.
            let recipient = pkesk.recipient();
            let meant = |pair: &&mut KeyPair| {
                recipient.as_ref().is_none_or(|recipient| recipient.aliases(pair.public().key_handle()))
            };
            for pair in self.keys.iter_mut().filter(meant).take(left) {
                left = left.saturating_sub(1);
                let opened = pkesk.decrypt(pair, algorithm);
                if opened.is_some_and(|(algorithm, key)| decrypt(algorithm, &key)) {
                    *self.came = Came::Opened;
                    return Ok(None);
                }
            }
        }
        *self.came = Came::Refused;
        Err(anyhow::anyhow!("nothing here opens the message"))
    }
}

/// Opens a message. One that is only signed, or plain, is none: whoever may write it could make it say anything.
fn open(
    message: &[u8],
    keys: Vec<KeyPair>,
    password: Option<Password>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    let mut came = Came::default();
    let helper = Helper { keys, password, came: &mut came };
    // sequoia 2.4 panics where what is encrypted is shorter than the check at its end.
    let opened = catch_unwind(AssertUnwindSafe(|| read(message, helper, limit)));
    let opened = opened.unwrap_or_else(|_| Err(anyhow::anyhow!("the library fails on it")));
    match (opened, came) {
        (Ok(_), Came::Plain) => Err(WrapError::Malformed("nothing in it is encrypted".into())),
        (Ok(out), _) => Ok(out),
        (Err(_), Came::Refused) => Err(WrapError::Passphrase),
        (Err(error), _) => Err(malformed(&error)),
    }
}

/// Bytes that are held back at least, and at most.
const MINIMAL_BUFFER: usize = 1 << 12;
const LARGEST_BUFFER: usize = 25 << 20;

/// Reads a message into a buffer that does not grow unless the message is compressed.
fn read(message: &[u8], helper: Helper<'_>, limit: usize) -> sequoia_openpgp::Result<Zeroizing<Vec<u8>>> {
    let policy = StandardPolicy::new();
    // What is not yet authenticated is held back; sequoia's own buffer has 25 MiB whatever the message is.
    let buffer = message.len().clamp(MINIMAL_BUFFER, LARGEST_BUFFER);
    let reader =
        DecryptorBuilder::from_bytes(message)?.buffer_size(buffer).with_policy(&policy, None, helper)?;
    let mut out = Zeroizing::new(Vec::with_capacity(limit.min(message.len() + 4096)));
    reader.take(limit as u64 + 1).read_to_end(&mut out)?;
    if out.len() > limit {
        return Err(anyhow::anyhow!("the message is too large"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_is_not_opened() {
        let mut plain = Vec::new();
        let mut message = LiteralWriter::new(Message::new(&mut plain)).build().unwrap();
        message.write_all(b"secret").unwrap();
        message.finalize().unwrap();
        assert!(matches!(unseal(&plain, b"any"), Err(WrapError::Malformed(_))));
        assert!(matches!(decrypt(&plain, Vec::new()), Err(WrapError::Malformed(_))));
        // A packet with a key under a passphrase by Argon2, and what is encrypted.
        let mut dear = vec![0xc3, 22, 4, 9, 4];
        dear.extend([7; 16]);
        dear.extend([1, 1, 24, 0xd2, 60]);
        dear.extend([1; 60]);
        assert!(matches!(unseal(&dear, b"any"), Err(WrapError::Passphrase)));
        assert!(!is_affordable(&S2K::Argon2 { salt: [7; 16], t: 1, p: 1, m: 24 }));
        assert!(is_affordable(&S2K::default()));
        let sealed = seal(b"secret", b"right").unwrap();
        assert_eq!(unseal(&sealed, b"right").unwrap().as_slice(), b"secret");
        assert!(matches!(unseal(&sealed, b"wrong"), Err(WrapError::Passphrase)));
        assert!(matches!(decrypt(&sealed, Vec::new()), Err(WrapError::Malformed(_))));
    }
}
