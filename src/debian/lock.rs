//! The lock: which Debian packages, byte for byte.
//!
//! ```text
//! gander-debian-lock 1
//! request<TAB>sha256:HEX OF THE REQUEST FILE
//! SUITE<TAB>NAME<TAB>VERSION<TAB>ARCH<TAB>POOL PATH<TAB>SIZE<TAB>SHA256 HEX
//! ```
//!
//! One package a line, sorted by name, then architecture, each once. A lock names paths in the
//! archive's pool, never a mirror.

use std::collections::BTreeSet;
use std::fmt;

use super::depends::is_package_name;
use super::request::is_word;
use super::version::Version;
use crate::base::{Digest, RelPath};

const HEAD: &str = "gander-debian-lock 1";

/// The most packages that a lock may name; Debian has some 65,000.
const MAX_PACKAGES: usize = 100_000;

/// One pinned package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedDeb {
    /// The suite whose index named it.
    pub suite: String,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Its architecture, or `all`.
    pub arch: String,
    /// Its path below the mirror's base address.
    pub path: RelPath,
    /// Size of the file.
    pub size: u64,
    /// Digest of the file.
    pub digest: Digest,
}

/// A lock of Debian packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Digest of the request file that it answers.
    pub request: Digest,
    /// The packages, sorted by name and architecture.
    pub packages: Vec<LockedDeb>,
}

/// What is wrong with a lock. Retrying cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The first line is another one.
    #[error("this is not a Debian lock of a version that this gander knows: line 1 must be '{HEAD}'")]
    Head,
    /// A line is malformed.
    #[error("line {line} of the Debian lock is malformed: {why}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A line stands in the wrong place.
    #[error("line {line} of the Debian lock is out of order or names a package twice")]
    Order {
        /// The line, from 1.
        line: usize,
    },
    /// The text does not end with a newline: it may have been cut off.
    #[error("the Debian lock does not end with a newline, so it may have been cut off")]
    Cut,
    /// There are too many.
    #[error("the Debian lock names more than {MAX_PACKAGES} packages")]
    TooMany,
}

impl Lock {
    /// Parses a lock; anything malformed is an error that names the line.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut lines = text.split('\n').zip(1..);
        if lines.next().map(|(line, _)| line) != Some(HEAD) {
            return Err(LockError::Head);
        }
        let bad = |line, why: &dyn fmt::Display| LockError::Line { line, why: why.to_string() };
        let (request, _) = lines.next().ok_or(LockError::Cut)?;
        let request =
            request.strip_prefix("request\t").ok_or_else(|| bad(2, &"expected 'request' and a digest"))?;
        let request = request.parse().map_err(|why| bad(2, &why))?;
        let mut packages: Vec<LockedDeb> = Vec::new();
        let mut ended = false;
        for (text, line) in lines {
            if ended {
                return Err(bad(line - 1, &"it is empty"));
            }
            if text.is_empty() {
                ended = true;
                continue;
            }
            if packages.len() == MAX_PACKAGES {
                return Err(LockError::TooMany);
            }
            let package = LockedDeb::parse(text).map_err(|why| bad(line, &why))?;
            if packages.last().is_some_and(|before| before.key() >= package.key()) {
                return Err(LockError::Order { line });
            }
            packages.push(package);
        }
        if ended { Ok(Self { request, packages }) } else { Err(LockError::Cut) }
    }

    /// The suites that its packages are from.
    pub fn suites(&self) -> BTreeSet<&str> {
        self.packages.iter().map(|deb| deb.suite.as_str()).collect()
    }

    /// What changed from an older lock: one line a package, `+`, `-` or `~`.
    pub fn changes_since(&self, old: Option<&Self>) -> Vec<String> {
        let empty = Vec::new();
        let old = old.map_or(&empty, |old| &old.packages);
        let find = |list: &[LockedDeb], wanted: &LockedDeb| {
            list.binary_search_by(|deb| deb.key().cmp(&wanted.key()))
                .ok()
                .and_then(|at| list.get(at).cloned())
        };
        let mut changes = Vec::new();
        for deb in &self.packages {
            let (name, arch, version) = (&deb.name, &deb.arch, &deb.version);
            match find(old, deb) {
                None => changes.push((deb.key(), format!("+ {name}:{arch} {version}"))),
                Some(before) if before.version.as_str() != version.as_str() => {
                    changes.push((deb.key(), format!("~ {name}:{arch} {} -> {version}", before.version)));
                }
                Some(before) if before != *deb => {
                    changes.push((deb.key(), format!("~ {name}:{arch} {version}, another file")));
                }
                Some(_) => {}
            }
        }
        for deb in old.iter().filter(|deb| find(&self.packages, deb).is_none()) {
            changes.push((deb.key(), format!("- {}:{} {}", deb.name, deb.arch, deb.version)));
        }
        changes.sort();
        changes.into_iter().map(|(_, line)| line).collect()
    }
}

