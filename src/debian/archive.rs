//! From the network: what an archive offers, and the packages of a lock.

use std::collections::BTreeMap;
use std::io::{self, BufReader};

use super::index::{Index, IndexError};
use super::lock::{Lock, LockedDeb};
use super::mirror::Mirrors;
use super::release::{MAX_SIZE, Release, ReleaseError};
use super::request::Request;
use super::resolve::{ResolveError, resolve};
use crate::base::Digest;
use crate::fetch::{FetchError, Fetcher, Progress, Wanted};
use crate::openpgp::{Certificate, KeyringError, verify_cleartext};
use crate::store::{Store, StoreError};

/// Public keys of the Debian archive; `keys/README.md` says where they come from.
const KEYS: [&str; 4] = [
    include_str!("../../keys/debian-archive-bookworm-automatic.asc"),
    include_str!("../../keys/debian-archive-bookworm-stable.asc"),
    include_str!("../../keys/debian-archive-trixie-automatic.asc"),
    include_str!("../../keys/debian-archive-trixie-stable.asc"),
];

/// The most memory that decompressing an index may take, and the most bytes that may come out.
const MAX_MEMORY: u64 = 80 << 20;
const MAX_INDEX: u64 = 2 << 30;

/// Downloads at a time.
const PARALLEL: usize = 6;

/// Why an archive's offer cannot be had. Retrying can help for `Fetch`, and for `Release` while a
/// mirror is being updated.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// No mirror has a release file of the suite; the last failure.
    #[error("no release file of the suite '{suite}' could be had")]
    NoRelease {
        /// The suite.
        suite: String,
        /// The last failure.
        source: FetchError,
    },
    /// The keys that are built in cannot be read: a bug.
    #[error("the built-in keys of the Debian archive cannot be read")]
    Keys(#[from] KeyringError),
    /// The release file is not to be trusted or malformed.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// An index could not be downloaded.
    #[error("a package index could not be had")]
    Fetch(#[from] FetchError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An index is malformed.
    #[error("the index '{path}' of the suite cannot be used")]
    Index {
        /// Its path below the suite's folder.
        path: String,
        /// What is wrong.
        source: IndexError,
    },
    /// The request has no answer.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

/// Packages of a lock that are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// No mirror has these files any more. Retrying cannot help; a new lock does.
    #[error("no mirror has these locked packages any more:{}", lines(.0))]
    Gone(Vec<LockedDeb>),
    /// Other failures.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

fn lines(gone: &[LockedDeb]) -> String {
    gone.iter().map(|deb| format!("\n  {} {} ({})", deb.name, deb.version, deb.path)).collect()
}

/// The keys of the Debian archive that gander knows.
pub fn archive_keys() -> Result<Vec<Certificate>, KeyringError> {
    let mut keys = Vec::new();
    for armored in KEYS {
        keys.extend(Certificate::parse_all(armored.as_bytes())?);
    }
    Ok(keys)
}

/// Checks a release file: signed by one of the keys, and that of the wanted suite.
pub fn open_release(
    bytes: &[u8],
    url: &str,
    keys: &[Certificate],
    suite: &str,
) -> Result<Release, ReleaseError> {
    let content = verify_cleartext(keys, bytes)
        .map_err(|error| ReleaseError::Signature { url: url.into(), source: Box::new(error) })?;
    Release::parse(&content, suite)
}

/// Answers a request with exact packages of the archive. `digest` is that of the request's file.
pub async fn lock(
    request: &Request,
    digest: Digest,
    mirrors: &Mirrors,
    fetcher: &Fetcher,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Lock, ArchiveError> {
    let keys = archive_keys()?;
    let (mirrors, release) = release(&request.suite, mirrors, fetcher, &keys).await?;
    let mut indexes: Vec<(&str, String, Digest)> = Vec::new();
    let mut wanted = Vec::new();
    for arch in &request.arches {
        for component in &request.components {
            let (path, size, digest) = release.index(component, arch)?;
            let label = format!("{} {path}", request.suite);
            let urls = mirrors.urls(&format!("dists/{}/{path}", request.suite));
            wanted.push(Wanted { label, urls, digest, size: Some(size) });
            indexes.push((arch, path, digest));
        }
    }
    fetcher.all(wanted, PARALLEL, progress).await?;
    let mut by_arch: BTreeMap<String, Index> = BTreeMap::new();
    for (arch, path, digest) in indexes {
        let failed = |source| ArchiveError::Index { path: path.clone(), source };
        let reader = decompress(BufReader::new(store.open_object(&digest)?));
        let reader =
            reader.map_err(|source| failed(super::control::ControlError::Io { line: 0, source }.into()))?;
        by_arch.entry(arch.into()).or_default().add(BufReader::new(reader), arch).map_err(failed)?;
    }
    Ok(resolve(request, digest, &by_arch)?)
}

/// Finds the first mirror that has a good release file of the suite; only that one is used then, since
/// the others may be at another state.
async fn release(
    suite: &str,
    mirrors: &Mirrors,
    fetcher: &Fetcher,
    keys: &[Certificate],
) -> Result<(Mirrors, Release), ArchiveError> {
    let mut last: Option<ArchiveError> = None;
    for base in mirrors.bases() {
        let url = format!("{base}/dists/{suite}/InRelease");
        let found = match fetcher.small(&url, MAX_SIZE).await {
            Ok(bytes) => open_release(&bytes, &url, keys, suite).map_err(ArchiveError::Release),
            Err(source) => Err(ArchiveError::NoRelease { suite: suite.into(), source }),
        };
        match found {
            Ok(release) => return Ok((mirrors.only(base), release)),
            // A release file that is not to be trusted says more than one that is not there.
            Err(error) if !matches!(last, Some(ArchiveError::Release(_))) => last = Some(error),
            Err(_) => {}
        }
    }
    Err(last.unwrap_or_else(|| ReleaseError::Field("Codename").into()))
}

fn decompress(reader: impl io::BufRead) -> io::Result<impl io::Read> {
    let stream = liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, liblzma::stream::CONCATENATED)?;
    Ok(io::Read::take(liblzma::bufread::XzDecoder::new_stream(reader, stream), MAX_INDEX))
}

/// What is to be downloaded for a lock.
pub fn wanted(lock: &Lock, mirrors: &Mirrors) -> Vec<Wanted> {
    let file = |deb: &LockedDeb| Wanted {
        label: format!("{}_{}_{}.deb", deb.name, deb.version, deb.arch),
        urls: mirrors.urls(deb.path.as_str()),
        digest: deb.digest,
        size: Some(deb.size),
    };
    lock.packages.iter().map(file).collect()
}

/// Sees to it that the store has all packages of a lock. What no mirror has any more is told apart.
pub async fn fetch_all(
    lock: &Lock,
    mirrors: &Mirrors,
    fetcher: &Fetcher,
    progress: &dyn Progress,
) -> Result<(), PackagesError> {
    let Err(error) = fetcher.all(wanted(lock, mirrors), PARALLEL, progress).await else { return Ok(()) };
    let gone = |deb: &&LockedDeb| {
        error.failed().iter().any(|failed| failed.digest == deb.digest && failed.is_gone())
    };
    let gone: Vec<_> = lock.packages.iter().filter(gone).cloned().collect();
    if gone.is_empty() { Err(error.into()) } else { Err(PackagesError::Gone(gone)) }
}
