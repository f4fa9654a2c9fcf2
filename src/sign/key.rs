//! Keys in files: made, written and read here and nowhere else.
//!
//! A key is an OpenPGP certificate of one primary key, which certifies and signs, and one user id; no
//! subkeys, since rpm 4.18 pairs a package with a key by the primary key's id. New keys are RSA of 4096
//! bits: EL 8 and 9, which know no Ed25519 in FIPS mode, take them. The secret file is the usual
//! armored transferable secret key, so gpg can import it, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sequoia_openpgp::Packet;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::crypto::Password;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
use sequoia_openpgp::packet::one_pass_sig::OnePassSig3;
use sequoia_openpgp::packet::{Key, Literal, OnePassSig, UserID};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{DataFormat, SignatureType};
use zeroize::Zeroizing;

use super::engine::Engine;
use super::{SignError, Signer, packet};
use crate::base::SourceDate;
use crate::openpgp::cleartext::signed_text;
use crate::openpgp::{Certificate, verify_detached, verify_text};

/// The largest key file and passphrase file that is read.
const LIMIT: u64 = 1 << 20;
const RSA_BITS: usize = 4096;

/// Why there is no key. Retrying helps only where a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("the file '{path}' cannot be {what}")]
    File {
        /// `read` or `written`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A secret key must not lie where it could be committed.
    #[error("the secret key would lie in the git checkout '{checkout}'; choose a folder outside of it")]
    InsideCheckout {
        /// The checkout's folder.
        checkout: PathBuf,
    },
    /// The file is no key, or no secret key that can sign.
    #[error("'{path}' is no usable key: {detail}")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The key is protected and the passphrase is not the right one, or there is none.
    #[error("the secret key '{path}' is protected by a passphrase, and {detail}")]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: &'static str,
    },
    /// The user id is not usable.
    #[error("the user id '{0}' is not usable: it must be one line of text such as 'Name <name@example.org>'")]
    UserId(String),
    /// It would have expired when it is made.
    #[error("the key would expire ({expires}) before it is made ({created})")]
    Expiry {
        /// When it is made.
        created: SourceDate,
        /// When it would expire.
        expires: SourceDate,
    },
    /// The library refused.
    #[error(transparent)]
    Sign(#[from] SignError),
}

fn library(error: impl std::fmt::Display) -> KeyError {
    SignError::Library(error.to_string()).into()
}

/// A secret key in memory, ready to sign.
#[derive(Clone)]
pub struct LocalSigner {
    certificate: Certificate,
    pair: Engine,
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
        let created = created.seconds().max(self.certificate.created());
        let signature = packet::document(&self.pair, SignatureType::Binary, data, created)?;
        verify_detached(&self.certificate, &signature, data, None).map_err(SignError::NotAccepted)?;
        Ok(signature)
    }

    fn sign_cleartext(&self, text: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError> {
        let created = created.seconds().max(self.certificate.created());
        let signature = packet::document(&self.pair, SignatureType::Text, &signed_text(text)?, created)?;
        verify_text(&self.certificate, &signature, text, None).map_err(SignError::NotAccepted)?;
        Ok(signature)
    }
}

impl LocalSigner {
    /// Reads an armored or binary secret key file; the passphrase counts only for a protected key.
    pub fn open(path: &Path, passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        let bytes = read(path)?;
        let bad = |detail: String| KeyError::NotAKey { path: path.into(), detail };
        let cert = Cert::from_bytes(&bytes[..]).map_err(|error| bad(error.to_string()))?;
        let key = cert.primary_key().key().clone().parts_into_secret();
        let mut key = key.map_err(|_| bad("it holds no secret key".into()))?;
        if !key.has_unencrypted_secret() {
            let needed = |detail| KeyError::Passphrase { path: path.into(), detail };
            let passphrase = passphrase.ok_or(needed("none was given"))?;
            key = key
                .decrypt_secret(&Password::from(passphrase))
                .map_err(|_| needed("the one that was given does not open it"))?;
        }
        let pair = key.role_into_unspecified().into_keypair().map_err(|error| bad(error.to_string()))?;
        let pair = Engine::new(pair)?;
        Ok(Self { certificate: Certificate::from_cert(&cert), pair })
    }

