//! What a package says about itself: everything that repository metadata and selection need.
//!
//! A [`Package`] is a view of the main header: its texts and lists are pieces of the header's bytes, decoded when
//! they are looked at. All lists have been checked when there is one.
//!
//! Rules:
//! - a package without SOURCERPM is a source package if it has SOURCEPACKAGE, or if its one directory is nameless
//!   (rpm 4.18, `lib/package.c`, `applyRetrofits`); its arch here is `src`, or `nosrc` when NOSOURCE or NOPATCH says
//!   that sources are left out;
//! - of a tag in several locales the first text counts (that of `C`);
//! - a list that is absent counts as empty or zero for each item; one of another length than the names
//!   it belongs to is an error;
//! - a binary package of format 3 provides itself, also where it does not say so (rpm 4.18, `lib/headerutil.c`,
//!   `providePackageNVR`);
//! - names, versions, releases and archs must be fit for file names ([`Nevra::new`]) and no name may
//!   look like an option; SOURCERPM must be
//!   a plain file name; paths must be absolute (below nothing, for source packages) and have no `.`,
//!   `..` or empty component. rpm itself takes such packages; we do not;
//! - a delta (PAYLOADFORMAT `drpm`) has the headers of the package that it makes, but is none.

use std::borrow::Cow;
use std::ops::Range;

use super::dependency::{Dependencies, Dependency, Kind, sense};
use super::files::{Files, MOST_PATH_BYTES};
use super::header::{Header, HeaderError};
use super::headers::{Format, Headers};
use super::tags;
use super::values::{Numbers, Texts};
use crate::base::nevra::NevraError;
use crate::base::{Evr, Nevra};

