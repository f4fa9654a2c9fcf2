//! Where the archive is: mirrors named by option, or the host's apt sources.
//!
//! Read are `/etc/apt/sources.list`, `/etc/apt/sources.list.d/*.list` (one line a source) and
//! `*.sources` (paragraphs), in this order, names sorted. Only `http` and `https` count, and lists of
//! them named by `mirror+file:`. Sources that have the wanted suite are taken; when there are none,
//! all the others are: the release file decides, since it is signed and names its suite.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::control::{ControlError, Paragraphs};

/// Base addresses of mirrors, in order of preference, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors(Vec<String>);

/// Why no mirror is known. Retrying cannot help.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Nothing says where the archive is.
    #[error(
        "no mirror of the Debian archive is known: this host has no apt source for it; \
         name one with --debian-mirror URL"
    )]
    None,
    /// The option is no address.
    #[error("'{0}' is not the address of a mirror: expected http://… or https://…")]
    Address(String),
    /// An apt source cannot be read.
    #[error("the apt source '{}' cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An apt source is malformed.
    #[error("the apt source '{}' is malformed", path.display())]
    Control {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ControlError,
    },
}

/// One source of apt: addresses and the suites they have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    uris: Vec<String>,
    suites: Vec<String>,
}

impl Mirrors {
    /// No mirror at all: for who does not use the network.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Mirrors named by a person.
    pub fn named(addresses: &[String]) -> Result<Self, MirrorError> {
        let addresses: Vec<_> = addresses
            .iter()
            .map(|text| address(text).ok_or_else(|| MirrorError::Address(text.clone())))
            .collect::<Result<_, _>>()?;
        if addresses.is_empty() { Err(MirrorError::None) } else { Ok(Self(addresses)) }
    }

    /// Mirrors named by a person if there are any, else those of this host's apt sources for the suites.
    pub fn find<'a>(
        named: &[String],
        suites: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MirrorError> {
        if named.is_empty() { Self::of_apt(Path::new("/etc/apt"), suites) } else { Self::named(named) }
    }

    /// Mirrors of the apt sources below a folder such as `/etc/apt`.
    pub fn of_apt<'a>(folder: &Path, suites: impl IntoIterator<Item = &'a str>) -> Result<Self, MirrorError> {
        let suites: BTreeSet<&str> = suites.into_iter().collect();
        let mut sources = Vec::new();
        let mut add = |path: &Path| -> Result<(), MirrorError> {
            let Some(bytes) = read(path)? else { return Ok(()) };
            if path.extension().is_some_and(|extension| extension == "sources") {
                let found = paragraphs(&bytes);
                sources.extend(found.map_err(|source| MirrorError::Control { path: path.into(), source })?);
            } else {
                sources.extend(lines(&String::from_utf8_lossy(&bytes)));
            }
            Ok(())
        };
        add(&folder.join("sources.list"))?;
        for path in fragments(&folder.join("sources.list.d"))? {
            add(&path)?;
        }
        let matching = |source: &&Source| source.suites.iter().any(|suite| suites.contains(suite.as_str()));
        let mut uris: Vec<_> = sources.iter().filter(matching).flat_map(|source| &source.uris).collect();
        if uris.is_empty() {
            uris = sources.iter().flat_map(|source| &source.uris).collect();
        }
        let mut found: Vec<String> = Vec::new();
        for uri in uris {
            let listed = match uri.strip_prefix("mirror+file:") {
                Some(path) => {
                    let path = Path::new("/").join(path.trim_start_matches('/'));
                    String::from_utf8_lossy(&read(&path)?.unwrap_or_default()).into_owned()
                }
                None => uri.clone(),
            };
            for address in listed.lines().filter_map(|line| address(line.split_whitespace().next()?)) {
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        if found.is_empty() { Err(MirrorError::None) } else { Ok(Self(found)) }
    }

    /// The address of a path on each mirror, in order of preference.
    pub fn urls(&self, path: &str) -> Vec<String> {
        // `~` and `+` stand as they are in addresses; pool paths have nothing else that is special,
        // but for `%`, which stands for itself in the pool and must be escaped.
        let path = path.replace('%', "%25");
        self.0.iter().map(|base| format!("{base}/{path}")).collect()
    }

    /// One of them alone.
    pub(super) fn only(&self, base: &str) -> Self {
        Self(self.0.iter().filter(|known| *known == base).cloned().collect())
    }

    /// The base addresses.
    pub fn bases(&self) -> &[String] {
        &self.0
    }
}

fn address(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}?#".contains(&byte);
    (!rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(plain)).then(|| text.to_owned())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, MirrorError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(MirrorError::Read { path: path.into(), source }),
    }
}

