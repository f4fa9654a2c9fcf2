//! What is asked of a selection, and what is decided: data only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::multilib::{Method, Profile, Verdict};
use super::note::Note;
use super::problem::Problem;
use super::streams::Streams;
use crate::base::arch::TreeArch;
use crate::base::gather;
use crate::base::{Digest, Nevra};
use crate::format::comps::{Comps, Need};
use crate::format::kickstart::Include;
use crate::recipe::ModuleChoice;

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

impl Multilib {
    /// A profile's rule, with no lists of its own.
    pub fn by(profile: Profile, methods: impl Into<Vec<Method>>) -> Self {
        let methods = methods.into();
        Self { profile, methods, whitelist: Vec::new(), blacklist: Vec::new(), patterns: Vec::new() }
    }
}

/// How many of the packages that meet a requirement or pattern are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greed {
    /// The best.
    #[default]
    None,
    /// All of them.
    All,
    /// All of the best one's build.
    Build,
}

/// What is asked of a selection.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tree's arch.
    pub arch: &'static TreeArch,
    /// The id of the variant: members, groups and environments of comps that are for others are passed over. None for
    /// taking them all.
    pub variant: Option<String>,
    /// The arch of the machine that dnf resolves for, where it is not the tree's best: packages of better arches meet no
    /// requirement then (libsolv knows only what such a machine can install). Pungi takes the best (`i686` for `i386`).
    pub machine: Option<&'static str>,
    /// Ids of comps groups.
    pub groups: Vec<String>,
    /// Groups by id or name, and how much of each, which goes before what an environment wants of it. Without more or less
    /// than the default they are as in `groups`.
    pub named_groups: Vec<(String, Include)>,
    /// Groups, by id or name, that environments come without.
    pub without_groups: Vec<String>,
    /// Ids of comps environments.
    pub environments: Vec<String>,
    /// Streams of modules whose packages come in.
    pub modules: Vec<ModuleChoice>,
    /// Whether nothing else comes in, whatever is named beside them.
    pub only_modules: bool,
    /// What these are looked up in, and what of others is not seen.
    pub streams: Arc<Streams>,
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
    /// Whether of the packages that provide `system-release` only the one for the variant comes in; [`Variants`] sees to it.
    ///
    /// [`Variants`]: super::Variants
    pub system_release: bool,
    /// Whether recommended and supplementing packages come along, as a package manager takes them.
    pub weak: bool,
    /// Whether the steps that look at requirements are taken; the others are all the same. False is what the option `nodeps`
    /// of Pungi's program `pungi-gather` is, within its method `deps`.
    pub dependencies: bool,
    /// By whose rules it is gathered.
    pub method: gather::Method,
    /// How many of the packages that meet a requirement or pattern are taken.
    pub greed: Greed,
    /// Whether a build's other packages come along with one of them.
    pub fulltree: bool,
    /// Names of source packages whose packages come without the others of their build.
    pub fulltree_excludes: Vec<String>,
    /// Whether everything comes along that building the selected source packages requires.
    pub selfhosting: bool,
    /// Whether debugging packages come along.
    pub debug: bool,
    /// Whether packages of languages come along, by the rules of comps.
    pub langpacks: bool,
    /// Patterns of packages that an earlier compose had, mostly `NAME.ARCH`.
    pub prepopulate: Vec<String>,
    /// Packages that are only looked aside at, beside those that the universe has as such. They bring nothing in, also where
    /// greed takes all of several packages (Pungi 4.3.6 takes the copy that is not looked aside at then, too; later ones do not).
    pub aside: BTreeSet<Nevra>,
}

