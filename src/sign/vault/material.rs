//! Key material as the vault handles it: made, imported, put under its random passphrase, unlocked.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::PrimaryKey as _;
use sequoia_openpgp::crypto::{KeyPair, Password, SessionKey};
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
use sequoia_openpgp::packet::{Key, PKESK, SKESK};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::{Curve, SymmetricAlgorithm};
use sequoia_openpgp::{KeyHandle, Packet};
use zeroize::Zeroizing;

use super::VaultError;
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::agent::request::LARGEST_MESSAGE;
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

    /// Changes when the key expires; subkeys (from 1) keep their own time.
    pub fn extend(
        &mut self,
        subkey: Option<u32>,
        expires: Option<SourceDate>,
        now: SourceDate,
    ) -> Result<(), MaterialError> {
        if subkey.is_some_and(|number| number > 0) {
            return Err(malformed("the key has no such subkey whose time could be changed"));
        }
        let public = self.cert.primary_key().key().clone().take_secret().0;
        let lifetime = match expires {
            None => None,
            Some(expires) => {
                let made = self.certificate().created();
                let seconds = u64::try_from(expires.seconds() - made).ok().filter(|seconds| *seconds > 0);
                Some(Duration::from_secs(
                    seconds.ok_or_else(|| malformed("it would expire before it was made"))?,
                ))
            }
        };
        let mut bindings = Vec::new();
        for user_id in self.cert.userids() {
            let pair = self.signer.pair();
            let binding = packet::binding(pair, &public, user_id.userid(), now.seconds(), lifetime);
            bindings.push(Packet::from(binding.map_err(malformed)?));
        }
        self.cert = self.cert.clone().insert_packets(bindings).map_err(malformed)?.0;
        self.signer = LocalSigner::of(&self.cert).map_err(malformed)?;
        Ok(())
    }

    pub fn decrypt(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, MaterialError> {
        let keys =
            self.cert.keys().unencrypted_secret().filter_map(|key| key.key().clone().into_keypair().ok());
        let helper = Helper { keys: keys.collect(), password: None };
        open(message, helper, usize::try_from(LARGEST_MESSAGE).unwrap_or(usize::MAX)).map_err(malformed)
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
    let failed = |error: sequoia_openpgp::anyhow::Error| VaultError::Library(error.to_string());
    let mut sealed = Vec::new();
    let message = Message::new(&mut sealed);
    let message = Encryptor::with_passwords(message, [Password::from(passphrase)]).build().map_err(failed)?;
    let mut message = LiteralWriter::new(message).build().map_err(failed)?;
    message.write_all(secret).map_err(|error| VaultError::Library(error.to_string()))?;
    message.finalize().map_err(failed)?;
    Ok(sealed)
}

/// Opens what [`seal`] or `gpg --symmetric` made.
pub(super) fn unseal(sealed: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let helper = Helper { keys: Vec::new(), password: Some(Password::from(passphrase)) };
    open(sealed, helper, 4096).ok()
}

/// What opens a message.
struct Helper {
    keys: Vec<KeyPair>,
    password: Option<Password>,
}

impl VerificationHelper for Helper {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> sequoia_openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _structure: MessageStructure<'_>) -> sequoia_openpgp::Result<()> {
        Ok(())
    }
}

impl DecryptionHelper for Helper {
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
        Err(sequoia_openpgp::anyhow::anyhow!("nothing here opens the message"))
    }
}

/// Reads a message into a buffer that does not grow.
fn open(message: &[u8], helper: Helper, limit: usize) -> sequoia_openpgp::Result<Zeroizing<Vec<u8>>> {
    let policy = StandardPolicy::new();
    let reader = DecryptorBuilder::from_bytes(message)?.with_policy(&policy, None, helper)?;
    // Compression aside, what comes out is shorter than the message.
    let mut out = Zeroizing::new(Vec::with_capacity(limit.min(message.len() + 4096)));
    reader.take(limit as u64 + 1).read_to_end(&mut out)?;
    if out.len() > limit {
        return Err(sequoia_openpgp::anyhow::anyhow!("the message is too large"));
    }
    Ok(out)
}
