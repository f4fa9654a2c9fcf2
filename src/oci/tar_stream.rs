//! Reads the tar streams of layers, bounded: ustar, pax extended headers, and GNU's long names and
//! binary numbers. An extended header may not exceed [`EXTENSION_LIMIT`]; sparse files, sockets and other
//! kinds are reported as [`Kind::Other`], for the caller to refuse. Nothing is allocated by a size that
//! the stream merely claims.

use std::io::{self, Read};

/// Largest extended header.
const EXTENSION_LIMIT: u64 = 1 << 20;
/// Extended headers that may stand before one entry.
const EXTENSION_COUNT: usize = 8;
const BLOCK: usize = 512;

/// A tar stream cannot be read. Except for `Io`, retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Reading fails, or the stream ends too early, or its compression is damaged.
    #[error("the archive cannot be read on after byte {at}")]
    Io {
        /// Position in the unpacked stream.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes are no tar archive.
    #[error("the archive is damaged at byte {at}: {problem}")]
    Damaged {
        /// Position in the unpacked stream.
        at: u64,
        /// What is wrong.
        problem: &'static str,
    },
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file; its content follows.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of an earlier file.
    HardLink,
    /// A named pipe.
    Fifo,
    /// A character or block device.
    Device,
    /// Anything else, by its type byte.
    Other(u8),
}

/// One entry, as the archive states it: nothing of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Bytes of content.
    pub size: u64,
    /// Where a link points.
    pub link: Vec<u8>,
    /// Extended attributes.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// Reads entries one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    at: u64,
    /// Unread content of the current entry, and the padding after it.
    content: u64,
    padding: u64,
}

#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<i64>,
    xattrs: Vec<(String, Vec<u8>)>,
    sparse: bool,
}

impl<R: Read> Reader<R> {
    /// Starts at the beginning of an archive.
    pub fn new(inner: R) -> Self {
        Self { inner, at: 0, content: 0, padding: 0 }
    }

