//! Opening a repository on its mirrors: from addresses to the list of its packages.
//!
//! 1. The mirrors: those of `baseurl` in their order, or of a mirror list, or of a metalink by preference.
//! 2. `repomd.xml` of one of them. With a metalink it must be the current one; only where no mirror has that, the newest
//!    alternate that one has. Where its signature is demanded, `repomd.xml.asc` beside it must be one by an accepted
//!    key that is valid now: an expired one is how a publisher says that this state is too old.
//! 3. `primary` and `filelists` by the checksums in it, from that mirror or any other. Where none has them (the mirror is
//!    torn: between two states), the next mirror's `repomd.xml` is tried.
//!
//! Mirrors that cannot be reached are asked once; only where none did are they asked again after pauses. A mirror that
//! was refused is not used for packages either. What was refused is told all at once.
//!
//! Differences to librepo (1.14): it takes the first mirror that has the current `repomd.xml` *or an alternate*, and
//! stops where that mirror is torn.

mod error;
mod filter;
mod header;
mod mirrors;

use std::io::BufReader;
use std::time::Duration;

pub use error::{OpenError, Refusal, Refused};
pub use filter::Filter;
pub use header::{HeaderError, HeaderOf, headers};
pub use mirrors::url;

use crate::base::Digest;
use crate::fetch::{Fetcher, Progress, Wanted};
use crate::format::metalink::Version;
use crate::format::repodata::{Content, Data, Packages, Repomd};
use crate::openpgp::{Certificate, verify_detached};
use crate::recipe::Addresses;
use crate::store::Store;
use mirrors::Mirrors;

/// Bytes of the largest `repomd.xml`. Real ones have 3 to 20 kB.
const LARGEST_REPOMD: u64 = 4 << 20;
/// Bytes of the largest signature.
const LARGEST_SIGNATURE: u64 = 256 << 10;
/// Bytes of the largest list, compressed. Fedora's filelists have some 60 MB.
const LARGEST_LIST: u64 = 1 << 30;
/// So many mirrors are tried, and go into a lock.
pub const MOST_MIRRORS: usize = 24;
/// Lists at a time.
const PARALLEL: usize = 4;
/// Before mirrors that could not be reached are asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// A repository to be opened.
#[derive(Clone, Debug)]
pub struct Location {
    /// What it is called.
    pub id: String,
    /// Where it is.
    pub addresses: Addresses,
    /// The keys that must have signed `repomd.xml`; none where its signature is not demanded.
    pub keys: Option<Vec<Certificate>>,
    /// The time at which signatures are judged, in seconds since 1970.
    pub now: i64,
}

/// A repository that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Folders that hold it: first the one whose `repomd.xml` was taken, then the others in their order, without those
    /// that were refused.
    pub mirrors: Vec<String>,
    /// `repomd.xml`.
    pub repomd: Vec<u8>,
    /// Its packages with all their files.
    pub packages: Packages,
    /// The mirrors that were refused on the way.
    pub refused: Vec<Refused>,
}

/// What a mirror has.
enum Found {
    /// What was looked for.
    Current(Box<Repomd>, Vec<u8>),
    /// An older state of it, by its place among the metalink's versions.
    Older(usize, Box<Repomd>, Vec<u8>),
}

/// Opens a repository. Everything but the signature and `repomd.xml` itself goes through the store.
pub async fn open(
    location: &Location,
    fetcher: &Fetcher,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Opened, OpenError> {
    let Mirrors { folders, versions } = mirrors::find(location, fetcher).await?;
    let mut refused: Vec<Refused> = Vec::new();
    let mut older: Vec<(usize, usize, Box<Repomd>, Vec<u8>)> = Vec::new();
    let mut asked: Vec<usize> = (0..folders.len()).collect();
    let mut pauses = PAUSES.iter();
    loop {
        let mut again = Vec::new();
        for place in asked {
            let Some(mirror) = folders.get(place) else { continue };
            let why = match look(location, fetcher, mirror, &versions).await {
                Ok(Found::Current(repomd, bytes)) => {
                    match lists(location, &repomd, place, &folders, &refused, fetcher, store, progress).await
                    {
                        Ok(packages) => return Ok(opened(place, &folders, bytes, packages, refused)),
                        Err(why) => why,
                    }
                }
                Ok(Found::Older(version, repomd, bytes)) => {
                    older.push((version, place, repomd, bytes));
                    continue;
                }
                Err(why) => why,
            };
            if why.is_surroundings() {
                again.push(place);
            }
            refused.push(Refused { mirror: mirror.clone(), why });
        }
        older.sort_by_key(|(version, place, ..)| (*version, *place));
        for (_, place, repomd, bytes) in std::mem::take(&mut older) {
            match lists(location, &repomd, place, &folders, &refused, fetcher, store, progress).await {
                Ok(packages) => return Ok(opened(place, &folders, bytes, packages, refused)),
                Err(why) => {
                    refused.extend(folders.get(place).map(|mirror| Refused { mirror: mirror.clone(), why }))
                }
            }
        }
        match pauses.next() {
            Some(pause) if !again.is_empty() => tokio::time::sleep(*pause).await,
            _ => return Err(OpenError::Refused { id: location.id.clone(), refused }),
        }
        refused.retain(|refused| !refused.why.is_surroundings());
        asked = again;
    }
}

/// Puts the mirrors in order of their use.
fn opened(
    place: usize,
    folders: &[String],
    repomd: Vec<u8>,
    packages: Packages,
    refused: Vec<Refused>,
) -> Opened {
    let first = folders.get(place).into_iter();
    let others = folders.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, folder)| folder);
    let good = |folder: &&String| !refused.iter().any(|refused| refused.mirror == **folder);
    let mirrors = first.chain(others.filter(good)).cloned().collect();
    Opened { mirrors, repomd, packages, refused }
}