/// Why a file is no usable package. Except for a failed read, retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A header cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The file could not be read. A retry may help.
    #[error("the package file cannot be read")]
    Io(#[source] std::io::Error),
    /// It ends before its main header.
    #[error("the file is truncated: it ends inside its {0}")]
    Truncated(&'static str),
    /// It is something else.
    #[error("the file is no RPM package: {0}")]
    Lead(&'static str),
    /// Its format is newer than what is known here.
    #[error("the package has format {0}, and the highest one that is known is 6")]
    Format(u64),
    /// It makes a package out of another one.
    #[error("the file is a delta between packages, and no package")]
    Delta,
    /// A tag stands in the wrong header.
    #[error("the package has tag {0} in its main header, where only the signature header may have it")]
    Displaced(u32),
    /// It lacks something that every package has.
    #[error("the package has no {0}")]
    Missing(&'static str),
    /// Its name could not be used as a file name.
    #[error("the package's name is refused")]
    Name(#[from] NevraError),
    /// Its NAME, SOURCERPM or EPOCH is nothing that could be used.
    #[error("the package's {what} is refused: '{value}'")]
    Value {
        /// What it is.
        what: &'static str,
        /// The value, escaped.
        value: String,
    },
    /// A path of it could leave the place where it is to be put.
    #[error("the package has the path '{0}', which is refused (it must be absolute, without '..')")]
    Path(String),
    /// Its paths take more memory than those of any real package.
    #[error("the package's paths have more than {} MiB together", MOST_PATH_BYTES >> 20)]
    TooManyPaths,
    /// It has more of something than any real package.
    #[error("the package has more than {most} {what}")]
    TooMany {
        /// What it has.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// A list has another length than the one that it belongs to.
    #[error("the package's list of {what} has {found} entries instead of {wanted}")]
    Length {
        /// The list.
        what: &'static str,
        /// Entries that it has.
        found: usize,
        /// Entries that it must have.
        wanted: usize,
    },
}

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changelog<'h> {
    /// Seconds since 1970.
    pub time: u32,
    /// Name, address and version.
    pub author: Cow<'h, str>,
    /// What changed.
    pub text: Cow<'h, str>,
}

/// The change log, in the order of the header, the newest entry first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changelogs<'h> {
    times: Numbers<'h>,
    authors: Texts<'h>,
    texts: Texts<'h>,
}

impl<'h> Changelogs<'h> {
    fn of(main: &'h Header) -> Result<Self, PackageError> {
        let (authors, texts) = (main.texts(tags::CHANGELOGNAME)?, main.texts(tags::CHANGELOGTEXT)?);
        let times = main.numbers(tags::CHANGELOGTIME)?;
        beside("change log names", times.len(), authors.len())?;
        beside("change log texts", times.len(), texts.len())?;
        Ok(Self { times, authors, texts })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = Changelog<'h>> + use<'h> {
        let (mut authors, mut texts) = (self.authors.iter(), self.texts.iter());
        self.times.iter().map(move |time| Changelog {
            time: clip(time),
            author: authors.next().unwrap_or_default(),
            text: texts.next().unwrap_or_default(),
        })
    }
}

/// What a package says about itself.
#[derive(Clone, Debug)]
pub struct Package<'h> {
    /// The version of the package format.
    pub format: Format,
    /// Its full name.
    pub nevra: Nevra,
    /// Whether the header has an EPOCH at all (repodata write 0 in either case).
    pub has_epoch: bool,
    /// Whether it is a source package.
    pub is_source: bool,
    /// The file name of the source package that it was built from; none for a source package, or where it does not
    /// say.
    pub sourcerpm: Option<Cow<'h, str>>,
    /// One line.
    pub summary: Cow<'h, str>,
    /// Several lines.
    pub description: Cow<'h, str>,
    /// Its licence.
    pub license: Cow<'h, str>,
    /// Who distributes it.
    pub vendor: Cow<'h, str>,
    /// The group of old.
    pub group: Cow<'h, str>,
    /// The project's page.
    pub url: Cow<'h, str>,
    /// Who packaged it.
    pub packager: Cow<'h, str>,
    /// Where it was built.
    pub buildhost: Cow<'h, str>,
    /// When, in seconds since 1970.
    pub buildtime: u32,
    /// Bytes of its files when installed.
    pub installed_size: u64,
    /// Bytes of its payload before compression.
    pub archive_size: u64,
    /// Where the main header lies in the file.
    pub header_range: Range<u64>,
    /// Dependencies in the order of the header.
    pub provides: Dependencies<'h>,
    /// Likewise.
    pub requires: Dependencies<'h>,
    /// Likewise.
    pub conflicts: Dependencies<'h>,
    /// Likewise.
    pub obsoletes: Dependencies<'h>,
    /// Likewise.
    pub recommends: Dependencies<'h>,
    /// Likewise.
    pub suggests: Dependencies<'h>,
    /// Likewise.
    pub supplements: Dependencies<'h>,
    /// Likewise.
    pub enhances: Dependencies<'h>,
    /// Likewise.
    pub order: Dependencies<'h>,
    /// Files in the order of the header.
    pub files: Files<'h>,
    /// Change log in the order of the header, the newest first.
    pub changelogs: Changelogs<'h>,
}

impl<'h> Package<'h> {
    pub(super) fn of(headers: &'h Headers) -> Result<Self, PackageError> {
        let main = &headers.main;
        if main.raw_text(tags::PAYLOADFORMAT)? == Some(b"drpm") {
            return Err(PackageError::Delta);
        }
        let given = |tag| main.text(tag).map(Option::unwrap_or_default);
        let list = |kind| Dependencies::of(main, kind);
        let format = headers.format()?;
        let sourcerpm = sourcerpm(main)?;
        let is_source = sourcerpm.is_none() && is_source(main)?;
        let epoch = main.number(tags::EPOCH)?;
        let nevra = nevra(main, is_source, epoch)?;
        let mut provides = list(Kind::Provides)?;
        if format == Format::V3 && !is_source {
            provides.imply(itself(&nevra, epoch.is_some()));
        }
        Ok(Self {
            format,
            nevra,
            has_epoch: epoch.is_some(),
            is_source,
            sourcerpm,
            summary: given(tags::SUMMARY)?,
            description: given(tags::DESCRIPTION)?,
            license: given(tags::LICENSE)?,
            vendor: given(tags::VENDOR)?,
            group: given(tags::GROUP)?,
            url: given(tags::URL)?,
            packager: given(tags::PACKAGER)?,
            buildhost: given(tags::BUILDHOST)?,
            buildtime: main.number(tags::BUILDTIME)?.map_or(0, clip),
            installed_size: first(main, &[tags::SIZE, tags::LONGSIZE])?.unwrap_or(0),
            archive_size: archive_size(headers)?,
            header_range: headers.main_range(),
            provides,
            requires: list(Kind::Requires)?,
            conflicts: list(Kind::Conflicts)?,
            obsoletes: list(Kind::Obsoletes)?,
            recommends: list(Kind::Recommends)?,
            suggests: list(Kind::Suggests)?,
            supplements: list(Kind::Supplements)?,
            enhances: list(Kind::Enhances)?,
            order: list(Kind::Order)?,
            files: Files::of(main, is_source)?,
            changelogs: Changelogs::of(main)?,
        })
    }

    /// The dependencies of a kind.
    pub fn dependencies(&self, kind: Kind) -> &Dependencies<'h> {
        match kind {
            Kind::Provides => &self.provides,
            Kind::Requires => &self.requires,
            Kind::Conflicts => &self.conflicts,
            Kind::Obsoletes => &self.obsoletes,
            Kind::Recommends => &self.recommends,
            Kind::Suggests => &self.suggests,
            Kind::Supplements => &self.supplements,
            Kind::Enhances => &self.enhances,
            Kind::Order => &self.order,
        }
    }
}

fn sourcerpm(main: &Header) -> Result<Option<Cow<'_, str>>, PackageError> {
    let sourcerpm = main.text(tags::SOURCERPM)?;
    if let Some(name) = &sourcerpm {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
            return Err(PackageError::Value { what: "source package", value: escaped(name) });
        }
    }
    Ok(sourcerpm)
}

