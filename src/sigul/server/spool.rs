//! Where a package is kept while it is signed: in memory, or in a file without a name.

use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::SpooledTempFile;

/// Larger ones are written to disk.
const IN_MEMORY: usize = 1 << 20;

/// A package that arrives.
#[derive(Debug)]
pub(super) struct Spool(SpooledTempFile);

impl Spool {
    /// An empty one; its file, if it needs one, is made in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self(tempfile::spooled_tempfile_in(IN_MEMORY, folder))
    }

    /// Adds a piece.
    pub(super) fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        self.0.write_all(piece)
    }

    /// Reads it from its start.
    pub(super) fn from_start(&mut self) -> io::Result<impl Read + '_> {
        self.0.seek(SeekFrom::Start(0))?;
        Ok(io::BufReader::with_capacity(1 << 17, &mut self.0))
    }

    /// Reads what stands at a place, as far as the buffer goes.
    pub(super) fn read_at(&mut self, place: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.seek(SeekFrom::Start(place))?;
        self.0.read(buffer)
    }
}
