//! The form in which a universe is kept. Reading it costs little, and a universe has one such form.
//!
//! Integers are little endian and have 4 bytes where nothing else is said. Texts and relations are numbered in the order
//! in which they come up first. One that comes up for the first time is written 0, any other one its number plus 1,
//! numbers being counted from 0.
//!
//! | part | bytes |
//! |---|---|
//! | magic `gander universe 2\n` | 18 |
//! | bytes of all texts, how many texts, how many candidates | 3 × 4 |
//! | length of each text in bytes | 4 each |
//! | the texts one after the other, UTF-8 | *n* |
//! | each candidate in canonical order: | |
//! | name (a text), epoch | 4 + 4 |
//! | version, release and arch, each with its length before it | 3 × (4 + *n*) |
//! | key | 32 |
//! | 1 if it is only looked aside at, plus 2 if it has a source | 1 |
//! | its source (a text), if it has one | 4 |
//! | for each list (provides, requires, conflicts, obsoletes, recommends, supplements): how many | 6 × 4 |
//! | … then each relation; one that is new goes on with name, version (texts) and rpm's bits of the comparison | 4 (+ 4 + 4 + 1) |
//! | how many files | 4 |
//! | … then each: folder with `/` at its end and name (texts), kind (0 file, 1 folder, 2 ghost) | 4 + 4 + 1 |
//! | how many trees it does not belong to | 4 |
//! | … then each, with its length before it | 4 + *n* |
//!
//! Nothing else is taken for a universe: no text and no relation is there twice, none is there that no candidate has, each
//! path is divided behind its last `/`, and the candidates are sorted.
//!
//! The universe's digest is that of this form. It is stored as a zstd stream, and its digest does not depend on the
//! compressor.

use std::io::Read;

use super::read::{HEAD, MAGIC, counts_of};
use super::{File, Related, Row, TextId, Universe, UniverseError};
use crate::base::{Digest, Evr};

/// Larger than any distribution: 60,000 packages with all their file names have 200 MB.
const LARGEST: usize = 1 << 30;
/// No genuine universe shrinks to a hundredth, since nothing compresses the keys: what expands to a thousand times its
/// size was made to take memory, if that is more than a little.
const EXPANDS: usize = 1000;
const LITTLE: usize = 16 << 20;
/// Levels of zstd up to 19 look back no further than this power of two.
const WINDOW: u32 = 23;
/// What is large stays in the store: a level that takes a moment.
const LEVEL: i32 = 3;
/// What is small travels in locks, which are kept for good.
const SMALL: usize = 1 << 20;
const LEVEL_OF_SMALL: i32 = 19;

/// A universe as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The digest of its form.
    pub digest: Digest,
    /// Its form, compressed.
    pub bytes: Vec<u8>,
}

/// Bytes that what is stored in so many may expand to.
fn room(stored: usize) -> usize {
    stored.saturating_mul(EXPANDS).clamp(LITTLE, LARGEST)
}

impl Universe {
    /// Its form, compressed, and the digest of the form.
    pub fn encode(&self) -> Result<Encoded, UniverseError> {
        let plain = self.to_bytes().ok_or(UniverseError::TooLarge)?;
        let compress = |level| zstd::bulk::compress(&plain, level).map_err(UniverseError::Compression);
        let mut bytes = compress(LEVEL)?;
        if bytes.len() <= SMALL {
            bytes = compress(LEVEL_OF_SMALL)?;
        }
        if plain.len() > room(bytes.len()) {
            return Err(UniverseError::TooLarge);
        }
        Ok(Encoded { digest: Digest::of(&plain), bytes })
    }

    /// Reads what [`Universe::encode`] wrote.
    pub fn decode(stored: &[u8]) -> Result<Self, UniverseError> {
        let mut decoder = zstd::Decoder::with_buffer(stored).map_err(UniverseError::Compression)?;
        decoder.window_log_max(WINDOW).map_err(UniverseError::Compression)?;
        let mut read = |most: usize, plain: &mut Vec<u8>| {
            decoder.by_ref().take(most as u64).read_to_end(plain).map_err(UniverseError::Compression)
        };
        let (room, mut plain) = (room(stored.len()), Vec::new());
        read(HEAD, &mut plain)?;
        let promised = counts_of(&plain)?.least();
        if promised > room {
            let reason = format!("it promises {promised} bytes, and may have no more than {room}");
            return Err(UniverseError::Damaged { at: MAGIC.len(), reason });
        }
        plain.reserve_exact(promised);
        read(room - HEAD, &mut plain)?;
        if read(1, &mut plain)? > 0 {
            return Err(UniverseError::Damaged { at: room, reason: "it may not have more bytes".into() });
        }
        Self::from_bytes(&plain)
    }

    /// Its form; none where there is more of something than can be counted.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let Self { texts, lists, files, rows, .. } = self;
        let mut to = Writer { bytes: MAGIC.to_vec(), texts: 0, relations: 0 };
        // What one knows is that most relations are known and that most files have new names.
        to.bytes.reserve(
            texts.all().len() + 4 * texts.len() + 4 * lists.len() + 9 * files.len() + 120 * rows.len(),
        );
        for count in [texts.all().len(), texts.len(), rows.len()] {
            to.count(count)?;
        }
        for (_, text) in texts.iter() {
            to.count(text.len())?;
        }
        to.bytes.extend(texts.all().as_bytes());
        for row in rows {
            to.row(self, row)?;
        }
        Some(to.bytes)
    }
}

/// The form so far.
struct Writer {
    bytes: Vec<u8>,
    /// How many texts and relations came up.
    texts: u32,
    relations: u32,
}

impl Writer {
    fn number(&mut self, number: u32) {
        self.bytes.extend(number.to_le_bytes());
    }

    /// None where it is too large.
    fn count(&mut self, count: usize) -> Option<()> {
        self.number(u32::try_from(count).ok()?);
        Some(())
    }

    fn inline(&mut self, text: &str) -> Option<()> {
        self.count(text.len())?;
        self.bytes.extend(text.as_bytes());
        Some(())
    }

    fn text(&mut self, number: TextId) {
        if number < self.texts {
            // No text has the highest number.
            self.number(number.saturating_add(1));
        } else {
            self.number(0);
            self.texts = number.saturating_add(1);
        }
    }

    fn row(&mut self, universe: &Universe, row: &Row) -> Option<()> {
        let Row { nevra, key, name, source, lists, files, not_for, lookaside } = row;
        self.text(*name);
        let Evr { epoch, version, release } = &nevra.evr;
        self.number(*epoch);
        for text in [version, release, &nevra.arch] {
            self.inline(text)?;
        }
        self.bytes.extend(key.as_bytes());
        self.bytes.push(u8::from(*lookaside) | u8::from(source.is_some()) << 1);
        source.iter().for_each(|source| self.text(*source));
        for list in lists {
            let list = list.of(&universe.lists);
            self.count(list.len())?;
            for number in list {
                if *number < self.relations {
                    self.number(number.saturating_add(1));
                } else {
                    let Related { name, sense, version } = universe.relations.get(*number as usize)?;
                    self.number(0);
                    self.relations = number.saturating_add(1);
                    self.text(*name);
                    self.text(*version);
                    self.bytes.push(sense.bits());
                }
            }
        }
        let files = files.of(&universe.files);
        self.count(files.len())?;
        for File { folder, name, kind } in files {
            self.text(*folder);
            self.text(*name);
            self.bytes.push(*kind as u8);
        }
        self.count(not_for.len())?;
        for tree in not_for {
            self.inline(tree)?;
        }
        Some(())
    }
}