impl Request {
    /// The tree, with the package arches that the method, or the profile of its multilib rule, has for it.
    pub fn tree(&self) -> &'static TreeArch {
        match &self.multilib {
            _ if self.is_everything() => self.arch.of_mash(),
            Some(multilib) => multilib.profile.tree(self.arch),
            None => self.arch,
        }
    }

    /// Ids of the groups of a comps file that it names, by themselves or by environments that it names, and ids of these
    /// environments.
    pub fn named(&self, comps: &Comps) -> (BTreeSet<String>, BTreeSet<String>) {
        let environments = || comps.environments.iter().filter(|found| self.environments.contains(&found.id));
        let listed = environments().flat_map(|found| found.groups.iter().chain(&found.options));
        let mut wanted: BTreeSet<&str> = listed.map(|group| group.id.as_str()).collect();
        wanted.extend(self.groups.iter().map(String::as_str));
        wanted.extend(self.named_groups.iter().map(|(group, _)| group.as_str()));
        let groups = comps.groups.iter();
        let groups = groups
            .filter(|group| wanted.contains(group.id.as_str()) || wanted.contains(group.name.plain.as_str()));
        (
            groups.map(|group| group.id.clone()).collect(),
            environments().map(|found| found.id.clone()).collect(),
        )
    }

    /// Whether what is named is all that comes in: Pungi's method `nodeps`.
    pub fn is_nodeps(&self) -> bool {
        self.method == gather::Method::Nodeps
    }

    /// Whether everything comes in, whatever is named: mash's method.
    pub fn is_everything(&self) -> bool {
        self.method == gather::Method::Mash
    }

    /// A request for a tree of this arch that asks for nothing.
    pub fn new(arch: &'static TreeArch) -> Self {
        Self {
            arch,
            variant: None,
            machine: None,
            groups: Vec::new(),
            named_groups: Vec::new(),
            without_groups: Vec::new(),
            environments: Vec::new(),
            modules: Vec::new(),
            only_modules: false,
            streams: Arc::default(),
            packages: Vec::new(),
            exclude: Vec::new(),
            multilib: None,
            sources: false,
            optional: false,
            require_members: false,
            system_release: false,
            weak: false,
            dependencies: true,
            method: gather::Method::Deps,
            greed: Greed::None,
            fulltree: false,
            fulltree_excludes: Vec::new(),
            selfhosting: false,
            debug: false,
            langpacks: false,
            prepopulate: Vec::new(),
            aside: BTreeSet::new(),
        }
    }
}

/// What brought a package in; one package may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Named by a pattern.
    Input,
    /// A package of a module that is named.
    Module,
    /// A member of a group.
    Group,
    /// Named to prepopulate the tree.
    Prepopulate,
    /// One of all packages of the sources.
    Everything,
    /// It brought in a conditional member of a group (as in Pungi, the flag is not on that member).
    Conditional,
    /// It brought in what building it requires.
    SelfHosting,
    /// Required by another package.
    Dependency,
    /// Of the same build as another package.
    Fulltree,
    /// Its source package is one that fulltree leaves alone.
    FulltreeExclude,
    /// For the language of another package.
    Langpack,
    /// Only there to meet requirements, never delivered.
    Lookaside,
    /// Recommended by another package, or supplementing what is there.
    Weak,
    /// Selected by a multilib rule.
    Multilib,
    /// Taken by mash's method for a requirement, and replaced by another package after that: never delivered.
    Replaced,
}

impl Flag {
    const ALL: [Self; 15] = [
        Self::Input,
        Self::Module,
        Self::Group,
        Self::Prepopulate,
        Self::Everything,
        Self::Conditional,
        Self::SelfHosting,
        Self::Dependency,
        Self::Fulltree,
        Self::FulltreeExclude,
        Self::Langpack,
        Self::Lookaside,
        Self::Weak,
        Self::Multilib,
        Self::Replaced,
    ];

