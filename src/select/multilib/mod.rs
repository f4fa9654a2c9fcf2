//! Which packages belong into a tree of another arch: the rules of mash, python-multilib and Pungi.
//!
//! A method (`devel`, `runtime`, …) judges one package by name, arch, provides and files. A profile says whose
//! lists and quirks apply, and a file view whether directories and `%ghost` entries count as files:
//!
//! | profile | judged package | view | lists |
//! |---|---|---|---|
//! | `pungi` | the secondary arch's twin of a selected native package | dnf | none of its own |
//! | `mash` | every candidate of the secondary arch | yum | mash's defaults |
//! | `koji` | the selected native package, whose twin must then exist | dnf | python-multilib's file, read as one text: a name is on a list when it is a *part* of it |
//! | `koji-fixed` | as `koji` | dnf | the same, as lists |
//!
//! `runtime`, first hit wins: its blacklist, its whitelist, `base`, a kernel (no), then for each file the rules
//! [`Rule::Soname`] … [`Rule::Sane`]. `devel`: its blacklist, its whitelist, `runtime`, `ghc-*` (no), a kernel package's
//! provides in header order, the name's ending.

mod rule;

use std::fmt;

pub use rule::Rule;
use rule::file_rule;

use super::candidate::{Candidate, FileKind};
use crate::base::fnmatch;

/// Whose lists and quirks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Pungi: python-multilib without its configuration.
    Pungi,
    /// Koji's dist-repo: python-multilib with its configuration, read as text.
    Koji,
    /// The same lists as they were meant.
    KojiFixed,
    /// mash with its default lists.
    Mash,
}

/// A method of deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// No package.
    None,
    /// Every package.
    All,
    /// Debuggers and kernels, only of arches with "64" in their name.
    Base,
    /// The kernel part of `base`.
    Kernel,
    /// The boot loader of ppc.
    Yaboot,
    /// A list of name patterns.
    File,
    /// Libraries and plug-ins.
    Runtime,
    /// `runtime`, and what one builds with.
    Devel,
}

/// What counts as a file of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileView {
    /// Plain files only.
    Yum,
    /// Directories and `%ghost` entries too.
    Dnf,
}

macro_rules! names {
    ($type:ty, $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// Its name in a recipe.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Finds one by its name in a recipe.
            pub fn find(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            /// All names.
            pub const NAMES: &[&str] = &[$($name),+];
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names!(Profile, Pungi = "pungi", Koji = "koji", KojiFixed = "koji-fixed", Mash = "mash");
names!(
    Method,
    None = "none",
    All = "all",
    Base = "base",
    Kernel = "kernel",
    Yaboot = "yaboot",
    File = "file",
    Runtime = "runtime",
    Devel = "devel",
);
names!(FileView, Yum = "yum", Dnf = "dnf");

/// A judgement over one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the package belongs into the tree.
    pub selected: bool,
    /// The method that said yes; none where all said no or a list of the compose decided.
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
            write!(f, ", {}", rule.name())?;
        }
        match &self.evidence {
            Some(evidence) => write!(f, ": {evidence}"),
            None => Ok(()),
        }
    }
}

