//! The header structure of RPM files, read within rpm's own bounds.
//!
//! | part | bytes |
//! |---|---|
//! | magic | `8e ad e8 01 00 00 00 00` |
//! | number of index entries *il*, bytes of the store *dl* | 4 + 4, big endian |
//! | index: *il* × (tag, type, offset, count) | 16 × *il*, big endian |
//! | store | *dl* |
//!
//! Rules, all from rpm 4.18 (`lib/header.c`: `hdrblobRead`, `hdrblobVerifyRegion`,
//! `hdrblobVerifyInfo`, `dataLength`):
//! - the main header has at most 65,535 entries and 256 MiB of store, the signature header 32
//!   entries and 64 MiB; an empty index is an error;
//! - the first entry may be a *region* (tag 62 in a signature header, 63 in a main header): type
//!   BIN, 16 bytes (the *trailer*), which are an index entry of the same tag, type and count, whose
//!   offset is minus 16 × the entries it covers. A main header's region must cover the whole index and
//!   end the store. Old signature headers name tag 61 in the trailer;
//! - other entries have tag ≥ 100 (or 61…63 outside of first place: refused), a type of 1…9, a count
//!   of at least 1 and, unless it is binary, at most 1,048,575 items, an aligned offset inside the store not before
//!   the end of the entry before it, and data that fits outside of the trailer; every string ends with a NUL inside
//!   the store;
//! - the data of all entries, each aligned, and the trailer fill the store (`hdrblobImport`);
//! - a tag that rpm knows has the type that rpm knows ([`super::tag_kinds`]); where a main header has no region,
//!   as those of before rpm 4.0, this is not checked.
//!
//! Stricter than rpm: no tag stands twice, since readers could disagree about which one counts.
//!
//! Nothing is allocated by a count that the file only claims: bytes are read in growing pieces and
//! entries are kept only after all of the claimed bytes have arrived.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Read};

use super::tag_kinds;
use super::values::{Numbers, Texts, end_of_strings, text};

/// Bytes in front of the index.
const INTRO: usize = 16;
const ENTRY: usize = 16;
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// rpm's first tag that is not one of its own (`HEADER_I18NTABLE`).
const FIRST_TAG: u32 = 100;
const HEADER_IMAGE: u32 = 61;
/// What one item more than rpm's bound would be: rpm itself says that a million files is more than it can handle.
const TOO_MANY_ITEMS: u32 = 1 << 20;
/// Bytes that are set aside before they have arrived. Most headers fit; longer ones make room as they come.
const AT_ONCE: usize = 64 << 10;

/// Which of the two headers of a package it is; decides the bounds and the region's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The signature header.
    Signature,
    /// The main header.
    Main,
}

impl Part {
    /// The tag of its region entry.
    pub const fn region_tag(self) -> u32 {
        match self {
            Self::Signature => 62,
            Self::Main => 63,
        }
    }

    const fn most_entries(self) -> u32 {
        match self {
            Self::Signature => 32,
            Self::Main => 0xffff,
        }
    }

    const fn most_data(self) -> u32 {
        match self {
            Self::Signature => 64 << 20,
            Self::Main => 0x0fff_ffff,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signature => "signature header",
            Self::Main => "main header",
        })
    }
}

/// Why bytes are no header that rpm would read. Except for [`HeaderError::Io`], retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The file could not be read. A retry may help.
    #[error("the {part} cannot be read")]
    Io {
        /// Which header.
        part: Part,
        /// What the system said.
        source: io::Error,
    },
    /// The file ends inside the header: the download was cut, or the file is damaged.
    #[error("the file is truncated: it ends inside its {part}")]
    Truncated {
        /// Which header.
        part: Part,
    },
    /// The structure breaks a rule.
    #[error("the {part} is malformed: {rule}")]
    Malformed {
        /// Which header.
        part: Part,
        /// The rule.
        rule: &'static str,
    },
    /// An index entry breaks a rule.
    #[error("the {part} is malformed: entry {place} (tag {tag}): {rule}")]
    Entry {
        /// Which header.
        part: Part,
        /// Place in the index.
        place: usize,
        /// Its tag.
        tag: u32,
        /// The rule.
        rule: &'static str,
    },
    /// A tag has another type than the one that it must have.
    #[error("the {part} is malformed: tag {tag} has type {found} instead of {wanted}")]
    WrongType {
        /// Which header.
        part: Part,
        /// The tag.
        tag: u32,
        /// The type that it has.
        found: u32,
        /// The type that it must have.
        wanted: &'static str,
    },
}

