//! Opening a repository on its mirrors: from addresses to the list of its packages.
//!
//! 1. The mirrors: those of `baseurl` in their order, or of a mirror list, or of a metalink by preference.
//! 2. `repomd.xml` of one of them. With a metalink it must be the current one; only where no mirror has that, the newest
//!    alternate that one has. Where its signature is demanded, `repomd.xml.asc` beside it must be one by an accepted
//!    key that is valid now: an expired one is how a publisher says that this state is too old.
//! 3. `primary`, `filelists` and, where there are some, `modules` by the checksums in it, from that mirror or any other. Where none has them (the mirror is
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

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::time::Duration;

pub use error::{OpenError, Refusal, Refused};
pub use filter::Filter;
pub use header::{HeaderError, HeaderOf, headers, is_same};
pub use mirrors::url;

use super::known::known_packages;
use crate::base::Digest;
use crate::fetch::{Fetcher, Progress, Wanted};
use crate::format::modulemd::{self, Modules};
use crate::format::repodata::{Content, Data, Packages, Repomd};
use crate::openpgp::{Certificate, verify_detached};
use crate::recipe::Addresses;
use crate::store::Store;
use mirrors::Mirrors;

/// Bytes of the largest `repomd.xml`. Real ones have 3 to 20 kB.
const LARGEST_REPOMD: u64 = 4 << 20;
/// The kind of metadata that modules are.
const MODULES: &str = "modules";
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
}

/// The state of a repository that a lock has.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Folders that held it, at least one, in order.
    pub mirrors: Vec<String>,
    /// `repomd.xml`.
    pub repomd: Vec<u8>,
}

/// A repository that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Folders that hold it: first the one whose `repomd.xml` was taken, then the others in their order, without those
    /// that were refused.
    pub mirrors: Vec<String>,
    /// `repomd.xml`.
    pub repomd: Vec<u8>,
    /// Its packages with their files.
    pub packages: Packages,
    /// Its modules.
    pub modules: Modules,
    /// How many packages filelists has nothing on: their files are known only as far as primary names them.
    pub unlisted: usize,
    /// Whether it is an alternate of the metalink: an older state, since no mirror has the current one.
    pub older: bool,
    /// The mirrors that were refused on the way.
    pub refused: Vec<Refused>,
}

/// What the lists of a repository say.
struct Lists {
    packages: Packages,
    /// How many of them filelists has nothing on.
    unlisted: usize,
    modules: Modules,
}

/// What a mirror has.
enum Found {
    /// What was looked for.
    Current(Box<Repomd>, Vec<u8>),
    /// An older state of it, by its place among the metalink's versions.
    Older(usize, Box<Repomd>, Vec<u8>),
}

