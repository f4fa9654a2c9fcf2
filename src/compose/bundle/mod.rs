//! A bundle: every input of a lock in a folder of its own, so that a release can be composed when the places that it came
//! from no longer have them.
//!
//! ```text
//! DIR/index
//! DIR/sha256/aa/HEX
//! ```
//!
//! Each file is named by the 64 hexadecimal digits of its sha256 and lies in a folder of the first two. `index` is text: the
//! first line is `gander-bundle 1`, then a line for each use of a file, sorted: its digits, its size in bytes and what it is
//! (`package NEVRA`, `debian POOLPATH`, `image`, `object`, `universe`, `snapshot ID`), between TABs. It is written last. A
//! bundle may hold the inputs of several locks.

mod read;
mod write;

use std::path::{Path, PathBuf};

pub use read::Bundle;
pub use write::{Bundled, bundle};

use crate::base::Digest;

const FIRST: &str = "gander-bundle 1";
const INDEX: &str = "index";
/// More than the index of any bundle has.
const LARGEST_INDEX: u64 = 1 << 30;

/// Where a file of a bundle is.
fn place(folder: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    folder.join("sha256").join(hex.get(..2).unwrap_or_default()).join(hex)
}
