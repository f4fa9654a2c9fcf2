//! What is remembered of a run, so that the next one reads only what changed.
//!
//! For each folder of packages, and each way to write them down, the store's folder `repodata` has an index and the
//! three lists as they were written. All integers are little endian:
//!
//! | part | bytes |
//! |---|---|
//! | magic `gander-repodata 1\n` | 18 |
//! | start of the run, in nanoseconds since 1970 | 8 |
//! | number of packages, number of chunks | 4 + 4 |
//! | for each list: SHA-256 of the file, SHA-256 and size of its content, size of the head's piece | 32 + 32 + 8 + 4 |
//! | for each chunk: number of packages, size of its piece in each list | 4 + 3 × 4 |
//! | for each package: length of the path, path, device, inode, size, times of modification and change, SHA-256, build time, sizes of its three records | 2 + *n* + 5 × 8 + 32 + 4 + 3 × 4 |
//! | SHA-256 of all before | 32 |
//!
//! A package whose file looks as it did (device, inode, size, both times) is not read again. As in git's index, that
//! holds only where those times are clearly older than the run that read the file: within the granularity of a file
//! system's clock a file can change twice and look the same.
//!
//! Whatever is wrong with an index or with a list, it counts as absent, and is written anew.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::compress::unpack;
use super::lists::{Chunk, Written};
use super::read::{Facts, Rendering};
use super::scan::Stat;
use crate::base::{Digest, Hasher, RelPath};
use crate::format::repodata::{Compression, List};

const MAGIC: &[u8] = b"gander-repodata 1\n";
/// How much older than a run a file must be. FAT counts time in two seconds.
const CLEARLY: i64 = 3_000_000_000;
/// Bytes of the largest index and list that are read back.
const LARGEST: u64 = 2 << 30;

/// One package of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) path: String,
    pub(super) stat: Stat,
    pub(super) facts: Facts,
}

/// What is remembered of a run.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) start: i64,
    pub(super) packages: Vec<Known>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) lists: [Written; 3],
}

/// An earlier run: its index, and its lists.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) index: Index,
    pub(super) files: [Vec<u8>; 3],
    compression: Compression,
    /// The first package of each chunk, and where its pieces lie.
    starts: Vec<(usize, [usize; 3])>,
}

impl Earlier {
    /// Whether a package was there, as it is now: its place.
    fn knows(&self, at: usize, stat: &Stat) -> bool {
        let clearly = self.index.start.saturating_sub(CLEARLY);
        self.index
            .packages
            .get(at)
            .is_some_and(|known| known.stat == *stat && stat.modified < clearly && stat.changed < clearly)
    }

    /// For each of these packages its place among the earlier ones, where it need not be read again.
    pub(super) fn unchanged(&self, paths: &[RelPath], stats: &[Option<Stat>]) -> Vec<Option<usize>> {
        let before = |left: &str, right: &str| left.split('/').lt(right.split('/'));
        let mut at = 0;
        let place = |(path, stat): (&RelPath, &Option<Stat>)| {
            let known = loop {
                match self.index.packages.get(at) {
                    Some(known) if known.path != path.as_str() && before(&known.path, path.as_str()) => {
                        at += 1;
                    }
                    known => break known,
                }
            };
            let same = known.is_some_and(|known| known.path == path.as_str());
            (same && stat.as_ref().is_some_and(|stat| self.knows(at, stat))).then_some(at)
        };
        paths.iter().zip(stats).map(place).collect()
    }

    /// The chunk that a package lies in.
    pub(super) fn chunk_of(&self, at: usize) -> usize {
        self.starts.partition_point(|(first, _)| *first <= at).saturating_sub(1)
    }

    /// The chunk that has exactly these packages.
    pub(super) fn chunk_from(&self, first: usize, count: usize) -> Option<usize> {
        let place = self.chunk_of(first);
        let same = self.starts.get(place).is_some_and(|(start, _)| *start == first)
            && self.index.chunks.get(place).is_some_and(|chunk| chunk.packages as usize == count);
        same.then_some(place)
    }

