//! What the parent tells the jail and what the jail answers, over the socket that is its stdin.
//!
//! A message is four bytes of length, little endian, and that much JSON. The conversation:
//!
//! | parent | jail |
//! |---|---|
//! | [`Request`] (and, for a person's command, the terminal's stdin as a descriptor) | |
//! | | [`Report::Entered`]: it is in its user namespace, which has no map yet |
//! | [`Go`]: the map is written | |
//! | | one of the other reports, then the end of the stream |
//! | the end of the stream, at any time: everything is to end | |

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::{Digest, RelPath, SourceDate};
use crate::plan::Rights;

/// No message is larger; a command line cannot be either.
const LIMIT: u32 = 16 << 20;

/// One thing to do in a jail.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Whether a person's terminal is behind it: it stays in the terminal's session.
    pub interactive: bool,
    /// Whether the map has one id.
    pub single: bool,
    /// What to do.
    pub task: Task,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Task {
    /// A step in a jail.
    Cell(Cell),
    /// What needs the ids of the map, but no jail.
    Errand(Errand),
}

/// What an ordinary user cannot do to files of the map's other ids from outside the map.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Errand {
    /// Remove a folder.
    Remove { folder: PathBuf },
    /// Lay out an image.
    LayOut { store: PathBuf, image: Digest, dest: PathBuf },
    /// Lay out a tree; with the mount points of a jail, if it is to be a step's root; where the map has one id, all
    /// as root's.
    Tree { store: PathBuf, tree: Digest, dest: PathBuf, as_root: bool },
    /// Take in a folder as a tree, with the owners that are written there.
    Capture { store: PathBuf, folder: PathBuf, clamp: SourceDate, owners: Option<PathBuf> },
}

/// The jail of a step.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cell {
    /// The folder that becomes `/`; none for an empty one.
    pub root: Option<PathBuf>,
    /// What is seen in it, each after what it lies in.
    pub binds: Vec<Bind>,
    /// The CPU that it runs on; all that are allowed if none.
    pub cpu: Option<usize>,
    /// What it may do beyond what every step may.
    pub rights: Rights,
    /// Where the owners of files are written that the only id cannot hold; for a map of many ids nowhere. After
    /// the step it tells those of its output.
    pub owners: Option<PathBuf>,
    /// Whether programs are to believe that this is a 32-bit machine.
    pub bits32: bool,
    /// The OCI runtime that runs the program; none for the embedded runner.
    pub runtime: Option<PathBuf>,
    /// What is done in it.
    pub work: Work,
}

impl Cell {
    /// Whether a root file system is made in `/out`, which then has mounts of its own if a program makes it.
    pub fn makes_root(&self) -> bool {
        self.rights == Rights::MakeRoot
    }

    /// Whether a program runs in it, and not gander's own code.
    pub fn is_program(&self) -> bool {
        matches!(self.work, Work::Program { .. })
    }
}

/// A folder or file of the host that the jail shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bind {
    pub source: PathBuf,
    pub target: RelPath,
    pub writable: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Work {
    Program { argv: Vec<String>, environment: BTreeMap<String, String>, folder: String },
    Native { kind: String, params: BTreeMap<String, String>, source_date: SourceDate },
}

/// The map is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Go;

/// What the jail answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It is in its user namespace and waits for the map.
    Entered,
    /// It could not be set up.
    Failed { stage: Stage, doing: String, errno: i32 },
    /// The native step or the errand failed: its error and what caused that, in order, and the number of the
    /// system's error if one is among the causes.
    Native { causes: Vec<String>, errno: Option<i32> },
    /// The tree that was taken in.
    Captured(Digest),
    /// The OCI runtime could not do its own work: what it said.
    Runtime { said: String },
    /// The program (or the process of the native step) ended.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It did what one id cannot do as many can, in words that follow "it".
    Inexact(String),
}

/// How far the jail got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Making namespaces.
    Namespaces,
    /// Making its file system.
    Mounts,
    /// Giving up rights.
    Confine,
    /// Starting the program.
    Execute,
}

/// Sends one message.
pub(super) fn send(mut stream: impl Write, message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= LIMIT);
    let length =
        length.ok_or_else(|| io::Error::other("the description of the step is larger than 16 MiB"))?;
    stream.write_all(&[&length.to_le_bytes(), json.as_slice()].concat())
}

/// Receives one message; an error of kind `UnexpectedEof` when there is none.
pub(super) fn receive<T: DeserializeOwned>(mut stream: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LIMIT {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message larger than 16 MiB"));
    }
    let mut json = vec![0; length as usize];
    stream.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip_and_are_bounded() {
        let mut bytes = Vec::new();
        send(&mut bytes, &Report::Exited(3)).unwrap();
        send(&mut bytes, &Go).unwrap();
        let mut stream = &bytes[..];
        assert!(matches!(receive(&mut stream).unwrap(), Report::Exited(3)));
        receive::<Go>(&mut stream).unwrap();
        assert_eq!(receive::<Go>(&mut stream).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let huge = [0xff; 8];
        assert_eq!(receive::<Go>(&huge[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(send(&mut bytes, &"x".repeat(17 << 20)).is_err());
    }
}