    /// The next entry, none at the end. What is left of the current one's content is skipped.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extensions = Extensions::default();
        for _ in 0..=EXTENSION_COUNT {
            self.skip_rest()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let at = self.at;
            let damaged = |problem| move |_| TarError::Damaged { at, problem };
            let size = header.entry_size().map_err(damaged("a size is no number"))?;
            let kind = header.entry_type().as_byte();
            match kind {
                b'x' | b'L' | b'K' => {
                    let bytes = self.extension(size)?;
                    match kind {
                        b'x' => {
                            extensions
                                .add_pax(&bytes)
                                .map_err(|problem| TarError::Damaged { at, problem })?;
                        }
                        b'L' => extensions.path = Some(until_nul(bytes)),
                        _ => extensions.link = Some(until_nul(bytes)),
                    }
                }
                // A comment on the whole archive; pax would let it state defaults, which no image tool does.
                b'g' => drop(self.extension(size)?),
                _ => return self.entry(&header, size, extensions).map(Some),
            }
        }
        Err(TarError::Damaged { at: self.at, problem: "too many extended headers stand before one entry" })
    }

    fn entry(&mut self, header: &tar::Header, size: u64, ext: Extensions) -> Result<Entry, TarError> {
        let at = self.at;
        let damaged = |problem| move |_| TarError::Damaged { at, problem };
        let kind = match header.entry_type().as_byte() {
            _ if ext.sparse => Kind::Other(b'S'),
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' | b'4' => Kind::Device,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => Kind::Other(other),
        };
        let size = ext.size.unwrap_or(size);
        // Only files have content; a size elsewhere (some archivers give one to hard links) means nothing.
        let content = if matches!(kind, Kind::File | Kind::Other(_)) { size } else { 0 };
        self.content = content;
        self.padding = content.wrapping_neg() % BLOCK as u64;
        let path = ext.path.unwrap_or_else(|| header.path_bytes().into_owned());
        // In archives from before ustar, a slash at the end makes a folder.
        let kind =
            if kind == Kind::File && path.ends_with(b"/") && content == 0 { Kind::Directory } else { kind };
        // Archivers leave fields empty for 0.
        let blank = |from: usize, to: usize| {
            header.as_bytes().get(from..to).unwrap_or_default().iter().all(|byte| matches!(byte, 0 | b' '))
        };
        let mode = if blank(100, 108) { Ok(0) } else { header.mode() };
        let uid = if blank(108, 116) { Ok(0) } else { header.uid() };
        let gid = if blank(116, 124) { Ok(0) } else { header.gid() };
        let mtime = if blank(136, 148) { Ok(0) } else { header.mtime() };
        Ok(Entry {
            path,
            kind,
            mode: mode.map_err(damaged("a mode is no number"))? & 0o7777,
            uid: ext.uid.map_or(uid, Ok).map_err(damaged("an owner is no number"))?,
            gid: ext.gid.map_or(gid, Ok).map_err(damaged("a group is no number"))?,
            mtime: match ext.mtime {
                Some(time) => time,
                None => i64::try_from(mtime.map_err(damaged("a time is no number"))?)
                    .map_err(|_| TarError::Damaged { at, problem: "a time is out of range" })?,
            },
            size: content,
            link: ext.link.unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
            xattrs: ext.xattrs,
        })
    }

    /// Reads on to the end of the stream: for a digest over all of it.
    pub fn drain(mut self) -> Result<R, TarError> {
        let mut buffer = [0; 8192];
        while self.read_some(&mut buffer)? > 0 {}
        Ok(self.inner)
    }

    fn header(&mut self) -> Result<Option<tar::Header>, TarError> {
        let mut header = tar::Header::new_old();
        let start = self.at;
        let block = header.as_mut_bytes();
        let first = self.read_some(block)?;
        // Some archivers leave out the two empty blocks at the end.
        if first == 0 {
            return Ok(None);
        }
        if let Some(rest) = block.get_mut(first..) {
            self.read_exact(rest)?;
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let sum = block.iter().enumerate().map(|(index, &byte)| match index {
            148..156 => u32::from(b' '),
            _ => u32::from(byte),
        });
        let sum: u32 = sum.sum();
        match header.cksum() {
            Ok(stated) if stated == sum => Ok(Some(header)),
            _ => Err(TarError::Damaged { at: start, problem: "a header's checksum is wrong" }),
        }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > EXTENSION_LIMIT {
            return Err(TarError::Damaged {
                at: self.at,
                problem: "an extended header is larger than 1 MiB",
            });
        }
        let mut bytes = vec![0; size as usize];
        self.read_exact(&mut bytes)?;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(bytes)
    }

    fn skip_rest(&mut self) -> Result<(), TarError> {
        let mut rest = std::mem::take(&mut self.content) + std::mem::take(&mut self.padding);
        let mut buffer = [0; 8192];
        while rest > 0 {
            let part = buffer.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            let part = buffer.get_mut(..part).unwrap_or_default();
            self.read_exact(part)?;
            rest -= part.len() as u64;
        }
        Ok(())
    }

    /// Reads some of the current entry's content; 0 bytes at its end.
    pub fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let part = buffer.len().min(usize::try_from(self.content).unwrap_or(usize::MAX));
        let part = buffer.get_mut(..part).unwrap_or_default();
        if part.is_empty() {
            return Ok(0);
        }
        let read = self.read_some(part)?;
        if read == 0 {
            return Err(self.ended());
        }
        self.content -= read as u64;
        Ok(read)
    }

    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), TarError> {
        while !buffer.is_empty() {
            let read = self.read_some(buffer)?;
            if read == 0 {
                return Err(self.ended());
            }
            buffer = buffer.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        loop {
            match self.inner.read(buffer) {
                Ok(read) => {
                    self.at += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(TarError::Io { at: self.at, source }),
            }
        }
    }

    fn ended(&self) -> TarError {
        TarError::Damaged { at: self.at, problem: "it ends in the middle of an entry" }
    }
}

impl Extensions {
    /// Records are `LENGTH KEY=VALUE\n`, the length counting all of it.
    fn add_pax(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        const BAD: &str = "a pax record is malformed";
        while !bytes.is_empty() {
            let space = bytes.iter().take(20).position(|&byte| byte == b' ').ok_or(BAD)?;
            let length: usize = number(bytes.get(..space).ok_or(BAD)?).ok_or(BAD)?;
            let record =
                bytes.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or(BAD)?;
            bytes = bytes.get(length..).ok_or(BAD)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or(BAD)?;
            let key = std::str::from_utf8(record.get(..equals).ok_or(BAD)?).map_err(|_| BAD)?;
            let value = record.get(equals + 1..).ok_or(BAD)?;
            match key {
                "path" => self.path = Some(value.to_vec()),
                "linkpath" => self.link = Some(value.to_vec()),
                "size" => self.size = Some(number(value).ok_or("a pax size is no number")?),
                "uid" => self.uid = Some(number(value).ok_or("a pax owner is no number")?),
                "gid" => self.gid = Some(number(value).ok_or("a pax group is no number")?),
                "mtime" => {
                    // Whole seconds, rounded down as every reader does.
                    let whole = value.split(|&byte| byte == b'.').next().unwrap_or_default();
                    self.mtime = Some(number(whole).ok_or("a pax time is no number")?);
                }
                _ => {
                    if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                        self.xattrs.push((name.into(), value.to_vec()));
                    }
                    self.sparse |= key.starts_with("GNU.sparse.");
                }
            }
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|&byte| byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        builder.into_inner().unwrap()
    }

    fn header(kind: tar::EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o640);
        header.set_mtime(7);
        header
    }

    fn paths(bytes: &[u8]) -> Result<Vec<(String, Kind, u64)>, TarError> {
        let mut reader = Reader::new(bytes);
        let mut found = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            found.push((String::from_utf8(entry.path).unwrap(), entry.kind, entry.size));
        }
        Ok(found)
    }

    #[test]
    fn reads_what_others_write() {
        let long = "d/".repeat(90) + "file";
        let bytes = archive(|builder| {
            builder
                .append_pax_extensions([("SCHILY.xattr.user.x", &b"a\nb"[..]), ("mtime", b"12.9")])
                .unwrap();
            builder.append_data(&mut header(tar::EntryType::Regular, 3), "a", &b"one"[..]).unwrap();
            builder.append_data(&mut header(tar::EntryType::Regular, 600), &long, &[1; 600][..]).unwrap();
            builder.append_link(&mut header(tar::EntryType::Symlink, 0), "l", "a".repeat(150)).unwrap();
        });
        let mut reader = Reader::new(&bytes[..]);
        let first = reader.next_entry().unwrap().unwrap();
        assert_eq!((first.mtime, first.mode), (12, 0o640));
        assert_eq!(first.xattrs, [("user.x".to_owned(), b"a\nb".to_vec())]);
        let mut content = [0; 9];
        assert_eq!(reader.read_content(&mut content).unwrap(), 3);
        assert_eq!(reader.read_content(&mut content).unwrap(), 0);
        assert_eq!(reader.next_entry().unwrap().unwrap().path, long.as_bytes());
        assert_eq!(reader.next_entry().unwrap().unwrap().link.len(), 150);
        assert_eq!(reader.next_entry().unwrap(), None);
    }

    #[test]
    fn hostile_streams_end_in_an_error() {
        let good = archive(|builder| {
            builder.append_data(&mut header(tar::EntryType::Regular, 3), "a", &b"one"[..]).unwrap();
        });
        assert_eq!(paths(&good).unwrap(), [("a".to_owned(), Kind::File, 3)]);
        assert!(paths(&good[..514]).is_err(), "cut in the content");
        assert!(paths(&good[..100]).is_err(), "cut in the header");
        let mut flipped = good.clone();
        flipped[0] = b'b';
        assert!(paths(&flipped).is_err(), "checksum");
        let claim = |kind: u8, size: u64| {
            let mut header = header(tar::EntryType::new(kind), size);
            header.set_path("x").unwrap();
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        for kind in [b'x', b'L', b'K', b'g'] {
            assert!(paths(&claim(kind, 1 << 40)).is_err(), "a huge extension");
            assert!(paths(&claim(kind, 0).repeat(20)).is_err(), "endless extensions");
        }
        assert!(paths(&claim(b'0', u64::MAX / 2)).is_err(), "a huge file");
        for record in ["x", "4 a=\n", "999999 a=b\n", "6 size=x\n", "11 size=zz\n", " =\n", "0 a=b\n"] {
            let mut bytes = claim(b'x', record.len() as u64);
            bytes.extend(record.as_bytes());
            bytes.resize(1024, 0);
            bytes.extend(&good);
            assert!(paths(&bytes).is_err(), "{record:?}");
        }
    }
}
