//! The `.deb` format (deb(5)).
//!
//! An `ar` archive: `!<arch>\n`, then members of a 60-byte header (name 16, time 12, uid 6, gid 6,
//! mode 8, size 10, `` `\n ``) and their bytes, padded to an even length. The members are
//! `debian-binary` (`2.0\n`), `control.tar` and `data.tar`, each compressed as its suffix says
//! (`.gz`, `.xz`, `.zst`, `.bz2` or none), in this order; names that start with `_` may stand between
//! them and are skipped. `data.tar` is a tar archive with GNU long names or pax headers.
//!
//! Everything is read as a stream and bounded.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::control::{ControlError, Paragraph, Paragraphs};
use crate::base::RelPath;
use crate::base::relpath::RelPathError;

/// The most bytes that a package may unpack to.
pub const MAX_UNPACKED: u64 = 8 << 30;

/// The most entries that a package may have.
pub const MAX_ENTRIES: u64 = 1_000_000;

/// The most bytes that a control archive may unpack to.
const MAX_CONTROL: u64 = 64 << 20;

/// The most memory that a decompressor may use: what `xz -9` needs, and zstd's windows up to 64 MiB.
const MAX_MEMORY: u64 = 80 << 20;
const MAX_WINDOW_LOG: u32 = 26;

/// The longest name or link target.
const MAX_NAME: u64 = 4096;

/// A package that cannot be read, and why. Retrying cannot help unless reading itself failed.
#[derive(Debug, thiserror::Error)]
#[error("the package '{}' cannot be read", deb.display())]
pub struct DebError {
    /// The file.
    pub deb: PathBuf,
    /// What is wrong with it.
    #[source]
    pub defect: Defect,
}

