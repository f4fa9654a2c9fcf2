//! What a lock takes from hubs, brought into the store: nothing is asked, only files are downloaded.

use std::path::Path;

use super::files_url;
use super::obtain::put_together;
use crate::base::{Digest, Nevra};
use crate::compose::error::ComposeError;
use crate::compose::execute::Session;
use crate::compose::flow::Downloads;
use crate::fetch::{FetchError, Wanted};
use crate::lock::{Lock, Origin, Package};
use crate::repo::open::url;

/// What a signed copy may have less than its primary file: never more than its signature header.
const SPARE: u64 = 64 << 20;

/// Sees to it that the store has every package that a lock takes from hubs. `folder` is the recipe's.
pub(in crate::compose) fn stock(
    session: &Session<'_>,
    downloads: &dyn Downloads,
    folder: &Path,
    lock: &Lock,
) -> Result<(), ComposeError> {
    let of_koji = |origin: &Origin| matches!(origin, Origin::Koji { .. } | Origin::KojiSigned { .. });
    let absent: Vec<(&Nevra, &Package)> = lock
        .packages
        .0
        .iter()
        .filter(|(_, package)| package.origins.iter().any(of_koji) && !session.store.has(&package.unsigned))
        .collect();
    if absent.is_empty() {
        return Ok(());
    }
    let mut direct = Vec::new();
    for (nevra, package) in &absent {
        let mut urls = Vec::new();
        for origin in &package.origins {
            if let Origin::Koji { source, path } = origin {
                urls.push(url(&place(lock, source, folder)?, path.as_str()));
            }
        }
        if !urls.is_empty() {
            let (label, digest, size) = (nevra.file_name(), package.unsigned, Some(package.size));
            direct.push(Wanted { label, urls, digest, size });
        }
    }
    // What failed may still be put together; of that which cannot, the reason is told.
    let failed = match downloads.files(direct) {
        Ok(()) => None,
        Err(ComposeError::Fetch(error @ (FetchError::Failed(_) | FetchError::Offline(_)))) => Some(error),
        Err(error) => return Err(error),
    };
    let open: Vec<_> = absent.iter().filter(|(_, package)| !session.store.has(&package.unsigned)).collect();
    let parts: Vec<_> =
        open.iter().filter_map(|(nevra, package)| Some((*nevra, *package, apart(package)?))).collect();
    if parts.len() < open.len() {
        return Err(failed.map_or_else(
            || ComposeError::NoOrigin(open.iter().map(|(nevra, _)| nevra.to_string()).collect()),
            ComposeError::Fetch,
        ));
    }
    let mut places = Vec::new();
    for (_, package, (source, path, _)) in &parts {
        places.push((url(&place(lock, source, folder)?, path), package.size.saturating_add(SPARE)));
    }
    let mut broken = Vec::new();
    for ((nevra, package, (.., header)), found) in parts.into_iter().zip(downloads.unpinned(places)) {
        let header = lock.objects.get(&header).map(Vec::as_slice).unwrap_or_default();
        match found {
            Ok((primary, _)) => match put_together(session.store, &primary, header) {
                Ok((found, _)) if found == package.unsigned => {}
                Ok((found, _)) => broken.push(format!(
                    "{nevra}: put together of the primary file and its signature it is {found} instead of {}",
                    package.unsigned
                )),
                Err(error) => broken.push(format!("{nevra}: {}", crate::base::chain(&error))),
            },
            Err(error) => return Err(ComposeError::Fetch(failed.unwrap_or(error))),
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(ComposeError::BrokenPackages(broken)) }
}

/// What a package can be put together of: the source, the path of the primary file, the signature header.
fn apart(package: &Package) -> Option<(&str, &str, Digest)> {
    package.origins.iter().find_map(|origin| match origin {
        Origin::KojiSigned { source, path, header } => Some((source.as_str(), path.as_str(), *header)),
        _ => None,
    })
}

/// The URL of the files of a lock's source.
fn place(lock: &Lock, source: &str, folder: &Path) -> Result<String, ComposeError> {
    let known = lock.header.koji.iter().find(|known| known.id == source);
    files_url(known.map_or("", |known| known.files.as_str()), folder)
}
