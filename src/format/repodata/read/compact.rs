//! gander's own form of [`Packages`], which is read many times faster than XML. Nothing is decided by it: whoever lacks
//! it, or has one that does not fit, reads the XML.
//!
//! Integers are little endian. A text of the pool is its place and its length in bytes, a part of a list the places of
//! its first entry and of the one behind it, 4 bytes each.
//!
//! | part | bytes |
//! |---|---|
//! | magic `gander packages 1\n` | 18 |
//! | bytes of the pool, dependencies, files, change log entries, packages | 5 × 4 |
//! | the pool, UTF-8 | *n* |
//! | for each dependency: name, version, flags | 8 + 8 + 4 |
//! | for each file: folder, name, kind (0 file, 1 folder, 2 ghost) | 8 + 8 + 1 |
//! | for each change log entry: seconds since 1970, author, text | 8 + 8 + 8 |
//! | for each package: | |
//! | epoch; name, version, release and arch with their lengths | 4 + 4 × (4 + *n*) |
//! | length of the checksum, which tells the algorithm; checksum | 1 + *n* |
//! | sizes of file, content and archive, times of file and build, start and end of the header | 7 × 8 |
//! | location; 1 and its base, or 0 | 8 + 1 (+ 8) |
//! | the texts, in the order of [`Text`] | 9 × 8 |
//! | the lists of dependencies, in the order of [`Kind`](crate::rpm::dependency::Kind) | 8 × 8 |
//! | files; 1 where they are all files | 8 + 1 |
//! | 1 and the change log, or 0 | 1 (+ 8) |
//!
//! Each list of packages has one such form, and no other bytes are taken for it.

use super::super::checksum::Checksum;
use super::packages::{
    ChangelogRow, DependencyRow, FileKind, FileRow, KINDS, Numbers, Packages, Row, Slice, Text,
};
use super::pool::{Pool, Span};
use super::primary::index;
use crate::base::{Digest, Evr, Nevra, RelPath};

const MAGIC: &[u8] = b"gander packages 1\n";
/// Bytes that no package has less than.
const LEAST: usize = 250;

/// The bytes are not packages in the form of this gander. Retrying cannot help; reading the XML does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are not packages in the form of this version of gander")]
pub struct Unfit;

impl Packages {
    /// gander's own form of them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(self.texts.len() + 20 * self.dependencies.len() + 17 * self.files.len());
        bytes.extend(MAGIC);
        let lists = [self.dependencies.len(), self.files.len(), self.changelogs.len(), self.rows.len()];
        put(&mut bytes, index(self.texts.len()));
        lists.iter().for_each(|length| put(&mut bytes, index(*length)));
        bytes.extend(self.texts.all().as_bytes());
        for row in &self.dependencies {
            put_span(&mut bytes, row.name);
            put_span(&mut bytes, row.evr);
            put(&mut bytes, row.flags);
        }
        for row in &self.files {
            put_span(&mut bytes, row.directory);
            put_span(&mut bytes, row.name);
            bytes.push(row.kind as u8);
        }
        for row in &self.changelogs {
            bytes.extend(row.time.to_le_bytes());
            put_span(&mut bytes, row.author);
            put_span(&mut bytes, row.text);
        }
        self.rows.iter().for_each(|row| put_row(&mut bytes, row));
        bytes
    }

    /// Takes them from gander's own form. Every place in it is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unfit> {
        let mut from = Bytes(bytes);
        if from.take(MAGIC.len())? != MAGIC {
            return Err(Unfit);
        }
        let [text, dependencies, files, changelogs, rows] =
            [from.size()?, from.size()?, from.size()?, from.size()?, from.size()?];
        let texts = Pool::of(std::str::from_utf8(from.take(text)?).map_err(|_| Unfit)?);
        let dependencies = from.list(dependencies, 20, |from| {
            Ok(DependencyRow { name: from.span(&texts)?, evr: from.span(&texts)?, flags: from.number()? })
        })?;
        let files = from.list(files, 17, |from| {
            Ok(FileRow { directory: from.span(&texts)?, name: from.span(&texts)?, kind: from.kind()? })
        })?;
        let changelogs = from.list(changelogs, 24, |from| {
            let time = from.long()?.cast_signed();
            Ok(ChangelogRow { time, author: from.span(&texts)?, text: from.span(&texts)? })
        })?;
        let mut packages = Self { texts, rows: Vec::new(), dependencies, files, changelogs };
        packages.rows = from.list(rows, LEAST, |from| from.row(&packages))?;
        if from.0.is_empty() { Ok(packages) } else { Err(Unfit) }
    }
}

fn put(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend(number.to_le_bytes());
}

fn put_span(bytes: &mut Vec<u8>, span: Span) {
    put(bytes, span.start);
    put(bytes, span.length);
}

fn put_slice(bytes: &mut Vec<u8>, slice: Slice) {
    put(bytes, slice.start);
    put(bytes, slice.end);
}

