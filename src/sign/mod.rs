//! Signing backends and keys, and the step that attaches recorded signatures.
//!
//! Signatures are inputs: a [`Signer`] makes packets, the lock's table keeps them, and the
//! [`attach`] step, which has no key, puts them where they belong. The same key, data and time give
//! the same packet each time, so a table that was lost can be made anew.

pub mod agent;
pub mod attach;
pub mod demonstration;
pub mod hashing;
pub mod key;
pub mod ledger;
mod log;
mod packet;
pub mod token;
pub mod vault;

use crate::base::SourceDate;
use crate::openpgp::{Certificate, CleartextError, VerifyError};

pub use demonstration::{demonstration, is_demonstration};
pub use key::{KeyError, LocalSigner, NewKey};
pub use token::{TokenError, open_key};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The library refused; a bug, or a key of a kind that cannot sign here. Retrying cannot help.
    #[error("signing failed: {0}")]
    Library(String),
    /// What was made does not verify: an expired key, a fault in the hardware, a damaged key file.
    /// Retrying helps only against a passing fault.
    #[error("the signature just made is not accepted")]
    NotAccepted(#[source] VerifyError),
    /// The token that keeps the key did not sign. Retrying helps as the inner error says.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The text is none that can be signed so that people can read it. Retrying cannot help.
    #[error("the text cannot be signed")]
    Text(#[from] CleartextError),
}

/// Something that can sign.
pub trait Signer {
    /// The certificate that its signatures verify with.
    fn certificate(&self) -> &Certificate;

    /// Signs data (an RPM's main header, or a whole file): one binary version 4 packet. The creation
    /// time is the given one, or the key's own where that is later. The signature is verified before
    /// it is handed out.
    fn sign_detached(&self, data: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError>;

    /// Signs the text of a message that people can read: one version 4 packet over text (type 1), which
    /// [`clearsign`](crate::openpgp::clearsign) puts around it. Otherwise as [`Self::sign_detached`].
    fn sign_cleartext(&self, text: &[u8], created: SourceDate) -> Result<Vec<u8>, SignError>;
}
