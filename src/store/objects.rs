//! Objects: files named by the digest of their bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};

use super::error::{At as _, StoreError};
use super::manifest::{self, MAX_BYTES};
use super::tree::Tree;
use super::{Store, make_folder};
use crate::base::{Digest, Hasher};

/// Files up to this size are hashed in memory first, and not written when the store has them.
pub(super) const SMALL: usize = 1 << 20;
/// Larger ones go through a buffer of this size.
pub(super) const BUFFER: usize = 1 << 18;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Where the store keeps what has this digest: `ab/cdef…` below a folder.
pub(super) fn place(folder: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    let (first, rest) = hex.split_at_checked(2).unwrap_or((&hex, ""));
    let mut path = PathBuf::with_capacity(folder.as_os_str().len() + 68);
    path.extend([folder.as_os_str(), first.as_ref(), rest.as_ref()]);
    path
}

impl Store {
    /// Where an object lies, or would lie.
    pub fn object_path(&self, digest: &Digest) -> PathBuf {
        place(&self.folder("objects"), digest)
    }

    /// Whether an object is there; its bytes are not looked at.
    pub fn has(&self, digest: &Digest) -> bool {
        self.size(digest).is_ok()
    }

    /// The size of an object.
    pub fn size(&self, digest: &Digest) -> Result<u64, StoreError> {
        let path = self.object_path(digest);
        match fs::symlink_metadata(&path) {
            // A file that lost its bytes with the power counts as absent; only one object is empty.
            Ok(found) if found.is_file() && (found.len() > 0 || *digest == Digest::of("")) => Ok(found.len()),
            Ok(_) => Err(StoreError::Missing { digest: *digest }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Missing { digest: *digest })
            }
            Err(error) => Err(error).at("cannot look at the object", &path),
        }
    }

    /// Opens an object for reading; its bytes are not checked.
    pub fn open_object(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.object_path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Missing { digest: *digest })
            }
            opened => opened.at("cannot open the object", &path),
        }
    }

    /// Reads an object of at most `limit` bytes into memory and checks its digest.
    pub fn read_object(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, StoreError> {
        let file = self.open_object(digest)?;
        let path = self.object_path(digest);
        let size = file.metadata().at("cannot look at the object", &path)?.len();
        if size > limit {
            return Err(StoreError::TooLarge { digest: *digest, size, limit });
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).at("cannot read the object", &path)?;
        if Digest::of(&bytes) != *digest {
            return Err(StoreError::Damaged { digest: *digest });
        }
        Ok(bytes)
    }

    /// Takes in bytes.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.size(&digest).is_ok_and(|size| size == bytes.len() as u64) {
            return Ok(digest);
        }
        let mut writer = self.writer()?;
        writer.write_all(bytes).at("cannot write the object", &writer.path)?;
        writer.finish(Some(&digest))?;
        Ok(digest)
    }

    /// Takes in all that a reader gives; returns the digest and the size.
    pub fn put_reader(&self, mut reader: impl Read) -> Result<(Digest, u64), StoreError> {
        self.put_stream(&mut reader, Path::new("a stream"))
    }

    /// Takes in a file; returns the digest and the size.
    pub fn put_file(&self, path: &Path) -> Result<(Digest, u64), StoreError> {
        // A fifo must not make us wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).at("cannot open", path)?);
        if !file.metadata().at("cannot look at", path)?.is_file() {
            return Err(StoreError::Unsupported {
                path: path.into(),
                what: "file of another kind than a regular one",
            });
        }
        self.put_stream(&mut &file, path)
    }

    pub(super) fn put_stream(&self, reader: &mut dyn Read, from: &Path) -> Result<(Digest, u64), StoreError> {
        let mut start = Vec::new();
        reader.take(SMALL as u64 + 1).read_to_end(&mut start).at("cannot read", from)?;
        if start.len() <= SMALL {
            return Ok((self.put_bytes(&start)?, start.len() as u64));
        }
        let mut writer = self.writer()?;
        writer.write_all(&start).at("cannot write the object", &writer.path)?;
        start.truncate(BUFFER);
        loop {
            match reader.read(&mut start) {
                Ok(0) => return writer.finish(None),
                Ok(count) => {
                    let bytes = start.get(..count).unwrap_or(&start);
                    writer.write_all(bytes).at("cannot write the object", &writer.path)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).at("cannot read", from),
            }
        }
    }

    /// A writer whose bytes become an object when it is finished; dropping it leaves nothing.
    pub fn writer(&self) -> Result<ObjectWriter, StoreError> {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = self.0.unfinished.path().join(count.to_string());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path);
        let file = file.at("cannot make a file in the store", &path)?;
        Ok(ObjectWriter { store: self.clone(), file, path, hasher: Hasher::new(), renamed: false })
    }

    /// Takes in a tree's manifest; the objects that it needs are the caller's concern.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest, StoreError> {
        self.put_bytes(&tree.to_bytes())
    }

    /// Reads a tree's manifest.
    pub fn tree(&self, digest: &Digest) -> Result<Tree, StoreError> {
        let bytes = self.read_object(digest, MAX_BYTES)?;
        Tree::parse(&bytes).map_err(|source| StoreError::BadTree { digest: *digest, source })
    }

    /// Whether an object is there that begins as a tree manifest does.
    pub(super) fn is_tree(&self, digest: &Digest) -> Result<bool, StoreError> {
        let mut start = Vec::new();
        let file = self.open_object(digest)?;
        file.take(manifest::START as u64)
            .read_to_end(&mut start)
            .at("cannot read the object", &self.object_path(digest))?;
        Ok(manifest::looks_like_one(&start))
    }

    /// Writes a small file of ours, complete or not at all.
    pub(super) fn write_whole(&self, path: &Path, text: &str) -> Result<(), StoreError> {
        let mut writer = self.writer()?;
        writer.file.write_all(text.as_bytes()).at("cannot write", &writer.path)?;
        writer.rename_to(path)
    }
}

