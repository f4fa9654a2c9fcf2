//! Writes a folder as the one layer of an image: the same tree gives the same bytes.
//!
//! - A plain tar (`application/vnd.oci.image.layer.v1.tar`), not compressed: so its digest is its diff id,
//!   and no compressor's version decides what an image is called. What it costs, a larger upload, is paid
//!   once per image; registries and proxies may compress in transit.
//! - Entries in the order of a walk that sorts each folder's names by their bytes; a folder stands before
//!   what it holds, its path ending in `/`. The top folder itself has no entry.
//! - ustar headers with `magic` `ustar\0`, `version` `00`, no user and group names. A pax extended header
//!   precedes an entry only where ustar cannot say it: a path that does not fit or is not ASCII, a file of
//!   8 GiB or more, extended attributes (`SCHILY.xattr.NAME`). Its records are sorted by key.
//! - Owner and group are 0, whoever unpacked the tree; permission bits are the files'; times are whole
//!   seconds, none later than the source date nor before 1970.
//! - The second and later names of a file are hard links to the first one in that order.
//! - Of extended attributes, `security.capability` and `user.*` are kept: others belong to the host.
//! - Two empty blocks end it.
//!
//! A device or a socket is an error: what an image needs of devices, the runner provides.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::base::{RelPath, SourceDate};

const BLOCK: usize = 512;
const COPY: usize = 1 << 18;
/// What an extended attribute may hold, in Linux.
const XATTR_LIMIT: usize = 65_536;

/// A folder cannot become a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Reading a file fails; a retry can help where the surroundings are at fault.
    #[error("'{}' cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing the layer fails, as on a full disk; a retry can help then.
    #[error("the layer cannot be written")]
    Write {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that is no UTF-8, or too long; retrying cannot help.
    #[error("the path '{path}' cannot stand in a layer: it is too long or not UTF-8")]
    Name {
        /// The path.
        path: String,
    },
    /// A device or a socket; retrying cannot help.
    #[error("'{}' is neither file, folder, link nor pipe, so it cannot stand in a layer", path.display())]
    Special {
        /// The file.
        path: PathBuf,
    },
    /// A file grew or shrank meanwhile; retrying can help.
    #[error("'{}' changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// Writes the folder as a layer. Memory is bounded by the longest list of names in one folder chain and
/// the number of files with several names, never by the size of files.
pub fn write(root: &Path, clamp: SourceDate, out: impl Write) -> Result<(), LayerError> {
    let mut writer = Writer { out, clamp, links: BTreeMap::new(), buffer: vec![0; COPY] };
    let mut open = vec![names(root)?.into_iter()];
    let mut folder = String::new();
    while let Some(folder_names) = open.last_mut() {
        let Some(name) = folder_names.next() else {
            open.pop();
            folder.truncate(folder.rfind('/').unwrap_or(0));
            continue;
        };
        let bad = || LayerError::Name { path: format!("{folder}/{}", name.to_string_lossy()) };
        let text = name.to_str().ok_or_else(bad)?;
        let path = if folder.is_empty() { text.into() } else { format!("{folder}/{text}") };
        let path = RelPath::new(path).map_err(|_| bad())?;
        let at = path.below(root);
        let metadata =
            fs::symlink_metadata(&at).map_err(|source| LayerError::Read { path: at.clone(), source })?;
        writer.entry(&path, &at, &metadata)?;
        if metadata.is_dir() {
            open.push(names(&at)?.into_iter());
            folder = path.as_str().into();
        }
    }
    writer
        .out
        .write_all(&[0; 2 * BLOCK])
        .and_then(|()| writer.out.flush())
        .map_err(|source| LayerError::Write { source })
}

#[allow(clippy::disallowed_methods, reason = "the names are sorted before anything depends on them")]
fn names(folder: &Path) -> Result<Vec<OsString>, LayerError> {
    let entries = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>());
    let mut names = entries.map_err(|source| LayerError::Read { path: folder.into(), source })?;
    names.sort_unstable_by(|left, right| left.as_bytes().cmp(right.as_bytes()));
    Ok(names)
}

struct Writer<W> {
    out: W,
    clamp: SourceDate,
    /// The first name of each file that has several.
    links: BTreeMap<(u64, u64), RelPath>,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn entry(&mut self, path: &RelPath, at: &Path, metadata: &Metadata) -> Result<(), LayerError> {
        let kind = metadata.file_type();
        let read = |source| LayerError::Read { path: at.into(), source };
        let mut head = Head::new(path, metadata, self.clamp);
        if kind.is_dir() {
            head.kind = b'5';
            head.path.push('/');
        } else if metadata.nlink() > 1 {
            let inode = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&inode) {
                head.kind = b'1';
                head.link = first.as_str().into();
                return self.head(&head);
            }
            self.links.insert(inode, path.clone());
        }
        if kind.is_symlink() {
            head.kind = b'2';
            let target = fs::read_link(at).map_err(read)?;
            let target =
                target.to_str().ok_or_else(|| LayerError::Name { path: at.display().to_string() })?;
            head.link = target.into();
            return self.head(&head);
        }
        if kind.is_fifo() {
            head.kind = b'6';
        } else if !kind.is_dir() && !kind.is_file() {
            return Err(LayerError::Special { path: at.into() });
        }
        head.xattrs = xattrs(at).map_err(read)?;
        if !kind.is_file() {
            return self.head(&head);
        }
        head.size = metadata.size();
        self.head(&head)?;
        self.content(at, head.size)
    }

    fn content(&mut self, at: &Path, size: u64) -> Result<(), LayerError> {
        let read = |source| LayerError::Read { path: at.into(), source };
        let mut file = File::open(at).map_err(read)?;
        let mut rest = size;
        loop {
            let count = match file.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(read)?,
            };
            if count == 0 {
                break;
            }
            rest = rest.checked_sub(count as u64).ok_or_else(|| LayerError::Changed { path: at.into() })?;
            let part = self.buffer.get(..count).unwrap_or_default();
            self.out.write_all(part).map_err(|source| LayerError::Write { source })?;
        }
        if rest > 0 {
            return Err(LayerError::Changed { path: at.into() });
        }
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), LayerError> {
        let padding = (size.wrapping_neg() % BLOCK as u64) as usize;
        let zeros = [0; BLOCK];
        self.out
            .write_all(zeros.get(..padding).unwrap_or_default())
            .map_err(|source| LayerError::Write { source })
    }

    fn head(&mut self, head: &Head) -> Result<(), LayerError> {
        let (header, records) = head.encode();
        if !records.is_empty() {
            let mut pax = tar::Header::new_ustar();
            // The name that GNU tar and Go give it, too; nobody reads it.
            set(&mut pax, 0, b"././@PaxHeader");
            finish(&mut pax, b'x', 0o644, 0, records.len() as u64);
            let write = self.out.write_all(pax.as_bytes()).and_then(|()| self.out.write_all(&records));
            write.map_err(|source| LayerError::Write { source })?;
            self.pad(records.len() as u64)?;
        }
        self.out.write_all(header.as_bytes()).map_err(|source| LayerError::Write { source })
    }
}

