//! Reads a package: one pass over its file, which is hashed while its headers are read.

use std::fs::File;
use std::io::{self, Read};

use super::error::Reason;
use super::scan::{Root, Stat};
use crate::base::{Digest, Hasher, RelPath};
use crate::format::repodata::{CHANGELOGS, List, Record};
use crate::rpm::Headers;

/// How packages are written down, the same for all.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// Where the packages are, if not beside the metadata.
    pub base_url: Option<String>,
    /// What is put in front of a package's path.
    pub location_prefix: String,
    /// How many components are taken from the front of a package's path.
    pub cut_dirs: usize,
    /// How many entries of a change log are kept: the newest ones.
    pub changelogs: usize,
}

impl Default for Rendering {
    fn default() -> Self {
        Self { base_url: None, location_prefix: String::new(), cut_dirs: 0, changelogs: CHANGELOGS }
    }
}

impl Rendering {
    pub(super) fn href(&self, path: &str) -> String {
        let mut rest = path;
        for _ in 0..self.cut_dirs {
            rest = rest.split_once('/').map_or(rest, |(_, below)| below);
        }
        match self.location_prefix.strip_suffix('/').unwrap_or(&self.location_prefix) {
            "" => rest.into(),
            prefix => format!("{prefix}/{rest}"),
        }
    }
}

/// What is known of a package besides its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) digest: Digest,
    /// Seconds since 1970.
    pub(super) build_time: u32,
    /// Bytes of its records, in the order of [`List::ALL`].
    pub(super) lengths: [u32; 3],
}

/// Bytes that are read at a time: they stay in the processor's cache from the system's copy to the hash.
const PIECE: usize = 128 << 10;

/// Room for the pieces of a file; each thread has its own.
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(vec![0; PIECE])
    }
}

/// Hashes what is read, piece by piece.
struct Hashed<'b> {
    file: File,
    buffer: &'b mut [u8],
    /// What of the buffer was not given out yet.
    start: usize,
    end: usize,
    hasher: Hasher,
}

impl Hashed<'_> {
    fn fill(&mut self) -> io::Result<usize> {
        let length = loop {
            match self.file.read(self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.hasher.update(self.buffer.get(..length).unwrap_or_default());
        (self.start, self.end) = (0, length);
        Ok(length)
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && self.fill()? == 0 {
            return Ok(0);
        }
        let mut left = self.buffer.get(self.start..self.end).unwrap_or_default();
        let length = left.read(out)?;
        self.start += length;
        Ok(length)
    }
}

/// Reads a package that looked like this when it was found: what is known of it, and its records.
pub(super) fn read(
    root: &Root,
    path: &RelPath,
    stat: &Stat,
    rendering: &Rendering,
    buffer: &mut Buffer,
) -> Result<(Facts, [String; 3]), Reason> {
    let is_unwritten = |file: &File| match rustix::fs::fstat(file) {
        Ok(now) => Ok(Stat::of(&now).ok_or(Reason::NoFile)?.is_unwritten(stat)),
        Err(error) => Err(Reason::Io(error.into())),
    };
    let file = root.file(path)?;
    if !is_unwritten(&file)? {
        return Err(Reason::Changed);
    }
    let buffer = &mut buffer.0[..];
    let mut reader = Hashed { file, buffer, start: 0, end: 0, hasher: Hasher::new() };
    // What is no package may be a file that is being written, which is then the better reason.
    let headers = match Headers::read(&mut reader) {
        Ok(headers) => headers,
        Err(_) if !is_unwritten(&reader.file)? => return Err(Reason::Changed),
        Err(error) => return Err(error.into()),
    };
    while reader.fill()? > 0 {}
    let size = reader.hasher.length();
    if size != stat.size || !is_unwritten(&reader.file)? {
        return Err(Reason::Changed);
    }
    let package = headers.package()?;
    let digest = reader.hasher.finish();
    let href = rendering.href(path.as_str());
    let record = Record {
        package: &package,
        checksum: digest,
        size,
        // The file's own time tells when it was copied, and would differ from copy to copy.
        file_time: package.buildtime.into(),
        href: &href,
        base: rendering.base_url.as_deref(),
        changelogs: rendering.changelogs,
    };
    let records = List::ALL.map(|list| {
        let mut text = record.write(list);
        // It waits for those before it.
        text.shrink_to_fit();
        text
    });
    let mut lengths = [0; 3];
    for (length, record) in lengths.iter_mut().zip(&records) {
        *length = u32::try_from(record.len()).map_err(|_| Reason::TooLarge)?;
    }
    Ok((Facts { digest, build_time: package.buildtime, lengths }, records))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_written_meanwhile_is_noticed_and_a_further_name_is_no_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let root = Root::open(folder.path()).unwrap();
        fs::write(path("a.rpm"), "no package").unwrap();
        let name = RelPath::new("a.rpm").unwrap();
        let before = root.stats(std::slice::from_ref(&name), 1, &mut Vec::new())[0].unwrap();
        let attempt = || read(&root, &name, &before, &Rendering::default(), &mut Buffer::new()).map(drop);
        // Steps that run at the same time have further names of the same packages.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::hard_link(path("a.rpm"), path("b.rpm")).unwrap();
        let now = Stat::of(&rustix::fs::stat(path("a.rpm")).unwrap()).unwrap();
        assert_ne!(now, before);
        assert!(matches!(attempt(), Err(Reason::Package(_))));
        fs::File::options().append(true).open(path("b.rpm")).unwrap().write_all(b"!").unwrap();
        assert!(matches!(attempt(), Err(Reason::Changed)));
    }

    #[test]
    fn places() {
        let rendering = |prefix: &str, cut_dirs| Rendering {
            base_url: None,
            location_prefix: prefix.into(),
            cut_dirs,
            changelogs: 10,
        };
        for (prefix, cut_dirs, expected) in [
            ("", 0, "a/b/c.rpm"),
            ("", 1, "b/c.rpm"),
            ("", 9, "c.rpm"),
            ("x/", 0, "x/a/b/c.rpm"),
            ("../p", 2, "../p/c.rpm"),
        ] {
            assert_eq!(rendering(prefix, cut_dirs).href("a/b/c.rpm"), expected);
        }
    }
}
