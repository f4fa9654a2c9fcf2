//! Taking inputs from a bundle.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{FIRST, INDEX, LARGEST_INDEX, place};
use crate::base::Digest;
use crate::compose::error::ComposeError;
use crate::store::Store;

/// A bundle that inputs can be taken from.
#[derive(Clone, Debug)]
pub struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    /// Opens a bundle: a folder with an index.
    pub fn open(folder: &Path) -> Result<Self, ComposeError> {
        let index = folder.join(INDEX);
        let mut first = vec![0; FIRST.len() + 1];
        let read = File::open(&index).and_then(|mut file| file.read_exact(&mut first));
        read.map_err(|error| ComposeError::read(&index, error))?;
        if first != format!("{FIRST}\n").as_bytes() {
            return Err(ComposeError::NoBundle(folder.into()));
        }
        Ok(Self { folder: folder.into() })
    }

    /// Takes an input into the store, if the bundle has it; whether it had. A file that is not what it is called is an error:
    /// who keeps a bundle has to know that it is damaged.
    pub fn take(&self, store: &Store, digest: &Digest) -> Result<bool, ComposeError> {
        let path = place(&self.folder, digest);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(false);
        }
        let (found, _) = store.put_file(&path)?;
        match found == *digest {
            true => Ok(true),
            false => {
                let what = path.display().to_string();
                Err(ComposeError::WrongDigest { what, found, wanted: *digest })
            }
        }
    }
}

/// The lines of a bundle's index; none where there is no bundle yet.
pub(super) fn lines(folder: &Path) -> Result<Vec<String>, ComposeError> {
    let path = folder.join(INDEX);
    let mut text = String::new();
    match File::open(&path).and_then(|file| file.take(LARGEST_INDEX).read_to_string(&mut text)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| ComposeError::read(&path, error))?,
    };
    let mut lines = text.lines();
    if lines.next() != Some(FIRST) || !text.ends_with('\n') {
        return Err(ComposeError::NoBundle(folder.into()));
    }
    Ok(lines.map(str::to_owned).collect())
}
