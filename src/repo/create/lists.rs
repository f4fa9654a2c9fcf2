//! Writes the three lists with several threads: packages are read in any order, and their records stand in the order of
//! their paths.
//!
//! A list is a sequence of *chunks* of packages, each compressed for itself; its head and its tail are pieces of their
//! own. Where a chunk ends is decided by the paths and the sizes of its packages alone, so no byte depends on the number
//! of threads, and a package that comes, goes or changes leaves all chunks but one or two as they were: they are taken
//! from the earlier run's lists.
//!
//! Each thread looks for the first of these: a piece that can be added to its list; records that can be compressed; a
//! package that can be read, unless too much is waiting for a slower one already.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use liblzma::write::XzEncoder;

use super::compress::{Packer, stream};
use super::error::{CreateError, Problem, Reason, failed};
use super::index::Earlier;
use super::read::{Buffer, Facts, Rendering, read};
use super::scan::{Root, Stat};
use crate::base::digest::HashingWriter;
use crate::base::{Digest, Hasher, RelPath};
use crate::format::repodata::{Compression, List};

/// Between the smallest and the largest chunk, one path of so many ends it.
const ONE_OF: u64 = 32;
/// Problems of more packages are not looked for.
const MOST_PROBLEMS: usize = 1000;

/// A chunk of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) packages: u32,
    /// Bytes of its piece in each list.
    pub(super) pieces: [u32; 3],
}

/// A list that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) checksum: Digest,
    pub(super) size: u64,
    pub(super) open: Digest,
    pub(super) open_size: u64,
    /// Bytes of the piece that is its head.
    pub(super) head: u32,
}

/// What lists are made of.
pub(super) struct Source<'a> {
    pub(super) root: &'a Root,
    pub(super) paths: &'a [RelPath],
    /// What cannot be looked at is a problem already.
    pub(super) stats: &'a [Option<Stat>],
    pub(super) rendering: &'a Rendering,
    pub(super) compression: Compression,
    /// An earlier run, and for each package its place there.
    pub(super) earlier: Option<(&'a Earlier, &'a [Option<usize>])>,
}

/// The lists that were made.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) facts: Vec<Facts>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) written: [Written; 3],
    pub(super) files: [PathBuf; 3],
}

/// A record.
enum Item {
    Text(String),
    /// That of an earlier run.
    Kept(usize),
}

/// What a piece is made of.
enum Content {
    Text(String),
    Records(Vec<Item>),
}

struct Job {
    list: usize,
    place: usize,
    content: Content,
}

/// A piece and what it decompresses to.
struct Piece {
    plain: Vec<u8>,
    packed: Vec<u8>,
}

/// A list that is being written.
struct Sink {
    out: Out,
    open: Hasher,
    pieces: Vec<u32>,
}

enum Out {
    Pieces(HashingWriter<File>),
    Stream(Box<XzEncoder<HashingWriter<File>>>),
}

#[derive(Default)]
struct Lane {
    /// The piece that comes next.
    next: usize,
    ready: BTreeMap<usize, Piece>,
    /// Not there while a thread writes to it.
    sink: Option<Box<Sink>>,
}

/// What was read: what is known of a package, and its records.
type Read = (Facts, [Item; 3]);

#[derive(Default)]
struct State {
    /// The package that is read next, and the one whose records come next.
    to_read: usize,
    to_place: usize,
    reading: usize,
    read: BTreeMap<usize, Read>,
    facts: Vec<Facts>,
    /// The chunk that grows.
    open: [Vec<Item>; 3],
    open_bytes: u64,
    /// Packages of each finished chunk.
    chunks: Vec<u32>,
    jobs: VecDeque<Job>,
    packing: usize,
    lanes: [Lane; 3],
    /// Bytes of all records that are in memory.
    waiting: u64,
    problems: Vec<Problem>,
    error: Option<CreateError>,
}

enum Task {
    Write(usize, Box<Sink>, Piece),
    Pack(Job),
    Read(usize),
    Wait,
    Stop,
}

