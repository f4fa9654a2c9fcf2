//! Reading the form of a universe (see `form.rs`): everything in it is checked, and that it is the one form.

use super::super::candidate::FileKind;
use super::super::relation::Sense;
use super::texts::{Known, Texts};
use super::{File, LISTS, Related, RelationId, Row, Span, TextId, Universe, UniverseError};
use crate::base::{Digest, Evr, Nevra};

pub(super) const MAGIC: &[u8] = b"gander universe 2\n";
const NUMBER: usize = 4;
/// Bytes of the magic and the counts.
pub(super) const HEAD: usize = MAGIC.len() + 3 * NUMBER;
/// Bytes that no candidate has less than; the parts of its name have one byte each.
const LEAST: usize = 2 * NUMBER + 3 * (NUMBER + 1) + 32 + 1 + (LISTS + 2) * NUMBER;
/// Bytes of a file.
const FILE: usize = 2 * NUMBER + 1;
const KINDS: [FileKind; 3] = [FileKind::File, FileKind::Directory, FileKind::Ghost];

/// What the head of a form promises.
pub(super) struct Counts {
    bytes: usize,
    texts: usize,
    rows: usize,
}

/// What the head of a form promises.
pub(super) fn counts_of(head: &[u8]) -> Result<Counts, UniverseError> {
    Reader { all: head, at: 0 }.counts()
}

impl Counts {
    /// Bytes that a form with so much has at least.
    pub(super) fn least(&self) -> usize {
        let texts = self.texts.saturating_mul(NUMBER).saturating_add(self.bytes);
        self.rows.saturating_mul(LEAST).saturating_add(texts).saturating_add(HEAD)
    }
}

fn damaged(at: usize, reason: &str) -> UniverseError {
    UniverseError::Damaged { at, reason: reason.into() }
}

impl Universe {
    /// Takes it from its form.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, UniverseError> {
        let mut from = Reader { all: bytes, at: 0 };
        let counts = from.counts()?;
        if counts.least() > bytes.len() {
            return Err(damaged(bytes.len(), "it ends before all that it promises"));
        }
        let texts = from.texts(&counts)?;
        let rows = Vec::with_capacity(counts.rows);
        let mut tables =
            Tables { next: 0, known: Known::new(), universe: Self { texts, rows, ..Self::default() } };
        for _ in 0..counts.rows {
            tables.row(&mut from)?;
        }
        if from.at < bytes.len() {
            return Err(damaged(from.at, "something follows its end"));
        }
        if (tables.next as usize) < counts.texts {
            return Err(damaged(
                HEAD + tables.next as usize * NUMBER,
                "no candidate has the text of this length",
            ));
        }
        Ok(tables.universe)
    }
}

/// The universe so far.
struct Tables {
    universe: Universe,
    /// The text that comes up next.
    next: TextId,
    /// Relations that came up.
    known: Known,
}

impl Tables {
    fn text(&mut self, from: &mut Reader<'_>) -> Result<TextId, UniverseError> {
        let at = from.at;
        match from.number()?.checked_sub(1) {
            None if (self.next as usize) < self.universe.texts.len() => {
                self.next += 1;
                Ok(self.next - 1)
            }
            Some(number) if number < self.next => Ok(number),
            _ => Err(damaged(at, "there is no such text, or not yet")),
        }
    }

    fn relation(&mut self, from: &mut Reader<'_>) -> Result<RelationId, UniverseError> {
        let at = from.at;
        let relations = self.universe.relations.len();
        if let Some(number) = from.number()?.checked_sub(1) {
            let there = (number as usize) < relations;
            return there
                .then_some(number)
                .ok_or_else(|| damaged(at, "there is no such relation, or not yet"));
        }
        let (name, version) = (self.text(from)?, self.text(from)?);
        let [bits] = from.array()?;
        let sense = Sense::from_rpm(bits.into());
        if sense.bits() != bits {
            return Err(damaged(from.at - 1, "this is no comparison"));
        }
        let related = Related { name, sense, version };
        let next = u32::try_from(relations).map_err(|_| UniverseError::TooLarge)?;
        let relations = &mut self.universe.relations;
        if self.known.number(related, next, |id| relations.get(id as usize) == Some(&related)) != next {
            return Err(damaged(at, "this relation is there already"));
        }
        relations.push(related);
        Ok(next)
    }

    fn list(&mut self, from: &mut Reader<'_>) -> Result<Span, UniverseError> {
        let count = from.promised(NUMBER)?;
        let start = length(&self.universe.lists)?;
        self.universe.lists.reserve(count);
        for _ in 0..count {
            let relation = self.relation(from)?;
            self.universe.lists.push(relation);
        }
        Ok(Span { start, end: length(&self.universe.lists)? })
    }

