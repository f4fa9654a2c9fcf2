//! Key material as the vault handles it: made, imported, put under its random passphrase, unlocked.

use std::time::Duration;

use sequoia_openpgp::Packet;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::PrimaryKey as _;
use sequoia_openpgp::crypto::Password;
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::Curve;
use zeroize::Zeroizing;

use super::VaultError;
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::{LocalSigner, packet};

/// Why key material cannot be used. Trying again cannot help.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaterialError {
    #[error("the key cannot be used: {0}")]
    Malformed(String),
    #[error("the passphrase does not open the key")]
    Passphrase,
}

fn malformed(error: impl std::fmt::Display) -> MaterialError {
    MaterialError::Malformed(error.to_string().chars().take(200).collect())
}

/// An unlocked key; wiped when it is dropped.
pub(super) struct Material {
    cert: Cert,
    signer: LocalSigner,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Material({:?})", self.signer)
    }
}

impl Material {
    pub fn generate(
        algorithm: Option<&str>,
        user_id: &str,
        created: SourceDate,
        expires: Option<SourceDate>,
    ) -> Result<Self, MaterialError> {
        let mut key: Key4<SecretParts, PrimaryRole> = match algorithm.unwrap_or("rsa4096") {
            "ed25519" => Key4::generate_ecc(true, Curve::Ed25519),
            "rsa4096" => Key4::generate_rsa(4096),
            other => {
                return Err(malformed(format!("the algorithm '{}' is not offered", other.escape_debug())));
            }
        }
        .map_err(malformed)?;
        key.set_creation_time(packet::time(created.seconds())).map_err(malformed)?;
        let key = Key::from(key);
        let (signer, secret, rest) =
            LocalSigner::assemble(&key, user_id, created, expires).map_err(malformed)?;
        let cert = Cert::from_packets([secret].into_iter().chain(rest)).map_err(malformed)?;
        Ok(Self { cert, signer })
    }

    pub fn parse(bytes: &[u8], passphrase: &[u8]) -> Result<Self, MaterialError> {
        let cert = Cert::from_bytes(bytes).map_err(malformed)?;
        if !cert.is_tsk() {
            return Err(malformed("it holds no secret key"));
        }
        let password = Password::from(passphrase);
        let mut open = Vec::new();
        for part in cert.keys().secret() {
            let mut key = part.key().clone();
            if !key.has_unencrypted_secret() {
                key = key.decrypt_secret(&password).map_err(|_| MaterialError::Passphrase)?;
            }
            open.push(if part.primary() {
                Packet::from(key.role_into_primary())
            } else {
                Packet::from(key.role_into_subordinate())
            });
        }
        let (cert, _) = cert.insert_packets(open).map_err(malformed)?;
        let signer = LocalSigner::of(&cert).map_err(malformed)?;
        Ok(Self { cert, signer })
    }

    pub fn protected(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, MaterialError> {
        let password = Password::from(passphrase);
        let mut closed = Vec::new();
        for part in self.cert.keys().secret() {
            let key = part.key().clone().encrypt_secret(&password).map_err(malformed)?;
            closed.push(if part.primary() {
                Packet::from(key.role_into_primary())
            } else {
                Packet::from(key.role_into_subordinate())
            });
        }
        let (cert, _) = self.cert.clone().insert_packets(closed).map_err(malformed)?;
        Ok(Zeroizing::new(cert.as_tsk().armored().to_vec().map_err(malformed)?))
    }

    pub fn certificate(&self) -> Certificate {
        Certificate::from_cert(&self.cert)
    }

    pub fn signer(&self) -> Result<LocalSigner, MaterialError> {
        Ok(self.signer.clone())
    }

    pub fn extend(
        &mut self,
        _subkey: Option<u32>,
        _expires: Option<SourceDate>,
        _now: SourceDate,
    ) -> Result<(), MaterialError> {
        let _unused = Duration::ZERO;
        Err(malformed("not yet"))
    }

    pub fn decrypt(&self, _message: &[u8]) -> Result<Zeroizing<Vec<u8>>, MaterialError> {
        Err(malformed("not yet"))
    }
}

/// The certificate in a key file, without unlocking that.
pub(super) fn certificate(bytes: &[u8]) -> Option<Certificate> {
    Cert::from_bytes(bytes).ok().map(|cert| Certificate::from_cert(&cert))
}

/// 64 random characters of base64's URL-safe alphabet, as sigul makes them.
pub(super) fn random_passphrase() -> Result<Zeroizing<Vec<u8>>, VaultError> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = Zeroizing::new([0; 64]);
    openssl::rand::rand_bytes(&mut random[..]).map_err(|error| VaultError::Library(error.to_string()))?;
    let letters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 63)).copied());
    let mut passphrase = Zeroizing::new(Vec::with_capacity(64));
    passphrase.extend(letters);
    Ok(passphrase)
}

/// Puts a secret under a passphrase.
pub(super) fn seal(secret: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, VaultError> {
    use std::io::Write as _;
    let failed = |error: sequoia_openpgp::anyhow::Error| VaultError::Library(error.to_string());
    let mut sealed = Vec::new();
    let message = Message::new(&mut sealed);
    let message = Encryptor::with_passwords(message, [Password::from(passphrase)]).build().map_err(failed)?;
    let mut message = LiteralWriter::new(message).build().map_err(failed)?;
    message.write_all(secret).map_err(|error| VaultError::Library(error.to_string()))?;
    message.finalize().map_err(failed)?;
    Ok(sealed)
}

/// Opens what [`seal`] made.
pub(super) fn unseal(sealed: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let password = Password::from(passphrase);
    let mut found = None;
    let mut session = None;
    let mut next = PacketParser::from_bytes(sealed).ok()?;
    while let PacketParserResult::Some(mut parser) = next {
        match &mut parser.packet {
            Packet::SKESK(skesk) => session = Some(skesk.decrypt(&password).ok()?),
            Packet::SEIP(_) => {
                let (algorithm, key) = session.clone()?;
                parser.decrypt(algorithm, &key).ok()?;
            }
            Packet::Literal(_) => {
                let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
                std::io::Read::read_to_end(&mut std::io::Read::take(&mut parser, 4096), &mut bytes).ok()?;
                found = Some(bytes);
            }
            Packet::MDC(mdc) if !mdc.valid() => return None,
            _ => {}
        }
        next = parser.recurse().ok()?.1;
    }
    found
}
