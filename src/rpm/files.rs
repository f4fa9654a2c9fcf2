//! The files of a package: some twenty lists of the header, side by side.
//!
//! A path is a directory (DIRNAMES, named by DIRINDEXES) and a name (BASENAMES); old packages have whole paths
//! (OLDFILENAMES). Nothing is joined before it is asked for: a long directory stands once for many files.

use std::borrow::Cow;
use std::ops::Deref;

use super::header::Header;
use super::package::{PackageError, beside, clip, escaped};
use super::tags;
use super::values::{Numbers, Texts, text};

/// More than the paths of any package have together: those of the largest, debugging sources of a browser,
/// have some 50 MB.
pub(super) const MOST_PATH_BYTES: usize = 256 << 20;
/// Linux's PATH_MAX without the NUL.
const LONGEST_PATH: usize = 4095;

/// A file as lists of files have it: where it is and what it is. Cheap, where [`File`] is not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'h> {
    /// The directory with its last slash, as it stands in the header; of a source package empty.
    pub directory: &'h [u8],
    /// The name in it.
    pub name: &'h [u8],
    /// Type and permissions, as in `st_mode`.
    pub mode: u16,
    /// rpm's flags: config 1, doc 2, missingok 8, noreplace 16, ghost 64, licence 128, …
    pub flags: u32,
}

/// One file that a package holds or owns, with all that is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'h> {
    /// Where it is and what it is.
    pub listed: Listed<'h>,
    /// What `rpm --verify` looks at: digest 1, size 2, link 4, owner 8, group 16, time 32, mode 64, device 128, …
    pub verify_flags: u32,
    /// Owner.
    pub user: Cow<'h, str>,
    /// Group.
    pub group: Cow<'h, str>,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Hexadecimal digest of the content, empty for what is no regular file.
    pub digest: Cow<'h, str>,
    /// Where a symbolic link points.
    pub link_to: Cow<'h, str>,
    /// 1 for 32-bit ELF, 2 for 64-bit ELF.
    pub colour: u32,
    /// rpm's number for the inode; files with the same device and inode are hard links of each other.
    pub inode: u32,
    /// rpm's number for the device.
    pub device: u32,
    /// Major and minor number of a device node.
    pub rdev: u16,
    /// Capabilities as text, empty for none.
    pub capabilities: Cow<'h, str>,
    /// The languages that it is for, empty for all.
    pub language: Cow<'h, str>,
}

pub(super) const KIND_OF_FILE: u16 = 0o170_000;
pub(super) const REGULAR: u16 = 0o100_000;
const DIRECTORY: u16 = 0o040_000;
pub(super) const LINK: u16 = 0o120_000;
const GHOST: u32 = 1 << 6;

impl<'h> Deref for File<'h> {
    type Target = Listed<'h>;

    fn deref(&self) -> &Listed<'h> {
        &self.listed
    }
}

impl Listed<'_> {
    /// The absolute path; of a source package, the file's name.
    pub fn path(&self) -> String {
        text(&[self.directory, self.name].concat()).into_owned()
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & KIND_OF_FILE == DIRECTORY
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode & KIND_OF_FILE == LINK
    }

    /// Whether the package owns it without holding it (`%ghost`).
    pub fn is_ghost(&self) -> bool {
        self.flags & GHOST != 0
    }
}

/// The files of a package, in the order of the header.
#[derive(Clone, Debug, Default)]
pub struct Files<'h> {
    names: Texts<'h>,
    directories: Vec<&'h [u8]>,
    indexes: Numbers<'h>,
    /// Whole paths of an old package, which then has no names.
    paths: Texts<'h>,
    modes: Numbers<'h>,
    flags: Numbers<'h>,
    verify_flags: Numbers<'h>,
    users: Texts<'h>,
    groups: Texts<'h>,
    sizes: Numbers<'h>,
    mtimes: Numbers<'h>,
    digests: Texts<'h>,
    links: Texts<'h>,
    colours: Numbers<'h>,
    inodes: Numbers<'h>,
    devices: Numbers<'h>,
    rdevs: Numbers<'h>,
    capabilities: Texts<'h>,
    languages: Texts<'h>,
    /// The hash function of their digests, by its OpenPGP number (MD5 is 1, SHA-256 is 8).
    pub digest_algorithm: u32,
}

impl<'h> Files<'h> {
    pub(super) fn of(main: &'h Header, is_source: bool) -> Result<Self, PackageError> {
        let names = main.texts(tags::BASENAMES)?;
        let paths = if names.is_empty() { main.texts(tags::OLDFILENAMES)? } else { Texts::default() };
        let wanted = names.len() + paths.len();
        let numbers = |tag, what| {
            let list = main.numbers(tag)?;
            beside(what, wanted, list.len()).map(|()| list)
        };
        let texts = |tag, what| {
            let list = main.texts(tag)?;
            beside(what, wanted, list.len()).map(|()| list)
        };
        let long = main.find(tags::FILESIZES).is_none();
        let files = Self {
            names,
            directories: if names.is_empty() {
                Vec::new()
            } else {
                main.texts(tags::DIRNAMES)?.raw().collect()
            },
            indexes: if names.is_empty() { Numbers::default() } else { main.numbers(tags::DIRINDEXES)? },
            paths,
            modes: numbers(tags::FILEMODES, "file modes")?,
            flags: numbers(tags::FILEFLAGS, "file flags")?,
            verify_flags: numbers(tags::FILEVERIFYFLAGS, "verify flags")?,
            users: texts(tags::FILEUSERNAME, "file owners")?,
            groups: texts(tags::FILEGROUPNAME, "file groups")?,
            sizes: numbers(if long { tags::LONGFILESIZES } else { tags::FILESIZES }, "file sizes")?,
            mtimes: numbers(tags::FILEMTIMES, "file times")?,
            digests: texts(tags::FILEDIGESTS, "file digests")?,
            links: texts(tags::FILELINKTOS, "link targets")?,
            colours: numbers(tags::FILECOLORS, "file colours")?,
            inodes: numbers(tags::FILEINODES, "inodes")?,
            devices: numbers(tags::FILEDEVICES, "devices")?,
            rdevs: numbers(tags::FILERDEVS, "device numbers")?,
            capabilities: texts(tags::FILECAPS, "file capabilities")?,
            languages: texts(tags::FILELANGS, "file languages")?,
            digest_algorithm: main.number(tags::FILEDIGESTALGO)?.map_or(1, clip),
        };
        files.check(is_source)?;
        Ok(files)
    }