/// Opens a repository. Its lists go through the store, by digest; nothing else is kept. Signatures are judged as of `now`,
/// in seconds since 1970.
pub async fn open(
    location: &Location,
    now: i64,
    fetcher: &Fetcher,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Opened, OpenError> {
    let mirrors = mirrors::find(location, fetcher).await?;
    Opening { location, now, fetcher, store, progress, mirrors, refused: Vec::new() }.open().await
}

/// Opens a repository in the state that a lock has. Its `repomd.xml` was judged when it was pinned; its lists come from
/// the store, or from mirrors that still have them.
///
/// # Errors
/// A list is neither here nor at any of the mirrors, or cannot be read: retrying can help where one could not be reached.
pub async fn reopen(
    location: &Location,
    pinned: Pinned,
    fetcher: &Fetcher,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Opened, OpenError> {
    let Pinned { mirrors, repomd: bytes } = pinned;
    let first = mirrors.first().cloned().unwrap_or_default();
    let mirrors = Mirrors { folders: mirrors, versions: Vec::new() };
    // No signature is judged, so no time is needed.
    let opening = Opening { location, now: 0, fetcher, store, progress, mirrors, refused: Vec::new() };
    let lists = match Repomd::parse(&bytes) {
        Ok(repomd) => opening.lists(&first, &repomd).await,
        Err(why) => Err(why.into()),
    };
    match lists {
        Ok(lists) => Ok(opening.opened(&first, bytes, lists, false)),
        Err(why) => {
            let refused = Box::new(Refused { mirror: first, why });
            Err(OpenError::Gone { id: location.id.clone(), refused })
        }
    }
}

/// A repository that is being opened.
struct Opening<'a> {
    location: &'a Location,
    now: i64,
    fetcher: &'a Fetcher,
    store: &'a Store,
    progress: &'a dyn Progress,
    mirrors: Mirrors,
    refused: Vec<Refused>,
}

impl Opening<'_> {
    async fn open(mut self) -> Result<Opened, OpenError> {
        let mut asked: Vec<String> = self.mirrors.folders.clone();
        let mut pauses = PAUSES.iter();
        loop {
            let mut older = Vec::new();
            for mirror in asked {
                match self.look(&mirror).await {
                    Ok(Found::Current(repomd, bytes)) => match self.lists(&mirror, &repomd).await {
                        Ok(lists) => return Ok(self.opened(&mirror, bytes, lists, false)),
                        Err(why) => self.refuse(mirror, why),
                    },
                    Ok(Found::Older(version, repomd, bytes)) => older.push((version, mirror, repomd, bytes)),
                    Err(why) => self.refuse(mirror, why),
                }
            }
            // The sort keeps mirrors of one version in their order.
            older.sort_by_key(|(version, ..)| *version);
            for (_, mirror, repomd, bytes) in older {
                match self.lists(&mirror, &repomd).await {
                    Ok(lists) => return Ok(self.opened(&mirror, bytes, lists, true)),
                    Err(why) => self.refuse(mirror, why),
                }
            }
            let (again, refused): (Vec<_>, Vec<_>) = std::mem::take(&mut self.refused)
                .into_iter()
                .partition(|refused| refused.why.is_surroundings());
            match pauses.next() {
                Some(pause) if !again.is_empty() => tokio::time::sleep(*pause).await,
                _ => {
                    let refused = refused.into_iter().chain(again).collect();
                    return Err(OpenError::Refused { id: self.location.id.clone(), refused });
                }
            }
            self.refused = refused;
            asked = again.into_iter().map(|refused| refused.mirror).collect();
        }
    }

    fn refuse(&mut self, mirror: String, why: Refusal) {
        self.refused.push(Refused { mirror, why });
    }

    /// The mirrors in the order of their use: this one, then those that were not refused.
    fn usable(&self, first: &str) -> Vec<String> {
        let good = |folder: &&String| {
            *folder != first && !self.refused.iter().any(|refused| refused.mirror == **folder)
        };
        let others = self.mirrors.folders.iter().filter(good).cloned();
        std::iter::once(first.to_owned()).chain(others).collect()
    }

    fn opened(self, mirror: &str, repomd: Vec<u8>, lists: Lists, older: bool) -> Opened {
        let Lists { packages, unlisted, modules } = lists;
        Opened {
            mirrors: self.usable(mirror),
            repomd,
            packages,
            modules,
            unlisted,
            older,
            refused: self.refused,
        }
    }

    /// Reads and checks a mirror's `repomd.xml`.
    async fn look(&self, mirror: &str) -> Result<Found, Refusal> {
        let versions = &self.mirrors.versions;
        let sizes: Option<Vec<u64>> = versions.iter().map(|version| version.size).collect();
        let largest = sizes.and_then(|sizes| sizes.into_iter().max());
        let limit = largest.map_or(LARGEST_REPOMD, |largest| largest.min(LARGEST_REPOMD));
        let bytes = self.fetcher.once(&format!("{mirror}/repodata/repomd.xml"), limit).await?;
        let version = match versions.as_slice() {
            [] => 0,
            versions => {
                let version = versions.iter().position(|version| version.is(&bytes));
                version.ok_or_else(|| Refusal::Stale(Digest::of(&bytes)))?
            }
        };
        if let Some(keys) = &self.location.keys {
            let url = format!("{mirror}/repodata/repomd.xml.asc");
            let signature = self.fetcher.once(&url, LARGEST_SIGNATURE).await;
            let signature = signature.map_err(Refusal::NoSignature)?;
            let verified = verify_detached(keys, &signature, &bytes[..], Some(self.now));
            verified.map_err(Refusal::Signature)?;
        }
        let repomd = Box::new(Repomd::parse(&bytes)?);
        Ok(if version == 0 { Found::Current(repomd, bytes) } else { Found::Older(version, repomd, bytes) })
    }

    /// Gets the lists that a `repomd.xml` names, by checksum, and reads them.
    async fn lists(&self, mirror: &str, repomd: &Repomd) -> Result<Lists, Refusal> {
        let (primary, filelists) = (list(repomd, "primary")?, list(repomd, "filelists")?);
        let modules = repomd.find(MODULES).map(|_| list(repomd, MODULES)).transpose()?;
        let usable = self.usable(mirror);
        let wanted = |(data, digest): (&Data, Digest)| Wanted {
            label: format!("{} of {}", data.kind, self.location.id),
            urls: usable.iter().map(|folder| url(folder, data.location.as_str())).collect(),
            digest,
            size: data.size,
        };
        let all = [primary, filelists].into_iter().chain(modules);
        self.fetcher.all(all.map(wanted).collect(), PARALLEL, self.progress).await?;
        let wrong = |kind, source| Refusal::Read { kind, source: Box::new(source) };
        let packages = known_packages(self.store, &[primary.1, filelists.1], || {
            let mut packages =
                Packages::read(self.content(primary)?).map_err(|error| wrong("primary", error))?;
            let filelists = packages.add_filelists(self.content(filelists)?);
            filelists.map_err(|error| wrong("filelists", error))?;
            Ok::<_, Refusal>(packages)
        })?;
        let unlisted = packages.iter().filter(|package| !package.has_all_files()).count();
        let modules = modules.map(|list| self.modules(list)).transpose()?.unwrap_or_default();
        Ok(Lists { packages, unlisted, modules })
    }

    fn modules(&self, list: (&Data, Digest)) -> Result<Modules, Refusal> {
        let mut bytes = Vec::new();
        let content = self.content(list)?.take(modulemd::LARGEST as u64 + 1).read_to_end(&mut bytes);
        content.map_err(|source| Refusal::Unreadable(MODULES.into(), source))?;
        Modules::parse(&bytes).map_err(Refusal::Modules)
    }

    /// A list that the store has, decompressed.
    fn content(&self, (data, digest): (&Data, Digest)) -> Result<Content<BufReader<File>>, Refusal> {
        let file = self.store.open_object(&digest).map_err(Refusal::Store)?;
        let file = BufReader::with_capacity(1 << 17, file);
        let content = Content::open(file, data.open.and_then(|open| open.size));
        let content = content.map_err(|source| Refusal::Unreadable(data.kind.clone(), source))?;
        Ok(match data.open {
            Some(open) => content.verifying(open.checksum),
            None => content,
        })
    }
}

/// A list by its kind, with the digest that the store knows it by.
fn list<'r>(repomd: &'r Repomd, kind: &'static str) -> Result<(&'r Data, Digest), Refusal> {
    let data = repomd.find(kind).ok_or(Refusal::NoList(kind))?;
    let digest = data.checksum.sha256().ok_or(Refusal::Checksum(kind, data.checksum.kind()))?;
    match data.size {
        Some(size) if size > LARGEST_LIST => Err(Refusal::TooLarge(kind, size)),
        _ => Ok((data, digest)),
    }
}
