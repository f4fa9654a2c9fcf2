//! Keys on tokens: smart cards, hardware security modules, and softhsm2, which acts one. All are spoken to by the
//! PKCS #11 library of their vendor, the *module*, which is loaded into this process: it is a program, to be kept as one.
//!
//! A secret is made on the token, sensitive and not extractable, and never leaves it: the token signs what it is handed,
//! and each signature is verified with the public key before anyone sees it. RSA signs by CKM_RSA_PKCS, the DigestInfo
//! (RFC 8017, section 9.2) made here; Ed25519 by CKM_EDDSA (PKCS #11 3.0, section 2.3.14), over the digest, as OpenPGP
//! wants it. Both give the same signature each time. On disk there is only a [`KeyFile`], without a secret, which stands
//! wherever a secret key file may stand.
//!
//! Tokens lock after some wrong PINs. So a PIN is tried once for each time that a key is opened, never again by itself;
//! and not at all where the token says that a wrong one would be the last.

mod file;
mod key;
mod loaded;
mod module;

use std::path::PathBuf;

pub use file::{KeyFile, open_key};
pub use key::{KeyName, Pair, certify, generate};
pub use loaded::{Modules, Pin};
pub use module::{Address, Session, Token, tokens};

use super::{KeyError, SignError};

/// Why a token does not do what it is asked. A retry helps only as far as a variant says.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no such file, or it has no absolute path. Retrying cannot help.
    #[error("there is no PKCS #11 module '{0}'; name the absolute path of a library such as libsofthsm2.so")]
    NoModule(PathBuf),
    /// This process may load no more modules. Retrying cannot help.
    #[error("the PKCS #11 module '{0}' was not given to the signer when it was started (--module)")]
    NotLoaded(PathBuf),
    /// It is no module, or it did not start. Retrying helps only where what it needs was not running.
    #[error("the PKCS #11 module '{path}' cannot be used: {detail}")]
    Module {
        /// The library.
        path: PathBuf,
        /// What the loader or the module says.
        detail: String,
    },
    /// No token is like that. Retrying helps once it is plugged in.
    #[error("no token with {wanted} is there; there is {found}")]
    NoToken {
        /// What was asked for.
        wanted: String,
        /// What is there instead.
        found: String,
    },
    /// Several tokens are like that. Retrying cannot help.
    #[error("several tokens have {wanted}: {found}; name one by its serial number")]
    SeveralTokens {
        /// What was asked for.
        wanted: String,
        /// Which they are.
        found: String,
    },
    /// The PIN is wrong. Never to be retried with the same one: tokens lock.
    #[error("the PIN is not that of the token '{0}'; it was tried once, and some wrong ones lock the token")]
    WrongPin(String),
    /// No PIN opens it any more. Retrying cannot help.
    #[error("the PIN of the token '{0}' is locked after wrong ones; its security officer can set a new one")]
    PinLocked(String),
    /// It was opened by the PIN already, so that it would not look at another one. Retrying helps when nobody uses it.
    #[error(
        "the token '{0}' is in use, so that it does not look at the PIN; try again when nothing is signed with it"
    )]
    InUse(String),
    /// It has refused the PIN that is kept, so that was not tried again. Retrying helps once the PIN is right again.
    #[error(
        "the token with {0} has refused the PIN that is kept; it is not tried again before the signer's SIGHUP"
    )]
    Refused(String),
    /// Another wrong PIN would lock it, so none was tried. Retrying helps after a login with another program.
    #[error(
        "the token '{0}' would be locked by one more wrong PIN, so none was tried; log in with the token's own program first"
    )]
    LastTry(String),
    /// It wants a PIN, and none was given. Retrying cannot help.
    #[error("the token '{0}' wants its PIN, and none was given")]
    NoPin(String),
    /// A PIN is UTF-8 text. Retrying cannot help.
    #[error("a PIN is text in UTF-8; the one that was given for the token '{0}' is not")]
    NoText(String),
    /// No private key is like that. Retrying cannot help.
    #[error("the token '{token}' has no private key with {wanted}; it has {found}")]
    NoKey {
        /// The token.
        token: String,
        /// What was asked for.
        wanted: String,
        /// Which private keys it has.
        found: String,
    },
    /// Several keys are like that. Retrying cannot help.
    #[error("the token '{token}' has several keys with {wanted}; name one by id and label")]
    SeveralKeys {
        /// The token.
        token: String,
        /// What was asked for.
        wanted: String,
    },
    /// There is a key like that already. Retrying cannot help.
    #[error("the token '{token}' has a key with {wanted} already")]
    Present {
        /// The token.
        token: String,
        /// What was to be made.
        wanted: String,
    },
    /// The key is not that of the certificate, or the token signs wrongly. Retrying helps only against a passing fault.
    #[error("what the key {wanted} on the token '{token}' signs is no signature by the certificate's key")]
    OtherKey {
        /// The token.
        token: String,
        /// The key.
        wanted: String,
    },
    /// The public part cannot be read, or it is of no kind that signs here. Retrying cannot help.
    #[error("the key {wanted} on the token '{token}' cannot be used: {detail}")]
    Unusable {
        /// The token.
        token: String,
        /// The key.
        wanted: String,
        /// Why not.
        detail: String,
    },
    /// The token does not do this. Retrying cannot help.
    #[error("the token '{token}' does not do this: {detail}")]
    Unsupported {
        /// The token.
        token: String,
        /// What it says.
        detail: String,
    },
    /// It was pulled, or its session ended. Retrying helps once it is back.
    #[error("the token '{token}' is gone: {detail}")]
    Removed {
        /// The token.
        token: String,
        /// What the module says.
        detail: String,
    },
    /// Anything else that a module says. Retrying may help.
    #[error("the token '{token}' failed: {detail}")]
    Failed {
        /// The token.
        token: String,
        /// What the module says.
        detail: String,
    },
}

impl From<TokenError> for KeyError {
    fn from(error: TokenError) -> Self {
        SignError::from(error).into()
    }
}

/// Text of a token in a message: on one line, and not long.
fn shown(text: &str) -> String {
    text.escape_debug().take(100).collect()
}
