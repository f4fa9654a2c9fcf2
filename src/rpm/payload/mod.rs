//! The payload of a package: a cpio archive of its files, compressed.
//!
//! It is read as a stream and believed in nothing: the header says which files there are and how large they are,
//! and each member of the archive has to be one of them, of the same kind and size. So what comes out can never be
//! more than the header announces, whatever it was compressed with, and a path is never taken from the archive.
//!
//! Rules, those of rpm 4.18 (`lib/rpmfi.c`, `iterReadArchiveNext`) unless said otherwise:
//! - names are those of the header, with `./` or nothing in front of the path below `/`;
//! - each file stands in the archive once, in any order, except for ghosts, which stand there only in packages of
//!   before rpm 4.11; rpm does not mind a second time, we do;
//! - files of the same device and inode are hard links of each other; only the last of them in the header's order
//!   has a content;
//! - only files and symbolic links have a content. That of a link is its target; rpm does not compare it with the
//!   header's, we do;
//! - behind the archive nothing follows but zeros, to the end of a tape's block at most; rpm does not look.

mod compressor;
mod cpio;

pub use compressor::{Compressor, Decoder};

use std::io::{self, BufRead, Read};

use self::cpio::{Archive, Head};
use super::files::{File, Files, KIND_OF_FILE, LINK, REGULAR};
use super::header::{Header, HeaderError};
use super::package::escaped;
use super::tags;
use super::values::text;

/// The largest block that an archive may have been padded to.
const LARGEST_BLOCK: u64 = 64 << 10;

/// Why a payload cannot be read. Except for a failed read, retrying cannot help; fetching the file anew may.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A tag cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It is compressed with something else.
    #[error("the payload is compressed with '{0}', which is unknown")]
    Compressor(String),
    /// It is something else.
    #[error("the payload is no cpio archive but '{0}'")]
    Format(String),
    /// It cannot be read or decompressed. A retry may help where reading failed.
    #[error("the payload cannot be decompressed")]
    Read(#[source] io::Error),
    /// It ends too early.
    #[error("the payload ends inside its archive, after {0} bytes")]
    Truncated(u64),
    /// The archive is malformed.
    #[error("the payload's archive is malformed: of the member at byte {place}, {rule}")]
    Archive {
        /// Where the member starts.
        place: u64,
        /// The rule.
        rule: &'static str,
    },
    /// A member is no file of the package.
    #[error("the payload holds '{0}', which the header does not list")]
    Unlisted(String),
    /// A member is not what the header says.
    #[error("the payload's '{path}' is not what the header says: {rule}")]
    Member {
        /// The file.
        path: String,
        /// What is wrong.
        rule: &'static str,
    },
    /// A file is not there.
    #[error("the payload lacks '{0}', which the header lists")]
    Missing(String),
    /// Something follows the archive.
    #[error("something follows the payload's archive")]
    Trailing,
}

/// A member of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The place of its file in the header's list.
    pub file: usize,
    /// Bytes of content; those of a link are its target's, which is not handed out.
    pub size: u64,
}

/// What the header says of a file.
#[derive(Debug)]
struct Expected<'h> {
    directory: &'h [u8],
    name: &'h [u8],
    link_to: &'h [u8],
    mode: u16,
    ghost: bool,
    /// Bytes of content in the archive.
    size: u64,
    seen: bool,
}

impl Expected<'_> {
    fn path(&self) -> String {
        escaped(&text(&[self.directory, self.name].concat()))
    }

    fn is(&self, kind: u16) -> bool {
        self.mode & KIND_OF_FILE == kind
    }
}

/// A payload that is being read.
#[derive(Debug)]
pub struct Payload<'h, R: BufRead> {
    archive: Archive<Decoder<R>>,
    files: Vec<Expected<'h>>,
    /// Places of files in the order of their paths; made when the archive has another order than the header.
    by_path: Vec<usize>,
    /// The place after that of the member before.
    next: usize,
    /// Bytes of content that are left.
    left: u64,
    ended: bool,
}

impl<'h, R: BufRead> Payload<'h, R> {
    /// Starts to read a payload; the reader stands behind the main header.
    pub fn open(main: &'h Header, files: &Files<'h>, mut reader: R) -> Result<Self, PayloadError> {
        match main.text(tags::PAYLOADFORMAT)?.as_deref() {
            None | Some("cpio") => {}
            Some(other) => return Err(PayloadError::Format(escaped(other))),
        }
        let compressor = match main.text(tags::PAYLOADCOMPRESSOR)? {
            Some(name) => Compressor::named(&name).ok_or_else(|| PayloadError::Compressor(escaped(&name)))?,
            None => Compressor::of(reader.fill_buf().map_err(PayloadError::Read)?),
        };
        let decoder = Decoder::new(compressor, reader).map_err(PayloadError::Read)?;
        let files = expected(files);
        Ok(Self {
            archive: Archive::new(decoder),
            files,
            by_path: Vec::new(),
            next: 0,
            left: 0,
            ended: false,
        })
    }

