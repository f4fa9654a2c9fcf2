//! Which packages belong into a tree of another arch: the rules of mash, python-multilib and Pungi, and gander's own.
//!
//! A method (`devel`, `runtime`, …) judges one package by name, arch, provides and files. A [`Profile`] says whose
//! rules, lists and quirks apply, which package of a pair is judged ([`Judged`]), and whether directories and
//! `%ghost` entries count as files ([`FileView`]):
//!
//! | profile | judged package | view | lists | methods |
//! |---|---|---|---|---|
//! | `pungi` | the secondary arch's twin of a selected native package | dnf | none of its own | none all devel runtime |
//! | `fedora` | as `pungi` | dnf | those of Fedora's configuration, globs | as `pungi`; devel and runtime unless asked |
//! | `koji` | the selected native package, whose twin must then exist | dnf | python-multilib's file, read as one text: a name is on a list when it is a *part* of it | devel |
//! | `koji-fixed` | as `koji` | dnf | the same, as lists | devel |
//! | `mash` | every candidate of the secondary arch | yum | mash's defaults | all; devel unless asked |
//! | `modern` | as `pungi` | yum | its own, globs | as `fedora` |
//! | `none` | as `pungi` | dnf | none | none |
//!
//! A [`Judge`] takes any method for any profile, as python-multilib does; a recipe takes those of the last column.
//!
//! **Order.** The compose's own blacklist, its own whitelist, the profile's lists of globs, then the methods: the first
//! that selects is the reason. `runtime`, first hit wins: its blacklist, its whitelist, `base`, a kernel (no), then
//! for each file, in the package's order, the rules [`Rule::Soname`] … [`Rule::Sane`]. `devel`: its blacklist, its
//! whitelist, `runtime`, `ghc-*` (no), a kernel package's provides in header order, the name's ending.
//!
//! **`modern`** differs:
//! - a package that provides `kernel-devel` is out before anything but the compose's own lists, so that no answer
//!   depends on the order of provides;
//! - `base` is not asked, so a package and its twin get the same answer;
//! - a package with no hit so far is looked at with more rules for files ([`Rule::PamModule`] and what follows it);
//! - directories and `%ghost` entries are no files: what is not shipped is no library.
//!
//! Facts: python-multilib 1.3, mash of 2017-01 (the last with rules of its own), Pungi 4.3.6, Koji 1.35, Fedora's rawhide
//! configuration of Pungi.

mod arches;
mod file;
mod lists;
mod rule;
mod subject;

use std::fmt;

pub use crate::base::multilib::{Method, Profile};
pub use rule::Rule;
pub use subject::Subject;

use self::lists::List;
use super::candidate::FileKind;
use super::decision::Multilib;
use crate::base::{fnmatch, multilib::names};

/// What counts as a file of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileView {
    /// Plain files only.
    Yum,
    /// Directories and `%ghost` entries too.
    Dnf,
}

names!(FileView, Yum = "yum", Dnf = "dnf");

/// Which packages a profile judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judged {
    /// Every package of the secondary arch.
    Secondary,
    /// Of each selected native package its twin: the package of the secondary arch that has its name, version and
    /// release.
    Twin,
    /// Each selected native package. Where it is selected its twin comes in, and must be there.
    Native,
}

impl Profile {
    /// Which packages it judges.
    pub const fn judged(self) -> Judged {
        match self {
            Self::Mash => Judged::Secondary,
            Self::Koji | Self::KojiFixed => Judged::Native,
            Self::Pungi | Self::Fedora | Self::Modern | Self::None => Judged::Twin,
        }
    }

    /// What counts as a file for it.
    pub const fn view(self) -> FileView {
        match self {
            Self::Mash | Self::Modern => FileView::Yum,
            Self::Pungi | Self::Fedora | Self::Koji | Self::KojiFixed | Self::None => FileView::Dnf,
        }
    }
}

/// A judgement over one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the package belongs into the tree.
    pub selected: bool,
    /// The method that said yes; none where all said no or a list of the compose or the profile decided.
    pub method: Option<Method>,
    /// The rule that decided; none where no rule hit.
    pub rule: Option<Rule>,
    /// The file, provide, name or pattern that the rule hit.
    pub evidence: Option<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            Some(method) => write!(f, "{method}")?,
            None => f.write_str(if self.selected { "selected" } else { "not selected" })?,
        }
        if let Some(rule) = self.rule {
            write!(f, ", {rule}")?;
        }
        match &self.evidence {
            Some(evidence) => write!(f, ": {evidence}"),
            None => Ok(()),
        }
    }
}