    fn check(&self, is_source: bool) -> Result<(), PackageError> {
        if self.indexes.len() != self.names.len() {
            let (what, found) = ("directory indexes", self.indexes.len());
            return Err(PackageError::Length { what, found, wanted: self.names.len() });
        }
        let outside =
            |index: &u64| usize::try_from(*index).map_or(true, |index| index >= self.directories.len());
        if self.indexes.iter().any(|index| outside(&index)) {
            return Err(PackageError::Missing("directory that a directory index names"));
        }
        let refused = |directory: &[u8], name: &[u8]| {
            Err(PackageError::Path(escaped(&text(&[directory, name].concat()))))
        };
        if let Some(directory) = self.directories.iter().find(|directory| !is_directory(directory, is_source))
        {
            return refused(directory, b"");
        }
        let mut total = 0;
        for (directory, name) in self.parts() {
            // The root itself is the one path without a name.
            let fits = match name {
                b"" => directory == b"/",
                _ => !matches!(name, b"." | b"..") && !name.contains(&b'/'),
            };
            let length = directory.len() + name.len();
            total += length;
            if !fits
                || length > LONGEST_PATH
                || (!self.paths.is_empty() && !is_directory(directory, is_source))
            {
                return refused(directory, name);
            }
            if total > MOST_PATH_BYTES {
                return Err(PackageError::TooManyPaths);
            }
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len() + self.paths.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The directory and the name of each file, as they stand in the header.
    pub fn parts(&self) -> impl Iterator<Item = (&'h [u8], &'h [u8])> + use<'_, 'h> {
        let directory = |index| usize::try_from(index).ok().and_then(|index| self.directories.get(index));
        let indexes = self.indexes.iter().map(move |index| directory(index).copied().unwrap_or_default());
        let whole = self.paths.raw().map(|path| {
            let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
            path.split_at(start)
        });
        indexes.zip(self.names.raw()).chain(whole)
    }

    /// Where each file points as a link, as it stands in the header; nothing for what is none.
    pub fn targets(&self) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        let missing = self.len() - self.links.len();
        self.links.raw().chain(std::iter::repeat_n(&[][..], missing))
    }

    /// Where the files are and what they are.
    pub fn listing(&self) -> impl Iterator<Item = Listed<'h>> + use<'_, 'h> {
        let (mut modes, mut flags) = (self.modes.iter(), self.flags.iter());
        self.parts().map(move |(directory, name)| Listed {
            directory,
            name,
            mode: modes.next().unwrap_or_default() as u16,
            flags: flags.next().map_or(0, clip),
        })
    }

    /// The files.
    pub fn iter(&self) -> impl Iterator<Item = File<'h>> + use<'_, 'h> {
        let next = |numbers: &Numbers<'h>| {
            let mut numbers = numbers.iter();
            move || numbers.next().unwrap_or_default()
        };
        let next_text = |texts: &Texts<'h>| {
            let mut texts = texts.iter();
            move || texts.next().unwrap_or_default()
        };
        let mut verify_flags = next(&self.verify_flags);
        let (mut user, mut group) = (next_text(&self.users), next_text(&self.groups));
        let (mut size, mut mtime) = (next(&self.sizes), next(&self.mtimes));
        let (mut digest, mut link_to) = (next_text(&self.digests), next_text(&self.links));
        let (mut colour, mut inode, mut device) =
            (next(&self.colours), next(&self.inodes), next(&self.devices));
        let mut rdev = next(&self.rdevs);
        let (mut capabilities, mut language) = (next_text(&self.capabilities), next_text(&self.languages));
        self.listing().map(move |listed| File {
            listed,
            verify_flags: clip(verify_flags()),
            user: user(),
            group: group(),
            size: size(),
            mtime: clip(mtime()),
            digest: digest(),
            link_to: link_to(),
            colour: clip(colour()),
            inode: clip(inode()),
            device: clip(device()),
            rdev: rdev() as u16,
            capabilities: capabilities(),
            language: language(),
        })
    }
}

/// Whether a directory is absolute, ends with a slash and has only plain components; source packages may have
/// none at all.
fn is_directory(directory: &[u8], is_source: bool) -> bool {
    let below = match directory.strip_prefix(b"/") {
        Some(below) => below,
        None if is_source => directory,
        None => return false,
    };
    let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    below.is_empty()
        || below.strip_suffix(b"/").is_some_and(|inner| inner.split(|byte| *byte == b'/').all(plain))
}
