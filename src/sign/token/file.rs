//! What finds a key on a token again: a small TOML file without secrets, which stands where a secret key file may stand.
//!
//! ```toml
//! module = "/usr/lib/softhsm/libsofthsm2.so"
//! token-label = "releases"
//! token-serial = "6ad6f1d2b5a0c3e4"
//! key-id = "0b6e…"
//! key-label = "Example Linux 1"
//! certificate = """
//! -----BEGIN PGP PUBLIC KEY BLOCK-----
//! …
//! """
//! ```
//!
//! A label or a number may be left out where the other one tells enough. The file names a program, the module, which is
//! loaded by whoever signs with it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Address, KeyName, Session, TokenError, key};
use crate::base::digest::{hex, unhex};
use crate::openpgp::Certificate;
use crate::sign::key::{KeyError, SecretKey, read_small};

/// Where a key is, and its certificate.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// The token.
    pub address: Address,
    /// The key pair on it.
    pub key: KeyName,
    /// Its certificate, whose primary key it is.
    pub certificate: Certificate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Form {
    module: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_label: Option<String>,
    certificate: String,
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = Form {
            module: self.address.module.clone(),
            token_label: self.address.label.clone(),
            token_serial: self.address.serial.clone(),
            key_id: self.key.id.as_deref().map(hex),
            key_label: self.key.label.clone(),
            certificate: self.certificate.armored(),
        };
        f.write_str("# A key on a token. No secret is in here.\n")?;
        f.write_str(&toml::to_string_pretty(&form).map_err(|_| fmt::Error)?)
    }
}

impl KeyFile {
    /// Whether bytes are meant to be such a file.
    fn is(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes)
            .is_ok_and(|text| text.parse::<toml::Table>().is_ok_and(|table| !table.is_empty()))
    }

    /// Reads the text of such a file; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form: Form = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let id = form.key_id.map(|id| unhex(&id).ok_or("'key-id' is not hexadecimal")).transpose()?;
        let key = KeyName { id, label: form.key_label };
        if key == KeyName::default() {
            return Err("it has neither 'key-id' nor 'key-label'".into());
        }
        let certificate = Certificate::parse(form.certificate.as_bytes());
        let certificate = certificate.map_err(|error| format!("its certificate is not usable: {error}"))?;
        let address = Address { module: form.module, label: form.token_label, serial: form.token_serial };
        Ok(Self { address, key, certificate })
    }

    /// Reads such a file.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::parse_bytes(&read_small(path)?).map_err(|detail| KeyError::Unusable(detail).of(path))
    }

    fn parse_bytes(bytes: &[u8]) -> Result<Self, String> {
        Self::parse(std::str::from_utf8(bytes).map_err(|error| error.to_string())?)
    }

    /// The key file that bytes are meant to be; none where they are no TOML, which no OpenPGP key is.
    pub(in crate::sign) fn within(bytes: &[u8]) -> Option<Result<Self, String>> {
        Self::is(bytes).then(|| Self::parse_bytes(bytes))
    }

    /// Opens the key, with one try of the PIN.
    pub fn open(&self, pin: Option<&[u8]>) -> Result<SecretKey, KeyError> {
        self.open_by(pin, false)
    }

    /// Opens the key, with one try of the PIN, at which the token has to look if that is asked.
    pub(super) fn open_by(&self, pin: Option<&[u8]>, looked_at: bool) -> Result<SecretKey, KeyError> {
        let session = Session::open(&self.address, false)?;
        if !session.log_in(pin)? && looked_at {
            return Err(TokenError::InUse(session.name()).into());
        }
        Ok(key::open(session, &self.key, &self.certificate)?)
    }
}

/// Opens a secret key file by its passphrase, or the key that a key file finds on a token by the token's PIN.
pub fn open_key(path: &Path, secret: Option<&[u8]>) -> Result<SecretKey, KeyError> {
    let bytes = read_small(path)?;
    let key = match KeyFile::within(&bytes) {
        Some(file) => file.map_err(KeyError::Unusable).and_then(|file| file.open(secret)),
        None => SecretKey::parse(&bytes, secret),
    };
    key.map_err(|error| error.of(path))
}