/// Writes the lists into a folder, unless there are problems; then all others are found, too.
pub(super) fn write(
    source: &Source<'_>,
    folder: &Path,
    workers: usize,
    problems: Vec<Problem>,
) -> Result<Lists, CreateError> {
    let files = List::ALL.map(|list| folder.join(format!(".{}.part", list.name())));
    let mut state = State { problems, ..State::default() };
    for ((list, lane), file) in List::ALL.into_iter().zip(&mut state.lanes).zip(&files) {
        let out = HashingWriter::new(File::create(file).map_err(failed("creating", file))?);
        let out = match source.compression.in_pieces() {
            true => Out::Pieces(out),
            false => Out::Stream(Box::new(stream(out))),
        };
        lane.sink = Some(Box::new(Sink { out, open: Hasher::new(), pieces: Vec::new() }));
        let content = Content::Text(list.head(source.paths.len()));
        state.jobs.push_back(Job { list: list as usize, place: 0, content });
    }
    if source.paths.is_empty() {
        state.end();
    }
    let board = Board { state: Mutex::new(state), news: Condvar::new(), source, files: &files };
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| board.work());
        }
        board.work();
    });
    let mut state = board.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = state.error {
        return Err(error);
    }
    if !state.problems.is_empty() {
        state.problems.sort_by(|left, right| left.path.cmp(&right.path));
        return Err(CreateError::Problems(state.problems));
    }
    let mut pieces: [Vec<u32>; 3] = Default::default();
    let mut written = Vec::new();
    for ((lane, file), pieces) in state.lanes.into_iter().zip(&files).zip(&mut pieces) {
        let sink = lane.sink.ok_or(CreateError::Memory)?;
        *pieces = sink.pieces;
        let head = pieces.first().copied().unwrap_or_default();
        let out = match sink.out {
            Out::Pieces(out) => out,
            Out::Stream(encoder) => encoder.finish().map_err(failed("writing", file))?,
        };
        let (_, checksum, size) = out.finish();
        let open_size = sink.open.length();
        written.push(Written { checksum, size, open: sink.open.finish(), open_size, head });
    }
    let [first, second, third] = pieces;
    // The first and the last piece are head and tail.
    let sizes = first.into_iter().zip(second).zip(third).skip(1);
    let chunks = state.chunks.iter().zip(sizes);
    let chunks =
        chunks.map(|(packages, ((a, b), c))| Chunk { packages: *packages, pieces: [a, b, c] }).collect();
    let written = written.try_into().map_err(|_| CreateError::Memory)?;
    Ok(Lists { facts: state.facts, chunks, written, files })
}

impl Source<'_> {
    /// What the earlier run knows of a package, if that still holds.
    fn known(&self, at: usize) -> Option<Read> {
        let (earlier, places) = self.earlier?;
        let place = (*places.get(at)?)?;
        Some((earlier.index.packages.get(place)?.facts, List::ALL.map(|_| Item::Kept(place))))
    }
}

impl State {
    /// Takes records over that come next.
    fn place(&mut self, source: &Source<'_>) {
        while let Some((facts, records)) = self.read.remove(&self.to_place) {
            for (open, record) in self.open.iter_mut().zip(records) {
                open.push(record);
            }
            self.open_bytes += total(&facts);
            self.facts.push(facts);
            let ends = source.paths.get(self.to_place).is_some_and(ends_chunk);
            self.to_place += 1;
            let (smallest, largest) = source.compression.chunk();
            let full = self.open_bytes >= largest || ends && self.open_bytes >= smallest;
            if full || self.to_place == source.paths.len() {
                self.cut();
            }
        }
        if self.to_place == source.paths.len() {
            self.end();
        }
    }

    fn cut(&mut self) {
        let [first, _, _] = &self.open;
        // At most as many as there are packages.
        self.chunks.push(first.len() as u32);
        self.open_bytes = 0;
        for (list, open) in self.open.iter_mut().enumerate() {
            let content = Content::Records(std::mem::take(open));
            self.jobs.push_back(Job { list, place: self.chunks.len(), content });
        }
    }