fn put_row(bytes: &mut Vec<u8>, row: &Row) {
    let Nevra { name, evr, arch } = &row.nevra;
    put(bytes, evr.epoch);
    for part in [name, &evr.version, &evr.release, arch] {
        put(bytes, index(part.len()));
        bytes.extend(part.as_bytes());
    }
    let checksum = row.checksum.as_bytes();
    // None has more than 64.
    bytes.push(u8::try_from(checksum.len()).unwrap_or_default());
    bytes.extend(checksum);
    let Numbers { size, installed_size, archive_size, file_time, build_time, header } = row.numbers;
    let times = [file_time, build_time].map(i64::cast_unsigned);
    for number in [size, installed_size, archive_size, times[0], times[1], header.0, header.1] {
        bytes.extend(number.to_le_bytes());
    }
    put_span(bytes, row.href);
    bytes.push(u8::from(row.base.is_some()));
    row.base.iter().for_each(|base| put_span(bytes, *base));
    row.texts.iter().for_each(|text| put_span(bytes, *text));
    row.dependencies.iter().for_each(|list| put_slice(bytes, *list));
    put_slice(bytes, row.files);
    bytes.push(u8::from(row.all_files));
    bytes.push(u8::from(row.changelogs.is_some()));
    row.changelogs.iter().for_each(|list| put_slice(bytes, *list));
}

/// What is not read yet.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Unfit> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unfit)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unfit> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Unfit)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u32, Unfit> {
        self.array().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, Unfit> {
        self.array().map(u64::from_le_bytes)
    }

    fn size(&mut self) -> Result<usize, Unfit> {
        usize::try_from(self.number()?).map_err(|_| Unfit)
    }

    fn flag(&mut self) -> Result<bool, Unfit> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Unfit),
        }
    }

    fn kind(&mut self) -> Result<FileKind, Unfit> {
        let [kind] = self.array()?;
        let kinds = [FileKind::File, FileKind::Directory, FileKind::Ghost];
        kinds.into_iter().find(|known| *known as u8 == kind).ok_or(Unfit)
    }

    /// So many of something that has at least so many bytes. Room is made for no more than there can be.
    fn list<T>(
        &mut self,
        count: usize,
        least: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, Unfit>,
    ) -> Result<Vec<T>, Unfit> {
        let mut list = Vec::with_capacity(count.min(self.0.len() / least));
        for _ in 0..count {
            list.push(one(self)?);
        }
        Ok(list)
    }

    fn span(&mut self, texts: &Pool) -> Result<Span, Unfit> {
        let span = Span { start: self.number()?, length: self.number()? };
        if texts.has(span) { Ok(span) } else { Err(Unfit) }
    }

    fn slice<T>(&mut self, list: &[T]) -> Result<Slice, Unfit> {
        let slice = Slice { start: self.number()?, end: self.number()? };
        let fits = slice.start <= slice.end && usize::try_from(slice.end).is_ok_and(|end| end <= list.len());
        if fits { Ok(slice) } else { Err(Unfit) }
    }

    fn text(&mut self) -> Result<&'a str, Unfit> {
        let length = self.size()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Unfit)
    }

    fn checksum(&mut self) -> Result<Checksum, Unfit> {
        let [length] = self.array()?;
        Ok(match length {
            20 => Checksum::Sha1(self.array()?),
            28 => Checksum::Sha224(self.array()?),
            32 => Checksum::Sha256(Digest::from_bytes(self.array()?)),
            48 => Checksum::Sha384(self.array()?),
            64 => Checksum::Sha512(self.array()?),
            _ => return Err(Unfit),
        })
    }

    fn row(&mut self, packages: &Packages) -> Result<Row, Unfit> {
        let texts = &packages.texts;
        let (epoch, name) = (self.number()?, self.text()?);
        let evr = Evr { epoch, version: self.text()?.into(), release: self.text()?.into() };
        let arch = self.text()?;
        let nevra = Nevra::new(name, evr, arch).map_err(|_| Unfit)?;
        let checksum = self.checksum()?;
        let numbers = Numbers {
            size: self.long()?,
            installed_size: self.long()?,
            archive_size: self.long()?,
            file_time: self.long()?.cast_signed(),
            build_time: self.long()?.cast_signed(),
            header: (self.long()?, self.long()?),
        };
        let href = self.span(texts)?;
        RelPath::new(texts.get(href)).map_err(|_| Unfit)?;
        let base = if self.flag()? { Some(self.span(texts)?) } else { None };
        let mut row = Row {
            nevra,
            checksum,
            numbers,
            href,
            base,
            texts: [Span::default(); Text::COUNT],
            dependencies: [Slice::default(); KINDS],
            files: Slice::default(),
            all_files: false,
            changelogs: None,
        };
        for text in &mut row.texts {
            *text = self.span(texts)?;
        }
        for list in &mut row.dependencies {
            *list = self.slice(&packages.dependencies)?;
        }
        row.files = self.slice(&packages.files)?;
        row.all_files = self.flag()?;
        row.changelogs = if self.flag()? { Some(self.slice(&packages.changelogs)?) } else { None };
        Ok(row)
    }
}
