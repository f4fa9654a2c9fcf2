//! Keys and passphrases in files.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Algorithm, KeyError, LIMIT, LocalSigner, SecretKey, Spec, Subkeys};
use crate::base::SourceDate;
use crate::openpgp::Certificate;
use crate::sign::Signer as _;

/// A key that was just made.
#[derive(Debug)]
pub struct NewKey {
    /// Signs with it.
    pub signer: LocalSigner,
    secret: Zeroizing<Vec<u8>>,
    /// Whether no secret is in it.
    kept: bool,
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
        let spec =
            Spec { algorithm: Algorithm::Rsa(4096), user_id, created, expires, subkeys: Subkeys::default() };
        Self::of(&SecretKey::generate(&spec)?, passphrase)
    }

    /// Takes a key that was made or changed.
    pub fn of(key: &SecretKey, passphrase: Option<&[u8]>) -> Result<Self, KeyError> {
        Ok(Self { signer: key.signer()?, secret: key.protected(passphrase)?, kept: key.is_kept() })
    }

    /// Writes the secret key, or what finds it where it is kept (for its owner only) and, beside it, the certificate. Existing files are
    /// never replaced. `output` is a folder, where the files are named by fingerprint, or the secret
    /// file itself; the certificate's name has `.asc` in place of its extension. Gives both paths.
    pub fn write(&self, output: &Path) -> Result<(PathBuf, PathBuf), KeyError> {
        let name = self.signer.certificate().fingerprint();
        let extension = if self.kept { "token" } else { "key" };
        if !self.kept {
            refuse_checkout(output)?;
        }
        let secret = if output.is_dir() { output.join(format!("{name}.{extension}")) } else { output.into() };
        let public = match secret.extension() {
            Some(extension) if extension != "asc" => secret.with_extension("asc"),
            _ => PathBuf::from(format!("{}.asc", secret.display())),
        };
        create(&secret, 0o600, &self.secret)?;
        create(&public, 0o644, self.signer.certificate().armored().as_bytes())?;
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

/// Reads a secret key file, armored or binary; the passphrase counts only for a protected key.
pub fn read_key(path: &Path, passphrase: Option<&[u8]>) -> Result<SecretKey, KeyError> {
    SecretKey::parse(&read(path)?, passphrase).map_err(|error| error.of(path))
}

/// Reads a file of at most 1 MiB that may hold a secret.
pub fn read_small(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    read(path)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let error = |source| KeyError::File { what: "read", path: path.into(), source };
    let file = fs::File::open(path).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    // As much as may be read, and what `read_to_end` wants to see its end: the buffer never grows, so no copy of a secret
    // stays behind in freed memory. All of it is wiped, which for the whole limit takes longer than some requests.
    let limit = if metadata.len() > 0 { metadata.len().min(LIMIT + 1) } else { LIMIT + 1 };
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(limit).unwrap_or(usize::MAX) + 64));
    file.take(limit).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > LIMIT {
        return Err(KeyError::NotAKey { path: path.into(), detail: "it has more than 1 MiB".into() });
    }
    Ok(bytes)
}

/// Writes a file that must not be there yet.
pub fn create(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyError> {
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
    use crate::openpgp::verify_detached;
    use crate::sign::SignError;

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
        let made = |user_id: &str, expires| {
            let (algorithm, subkeys) = (Algorithm::Ed25519, Subkeys::default());
            SecretKey::generate(&Spec { algorithm, user_id, created, expires, subkeys })
        };
        for bad in ["", " ", "a\nb", "a\0"] {
            assert!(matches!(made(bad, None), Err(KeyError::UserId(_))), "{bad:?}");
        }
        assert!(matches!(made("a", Some(created)), Err(KeyError::Expiry { .. })));
    }
}