    fn end(&mut self) {
        for list in List::ALL {
            let content = Content::Text(format!("{}\n", list.tail()));
            self.jobs.push_back(Job { list: list as usize, place: self.chunks.len() + 1, content });
        }
    }

    fn next(&mut self, source: &Source<'_>) -> Task {
        if self.error.is_some() {
            return Task::Stop;
        }
        // What is known takes neither time nor room.
        while self.problems.is_empty()
            && let Some((facts, records)) = source.known(self.to_read)
        {
            self.read.insert(self.to_read, (facts, records));
            self.to_read += 1;
            if self.to_read - self.to_place == self.read.len() {
                self.place(source);
            }
        }
        for (list, lane) in self.lanes.iter_mut().enumerate() {
            let Lane { next, ready, sink } = lane;
            if let (Some(sink), Some(piece)) =
                (sink.take_if(|_| ready.contains_key(next)), ready.remove(next))
            {
                return Task::Write(list, sink, piece);
            }
        }
        if let Some(job) = self.jobs.pop_front() {
            self.packing += 1;
            return Task::Pack(job);
        }
        let unread = self.to_read < source.paths.len();
        // Where nothing else is under way, reading on is the only way on.
        let busy = self.reading + self.packing > 0 || self.lanes.iter().any(|lane| lane.sink.is_none());
        // Records may wait for a package that takes longer: as many as make a chunk.
        let (_, most) = source.compression.chunk();
        if unread && self.problems.len() < MOST_PROBLEMS && (self.waiting < most || !busy) {
            self.reading += 1;
            self.to_read += 1;
            return Task::Read(self.to_read - 1);
        }
        if busy { Task::Wait } else { Task::Stop }
    }
}

fn total(facts: &Facts) -> u64 {
    facts.lengths.iter().map(|length| u64::from(*length)).sum()
}

/// Whether a chunk of enough bytes ends with this path (FNV-1a, its bits mixed).
fn ends_chunk(path: &RelPath) -> bool {
    let start = 0xcbf2_9ce4_8422_2325u64;
    let hash = path
        .as_str()
        .bytes()
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ hash >> 32).is_multiple_of(ONE_OF)
}

/// What the threads share.
struct Board<'a> {
    state: Mutex<State>,
    news: Condvar,
    source: &'a Source<'a>,
    files: &'a [PathBuf; 3],
}

