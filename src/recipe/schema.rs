//! The nouns of a recipe, parsed: nothing here is text that still has to be checked.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::family::Family;
use super::gather::{ForArch, Gathering};
use super::koji::KojiSource;
use super::layout::Layout;
use super::lines::GroupLines;
use super::lookaside::Lookaside;
use super::modules::ModuleChoice;
use super::multilib::Multilib;
use super::repo::RepoSource;
use crate::base::arch::TreeArch;
use crate::base::{Digest, RelPath, SourceDate};
use crate::format::kickstart::Dialect;
use crate::format::repodata::Form;

/// A recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What is released.
    pub release: Release,
    /// What builds run in; always there when a source is built here.
    pub builder: Option<Builder>,
    /// Where packages come from, in order of preference; at least one.
    pub sources: Vec<Source>,
    /// The form of the repositories' metadata.
    pub repodata: Form,
    /// What is composed of them, by id; at least one.
    pub variants: BTreeMap<String, Variant>,
    /// The media made of them, in the order of the recipe.
    pub media: Vec<Medium>,
    /// What signs packages and metadata; nothing is signed without it.
    pub sign: Option<Sign>,
    /// What signs metadata besides, in the order of the recipe; never packages.
    pub also: Vec<Sign>,
    /// Whether the `.treeinfo` of install trees is signed, too.
    pub sign_treeinfo: bool,
    /// Keys that nothing may be signed with any more, and whose signatures prove nothing.
    pub compromised: Vec<Fingerprint>,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) inputs: Vec<InputPath>,
}

impl Recipe {
    /// Whether a key is among those that may no longer sign.
    pub fn is_compromised(&self, fingerprint: &str) -> bool {
        self.compromised.iter().any(|key| key.as_str() == fingerprint)
    }

    /// The first part, such as `[[source]]`, that says something else in another recipe, keys aside: those that sign
    /// and those that are accepted.
    pub fn differs_besides_keys(&self, other: &Self) -> Option<&'static str> {
        let sources = |recipe: &Self| -> Vec<Source> {
            recipe.sources.iter().map(|source| Source { keys: Vec::new(), ..source.clone() }).collect()
        };
        let parts = [
            ("[release]", self.release == other.release),
            ("[builder]", self.builder == other.builder),
            ("[[source]]", sources(self) == sources(other)),
            ("[repodata]", self.repodata == other.repodata),
            ("[variant.ID]", self.variants == other.variants),
            ("[[media]]", self.media == other.media),
            ("'treeinfo' of [sign]", self.sign_treeinfo == other.sign_treeinfo),
        ];
        parts.into_iter().find(|(_, same)| !same).map(|(part, _)| part)
    }
}

/// What is released: `[release]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The full name, such as `Gosling Linux`.
    pub name: String,
    /// The short name, as compose ids begin with it.
    pub short: String,
    /// The version, such as `1` or `9.4`.
    pub version: String,
    /// The milestone, such as `RC-1.0`.
    pub label: Option<String>,
    /// The only time that reaches an output; taken while resolving when absent.
    pub source_date: Option<SourceDate>,
    /// What `%{dist}` is in packages built here; empty when absent.
    pub dist: String,
}

/// What builds run in: `[builder]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// The image.
    pub image: BuilderImage,
}

/// An image by what pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuilderImage {
    /// The lock of a list of Debian packages, from which gander assembles the image.
    Lock(RelPath),
    /// An image in a registry, by digest.
    Registry {
        /// Registry and repository, such as `registry.example.org/gander/builder`.
        repository: String,
        /// The digest of the image's manifest.
        digest: Digest,
    },
}

/// Where packages come from: one `[[source]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The place.
    pub origin: Origin,
    /// Keys whose signatures packages from there may carry, in order of preference.
    pub keys: Vec<Fingerprint>,
    /// What to do with a package that none of them signed.
    pub on_unsigned: OnUnsigned,
    /// Whether its packages are only there to meet requirements, and never delivered.
    pub lookaside: Lookaside,
}

/// The place that packages of a source come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// They are built here.
    Build(BuildSource),
    /// A folder of RPMs; folders in it count too.
    Dir(RelPath),
    /// A repository.
    Repo(RepoSource),
    /// What Koji has tagged.
    Koji(Box<KojiSource>),
}

/// Packages built here from specs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSource {
    /// The folder of spec files; each `*.spec` in it is built.
    pub specs: RelPath,
    /// The folder of the sources that specs name.
    pub sources: Option<RelPath>,
    /// The lock of the Debian packages that specs name as sources.
    pub debian: Option<RelPath>,
    /// The arches to build for, the one of source packages and `noarch` first.
    pub targets: Vec<String>,
}

/// What to do with a package that no accepted key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnsigned {
    /// Have it signed with the recipe's key.
    Sign,
    /// Refuse it.
    Error,
    /// Take it as it is.
    Allow,
}