    /// The piece of a chunk in a list.
    pub(super) fn piece(&self, list: usize, chunk: usize) -> Option<&[u8]> {
        let start = *self.starts.get(chunk)?.1.get(list)?;
        let length = *self.index.chunks.get(chunk)?.pieces.get(list)? as usize;
        self.files.get(list)?.get(start..start.checked_add(length)?)
    }

    /// The records of a chunk in a list.
    pub(super) fn records(&self, list: usize, chunk: usize) -> Option<Vec<u8>> {
        let size = self.packages(chunk)?.iter().map(|known| known.facts.lengths.get(list).copied());
        let size = size.sum::<Option<u32>>()? as usize;
        unpack(self.compression, self.piece(list, chunk)?, size).ok()
    }

    /// Where the record of a package lies among those of its chunk.
    pub(super) fn range(&self, list: usize, chunk: usize, at: usize) -> Option<std::ops::Range<usize>> {
        let first = self.starts.get(chunk)?.0;
        let length = |known: &Known| known.facts.lengths.get(list).map_or(0, |length| *length as usize);
        let start = self.index.packages.get(first..at)?.iter().map(length).sum();
        Some(start..start + length(self.index.packages.get(at)?))
    }

    fn packages(&self, chunk: usize) -> Option<&[Known]> {
        let first = self.starts.get(chunk)?.0;
        let count = self.index.chunks.get(chunk)?.packages as usize;
        self.index.packages.get(first..first.checked_add(count)?)
    }

    fn new(index: Index, files: [Vec<u8>; 3], compression: Compression) -> Option<Self> {
        let mut starts = Vec::with_capacity(index.chunks.len());
        let mut first = 0usize;
        let mut places = [0usize; 3];
        for (place, list) in places.iter_mut().zip(&index.lists) {
            *place = list.head as usize;
        }
        for chunk in &index.chunks {
            starts.push((first, places));
            first = first.checked_add(chunk.packages as usize)?;
            for (place, length) in places.iter_mut().zip(chunk.pieces) {
                *place = place.checked_add(length as usize)?;
            }
        }
        let fits = places.iter().zip(&files).all(|(end, file)| *end <= file.len());
        (first == index.packages.len() && fits).then_some(Self { index, files, compression, starts })
    }
}

/// Where runs with one folder and one way to write things down are remembered.
#[derive(Debug)]
pub(super) struct Memory {
    folder: PathBuf,
    name: String,
    compression: Compression,
}

