//! Why a hub gives no answer, and what its faults mean.

use std::fmt;

use crate::format::xmlrpc::{Fault, XmlRpcError};

/// What a fault means: the numbers of Koji's exceptions (library 1.36.1, `koji.GenericError` and its subclasses).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 1: the hub failed in a way that Koji does not know.
    Unexpected,
    /// 1000: most of what can be wrong with a call, what it asks for not being there included.
    Generic,
    /// 1001: something is locked.
    Lock,
    /// 1002: the login or the session is not accepted.
    Auth,
    /// 1003: something is wrong with a tag.
    Tag,
    /// 1004: the user may not do this, or is not logged in.
    ActionNotAllowed,
    /// 1005: something is wrong with a build.
    Build,
    /// 1006: the session is in use.
    AuthLock,
    /// 1007: the session has expired; logging in again helps.
    AuthExpired,
    /// 1008: the call has a lower number than one that was carried out.
    Sequence,
    /// 1009: the call with this number was carried out already.
    Retry,
    /// 1014: the hub is switched off for a while.
    ServerOffline,
    /// 1019: an argument is unknown, missing or of a wrong type.
    Parameter,
    /// 1020: something cannot be imported.
    Import,
    /// 1023: a login by GSSAPI is not accepted.
    GssapiAuth,
    /// 1024: a name is not accepted.
    NameValidation,
    /// Any other number.
    Other,
}

impl FaultKind {
    /// What a fault's number means.
    pub fn of(fault: &Fault) -> Self {
        match fault.code {
            1 => Self::Unexpected,
            1000 => Self::Generic,
            1001 => Self::Lock,
            1002 => Self::Auth,
            1003 => Self::Tag,
            1004 => Self::ActionNotAllowed,
            1005 => Self::Build,
            1006 => Self::AuthLock,
            1007 => Self::AuthExpired,
            1008 => Self::Sequence,
            1009 => Self::Retry,
            1014 => Self::ServerOffline,
            1019 => Self::Parameter,
            1020 => Self::Import,
            1023 => Self::GssapiAuth,
            1024 => Self::NameValidation,
            _ => Self::Other,
        }
    }
}

/// A version of Koji, by which hubs differ in what they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// Reads `1.35.3`. What follows the second number is of no interest.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A hub gave no answer, or none that can be used. Calls that may be tried again were, as often as the profile says.
#[derive(Debug, thiserror::Error)]
pub enum KojiError {
    /// The hub says no. Retrying helps only where [`FaultKind`] says so.
    #[error("the hub refuses {method}: {fault}")]
    Fault {
        /// The call.
        method: String,
        /// What it says.
        fault: Fault,
    },
    /// The answer is none. A retry may help where it was cut off.
    #[error("the hub's answer to {method} cannot be read")]
    Answer {
        /// The call.
        method: String,
        /// Why.
        #[source]
        source: XmlRpcError,
    },
    /// The hub, or something before it, answers with an error of HTTP. A retry may help from 500 on.
    #[error("{url} answers with status {status}: {text}")]
    Status {
        /// Where.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// The beginning of what came with it.
        text: String,
    },
    /// The hub wants to be asked elsewhere. Calls do not follow: whoever sends them there would get logins, too.
    /// Retrying cannot help.
    #[error("{url} redirects calls to {target}; if that is right, it belongs into the profile as 'server'")]
    Redirect {
        /// Where.
        url: String,
        /// Where to.
        target: String,
    },
    /// The connection cannot be made, or broke. A retry may help, unless the server's certificate is not accepted.
    #[error("{url} cannot be reached: {reason}")]
    Connection {
        /// Where.
        url: String,
        /// Why.
        reason: String,
        /// The server's certificate is not accepted: retrying cannot help.
        certificate: bool,
    },
    /// The hub is older than what is asked of it. Retrying cannot help.
    #[error("the hub is Koji {hub}, and {what} needs {needs}")]
    TooOld {
        /// Its version.
        hub: Version,
        /// What is asked.
        what: &'static str,
        /// The first version that has it.
        needs: Version,
    },
    /// A `multiCall` was answered with another number of answers. Retrying cannot help.
    #[error("{calls} calls in one were answered with {answers} answers")]
    Count {
        /// Calls.
        calls: usize,
        /// Answers.
        answers: usize,
    },
    /// The profile cannot be used. Retrying cannot help.
    #[error("{0}")]
    Profile(#[from] super::profile::ProfileError),
    /// The login cannot be tried. Retrying cannot help.
    #[error("the login at {url} is not possible: {reason}")]
    Login {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// Reading the answer ended in a way that is not foreseen. A bug.
    #[error("reading an answer failed: {0}")]
    Reading(String),
}

impl KojiError {
    /// The fault, if that is what came.
    pub fn fault(&self) -> Option<(FaultKind, &Fault)> {
        match self {
            Self::Fault { fault, .. } => Some((FaultKind::of(fault), fault)),
            _ => None,
        }
    }

    /// Whether the same call may have another answer later: the connection broke, the answer was cut off, a server
    /// has temporary troubles.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Connection { certificate, .. } => !certificate,
            Self::Status { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::Answer { source, .. } => {
                matches!(source, XmlRpcError::Io { .. } | XmlRpcError::Ends { .. })
            }
            _ => false,
        }
    }
}
