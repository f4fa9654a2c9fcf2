//! Key material as the vault handles it: made, imported, put under its random passphrase, unlocked.

use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::parse::Parse as _;
use zeroize::Zeroizing;

use super::VaultError;
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::key::{Algorithm, KeyError, SecretKey, Spec, Subkeys, Which, wrap};
use crate::sign::token::{KeyFile, Modules, Pin, TokenError};
use crate::sign::{LocalSigner, SignError};

/// Why key material cannot be used. Trying again cannot help.
#[derive(Debug, thiserror::Error)]
pub(super) enum MaterialError {
    #[error("the key cannot be used: {0}")]
    Malformed(String),
    #[error("the passphrase, or the PIN of its token, does not open the key")]
    Passphrase,
}

impl From<KeyError> for MaterialError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Locked(_) | KeyError::Sign(SignError::Token(TokenError::WrongPin(_))) => {
                Self::Passphrase
            }
            KeyError::Unusable(detail) => Self::Malformed(detail),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// An unlocked key; wiped when it is dropped.
pub(super) struct Material {
    key: SecretKey,
    signer: LocalSigner,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Material({:?})", self.signer)
    }
}

impl Material {
    fn of(key: SecretKey) -> Result<Self, MaterialError> {
        Ok(Self { signer: key.signer()?, key })
    }

    pub fn generate(
        algorithm: Option<&str>,
        user_id: &str,
        created: SourceDate,
        expires: Option<SourceDate>,
    ) -> Result<Self, MaterialError> {
        let algorithm: Algorithm = algorithm.unwrap_or("rsa4096").parse()?;
        // sigul has gpg make one to encrypt to, too.
        let subkeys = Subkeys { encryption: true, ..Subkeys::default() };
        Self::of(SecretKey::generate(&Spec { algorithm, user_id, created, expires, subkeys })?)
    }

    /// What a key's file holds, or finds on a token.
    pub fn parse(
        bytes: &[u8],
        passphrase: &[u8],
        modules: &Modules,
        pin: Pin,
    ) -> Result<Self, MaterialError> {
        Self::of(modules.open_key(bytes, passphrase, pin)?)
    }

    /// Whether it is on a token, whose PIN opens it.
    pub const fn is_kept(&self) -> bool {
        self.key.is_kept()
    }

    pub fn protected(&self, passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, MaterialError> {
        Ok(self.key.protected(Some(passphrase))?)
    }

    pub fn certificate(&self) -> Certificate {
        self.key.certificate().clone()
    }

    pub fn signer(&self) -> Result<LocalSigner, MaterialError> {
        Ok(self.signer.clone())
    }

    /// Changes when the key, or a subkey of it (from 1), expires.
    pub fn extend(
        &mut self,
        subkey: Option<u32>,
        expires: Option<SourceDate>,
        now: SourceDate,
    ) -> Result<(), MaterialError> {
        let which = match subkey {
            None | Some(0) => Which::Primary,
            Some(number) => Which::Subkey(usize::try_from(number).unwrap_or(usize::MAX) - 1),
        };
        self.key.extend(which, expires, now)?;
        self.signer = self.key.signer()?;
        Ok(())
    }

    pub fn decrypt(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, MaterialError> {
        Ok(self.key.decrypt(message)?)
    }
}

/// The certificate in a key file, without unlocking that.
pub(super) fn certificate(bytes: &[u8]) -> Option<Certificate> {
    match KeyFile::within(bytes) {
        Some(file) => file.ok().map(|file| file.certificate),
        None => Cert::from_bytes(bytes).ok().map(|cert| Certificate::from_cert(&cert)),
    }
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
    wrap::seal(secret, passphrase).map_err(|error| VaultError::Library(error.to_string()))
}

/// Opens what [`seal`] or `gpg --symmetric` made.
pub(super) fn unseal(sealed: &[u8], passphrase: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    wrap::unseal(sealed, passphrase).ok()
}
