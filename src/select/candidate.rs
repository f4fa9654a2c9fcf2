//! The canonical package model: everything of a package that a selection may depend on, and nothing else.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::relation::{Relation, Sense};
use crate::base::{Digest, Nevra};
use crate::format::repodata::{self, Entry};
use crate::rpm::dependency::Kind;
use crate::rpm::{Dependencies, Dependency, Package};

/// What a path of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileKind {
    /// A file, link or device.
    #[serde(rename = "f")]
    File,
    /// A directory.
    #[serde(rename = "d")]
    Directory,
    /// Owned but not shipped (`%ghost`).
    #[serde(rename = "g")]
    Ghost,
}

/// One path of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackagedFile(pub FileKind, pub String);

impl PackagedFile {
    /// What it is.
    pub fn kind(&self) -> FileKind {
        self.0
    }

    /// Its absolute path.
    pub fn path(&self) -> &str {
        &self.1
    }
}

/// A package that a selection may choose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Its full name.
    pub nevra: Nevra,
    /// Its content digest: what the lock knows it by, opaque here.
    pub key: Digest,
    /// File name of the source package it was built from; none for source packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it provides, in the order of its header (one multilib rule reads that order).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<Relation>,
    /// What it requires, `rpmlib(…)` left out; for a source package what building it requires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Relation>,
    /// What it conflicts with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Relation>,
    /// What it obsoletes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obsoletes: Vec<Relation>,
    /// What it recommends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommends: Vec<Relation>,
    /// What it supplements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supplements: Vec<Relation>,
    /// Its paths, in the order of its header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PackagedFile>,
    /// Trees that it does not belong to, since where it comes from says so: `noarch` ones by their arch, `VARIANT/ARCH` where
    /// the tree does not look aside at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_for: Vec<String>,
    /// Whether it is only there to meet requirements: it comes from a repository that is looked aside at.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lookaside: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Candidate {
    /// A candidate with a name and nothing else.
    pub fn new(nevra: Nevra, key: Digest) -> Self {
        Self {
            nevra,
            key,
            source: None,
            provides: Vec::new(),
            requires: Vec::new(),
            conflicts: Vec::new(),
            obsoletes: Vec::new(),
            recommends: Vec::new(),
            supplements: Vec::new(),
            files: Vec::new(),
            not_for: Vec::new(),
            lookaside: false,
        }
    }

    /// What selection reads of a package, with the content digest that the lock knows it by.
    pub fn from_package(package: &Package<'_>, key: Digest) -> Self {
        let relations = |list: &Dependencies<'_>| stated(list.iter()).map(Relation::from).collect();
        let files = package.files.listing().map(|file| {
            let kind = match (file.is_directory(), file.is_ghost()) {
                (true, _) => FileKind::Directory,
                (false, true) => FileKind::Ghost,
                (false, false) => FileKind::File,
            };
            PackagedFile(kind, file.path())
        });
        Self {
            nevra: package.nevra.clone(),
            key,
            source: package.sourcerpm.as_deref().map(str::to_owned),
            provides: relations(&package.provides),
            requires: relations(&package.requires),
            conflicts: relations(&package.conflicts),
            obsoletes: relations(&package.obsoletes),
            recommends: relations(&package.recommends),
            supplements: relations(&package.supplements),
            files: files.collect(),
            not_for: Vec::new(),
            lookaside: false,
        }
    }

    /// What selection reads of a package that only a repository's metadata tell of. The key is the caller's to choose:
    /// metadata have no content digest, only a checksum of the file as it is signed now.
    ///
    /// Against [`Candidate::from_package`] of the same package:
    /// - files are the primary ones only, unless filelists were read ([`Entry::has_all_files`]): multilib's rules
    ///   need all of them;
    /// - requirements lack those that the package itself meets by a primary file or by the same words, repeated ones, and
    ///   all of `libc.so.6…` but the highest; those only wished for (rpm's "missing ok") are recommendations;
    /// - versions lack an epoch of 0, whether it was written out or not: metadata have it always, packages hardly ever;
    /// - the arch of a source package without sources is `src`, not `nosrc`.
    ///
    /// Colours, digests, flags and modes of files, and scriptlets, are in no metadata at all; candidates have none either.
    pub fn from_entry(entry: Entry<'_>, key: Digest) -> Self {
        let list = |kind| stated_by(entry, kind).map(Relation::from).collect();
        Self {
            nevra: entry.nevra().clone(),
            key,
            source: entry.sourcerpm().map(str::to_owned),
            provides: list(Kind::Provides),
            requires: list(Kind::Requires),
            conflicts: list(Kind::Conflicts),
            obsoletes: list(Kind::Obsoletes),
            recommends: list(Kind::Recommends),
            supplements: list(Kind::Supplements),
            files: entry.files().map(|file| PackagedFile(file.kind.into(), file.path())).collect(),
            not_for: Vec::new(),
            lookaside: false,
        }
    }

    /// Whether it provides what a single requirement asks for, or has the file.
    pub fn meets(&self, wanted: &Relation) -> bool {
        let provides = |provided: &Relation| provided.name == wanted.name && wanted.meets(provided);
        self.provides.iter().any(provides)
            || wanted.name.starts_with('/') && self.files.iter().any(|file| file.path() == wanted.name)
    }

    /// Whether it meets an expression all by itself, which says nothing about conditions.
    pub fn meets_alone(&self, wanted: &Expression) -> bool {
        match wanted {
            Expression::Simple(relation) => self.meets(relation),
            Expression::All(parts) | Expression::With(parts) => {
                parts.iter().all(|part| self.meets_alone(part))
            }
            Expression::Any(parts) => parts.iter().any(|part| self.meets_alone(part)),
            Expression::Without(wanted, unwanted) => self.meets_alone(wanted) && !self.meets_alone(unwanted),
            Expression::If(..) | Expression::Unless(..) => false,
        }
    }

    /// Whether it carries debugging information, told by its name as Pungi does.
    pub fn is_debug(&self) -> bool {
        is_debug_name(&self.nevra.name)
    }
}

