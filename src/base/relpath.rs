//! Relative paths that cannot leave their root.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A relative path of at least one component, with `/` between them: no empty, `.` or `..`
/// component, no leading slash, no NUL. Ordered by bytes, component by component.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelPath(String);

/// The path is empty, absolute, or could leave its root. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path '{0}' is not a plain relative path (no '..', no leading '/', no empty part)")]
pub struct RelPathError(String);

impl RelPath {
    /// Checks a path.
    pub fn new(path: impl Into<String>) -> Result<Self, RelPathError> {
        let path = path.into();
        let plain = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
        if path.len() <= 4095 && !path.contains('\0') && path.split('/').all(plain) {
            Ok(Self(path))
        } else {
            Err(RelPathError(path.escape_debug().take(200).collect()))
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below a folder.
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    /// This path with another one below it.
    pub fn join(&self, below: &str) -> Result<Self, RelPathError> {
        Self::new(format!("{}/{below}", self.0))
    }

    /// The folder that holds it, none at the top.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.split('/').cmp(other.0.split('/'))
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RelPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for RelPath {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for RelPath {
    type Err = RelPathError;

    fn from_str(text: &str) -> Result<Self, RelPathError> {
        Self::new(text)
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_leaves_the_root() {
        for bad in ["", "/", "/etc", "..", "a/../b", "a//b", "a/", "./a", "a/./b", "a\0b"] {
            assert!(RelPath::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b", "usr/bin/[", "..a/b..", "é"] {
            assert_eq!(RelPath::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn orders_a_folder_before_what_is_in_it_and_beside_it() {
        let mut paths: Vec<_> = ["a-b", "a/b", "a"].map(|path| RelPath::new(path).unwrap()).into();
        paths.sort();
        assert_eq!(paths.iter().map(RelPath::as_str).collect::<Vec<_>>(), ["a", "a/b", "a-b"]);
    }
}
