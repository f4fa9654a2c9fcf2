//! primary.xml.

use std::io::Read;

use super::super::checksum::Checksum;
use super::error::{Position, ReadError};
use super::packages::{DependencyRow, FileKind, FileRow, KINDS, Numbers, Packages, Row, Slice, Text};
use super::pool::{MOST_TEXT, Span};
use super::stream::{Space, Stream};
use crate::base::{Evr, Nevra, RelPath};
use crate::rpm::dependency::Kind;
use crate::rpm::sense;

const MOST_PACKAGES: usize = 1_000_000;
const MOST_DEPENDENCIES: usize = 1 << 24;
const MOST_FILES: usize = 1 << 26;

impl Packages {
    /// Reads primary.xml, which comes decompressed.
    pub fn read(primary: impl Read) -> Result<Self, ReadError> {
        let mut stream = Stream::new(primary);
        let mut packages = Self::new();
        root(&mut stream, "metadata")?;
        while stream.enter()? {
            match stream.name() {
                (Space::List, "package") => packages.package(&mut stream)?,
                _ => stream.skip()?,
            }
        }
        end(&mut stream)?;
        packages.rows.shrink_to_fit();
        packages.dependencies.shrink_to_fit();
        packages.files.shrink_to_fit();
        Ok(packages)
    }

    fn package<R: Read>(&mut self, stream: &mut Stream<R>) -> Result<(), ReadError> {
        let place = stream.place();
        bounded(place, "packages", self.rows.len(), MOST_PACKAGES)?;
        if let Some(kind) = stream.attribute("type").filter(|kind| *kind != "rpm") {
            return Err(refused(place, "type of a package", kind));
        }
        let mut draft = Draft::default();
        while stream.enter()? {
            let text = match stream.name() {
                (Space::List, name) => match name {
                    "name" => {
                        let (place, name) = (stream.place(), stream.text()?.to_owned());
                        once(place, "name", &mut draft.name, name)?;
                        continue;
                    }
                    "arch" => {
                        let (place, arch) = (stream.place(), stream.text()?.to_owned());
                        once(place, "arch", &mut draft.arch, arch)?;
                        continue;
                    }
                    "version" => {
                        once(stream.place(), "version", &mut draft.evr, evr(stream)?)?;
                        None
                    }
                    "checksum" => {
                        let place = stream.place();
                        let kind = stream.attribute("type").unwrap_or_default().to_owned();
                        let text = stream.text()?;
                        let checksum = Checksum::parse(&kind, text)
                            .map_err(|error| refused(place, "checksum", &error.to_string()))?;
                        once(place, "checksum", &mut draft.checksum, checksum)?;
                        continue;
                    }
                    "time" => {
                        draft.numbers.file_time = time(stream, "file")?;
                        draft.numbers.build_time = time(stream, "build")?;
                        None
                    }
                    "size" => {
                        draft.numbers.size = number(stream, "package")?;
                        draft.numbers.installed_size = number(stream, "installed")?;
                        draft.numbers.archive_size = number(stream, "archive")?;
                        None
                    }
                    "location" => {
                        let location = self.location(stream)?;
                        once(stream.place(), "location", &mut draft.location, location)?;
                        None
                    }
                    "format" => {
                        once(stream.place(), "format", &mut draft.format, ())?;
                        self.format(stream, &mut draft)?;
                        continue;
                    }
                    "summary" => Some(Text::Summary),
                    "description" => Some(Text::Description),
                    "packager" => Some(Text::Packager),
                    "url" => Some(Text::Url),
                    _ => None,
                },
                _ => None,
            };
            match text {
                Some(text) => self.text(stream, text, &mut draft)?,
                None => stream.skip()?,
            }
        }
        let row = draft.finish(place)?;
        let files = self.files.get(row.files.start as usize..row.files.end as usize).unwrap_or_default();
        if !row.nevra.is_source() {
            absolute(files.iter().map(|file| self.texts.get(file.directory)), place)?;
        }
        self.rows.push(row);
        Ok(())
    }

