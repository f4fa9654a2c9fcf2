//! Headers of a tag's packages that were read before: the store keeps what was taken from them, so that only those that
//! are new are read again.
//!
//! They are kept as the result of an action; its key is made of the hub, the tag and the accepted keys, its output the file
//! `known`: one JSON object a line, compressed. Whatever is wrong with that (a damaged object, a form of another gander, a
//! full disk when it is written) it counts as absent and headers are read again, so an answer depends on nothing but them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, BufWriter, IntoInnerError, Read as _, Write as _};

use serde::{Deserialize, Serialize};

use crate::base::canonical::Encoder;
use crate::base::{Digest, RelPath};
use crate::select::Candidate;
use crate::store::{Entry, EntryKind, Store, StoreError, Tree};

const FILE: &str = "known";
const LARGEST: u64 = 2 << 30;
const LONGEST_LINE: u64 = 256 << 20;
const MOST: usize = 2_000_000;
const LEVEL: i32 = 1;

/// Which headers: of an RPM's wanted copy, as the hub describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Which {
    /// The name of the file.
    pub name: String,
    /// The hub's payloadhash.
    pub payloadhash: String,
    /// The size of the primary file.
    pub size: i64,
    /// The hub's sighash of the wanted copy; empty for the primary file.
    pub sighash: String,
}

/// What was taken from headers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    /// Which they were.
    pub which: Which,
    /// What selection sees, with the digest of the main header as its key.
    pub candidate: Candidate,
    /// The arches of `ExclusiveArch`.
    pub exclusive: Vec<String>,
    /// The arches of `ExcludeArch`.
    pub excluded: Vec<String>,
    /// Where the copy is.
    pub at: At,
    /// The accepted key that signed it, as the recipe names it.
    pub signed: Option<String>,
    /// Who signed it, for people.
    pub signers: Vec<String>,
}

/// Where a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum At {
    /// The signed copy is there.
    Signed,
    /// The primary file is the wanted copy.
    Primary,
    /// It has to be put together with this signature header, an object of the store.
    Apart(Digest),
}

/// The key under which headers are kept.
pub(super) fn key(hub: &str, tag: i64, accepted: &[String]) -> Digest {
    let mut key = Encoder::new("gander koji headers 1");
    key.bytes(hub).bytes(tag.to_string()).list(accepted.len());
    for fingerprint in accepted {
        key.bytes(fingerprint);
    }
    key.finish()
}

/// What is kept under a key.
pub(super) fn find(store: &Store, key: &Digest) -> BTreeMap<Which, Known> {
    read(store, key).unwrap_or_default()
}

fn read(store: &Store, key: &Digest) -> Option<BTreeMap<Which, Known>> {
    let (_, tree) = store.action(key).ok()??;
    let (digest, _) = tree.file(&RelPath::new(FILE).ok()?)?;
    let stored = store.read_object(&digest, LARGEST).ok()?;
    let decoder = zstd::Decoder::with_buffer(&stored[..]).ok()?;
    let mut reader = BufReader::new(decoder.take(LARGEST));
    let (mut found, mut line) = (BTreeMap::new(), Vec::new());
    while found.len() < MOST {
        line.clear();
        if reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).ok()? == 0 {
            break;
        }
        let known: Known = serde_json::from_slice(&line).ok()?;
        found.insert(known.which.clone(), known);
    }
    Some(found)
}

/// Keeps what was taken from headers, in place of what was kept under that key.
pub(super) fn keep<'k>(
    store: &Store,
    key: &Digest,
    known: impl Iterator<Item = &'k Known>,
) -> Result<(), StoreError> {
    let encode = || {
        let encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
        let mut out = BufWriter::with_capacity(1 << 16, encoder);
        for known in known {
            serde_json::to_writer(&mut out, known)?;
            out.write_all(b"\n")?;
        }
        out.into_inner().map_err(IntoInnerError::into_error)?.finish()
    };
    // What cannot be kept is read again the next time.
    let Ok(bytes) = encode() else { return Ok(()) };
    let digest = store.put_bytes(&bytes)?;
    let kind = EntryKind::File { digest, size: bytes.len() as u64 };
    let entry = Entry { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: BTreeMap::new(), kind };
    let tree = RelPath::new(FILE).ok().and_then(|path| Tree::new(BTreeMap::from([(path, entry)])).ok());
    let tree = store.put_tree(&tree.unwrap_or_default())?;
    store.record_action(key, &tree)
}