/// A list of names.
#[derive(Clone, Debug)]
enum List {
    /// Exact names.
    Names(Vec<&'static str>),
    /// Koji's reading: a name is on it when it is a part of the text.
    Text(String),
}

impl List {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Names(names) => names.contains(&name),
            Self::Text(text) => text.contains(name),
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
    devel: [List; 2],
    runtime: [List; 2],
}

const DEVEL_BLACK: &[&str] = &[
    "dmraid-devel",
    "httpd-devel",
    "kdeutils-devel",
    "mkinitrd-devel",
    "java-1.5.0-gcj-devel",
    "java-1.6.0-openjdk-devel",
    "java-1.7.0-icedtea-devel",
    "java-1.7.0-openjdk-devel",
    "java-1.8.0-openjdk-devel",
    "php-devel",
];
const RUNTIME_BLACK: &[&str] = &["httpd", "php", "tomcat-native"];
const RUNTIME_WHITE: &[&str] = &[
    "libflashsupport",
    "libgnat",
    "lmms-vst",
    "nspluginwrapper",
    "perl-libs",
    "redhat-lsb",
    "syslinux-extlinux-nonlinux",
    "syslinux-nonlinux",
    "syslinux-tftpboot",
    "valgrind",
    "wine",
    "yaboot",
];
/// What mash lists beyond python-multilib.
const RUNTIME_WHITE_MASH: &[&str] = &["nosync", "postgresql-odbc", "mysql-connector-odbc"];
const KOJI_PATTERNS: &[&str] = &["glibc", "steam", "whatever"];

impl Judge {
    /// A judge of a profile with methods in their order: the first that selects is the reason.
    pub fn new(profile: Profile, methods: impl IntoIterator<Item = Method>) -> Self {
        let names = |names: &[&'static str]| List::Names(names.to_vec());
        // One line a name: no name holds a line break, so none spans two.
        let text = |names: &[&str]| List::Text(names.join("\n"));
        let (devel, runtime) = match profile {
            Profile::Pungi => ([names(&[]), names(&[])], [names(&[]), names(&[])]),
            Profile::Koji => ([text(DEVEL_BLACK), text(&[])], [text(RUNTIME_BLACK), text(RUNTIME_WHITE)]),
            Profile::KojiFixed => {
                ([names(DEVEL_BLACK), names(&[])], [names(RUNTIME_BLACK), names(RUNTIME_WHITE)])
            }
            Profile::Mash => {
                let white = [RUNTIME_WHITE, RUNTIME_WHITE_MASH].concat();
                ([names(DEVEL_BLACK), names(&[])], [names(RUNTIME_BLACK), names(&white)])
            }
        };
        let patterns = match profile {
            Profile::Pungi | Profile::Mash => Vec::new(),
            // python-multilib takes each character of its configuration's text for a pattern.
            Profile::Koji => KOJI_PATTERNS.join("\n").chars().map(String::from).collect(),
            Profile::KojiFixed => KOJI_PATTERNS.iter().map(|pattern| (*pattern).to_owned()).collect(),
        };
        let view = if profile == Profile::Mash { FileView::Yum } else { FileView::Dnf };
        Self {
            profile,
            methods: methods.into_iter().collect(),
            view,
            blacklist: Vec::new(),
            whitelist: Vec::new(),
            patterns,
            devel,
            runtime,
        }
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

    /// Whether a name is on the compose's blacklist.
    pub fn blacklists(&self, name: &str) -> bool {
        self.blacklist.iter().any(|pattern| fnmatch::matches(pattern, name))
    }

    /// Judges a package.
    pub fn judge(&self, package: &Candidate) -> Verdict {
        let name = package.nevra.name.as_str();
        let listed = |list: &[String]| list.iter().find(|pattern| fnmatch::matches(pattern, name)).cloned();
        if let Some(pattern) = listed(&self.blacklist) {
            return Verdict {
                selected: false,
                method: None,
                rule: Some(Rule::Blacklist),
                evidence: Some(pattern),
            };
        }
        if let Some(pattern) = listed(&self.whitelist) {
            return Verdict {
                selected: true,
                method: None,
                rule: Some(Rule::Whitelist),
                evidence: Some(pattern),
            };
        }
        let mut last = None;
        for &method in &self.methods {
            match self.apply(method, package) {
                Hit::Yes(rule, evidence) => {
                    return Verdict { selected: true, method: Some(method), rule: Some(rule), evidence };
                }
                Hit::No(rule) => last = rule,
            }
        }
        Verdict { selected: false, method: None, rule: last, evidence: None }
    }

    fn apply(&self, method: Method, package: &Candidate) -> Hit {
        let name = package.nevra.name.as_str();
        match method {
            Method::None => Hit::No(None),
            Method::All => Hit::Yes(Rule::Everything, None),
            Method::Base => base(package),
            Method::Kernel => kernel(package),
            Method::Yaboot => {
                Hit::when(package.nevra.arch == "ppc" && name.starts_with("yaboot"), Rule::Yaboot, name)
            }
            Method::File => {
                let hit = self.patterns.iter().find(|pattern| fnmatch::matches(pattern, name));
                hit.map_or(Hit::No(None), |pattern| Hit::Yes(Rule::Pattern, Some(pattern.clone())))
            }
            Method::Runtime => self.runtime(package),
            Method::Devel => self.devel(package),
        }
    }

    fn runtime(&self, package: &Candidate) -> Hit {
        let name = package.nevra.name.as_str();
        let [black, white] = &self.runtime;
        if black.has(name) {
            return Hit::No(Some(Rule::RuntimeBlacklist));
        }
        if white.has(name) {
            return Hit::Yes(Rule::RuntimeWhitelist, Some(name.to_owned()));
        }
        if let hit @ Hit::Yes(..) = base(package) {
            return hit;
        }
        if name.starts_with("kernel") && package.provides.iter().any(|provided| provided.name == "kernel") {
            return Hit::No(Some(Rule::Kernel));
        }
        let seen = |kind| self.view == FileView::Dnf || kind == FileKind::File;
        for file in package.files.iter().filter(|file| seen(file.kind())) {
            let (folder, file_name) = file.path().rsplit_once('/').unwrap_or(("", file.path()));
            if let Some(rule) = file_rule(folder, file_name) {
                return Hit::Yes(rule, Some(file.path().to_owned()));
            }
        }
        Hit::No(None)
    }

    fn devel(&self, package: &Candidate) -> Hit {
        let name = package.nevra.name.as_str();
        let [black, white] = &self.devel;
        if black.has(name) {
            return Hit::No(Some(Rule::DevelBlacklist));
        }
        if white.has(name) {
            return Hit::Yes(Rule::DevelWhitelist, Some(name.to_owned()));
        }
        let runtime = match self.runtime(package) {
            hit @ Hit::Yes(..) => return hit,
            Hit::No(rule) => rule,
        };
        if name.starts_with("ghc-") {
            return Hit::No(Some(Rule::Ghc));
        }
        let ending = |name: &str| name.ends_with("-devel") || name.ends_with("-static");
        if name.starts_with("kernel") {
            for provided in &package.provides {
                if provided.name == "kernel-devel" {
                    return Hit::No(Some(Rule::KernelDevel));
                }
                if ending(&provided.name) {
                    return Hit::Yes(Rule::KernelProvides, Some(provided.name.clone()));
                }
            }
        }
        if ending(name) { Hit::Yes(Rule::NameEnding, Some(name.to_owned())) } else { Hit::No(runtime) }
    }
}

enum Hit {
    Yes(Rule, Option<String>),
    No(Option<Rule>),
}

impl Hit {
    fn when(hit: bool, rule: Rule, evidence: &str) -> Self {
        if hit { Self::Yes(rule, Some(evidence.to_owned())) } else { Self::No(None) }
    }
}

fn base(package: &Candidate) -> Hit {
    const DEBUGGERS: &[&str] = &["gdb", "frysk", "systemtap", "systemtap-runtime", "ltrace", "strace"];
    let name = package.nevra.name.as_str();
    if package.nevra.arch.contains("64") && DEBUGGERS.contains(&name) {
        return Hit::Yes(Rule::Debugger, Some(name.to_owned()));
    }
    kernel(package)
}

fn kernel(package: &Candidate) -> Hit {
    if !package.nevra.arch.contains("64") || !package.nevra.name.starts_with("kernel") {
        return Hit::No(None);
    }
    let mut names = package.provides.iter().map(|provided| provided.name.as_str());
    match names.find(|name| ["kernel", "kernel-devel"].contains(name)) {
        Some(name) => Hit::Yes(Rule::Kernel64, Some(name.to_owned())),
        None => Hit::No(None),
    }
}

#[cfg(test)]
mod tests;
