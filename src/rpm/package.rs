//! What a package says about itself: everything that repository metadata and selection need.
//!
//! A package file starts with a *lead* of 96 bytes, of which rpm (4.18, `lib/rpmlead.c`) looks at the
//! magic number `ed ab ee db`, the major version (3 or 4) and the signature type (5); the rest is
//! history. The signature header follows, padded with up to 7 bytes to a multiple of 8, then the main
//! header and the payload.
//!
//! Rules:
//! - a package without SOURCERPM is a source package (rpm's `headerIsSource`); its arch here is
//!   `src`, or `nosrc` when NOSOURCE or NOPATCH says that sources are left out;
//! - of a tag in several locales the first text counts (that of `C`);
//! - a list that is absent counts as empty or zero for each item; one of another length than the names
//!   it belongs to is an error;
//! - names, versions, releases and archs must be fit for file names ([`Nevra::new`]) and no name may
//!   look like an option; SOURCERPM must be
//!   a plain file name; paths must be absolute (below nothing, for source packages) and have no `.`,
//!   `..` or empty component. rpm itself takes such packages; we do not.

use std::io::Read;
use std::ops::Range;

use super::header::{Header, HeaderError, Part};
use super::tags;
use crate::base::nevra::NevraError;
use crate::base::{Evr, Nevra};

/// More than the paths of any package have together: those of the largest, debugging sources of a browser,
/// have some 50 MB.
const MOST_PATH_BYTES: usize = 256 << 20;

/// Bytes of the lead.
pub const LEAD: usize = 96;

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

/// Bits of [`Dependency::flags`], from rpm's `rpmds.h`.
pub mod sense {
    use ::rpm::DependencyFlags;

    /// Versions below.
    pub const LESS: u32 = DependencyFlags::LESS.bits();
    /// Versions above.
    pub const GREATER: u32 = DependencyFlags::GREATER.bits();
    /// This version.
    pub const EQUAL: u32 = DependencyFlags::EQUAL.bits();
    /// Needed before installation.
    pub const PREREQ: u32 = DependencyFlags::PREREQ.bits();
    /// Needed by the pre-install scriptlet.
    pub const SCRIPT_PRE: u32 = DependencyFlags::SCRIPT_PRE.bits();
    /// Needed by the post-install scriptlet.
    pub const SCRIPT_POST: u32 = DependencyFlags::SCRIPT_POST.bits();
    /// A feature of rpm itself.
    pub const RPMLIB: u32 = DependencyFlags::RPMLIB.bits();
}

/// One entry of a dependency list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// A name, a path or a rich dependency in parentheses.
    pub name: String,
    /// rpm's bits, see [`sense`].
    pub flags: u32,
    /// `[epoch:]version[-release]`, empty without a version.
    pub evr: String,
}

impl Dependency {
    /// Epoch, version and release, where it names a version.
    pub fn parsed_evr(&self) -> Option<Evr> {
        (!self.evr.is_empty()).then(|| Evr::parse(&self.evr))
    }

    /// `<`, `<=`, `=`, `>=`, `>`, or nothing where any version will do.
    pub fn comparison(&self) -> &'static str {
        match self.flags & (sense::LESS | sense::GREATER | sense::EQUAL) {
            2 => "<",
            4 => ">",
            8 => "=",
            10 => "<=",
            12 => ">=",
            _ => "",
        }
    }
}

/// One file that a package holds or owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The absolute path; of a source package, the file's name.
    pub path: String,
    /// Type and permissions, as in `st_mode`.
    pub mode: u16,
    /// rpm's flags: config 1, doc 2, missingok 8, noreplace 16, ghost 64, licence 128, …
    pub flags: u32,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Hexadecimal digest of the content, empty for what is no regular file.
    pub digest: String,
    /// Where a symbolic link points.
    pub link_to: String,
    /// 1 for 32-bit ELF, 2 for 64-bit ELF.
    pub colour: u32,
    /// rpm's number for the inode; files with the same device and inode are hard links of each other.
    pub inode: u32,
    /// rpm's number for the device.
    pub device: u32,
    /// Major and minor number of a device node.
    pub rdev: u16,
    /// Capabilities as text, empty for none.
    pub capabilities: String,
}

impl File {
    const TYPE: u16 = 0o170_000;

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & Self::TYPE == 0o040_000
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode & Self::TYPE == 0o120_000
    }

    /// Whether the package owns it without holding it (`%ghost`).
    pub fn is_ghost(&self) -> bool {
        self.flags & 64 != 0
    }
}

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changelog {
    /// Seconds since 1970.
    pub time: u32,
    /// Name, address and version.
    pub author: String,
    /// What changed.
    pub text: String,
}