/// Judges packages by a profile's methods.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The profile.
    pub profile: Profile,
    methods: Vec<Method>,
    view: FileView,
    /// Globs of the compose's own: never these.
    blacklist: Vec<String>,
    /// Globs of the compose's own: always these.
    whitelist: Vec<String>,
    patterns: Vec<String>,
    /// Lists of the methods: black and white.
    devel: [List; 2],
    runtime: [List; 2],
}

impl Judge {
    /// A judge of a profile with methods in their order: the first that selects is the reason.
    pub fn new(profile: Profile, methods: impl IntoIterator<Item = Method>) -> Self {
        let [devel, runtime] = lists::of_methods(profile);
        Self {
            profile,
            methods: methods.into_iter().collect(),
            view: profile.view(),
            blacklist: Vec::new(),
            whitelist: Vec::new(),
            patterns: lists::patterns(profile),
            devel,
            runtime,
        }
    }

    /// The judge that a request asks for. Of several globs that a name matches the first by name is told.
    pub fn of(request: &Multilib) -> Self {
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort();
            list
        };
        let judge = Self::new(request.profile, request.methods.iter().copied())
            .with_lists(sorted(&request.whitelist), sorted(&request.blacklist));
        if request.patterns.is_empty() { judge } else { judge.with_patterns(sorted(&request.patterns)) }
    }

    /// With another view of files than the profile's.
    #[must_use]
    pub fn with_view(mut self, view: FileView) -> Self {
        self.view = view;
        self
    }

    /// With the compose's own lists of globs.
    #[must_use]
    pub fn with_lists(mut self, whitelist: Vec<String>, blacklist: Vec<String>) -> Self {
        self.whitelist = whitelist;
        self.blacklist = blacklist;
        self
    }

    /// With the patterns of the `file` method.
    #[must_use]
    pub fn with_patterns(mut self, patterns: Vec<String>) -> Self {
        self.patterns = patterns;
        self
    }

    /// Which packages are to be judged.
    pub fn judged(&self) -> Judged {
        self.profile.judged()
    }

    /// Whether packages of a name are not even to be seen in the secondary arch: the compose's blacklist says so, or
    /// Fedora's, which is one of a compose, and the compose's whitelist does not object.
    pub fn blacklists(&self, name: &str) -> bool {
        let of_profile = || {
            let black = if self.profile == Profile::Fedora { lists::globs(self.profile)[0] } else { &[] };
            find(black, name).is_some() && find(&self.whitelist, name).is_none()
        };
        find(&self.blacklist, name).is_some() || of_profile()
    }

    /// Judges a package: one by itself or one of a universe.
    pub fn judge(&self, package: &impl Subject) -> Verdict {
        let mut hit = self.lists(package);
        let mut method = None;
        if hit.is_none() {
            for &asked in &self.methods {
                match self.apply(asked, package) {
                    Some(yes) if !yes.0.denies() => {
                        (hit, method) = (Some(yes), Some(asked));
                        break;
                    }
                    // The first no is the one to tell.
                    no => hit = hit.or(no),
                }
            }
        }
        let selected = hit.as_ref().is_some_and(|(rule, _)| !rule.denies());
        let (rule, evidence) = hit.unzip();
        Verdict { selected, method, rule, evidence: evidence.filter(|evidence| !evidence.is_empty()) }
    }

    /// What lists of the compose and the profile say, before any method is asked.
    fn lists(&self, package: &impl Subject) -> Hit {
        let name = package.nevra().name.as_str();
        let [black, white] = lists::globs(self.profile);
        let kernel = || {
            let hit = self.profile == Profile::Modern && provides(package, "kernel-devel");
            hit.then(|| (Rule::KernelDevel, String::from("kernel-devel")))
        };
        let listed = |rule, glob: Option<&str>| glob.map(|glob| (rule, glob.to_owned()));
        listed(Rule::Blacklist, find(&self.blacklist, name))
            .or_else(|| listed(Rule::Whitelist, find(&self.whitelist, name)))
            .or_else(kernel)
            .or_else(|| listed(Rule::ProfileBlacklist, find(black, name)))
            .or_else(|| listed(Rule::ProfileWhitelist, find(white, name)))
    }

    fn apply(&self, method: Method, package: &impl Subject) -> Hit {
        let name = package.nevra().name.as_str();
        match method {
            Method::None => None,
            Method::All => Some((Rule::Everything, String::new())),
            Method::Base => base(package),
            Method::Kernel => kernel(package),
            Method::Yaboot => {
                let hit = package.nevra().arch == "ppc" && name.starts_with("yaboot");
                hit.then(|| (Rule::Yaboot, name.to_owned()))
            }
            Method::File => find(&self.patterns, name).map(|pattern| (Rule::Pattern, pattern.to_owned())),
            Method::Runtime => self.runtime(package),
            Method::Devel => self.devel(package),
        }
    }

    fn runtime(&self, package: &impl Subject) -> Hit {
        let name = package.nevra().name.as_str();
        let [black, white] = &self.runtime;
        if black.has(name) {
            return Some((Rule::RuntimeBlacklist, name.to_owned()));
        }
        if white.has(name) {
            return Some((Rule::RuntimeWhitelist, name.to_owned()));
        }
        if self.profile != Profile::Modern
            && let hit @ Some(_) = base(package)
        {
            return hit;
        }
        if name.starts_with("kernel") && provides(package, "kernel") {
            return Some((Rule::Kernel, String::from("kernel")));
        }
        let seen = |kind| self.view == FileView::Dnf || kind == FileKind::File;
        let files = || package.paths().filter(|(kind, ..)| seen(*kind));
        let path = |rule, folder: &str, name: &str| (rule, format!("{folder}/{name}"));
        let hit = files().find_map(|(_, folder, name)| Some(path(file::rule(folder, name)?, folder, name)));
        if hit.is_some() || self.profile != Profile::Modern {
            return hit;
        }
        files().find_map(|(_, folder, name)| Some(path(file::modern(folder, name, package)?, folder, name)))
    }

    fn devel(&self, package: &impl Subject) -> Hit {
        let name = package.nevra().name.as_str();
        let [black, white] = &self.devel;
        if black.has(name) {
            return Some((Rule::DevelBlacklist, name.to_owned()));
        }
        if white.has(name) {
            return Some((Rule::DevelWhitelist, name.to_owned()));
        }
        let runtime = self.runtime(package);
        if runtime.as_ref().is_some_and(|(rule, _)| !rule.denies()) {
            return runtime;
        }
        if name.starts_with("ghc-") {
            return Some((Rule::Ghc, name.to_owned()));
        }
        if name.starts_with("kernel") {
            // In the order of the header; for `modern` no package with kernel-devel comes this far.
            for provided in package.provided() {
                if provided == "kernel-devel" {
                    return Some((Rule::KernelDevel, provided.to_owned()));
                }
                if is_to_build_with(provided) {
                    return Some((Rule::KernelProvides, provided.to_owned()));
                }
            }
        }
        if is_to_build_with(name) { Some((Rule::NameEnding, name.to_owned())) } else { runtime }
    }
}