    /// Its name in a lock.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Module => "module",
            Self::Group => "group",
            Self::Prepopulate => "prepopulate",
            Self::Everything => "everything",
            Self::Conditional => "conditional",
            Self::SelfHosting => "self-hosting",
            Self::Dependency => "dependency",
            Self::Fulltree => "fulltree",
            Self::FulltreeExclude => "fulltree-exclude",
            Self::Langpack => "langpack",
            Self::Lookaside => "lookaside",
            Self::Weak => "weak",
            Self::Multilib => "multilib",
            Self::Replaced => "replaced",
        }
    }

    /// Whether packages that have it are delivered.
    pub const fn is_delivered(self) -> bool {
        !matches!(self, Self::Lookaside | Self::Replaced)
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
    /// It is of a build of a stream that the request names: `MODULE:STREAM:VERSION:CONTEXT`.
    Module(String),
    /// The request has it to prepopulate the tree.
    Prepopulate(String),
    /// All that the sources have is taken.
    Everything,
    /// All that is looked aside at is there, though not delivered.
    Context,
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
    /// Building a source package requires it.
    BuildRequirement {
        /// The source package.
        by: Nevra,
        /// The requirement as that package states it.
        requirement: String,
    },
    /// It is the source of a package.
    Source {
        /// The package.
        of: Nevra,
    },
    /// It has debugging information of a package.
    Debug {
        /// The package.
        of: Nevra,
    },
    /// It is of the same build as a package.
    Fulltree {
        /// The package.
        with: Nevra,
    },
    /// It is for the language of a package.
    Langpack {
        /// The package.
        with: Nevra,
        /// The rule of comps, `%s` standing for a language.
        pattern: String,
    },
    /// Another package recommends it.
    Recommendation {
        /// The package.
        by: Nevra,
        /// The recommendation as that package states it.
        recommendation: String,
    },
    /// It supplements what is there.
    Supplement {
        /// A package that is there.
        with: Option<Nevra>,
        /// What it supplements, as it states that.
        supplement: String,
    },
    /// A multilib rule selects it.
    Multilib {
        /// The selected native package of the same name, where the profile looks at it.
        twin: Option<Nevra>,
        /// The rule and what it hit.
        verdict: Verdict,
    },
    /// It came from an addon or a layered product of the variant, which names the reason for it.
    Moved {
        /// That variant's id.
        from: String,
    },
}

impl Reason {
    /// The package that brought this one in, none for an input.
    pub fn by(&self) -> Option<&Nevra> {
        match self {
            Self::Pattern(_)
            | Self::Module(_)
            | Self::Prepopulate(_)
            | Self::Everything
            | Self::Context
            | Self::Group { .. }
            | Self::Moved { .. } => None,
            Self::Supplement { with, .. } => with.as_ref(),
            Self::Conditional { with, .. } | Self::Fulltree { with } | Self::Langpack { with, .. } => {
                Some(with)
            }
            Self::Requirement { by, .. }
            | Self::BuildRequirement { by, .. }
            | Self::Recommendation { by, .. } => Some(by),
            Self::Source { of } | Self::Debug { of } => Some(of),
            Self::Multilib { twin, .. } => twin.as_ref(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => write!(f, "named as '{pattern}'"),
            Self::Module(stream) => write!(f, "of the module {stream}"),
            Self::Group { group, environment: None, need } => write!(f, "{} in group {group}", need.name()),
            Self::Group { group, environment: Some(environment), need } => {
                write!(f, "{} in group {group} of environment {environment}", need.name())
            }
            Self::Conditional { group, with } => write!(f, "conditional in group {group}, with {with}"),
            Self::Requirement { by, requirement } => write!(f, "required by {by}: {requirement}"),
            Self::Everything => f.write_str("among everything that the sources have"),
            Self::Context => f.write_str("among everything that is looked aside at"),
            Self::Prepopulate(pattern) => write!(f, "prepopulated as '{pattern}'"),
            Self::BuildRequirement { by, requirement } => {
                write!(f, "required to build {by}: {requirement}")
            }
            Self::Source { of } => write!(f, "source of {of}"),
            Self::Debug { of } => write!(f, "debugging information of {of}"),
            Self::Fulltree { with } => write!(f, "of the same build as {with}"),
            Self::Langpack { with, pattern } => write!(f, "language of {with}: {pattern}"),
            Self::Recommendation { by, recommendation } => write!(f, "recommended by {by}: {recommendation}"),
            Self::Supplement { supplement, .. } => write!(f, "supplements {supplement}"),
            Self::Multilib { twin: Some(twin), verdict } => write!(f, "multilib twin of {twin}: {verdict}"),
            Self::Multilib { twin: None, verdict } => write!(f, "multilib: {verdict}"),
            Self::Moved { from } => write!(f, "moved here from {from}, since its source package is here"),
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

impl Chosen {
    /// Whether it is delivered: what is only looked aside at, or replaced, is not.
    pub fn is_delivered(&self) -> bool {
        self.flags.iter().all(|flag| flag.is_delivered())
    }
}

impl ChosenSource {
    /// Whether it is delivered: what is only looked aside at, or replaced, is not.
    pub fn is_delivered(&self) -> bool {
        self.flags.iter().all(|flag| flag.is_delivered())
    }
}

/// A source package of the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenSource {
    /// Its content digest.
    pub key: Digest,
    /// What is to be said of it.
    pub flags: BTreeSet<Flag>,
    /// The selected packages that were built from it.
    pub built: BTreeSet<Nevra>,
    /// Of these the one that brought it in: others may be there only because of it. None where all that the sources have
    /// is taken.
    pub of: Option<Nevra>,
}

/// Why a variant does not deliver what was selected for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trim {
    /// The parent has it.
    Parent(String),
    /// An addon or a layered product has taken a package of that name.
    Taken(String),
    /// It was moved to the parent, which has its source package.
    Moved(String),
}

impl fmt::Display for Trim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parent(parent) => write!(f, "the parent {parent} has it"),
            Self::Taken(by) => write!(f, "{by} has it"),
            Self::Moved(parent) => {
                write!(
                    f,
                    "moved to the parent {parent}, which has its source package: name it to keep it here"
                )
            }
        }
    }
}