/// What is wrong with a package. Retrying cannot help unless reading itself failed.
#[derive(Debug, thiserror::Error)]
pub enum Defect {
    /// It cannot be opened, read or decompressed; a truncated file ends here too.
    #[error("{what} cannot be read")]
    Read {
        /// Which part.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// It is no `ar` archive, or a header is malformed.
    #[error("it is not a .deb: {0}")]
    Archive(&'static str),
    /// A member is compressed in a way that no Debian suite uses.
    #[error("its member '{0}' is compressed in an unknown way")]
    Compression(String),
    /// It unpacks to more than is sensible.
    #[error("its member {0} unpacks to too many bytes or entries")]
    TooLarge(&'static str),
    /// A path could leave the root.
    #[error("an entry has a path that is not allowed")]
    Path(#[from] RelPathError),
    /// A path or link target is not UTF-8, empty or too long.
    #[error("an entry after '{after}' has a name or link target that is malformed")]
    Name {
        /// The last good entry.
        after: String,
    },
    /// An entry is of a kind that has no place in a package.
    #[error("the entry '{path}' is a {kind}, which is not allowed")]
    Kind {
        /// Its path.
        path: String,
        /// Its kind.
        kind: &'static str,
    },
    /// The control file is malformed.
    #[error("its control file is malformed")]
    Control(#[from] ControlError),
    /// The control file lacks a field, or the field has no meaning.
    #[error("its control file has no valid field '{0}'")]
    Field(&'static str),
}

/// An entry of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes.
    pub path: RelPath,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// What it is.
    pub kind: EntryKind,
}

/// Kinds of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file of this size; the bytes follow.
    File(u64),
    /// A folder.
    Directory,
    /// A symbolic link with this target.
    Symlink(String),
    /// Another name of a file that came before.
    HardLink(RelPath),
}

/// An opened package.
#[derive(Debug)]
pub struct Deb {
    path: PathBuf,
    file: File,
    control: Member,
    data: Member,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    start: u64,
    size: u64,
}

fn reading(what: impl Into<String>) -> impl FnOnce(io::Error) -> Defect {
    let what = what.into();
    move |source| Defect::Read { what, source }
}

impl Deb {
    /// Opens a package and finds its members.
    pub fn open(path: &Path) -> Result<Self, DebError> {
        let find = || {
            let file = File::open(path).map_err(reading("the file"))?;
            let (control, data) = members(&file)?;
            Ok(Self { path: path.into(), file, control, data })
        };
        find().map_err(|defect| DebError { deb: path.into(), defect })
    }

    /// Puts the package's name on a defect.
    pub fn error(&self, defect: impl Into<Defect>) -> DebError {
        DebError { deb: self.path.clone(), defect: defect.into() }
    }

    /// The fields of its control file.
    pub fn control(&self) -> Result<Paragraph, DebError> {
        self.read_control().map_err(|defect| self.error(defect))
    }

    fn read_control(&self) -> Result<Paragraph, Defect> {
        let mut archive = tar::Archive::new(self.stream(&self.control, MAX_CONTROL, "control.tar")?);
        let entries = archive.entries().map_err(reading("control.tar"))?;
        for entry in entries.take(1000) {
            let entry = entry.map_err(reading("control.tar"))?;
            if matches!(entry.path_bytes().as_ref(), b"./control" | b"control") {
                let mut fields = Paragraphs::new(BufReader::new(entry));
                return fields.next_paragraph()?.ok_or(Defect::Field("Package"));
            }
        }
        Err(Defect::Field("Package"))
    }

    /// Walks through its files in archive order. `visit` gets each entry and, for files, exactly the
    /// bytes that the entry announces; what it does not read is skipped.
    pub fn walk<E: From<DebError>>(
        &self,
        mut visit: impl FnMut(Entry, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |defect: Defect| E::from(self.error(defect));
        let stream = self.stream(&self.data, MAX_UNPACKED, "data.tar").map_err(fail)?;
        let mut archive = tar::Archive::new(stream);
        let mut long = Long::default();
        let mut after = String::from("its start");
        let mut count = 0;
        let read_error =
            |source, after: &str| fail(Defect::Read { what: format!("data.tar after '{after}'"), source });
        for entry in archive.entries().map_err(|error| read_error(error, &after))?.raw(true) {
            let mut entry = entry.map_err(|error| read_error(error, &after))?;
            count += 1;
            if count > MAX_ENTRIES {
                return Err(fail(Defect::TooLarge("data.tar")));
            }
            if long.take_in(&mut entry, &after).map_err(fail)? {
                continue;
            }
            let known = std::mem::take(&mut long);
            if let Some(found) = known.describe(&entry, &after).map_err(fail)? {
                after = found.path.to_string();
                visit(found, &mut entry)?;
            }
        }
        // What follows the end mark: reading on to the end makes the decompressor check its sums.
        let mut rest = archive.into_inner();
        io::copy(&mut rest, &mut io::sink()).map_err(|error| read_error(error, &after))?;
        if rest.exceeded { Err(fail(Defect::TooLarge("data.tar"))) } else { Ok(()) }
    }

    fn stream(&self, member: &Member, limit: u64, what: &'static str) -> Result<Bounded<'_>, Defect> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(member.start)).map_err(reading(what))?;
        let raw = BufReader::with_capacity(64 << 10, file.take(member.size));
        let suffix = member.name.strip_prefix(what).unwrap_or_default();
        let inner: Box<dyn Read + '_> = match suffix {
            "" => Box::new(raw),
            ".gz" => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            ".bz2" => Box::new(bzip2::bufread::MultiBzDecoder::new(raw)),
            ".xz" => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, liblzma::stream::CONCATENATED)
                        .map_err(|error| reading(what)(error.into()))?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(raw, stream))
            }
            ".zst" => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(reading(what))?;
                decoder.window_log_max(MAX_WINDOW_LOG).map_err(reading(what))?;
                Box::new(decoder)
            }
            _ => return Err(Defect::Compression(member.name.clone())),
        };
        Ok(Bounded { inner, left: limit, exceeded: false })
    }
}

/// A reader that ends with an error when more than a limit comes out.
struct Bounded<'a> {
    inner: Box<dyn Read + 'a>,
    left: u64,
    exceeded: bool,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            self.exceeded = true;
            io::Error::other("it unpacks to more bytes than a package may have")
        })?;
        Ok(read)
    }
}

fn members(mut file: &File) -> Result<(Member, Member), Defect> {
    let length = file.metadata().map_err(reading("the file"))?.len();
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(reading("its start"))?;
    if &magic != b"!<arch>\n" {
        return Err(Defect::Archive("it does not start as an ar archive"));
    }
    let mut at = 8_u64;
    let mut found: Vec<Member> = Vec::new();
    for _ in 0..16 {
        let mut header = [0; 60];
        file.seek(SeekFrom::Start(at)).map_err(reading("a member's header"))?;
        file.read_exact(&mut header).map_err(reading("a member's header"))?;
        let (Some(name), Some(size), Some(b"`\n")) = (header.get(..16), header.get(48..58), header.get(58..))
        else {
            return Err(Defect::Archive("a member's header is malformed"));
        };
        let text = |bytes| std::str::from_utf8(bytes).map(str::trim_end).ok();
        let name = text(name).ok_or(Defect::Archive("a member's name is malformed"))?.trim_end_matches('/');
        let size = text(size).filter(|size| size.bytes().all(|byte| byte.is_ascii_digit()));
        let size: u64 =
            size.and_then(|size| size.parse().ok()).ok_or(Defect::Archive("a member's size is malformed"))?;
        let start = at + 60;
        if start + size > length {
            return Err(Defect::Archive("it is truncated: a member reaches beyond its end"));
        }
        if !name.starts_with('_') {
            found.push(Member { name: name.into(), start, size });
        }
        at = start + size + size % 2;
        if let [first, control, data] = found.as_slice() {
            let mut version = String::new();
            file.seek(SeekFrom::Start(first.start)).map_err(reading("debian-binary"))?;
            file.take(first.size.min(64)).read_to_string(&mut version).map_err(reading("debian-binary"))?;
            if first.name != "debian-binary" || !version.starts_with("2.") {
                return Err(Defect::Archive("it does not start with debian-binary of version 2"));
            }
            if !control.name.starts_with("control.tar") || !data.name.starts_with("data.tar") {
                return Err(Defect::Archive("control.tar and data.tar do not follow debian-binary"));
            }
            return Ok((control.clone(), data.clone()));
        }
    }
    Err(Defect::Archive("it has too many members"))
}