    fn files(&mut self, from: &mut Reader<'_>) -> Result<Span, UniverseError> {
        let count = from.promised(FILE)?;
        let start = length(&self.universe.files)?;
        self.universe.files.reserve(count);
        for _ in 0..count {
            let at = from.at;
            let (folder, name) = (self.text(from)?, self.text(from)?);
            let [kind] = from.array()?;
            let Some(kind) = KINDS.into_iter().find(|known| *known as u8 == kind) else {
                return Err(damaged(from.at - 1, "this is no kind of a file"));
            };
            let texts = [self.universe.text(folder), self.universe.text(name)];
            if !(texts[0].is_empty() || texts[0].ends_with('/')) || texts[1].contains('/') {
                return Err(damaged(at, "this path is not divided behind its last '/'"));
            }
            self.universe.files.push(File { folder, name, kind });
        }
        Ok(Span { start, end: length(&self.universe.files)? })
    }

    fn row(&mut self, from: &mut Reader<'_>) -> Result<(), UniverseError> {
        let start = from.at;
        let name = self.text(from)?;
        let epoch = from.number()?;
        let (version, release, arch) = (from.text()?.to_owned(), from.text()?.to_owned(), from.text()?);
        let nevra = Nevra::new(self.universe.text(name), Evr { epoch, version, release }, arch);
        let nevra = nevra.map_err(|error| damaged(start, &error.to_string()))?;
        let key = Digest::from_bytes(from.array()?);
        let [flags] = from.array()?;
        if flags > 3 {
            return Err(damaged(from.at - 1, "only two flags are known"));
        }
        let lookaside = flags & 1 != 0;
        let source = if flags & 2 != 0 { Some(self.text(from)?) } else { None };
        let mut lists = [Span::default(); LISTS];
        for list in &mut lists {
            *list = self.list(from)?;
        }
        let files = self.files(from)?;
        let mut not_for = Vec::new();
        for _ in 0..from.promised(NUMBER)? {
            not_for.push(from.text()?.to_owned());
        }
        let rows = &mut self.universe.rows;
        if rows.last().is_some_and(|last| (&last.nevra, last.lookaside) >= (&nevra, lookaside)) {
            return Err(damaged(start, "this candidate is not behind the one before it"));
        }
        rows.push(Row { nevra, key, name, source, lists, files, not_for, lookaside });
        Ok(())
    }
}

/// How long a table is.
fn length<T>(table: &[T]) -> Result<u32, UniverseError> {
    u32::try_from(table.len()).map_err(|_| UniverseError::TooLarge)
}

/// A form, and how far it was read.
struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], UniverseError> {
        let taken = self.at.checked_add(length).and_then(|end| self.all.get(self.at..end));
        let taken = taken.ok_or_else(|| damaged(self.at, "it ends within what begins here"))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UniverseError> {
        let rest = self.all.get(self.at..).unwrap_or_default();
        let array = rest.first_chunk().ok_or_else(|| damaged(self.at, "it ends within what begins here"))?;
        self.at += N;
        Ok(*array)
    }

    fn number(&mut self) -> Result<u32, UniverseError> {
        self.array().map(u32::from_le_bytes)
    }

    fn size(&mut self) -> Result<usize, UniverseError> {
        let at = self.at;
        usize::try_from(self.number()?).map_err(|_| damaged(at, "this is too large"))
    }

    /// How many there are of what has at least so many bytes each.
    fn promised(&mut self, least: usize) -> Result<usize, UniverseError> {
        let at = self.at;
        let count = self.size()?;
        let room = (self.all.len() - self.at) / least;
        if count <= room { Ok(count) } else { Err(damaged(at, "it ends before there are as many")) }
    }

    fn text(&mut self) -> Result<&'a str, UniverseError> {
        let length = self.size()?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| damaged(at, "this is not UTF-8"))
    }

    fn counts(&mut self) -> Result<Counts, UniverseError> {
        if !self.all.starts_with(MAGIC) {
            return Err(UniverseError::Form);
        }
        self.at = MAGIC.len();
        Ok(Counts { bytes: self.size()?, texts: self.size()?, rows: self.size()? })
    }

    fn texts(&mut self, counts: &Counts) -> Result<Texts, UniverseError> {
        let lengths_at = self.at;
        let (lengths, _) = self.take(counts.texts.saturating_mul(NUMBER))?.as_chunks();
        let at = self.at;
        let all = std::str::from_utf8(self.take(counts.bytes)?);
        let all = all.map_err(|error| damaged(at + error.valid_up_to(), "this is not UTF-8"))?;
        let texts = Texts::parts(all.to_owned(), lengths.iter().copied().map(u32::from_le_bytes));
        let texts = texts.ok_or_else(|| damaged(lengths_at, "these are not the lengths of the texts"))?;
        let mut known = Known::new();
        for (number, text) in texts.iter() {
            if known.number(text, number, |other| texts.get(other) == text) != number {
                let at = lengths_at + number as usize * NUMBER;
                return Err(damaged(at, "the text of this length is there already"));
            }
        }
        Ok(texts)
    }
}
