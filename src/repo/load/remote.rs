//! Repositories at an address: `repomd.xml` as it is now, lists by their digests, into the store.
//!
//! One base address, no mirrors. Files are known by their SHA-256 in the store, so lists that `repomd.xml` names by another
//! checksum are not read.

use std::fs::File;

use super::super::open::url;
use super::{Fault, LARGEST, Lists, LoadError, Place, REPOMD, Repository, What, open_regular, read_bounded};
use crate::base::{Digest, RelPath};
use crate::fetch::{FetchError, Fetcher, Reason, Wanted};
use crate::format::repodata::{Checksum, Data, LARGEST_CONTENT, List};
use crate::store::{Store, StoreError};

/// How many files are downloaded at a time.
pub const PARALLEL: usize = 6;

/// A repository at an address.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The address of its folder, without a `/` at its end.
    base: String,
    store: Store,
}

impl Remote {
    /// The address of a file of it.
    pub fn url(&self, path: &RelPath) -> String {
        url(&self.base, path.as_str())
    }

    /// Opens a file that was downloaded; nothing is said about one that failed to be, which is a fault already.
    pub(super) fn open(&self, data: &Data) -> Result<File, Option<Fault>> {
        let Some(digest) = data.checksum.sha256() else { return Err(foreign(data)) };
        self.object(&digest).map_err(|_| None)
    }

    /// Opens a file that was downloaded, by its digest.
    pub fn object(&self, digest: &Digest) -> Result<File, StoreError> {
        self.store.open_object(digest)
    }
}

fn foreign(data: &Data) -> Option<Fault> {
    Some(Fault::new(data.location.as_str(), What::Foreign(data.checksum)))
}

/// Downloads a repository's metadata and reads it.
pub(super) async fn load(
    name: &str,
    lists: Lists,
    fetcher: &Fetcher,
    store: &Store,
) -> Result<Repository, LoadError> {
    let base = name.trim_end_matches('/').to_owned();
    let remote = Remote { base, store: store.clone() };
    let mut repository = Repository::new(name, Place::Remote(remote.clone()));
    match fetcher.small(&url(&remote.base, REPOMD), LARGEST).await {
        Ok(bytes) => repository.take_repomd(bytes),
        Err(error) => {
            repository.faults.push(Fault::new(REPOMD, of_fetch(error)?));
            return Ok(repository);
        }
    }
    let wanted: Vec<Data> =
        repository.repomd.data.iter().filter(|data| wanted(data, lists)).cloned().collect();
    repository.download(&wanted, fetcher).await?;
    repository.read_lists(lists)?;
    Ok(repository)
}

fn wanted(data: &Data, lists: Lists) -> bool {
    let list = List::ALL.into_iter().find(|list| list.name() == data.kind);
    list.is_some_and(|list| lists.has(list)) || (lists == Lists::All && data.kind.starts_with("group"))
}

impl Repository {
    /// Downloads files of the metadata. What the server lacks or has otherwise is a fault.
    pub async fn download(&mut self, data: &[Data], fetcher: &Fetcher) -> Result<(), LoadError> {
        let Place::Remote(remote) = &self.place else { return Ok(()) };
        let mut files = Vec::new();
        for data in data {
            // Another checksum is a fault when the file is opened; so is a size beyond the bound of contents.
            let Some(digest) = data.checksum.sha256() else { continue };
            let size = data.size.unwrap_or(LARGEST_CONTENT).min(LARGEST_CONTENT);
            files.push(Wanted {
                label: data.location.to_string(),
                urls: vec![remote.url(&data.location)],
                digest,
                size: data.size.map(|_| size),
            });
        }
        match fetcher.all(files, PARALLEL, &()).await {
            Ok(()) => Ok(()),
            Err(FetchError::Failed(failed)) => {
                for file in failed {
                    let label = file.label.clone();
                    let what = of_fetch(FetchError::Failed(vec![file]))?;
                    self.faults.push(Fault::new(&label, what));
                }
                self.faults.sort();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a failed download says about a file; the failure itself, where the network is at fault.
fn of_fetch(error: FetchError) -> Result<What, LoadError> {
    // What comes in another length than stated is the file's fault, though another mirror could have it whole.
    let cut = |reason: &Reason| matches!(reason, Reason::Cut { .. });
    let last = error.failed().iter().flat_map(|file| file.attempts.last()).next();
    let reason = match (&error, last) {
        (FetchError::Small(attempt), _) => Some(&attempt.reason),
        (FetchError::Failed(_), Some(attempt)) => Some(&attempt.reason),
        _ => None,
    };
    match reason {
        Some(Reason::Gone(_)) => Ok(What::Missing),
        Some(Reason::Size { found, wanted }) => Ok(What::Size { stated: *wanted, found: *found }),
        Some(Reason::Digest { expected, .. }) => Ok(What::Checksum(Checksum::Sha256(*expected))),
        Some(reason) if cut(reason) || !(reason.is_surroundings() || matches!(reason, Reason::Offline)) => {
            Ok(What::Unreadable(reason.to_string()))
        }
        _ => Err(error.into()),
    }
}

/// What a server said about a file's size: nothing, a number, or what is wrong with the file.
pub fn said(answer: Result<Option<u64>, FetchError>) -> Result<Result<Option<u64>, What>, LoadError> {
    match answer {
        Ok(size) => Ok(Ok(size)),
        Err(error) => of_fetch(error).map(Err),
    }
}

impl Repository {
    /// A small file, which nothing names; none where it is not there.
    pub async fn small(&self, path: &str, fetcher: &Fetcher) -> Result<Option<Vec<u8>>, LoadError> {
        match &self.place {
            Place::Folder(root) => {
                let read = open_regular(&root.join(path)).and_then(|file| read_bounded(file, LARGEST));
                match read.map_err(|error| Fault::of_io(path, error)) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(fault) => fault.map(|_| None),
                }
            }
            Place::Remote(remote) => match fetcher.small(&url(&remote.base, path), LARGEST).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => of_fetch(error).map(|_| None),
            },
        }
    }
}