/// The type of an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Type {
    /// One byte, as text.
    Char = 1,
    /// Bytes.
    Int8 = 2,
    /// 16-bit integers.
    Int16 = 3,
    /// 32-bit integers.
    Int32 = 4,
    /// 64-bit integers.
    Int64 = 5,
    /// One string.
    Text = 6,
    /// Raw bytes.
    Binary = 7,
    /// Strings.
    TextArray = 8,
    /// Strings, one for each locale; the first is that of `C`.
    Translated = 9,
}

impl Type {
    const ALL: [Self; 9] = [
        Self::Char,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Text,
        Self::Binary,
        Self::TextArray,
        Self::Translated,
    ];

    /// The type of a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u32 == number)
    }

    /// The alignment of its data, which for integers is also their size.
    pub const fn alignment(self) -> usize {
        match self {
            Self::Int16 => 2,
            Self::Int32 => 4,
            Self::Int64 => 8,
            _ => 1,
        }
    }

    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::TextArray | Self::Translated)
    }
}

/// One checked index entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The tag.
    pub tag: u32,
    /// The type of its data.
    pub kind: Type,
    /// Number of items.
    pub count: u32,
    /// Where its data starts in the store.
    offset: usize,
    /// Bytes of its data.
    length: usize,
}

/// A header: its exact bytes and its checked index, without the region entry.
#[derive(Clone, Debug)]
pub struct Header {
    part: Part,
    bytes: Vec<u8>,
    store: usize,
    region: bool,
    entries: Vec<Entry>,
    /// Whether the entries stand in the order of their tags, as rpm writes them.
    sorted: bool,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let piece = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(piece.try_into().ok()?))
}

/// Number of entries and bytes of the store, within the part's bounds.
fn intro(part: Part, bytes: &[u8]) -> Result<(usize, usize), HeaderError> {
    let malformed = |rule| HeaderError::Malformed { part, rule };
    if bytes.get(..8) != Some(&MAGIC) {
        return Err(malformed("it does not start with the magic number"));
    }
    let (Some(entries), Some(data)) = (word(bytes, 8), word(bytes, 12)) else {
        return Err(HeaderError::Truncated { part });
    };
    if entries == 0 {
        return Err(malformed("it has no entries"));
    }
    if entries > part.most_entries() {
        return Err(malformed("it claims more entries than rpm allows"));
    }
    if data > part.most_data() {
        return Err(malformed("it claims more data than rpm allows"));
    }
    Ok((entries as usize, data as usize))
}

impl Header {
    /// Reads a header at the start of some bytes; what follows it is left alone.
    pub fn parse(part: Part, bytes: &[u8]) -> Result<Self, HeaderError> {
        let start = bytes.get(..INTRO).ok_or(HeaderError::Truncated { part })?;
        let (entries, data) = intro(part, start)?;
        let whole = bytes.get(..INTRO + ENTRY * entries + data).ok_or(HeaderError::Truncated { part })?;
        Self::check(part, whole.to_vec(), entries)
    }

    /// Reads a header from a stream and leaves the stream behind its last byte (in front of a
    /// signature header's padding).
    pub fn read(part: Part, mut reader: impl Read) -> Result<Self, HeaderError> {
        let mut bytes = Vec::with_capacity(INTRO);
        let mut more = |bytes: &mut Vec<u8>, length: usize| {
            let got = reader.by_ref().take(length as u64).read_to_end(bytes);
            match got {
                Ok(got) if got == length => Ok(()),
                Ok(_) => Err(HeaderError::Truncated { part }),
                Err(source) => Err(HeaderError::Io { part, source }),
            }
        };
        more(&mut bytes, INTRO)?;
        let (entries, data) = intro(part, &bytes)?;
        bytes.reserve_exact((ENTRY * entries + data).min(AT_ONCE));
        more(&mut bytes, ENTRY * entries + data)?;
        Self::check(part, bytes, entries)
    }