impl LockedDeb {
    /// What the lock is sorted by.
    pub fn key(&self) -> (&str, &str) {
        (&self.name, &self.arch)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split('\t').collect();
        let [suite, name, version, arch, path, size, digest] = fields.as_slice() else {
            return Err(format!("expected 7 fields with tabs between them, found {}", fields.len()));
        };
        let word = |text: &str, what| {
            if is_word(text) {
                Ok(text.to_owned())
            } else {
                Err(format!("'{}' is not {what}", text.escape_debug()))
            }
        };
        if !is_package_name(name) {
            return Err(format!("'{}' is not a package's name", name.escape_debug()));
        }
        let number = |text: &str| (!text.starts_with('+')).then(|| text.parse().ok()).flatten();
        let deb = Self {
            suite: word(suite, "a suite")?,
            name: (*name).into(),
            version: version.parse().map_err(|why: super::version::VersionError| why.to_string())?,
            arch: word(arch, "an architecture")?,
            path: pool_path(path)?,
            size: number(size).ok_or_else(|| format!("'{}' is not a size", size.escape_debug()))?,
            digest: Digest::from_hex(digest).map_err(|why| why.to_string())?,
        };
        // One text form only, so that equal locks are equal files.
        if deb.to_string() == text { Ok(deb) } else { Err("it is not in canonical form".into()) }
    }
}

/// Checks a path in the pool: it becomes part of an address.
pub(super) fn pool_path(text: &str) -> Result<RelPath, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+~/:%".contains(&byte);
    if !text.bytes().all(good) || !text.ends_with(".deb") {
        return Err(format!("'{}' is not the path of a .deb in the pool", text.escape_debug()));
    }
    RelPath::new(text).map_err(|why| why.to_string())
}

impl fmt::Display for LockedDeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, name, version, arch, path, size, digest } = self;
        write!(f, "{suite}\t{name}\t{version}\t{arch}\t{path}\t{size}\t{}", digest.hex())
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\nrequest\t{}", self.request)?;
        self.packages.iter().try_for_each(|deb| writeln!(f, "{deb}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        let deb = |name: &str, arch: &str| {
            let digest = Digest::of(name).hex();
            format!(
                "bookworm\t{name}\t1:2.0-1\t{arch}\tpool/main/x/{name}_2.0-1_{arch}.deb\t1234\t{digest}\n"
            )
        };
        let request = Digest::of("r");
        let debs = [deb("aa", "amd64"), deb("bb", "amd64"), deb("bb", "i386")].concat();
        format!("{HEAD}\nrequest\t{request}\n{debs}")
    }

    #[test]
    fn round_trips() {
        let lock = Lock::parse(&text()).unwrap();
        assert_eq!(lock.packages.len(), 3);
        assert_eq!(lock.to_string(), text());
    }

    #[test]
    fn refuses_anything_malformed() {
        for (from, to) in [
            (HEAD, "gander-debian-lock 2"),
            ("request\t", "request "),
            ("sha256:", "md5:"),
            ("\t1234\t", "\t01234\t"),
            ("\t1234\t", "\t+1234\t"),
            ("\t1234\t", "\t-1\t"),
            ("\t1:2.0-1\t", "\t1:2.0-1\t\t"),
            ("\t1:2.0-1\t", "\tx y\t"),
            ("pool/main/x/aa", "../main/x/aa"),
            ("pool/main/x/aa", "/pool/aa"),
            ("pool/main/x/aa", "pool/a?b"),
            ("aa_2.0-1_amd64.deb", "aa"),
            ("\taa\t", "\tcc\t"),
            ("\taa\t", "\tA\t"),
            ("\taa\t1:2.0-1\tamd64", "\tbb\t1:2.0-1\tamd64"),
            ("\nbookworm\tbb", "\n\nbookworm\tbb"),
        ] {
            let changed = text().replacen(from, to, 1);
            assert_ne!(changed, text(), "{from}");
            assert!(Lock::parse(&changed).is_err(), "{from:?} → {to:?}");
        }
        assert_eq!(Lock::parse(text().trim_end()), Err(LockError::Cut));
        assert_eq!(Lock::parse(""), Err(LockError::Head));
        assert!(Lock::parse(&format!("{}\n", text())).is_err());
    }

    #[test]
    fn says_what_changed() {
        let old = Lock::parse(&text()).unwrap();
        let mut new = old.clone();
        new.packages[0].version = "3".parse().unwrap();
        new.packages[1].digest = Digest::of("other");
        new.packages[2].name = "cc".into();
        assert_eq!(
            new.changes_since(Some(&old)),
            [
                "~ aa:amd64 1:2.0-1 -> 3",
                "~ bb:amd64 1:2.0-1, another file",
                "- bb:i386 1:2.0-1",
                "+ cc:i386 1:2.0-1"
            ]
        );
        assert_eq!(old.changes_since(Some(&old)), [""; 0]);
        assert_eq!(old.changes_since(None).len(), 3);
    }
}