    pub(super) const fn pair(&self) -> &Engine {
        &self.pair
    }

    pub(super) fn of(cert: &Cert) -> Result<Self, KeyError> {
        let key = cert.primary_key().key().clone().parts_into_secret().map_err(library)?;
        let pair = Engine::new(key.role_into_unspecified().into_keypair().map_err(library)?)?;
        Ok(Self { certificate: Certificate::from_cert(cert), pair })
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

    /// Puts a certificate around a primary key.
    pub(super) fn assemble(
        key: &Key<SecretParts, PrimaryRole>,
        user_id: &str,
        created: SourceDate,
        expires: Option<SourceDate>,
    ) -> Result<(Self, Packet, Vec<Packet>), KeyError> {
        let plain = |c: char| !c.is_control();
        if user_id.trim().is_empty() || user_id.len() > 1024 || !user_id.chars().all(plain) {
            return Err(KeyError::UserId(user_id.escape_debug().take(200).collect()));
        }
        let lifetime = match expires {
            Some(expires) if expires <= created => return Err(KeyError::Expiry { created, expires }),
            Some(expires) => {
                Some(Duration::from_secs((expires.seconds() - created.seconds()).unsigned_abs()))
            }
            None => None,
        };
        let pair = Engine::new(key.clone().role_into_unspecified().into_keypair().map_err(library)?)?;
        let user_id = UserID::from(user_id);
        let public = key.clone().take_secret().0;
        let binding = packet::binding(&pair, &public, &user_id, created.seconds(), lifetime)?;
        let rest = vec![Packet::from(user_id), Packet::from(binding)];
        let packets = [Packet::from(public)].into_iter().chain(rest.clone());
        let cert = Cert::from_packets(packets).map_err(library)?;
        let signer = Self { certificate: Certificate::from_cert(&cert), pair };
        Ok((signer, Packet::from(key.clone()), rest))
    }
}

/// A key that was just made.
#[derive(Debug)]
pub struct NewKey {
    /// Signs with it.
    pub signer: LocalSigner,
    secret: Zeroizing<Vec<u8>>,
}

impl NewKey {
    /// Makes an RSA key of 4096 bits. The secret file will be protected by the passphrase, if there
    /// is one.
    pub fn rsa(
        user_id: &str,
        created: SourceDate,
        expires: Option<SourceDate>,
        passphrase: Option<&[u8]>,
    ) -> Result<Self, KeyError> {
        let mut key: Key4<SecretParts, PrimaryRole> = Key4::generate_rsa(RSA_BITS).map_err(library)?;
        key.set_creation_time(packet::time(created.seconds())).map_err(library)?;
        let key = Key::from(key);
        let (signer, secret, rest) = LocalSigner::assemble(&key, user_id, created, expires)?;
        let secret = match passphrase {
            Some(passphrase) => {
                Packet::from(key.encrypt_secret(&Password::from(passphrase)).map_err(library)?)
            }
            None => secret,
        };
        let cert = Cert::from_packets([secret].into_iter().chain(rest)).map_err(library)?;
        let secret = Zeroizing::new(cert.as_tsk().armored().to_vec().map_err(library)?);
        Ok(Self { signer, secret })
    }