/// Reads and checks a mirror's `repomd.xml`.
async fn look(
    location: &Location,
    fetcher: &Fetcher,
    mirror: &str,
    versions: &[Version],
) -> Result<Found, Refusal> {
    let largest = versions.iter().filter_map(|version| version.size).max();
    let largest = largest.filter(|_| versions.iter().all(|version| version.size.is_some()));
    let limit = largest.unwrap_or(LARGEST_REPOMD).min(LARGEST_REPOMD);
    let bytes = fetcher.once(&format!("{mirror}/repodata/repomd.xml"), limit).await?;
    let version = match versions {
        [] => 0,
        versions => {
            let version = versions.iter().position(|version| version.is(&bytes));
            version.ok_or_else(|| Refusal::Stale(Digest::of(&bytes)))?
        }
    };
    if let Some(keys) = &location.keys {
        let signature = fetcher.once(&format!("{mirror}/repodata/repomd.xml.asc"), LARGEST_SIGNATURE).await;
        let signature = signature.map_err(Refusal::NoSignature)?;
        verify_detached(keys, &signature, &bytes[..], Some(location.now)).map_err(Refusal::Signature)?;
    }
    let repomd = Box::new(Repomd::parse(&bytes)?);
    Ok(if version == 0 { Found::Current(repomd, bytes) } else { Found::Older(version, repomd, bytes) })
}

/// Gets the lists that a `repomd.xml` names, by checksum, and reads them.
#[allow(clippy::too_many_arguments, reason = "all of them are what opening is about")]
async fn lists(
    location: &Location,
    repomd: &Repomd,
    place: usize,
    folders: &[String],
    refused: &[Refused],
    fetcher: &Fetcher,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Packages, Refusal> {
    let list = |kind: &'static str| {
        let data = repomd.find(kind).ok_or(Refusal::NoList(kind))?;
        let digest = data.checksum.sha256().ok_or(Refusal::Checksum(kind, data.checksum.kind()))?;
        match data.size {
            Some(size) if size > LARGEST_LIST => Err(Refusal::TooLarge(kind, size)),
            _ => Ok((data, digest)),
        }
    };
    let (primary, filelists) = (list("primary")?, list("filelists")?);
    let first = folders.get(place).into_iter();
    let others = folders.iter().enumerate().filter(|(other, folder)| {
        *other != place && !refused.iter().any(|refused| refused.mirror == **folder)
    });
    let order: Vec<&String> = first.chain(others.map(|(_, folder)| folder)).collect();
    let wanted = |(data, digest): (&Data, Digest)| Wanted {
        label: format!("{} of {}", data.kind, location.id),
        urls: order.iter().map(|folder| url(folder, data.location.as_str())).collect(),
        digest,
        size: data.size,
    };
    fetcher.all(vec![wanted(primary), wanted(filelists)], PARALLEL, progress).await?;

    let open = |(data, digest): (&Data, Digest)| -> Result<Content<_>, Refusal> {
        let file = BufReader::with_capacity(1 << 17, store.open_object(&digest).map_err(Refusal::Store)?);
        let unreadable = |source| Refusal::Unreadable(data.kind.clone(), source);
        let content = Content::open(file, data.open.and_then(|open| open.size)).map_err(unreadable)?;
        Ok(match data.open {
            Some(open) => content.verifying(open.checksum),
            None => content,
        })
    };
    let read = |kind, source| Refusal::Read { kind, source: Box::new(source) };
    let mut packages = Packages::read(open(primary)?).map_err(|error| read("primary", error))?;
    let without = packages.add_filelists(open(filelists)?).map_err(|error| read("filelists", error))?;
    if without > 0 { Err(Refusal::Unlike(without)) } else { Ok(packages) }
}