    fn check(part: Part, bytes: Vec<u8>, count: usize) -> Result<Self, HeaderError> {
        let (index, store) = bytes
            .get(INTRO..)
            .and_then(|rest| rest.split_at_checked(ENTRY * count))
            .ok_or(HeaderError::Truncated { part })?;
        let trailer = region(part, index, store)?;
        let skipped = usize::from(trailer.is_some());
        let mut entries: Vec<Entry> = Vec::with_capacity(count - skipped);
        let (mut end, mut packed) = (0, 0usize);
        for (place, raw) in index.chunks_exact(ENTRY).enumerate().skip(skipped) {
            let error = |(tag, rule)| HeaderError::Entry { part, place, tag, rule };
            let entry = entry(raw, store, end).map_err(error)?;
            end = entry.offset + entry.length;
            packed = packed.next_multiple_of(entry.kind.alignment()) + entry.length;
            if trailer.is_some_and(|trailer| entry.offset < trailer + ENTRY && end > trailer) {
                return Err(error((entry.tag, "its data overlaps the region's trailer")));
            }
            let wanted = match part {
                Part::Main if trailer.is_some() => tag_kinds::of_main(entry.tag),
                Part::Main => None,
                Part::Signature => tag_kinds::of_signature(entry.tag),
            };
            if wanted.is_some_and(|wanted| !wanted.admits(&entry)) {
                return Err(error((entry.tag, "rpm knows the tag with another type or count")));
            }
            entries.push(entry);
        }
        if packed + ENTRY * skipped != store.len() {
            return Err(HeaderError::Malformed { part, rule: "its data does not fill it" });
        }
        let sorted = entries.is_sorted_by(|left, right| left.tag < right.tag);
        let mut tags = BTreeSet::new();
        if !sorted && let Some(place) = entries.iter().position(|entry| !tags.insert(entry.tag)) {
            let tag = entries.get(place).map_or(0, |entry| entry.tag);
            let place = place + skipped;
            return Err(HeaderError::Entry { part, place, tag, rule: "the tag stands twice" });
        }
        let store = INTRO + ENTRY * count;
        Ok(Self { part, store, bytes, region: trailer.is_some(), entries, sorted })
    }

    /// Which header it is.
    pub fn part(&self) -> Part {
        self.part
    }

    /// Its exact bytes, from the magic number to the end of the store. For the main header of a
    /// package this is what header signatures and header digests cover.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it has an immutable region (every package since rpm 4.0 does).
    pub fn has_region(&self) -> bool {
        self.region
    }

    /// The entries in the order of the index, without the region.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The raw data of an entry.
    pub fn data(&self, entry: &Entry) -> &[u8] {
        let start = self.store + entry.offset;
        self.bytes.get(start..start + entry.length).unwrap_or_default()
    }

    /// The entry of a tag.
    pub fn find(&self, tag: u32) -> Option<&Entry> {
        if self.sorted {
            let place = self.entries.binary_search_by_key(&tag, |entry| entry.tag).ok()?;
            return self.entries.get(place);
        }
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    fn typed(
        &self,
        tag: u32,
        wanted: &'static str,
        fits: impl Fn(Type) -> bool,
    ) -> Result<Option<&Entry>, HeaderError> {
        match self.find(tag) {
            Some(entry) if !fits(entry.kind) => {
                Err(HeaderError::WrongType { part: self.part, tag, found: entry.kind as u32, wanted })
            }
            found => Ok(found),
        }
    }

    /// The first string of a tag, its bytes without the NUL.
    pub fn raw_text(&self, tag: u32) -> Result<Option<&[u8]>, HeaderError> {
        Ok(self.texts(tag)?.raw().next())
    }

    /// The first string of a tag.
    pub fn text(&self, tag: u32) -> Result<Option<Cow<'_, str>>, HeaderError> {
        Ok(self.raw_text(tag)?.map(text))
    }

