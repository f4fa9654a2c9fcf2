//! Reading a ledger and finding what was done to it.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::entry::{Head, LONGEST_LINE, Line};
use crate::base::Digest;

/// What is wrong with a ledger: somebody changed it, or lost a part of it. Trying again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No line of a ledger.
    #[error("line {line} of '{file}' is no line of a ledger: {detail}")]
    Line {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: u64,
        /// Why.
        detail: String,
    },
    /// A number is not the next one: lines are missing, moved, or there twice.
    #[error(
        "line {line} of '{file}' has the number {found} where {wanted} should be: lines were removed, added or moved"
    )]
    Number {
        /// The file's name.
        file: String,
        /// The line, from 1.
        line: u64,
        /// Its number.
        found: u64,
        /// The number that should be there.
        wanted: u64,
    },
    /// The hash is not that of the line before: that one was changed, or another is missing.
    #[error("entry {seq} in '{file}' does not follow from the entry before it: one of them was changed")]
    Chain {
        /// The file's name.
        file: String,
        /// The entry.
        seq: u64,
    },
    /// The name of a file does not fit its first entry.
    #[error("the file '{file}' should begin with entry {wanted}")]
    Name {
        /// The file's name.
        file: String,
        /// The number that the name says, or that should come next.
        wanted: u64,
    },
    /// The file does not end with the end of a line. The next start of the signer handles that.
    #[error(
        "'{file}' ends within a line, after {bytes} bytes of it: the signer was killed while it wrote that"
    )]
    Torn {
        /// The file's name.
        file: String,
        /// How much of the line is there.
        bytes: usize,
    },
    /// A head that was noted elsewhere is not in it.
    #[error(
        "the ledger ends with entry {found}, but {noted} entries are known to have been written: its end was cut"
    )]
    Cut {
        /// The entries that are there.
        found: u64,
        /// The entries that were there.
        noted: u64,
    },
    /// The entry of a noted head is another one.
    #[error("entry {0} is not the one that was noted: the ledger was changed")]
    Head(u64),
    /// A hash that was noted is that of no entry.
    #[error("no entry has the hash {0}: the ledger was changed or its end was cut")]
    NoSuchHead(Digest),
}

/// A file cannot be read. Trying again may help.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's '{}' cannot be read", path.display())]
pub struct ReadError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The files of a ledger with the number of their first entry, in order. Others are none of its.
pub fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, ReadError> {
    let error = |source| ReadError { path: folder.into(), source };
    #[allow(clippy::disallowed_methods, reason = "the names are sorted")]
    let entries = fs::read_dir(folder).map_err(error)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(error)?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(number_of);
        files.extend(number.map(|number| (number, path)));
    }
    files.sort();
    Ok(files)
}

/// The name of the file that begins with an entry.
pub(super) fn name_of(first: u64) -> String {
    format!("{first:012}.jsonl")
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".jsonl")?;
    (number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| number.parse().ok())?
}

/// What reading found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The last whole line.
    pub head: Head,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Half a line at the very end.
    pub torn: Option<Vec<u8>>,
}

impl Found {
    /// Whether nothing was done to it; half a line at the end is no harm.
    pub fn is_whole(&self) -> bool {
        self.problems.iter().all(|problem| matches!(problem, Problem::Torn { .. }))
    }
}

/// A head noted elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Count and hash.
    Head(Head),
    /// Only the hash.
    Hash(Digest),
}

/// At most this many problems are told.
const PROBLEMS: usize = 100;

/// Reads a ledger from the file that begins with entry `from` (1: all of it; another one only if a file's name says
/// it), checks all of it against itself and against heads noted elsewhere, and gives each line with its raw bytes.
pub fn read(
    folder: &Path,
    from: u64,
    noted: &[Noted],
    mut each: impl FnMut(&Line, &[u8]),
) -> Result<Found, ReadError> {
    let mut files = files(folder)?;
    files.retain(|(first, _)| *first >= from);
    let mut found = Found { head: Head::EMPTY, problems: Vec::new(), torn: None };
    let mut open: Vec<Noted> = noted.to_vec();
    if from > 1 {
        found.head.count = from - 1;
    } else {
        open.retain(|noted| !matches!(noted, Noted::Head(head) if head.count == 0));
    }
    // The first hash is only known where reading begins with the first entry.
    let mut known = from <= 1;
    let last = files.len().saturating_sub(1);
    for (place, (first, path)) in files.iter().enumerate() {
        let error = |source| ReadError { path: path.clone(), source };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let next = found.head.count.saturating_add(1);
        if *first != next {
            found.problems.push(Problem::Name { file: name.clone(), wanted: next });
        }
        let mut reader = BufReader::with_capacity(1 << 18, File::open(path).map_err(error)?);
        let mut number = 0;
        let mut raw = Vec::new();
        loop {
            raw.clear();
            let most = LONGEST_LINE as u64 + 2;
            if reader.by_ref().take(most).read_until(b'\n', &mut raw).map_err(error)? == 0 {
                break;
            }
            number += 1;
            if found.problems.len() >= PROBLEMS {
                return Ok(found);
            }
            let Some(text) = raw.strip_suffix(b"\n") else {
                if raw.len() as u64 >= most {
                    let detail = "it is too long".into();
                    found.problems.push(Problem::Line { file: name.clone(), line: number, detail });
                    return Ok(found);
                }
                found.problems.push(Problem::Torn { file: name.clone(), bytes: raw.len() });
                if place == last {
                    found.torn = Some(raw.clone());
                }
                break;
            };
            let line: Line = match serde_json::from_slice(text) {
                Ok(line) => line,
                Err(error) => {
                    let detail = error.to_string();
                    found.problems.push(Problem::Line { file: name.clone(), line: number, detail });
                    known = false;
                    found.head.count = found.head.count.saturating_add(1);
                    continue;
                }
            };
            let wanted = found.head.count.saturating_add(1);
            if line.seq != wanted {
                found.problems.push(Problem::Number {
                    file: name.clone(),
                    line: number,
                    found: line.seq,
                    wanted,
                });
            } else if known && line.prev != found.head.hash {
                found.problems.push(Problem::Chain { file: name.clone(), seq: line.seq });
            }
            // What one entry says of the one before also holds a head that was noted.
            if !known {
                settle(
                    &mut open,
                    Head { count: line.seq.saturating_sub(1), hash: line.prev },
                    &mut found.problems,
                );
            }
            known = true;
            found.head = Head { count: line.seq, hash: Digest::of(text) };
            settle(&mut open, found.head, &mut found.problems);
            each(&line, text);
        }
    }
    for noted in open {
        found.problems.push(match noted {
            Noted::Head(head) => Problem::Cut { found: found.head.count, noted: head.count },
            Noted::Hash(hash) => Problem::NoSuchHead(hash),
        });
    }
    Ok(found)
}

/// Ticks off the heads that a line confirms or contradicts.
fn settle(open: &mut Vec<Noted>, head: Head, problems: &mut Vec<Problem>) {
    open.retain(|noted| match noted {
        Noted::Head(noted) if noted.count == head.count => {
            if noted.hash != head.hash {
                problems.push(Problem::Head(noted.count));
            }
            false
        }
        Noted::Hash(hash) => *hash != head.hash,
        Noted::Head(_) => true,
    });
}