    fn format<R: Read>(&mut self, stream: &mut Stream<R>, draft: &mut Draft) -> Result<(), ReadError> {
        draft.files.start = index(self.files.len());
        while stream.enter()? {
            let (space, name) = stream.name();
            let kind = match (space, name) {
                (Space::List, "file") => {
                    self.file(stream)?;
                    continue;
                }
                (Space::Rpm, "provides") => Kind::Provides,
                (Space::Rpm, "requires") => Kind::Requires,
                (Space::Rpm, "conflicts") => Kind::Conflicts,
                (Space::Rpm, "obsoletes") => Kind::Obsoletes,
                (Space::Rpm, "recommends") => Kind::Recommends,
                (Space::Rpm, "suggests") => Kind::Suggests,
                (Space::Rpm, "supplements") => Kind::Supplements,
                (Space::Rpm, "enhances") => Kind::Enhances,
                (Space::Rpm, "header-range") => {
                    let header = (number(stream, "start")?, number(stream, "end")?);
                    if header.0 > header.1 {
                        return Err(refused(stream.place(), "header range", &format!("{header:?}")));
                    }
                    draft.numbers.header = header;
                    stream.skip()?;
                    continue;
                }
                _ => {
                    let text = match (space, name) {
                        (Space::Rpm, "license") => Text::License,
                        (Space::Rpm, "vendor") => Text::Vendor,
                        (Space::Rpm, "group") => Text::Group,
                        (Space::Rpm, "buildhost") => Text::Buildhost,
                        (Space::Rpm, "sourcerpm") => Text::Sourcerpm,
                        _ => {
                            stream.skip()?;
                            continue;
                        }
                    };
                    self.text(stream, text, draft)?;
                    continue;
                }
            };
            let place = stream.place();
            let slice = self.list(stream)?;
            if let Some(known) = draft.dependencies.get_mut(kind as usize) {
                once(place, "list of dependencies", known, slice)?;
            }
        }
        draft.files.end = index(self.files.len());
        Ok(())
    }

    fn text<R: Read>(
        &mut self,
        stream: &mut Stream<R>,
        which: Text,
        draft: &mut Draft,
    ) -> Result<(), ReadError> {
        let place = stream.place();
        let text = stream.text()?;
        // The rule of a package's own header: a plain file name.
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        if which == Text::Sourcerpm && (text.starts_with('.') || !text.bytes().all(plain)) {
            return Err(refused(place, "name of the source package", text));
        }
        let span = self.add(place, text)?;
        if let Some(known) = draft.texts.get_mut(which as usize) {
            *known = span;
        }
        Ok(())
    }

