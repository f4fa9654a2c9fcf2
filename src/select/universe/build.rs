//! Making a universe: what is offered is sorted first, then taken over text by text, so that numbers follow the
//! canonical order.

use std::borrow::Cow;

use super::super::candidate::{Candidate, FileKind, Stated, stated_by};
use super::texts::Known;
use super::{File, LISTS, Related, RelationId, Row, Span, TextId, Universe, UniverseError, split};
use crate::base::{Digest, Nevra};
use crate::format::repodata::Entry;
use crate::rpm::dependency::Kind;

/// A package that is offered to a universe.
#[derive(Clone, Debug)]
pub enum Offer<'p> {
    /// Known on its own.
    Candidate(Box<Candidate>),
    /// Known from a repository's metadata. It is what [`Candidate::from_entry`] makes of it, without being made.
    Entry {
        /// What the metadata say.
        entry: Entry<'p>,
        /// See [`Candidate::key`].
        key: Digest,
        /// See [`Candidate::lookaside`].
        lookaside: bool,
        /// See [`Candidate::not_for`].
        not_for: Vec<String>,
    },
}

impl Offer<'_> {
    /// Its place in the canonical order.
    fn place(&self) -> (&Nevra, bool) {
        match self {
            Self::Candidate(candidate) => (&candidate.nevra, candidate.lookaside),
            Self::Entry { entry, lookaside, .. } => (entry.nevra(), *lookaside),
        }
    }

    fn key(&self) -> Digest {
        match self {
            Self::Candidate(candidate) => candidate.key,
            Self::Entry { key, .. } => *key,
        }
    }

    fn to_candidate(&self) -> Cow<'_, Candidate> {
        match self {
            Self::Candidate(candidate) => Cow::Borrowed(candidate.as_ref()),
            Self::Entry { entry, key, lookaside, not_for } => {
                let candidate = Candidate::from_entry(*entry, *key);
                Cow::Owned(Candidate { lookaside: *lookaside, not_for: not_for.clone(), ..candidate })
            }
        }
    }
}

impl Universe {
    /// The universe of what is offered, in whatever order. A package that is offered twice with the same content counts
    /// once.
    pub fn of(offers: Vec<Offer<'_>>) -> Result<Self, UniverseError> {
        let mut sorted: Vec<&Offer<'_>> = offers.iter().collect();
        sorted.sort_by(|left, right| {
            let order = left.place().cmp(&right.place()).then_with(|| left.key().cmp(&right.key()));
            // Of one content there may be two descriptions, one from a header and one from metadata.
            order.then_with(|| left.to_candidate().cmp(&right.to_candidate()))
        });
        let same = |left: &Offer<'_>, right: &Offer<'_>| left.place() == right.place();
        sorted.dedup_by(|second, first| same(second, first) && second.key() == first.key());
        let pairs = sorted.iter().zip(sorted.iter().skip(1));
        let different = pairs.filter(|(left, right)| same(left, right));
        let different: Vec<_> = different.map(|(left, _)| left.place().0.to_string()).collect();
        if !different.is_empty() {
            return Err(UniverseError::Different(different));
        }
        let mut builder = Builder::new();
        for offer in sorted {
            builder.add(offer).ok_or(UniverseError::TooLarge)?;
        }
        Ok(builder.universe)
    }
}

struct Builder {
    universe: Universe,
    texts: Known,
    relations: Known,
    /// Version and folder that came last, and often come again.
    version: TextId,
    folder: TextId,
}

impl Builder {
    fn new() -> Self {
        Self {
            universe: Universe::default(),
            texts: Known::new(),
            relations: Known::new(),
            version: 0,
            folder: 0,
        }
    }

    fn text(&mut self, text: &str) -> Option<TextId> {
        let texts = &mut self.universe.texts;
        let next = u32::try_from(texts.len()).ok()?;
        let number = self.texts.number(text, next, |id| texts.get(id) == text);
        if number == next { texts.push(text) } else { Some(number) }
    }

