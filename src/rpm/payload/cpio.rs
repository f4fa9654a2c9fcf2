//! The heads of a cpio archive's members.
//!
//! | magic | head | then |
//! |---|---|---|
//! | `070701`, `070702` | 13 numbers of 8 hexadecimal digits: inode, mode, uid, gid, links, mtime, size, device (2), device node (2), length of the name, checksum | the name with its NUL, zeros to a multiple of 4, the content, zeros to a multiple of 4 |
//! | `07070X` | one number: the file's place in the header's list, from 0 | zeros to a multiple of 4, the content, zeros to a multiple of 4 |
//!
//! Places in the archive count from its start. `TRAILER!!!` is the name of the member that ends it; rpm also takes
//! the place `ffffffff` for that. The checksums of `070702` are not looked at, as by rpm (4.18, `lib/cpio.c`).

use std::io::{self, Read};

use super::PayloadError;

/// Bytes of a name with its NUL, as in rpm.
const LONGEST_NAME: usize = 4096;
const NUMBERS: usize = 13;
const TRAILER: &[u8] = b"TRAILER!!!";

/// The head of a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A member that says what it is.
    Named { name: Vec<u8>, mode: u32, size: u64 },
    /// A file of the header's list.
    Listed(u32),
    /// The end.
    Trailer,
}

/// An archive, member by member.
#[derive(Debug)]
pub(super) struct Archive<R> {
    pub(super) reader: R,
    place: u64,
}

impl<R: Read> Archive<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, place: 0 }
    }

    /// How much of the archive was read.
    pub(super) const fn place(&self) -> u64 {
        self.place
    }

    /// Reads all of a buffer.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), PayloadError> {
        self.reader.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => PayloadError::Truncated(self.place),
            _ => PayloadError::Read(error),
        })?;
        self.place += buffer.len() as u64;
        Ok(())
    }

    /// Reads some of a content.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.place += length as u64;
        Ok(length)
    }

    fn skip_padding(&mut self) -> Result<(), PayloadError> {
        let wanted = self.place.next_multiple_of(4) - self.place;
        let mut zeros = [0; 4];
        let padding = zeros.get_mut(..wanted as usize).unwrap_or_default();
        self.fill(padding)
    }

    /// Reads the next head; the content of the member before must have been read.
    pub(super) fn head(&mut self) -> Result<Head, PayloadError> {
        self.skip_padding()?;
        let start = self.place;
        let malformed = |rule| PayloadError::Archive { place: start, rule };
        let mut magic = [0; 6];
        self.fill(&mut magic)?;
        let head = match &magic {
            b"07070X" => match self.number(start)? {
                u32::MAX => Head::Trailer,
                place => Head::Listed(place),
            },
            b"070701" | b"070702" => {
                let mut numbers = [0; NUMBERS];
                for number in &mut numbers {
                    *number = self.number(start)?;
                }
                let [_, mode, _, _, _, _, size, _, _, _, _, length, _] = numbers;
                let length = length as usize;
                if length == 0 || length > LONGEST_NAME {
                    return Err(malformed("the length of its name is out of bounds"));
                }
                let mut name = vec![0; length];
                self.fill(&mut name)?;
                if name.iter().position(|byte| *byte == 0) != Some(length - 1) {
                    return Err(malformed("its name does not end where it should"));
                }
                name.pop();
                let size = u64::from(size);
                if name == TRAILER { Head::Trailer } else { Head::Named { name, mode, size } }
            }
            _ => return Err(malformed("it does not start with a magic number of cpio")),
        };
        self.skip_padding()?;
        Ok(head)
    }

    /// A number of eight hexadecimal digits.
    fn number(&mut self, start: u64) -> Result<u32, PayloadError> {
        let mut digits = [0; 8];
        self.fill(&mut digits)?;
        let value = |sum: u32, digit: &u8| Some(sum << 4 | char::from(*digit).to_digit(16)?);
        let number = digits.iter().try_fold(0, value);
        number.ok_or(PayloadError::Archive { place: start, rule: "a number in it is not hexadecimal" })
    }
}