    fn location<R: Read>(&mut self, stream: &Stream<R>) -> Result<(Span, Option<Span>), ReadError> {
        let place = stream.place();
        let href = stream.attribute("href").ok_or(ReadError::Missing { place, what: "location's href" })?;
        RelPath::new(href).map_err(|_| refused(place, "location", href))?;
        let base = stream.attribute("xml:base").filter(|base| !base.is_empty());
        if let Some(base) = base {
            let scheme = base.split_once("://").map_or("", |(scheme, _)| scheme);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            if scheme.is_empty()
                || !scheme.bytes().all(plain)
                || !base.bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(refused(place, "base of the location", base));
            }
        }
        let base = base.map(|base| self.add(place, base)).transpose()?;
        Ok((self.add(place, href)?, base))
    }

    /// The entries of a list of dependencies.
    fn list<R: Read>(&mut self, stream: &mut Stream<R>) -> Result<Slice, ReadError> {
        let start = index(self.dependencies.len());
        let mut evr = String::new();
        // A package provides most of what it provides in its own version.
        let mut last = Span::default();
        while stream.enter()? {
            if stream.name() == (Space::Rpm, "entry") {
                let place = stream.place();
                bounded(place, "dependencies", self.dependencies.len(), MOST_DEPENDENCIES)?;
                let (mut name, mut flags, mut pre) = ("", 0, 0);
                let (mut epoch, mut version, mut release) = ("", "", "");
                for (key, value) in stream.attributes() {
                    match key {
                        "name" => name = value,
                        "flags" => flags = comparison(value, place)?,
                        "epoch" => epoch = value,
                        "ver" => version = value,
                        "rel" => release = value,
                        // As createrepo_c reads it.
                        "pre" if !matches!(value, "0" | "FALSE") => pre = sense::PREREQ,
                        _ => {}
                    }
                }
                if name.is_empty() {
                    return Err(ReadError::Missing { place, what: "dependency's name" });
                }
                if !epoch.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(refused(place, "epoch of a dependency", epoch));
                }
                evr.clear();
                if !version.is_empty() {
                    let (colon, hyphen) = (after(epoch, ":"), after(release, "-"));
                    evr.extend([epoch, colon, version, hyphen, release]);
                }
                let row = DependencyRow {
                    name: self.add(place, name)?,
                    evr: self.texts.again(&mut last, &evr).ok_or_else(|| full(place))?,
                    flags: flags | pre,
                };
                self.dependencies.push(row);
            }
            stream.skip()?;
        }
        Ok(Slice { start, end: index(self.dependencies.len()) })
    }

    /// Reads one file.
    pub(super) fn file<R: Read>(&mut self, stream: &mut Stream<R>) -> Result<(), ReadError> {
        let place = stream.place();
        bounded(place, "files", self.files.len(), MOST_FILES)?;
        let kind = match stream.attribute("type") {
            None | Some("" | "file") => FileKind::File,
            Some("dir") => FileKind::Directory,
            Some("ghost") => FileKind::Ghost,
            Some(other) => return Err(refused(place, "kind of a file", other)),
        };
        let path = stream.text()?;
        if path.is_empty() || path.split('/').any(|part| part == "..") {
            return Err(refused(place, "path of a file", path));
        }
        let (directory, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
        let mut last = self.files.last().map(|file| file.directory).unwrap_or_default();
        let directory = self.texts.again(&mut last, directory).ok_or_else(|| full(place))?;
        let row = FileRow { directory, name: self.add(place, name)?, kind };
        self.files.push(row);
        Ok(())
    }

    pub(super) fn add(&mut self, place: Position, text: &str) -> Result<Span, ReadError> {
        self.texts.add(text).ok_or_else(|| full(place))
    }
}

/// A package that is being read.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    arch: Option<String>,
    evr: Option<Evr>,
    checksum: Option<Checksum>,
    location: Option<(Span, Option<Span>)>,
    format: Option<()>,
    numbers: Numbers,
    texts: [Span; Text::COUNT],
    dependencies: [Option<Slice>; KINDS],
    files: Slice,
}

impl Draft {
    fn finish(self, place: Position) -> Result<Row, ReadError> {
        let missing = |what| ReadError::Missing { place, what };
        let name = self.name.ok_or(missing("name"))?;
        let (arch, evr) = (self.arch.ok_or(missing("arch"))?, self.evr.ok_or(missing("version"))?);
        let nevra = match name.starts_with('-') {
            true => Err(name),
            false => Nevra::new(&name, evr, &arch).map_err(|error| error.to_string()),
        };
        let nevra = nevra.map_err(|value| refused(place, "name of the package", &value))?;
        let (href, base) = self.location.ok_or(missing("location"))?;
        Ok(Row {
            nevra,
            checksum: self.checksum.ok_or(missing("checksum"))?,
            numbers: self.numbers,
            href,
            base,
            texts: self.texts,
            dependencies: self.dependencies.map(Option::unwrap_or_default),
            files: self.files,
            all_files: false,
            changelogs: None,
        })
    }
}