impl Board<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut packer = Packer::new(self.source.compression);
        let mut buffer = Buffer::new();
        let mut state = self.state();
        loop {
            let task = state.next(self.source);
            match task {
                Task::Stop => return self.news.notify_all(),
                Task::Wait => {
                    state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                _ => drop(state),
            }
            let done = self.carry_out(task, &mut packer, &mut buffer);
            state = self.state();
            match done {
                Ok(Done::Written(list, sink, bytes)) => {
                    state.waiting = state.waiting.saturating_sub(bytes);
                    if let Some(lane) = state.lanes.get_mut(list) {
                        lane.next += 1;
                        lane.sink = Some(sink);
                    }
                }
                Ok(Done::Packed(list, place, piece)) => {
                    state.packing -= 1;
                    if let Some(lane) = state.lanes.get_mut(list) {
                        lane.ready.insert(place, piece);
                    }
                }
                Ok(Done::Read(at, read)) => {
                    state.reading -= 1;
                    match read {
                        None => {}
                        // Where something is wrong, the rest is only looked at.
                        Some(Ok(_)) if !state.problems.is_empty() => {}
                        Some(Ok(read)) => {
                            state.waiting += total(&read.0);
                            state.read.insert(at, read);
                            state.place(self.source);
                        }
                        Some(Err(problem)) => {
                            state.problems.push(problem);
                            state.read.clear();
                            state.waiting = 0;
                        }
                    }
                }
                Err(error) => state.error = state.error.take().or(Some(error)),
            }
            self.news.notify_all();
        }
    }

    fn carry_out(&self, task: Task, packer: &mut Packer, buffer: &mut Buffer) -> Result<Done, CreateError> {
        match task {
            Task::Write(list, mut sink, piece) => {
                sink.add(&piece).map_err(failed("writing", self.file(list)))?;
                Ok(Done::Written(list, sink, piece.plain.len() as u64))
            }
            Task::Pack(job) => {
                let Job { list, place, content } = job;
                let piece = self.pack(list, content, packer)?;
                Ok(Done::Packed(list, place, piece))
            }
            Task::Read(at) => Ok(Done::Read(at, self.read(at, buffer))),
            Task::Wait | Task::Stop => Err(CreateError::Memory),
        }
    }

    fn file(&self, list: usize) -> &Path {
        self.files.get(list).map_or(Path::new(""), PathBuf::as_path)
    }

    /// None where there is a problem already.
    fn read(&self, at: usize, buffer: &mut Buffer) -> Option<Result<Read, Problem>> {
        let Source { root, paths, stats, rendering, .. } = self.source;
        let (path, stat) = (paths.get(at)?, stats.get(at)?.as_ref()?);
        let read = read(root, path, stat, rendering, buffer);
        let read = read.map(|(facts, records)| (facts, records.map(Item::Text)));
        Some(read.map_err(|reason: Reason| Problem { path: path.as_str().into(), reason }))
    }

    fn pack(&self, list: usize, content: Content, packer: &mut Packer) -> Result<Piece, CreateError> {
        let plain = match content {
            Content::Text(text) => text.into_bytes(),
            Content::Records(items) => {
                if let Some(piece) = self.taken_over(list, &items) {
                    return Ok(piece);
                }
                self.join(list, items).ok_or(CreateError::Memory)?
            }
        };
        if !self.source.compression.in_pieces() {
            return Ok(Piece { plain, packed: Vec::new() });
        }
        let packed = packer.pack(&plain).map_err(failed("compressing", self.file(list)))?;
        Ok(Piece { plain, packed })
    }

    /// The piece of the earlier run that has exactly these records.
    fn taken_over(&self, list: usize, items: &[Item]) -> Option<Piece> {
        let (earlier, _) = self.source.earlier?;
        let Some(Item::Kept(first)) = items.first() else { return None };
        let kept = |(at, item): (usize, &Item)| matches!(item, Item::Kept(place) if *place == first + at);
        if !items.iter().enumerate().all(kept) {
            return None;
        }
        let chunk = earlier.chunk_from(*first, items.len())?;
        let packed = earlier.piece(list, chunk)?.to_vec();
        Some(Piece { plain: earlier.records(list, chunk)?, packed })
    }

    fn join(&self, list: usize, items: Vec<Item>) -> Option<Vec<u8>> {
        let texts = items.iter().map(|item| if let Item::Text(text) = item { text.len() } else { 0 });
        let mut plain = Vec::with_capacity(texts.sum());
        let mut open: Option<(usize, Vec<u8>)> = None;
        for item in items {
            match item {
                Item::Text(text) => plain.extend_from_slice(text.as_bytes()),
                Item::Kept(at) => {
                    let (earlier, _) = self.source.earlier?;
                    let chunk = earlier.chunk_of(at);
                    if open.as_ref().is_none_or(|(open, _)| *open != chunk) {
                        open = Some((chunk, earlier.records(list, chunk)?));
                    }
                    let (_, records) = open.as_ref()?;
                    plain.extend_from_slice(records.get(earlier.range(list, chunk, at)?)?);
                }
            }
        }
        Some(plain)
    }
}

enum Done {
    Written(usize, Box<Sink>, u64),
    Packed(usize, usize, Piece),
    Read(usize, Option<Result<Read, Problem>>),
}

impl Sink {
    fn add(&mut self, piece: &Piece) -> std::io::Result<()> {
        self.open.update(&piece.plain);
        let length = u32::try_from(piece.packed.len()).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
        self.pieces.push(length);
        match &mut self.out {
            Out::Pieces(out) => out.write_all(&piece.packed),
            Out::Stream(out) => out.write_all(&piece.plain),
        }
    }
}
