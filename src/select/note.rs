//! What is worth knowing of a selection, though nothing is wrong with it.

use std::fmt;

use super::problem::Problem;
use crate::base::Nevra;

/// One thing that is worth knowing. The order is that of importance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// What would be a problem, but for mash's method.
    Ignored(Problem),
    /// Only a package that another one replaces meets a requirement, and so stays out by mash's method.
    Replaced {
        /// The requirement.
        requirement: String,
        /// The package that has it.
        by: Nevra,
        /// The package that meets it.
        package: Nevra,
        /// The one that obsoletes that, or is of the same version and another arch beside which it cannot be.
        obsoleter: Nevra,
    },
    /// A selected package replaces another one: who installs both gets one of them.
    Obsoleted {
        /// The package that is replaced.
        package: Nevra,
        /// The one that replaces it.
        by: Nevra,
        /// What that one says it replaces.
        obsoletes: String,
    },
    /// Packages of several names meet a requirement, and none of them was selected yet.
    Choice {
        /// The requirement.
        requirement: String,
        /// The package that had it first.
        by: Nevra,
        /// The package that was taken.
        taken: Nevra,
        /// How it was chosen.
        how: Choice,
        /// The others, the best first.
        others: Vec<Nevra>,
    },
    /// A package was moved to the parent of an addon or layered product, but not what it requires.
    Stranded {
        /// The package.
        package: Nevra,
        /// The variant that it came from.
        from: String,
        /// What nothing in the parent meets.
        requirement: String,
    },
}

/// What decided between packages that meet a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// The others are of the secondary arch.
    Native,
    /// Its arch is the better one.
    Arch,
    /// Its name is shorter.
    ShorterName,
    /// Its name comes first.
    Name,
    /// It has more points, as yum counts them.
    Points,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Arch => "better arch",
            Self::ShorterName => "shorter name",
            Self::Name => "first name",
            Self::Points => "by yum's points",
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored(problem) => write!(f, "{problem} (mash passes over it)"),
            Self::Replaced { requirement, by, package, obsoleter } => {
                let why = match package.name == obsoleter.name && package.evr == obsoleter.evr {
                    true => "cannot be beside it",
                    false => "obsoletes it",
                };
                write!(f, "{package}, which meets '{requirement}' of {by}, stays out: {obsoleter} {why}")
            }
            Self::Obsoleted { package, by, obsoletes } => {
                write!(f, "{package} is replaced by {by}, which is selected too and obsoletes '{obsoletes}'")
            }
            Self::Stranded { package, from, requirement } => {
                write!(
                    f,
                    "{package} was moved here from {from}, but nothing here provides '{requirement}', which it requires"
                )
            }
            Self::Choice { requirement, by, taken, how, others } => {
                let others = others.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                write!(f, "for '{requirement}', required by {by}, {taken} was taken ({how}), not {others}")
            }
        }
    }
}
