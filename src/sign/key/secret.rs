//! A certificate with its secret keys: made, read and written.
//!
//! - The primary key certifies, and signs where there is no signing subkey. rpm 4.18 verifies packages by either; the
//!   simple key is the default, since Koji files a signature under the id of the key that made it. Which key signs,
//!   [`SecretKey::signer`] says.
//! - A subkey has the algorithm of the primary key (X25519 for encryption beside Ed25519) and its expiry. A signing subkey
//!   has its back signature (RFC 9580, section 5.2.1.9), which gpg and sequoia ask for.
//! - Written is the usual transferable secret key, which gpg can import.

use std::time::Duration;

use sequoia_openpgp::Packet;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::PrimaryKey as _;
use sequoia_openpgp::crypto::Password;
use sequoia_openpgp::packet::key::{
    Key4, KeyRole, PrimaryRole, PublicParts, SecretKeyMaterial, SecretParts, SubordinateRole,
};
use sequoia_openpgp::packet::signature::subpacket::SubpacketValue;
use sequoia_openpgp::packet::{Key, UserID};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{Curve, KeyFlags};
use zeroize::Zeroizing;

use super::{KeyError, LIMIT, LocalSigner, Private, library, wrap};
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::packet::{self, Bound};

/// The most secret keys in one certificate: opening each takes its time.
const MOST_KEYS: usize = 64;

/// What a key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with so many bits, 3072 to 8192.
    Rsa(u16),
    /// Ed25519, as version 4 keys have it (EdDSA).
    Ed25519,
}

impl std::str::FromStr for Algorithm {
    type Err = KeyError;

    /// Reads `rsa4096`, `ed25519` and the like.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let unknown = || KeyError::Algorithm(text.escape_debug().take(40).collect());
        match text.strip_prefix("rsa") {
            Some(bits) => match bits.parse() {
                Ok(bits @ 3072..=8192) if bits % 8 == 0 => Ok(Self::Rsa(bits)),
                _ => Err(unknown()),
            },
            None if text == "ed25519" => Ok(Self::Ed25519),
            None => Err(unknown()),
        }
    }
}

/// Which subkeys a new key has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subkeys {
    /// One that signs, so that the primary key only certifies.
    pub signing: bool,
    /// One that others encrypt to.
    pub encryption: bool,
}

/// What a new key is to be.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Of all its keys.
    pub algorithm: Algorithm,
    /// Whose it is, such as `Name <name@example.org>`.
    pub user_id: &'a str,
    /// When it is made.
    pub created: SourceDate,
    /// When all its keys expire; none if never.
    pub expires: Option<SourceDate>,
    /// Its subkeys.
    pub subkeys: Subkeys,
}

/// A certificate with its secret keys, unlocked in memory and wiped when it goes.
#[derive(Clone)]
pub struct SecretKey {
    pub(super) cert: Cert,
    pub(super) certificate: Certificate,
    /// The primary key, where it is kept elsewhere.
    pub(super) kept: Option<Private>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.certificate.fingerprint())
    }
}

impl SecretKey {
    /// Makes a key.
    pub fn generate(spec: &Spec<'_>) -> Result<Self, KeyError> {
        let primary = Key::from(make(spec.algorithm, true, spec.created)?);
        Self::assemble(&primary, spec)
    }

    /// Puts a certificate around a primary key, with the subkeys that are wanted.
    pub(in crate::sign) fn assemble(
        primary: &Key<SecretParts, PrimaryRole>,
        spec: &Spec<'_>,
    ) -> Result<Self, KeyError> {
        let lifetime = lifetime(spec.created, spec.expires)?;
        let pair = Private::new(primary.clone().role_into_unspecified()).map_err(library)?;
        let public = primary.clone().take_secret().0;
        let created = spec.created.seconds();
        let mut packets = vec![Packet::from(primary.clone())];
        packets.extend(identity(&pair, &public, spec)?);
        let wanted = [(true, spec.subkeys.signing), (false, spec.subkeys.encryption)];
        for (signs, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            let secret: Key<SecretParts, SubordinateRole> = make(spec.algorithm, signs, spec.created)?.into();
            let subkey = secret.clone().take_secret().0;
            let flags = if signs {
                KeyFlags::empty().set_signing()
            } else {
                KeyFlags::empty().set_transport_encryption().set_storage_encryption()
            };
            let mut terms = packet::terms(flags, lifetime)?;
            if signs {
                let own = Private::new(secret.clone().role_into_unspecified()).map_err(library)?;
                let back = packet::binding(&own, &public, &Bound::Back(&subkey), created, Vec::new())?;
                terms.push(SubpacketValue::EmbeddedSignature(back));
            }
            let binding = packet::binding(&pair, &public, &Bound::Subkey(&subkey), created, terms)?;
            packets.extend([Packet::from(secret), binding.into()]);
        }
        Ok(Self::of(Cert::from_packets(packets.into_iter()).map_err(library)?))
    }

