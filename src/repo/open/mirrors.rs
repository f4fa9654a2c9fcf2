//! Which mirrors a repository has.

use super::error::OpenError;
use super::{Location, MOST_MIRRORS};
use crate::base::digest::hex;
use crate::fetch::{Fetcher, is_file};
use crate::format::metalink::{self, Metalink, Version};
use crate::recipe::Addresses;

/// A repository's mirrors and what they must have.
pub(super) struct Mirrors {
    /// Folders that hold `repodata`, in order of preference; without a slash at the end.
    pub folders: Vec<String>,
    /// What `repomd.xml` may be, the current one first; none without a metalink.
    pub versions: Vec<Version>,
}

/// Characters of a list of nothing that are told.
const SAYS: usize = 120;

/// Finds the mirrors of a repository.
pub(super) async fn find(location: &Location, fetcher: &Fetcher) -> Result<Mirrors, OpenError> {
    let id = || location.id.clone();
    let (list, is_metalink) = match &location.addresses {
        Addresses::Base(urls) => {
            let folders = urls.iter().map(|url| url.as_str().trim_end_matches('/').to_owned()).collect();
            return Ok(Mirrors { folders, versions: Vec::new() });
        }
        Addresses::MirrorList(url) => (url.as_str(), false),
        Addresses::Metalink(url) => (url.as_str(), true),
    };
    let limit = metalink::LARGEST as u64;
    let bytes = fetcher.small(list, limit).await.map_err(|source| OpenError::NoList { id: id(), source })?;
    let bad = |source| OpenError::BadList { id: id(), source };
    let mut mirrors = if is_metalink {
        let metalink = Metalink::parse(&bytes).map_err(bad)?;
        Mirrors { folders: metalink.mirrors, versions: metalink.versions }
    } else {
        Mirrors { folders: metalink::parse_list(&bytes).map_err(bad)?, versions: Vec::new() }
    };
    // What comes over the network may not name files of this machine.
    mirrors.folders.retain(|folder| is_file(list) || !is_file(folder));
    let mut seen = std::collections::BTreeSet::new();
    mirrors.folders.retain(|folder| seen.insert(folder.clone()));
    mirrors.folders.truncate(MOST_MIRRORS);
    if mirrors.folders.is_empty() {
        let text = if is_metalink { "".into() } else { String::from_utf8_lossy(&bytes) };
        let says = text.trim().chars().take(SAYS).collect();
        return Err(OpenError::NoMirrors { id: id(), says });
    }
    Ok(mirrors)
}

/// The URL of a file in a folder. What URLs cannot hold is escaped; `%` stands as it is, since metadata hold locations
/// that are escaped already.
pub fn url(folder: &str, path: &str) -> String {
    let mut url = format!("{folder}/");
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\`{|}?#".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    url
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_become_urls() {
        assert_eq!(
            super::url("http://h/x", "P/a b+c~1^2%20#?é.rpm"),
            "http://h/x/P/a%20b+c~1^2%20%23%3F%C3%A9.rpm"
        );
    }
}
