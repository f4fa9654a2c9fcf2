//! Why a repository cannot be opened.

use std::fmt;

use crate::base::{Digest, chain};
use crate::fetch::FetchError;
use crate::format::metalink::MetalinkError;
use crate::format::modulemd::ModulemdError;
use crate::format::repodata::{ReadError, RepomdError};
use crate::openpgp::VerifyError;
use crate::store::StoreError;

/// Why a repository cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its list of mirrors cannot be had. Retrying can help where the connection is at fault.
    #[error("the mirrors of the repository '{id}' are not known")]
    NoList {
        /// The repository.
        id: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// Its list of mirrors cannot be read. Retrying cannot help.
    #[error("the mirrors of the repository '{id}' are not known")]
    BadList {
        /// The repository.
        id: String,
        /// Why.
        #[source]
        source: MetalinkError,
    },
    /// Its list of mirrors names none that can be asked. Retrying cannot help.
    #[error("the list of mirrors of the repository '{id}' names none by http or https{}", said(says))]
    NoMirrors {
        /// The repository.
        id: String,
        /// How a plain list begins: services put there what is wrong with the request.
        says: String,
    },
    /// Each of its mirrors was refused. Retrying can help where one of them could not be reached.
    #[error("the repository '{id}' cannot be opened:{}", lines(refused))]
    Refused {
        /// The repository.
        id: String,
        /// The mirrors.
        refused: Vec<Refused>,
    },
    /// The state of it that a lock has cannot be had any more. Retrying can help where a mirror could not be reached.
    #[error("the repository '{id}' cannot be opened in the state that the lock has:\n  {refused}")]
    Gone {
        /// The repository.
        id: String,
        /// Why.
        refused: Box<Refused>,
    },
}

impl OpenError {
    /// Whether the network or this machine is at fault and not what is there.
    pub fn is_surroundings(&self) -> bool {
        match self {
            Self::NoList { source, .. } => source.is_surroundings(),
            Self::BadList { .. } | Self::NoMirrors { .. } => false,
            Self::Refused { refused, .. } => refused.iter().any(|refused| refused.why.is_surroundings()),
            Self::Gone { refused, .. } => refused.why.is_surroundings(),
        }
    }
}

/// A mirror that was refused.
#[derive(Debug)]
pub struct Refused {
    /// Its folder.
    pub mirror: String,
    /// Why.
    pub why: Refusal,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mirror, chain(&self.why))
    }
}

/// Why a mirror was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A file of it cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its `repomd.xml` is none that the metalink knows. Another mirror can help.
    #[error("repomd.xml ({0}) is neither the metalink's nor one of its alternates: the mirror is stale")]
    Stale(Digest),
    /// There is no signature.
    #[error("repomd.xml.asc, the signature of repomd.xml, cannot be had")]
    NoSignature(#[source] FetchError),
    /// The signature is not good. Another mirror can help.
    #[error("the signature of repomd.xml is not accepted")]
    Signature(#[source] VerifyError),
    /// `repomd.xml` cannot be read.
    #[error(transparent)]
    Repomd(#[from] RepomdError),
    /// It names no such list.
    #[error("repomd.xml names no list '{0}'")]
    NoList(&'static str),
    /// It names a list by a checksum that the store does not know.
    #[error("repomd.xml names the list '{0}' by its {1}; only SHA-256 is read")]
    Checksum(&'static str, &'static str),
    /// A list is larger than any.
    #[error("the list '{0}' has {1} bytes, more than any list")]
    TooLarge(&'static str, u64),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// A list cannot be decompressed.
    #[error("the list '{0}' cannot be read")]
    Unreadable(String, #[source] std::io::Error),
    /// A list cannot be read.
    #[error("the list '{kind}' cannot be read")]
    Read {
        /// Which.
        kind: &'static str,
        /// Why.
        #[source]
        source: Box<ReadError>,
    },
    /// Its modules cannot be read.
    #[error("the list 'modules' cannot be read")]
    Modules(#[source] ModulemdError),
}

impl Refusal {
    /// Whether the network or this machine is at fault and not what is there.
    pub fn is_surroundings(&self) -> bool {
        match self {
            Self::Fetch(error) | Self::NoSignature(error) => error.is_surroundings(),
            Self::Store(_) => true,
            _ => false,
        }
    }
}

fn lines(refused: &[Refused]) -> String {
    refused.iter().map(|refused| format!("\n  {refused}")).collect()
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": it says '{}'", text.escape_debug()) }
}