    /// The number of a text that is likely to be the last one again.
    fn again(&mut self, last: TextId, text: &str) -> Option<TextId> {
        if self.universe.texts.get(last) == text { Some(last) } else { self.text(text) }
    }

    fn relation(&mut self, stated: &Stated<'_>) -> Option<RelationId> {
        let name = self.text(&stated.name)?;
        self.version = self.again(self.version, &stated.version)?;
        let related = Related { name, sense: stated.sense, version: self.version };
        let relations = &mut self.universe.relations;
        let next = u32::try_from(relations.len()).ok()?;
        let number = self.relations.number(related, next, |id| relations.get(id as usize) == Some(&related));
        if number == next {
            relations.push(related);
        }
        Some(number)
    }

    fn list<'d>(&mut self, list: impl Iterator<Item = Stated<'d>>) -> Option<Span> {
        let start = u32::try_from(self.universe.lists.len()).ok()?;
        for stated in list {
            let id = self.relation(&stated)?;
            self.universe.lists.push(id);
        }
        Some(Span { start, end: u32::try_from(self.universe.lists.len()).ok()? })
    }

    fn files<'d>(&mut self, files: impl Iterator<Item = (FileKind, &'d str, &'d str)>) -> Option<Span> {
        let start = u32::try_from(self.universe.files.len()).ok()?;
        for (kind, folder, name) in files {
            self.folder = self.again(self.folder, folder)?;
            let file = File { folder: self.folder, name: self.text(name)?, kind };
            self.universe.files.push(file);
        }
        Some(Span { start, end: u32::try_from(self.universe.files.len()).ok()? })
    }

    fn lists<'d, L: Iterator<Item = Stated<'d>>>(&mut self, of: [L; LISTS]) -> Option<[Span; LISTS]> {
        let mut spans = [Span::default(); LISTS];
        for (span, list) in spans.iter_mut().zip(of) {
            *span = self.list(list)?;
        }
        Some(spans)
    }

    /// Adds the next in the canonical order; none when there is more than can be counted.
    fn add(&mut self, offer: &Offer<'_>) -> Option<()> {
        u32::try_from(self.universe.rows.len()).ok().filter(|place| *place != u32::MAX)?;
        let (nevra, lookaside) = offer.place();
        let source = match offer {
            Offer::Candidate(candidate) => candidate.source.as_deref(),
            Offer::Entry { entry, .. } => entry.sourcerpm(),
        };
        let name = self.text(&nevra.name)?;
        let source = source.map(|source| self.text(source).ok_or(())).transpose().ok()?;
        let (lists, files, not_for) = match offer {
            Offer::Candidate(candidate) => {
                let Candidate { provides, requires, conflicts, obsoletes, recommends, supplements, .. } =
                    candidate.as_ref();
                let lists = [provides, requires, conflicts, obsoletes, recommends, supplements];
                let lists = self.lists(lists.map(|list| list.iter().map(Stated::from)))?;
                let files = candidate.files.iter().map(|file| {
                    let (folder, name) = split(file.path());
                    (file.kind(), folder, name)
                });
                (lists, self.files(files)?, candidate.not_for.clone())
            }
            Offer::Entry { entry, not_for, .. } => {
                let lists = self.lists(KINDS.map(|kind| stated_by(*entry, kind)))?;
                let files = entry.files().map(|file| (file.kind.into(), file.directory, file.name));
                (lists, self.files(files)?, not_for.clone())
            }
        };
        let row =
            Row { nevra: nevra.clone(), key: offer.key(), name, source, lists, files, not_for, lookaside };
        self.universe.rows.push(row);
        Some(())
    }
}

/// The kinds of lists, in their order.
const KINDS: [Kind; LISTS] =
    [Kind::Provides, Kind::Requires, Kind::Conflicts, Kind::Obsoletes, Kind::Recommends, Kind::Supplements];
