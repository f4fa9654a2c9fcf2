//! The headers of packages, read without their payloads: enough to see who signed them before gigabytes are fetched.
//!
//! What comes this way has no digest. It is compared with what the metadata say of the package (name, and where its
//! header begins and ends), and nothing is decided by it for good: a package that looks wrong is looked at again when the
//! whole file is there.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::base::Nevra;
use crate::fetch::{FetchError, Fetcher};
use crate::rpm::{Headers, PackageError};

/// Headers of a package may have so many bytes; the largest real ones have some 10 MB.
const LARGEST: u64 = 256 << 20;

/// A package whose headers are wanted.
#[derive(Clone, Debug)]
pub struct HeaderOf {
    /// Its name.
    pub nevra: Nevra,
    /// Where its file is, in order of preference.
    pub urls: Vec<String>,
    /// Where its main header begins and ends in the file, as the metadata say.
    pub header: (u64, u64),
}

/// Why headers are not to be had this way.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The part of the file cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// They cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// They are those of another package.
    #[error("the headers are those of {0}")]
    Other(String),
    /// They are elsewhere.
    #[error("the main header ends at byte {found} and not at {stated}, as the metadata say")]
    Elsewhere {
        /// Where it ends.
        found: u64,
        /// Where it should.
        stated: u64,
    },
    /// The metadata do not say where they are.
    #[error("the metadata do not say where the header is")]
    Unstated,
    /// Reading was given up.
    #[error("reading was given up")]
    GivenUp,
}

/// Reads the headers of packages, `parallel` at a time; the answers in the order of what was asked.
pub async fn headers(
    fetcher: &Fetcher,
    wanted: Vec<HeaderOf>,
    parallel: usize,
) -> Vec<Result<Headers, HeaderError>> {
    let turns = Arc::new(Semaphore::new(parallel.max(1)));
    let mut answers: Vec<_> = wanted.iter().map(|_| Err(HeaderError::GivenUp)).collect();
    let mut tasks = JoinSet::new();
    for (place, wanted) in wanted.into_iter().enumerate() {
        let (fetcher, turns) = (fetcher.clone(), turns.clone());
        tasks.spawn(async move {
            let turn = turns.acquire().await;
            let answer = header(&fetcher, &wanted).await;
            drop(turn);
            (place, answer)
        });
    }
    while let Some(joined) = tasks.join_next().await {
        if let Ok((place, answer)) = joined
            && let Some(slot) = answers.get_mut(place)
        {
            *slot = answer;
        }
    }
    answers
}

async fn header(fetcher: &Fetcher, wanted: &HeaderOf) -> Result<Headers, HeaderError> {
    let (start, end) = wanted.header;
    if start == 0 || end <= start || end > LARGEST {
        return Err(HeaderError::Unstated);
    }
    let bytes = fetcher.range(&wanted.nevra.file_name(), &wanted.urls, 0..end).await?;
    let headers = Headers::read(&bytes[..])?;
    let length = headers.main.bytes().len() as u64;
    let found = start.saturating_add(length);
    if found != end {
        return Err(HeaderError::Elsewhere { found, stated: end });
    }
    let nevra = headers.package()?.nevra;
    if !is_same(&nevra, &wanted.nevra) {
        return Err(HeaderError::Other(nevra.to_string()));
    }
    Ok(headers)
}

/// Whether both name one package; metadata have one arch for all source packages.
pub fn is_same(header: &Nevra, listed: &Nevra) -> bool {
    header.name == listed.name
        && header.evr == listed.evr
        && (header.arch == listed.arch || header.is_source() && listed.is_source())
}