/// Enters the root element.
pub(super) fn root<R: Read>(stream: &mut Stream<R>, expected: &'static str) -> Result<(), ReadError> {
    if stream.enter()? && stream.name() == (Space::List, expected) {
        Ok(())
    } else {
        Err(ReadError::Root { place: stream.place(), expected })
    }
}

/// Whether the document ends.
pub(super) fn end<R: Read>(stream: &mut Stream<R>) -> Result<(), ReadError> {
    match stream.enter()? {
        true => {
            Err(ReadError::Xml { place: stream.place(), reason: "there is a second root element".into() })
        }
        false => Ok(()),
    }
}

/// The version of a package. Without an epoch it is 0.
fn evr<R: Read>(stream: &Stream<R>) -> Result<Evr, ReadError> {
    let place = stream.place();
    let part = |name, what| stream.attribute(name).ok_or(ReadError::Missing { place, what });
    let epoch = stream.attribute("epoch").filter(|epoch| !epoch.is_empty()).unwrap_or("0");
    let digits = epoch.bytes().all(|byte| byte.is_ascii_digit());
    Ok(Evr {
        epoch: epoch.parse().ok().filter(|_| digits).ok_or_else(|| refused(place, "epoch", epoch))?,
        version: part("ver", "version's ver")?.into(),
        release: part("rel", "version's rel")?.into(),
    })
}

/// A sign where there is something that it belongs to.
fn after<'a>(part: &str, sign: &'a str) -> &'a str {
    if part.is_empty() { "" } else { sign }
}

fn comparison(text: &str, place: Position) -> Result<u32, ReadError> {
    Ok(match text {
        "" => 0,
        "EQ" => sense::EQUAL,
        "LT" => sense::LESS,
        "LE" => sense::LESS | sense::EQUAL,
        "GT" => sense::GREATER,
        "GE" => sense::GREATER | sense::EQUAL,
        other => return Err(refused(place, "comparison of a dependency", other)),
    })
}

/// The number of an attribute, 0 without one.
fn number<R: Read>(stream: &Stream<R>, name: &'static str) -> Result<u64, ReadError> {
    let Some(text) = stream.attribute(name) else { return Ok(0) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // Everyone else has signed numbers of 64 bits.
    let number = text.parse().ok().filter(|number| digits && i64::try_from(*number).is_ok());
    number.ok_or_else(|| refused(stream.place(), name, text))
}

/// The time of an attribute, 0 without one.
pub(super) fn time<R: Read>(stream: &Stream<R>, name: &'static str) -> Result<i64, ReadError> {
    let Some(text) = stream.attribute(name) else { return Ok(0) };
    text.parse().map_err(|_| refused(stream.place(), name, text))
}

fn once<T>(place: Position, what: &'static str, known: &mut Option<T>, value: T) -> Result<(), ReadError> {
    match known.replace(value) {
        Some(_) => Err(ReadError::Twice { place, what }),
        None => Ok(()),
    }
}

pub(super) fn bounded(
    place: Position,
    what: &'static str,
    there: usize,
    most: usize,
) -> Result<(), ReadError> {
    if there < most { Ok(()) } else { Err(ReadError::TooMany { place, what, most }) }
}

fn full(place: Position) -> ReadError {
    ReadError::TooMany { place, what: "bytes of text", most: MOST_TEXT }
}

/// Whether folders are absolute.
pub(super) fn absolute<'a>(
    mut folders: impl Iterator<Item = &'a str>,
    place: Position,
) -> Result<(), ReadError> {
    match folders.find(|folder| !folder.starts_with('/')) {
        Some(folder) => Err(refused(place, "folder of a file", folder)),
        None => Ok(()),
    }
}

pub(super) fn refused(place: Position, what: &'static str, value: &str) -> ReadError {
    ReadError::Value { place, what, value: value.escape_debug().take(200).collect() }
}

/// All lists are bounded far below this.
pub(super) fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