    pub(super) fn of(cert: Cert) -> Self {
        Self { certificate: Certificate::from_cert(&cert), cert, kept: None }
    }

    /// The same key with more packets in its certificate.
    pub(super) fn with(
        &self,
        packets: impl IntoIterator<Item = impl Into<Packet>>,
    ) -> Result<Self, KeyError> {
        let cert = self.cert.clone().insert_packets(packets).map_err(library)?.0;
        Ok(Self { kept: self.kept.clone(), ..Self::of(cert) })
    }

    /// A certificate with its primary key, which is kept elsewhere.
    pub(in crate::sign) fn kept(certificate: Certificate, primary: Private) -> Self {
        Self { cert: certificate.cert().clone(), certificate, kept: Some(primary) }
    }

    /// Makes the certificate of a primary key that is kept elsewhere. There are no subkeys.
    pub(in crate::sign) fn certify(
        primary: Private,
        public: &Key<PublicParts, PrimaryRole>,
        spec: &Spec<'_>,
    ) -> Result<Self, KeyError> {
        let spec = Spec { subkeys: Subkeys::default(), ..*spec };
        let mut packets = vec![Packet::from(public.clone())];
        packets.extend(identity(&primary, public, &spec)?);
        let cert = Cert::from_packets(packets.into_iter()).map_err(library)?;
        Ok(Self { kept: Some(primary), ..Self::of(cert) })
    }

    /// Whether the secret is kept elsewhere, so that its file has none.
    pub const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Reads a transferable secret key, armored or binary. The passphrase counts only where keys are protected; a secret
    /// that is not there (gpg's stubs for keys kept elsewhere) is left out.
    pub fn parse(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        if bytes.len() as u64 > LIMIT {
            return Err(KeyError::Unusable("it has more than 1 MiB".into()));
        }
        let unusable = |detail: &dyn std::fmt::Display| {
            KeyError::Unusable(detail.to_string().chars().take(200).collect())
        };
        let cert = Cert::from_bytes(bytes).map_err(|error| unusable(&error))?;
        if cert.keys().secret().count() > MOST_KEYS {
            return Err(unusable(&"it has more than 64 secret keys"));
        }
        let mut packets = Vec::new();
        for part in cert.keys().secret() {
            let mut key = part.key().clone();
            match key.secret() {
                SecretKeyMaterial::Unencrypted(_) => {}
                SecretKeyMaterial::Encrypted(secret) if !secret.s2k().is_supported() => continue,
                SecretKeyMaterial::Encrypted(secret) if !wrap::is_affordable(secret.s2k()) => {
                    return Err(unusable(&"its protection (Argon2) needs more than 256 MiB or 8 passes"));
                }
                SecretKeyMaterial::Encrypted(_) => {
                    let passphrase = passphrase.ok_or(KeyError::Locked("none was given"))?;
                    key = key
                        .decrypt_secret(&Password::from(passphrase))
                        .map_err(|_| KeyError::Locked("the one that was given does not open it"))?;
                }
            }
            packets.push(if part.primary() {
                Packet::from(key.role_into_primary())
            } else {
                Packet::from(key.role_into_subordinate())
            });
        }
        if packets.is_empty() {
            return Err(unusable(&"it holds no secret key"));
        }
        let public = cert.strip_secret_key_material();
        Ok(Self::of(public.insert_packets(packets).map_err(library)?.0))
    }

    /// The key in armor, protected by the passphrase if there is one; of a key that is kept elsewhere, what finds it
    /// again.
    pub fn protected(&self, passphrase: Option<&[u8]>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if let Some(keeper) = self.kept.as_ref().and_then(Private::keeper) {
            return Ok(Zeroizing::new(keeper.key_file(&self.certificate).into_bytes()));
        }
        let mut cert = self.cert.clone();
        if let Some(passphrase) = passphrase {
            let password = Password::from(passphrase);
            let mut closed = Vec::new();
            for part in self.cert.keys().unencrypted_secret() {
                let key = part.key().clone().role_into_unspecified().parts_into_secret().map_err(library)?;
                let key = key.encrypt_secret(&password).map_err(library)?;
                closed.push(if part.primary() {
                    Packet::from(key.role_into_primary())
                } else {
                    Packet::from(key.role_into_subordinate())
                });
            }
            cert = cert.insert_packets(closed).map_err(library)?.0;
        }
        Ok(Zeroizing::new(cert.as_tsk().armored().to_vec().map_err(library)?))
    }

