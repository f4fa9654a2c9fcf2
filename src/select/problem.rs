//! What can be wrong with a selection. Problems are collected and reported all at once.

use std::collections::BTreeSet;
use std::fmt;

use super::closure::Near;
use crate::base::Nevra;

/// One thing that is wrong. The order is the order of the report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// An environment is not in comps.
    NoEnvironment {
        /// Its id as it was asked for.
        id: String,
        /// One that may have been meant.
        similar: Option<String>,
    },
    /// A group is not in comps.
    NoGroup {
        /// Its id as it was asked for.
        id: String,
        /// The environment that lists it.
        environment: Option<String>,
        /// One that may have been meant.
        similar: Option<String>,
    },
    /// A stream of a module is not there.
    NoStream {
        /// The choice as it was made.
        stream: String,
        /// The tree's arch.
        arch: String,
        /// The builds of its module that there are.
        known: Vec<String>,
        /// A module that may have been meant.
        similar: Option<String>,
    },
    /// A pattern means no package.
    NoMatch {
        /// The pattern.
        pattern: String,
        /// A name that may have been meant.
        similar: Option<String>,
        /// Packages that it would mean, were they not excluded.
        excluded: Vec<Nevra>,
    },
    /// A package to prepopulate with, `NAME.ARCH`, is not there.
    NotThere(String),
    /// A member of a group is offered by no source.
    NoMember {
        /// The group's id.
        group: String,
        /// The package's name.
        name: String,
    },
    /// A package's requirement cannot be read.
    BrokenRequirement {
        /// The package.
        package: Nevra,
        /// What is wrong with it.
        error: String,
    },
    /// Nothing meets a requirement.
    Unresolved {
        /// The requirement.
        requirement: String,
        /// The selected packages that have it.
        by: BTreeSet<Nevra>,
        /// Packages that would meet it, were they not excluded.
        excluded: Vec<Nevra>,
        /// What nearly meets it, the newest first, few of them.
        near: Vec<Near>,
    },
    /// Koji's rules demand a package of the secondary arch that is not there.
    NoTwin {
        /// The selected native package.
        package: Nevra,
        /// The file name of the one that is not there.
        file: String,
    },
    /// The source package of selected packages is not there.
    NoSource {
        /// Its file name; none where the packages do not name one.
        source: Option<String>,
        /// The packages.
        built: BTreeSet<Nevra>,
    },
}

fn join<'a>(items: impl IntoIterator<Item = &'a Nevra>) -> String {
    items.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meant = |f: &mut fmt::Formatter<'_>, similar: &Option<String>| match similar {
            Some(similar) => write!(f, " (did you mean '{similar}'?)"),
            None => Ok(()),
        };
        let hidden = |f: &mut fmt::Formatter<'_>, excluded: &[Nevra]| {
            if excluded.is_empty() { Ok(()) } else { write!(f, "; excluded: {}", join(excluded)) }
        };
        match self {
            Self::NoEnvironment { id, similar } => {
                write!(f, "the comps file has no environment '{id}'")?;
                meant(f, similar)
            }
            Self::NoGroup { id, environment, similar } => {
                write!(f, "the comps file has no group '{id}'")?;
                if let Some(environment) = environment {
                    write!(f, ", which its environment '{environment}' lists")?;
                }
                meant(f, similar)
            }
            Self::NoStream { stream, arch, known, similar } => {
                write!(f, "there is no stream {stream} for {arch}")?;
                meant(f, similar)?;
                match known.is_empty() {
                    true => Ok(()),
                    false => write!(f, "; of that module there are {}", known.join(", ")),
                }
            }
            Self::NoMatch { pattern, similar, excluded } => {
                write!(f, "no package matches '{pattern}'")?;
                meant(f, similar)?;
                hidden(f, excluded)
            }
            Self::NotThere(name) => write!(f, "no source offers '{name}', with which to prepopulate"),
            Self::NoMember { group, name } => {
                write!(f, "no source offers '{name}', a member of group '{group}'")
            }
            Self::BrokenRequirement { package, error } => {
                write!(f, "a requirement of {package} cannot be read: {error}")
            }
            Self::Unresolved { requirement, by, excluded, near } => {
                write!(f, "nothing provides '{requirement}', required by {}", join(by))?;
                hidden(f, excluded)?;
                for (at, Near { provided, by }) in near.iter().enumerate() {
                    write!(f, "{} '{provided}' of {by}", if at == 0 { "; near:" } else { "," })?;
                }
                Ok(())
            }
            Self::NoTwin { package, file } => {
                write!(f, "{package} is to come in the secondary arch as well, but {file} is not there")
            }
            Self::NoSource { source: Some(source), built } => {
                write!(f, "the source package {source} is not there, from which {} were built", join(built))
            }
            Self::NoSource { source: None, built } => {
                write!(f, "these packages name no source package: {}", join(built))
            }
        }
    }
}

/// The selection cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The request, the comps file or the packages do not fit together. Retrying cannot help.
    #[error("the selection has {}:\n  {}", count(.0.len()), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Problems(Vec<Problem>),
}

fn count(problems: usize) -> String {
    if problems == 1 { "a problem".into() } else { format!("{problems} problems") }
}

/// The known name that a mistyped one may mean.
pub(super) fn similar<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let distance = |name: &str| strsim::damerau_levenshtein(wrong, name);
    let near = known.filter(|name| name.len().abs_diff(wrong.len()) <= 2).map(|name| (distance(name), name));
    let (distance, name) = near.min()?;
    (distance <= 2 && distance < wrong.chars().count()).then(|| name.to_owned())
}