/// A package that was selected for a variant, but is not delivered with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// What brought it in: packages that are delivered may be there because of it.
    pub why: Reason,
    /// What became of it.
    pub trim: Trim,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Selected binary packages.
    pub packages: BTreeMap<Nevra, Chosen>,
    /// Their source packages, where the request wants them.
    pub sources: BTreeMap<Nevra, ChosenSource>,
    /// Selected debugging packages, where the request wants them.
    pub debug: BTreeMap<Nevra, Chosen>,
    /// Members of groups that no source offers: group and name.
    pub absent_members: BTreeSet<(String, String)>,
    /// Every judgement over a package of the secondary arch, also those that said no.
    pub judged: BTreeMap<Nevra, Verdict>,
    /// Everything that is wrong.
    pub problems: BTreeSet<Problem>,
    /// What is worth knowing beside that.
    pub notes: BTreeSet<Note>,
    /// What was selected and is delivered elsewhere, binary, source and debugging packages.
    pub trimmed: BTreeMap<Nevra, Trimmed>,
    /// Of packages that came from addons and layered products the chains that they have there.
    pub moved: BTreeMap<Nevra, Vec<(Nevra, Reason)>>,
}

impl Decision {
    /// Why a package is there: itself and its reason, then what brought that in, up to an input. Source and debugging
    /// packages are known, too. Of a package that is delivered elsewhere it is why it would be here.
    pub fn explain(&self, package: &Nevra) -> Vec<(Nevra, Reason)> {
        let mut chain: Vec<(Nevra, Reason)> = Vec::new();
        let mut next = self.reason(package);
        let most = self.packages.len() + self.debug.len() + self.sources.len() + self.trimmed.len();
        while let Some((nevra, why)) = next
            && chain.len() < most
        {
            let there = self.moved.get(&nevra).filter(|_| matches!(why, Reason::Moved { .. }));
            next = why.by().and_then(|by| self.reason(by));
            chain.push((nevra, why));
            chain.extend(there.into_iter().flatten().cloned());
        }
        chain
    }

    fn reason(&self, package: &Nevra) -> Option<(Nevra, Reason)> {
        let chosen = self.packages.get(package).or_else(|| self.debug.get(package));
        let source = || {
            let of = self.sources.get(package)?.of.clone();
            Some(of.map_or(Reason::Everything, |of| Reason::Source { of }))
        };
        let trimmed = || Some(self.trimmed.get(package)?.why.clone());
        Some((package.clone(), chosen.map(|chosen| chosen.why.clone()).or_else(source).or_else(trimmed)?))
    }

    /// Whether a package is selected: a binary, source or debugging one.
    pub fn has(&self, package: &Nevra) -> bool {
        self.packages.contains_key(package)
            || self.sources.contains_key(package)
            || self.debug.contains_key(package)
    }

    /// The packages that are selected, binary, debugging and source ones, with what is only looked aside at.
    pub fn selected(&self) -> impl Iterator<Item = &Nevra> {
        self.packages.keys().chain(self.debug.keys()).chain(self.sources.keys())
    }

    /// The packages that are delivered, binary, debugging and source ones.
    pub fn delivered(&self) -> impl Iterator<Item = &Nevra> {
        let chosen = self.packages.iter().chain(&self.debug).filter(|(_, chosen)| chosen.is_delivered());
        let sources = self.sources.iter().filter(|(_, source)| source.is_delivered());
        chosen.map(|(nevra, _)| nevra).chain(sources.map(|(nevra, _)| nevra))
    }
}