    /// Writes the secret key (for its owner only) and, beside it, the certificate. Existing files are
    /// never replaced. `output` is a folder, where the files are named by fingerprint, or the secret
    /// file itself; the certificate's name has `.asc` in place of its extension. Gives both paths.
    pub fn write(&self, output: &Path) -> Result<(PathBuf, PathBuf), KeyError> {
        let name = self.signer.certificate.fingerprint();
        refuse_checkout(output)?;
        let secret = if output.is_dir() { output.join(format!("{name}.key")) } else { output.into() };
        let public = match secret.extension() {
            Some(extension) if extension != "asc" => secret.with_extension("asc"),
            _ => PathBuf::from(format!("{}.asc", secret.display())),
        };
        create(&secret, 0o600, &self.secret)?;
        create(&public, 0o644, self.signer.certificate.armored().as_bytes())?;
        Ok((secret, public))
    }
}

/// Reads certificates from a file.
pub fn read_certificates(path: &Path) -> Result<Vec<Certificate>, KeyError> {
    let bad =
        |error: &dyn std::fmt::Display| KeyError::NotAKey { path: path.into(), detail: error.to_string() };
    Certificate::parse_all(&read(path)?).map_err(|error| bad(&error))
}

/// Reads a passphrase: the first line of a file.
pub fn read_passphrase(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let bytes = read(path)?;
    let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    Ok(Zeroizing::new(line.to_vec()))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let error = |source| KeyError::File { what: "read", path: path.into(), source };
    // The buffer never grows, so no copy of a secret stays behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 1));
    fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(error)?;
    if bytes.len() as u64 > LIMIT {
        return Err(KeyError::NotAKey { path: path.into(), detail: "it has more than 1 MiB".into() });
    }
    Ok(bytes)
}

fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyError> {
    let error = |source| KeyError::File { what: "written", path: path.into(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(error)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(error)
}

/// Refuses a folder or file inside a git checkout; worth asking before a key is made.
pub fn refuse_checkout(output: &Path) -> Result<(), KeyError> {
    let parent = || output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = if output.is_dir() { output } else { parent() };
    let error = |source| KeyError::File { what: "written", path: output.into(), source };
    let folder = folder.canonicalize().map_err(error)?;
    match folder.ancestors().find(|folder| folder.join(".git").exists()) {
        Some(checkout) => Err(KeyError::InsideCheckout { checkout: checkout.into() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> SourceDate {
        text.parse().unwrap()
    }

    #[test]
    fn writes_a_key_that_it_can_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let created = date("2026-11-01T00:00:00Z");
        let made = |passphrase: Option<&[u8]>| {
            NewKey::rsa("Tester <t@example.org>", created, Some(date("2027-11-01T00:00:00Z")), passphrase)
                .unwrap()
        };
        let key = made(Some(b"secret"));
        let (secret, public) = key.write(folder.path()).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(LocalSigner::open(&secret, None), Err(KeyError::Passphrase { .. })));
        assert!(matches!(LocalSigner::open(&secret, Some(b"wrong")), Err(KeyError::Passphrase { .. })));
        let signer = LocalSigner::open(&secret, Some(b"secret")).unwrap();
        let certificate = read_certificates(&public).unwrap().remove(0);
        assert_eq!(certificate.fingerprint(), signer.certificate().fingerprint());
        assert_eq!(
            (certificate.algorithm().as_str(), certificate.created()),
            ("RSA 4096", created.seconds())
        );
        assert_eq!(certificate.expiry(), Ok(Some(date("2027-11-01T00:00:00Z").seconds())));

        let packet = signer.sign_detached(b"data", created).unwrap();
        assert_eq!(packet, signer.sign_detached(b"data", created).unwrap(), "not the same packet twice");
        verify_detached(&certificate, &packet, &b"data"[..], None).unwrap();
        let late = verify_detached(
            &certificate,
            &packet,
            &b"data"[..],
            Some(date("2028-01-01T00:00:00Z").seconds()),
        );
        assert!(matches!(late, Err(crate::openpgp::VerifyError::Expired { .. })), "{late:?}");
        let after = signer.sign_detached(b"data", date("2028-01-01T00:00:00Z"));
        assert!(matches!(after, Err(SignError::NotAccepted(_))), "an expired key signed");
        assert!(matches!(key.write(&secret), Err(KeyError::File { what: "written", .. })), "replaced a key");
    }

    #[test]
    fn refuses_a_git_checkout_and_bad_user_ids() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        let refused = refuse_checkout(&below.join("x.key"));
        assert!(matches!(refused, Err(KeyError::InsideCheckout { .. })), "{refused:?}");
        let created = date("2026-11-01T00:00:00Z");
        let key = Key::from(Key4::import_secret_ed25519(&[7; 32], packet::time(created.seconds())).unwrap());
        for bad in ["", " ", "a\nb", "a\0"] {
            assert!(
                matches!(LocalSigner::assemble(&key, bad, created, None), Err(KeyError::UserId(_))),
                "{bad:?}"
            );
        }
        assert!(matches!(
            LocalSigner::assemble(&key, "a", created, Some(created)),
            Err(KeyError::Expiry { .. })
        ));
    }
}