    /// Its public part.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What signs with it: the primary key where its flags allow and its secret is there, else the newest signing subkey
    /// that is not revoked.
    pub fn signer(&self) -> Result<LocalSigner, KeyError> {
        if let Some(pair) = &self.kept {
            return Ok(LocalSigner::new(self.certificate.clone(), pair.clone()));
        }
        let mut candidates = Vec::new();
        for part in self.cert.keys().unencrypted_secret() {
            let primary = part.primary();
            let binding = if primary {
                self.cert
                    .userids()
                    .flat_map(|id| id.self_signatures())
                    .chain(part.self_signatures())
                    .max_by_key(made)
            } else {
                part.self_signatures().max_by_key(made)
            };
            let flags = binding.and_then(|binding| binding.key_flags());
            // A primary key without key flags (as of old) may sign.
            let signs = flags.map_or(primary, |flags| flags.for_signing() || (primary && flags.is_empty()));
            if signs && part.self_revocations().next().is_none() {
                candidates.push((primary, part.key().creation_time(), part.key().clone()));
            }
        }
        let best = candidates.into_iter().max_by_key(|(primary, created, _)| (*primary, *created));
        let (_, _, key) = best.ok_or_else(|| KeyError::Unusable("none of its keys can sign".into()))?;
        let key = key.role_into_unspecified().parts_into_secret().map_err(library)?;
        let pair = Private::new(key).map_err(|error| KeyError::Unusable(error.to_string()))?;
        Ok(LocalSigner::new(self.certificate.clone(), pair))
    }

    /// Decrypts a message, armored or binary, of at most 1 GiB. No signature in it is looked at.
    pub fn decrypt(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let keys = self.cert.keys().unencrypted_secret();
        let pairs = keys.filter_map(|part| part.key().clone().into_keypair().ok()).collect();
        wrap::decrypt(message, pairs).map_err(|error| KeyError::Unusable(error.to_string()))
    }
}

/// Refuses what would make no certificate; worth asking before a key is made.
pub(in crate::sign) fn acceptable(spec: &Spec<'_>) -> Result<(), KeyError> {
    let name = spec.user_id;
    if name.trim().is_empty() || name.len() > 1024 || name.chars().any(char::is_control) {
        return Err(KeyError::UserId(name.escape_debug().take(200).collect()));
    }
    lifetime(spec.created, spec.expires).map(drop)
}

/// A user id and what binds it to the primary key.
fn identity(
    pair: &Private,
    public: &Key<PublicParts, PrimaryRole>,
    spec: &Spec<'_>,
) -> Result<[Packet; 2], KeyError> {
    acceptable(spec)?;
    let user_id = UserID::from(spec.user_id);
    let flags = KeyFlags::empty().set_certification();
    let flags = if spec.subkeys.signing { flags } else { flags.set_signing() };
    let mut terms = packet::terms(flags, lifetime(spec.created, spec.expires)?)?;
    terms.insert(1, packet::preferences());
    if spec.subkeys.encryption {
        terms.extend(packet::ciphers());
    }
    let created = spec.created.seconds();
    let binding = packet::binding(pair, public, &Bound::UserId(&user_id), created, terms)?;
    Ok([user_id.into(), binding.into()])
}

fn made(signature: &&sequoia_openpgp::packet::Signature) -> Option<std::time::SystemTime> {
    signature.signature_creation_time()
}

fn make<R: KeyRole>(
    algorithm: Algorithm,
    signs: bool,
    created: SourceDate,
) -> Result<Key4<SecretParts, R>, KeyError> {
    let mut key = match (algorithm, signs) {
        (Algorithm::Rsa(bits), _) => Key4::generate_rsa(bits.into()),
        (Algorithm::Ed25519, true) => Key4::generate_ecc(true, Curve::Ed25519),
        (Algorithm::Ed25519, false) => Key4::generate_ecc(false, Curve::Cv25519),
    }
    .map_err(library)?;
    key.set_creation_time(packet::time(created.seconds())).map_err(library)?;
    Ok(key)
}

/// How long a key lasts that is made and expires then.
pub(super) fn lifetime(
    created: SourceDate,
    expires: Option<SourceDate>,
) -> Result<Option<Duration>, KeyError> {
    match expires {
        Some(expires) if expires <= created => Err(KeyError::Expiry { created, expires }),
        Some(expires) => {
            Ok(Some(Duration::from_secs((expires.seconds() - created.seconds()).unsigned_abs())))
        }
        None => Ok(None),
    }
}