impl Memory {
    /// `root` is the folder of the packages without symbolic links in it.
    pub(super) fn new(folder: PathBuf, root: &Path, rendering: &Rendering, compression: Compression) -> Self {
        let mut key = Hasher::new();
        let Rendering { base_url, location_prefix, cut_dirs, changelogs } = rendering;
        let way = format!("{base_url:?} {location_prefix:?} {cut_dirs} {changelogs} {compression:?}");
        for part in [root.as_os_str().as_encoded_bytes(), way.as_bytes()] {
            key.update((part.len() as u64).to_le_bytes());
            key.update(part);
        }
        Self { folder, name: key.finish().hex(), compression }
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// What is remembered, if it is whole.
    pub(super) fn recall(&self) -> Option<Earlier> {
        if !self.compression.in_pieces() {
            return None;
        }
        let index = Index::decode(&bounded(&self.path("index")).ok()?)?;
        let mut files = List::ALL.map(|_| Vec::new());
        let whole = std::thread::scope(|scope| {
            let threads: Vec<_> = files
                .iter_mut()
                .zip(List::ALL)
                .zip(&index.lists)
                .map(|((file, list), written)| {
                    scope.spawn(move || {
                        *file = bounded(&self.path(list.name())).ok()?;
                        (Digest::of(&*file) == written.checksum).then_some(())
                    })
                })
                .collect();
            threads.into_iter().all(|thread| thread.join().is_ok_and(|whole| whole.is_some()))
        });
        whole.then(|| Earlier::new(index, files, self.compression)).flatten()
    }

    /// Remembers a run, whose lists lie in these files.
    pub(super) fn keep(&self, index: &Index, files: &[PathBuf; 3]) -> io::Result<()> {
        if !self.compression.in_pieces() {
            return Ok(());
        }
        // A kill in between leaves lists that do not fit the index, which is then ignored.
        for (file, list) in files.iter().zip(List::ALL) {
            self.replace(list.name(), |to| fs::copy(file, to).map(drop))?;
        }
        let bytes = index.encode();
        self.replace("index", |to| File::create(to)?.write_all(&bytes))
    }

    /// Forgets what is remembered.
    pub(super) fn forget(&self) {
        fs::remove_file(self.path("index")).ok();
    }

    fn replace(&self, ending: &str, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let part = self.path(&format!("{ending}.{}", std::process::id()));
        let written = write(&part).and_then(|()| fs::rename(&part, self.path(ending)));
        if written.is_err() {
            fs::remove_file(&part).ok();
        }
        written
    }
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Index {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(200 * self.packages.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.start.to_le_bytes());
        // Both are bounded by the number of packages that a repository may have.
        out.extend_from_slice(&(self.packages.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.chunks.len() as u32).to_le_bytes());
        for list in &self.lists {
            out.extend_from_slice(list.checksum.as_bytes());
            out.extend_from_slice(list.open.as_bytes());
            out.extend_from_slice(&list.open_size.to_le_bytes());
            out.extend_from_slice(&list.head.to_le_bytes());
        }
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.packages.to_le_bytes());
            chunk.pieces.iter().for_each(|piece| out.extend_from_slice(&piece.to_le_bytes()));
        }
        for Known { path, stat, facts } in &self.packages {
            // A path has at most 4095 bytes.
            out.extend_from_slice(&(path.len() as u16).to_le_bytes());
            out.extend_from_slice(path.as_bytes());
            for number in [stat.device, stat.inode, stat.size] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            for time in [stat.modified, stat.changed] {
                out.extend_from_slice(&time.to_le_bytes());
            }
            out.extend_from_slice(facts.digest.as_bytes());
            out.extend_from_slice(&facts.build_time.to_le_bytes());
            facts.lengths.iter().for_each(|length| out.extend_from_slice(&length.to_le_bytes()));
        }
        let digest = Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
        if Digest::of(body).as_bytes() != digest {
            return None;
        }
        let mut rest = body.strip_prefix(MAGIC)?;
        let rest = &mut rest;
        let start = i64::from_le_bytes(take(rest)?);
        let count = u32::from_le_bytes(take(rest)?) as usize;
        let chunks = u32::from_le_bytes(take(rest)?) as usize;
        let mut list = || {
            Some(Written {
                checksum: Digest::from_bytes(take(rest)?),
                open: Digest::from_bytes(take(rest)?),
                open_size: u64::from_le_bytes(take(rest)?),
                head: u32::from_le_bytes(take(rest)?),
                size: 0,
            })
        };
        let lists = [list()?, list()?, list()?];
        let mut index = Self { start, packages: Vec::new(), chunks: Vec::new(), lists };
        for _ in 0..chunks {
            let packages = u32::from_le_bytes(take(rest)?);
            index.chunks.push(Chunk { packages, pieces: lengths(rest)? });
        }
        // No more room than the bytes that are there can fill.
        index.packages.reserve(count.min(rest.len() / 90));
        for _ in 0..count {
            let length = u16::from_le_bytes(take(rest)?);
            let (path, after) = rest.split_at_checked(length.into())?;
            *rest = after;
            let path = std::str::from_utf8(path).ok()?.to_owned();
            let stat = Stat {
                device: u64::from_le_bytes(take(rest)?),
                inode: u64::from_le_bytes(take(rest)?),
                size: u64::from_le_bytes(take(rest)?),
                modified: i64::from_le_bytes(take(rest)?),
                changed: i64::from_le_bytes(take(rest)?),
            };
            let digest = Digest::from_bytes(take(rest)?);
            let build_time = u32::from_le_bytes(take(rest)?);
            index.packages.push(Known {
                path,
                stat,
                facts: Facts { digest, build_time, lengths: lengths(rest)? },
            });
        }
        rest.is_empty().then_some(index)
    }
}

fn lengths(rest: &mut &[u8]) -> Option<[u32; 3]> {
    Some([u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?), u32::from_le_bytes(take(rest)?)])
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}