#[allow(clippy::disallowed_methods, reason = "the entries are sorted")]
fn fragments(folder: &Path) -> Result<Vec<PathBuf>, MirrorError> {
    let failed = |source| MirrorError::Read { path: folder.into(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "list" || extension == "sources") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// `deb [options] URI suite component…`
fn lines(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    for line in text.lines() {
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t'])) else {
            continue;
        };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => match options.split_once(']') {
                Some((_, rest)) => rest,
                None => continue,
            },
            None => rest,
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        if let (Some(uri), Some(suite)) = (words.next(), words.next()) {
            sources.push(Source { uris: vec![uri], suites: vec![suite] });
        }
    }
    sources
}

/// Paragraphs with `Types`, `URIs`, `Suites` and perhaps `Enabled`.
fn paragraphs(bytes: &[u8]) -> Result<Vec<Source>, ControlError> {
    let mut reader = Paragraphs::new(bytes);
    let mut sources = Vec::new();
    while let Some(paragraph) = reader.next_paragraph()? {
        let words = |name| -> Vec<String> {
            paragraph.get(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let off = paragraph.get("Enabled").is_some_and(|value| {
            ["no", "false", "without", "off", "disable"].contains(&value.to_ascii_lowercase().as_str())
        });
        if !off && words("Types").iter().any(|kind| kind == "deb") {
            sources.push(Source { uris: words("URIs"), suites: words("Suites") });
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apt(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            let text = text.replace("FOLDER", folder.path().to_str().unwrap());
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn found(files: &[(&str, &str)], suite: &str) -> Option<Vec<String>> {
        match Mirrors::of_apt(apt(files).path(), [suite]) {
            Ok(mirrors) => Some(mirrors.0),
            Err(MirrorError::None) => None,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn takes_sources_that_have_the_suite_first() {
        let files = [
            (
                "sources.list",
                "# deb http://c/ goose main\ndeb-src http://s goose main\ndeb cdrom:[x] goose main\n",
            ),
            ("sources.list.d/b.list", "deb [arch=amd64 signed-by=/x] https://b/debian/ goose main\n"),
            (
                "sources.list.d/a.sources",
                "Types: deb deb-src\nURIs: http://a/x http://a2/x\n ftp://a3\nSuites: swan goose\n\n\
                 Types: deb\nEnabled: no\nURIs: http://off\nSuites: goose\n",
            ),
            ("sources.list.d/z.list", "deb http://other stable main\n"),
            ("sources.list.d/ignored.txt", "deb http://ignored goose main\n"),
        ];
        assert_eq!(found(&files, "goose").unwrap(), ["http://a/x", "http://a2/x", "https://b/debian"]);
        assert_eq!(found(&files, "stable").unwrap(), ["http://other"]);
        assert_eq!(
            found(&files, "duck").unwrap(),
            ["http://a/x", "http://a2/x", "https://b/debian", "http://other"]
        );
        assert_eq!(found(&files[..1], "goose"), None);
        assert_eq!(found(&[], "goose"), None);
    }

    #[test]
    fn follows_lists_of_mirrors() {
        let files = [
            ("sources.list", "deb mirror+file:FOLDER/mirrors goose main\n"),
            ("mirrors", "http://one/debian\tpriority:1\n\nhttps://two/debian/\n"),
        ];
        assert_eq!(found(&files, "goose").unwrap(), ["http://one/debian", "https://two/debian"]);
    }

    #[test]
    fn named_mirrors_must_be_addresses() {
        let named = |text: &str| Mirrors::named(&[text.to_owned()]);
        assert_eq!(
            named("http://m:1/debian//").unwrap().urls("pool/a%3ab~c.deb"),
            ["http://m:1/debian/pool/a%253ab~c.deb"]
        );
        for bad in ["", "m/debian", "file:///x", "http://", "http:///x", "http://a b", "http://a?b"] {
            assert!(matches!(named(bad), Err(MirrorError::Address(_))), "{bad}");
        }
    }
}