    /// Bytes of all contents together, as the header announces them.
    pub fn announced(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// The next member; what was not read of the one before is skipped. None when all of the payload has been read
    /// and every file was there.
    pub fn next_member(&mut self) -> Result<Option<Member>, PayloadError> {
        if self.ended {
            return Ok(None);
        }
        let mut buffer = [0; 8192];
        while self.left > 0 {
            self.fill(&mut buffer)?;
        }
        match self.archive.head()? {
            Head::Trailer => self.finish().map(|()| None),
            Head::Listed(place) => {
                let listed = usize::try_from(place).ok().filter(|place| *place < self.files.len());
                let place = listed.ok_or_else(|| PayloadError::Unlisted(format!("file number {place}")))?;
                self.start(place, None).map(Some)
            }
            Head::Named { name, mode, size } => {
                let place = self.find(&name).ok_or_else(|| PayloadError::Unlisted(escaped(&text(&name))))?;
                self.start(place, Some((mode, size))).map(Some)
            }
        }
    }

    /// Starts a member; `stated` is what the archive says of its mode and size.
    fn start(&mut self, place: usize, stated: Option<(u32, u64)>) -> Result<Member, PayloadError> {
        let unlisted = || PayloadError::Unlisted(String::new());
        let file = self.files.get_mut(place).ok_or_else(unlisted)?;
        let wrong = |file: &Expected<'_>, rule| Err(PayloadError::Member { path: file.path(), rule });
        if std::mem::replace(&mut file.seen, true) {
            return wrong(file, "it stands there twice");
        }
        let mut size = file.size;
        match stated {
            Some((mode, _)) if mode & u32::from(KIND_OF_FILE) != u32::from(file.mode & KIND_OF_FILE) => {
                return wrong(file, "it is of another kind");
            }
            // Of a ghost the archive's size counts, as long as it is not larger.
            Some((_, stated)) if file.ghost => size = stated.min(size),
            None if file.ghost => size = 0,
            _ => {}
        }
        if stated.is_some_and(|(_, stated)| stated != size) {
            return wrong(file, "it has another size");
        }
        self.next = place + 1;
        self.left = size;
        if file.is(LINK) {
            if size != file.link_to.len() as u64 {
                return wrong(file, "its target has another length");
            }
            let mut target = vec![0; file.link_to.len()];
            self.archive.fill(&mut target)?;
            self.left = 0;
            if target != file.link_to {
                return wrong(file, "it points elsewhere");
            }
        }
        Ok(Member { file: place, size })
    }

    /// The place of the file that a name of the archive means.
    fn find(&mut self, name: &[u8]) -> Option<usize> {
        let path = name.strip_prefix(b"./").or_else(|| name.strip_prefix(b"/")).unwrap_or(name);
        let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let wanted = path.split_at(start);
        let key =
            |file: &Expected<'h>| (file.directory.strip_prefix(b"/").unwrap_or(file.directory), file.name);
        // Most archives are in the order of the header.
        if let Some(file) = self.files.get(self.next)
            && key(file) == wanted
        {
            return Some(self.next);
        }
        let key_of = |place: &usize| self.files.get(*place).map(key);
        if self.by_path.is_empty() {
            let mut by_path: Vec<usize> = (0..self.files.len()).collect();
            by_path.sort_by_key(|place| key_of(place));
            self.by_path = by_path;
        }
        let found = self.by_path.binary_search_by(|place| key_of(place).cmp(&Some(wanted))).ok()?;
        self.by_path.get(found).copied()
    }

    /// Reads some of the member's content.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, PayloadError> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let length =
            self.archive.read(buffer.get_mut(..most).unwrap_or_default()).map_err(PayloadError::Read)?;
        if length == 0 && most > 0 {
            return Err(PayloadError::Truncated(self.archive.place()));
        }
        self.left -= length as u64;
        Ok(length)
    }

    /// What follows the archive, and what was not in it.
    fn finish(&mut self) -> Result<(), PayloadError> {
        self.ended = true;
        let mut rest = Vec::new();
        let end = self.archive.place();
        let most = (end.next_multiple_of(LARGEST_BLOCK) - end).max(4) + 1;
        self.archive.reader.by_ref().take(most).read_to_end(&mut rest).map_err(PayloadError::Read)?;
        if rest.len() as u64 == most || rest.iter().any(|byte| *byte != 0) {
            return Err(PayloadError::Trailing);
        }
        if !self.archive.reader.is_at_end().map_err(PayloadError::Read)? {
            return Err(PayloadError::Trailing);
        }
        match self.files.iter().find(|file| !file.seen && !file.ghost) {
            Some(file) => Err(PayloadError::Missing(file.path())),
            None => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Payload<'_, R> {
    /// Reads the content of the member; no more than the header says that there is.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(buffer).map_err(|error| match error {
            PayloadError::Read(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        })
    }
}

/// What the header lets expect.
fn expected<'h>(files: &Files<'h>) -> Vec<Expected<'h>> {
    // The last of the files with the same device and inode has the content of all.
    let linkable =
        |file: &File<'_>| file.mode & KIND_OF_FILE == REGULAR && !file.is_ghost() && file.inode != 0;
    let mut links: Vec<(u32, u32, usize)> = files
        .iter()
        .enumerate()
        .filter(|(_, file)| linkable(file))
        .map(|(place, file)| (file.device, file.inode, place))
        .collect();
    links.sort_unstable();
    let mut expected: Vec<Expected<'h>> = files
        .iter()
        .zip(files.targets())
        .map(|(file, link_to)| Expected {
            directory: file.directory,
            name: file.name,
            link_to,
            mode: file.mode,
            ghost: file.is_ghost(),
            size: if matches!(file.mode & KIND_OF_FILE, REGULAR | LINK) { file.size } else { 0 },
            seen: false,
        })
        .collect();
    for pair in links.windows(2) {
        if let [(device, inode, place), (next_device, next_inode, _)] = pair
            && (device, inode) == (next_device, next_inode)
            && let Some(file) = expected.get_mut(*place)
        {
            file.size = 0;
        }
    }
    expected
}
