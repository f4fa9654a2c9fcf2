//! What a package has to have to be accepted, and what it lacks.

use std::fmt;

use super::{Check, Covers, Outcome, PackageError, Verification};
use crate::base::chain;

/// What must cover a package's header and payload: rpm's `%_pkgverify_level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Signatures and digests.
    #[default]
    All,
    /// Signatures.
    Signature,
    /// Digests.
    Digest,
    /// Nothing: only what is there is checked.
    None,
}

/// What a package has to have to be accepted. The default is the strictest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requirements {
    /// What must cover it.
    pub level: Level,
    /// Whether good signatures that cover it wholly suffice: others that could not be checked or are not trusted then
    /// do no harm. A bad one always does.
    pub any_signature: bool,
}

/// Why a package is not accepted.
#[derive(Debug)]
pub enum Problem<'a> {
    /// A claim is bad, or could not be checked.
    Check(&'a Check),
    /// It has no signature.
    Unsigned,
    /// Its signatures leave a part uncovered.
    HalfSigned(Covers),
    /// No digest covers a part.
    NoDigest(Covers),
    /// It has less bytes than it says.
    Truncated {
        /// What it has.
        found: u64,
        /// What it must have.
        wanted: u64,
    },
    /// Its name or paths could not be used.
    Refused(&'a PackageError),
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |covers: &Covers| match covers {
            Covers::Header => "its header",
            Covers::Payload => "its payload",
            Covers::Both => "it",
        };
        match self {
            Self::Check(check) => check.fmt(f),
            Self::Unsigned => f.write_str("it is not signed"),
            Self::HalfSigned(covers) => write!(f, "no good signature covers {}", part(covers)),
            Self::NoDigest(covers) => write!(f, "no digest covers {}", part(covers)),
            Self::Truncated { found, wanted } => {
                write!(
                    f,
                    "it is truncated: after its signature header it has {found} bytes instead of {wanted}"
                )
            }
            Self::Refused(error) => f.write_str(&chain(error)),
        }
    }
}

/// The parts that are covered.
#[derive(Clone, Copy, Default)]
struct Coverage {
    header: bool,
    payload: bool,
}

impl Coverage {
    fn add(&mut self, covers: Covers) {
        self.header |= covers.header();
        self.payload |= covers.payload();
    }

    fn lacks(self) -> Option<Covers> {
        match (self.header, self.payload) {
            (true, true) => None,
            (false, true) => Some(Covers::Header),
            (true, false) => Some(Covers::Payload),
            (false, false) => Some(Covers::Both),
        }
    }
}

impl Verification {
    /// Which parts good digests cover, and which good signatures do.
    fn coverage(&self) -> (Coverage, Coverage) {
        let (mut digests, mut signatures) = (Coverage::default(), Coverage::default());
        for check in self.checks.iter().filter(|check| check.is_good()) {
            if check.is_signature() { &mut signatures } else { &mut digests }.add(check.covers);
        }
        // The payload's digests stand in the header: signing that signs them.
        let payload = |check: &Check| check.covers == Covers::Payload && check.is_good();
        signatures.payload |= signatures.header && self.checks.iter().any(payload);
        (digests, signatures)
    }

    /// All that speaks against accepting the package; nothing does when it is accepted.
    pub fn problems(&self, wanted: Requirements) -> Vec<Problem<'_>> {
        let (digests, signatures) = self.coverage();
        let signed = signatures.lacks().is_none();
        let harmful = |check: &&Check| match check.outcome {
            Outcome::Good(_) => false,
            Outcome::Bad(_) => true,
            Outcome::NoKey(_) | Outcome::NotTrusted(_) | Outcome::Unsupported(_) => {
                !(signed && wanted.any_signature)
            }
        };
        let failed: Vec<&Check> = self.checks.iter().filter(harmful).collect();
        // What a delta claims about itself can be as true as what a package does.
        let refused = self.nevra.as_ref().err().filter(|error| !matches!(error, PackageError::Delta));
        let mut problems: Vec<Problem<'_>> = refused.map(Problem::Refused).into_iter().collect();
        problems.extend(failed.iter().copied().map(Problem::Check));
        if let Some((found, wanted)) = self.truncated {
            problems.push(Problem::Truncated { found, wanted });
        }
        // A claim that failed is named already, and is why nothing covers its part.
        let half_signed = signatures.header || signatures.payload;
        if matches!(wanted.level, Level::All | Level::Signature) || half_signed {
            match signatures.lacks() {
                Some(_) if !self.checks.iter().any(Check::is_signature) => problems.push(Problem::Unsigned),
                Some(covers) if failed.is_empty() => problems.push(Problem::HalfSigned(covers)),
                _ => {}
            }
        }
        if matches!(wanted.level, Level::All | Level::Digest)
            && let Some(covers) = digests.lacks()
            && failed.iter().all(|check| check.is_signature())
        {
            problems.push(Problem::NoDigest(covers));
        }
        problems
    }
}
