//! Where packages and texts are kept while they are signed: small ones in memory, larger ones in files without a name.
//! What all requests keep together has a limit, so that many large ones fill neither memory nor disk. Answers that are
//! secrets are kept in memory alone, and have a limit of their own.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

/// Larger ones are written to disk.
const IN_MEMORY: usize = 1 << 18;

/// Bytes of all answers that are kept in memory: some decrypted messages of the largest size.
const ANSWERS: u64 = 256 << 20;

/// What is left for all.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    memory: AtomicU64,
    disk: AtomicU64,
    answers: AtomicU64,
}

impl Room {
    /// So many bytes, in memory and in files of a folder.
    pub(super) fn new(folder: PathBuf, memory: u64, disk: u64) -> Arc<Self> {
        Arc::new(Self { folder, memory: memory.into(), disk: disk.into(), answers: ANSWERS.into() })
    }
}

/// A part of what is left; it is given back when this is dropped.
#[derive(Debug, Default)]
struct Share(u64);

impl Share {
    /// Takes more; nothing where there is not as much.
    fn grow(&mut self, left: &AtomicU64, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let taken = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(bytes));
        self.0 += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }

    fn give_back(&mut self, left: &AtomicU64) {
        left.fetch_add(std::mem::take(&mut self.0), Ordering::AcqRel);
    }
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    File(File),
}

/// What arrives for one request, or for one package of it.
#[derive(Debug)]
pub(super) struct Spool {
    kept: Kept,
    size: u64,
    share: Share,
    room: Arc<Room>,
}

impl Spool {
    /// An empty one.
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self { kept: Kept::Memory(Vec::new()), size: 0, share: Share::default(), room: room.clone() }
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What is left for others, too.
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Adds a piece. A failure is one for good: the piece may be there in part.
    pub(super) fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        self.size += piece.len() as u64;
        if let Kept::Memory(bytes) = &mut self.kept {
            let fits = bytes.len() + piece.len() <= IN_MEMORY;
            if fits && self.share.grow(&self.room.memory, piece.len()) {
                bytes.extend_from_slice(piece);
                return Ok(());
            }
            let bytes = std::mem::take(bytes);
            self.share.give_back(&self.room.memory);
            self.kept = Kept::File(tempfile::tempfile_in(&self.room.folder)?);
            self.keep_in_file(&bytes)?;
        }
        self.keep_in_file(piece)
    }

    fn keep_in_file(&mut self, piece: &[u8]) -> io::Result<()> {
        let Kept::File(file) = &mut self.kept else { return Ok(()) };
        if !self.share.grow(&self.room.disk, piece.len()) {
            let full = "other requests take all the room that there is for packages";
            return Err(io::Error::new(io::ErrorKind::StorageFull, full));
        }
        file.write_all(piece)
    }

    /// Reads it from its start.
    pub(super) fn read_whole(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(match &mut self.kept {
            Kept::Memory(bytes) => Box::new(&bytes[..]),
            Kept::File(file) => {
                file.seek(SeekFrom::Start(0))?;
                Box::new(io::BufReader::with_capacity(1 << 17, file))
            }
        })
    }

    /// Reads what stands at a place, as far as the buffer goes.
    pub(super) fn read_at(&self, place: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.kept {
            Kept::Memory(bytes) => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                bytes.get(place..).unwrap_or_default().read(buffer)
            }
            Kept::File(file) => file.read_at(buffer, place),
        }
    }
}

/// What the signer answered, piece by piece.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: Vec<Zeroizing<Vec<u8>>>,
    share: Share,
    room: Arc<Room>,
}

impl Pieces {
    /// None yet.
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self { pieces: Vec::new(), share: Share::default(), room: room.clone() }
    }

    /// Adds one; nothing where there is no room for it.
    pub(super) fn add(&mut self, piece: Zeroizing<Vec<u8>>) -> bool {
        let fits = self.share.grow(&self.room.answers, piece.len());
        self.pieces.extend(fits.then_some(piece));
        fits
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &piece[..])
    }

    /// The size of all, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.share.0
    }

    /// All as one, which is made in its size: no copy stays behind in a smaller buffer.
    pub(super) fn whole(&self) -> Zeroizing<Vec<u8>> {
        let mut whole = Zeroizing::new(Vec::with_capacity(self.all().map(<[u8]>::len).sum()));
        self.all().for_each(|piece| whole.extend_from_slice(piece));
        whole
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.share.give_back(&self.room.answers);
    }
}

impl Write for Spool {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.add(piece).map(|()| piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let left = match &self.kept {
            Kept::Memory(_) => &self.room.memory,
            Kept::File(_) => &self.room.disk,
        };
        self.share.give_back(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(memory: u64, disk: u64) -> Arc<Room> {
        Room::new(std::env::temp_dir(), memory, disk)
    }

    fn left(room: &Room) -> (u64, u64) {
        (room.memory.load(Ordering::Relaxed), room.disk.load(Ordering::Relaxed))
    }

    #[test]
    fn what_was_kept_is_read_again_wherever_it_lies() {
        let bytes: Vec<u8> = (0..u32::try_from(IN_MEMORY).unwrap()).flat_map(u32::to_le_bytes).collect();
        for (size, memory) in [(0, 1 << 20), (1000, 1 << 20), (1000, 999), (bytes.len(), 1 << 30)] {
            let room = room(memory, 1 << 30);
            let mut spool = Spool::new(&room);
            bytes[..size].chunks(777).for_each(|piece| spool.add(piece).unwrap());
            let mut read = Vec::new();
            spool.read_whole().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == bytes[..size], "{size}");
            let mut part = [0; 10];
            let place = size.saturating_sub(4);
            assert_eq!(spool.read_at(place as u64, &mut part).unwrap(), size - place);
            assert_eq!(part[..size - place], bytes[place..size]);
            let on_disk = size > 1000 || memory < 1000;
            let wanted =
                if on_disk { (memory, (1 << 30) - size as u64) } else { (memory - size as u64, 1 << 30) };
            assert_eq!(left(&room), wanted);
            drop(spool);
            assert_eq!(left(&room), (memory, 1 << 30));
        }
    }

    #[test]
    fn answers_have_a_limit_of_their_own() {
        let room = room(0, 0);
        let mut pieces = Pieces::new(&room);
        assert!(pieces.add(Zeroizing::new(b"one ".to_vec())) && pieces.add(Zeroizing::new(b"two".to_vec())));
        assert_eq!((&pieces.whole()[..], pieces.size()), (&b"one two"[..], 7));
        room.answers.store(2, Ordering::Relaxed);
        assert!(!pieces.add(Zeroizing::new(b"six".to_vec())));
        assert_eq!(pieces.size(), 7);
        drop(pieces);
        assert_eq!(room.answers.load(Ordering::Relaxed), 9);
    }

    #[test]
    fn all_together_have_a_limit() {
        let room = room(1000, 5000);
        let [mut one, mut two, mut three] = [(); 3].map(|()| Spool::new(&room));
        one.add(&[1; 900]).unwrap();
        two.add(&[2; 4000]).unwrap();
        let full = three.add(&[3; 1001]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        drop(two);
        drop(three);
        assert_eq!(left(&room), (100, 5000));
        one.add(&[1; 4100]).unwrap();
        assert_eq!(left(&room), (1000, 0));
        drop(one);
        assert_eq!(left(&room), (1000, 5000));
    }
}