/// What a package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its full name.
    pub nevra: Nevra,
    /// Whether the header has an EPOCH at all (repodata write 0 in either case).
    pub has_epoch: bool,
    /// Whether it is a source package.
    pub is_source: bool,
    /// The file name of the source package that it was built from; none for a source package.
    pub sourcerpm: Option<String>,
    /// One line.
    pub summary: String,
    /// Several lines.
    pub description: String,
    /// Its licence.
    pub license: String,
    /// Who distributes it.
    pub vendor: String,
    /// The group of old.
    pub group: String,
    /// The project's page.
    pub url: String,
    /// Who packaged it.
    pub packager: String,
    /// Where it was built.
    pub buildhost: String,
    /// When, in seconds since 1970.
    pub buildtime: u32,
    /// Bytes of its files when installed.
    pub installed_size: u64,
    /// Bytes of its payload before compression.
    pub archive_size: u64,
    /// Where the main header lies in the file.
    pub header_range: Range<u64>,
    /// Dependencies in the order of the header.
    pub provides: Vec<Dependency>,
    /// Likewise.
    pub requires: Vec<Dependency>,
    /// Likewise.
    pub conflicts: Vec<Dependency>,
    /// Likewise.
    pub obsoletes: Vec<Dependency>,
    /// Likewise.
    pub recommends: Vec<Dependency>,
    /// Likewise.
    pub suggests: Vec<Dependency>,
    /// Likewise.
    pub supplements: Vec<Dependency>,
    /// Likewise.
    pub enhances: Vec<Dependency>,
    /// Files in the order of the header.
    pub files: Vec<File>,
    /// Change log in the order of the header, the newest first.
    pub changelogs: Vec<Changelog>,
}

/// The headers of a package file: all in front of its payload.
#[derive(Clone, Debug)]
pub struct Headers {
    /// The lead.
    pub lead: [u8; LEAD],
    /// The signature header.
    pub signature: Header,
    /// The bytes between the two headers (0 to 7, usually zeros).
    pub padding: Vec<u8>,
    /// The main header.
    pub main: Header,
}

/// Reads and checks the lead.
pub(super) fn read_lead(mut reader: impl Read) -> Result<[u8; LEAD], PackageError> {
    let mut lead = [0; LEAD];
    reader.read_exact(&mut lead).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => PackageError::Truncated("lead (the first 96 bytes)"),
        _ => PackageError::Io(error),
    })?;
    let [magic @ .., major] = [lead[0], lead[1], lead[2], lead[3], lead[4]];
    if magic != [0xed, 0xab, 0xee, 0xdb] {
        return Err(PackageError::Lead("it does not start with RPM's magic number"));
    }
    if !(3..=4).contains(&major) {
        return Err(PackageError::Lead("its version is not supported"));
    }
    if (lead[78], lead[79]) != (0, 5) {
        return Err(PackageError::Lead("its signature type is not supported"));
    }
    Ok(lead)
}

/// Bytes of padding behind a signature header of this length.
pub(super) const fn padding(length: usize) -> usize {
    (8 - length % 8) % 8
}

impl Headers {
    /// Reads lead, signature header and main header; leaves the stream at the payload.
    pub fn read(mut reader: impl Read) -> Result<Self, PackageError> {
        let lead = read_lead(&mut reader)?;
        let signature = Header::read(Part::Signature, &mut reader)?;
        let wanted = padding(signature.bytes().len());
        let mut gap = Vec::new();
        reader.by_ref().take(wanted as u64).read_to_end(&mut gap).map_err(PackageError::Io)?;
        if gap.len() != wanted {
            return Err(PackageError::Truncated("signature header's padding"));
        }
        let main = Header::read(Part::Main, &mut reader)?;
        Ok(Self { lead, signature, padding: gap, main })
    }

    /// Where the main header lies in the file.
    pub fn main_range(&self) -> Range<u64> {
        let start = (LEAD + self.signature.bytes().len() + self.padding.len()) as u64;
        start..start + self.main.bytes().len() as u64
    }

    /// What the package says about itself.
    pub fn package(&self) -> Result<Package, PackageError> {
        package(&self.signature, &self.main, self.main_range())
    }
}

impl Package {
    /// Reads the headers of a package file and what they say; the payload is not read.
    pub fn read(reader: impl Read) -> Result<Self, PackageError> {
        Headers::read(reader)?.package()
    }
}