/// A set of packages that becomes a repository per arch: `[variant.ID]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its arches, at least one.
    pub arches: Vec<&'static TreeArch>,
    /// The comps file that groups and environments are looked up in.
    pub comps: Option<RelPath>,
    /// Ids of comps groups.
    pub groups: Vec<String>,
    /// Ids of comps environments.
    pub environments: Vec<String>,
    /// Packages by name, glob or `name.arch`.
    pub packages: Vec<String>,
    /// Streams of modules whose packages it has.
    pub modules: Vec<ModuleChoice>,
    /// Groups and environments that lines of `packages` name.
    pub lines: GroupLines,
    /// Packages to leave out whatever wants them, by name, glob or `name.arch`.
    pub exclude: Vec<String>,
    /// The rule for packages of the secondary arch; none come in by rule without it.
    pub multilib: Option<Multilib>,
    /// Whether the source packages come along, as a tree of their own.
    pub sources: bool,
    /// Whether the debugging packages come along, as trees of their own.
    pub debug: bool,
    /// Whether packages lie in folders by the first letter of their names.
    pub hashed: bool,
    /// Where its trees lie, if not as Pungi has it.
    pub layout: Option<Layout>,
    /// How it is gathered beyond what it names and what that requires.
    pub gather: Gathering,
    /// What it names for single arches besides.
    pub by_arch: BTreeMap<String, ForArch>,
    /// How it relates to its parent and to other variants.
    pub family: Family,
}

/// What is made of a variant beside its repositories: one `[[media]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Medium {
    /// What it is.
    pub kind: MediumKind,
    /// Tells media of one variant apart; its kind unless named otherwise.
    pub name: String,
    /// The variant whose packages are on it.
    pub variant: String,
    /// The arches that it is made for.
    pub arches: Vec<String>,
    /// The kickstart that says what is on it: its path in the folder `kickstarts`, which lies beside the recipe or
    /// one folder up.
    pub kickstart: RelPath,
    /// The kickstart of the system that starts from it, for a DVD.
    pub installer: Option<RelPath>,
    /// How the kickstarts are read.
    pub dialect: Dialect,
    /// Its volume id, where it is not to be the one made of release, variant and arch.
    pub volume_id: Option<String>,
}

/// What a medium is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediumKind {
    /// The install tree of a variant with a system that starts from it.
    Dvd,
    /// A system that runs from the medium.
    Live,
}

impl MediumKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dvd, Self::Live];

    /// Its name in recipes, locks and metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dvd => "dvd",
            Self::Live => "live",
        }
    }

    /// Finds one by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What signs: `[sign]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A key derived from a public phrase: proves nothing, for demonstrations only.
    Demonstration {
        /// The phrase.
        phrase: String,
    },
    /// A secret key in a file outside the recipe's tree.
    KeyFile {
        /// The armored secret key.
        key: OutsidePath,
        /// The file whose first line is its passphrase.
        passphrase: Option<OutsidePath>,
    },
    /// A key on a PKCS #11 token.
    Token {
        /// The key file that finds it.
        key: OutsidePath,
        /// The file whose first line is the token's PIN; none where the token has a keypad.
        pin: Option<OutsidePath>,
    },
    /// A key on a server that speaks sigul's protocol.
    Sigul {
        /// The configuration file of the client.
        config: OutsidePath,
        /// What the server calls the key.
        key: String,
        /// Which key it has to be.
        fingerprint: Option<Fingerprint>,
    },
}

/// The path of something that must not lie beside the recipe: absolute, or below the home folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutsidePath {
    /// `/…`
    Absolute(PathBuf),
    /// `~/…`
    Home(RelPath),
}

/// The path is neither absolute nor below the home folder. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path '{0}' is neither absolute nor begins with '~/': secrets lie outside the recipe's folder")]
pub struct OutsidePathError(String);

impl OutsidePath {
    /// The path as the system knows it; none where it needs a home folder and there is none.
    pub fn resolve(&self, home: Option<&Path>) -> Option<PathBuf> {
        match self {
            Self::Absolute(path) => Some(path.clone()),
            Self::Home(path) => home.map(|home| path.below(home)),
        }
    }
}

impl FromStr for OutsidePath {
    type Err = OutsidePathError;

    fn from_str(text: &str) -> Result<Self, OutsidePathError> {
        let error = || OutsidePathError(text.chars().take(200).collect());
        if let Some(below) = text.strip_prefix("~/") {
            return RelPath::new(below).map(Self::Home).map_err(|_| error());
        }
        let path = PathBuf::from(text);
        if path.is_absolute() && !text.contains('\0') { Ok(Self::Absolute(path)) } else { Err(error()) }
    }
}

/// The fingerprint of an OpenPGP key: 40 (version 4) or 64 (version 6) upper-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(String);

/// The text is no fingerprint. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a fingerprint: expected 40 or 64 hexadecimal digits")]
pub struct FingerprintError(String);

impl Fingerprint {
    /// Its digits, upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        // As gpg prints them, in groups of four.
        let digits: String = text.chars().filter(|char| *char != ' ').take(65).collect();
        if matches!(digits.len(), 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(digits.to_ascii_uppercase()))
        } else {
            Err(FingerprintError(text.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path that a recipe names, relative to its folder, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPath {
    /// The key, such as `variant.BaseOS.comps`.
    pub key: String,
    /// The path.
    pub path: RelPath,
    /// What must be there.
    pub kind: InputKind,
    pub(super) span: Range<usize>,
}

/// What a path of a recipe must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Folder => "folder",
        })
    }
}
