//! What is asked of a selection, and what is decided: data only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::multilib::{Method, Profile, Verdict};
use crate::base::arch::TreeArch;
use crate::base::{Digest, Nevra};
use crate::format::comps::Need;

/// How packages of the secondary arch come in.
#[derive(Clone, Debug)]
pub struct Multilib {
    /// Whose rules.
    pub profile: Profile,
    /// The methods, in order.
    pub methods: Vec<Method>,
    /// Globs of names that always come in (where a native twin is selected).
    pub whitelist: Vec<String>,
    /// Globs of names whose packages of the secondary arch are not seen at all.
    pub blacklist: Vec<String>,
    /// Globs of names that the method `file` takes.
    pub patterns: Vec<String>,
}

/// What is asked of a selection.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tree's arch.
    pub arch: &'static TreeArch,
    /// Ids of comps groups.
    pub groups: Vec<String>,
    /// Ids of comps environments.
    pub environments: Vec<String>,
    /// Patterns `NAME`, `NAME.ARCH` or `NAME.+` (the secondary arch); names are globs.
    pub packages: Vec<String>,
    /// Patterns of packages that are not seen at all; `NAME.src` for source packages.
    pub exclude: Vec<String>,
    /// How packages of the secondary arch come in; none for a tree that holds no such package.
    pub multilib: Option<Multilib>,
    /// Whether the source package of each selected package comes along.
    pub sources: bool,
    /// Whether optional members of groups and optional groups of environments are wanted.
    pub optional: bool,
    /// Whether a group's member that no source offers is an error.
    pub require_members: bool,
    /// Whether recommended and supplementing packages come along, as a package manager takes them.
    pub weak: bool,
}

impl Request {
    /// A request for a tree of this arch that asks for nothing.
    pub fn new(arch: &'static TreeArch) -> Self {
        Self {
            arch,
            groups: Vec::new(),
            environments: Vec::new(),
            packages: Vec::new(),
            exclude: Vec::new(),
            multilib: None,
            sources: false,
            optional: false,
            require_members: false,
            weak: false,
        }
    }
}

/// What brought a package in; one package may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Named by a pattern.
    Input,
    /// A member of a group.
    Group,
    /// A conditional member of a group.
    Conditional,
    /// Required by another package.
    Dependency,
    /// Recommended by another package, or supplementing what is there.
    Weak,
    /// Selected by a multilib rule.
    Multilib,
}

impl Flag {
    const ALL: [Self; 6] =
        [Self::Input, Self::Group, Self::Conditional, Self::Dependency, Self::Weak, Self::Multilib];

    /// Its name in a lock.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Group => "group",
            Self::Conditional => "conditional",
            Self::Dependency => "dependency",
            Self::Weak => "weak",
            Self::Multilib => "multilib",
        }
    }

    /// Finds one by its name in a lock.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name() == name)
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a package was added: the first cause that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request names it by this pattern.
    Pattern(String),
    /// It is a member of a group.
    Group {
        /// The group's id.
        group: String,
        /// The environment that brought the group.
        environment: Option<String>,
        /// How strongly the group wants it.
        need: Need,
    },
    /// It is a conditional member of a group, and what it requires is there.
    Conditional {
        /// The group's id.
        group: String,
        /// The package that is there.
        with: Nevra,
    },
    /// Another package requires it.
    Requirement {
        /// The package.
        by: Nevra,
        /// The requirement as that package states it.
        requirement: String,
    },
    /// Another package recommends it.
    Recommendation {
        /// The package.
        by: Nevra,
        /// The recommendation as that package states it.
        recommendation: String,
    },
    /// It supplements what is there.
    Supplement(String),
    /// A multilib rule selects it.
    Multilib {
        /// The selected native package of the same name, where the profile looks at it.
        twin: Option<Nevra>,
        /// The rule and what it hit.
        verdict: Verdict,
    },
}

impl Reason {
    /// The package that brought this one in, none for an input.
    pub fn by(&self) -> Option<&Nevra> {
        match self {
            Self::Pattern(_) | Self::Group { .. } | Self::Supplement(_) => None,
            Self::Conditional { with, .. } => Some(with),
            Self::Requirement { by, .. } | Self::Recommendation { by, .. } => Some(by),
            Self::Multilib { twin, .. } => twin.as_ref(),
        }
    }

    pub(super) fn flag(&self) -> Flag {
        match self {
            Self::Pattern(_) => Flag::Input,
            Self::Group { .. } => Flag::Group,
            Self::Conditional { .. } => Flag::Conditional,
            Self::Requirement { .. } => Flag::Dependency,
            Self::Recommendation { .. } | Self::Supplement(_) => Flag::Weak,
            Self::Multilib { .. } => Flag::Multilib,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => write!(f, "named as '{pattern}'"),
            Self::Group { group, environment: None, need } => write!(f, "{} in group {group}", need.name()),
            Self::Group { group, environment: Some(environment), need } => {
                write!(f, "{} in group {group} of environment {environment}", need.name())
            }
            Self::Conditional { group, with } => write!(f, "conditional in group {group}, with {with}"),
            Self::Requirement { by, requirement } => write!(f, "required by {by}: {requirement}"),
            Self::Recommendation { by, recommendation } => write!(f, "recommended by {by}: {recommendation}"),
            Self::Supplement(relation) => write!(f, "supplements {relation}"),
            Self::Multilib { twin: Some(twin), verdict } => write!(f, "multilib twin of {twin}: {verdict}"),
            Self::Multilib { twin: None, verdict } => write!(f, "multilib: {verdict}"),
        }
    }
}

/// A package of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its content digest.
    pub key: Digest,
    /// Everything that brought it in.
    pub flags: BTreeSet<Flag>,
    /// The first of it.
    pub why: Reason,
}

/// A source package of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenSource {
    /// Its content digest.
    pub key: Digest,
    /// The selected packages that were built from it.
    pub built: BTreeSet<Nevra>,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Selected binary packages.
    pub packages: BTreeMap<Nevra, Chosen>,
    /// Their source packages, where the request wants them.
    pub sources: BTreeMap<Nevra, ChosenSource>,
    /// Members of groups that no source offers: group and name.
    pub absent_members: BTreeSet<(String, String)>,
    /// Every judgement over a package of the secondary arch, also those that said no.
    pub judged: BTreeMap<Nevra, Verdict>,
}

impl Decision {
    /// Why a package is there: itself and its reason, then what brought that in, up to an input.
    pub fn explain(&self, package: &Nevra) -> Vec<(&Nevra, &Reason)> {
        let mut chain: Vec<(&Nevra, &Reason)> = Vec::new();
        let mut next = self.packages.get_key_value(package);
        while let Some((nevra, chosen)) = next
            && chain.len() < self.packages.len()
        {
            chain.push((nevra, &chosen.why));
            next = chosen.why.by().and_then(|by| self.packages.get_key_value(by));
        }
        chain
    }
}
