//! The universe: every candidate that a selection is made from, in canonical order.
//!
//! The order is that of name, version (rpm's), arch; of one full name what is offered comes before what is looked aside at.
//! It plays no part in which order candidates were found. All texts and relations are kept once and known by
//! number, so that a selection compares numbers: a distribution says the same few thousand things a million times.

mod build;
mod form;
mod read;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeMap;

pub use build::Offer;
pub use form::Encoded;
use texts::Texts;

use super::candidate::{Candidate, FileKind, PackagedFile, is_debug_name};
use super::relation::{Relation, Sense};
use crate::base::{Digest, Nevra};

/// Every candidate, sorted; each full name at most once among what is offered and once among what is looked aside at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Universe {
    texts: Texts,
    relations: Vec<Related>,
    /// Numbers of relations, list after list.
    lists: Vec<u32>,
    files: Vec<File>,
    rows: Vec<Row>,
}

/// The universe cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum UniverseError {
    /// Two packages of one name differ. Retrying cannot help; drop one of the sources.
    #[error("packages of the same name, version and arch have different contents: {}", .0.join(", "))]
    Different(Vec<String>),
    /// There is more of it than can be counted. Retrying cannot help.
    #[error("the packages have more names, files and dependencies than a universe can hold")]
    TooLarge,
    /// What was stored is no universe. Retrying cannot help.
    #[error("the stored universe is damaged at byte {at} of its content: {reason}")]
    Damaged {
        /// The place, from 0.
        at: usize,
        /// What is wrong.
        reason: String,
    },
    /// What was stored was written by another version of gander. Retrying cannot help.
    #[error(
        "the stored universe is not in the form of this version of gander: run gander lock --update, or use the gander that wrote it"
    )]
    Form,
    /// Compressing or decompressing failed. Retrying cannot help unless memory was short.
    #[error("the universe cannot be compressed or decompressed")]
    Compression(#[source] std::io::Error),
}

/// A text by number.
pub(super) type TextId = u32;
/// A relation by number.
pub(super) type RelationId = u32;
/// A member's place in the canonical order.
pub(super) type Place = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Related {
    name: TextId,
    sense: Sense,
    version: TextId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File {
    folder: TextId,
    name: TextId,
    kind: FileKind,
}

/// Part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of<T>(self, all: &[T]) -> &[T] {
        all.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A member's lists of relations.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Supplements,
}

const LISTS: usize = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    nevra: Nevra,
    key: Digest,
    name: TextId,
    source: Option<TextId>,
    lists: [Span; LISTS],
    files: Span,
    not_for: Vec<String>,
    lookaside: bool,
}

/// A candidate in its universe.
#[derive(Clone, Copy, Debug)]
pub struct Member<'u> {
    universe: &'u Universe,
    row: &'u Row,
    place: Place,
}

impl Universe {
    /// Sorts candidates. One that was found twice with the same content counts once.
    pub fn new(candidates: Vec<Candidate>) -> Result<Self, UniverseError> {
        Self::of(candidates.into_iter().map(Box::new).map(Offer::Candidate).collect())
    }

    /// How many candidates there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The candidates in canonical order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member<'_>> + DoubleEndedIterator {
        self.rows.iter().enumerate().map(|(at, row)| Member {
            universe: self,
            row,
            // No universe has more: see `Builder::add`.
            place: u32::try_from(at).unwrap_or(u32::MAX),
        })
    }

    /// The candidate at a place.
    pub(super) fn at(&self, place: Place) -> Option<Member<'_>> {
        self.rows.get(place as usize).map(|row| Member { universe: self, row, place })
    }

    /// A text.
    pub(super) fn text(&self, id: TextId) -> &str {
        self.texts.get(id)
    }

    /// How many texts there are.
    pub(super) fn texts(&self) -> usize {
        self.texts.len()
    }

    /// How many relations there are.
    pub(super) fn relations(&self) -> usize {
        self.relations.len()
    }

    /// The numbers of texts, of those that some candidate has.
    pub(super) fn find<'t>(&self, wanted: impl IntoIterator<Item = &'t str>) -> BTreeMap<&'t str, TextId> {
        let mut found: BTreeMap<&str, Option<TextId>> = wanted.into_iter().map(|text| (text, None)).collect();
        // One walk over all texts costs less than keeping them sorted would.
        for (id, text) in self.texts.iter() {
            if let Some(slot) = found.get_mut(text) {
                *slot = Some(id);
            }
        }
        found.into_iter().filter_map(|(text, id)| Some((text, id?))).collect()
    }

    /// The name that a relation is about.
    pub(super) fn name_of(&self, id: RelationId) -> TextId {
        self.relations.get(id as usize).map_or(TextId::MAX, |related| related.name)
    }

    /// A relation as it is written.
    pub(super) fn relation(&self, id: RelationId) -> Relation {
        match self.relations.get(id as usize) {
            Some(Related { name, sense, version }) => Relation {
                name: self.text(*name).to_owned(),
                sense: *sense,
                version: self.text(*version).to_owned(),
            },
            None => Relation::any(""),
        }
    }
}