fn package(signature: &Header, main: &Header, header_range: Range<u64>) -> Result<Package, PackageError> {
    let needed = |tag, what| main.text(tag)?.ok_or(PackageError::Missing(what));
    let given = |tag| main.text(tag).map(Option::unwrap_or_default);
    let sourcerpm = main.text(tags::SOURCERPM)?;
    if let Some(name) = &sourcerpm {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
            return Err(PackageError::Value { what: "source package", value: escaped(name) });
        }
    }
    let is_source = sourcerpm.is_none();
    let arch = match (is_source, main.find(tags::NOSOURCE).or(main.find(tags::NOPATCH))) {
        (true, None) => "src".into(),
        (true, Some(_)) => "nosrc".into(),
        (false, _) => needed(tags::ARCH, "arch")?,
    };
    let epoch = main.number(tags::EPOCH)?;
    let evr = Evr {
        epoch: u32::try_from(epoch.unwrap_or(0))
            .map_err(|_| PackageError::Value { what: "epoch", value: epoch.unwrap_or(0).to_string() })?,
        version: needed(tags::VERSION, "version")?,
        release: needed(tags::RELEASE, "release")?,
    };
    let archive_size = match signature.number(tags::SIG_PAYLOADSIZE)? {
        Some(size) => Some(size),
        None => match signature.number(tags::SIG_LONGARCHIVESIZE)? {
            Some(size) => Some(size),
            None => main.number(tags::ARCHIVESIZE)?,
        },
    };
    let installed_size = match main.number(tags::SIZE)? {
        Some(size) => Some(size),
        None => main.number(tags::LONGSIZE)?,
    };
    let name = needed(tags::NAME, "name")?;
    if name.starts_with('-') {
        return Err(PackageError::Value { what: "name", value: escaped(&name) });
    }
    Ok(Package {
        nevra: Nevra::new(&name, evr, &arch)?,
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
        installed_size: installed_size.unwrap_or(0),
        archive_size: archive_size.unwrap_or(0),
        header_range,
        provides: dependencies(main, tags::PROVIDENAME, tags::PROVIDEFLAGS, tags::PROVIDEVERSION)?,
        requires: dependencies(main, tags::REQUIRENAME, tags::REQUIREFLAGS, tags::REQUIREVERSION)?,
        conflicts: dependencies(main, tags::CONFLICTNAME, tags::CONFLICTFLAGS, tags::CONFLICTVERSION)?,
        obsoletes: dependencies(main, tags::OBSOLETENAME, tags::OBSOLETEFLAGS, tags::OBSOLETEVERSION)?,
        recommends: dependencies(main, tags::RECOMMENDNAME, tags::RECOMMENDFLAGS, tags::RECOMMENDVERSION)?,
        suggests: dependencies(main, tags::SUGGESTNAME, tags::SUGGESTFLAGS, tags::SUGGESTVERSION)?,
        supplements: dependencies(
            main,
            tags::SUPPLEMENTNAME,
            tags::SUPPLEMENTFLAGS,
            tags::SUPPLEMENTVERSION,
        )?,
        enhances: dependencies(main, tags::ENHANCENAME, tags::ENHANCEFLAGS, tags::ENHANCEVERSION)?,
        files: files(main, is_source)?,
        changelogs: changelogs(main)?,
    })
}

