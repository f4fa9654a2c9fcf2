//! One claim of a package, and what came of checking it.

use std::fmt;

use crate::openpgp::{PacketError, SignatureInfo, Verified, VerifyError};

/// Which part of the file a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covers {
    /// The main header.
    Header,
    /// The payload.
    Payload,
    /// Main header and payload together, as before rpm 4.
    Both,
}

impl Covers {
    /// Whether it covers the main header.
    pub fn header(self) -> bool {
        self != Self::Payload
    }

    /// Whether it covers the payload.
    pub fn payload(self) -> bool {
        self != Self::Header
    }
}

impl fmt::Display for Covers {
    /// rpm's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "Header",
            Self::Payload => "Payload",
            Self::Both => "Legacy",
        })
    }
}

/// What a claim is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A digest.
    Digest {
        /// The hash function.
        name: &'static str,
        /// Whether it is of the payload before compression.
        alternative: bool,
    },
    /// A signature, with what it says of itself; none where it cannot be read.
    Signature(Option<SignatureInfo>),
}

/// What came of checking a claim.
#[derive(Debug)]
pub enum Outcome {
    /// It fits; a signature is by a key that is trusted, and accepted.
    Good(Option<Verified>),
    /// The signature's key is not among the trusted ones, so nothing is known about it.
    NoKey(VerifyError),
    /// The signature fits, but does not count: expired, revoked, not bound, weak.
    NotTrusted(VerifyError),
    /// The signature uses something that is not supported here.
    Unsupported(VerifyError),
    /// It does not fit, or is damaged: the words say how.
    Bad(String),
}

impl Outcome {
    /// One word, rpm's where it has one.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good(_) => "OK",
            Self::NoKey(_) => "NOKEY",
            Self::NotTrusted(_) => "NOTTRUSTED",
            Self::Unsupported(_) => "UNSUPPORTED",
            Self::Bad(_) => "BAD",
        }
    }

    /// Why it is not OK, in words.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Good(_) => None,
            Self::NoKey(error) | Self::NotTrusted(error) | Self::Unsupported(error) => {
                Some(error.to_string())
            }
            Self::Bad(words) => Some(words.clone()),
        }
    }
}

impl From<Result<Verified, VerifyError>> for Outcome {
    fn from(result: Result<Verified, VerifyError>) -> Self {
        match result {
            Ok(verified) => Self::Good(Some(verified)),
            Err(error @ VerifyError::UnknownKey { .. }) => Self::NoKey(error),
            Err(error @ VerifyError::Unsupported(_)) => Self::Unsupported(error),
            Err(
                error @ (VerifyError::Expired { .. }
                | VerifyError::Revoked { .. }
                | VerifyError::NotAlive { .. }
                | VerifyError::NotBound { .. }
                | VerifyError::Weak { .. }),
            ) => Self::NotTrusted(error),
            Err(error) => Self::Bad(error.to_string()),
        }
    }
}

impl From<PacketError> for Outcome {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Unsupported(detail) => Self::Unsupported(VerifyError::Unsupported(detail)),
            error => Self::Bad(error.to_string()),
        }
    }
}

/// A claim with what came of it.
#[derive(Debug)]
pub struct Check {
    /// The tag that makes the claim.
    pub tag: u32,
    /// What it is about.
    pub covers: Covers,
    /// What it is.
    pub subject: Subject,
    /// What came of it.
    pub outcome: Outcome,
}

impl Check {
    /// Whether it fits, and counts.
    pub fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Good(_))
    }

    /// Whether it is a signature.
    pub fn is_signature(&self) -> bool {
        matches!(self.subject, Subject::Signature(_))
    }
}

impl fmt::Display for Check {
    /// A line as `rpmkeys -Kv` of rpm 6 has it, with the reason where it is not OK.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.covers)?;
        match &self.subject {
            Subject::Digest { name, alternative } => {
                write!(f, "{name}{} digest", if *alternative { " ALT" } else { "" })?;
            }
            Subject::Signature(None) => write!(f, "OpenPGP signature (tag {})", self.tag)?,
            Subject::Signature(Some(info)) => {
                let (version, algorithm, hash) = (info.version, info.algorithm_name(), info.hash_name());
                write!(f, "OpenPGP V{version} {algorithm}/{hash} signature")?;
                match (&self.outcome, info.issuer_name()) {
                    (Outcome::Good(Some(verified)), _) => write!(f, ", key fingerprint: {}", verified.key)?,
                    (_, Some(name)) if name.len() > 16 => write!(f, ", key fingerprint: {name}")?,
                    (_, Some(name)) => write!(f, ", key ID {name}")?,
                    (_, None) => {}
                }
            }
        }
        write!(f, ": {}", self.outcome.word())?;
        match self.outcome.reason() {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}