impl<'u> Member<'u> {
    /// Its full name.
    pub fn nevra(self) -> &'u Nevra {
        &self.row.nevra
    }

    /// Its content digest: what the lock knows it by, opaque here.
    pub fn key(self) -> Digest {
        self.row.key
    }

    /// File name of the source package it was built from; none for source packages.
    pub fn source(self) -> Option<&'u str> {
        self.row.source.map(|source| self.universe.text(source))
    }

    /// Whether it is only there to meet requirements, and never delivered.
    pub fn is_lookaside(self) -> bool {
        self.row.lookaside
    }

    /// Whether it may belong to a tree; of a tree without a variant its arch is looked at only.
    pub fn is_for(self, variant: Option<&str>, arch: &str) -> bool {
        !self.row.not_for.iter().any(|name| match name.split_once('/') {
            Some((id, of)) => variant == Some(id) && of == arch,
            None => name == arch,
        })
    }

    /// Whether it carries debugging information, told by its name as Pungi does.
    pub fn is_debug(self) -> bool {
        is_debug_name(&self.row.nevra.name)
    }

    /// Its absolute paths, in the order of its header: what each is, its folder with `/` at the end, and its name.
    pub fn files(self) -> impl ExactSizeIterator<Item = (FileKind, &'u str, &'u str)> {
        let universe = self.universe;
        let files = self.row.files.of(&universe.files).iter();
        files.map(move |file| (file.kind, universe.text(file.folder), universe.text(file.name)))
    }

    /// What it provides, in the order of its header.
    pub fn provides(self) -> impl ExactSizeIterator<Item = Relation> {
        self.relations(List::Provides)
    }

    /// The names that it provides, in the order of its header.
    pub fn provided_names(self) -> impl ExactSizeIterator<Item = &'u str> {
        let universe = self.universe;
        self.list(List::Provides).iter().map(|id| universe.text(universe.name_of(*id)))
    }

    /// What it requires.
    pub fn requires(self) -> impl ExactSizeIterator<Item = Relation> {
        self.relations(List::Requires)
    }

    fn relations(self, list: List) -> impl ExactSizeIterator<Item = Relation> {
        let universe = self.universe;
        self.list(list).iter().map(|id| universe.relation(*id))
    }

    pub(super) fn list(self, list: List) -> &'u [RelationId] {
        self.row.lists.get(list as usize).copied().unwrap_or_default().of(&self.universe.lists)
    }

    pub(super) fn place(self) -> Place {
        self.place
    }

    pub(super) fn name_id(self) -> TextId {
        self.row.name
    }

    pub(super) fn source_id(self) -> Option<TextId> {
        self.row.source
    }

    /// Its files by the numbers of folder and name.
    pub(super) fn file_ids(self) -> impl Iterator<Item = (TextId, TextId)> {
        self.row.files.of(&self.universe.files).iter().map(|file| (file.folder, file.name))
    }

    /// The candidate on its own.
    pub fn to_candidate(self) -> Candidate {
        let relations = |list| self.relations(list).collect();
        Candidate {
            nevra: self.row.nevra.clone(),
            key: self.row.key,
            source: self.source().map(str::to_owned),
            provides: relations(List::Provides),
            requires: relations(List::Requires),
            conflicts: relations(List::Conflicts),
            obsoletes: relations(List::Obsoletes),
            recommends: relations(List::Recommends),
            supplements: relations(List::Supplements),
            files: self
                .files()
                .map(|(kind, folder, name)| PackagedFile(kind, format!("{folder}{name}")))
                .collect(),
            not_for: self.row.not_for.clone(),
            lookaside: self.row.lookaside,
        }
    }
}

/// A path's folder, with `/` at its end, and the name in it.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rfind('/').and_then(|at| path.split_at_checked(at + 1)).unwrap_or(("", path))
}