/// Names that stand in entries of their own, before the entry that they belong to.
#[derive(Default)]
struct Long {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Long {
    /// Takes in an entry that only describes the next one; false when it is one of its own.
    fn take_in(&mut self, entry: &mut tar::Entry<'_, Bounded<'_>>, after: &str) -> Result<bool, Defect> {
        let kind = entry.header().entry_type();
        let mut bytes = || {
            let mut bytes = Vec::new();
            entry.by_ref().take(4 * MAX_NAME + 1).read_to_end(&mut bytes).map_err(reading("a long name"))?;
            let fits = bytes.len() as u64 <= 4 * MAX_NAME;
            if fits { Ok(bytes) } else { Err(Defect::Name { after: after.into() }) }
        };
        let text = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
            bytes
        };
        if kind.is_gnu_longname() {
            self.name = Some(text(bytes()?));
        } else if kind.is_gnu_longlink() {
            self.link = Some(text(bytes()?));
        } else if kind.is_pax_local_extensions() {
            let bytes = bytes()?;
            for field in tar::PaxExtensions::new(&bytes) {
                let field = field.map_err(reading("a pax header"))?;
                match field.key_bytes() {
                    b"path" => self.name = Some(field.value_bytes().to_vec()),
                    b"linkpath" => self.link = Some(field.value_bytes().to_vec()),
                    // It would move the end of the entry; no file of a package needs it.
                    b"size" => return Err(Defect::Name { after: after.into() }),
                    _ => {}
                }
            }
        } else {
            return Ok(kind.is_pax_global_extensions());
        }
        Ok(true)
    }

    /// The entry that these names belong to; none for the root itself.
    fn describe(self, entry: &tar::Entry<'_, Bounded<'_>>, after: &str) -> Result<Option<Entry>, Defect> {
        let header = entry.header();
        let malformed = || Defect::Name { after: after.into() };
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).map_err(|_| malformed())?;
            let fits = !text.is_empty() && text.len() as u64 <= MAX_NAME && !text.contains('\0');
            if fits { Ok(text) } else { Err(malformed()) }
        };
        let name = text(self.name.unwrap_or_else(|| header.path_bytes().into_owned()))?;
        let Some(path) = relative(&name)? else { return Ok(None) };
        let kind = header.entry_type();
        let link = || {
            text(
                self.link
                    .or_else(|| header.link_name_bytes().map(|name| name.into_owned()))
                    .unwrap_or_default(),
            )
        };
        let not_allowed = |kind| Defect::Kind { path: path.to_string(), kind };
        let kind = if kind.is_dir() {
            EntryKind::Directory
        } else if kind.is_file() || kind.is_contiguous() {
            EntryKind::File(entry.size())
        } else if kind.is_symlink() {
            EntryKind::Symlink(link()?)
        } else if kind.is_hard_link() {
            EntryKind::HardLink(relative(&link()?)?.ok_or_else(malformed)?)
        } else if kind.is_character_special() || kind.is_block_special() {
            return Err(not_allowed("device"));
        } else if kind.is_fifo() {
            return Err(not_allowed("named pipe"));
        } else {
            return Err(not_allowed("sparse file or something unknown"));
        };
        let number = |value: io::Result<u64>| value.map_err(reading(format!("the header of '{path}'")));
        let mode = header.mode().map_err(reading(format!("the header of '{path}'")))? & 0o7777;
        // Times beyond 2106 have no place anywhere.
        let mtime = i64::try_from(number(header.mtime())?.min(u64::from(u32::MAX))).unwrap_or(0);
        Ok(Some(Entry { path, mode, mtime, kind }))
    }
}

/// The path without `./` in front and `/` behind; none for the root itself.
fn relative(name: &str) -> Result<Option<RelPath>, RelPathError> {
    let mut path = name;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    if matches!(path, "" | ".") && name.starts_with('.') { Ok(None) } else { RelPath::new(path).map(Some) }
}