impl From<repodata::FileKind> for FileKind {
    fn from(kind: repodata::FileKind) -> Self {
        match kind {
            repodata::FileKind::File => Self::File,
            repodata::FileKind::Directory => Self::Directory,
            repodata::FileKind::Ghost => Self::Ghost,
        }
    }
}

/// A relation as a package states it.
pub(super) struct Stated<'d> {
    pub(super) name: Cow<'d, str>,
    pub(super) sense: Sense,
    pub(super) version: Cow<'d, str>,
}

impl<'d> From<&'d Relation> for Stated<'d> {
    fn from(relation: &'d Relation) -> Self {
        let Relation { name, sense, version } = relation;
        Self { name: name.into(), sense: *sense, version: version.into() }
    }
}

impl From<Stated<'_>> for Relation {
    fn from(stated: Stated<'_>) -> Self {
        Self { name: stated.name.into(), sense: stated.sense, version: stated.version.into() }
    }
}

/// What metadata state of a package: see [`Candidate::from_entry`].
pub(super) fn stated_by(entry: Entry<'_>, kind: Kind) -> impl Iterator<Item = Stated<'_>> {
    stated(entry.dependencies(kind).map(without_epoch))
}

/// Without an epoch of 0, unless the version would be read otherwise then.
fn without_epoch(dependency: Dependency<'_>) -> Dependency<'_> {
    let rest = |evr: &str| evr.strip_prefix("0:").filter(|rest| !rest.contains(':')).map(str::len);
    let Some(length) = rest(&dependency.evr) else { return dependency };
    let evr = match dependency.evr {
        Cow::Borrowed(evr) => Cow::Borrowed(evr.split_at(evr.len() - length).1),
        Cow::Owned(mut evr) => Cow::Owned(evr.split_off(evr.len() - length)),
    };
    Dependency { evr, ..dependency }
}

/// A list of dependencies, `rpmlib(…)` left out.
fn stated<'d>(list: impl Iterator<Item = Dependency<'d>>) -> impl Iterator<Item = Stated<'d>> {
    list.filter(|dependency| !dependency.name.starts_with("rpmlib(")).map(|dependency| {
        let Dependency { name, flags, evr } = dependency;
        match Sense::from_rpm(flags) {
            // A comparison without a version compares nothing.
            sense if sense == Sense::ANY || evr.is_empty() => {
                Stated { name, sense: Sense::ANY, version: "".into() }
            }
            sense => Stated { name, sense, version: evr },
        }
    })
}

/// Whether a package of this name carries debugging information.
pub fn is_debug_name(name: &str) -> bool {
    name.ends_with("-debuginfo") || name.contains("-debuginfo-") || name.ends_with("-debugsource")
}