/// Whether a package that names no source package is one itself.
fn is_source(main: &Header) -> Result<bool, PackageError> {
    if main.find(tags::SOURCEPACKAGE).is_some() {
        return Ok(true);
    }
    let directories = main.texts(tags::DIRNAMES)?;
    let nameless = directories.len() == 1 && directories.raw().next() == Some(b"");
    let old = main.texts(tags::OLDFILENAMES)?.raw().next().is_some_and(|path| !path.starts_with(b"/"));
    Ok(nameless || directories.is_empty() && old)
}

/// The full name of the package whose main header this is, without looking at anything else in it.
pub fn name_of(main: &Header) -> Result<Nevra, PackageError> {
    let is_source = sourcerpm(main)?.is_none() && is_source(main)?;
    nevra(main, is_source, main.number(tags::EPOCH)?)
}

fn nevra(main: &Header, is_source: bool, epoch: Option<u64>) -> Result<Nevra, PackageError> {
    let needed = |tag, what| main.text(tag)?.ok_or(PackageError::Missing(what));
    let arch = match (is_source, main.find(tags::NOSOURCE).or(main.find(tags::NOPATCH))) {
        (true, None) => "src".into(),
        (true, Some(_)) => "nosrc".into(),
        (false, _) => needed(tags::ARCH, "arch")?,
    };
    let evr = Evr {
        epoch: u32::try_from(epoch.unwrap_or(0))
            .map_err(|_| PackageError::Value { what: "epoch", value: epoch.unwrap_or(0).to_string() })?,
        version: needed(tags::VERSION, "version")?.into(),
        release: needed(tags::RELEASE, "release")?.into(),
    };
    let name = needed(tags::NAME, "name")?;
    if name.starts_with('-') {
        return Err(PackageError::Value { what: "name", value: escaped(&name) });
    }
    Ok(Nevra::new(&name, evr, &arch)?)
}

/// What a package provides by being there.
fn itself<'h>(nevra: &Nevra, has_epoch: bool) -> Dependency<'h> {
    let Evr { epoch, version, release } = &nevra.evr;
    let evr = if has_epoch { format!("{epoch}:{version}-{release}") } else { format!("{version}-{release}") };
    Dependency { name: nevra.name.clone().into(), flags: sense::EQUAL, evr: evr.into() }
}

/// The first of these tags that a header has.
fn first(header: &Header, tags: &[u32]) -> Result<Option<u64>, PackageError> {
    let tag = tags.iter().find(|tag| header.find(**tag).is_some());
    Ok(tag.map(|tag| header.number(*tag)).transpose()?.flatten())
}

fn archive_size(headers: &Headers) -> Result<u64, PackageError> {
    let stated = first(&headers.signature, &[tags::SIG_PAYLOADSIZE, tags::SIG_LONGARCHIVESIZE])?;
    Ok(stated.or(first(&headers.main, &[tags::ARCHIVESIZE])?).unwrap_or(0))
}

pub(super) fn clip(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn escaped(text: &str) -> String {
    text.escape_debug().take(200).collect()
}

/// Whether a list fits beside another one of `wanted` items: absent, or as long.
pub(super) fn beside(what: &'static str, wanted: usize, found: usize) -> Result<(), PackageError> {
    if found == 0 || found == wanted { Ok(()) } else { Err(PackageError::Length { what, found, wanted }) }
}