/// What the headers of one entry say.
struct Head {
    path: String,
    kind: u8,
    mode: u32,
    mtime: i64,
    size: u64,
    link: String,
    xattrs: BTreeMap<String, Vec<u8>>,
}

impl Head {
    fn new(path: &RelPath, metadata: &Metadata, clamp: SourceDate) -> Self {
        // Linux gives links all permissions; other archivers write the same.
        let mode = metadata.mode() & 0o7777;
        Self {
            path: path.as_str().into(),
            kind: b'0',
            mode,
            mtime: metadata.mtime().clamp(0, clamp.seconds()),
            size: 0,
            link: String::new(),
            xattrs: BTreeMap::new(),
        }
    }

    /// The ustar header, and the pax records that go before it, if any.
    fn encode(&self) -> (tar::Header, Vec<u8>) {
        const OCTAL_11: u64 = 0o77_777_777_777;
        let mut records = BTreeMap::new();
        let mut size = self.size;
        if size > OCTAL_11 {
            records.insert("size".to_owned(), size.to_string().into_bytes());
            size = 0;
        }
        let mut header = tar::Header::new_ustar();
        match split(&self.path) {
            Some((prefix, name)) => {
                set(&mut header, 0, name.as_bytes());
                set(&mut header, 345, prefix.as_bytes());
            }
            None => {
                records.insert("path".into(), self.path.clone().into_bytes());
            }
        }
        if self.link.len() <= 100 && self.link.is_ascii() {
            set(&mut header, 157, self.link.as_bytes());
        } else {
            records.insert("linkpath".into(), self.link.clone().into_bytes());
        }
        for (name, value) in &self.xattrs {
            records.insert(format!("SCHILY.xattr.{name}"), value.clone());
        }
        finish(&mut header, self.kind, self.mode, self.mtime.unsigned_abs(), size);
        (header, records.iter().flat_map(|(key, value)| record(key, value)).collect())
    }
}

/// Divides a path into ustar's prefix and name, none where it does not fit.
fn split(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    // The name may not be empty, so a folder's last slash does not divide.
    let first = path.len().checked_sub(101)?;
    let at = first + path.get(first..path.len() - 1)?.find('/')?;
    (at > 0 && at <= 155)
        .then(|| path.split_at(at))
        .map(|(prefix, name)| (prefix, name.strip_prefix('/').unwrap_or(name)))
}

fn set(header: &mut tar::Header, offset: usize, bytes: &[u8]) {
    for (slot, &byte) in header.as_mut_bytes().iter_mut().skip(offset).zip(bytes) {
        *slot = byte;
    }
}

fn finish(header: &mut tar::Header, kind: u8, mode: u32, mtime: u64, size: u64) {
    let mut octal = |offset: usize, digits: usize, value: u64| {
        set(header, offset, format!("{value:0digits$o}\0").as_bytes());
    };
    octal(100, 7, mode.into());
    octal(108, 7, 0);
    octal(116, 7, 0);
    octal(124, 11, size);
    octal(136, 11, mtime);
    set(header, 148, b"        ");
    set(header, 156, &[kind]);
    // Devices have numbers; everything else states none, as zeros.
    set(header, 329, b"0000000\0");
    set(header, 337, b"0000000\0");
    let sum: u32 = header.as_bytes().iter().map(|&byte| u32::from(byte)).sum();
    set(header, 148, format!("{sum:06o}\0 ").as_bytes());
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend(value);
    record.push(b'\n');
    record
}

fn xattrs(at: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut list = vec![0; 4096];
    let length = loop {
        match rustix::fs::llistxattr(at, list.as_mut_slice()) {
            Ok(length) => break length,
            Err(rustix::io::Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
            Err(rustix::io::Errno::RANGE) if list.len() < XATTR_LIMIT => list.resize(XATTR_LIMIT, 0),
            Err(error) => return Err(error.into()),
        }
    };
    let mut found = BTreeMap::new();
    let names = list.get(..length).unwrap_or_default().split(|&byte| byte == 0);
    for name in names.filter_map(|name| std::str::from_utf8(name).ok()) {
        if name == "security.capability" || name.starts_with("user.") {
            let mut value = vec![0; XATTR_LIMIT];
            let length = rustix::fs::lgetxattr(at, name, value.as_mut_slice())?;
            value.truncate(length);
            found.insert(name.into(), value);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
