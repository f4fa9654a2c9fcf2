//! Keys: made, read, changed, written and put to use here and nowhere else.
//!
//! A key is an OpenPGP certificate with its secrets. New keys are RSA of 4096 bits unless told otherwise: EL 8 and 9, which
//! know no Ed25519 in FIPS mode, take them; and they have no subkeys unless told so. The secret file is the usual armored
//! transferable secret key, so gpg can import it, readable by its owner only.

mod change;
mod files;
mod private;
mod secret;
mod signer;
pub mod wrap;

use std::io;
use std::path::{Path, PathBuf};

pub use change::{Reason, Which, check, minimal};
pub use files::{NewKey, create, read_certificates, read_key, read_passphrase, read_small, refuse_checkout};
pub(super) use private::{Keeper, Private};
pub(super) use secret::acceptable;
pub use secret::{Algorithm, SecretKey, Spec, Subkeys};
pub use signer::LocalSigner;

use super::SignError;
use crate::base::SourceDate;
use crate::openpgp::Fingerprint;

/// The largest key file and passphrase file that is read.
const LIMIT: u64 = 1 << 20;

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
    /// The bytes are no key that can be used for this.
    #[error("the key cannot be used: {0}")]
    Unusable(String),
    /// The key is protected, and not opened.
    #[error("the secret key is protected by a passphrase, and {0}")]
    Locked(&'static str),
    /// No key is made of this.
    #[error("keys are not made of '{0}'; rsa4096 (rsa3072 to rsa8192) and ed25519 are known")]
    Algorithm(String),
    /// It is too weak, or its time is over.
    #[error("the key {key} must not be used: {detail}")]
    Weak {
        /// Which.
        key: Fingerprint,
        /// Why not.
        detail: String,
    },
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

impl KeyError {
    /// The same of a file.
    pub(super) fn of(self, path: &Path) -> Self {
        match self {
            Self::Unusable(detail) => Self::NotAKey { path: path.into(), detail },
            Self::Locked(detail) => Self::Passphrase { path: path.into(), detail },
            other => other,
        }
    }
}

fn library(error: impl std::fmt::Display) -> KeyError {
    SignError::Library(error.to_string()).into()
}