fn clip(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn escaped(text: &str) -> String {
    text.escape_debug().take(200).collect()
}

/// A list beside another one of `wanted` items: absent, or as long.
struct Beside<I>(Option<I>);

impl<I: ExactSizeIterator> Beside<I> {
    fn new(what: &'static str, wanted: usize, list: I) -> Result<Self, PackageError> {
        match list.len() {
            0 => Ok(Self(None)),
            found if found == wanted => Ok(Self(Some(list))),
            found => Err(PackageError::Length { what, found, wanted }),
        }
    }

    fn item(&mut self) -> I::Item
    where
        I::Item: Default,
    {
        self.0.as_mut().and_then(Iterator::next).unwrap_or_default()
    }
}

fn dependencies(main: &Header, name: u32, flags: u32, evr: u32) -> Result<Vec<Dependency>, PackageError> {
    let names = main.texts(name)?;
    let mut flags = Beside::new("dependency flags", names.len(), main.numbers(flags)?)?;
    let mut evrs = Beside::new("dependency versions", names.len(), main.texts(evr)?)?;
    Ok(names.map(|name| Dependency { name, flags: clip(flags.item()), evr: evrs.item() }).collect())
}

fn changelogs(main: &Header) -> Result<Vec<Changelog>, PackageError> {
    let times = main.numbers(tags::CHANGELOGTIME)?;
    let mut authors = Beside::new("change log names", times.len(), main.texts(tags::CHANGELOGNAME)?)?;
    let mut texts = Beside::new("change log texts", times.len(), main.texts(tags::CHANGELOGTEXT)?)?;
    Ok(times.map(|time| Changelog { time: clip(time), author: authors.item(), text: texts.item() }).collect())
}

fn files(main: &Header, is_source: bool) -> Result<Vec<File>, PackageError> {
    let paths = paths(main, is_source)?;
    let wanted = paths.len();
    let numbers = |tag, what| Beside::new(what, wanted, main.numbers(tag)?);
    let texts = |tag, what| Beside::new(what, wanted, main.texts(tag)?);
    let mut modes = numbers(tags::FILEMODES, "file modes")?;
    let mut flags = numbers(tags::FILEFLAGS, "file flags")?;
    let mut users = texts(tags::FILEUSERNAME, "file owners")?;
    let mut groups = texts(tags::FILEGROUPNAME, "file groups")?;
    let long = main.find(tags::FILESIZES).is_none();
    let mut sizes = numbers(if long { tags::LONGFILESIZES } else { tags::FILESIZES }, "file sizes")?;
    let mut mtimes = numbers(tags::FILEMTIMES, "file times")?;
    let mut digests = texts(tags::FILEDIGESTS, "file digests")?;
    let mut links = texts(tags::FILELINKTOS, "link targets")?;
    let mut colours = numbers(tags::FILECOLORS, "file colours")?;
    let mut inodes = numbers(tags::FILEINODES, "inodes")?;
    let mut devices = numbers(tags::FILEDEVICES, "devices")?;
    let mut rdevs = numbers(tags::FILERDEVS, "device numbers")?;
    let mut capabilities = texts(tags::FILECAPS, "file capabilities")?;
    let file = |path| File {
        path,
        mode: modes.item() as u16,
        flags: clip(flags.item()),
        user: users.item(),
        group: groups.item(),
        size: sizes.item(),
        mtime: clip(mtimes.item()),
        digest: digests.item(),
        link_to: links.item(),
        colour: clip(colours.item()),
        inode: clip(inodes.item()),
        device: clip(devices.item()),
        rdev: rdevs.item() as u16,
        capabilities: capabilities.item(),
    };
    Ok(paths.into_iter().map(file).collect())
}

/// Paths from BASENAMES, DIRNAMES and DIRINDEXES, or of old packages from OLDFILENAMES.
fn paths(main: &Header, is_source: bool) -> Result<Vec<String>, PackageError> {
    let names = main.texts(tags::BASENAMES)?;
    let paths: Vec<String> = if names.len() == 0 {
        main.texts(tags::OLDFILENAMES)?.collect()
    } else {
        let folders: Vec<String> = main.texts(tags::DIRNAMES)?.collect();
        let indexes = main.numbers(tags::DIRINDEXES)?;
        if indexes.len() != names.len() {
            return Err(PackageError::Length {
                what: "directory indexes",
                found: indexes.len(),
                wanted: names.len(),
            });
        }
        // Together they may be far longer than the header: a long folder name stands once for many files.
        let mut paths = Vec::new();
        let mut total = 0;
        for (name, index) in names.zip(indexes) {
            let folder = usize::try_from(index).ok().and_then(|index| folders.get(index));
            let folder = folder.ok_or(PackageError::Missing("directory that a directory index names"))?;
            if name.contains('/') || folder.len() + name.len() > 4095 {
                return Err(PackageError::Path(escaped(&format!("{folder}{name}"))));
            }
            total += folder.len() + name.len();
            if total > MOST_PATH_BYTES {
                return Err(PackageError::TooManyPaths);
            }
            paths.push(format!("{folder}{name}"));
        }
        paths
    };
    let fits = |path: &String| {
        let below = if is_source { path.strip_prefix('/').unwrap_or(path) } else { path.strip_prefix('/')? };
        let plain = |part| !matches!(part, "" | "." | "..");
        (below.is_empty() || below.split('/').all(plain)).then_some(())
    };
    match paths.iter().find(|path| fits(path).is_none()) {
        Some(path) => Err(PackageError::Path(escaped(path))),
        None => Ok(paths),
    }
}