/// Bytes on their way to become an object. Dropped before [`ObjectWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct ObjectWriter {
    store: Store,
    file: File,
    path: PathBuf,
    hasher: Hasher,
    renamed: bool,
}

impl ObjectWriter {
    /// Makes the bytes an object, if they have the digest that is expected; returns digest and size.
    pub fn finish(self, expected: Option<&Digest>) -> Result<(Digest, u64), StoreError> {
        let (found, size) = (self.hasher.clone().finish(), self.hasher.length());
        if let Some(expected) = expected
            && *expected != found
        {
            return Err(StoreError::Unexpected { expected: *expected, found });
        }
        // Replacing an object of that name heals it, should it be damaged.
        let path = self.store.object_path(&found);
        self.rename_to(&path)?;
        Ok((found, size))
    }

    /// The digest of the bytes so far, and how many they are.
    pub fn so_far(&self) -> (Digest, u64) {
        (self.hasher.clone().finish(), self.hasher.length())
    }

    #[cfg(test)]
    pub(super) fn replace_file_for_test(&mut self, file: File) {
        self.file = file;
    }

    fn rename_to(mut self, path: &Path) -> Result<(), StoreError> {
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(0o444))
            .at("cannot set the mode of", &self.path)?;
        let time = Timespec { tv_sec: 1, tv_nsec: 0 };
        let times =
            Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: time };
        rustix::fs::futimens(&self.file, &times).at("cannot set the time of", &self.path)?;
        let renamed = match rustix::fs::rename(&self.path, path) {
            Err(rustix::io::Errno::NOENT) => {
                path.parent().map_or(Ok(()), make_folder)?;
                rustix::fs::rename(&self.path, path)
            }
            renamed => renamed,
        };
        renamed.at("cannot put in its place", path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or(bytes));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if !self.renamed {
            fs::remove_file(&self.path).ok();
        }
    }
}
