//! Packages as repository metadata describe them: a model for choosing among very many.
//!
//! All texts lie in one pool and all lists in one vector each; an [`Entry`] is a view of one package. Dependencies
//! come as [`Dependency`], the same as those of a package's own header, so whatever reads the one reads the other.

use std::borrow::Cow;

use super::super::checksum::Checksum;
use super::pool::{Pool, Span};
use crate::base::Nevra;
use crate::rpm::Dependency;
use crate::rpm::dependency::Kind;

/// Kinds of dependencies that metadata have: all but [`Kind::Order`].
pub(super) const KINDS: usize = 8;

/// Texts of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// One line.
    Summary,
    /// Several lines.
    Description,
    /// Who packaged it.
    Packager,
    /// The project's page.
    Url,
    /// Its licence.
    License,
    /// Who distributes it.
    Vendor,
    /// The group of old.
    Group,
    /// Where it was built.
    Buildhost,
    /// File name of the source package; empty for one.
    Sourcerpm,
}

impl Text {
    pub(super) const COUNT: usize = 9;
}

/// What a path of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// A file, link or device.
    File,
    /// A directory.
    Directory,
    /// Owned but not shipped (`%ghost`).
    Ghost,
}

/// Numbers of a package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Bytes of the package file.
    pub size: u64,
    /// Bytes of its files when installed.
    pub installed_size: u64,
    /// Bytes of its payload before compression.
    pub archive_size: u64,
    /// Seconds since 1970 of the package file.
    pub file_time: i64,
    /// Seconds since 1970 when it was built.
    pub build_time: i64,
    /// Where its main header begins and ends in the package file.
    pub header: (u64, u64),
}

/// Part of a vector.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slice {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Slice {
    fn of<T>(self, all: &[T]) -> &[T] {
        all.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) nevra: Nevra,
    pub(super) checksum: Checksum,
    pub(super) numbers: Numbers,
    pub(super) href: Span,
    pub(super) base: Option<Span>,
    pub(super) texts: [Span; Text::COUNT],
    pub(super) dependencies: [Slice; KINDS],
    pub(super) files: Slice,
    pub(super) all_files: bool,
    pub(super) changelogs: Option<Slice>,
}

#[derive(Debug)]
pub(super) struct DependencyRow {
    pub(super) name: Span,
    pub(super) evr: Span,
    pub(super) flags: u32,
}

#[derive(Debug)]
pub(super) struct FileRow {
    /// With the `/` at its end.
    pub(super) directory: Span,
    pub(super) name: Span,
    pub(super) kind: FileKind,
}

#[derive(Debug)]
pub(super) struct ChangelogRow {
    pub(super) time: i64,
    pub(super) author: Span,
    pub(super) text: Span,
}

/// The packages of a repository, in the order of primary.
pub struct Packages {
    pub(super) texts: Pool,
    pub(super) rows: Vec<Row>,
    pub(super) dependencies: Vec<DependencyRow>,
    pub(super) files: Vec<FileRow>,
    pub(super) changelogs: Vec<ChangelogRow>,
}

impl Packages {
    pub(super) fn new() -> Self {
        Self {
            texts: Pool::new(),
            rows: Vec::new(),
            dependencies: Vec::new(),
            files: Vec::new(),
            changelogs: Vec::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The packages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.rows.iter().map(|row| Entry { packages: self, row })
    }

    /// The package at a place.
    pub fn get(&self, place: usize) -> Option<Entry<'_>> {
        self.rows.get(place).map(|row| Entry { packages: self, row })
    }
}

impl std::fmt::Debug for Packages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packages")
            .field("packages", &self.rows.len())
            .field("dependencies", &self.dependencies.len())
            .field("files", &self.files.len())
            .field("texts", &self.texts.len())
            .finish()
    }
}

/// One package of a repository.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    packages: &'a Packages,
    row: &'a Row,
}

impl<'a> Entry<'a> {
    /// Its full name. The arch of every source package is `src`.
    pub fn nevra(self) -> &'a Nevra {
        &self.row.nevra
    }

    /// The checksum of its file.
    pub fn checksum(self) -> &'a Checksum {
        &self.row.checksum
    }

    /// Its sizes, times and places.
    pub fn numbers(self) -> Numbers {
        self.row.numbers
    }

    /// Where its file is: a plain relative path from the repository's folder, or from [`Entry::base`].
    pub fn href(self) -> &'a str {
        self.packages.texts.get(self.row.href)
    }

    /// The URL that [`Entry::href`] is relative to (`xml:base`). Where there is one, the file lies outside of the
    /// repository; whether to follow it there is the caller's decision.
    pub fn base(self) -> Option<&'a str> {
        self.row.base.map(|base| self.packages.texts.get(base))
    }

    /// A text; empty where it has none.
    pub fn text(self, text: Text) -> &'a str {
        self.row.texts.get(text as usize).map_or("", |span| self.packages.texts.get(*span))
    }

    /// File name of the source package that it was built from; none where it does not say.
    pub fn sourcerpm(self) -> Option<&'a str> {
        Some(self.text(Text::Sourcerpm)).filter(|name| !name.is_empty())
    }

    /// Its dependencies of a kind, in the order of the metadata. Of the flags there are those that compare, and
    /// [`PREREQ`](crate::rpm::sense::PREREQ) for `pre`. Metadata have no [`Kind::Order`].
    pub fn dependencies(self, kind: Kind) -> impl ExactSizeIterator<Item = Dependency<'a>> {
        let texts = &self.packages.texts;
        let slice = self.row.dependencies.get(kind as usize).copied().unwrap_or_default();
        slice.of(&self.packages.dependencies).iter().map(|row| Dependency {
            name: Cow::Borrowed(texts.get(row.name)),
            flags: row.flags,
            evr: Cow::Borrowed(texts.get(row.evr)),
        })
    }

    /// Its files: all of them once filelists were read, before that the primary ones
    /// ([`is_primary`](super::super::is_primary)).
    pub fn files(self) -> impl ExactSizeIterator<Item = PackageFile<'a>> {
        let texts = &self.packages.texts;
        self.row.files.of(&self.packages.files).iter().map(|row| PackageFile {
            directory: texts.get(row.directory),
            name: texts.get(row.name),
            kind: row.kind,
        })
    }

    /// Whether [`Entry::files`] are those of filelists.
    pub fn has_all_files(self) -> bool {
        self.row.all_files
    }

    /// Its change log in the order of the metadata; none before it was read.
    pub fn changelogs(self) -> Option<impl ExactSizeIterator<Item = ChangelogEntry<'a>>> {
        let texts = &self.packages.texts;
        let rows = self.row.changelogs?.of(&self.packages.changelogs);
        Some(rows.iter().map(|row| ChangelogEntry {
            time: row.time,
            author: texts.get(row.author),
            text: texts.get(row.text),
        }))
    }
}

impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Entry").field(self.nevra()).field(self.checksum()).finish()
    }
}

/// One path of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageFile<'a> {
    /// Up to and with the last `/`; empty for the files of source packages.
    pub directory: &'a str,
    /// The rest.
    pub name: &'a str,
    /// What it is.
    pub kind: FileKind,
}

impl PackageFile<'_> {
    /// The whole path.
    pub fn path(&self) -> String {
        [self.directory, self.name].concat()
    }
}

/// One entry of a change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangelogEntry<'a> {
    /// Seconds since 1970.
    pub time: i64,
    /// Name, address and version.
    pub author: &'a str,
    /// What changed.
    pub text: &'a str,
}