/// The rule that decided, yes or no, and what it hit; none where no rule did, which is a no.
type Hit = Option<(Rule, String)>;

/// The first glob that a name matches.
fn find<'g>(globs: &'g [impl AsRef<str>], name: &str) -> Option<&'g str> {
    globs.iter().map(AsRef::as_ref).find(|glob| fnmatch::matches(glob, name))
}

fn provides(package: &impl Subject, name: &str) -> bool {
    package.provided().any(|provided| provided == name)
}

fn is_to_build_with(name: &str) -> bool {
    name.ends_with("-devel") || name.ends_with("-static")
}

fn base(package: &impl Subject) -> Hit {
    const DEBUGGERS: &[&str] = &["gdb", "frysk", "systemtap", "systemtap-runtime", "ltrace", "strace"];
    let name = package.nevra().name.as_str();
    if package.nevra().arch.contains("64") && DEBUGGERS.contains(&name) {
        return Some((Rule::Debugger, name.to_owned()));
    }
    kernel(package)
}

fn kernel(package: &impl Subject) -> Hit {
    if !package.nevra().arch.contains("64") || !package.nevra().name.starts_with("kernel") {
        return None;
    }
    let found = package.provided().find(|name| ["kernel", "kernel-devel"].contains(name));
    found.map(|name| (Rule::Kernel64, name.to_owned()))
}

#[cfg(test)]
mod name_tests;
#[cfg(test)]
mod tests;