    /// All strings of a tag, none when it is absent.
    pub fn texts(&self, tag: u32) -> Result<Texts<'_>, HeaderError> {
        let entry = self.typed(tag, "text", Type::is_text)?;
        Ok(entry.map(|entry| Texts::new(self.data(entry), entry.count as usize)).unwrap_or_default())
    }

    /// All integers of a tag, of whatever width, as unsigned values; none when it is absent.
    pub fn numbers(&self, tag: u32) -> Result<Numbers<'_>, HeaderError> {
        let entry = self.typed(tag, "an integer", |kind| {
            matches!(kind, Type::Char | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64)
        })?;
        let numbers = |entry: &Entry| Numbers::new(self.data(entry), entry.kind.alignment());
        Ok(entry.map(numbers).unwrap_or_default())
    }

    /// The first integer of a tag.
    pub fn number(&self, tag: u32) -> Result<Option<u64>, HeaderError> {
        Ok(self.numbers(tag)?.get(0))
    }

    /// The bytes of a binary tag.
    pub fn binary(&self, tag: u32) -> Result<Option<&[u8]>, HeaderError> {
        let entry = self.typed(tag, "binary", |kind| kind == Type::Binary)?;
        Ok(entry.map(|entry| self.data(entry)))
    }
}

/// Checks the region, if there is one; where its trailer stands in the store.
fn region(part: Part, index: &[u8], store: &[u8]) -> Result<Option<usize>, HeaderError> {
    let malformed = |rule| HeaderError::Malformed { part, rule };
    let wanted = part.region_tag();
    if word(index, 0) != Some(wanted) {
        return Ok(None);
    }
    if (word(index, 4), word(index, 12)) != (Some(Type::Binary as u32), Some(16)) {
        return Err(malformed("its region entry is none"));
    }
    let offset = word(index, 8).map_or(usize::MAX, |offset| offset as usize);
    let trailer = offset.checked_add(ENTRY).and_then(|end| store.get(offset..end));
    let Some(trailer) = trailer else {
        return Err(malformed("its region's trailer lies outside"));
    };
    let tag = match word(trailer, 0) {
        Some(HEADER_IMAGE) if part == Part::Signature => Some(wanted),
        tag => tag,
    };
    if (tag, word(trailer, 4), word(trailer, 12)) != (Some(wanted), Some(Type::Binary as u32), Some(16)) {
        return Err(malformed("its region's trailer is none"));
    }
    let covered = word(trailer, 8).map_or(usize::MAX, |offset| offset.wrapping_neg() as usize);
    if !covered.is_multiple_of(ENTRY) || covered == 0 || covered > index.len() {
        return Err(malformed("its region covers entries that are not there"));
    }
    if part == Part::Main && (covered != index.len() || offset + ENTRY != store.len()) {
        return Err(malformed("its region does not cover all of it"));
    }
    Ok(Some(offset))
}

/// Checks one entry against the store; `end` is where the data of the entry before it ends.
fn entry(raw: &[u8], store: &[u8], end: usize) -> Result<Entry, (u32, &'static str)> {
    let field = |at| word(raw, at).unwrap_or(u32::MAX);
    let (tag, number, offset, count) = (field(0), field(4), field(8) as usize, field(12));
    let error = |rule| (tag, rule);
    if tag < FIRST_TAG || tag > i32::MAX as u32 {
        return Err(error("the tag is not one that a package may have"));
    }
    let kind = Type::from_number(number).ok_or(error("the type is unknown"))?;
    if count == 0 {
        return Err(error("the count is zero"));
    }
    if count >= TOO_MANY_ITEMS && kind != Type::Binary {
        return Err(error("it claims more items than rpm allows"));
    }
    if offset < end {
        return Err(error("its data overlaps the entry before it"));
    }
    if !offset.is_multiple_of(kind.alignment()) {
        return Err(error("its data is not aligned"));
    }
    let data = store.get(offset..).ok_or(error("its data lies outside"))?;
    let length = if kind.is_text() {
        if kind == Type::Text && count != 1 {
            return Err(error("a single string has another count than 1"));
        }
        end_of_strings(data, count as usize).ok_or(error("its strings do not end inside the header"))?
    } else {
        (count as usize).checked_mul(kind.alignment()).ok_or(error("its data lies outside"))?
    };
    if length > data.len() {
        return Err(error("its data lies outside"));
    }
    Ok(Entry { tag, kind, count, offset, length })
}
