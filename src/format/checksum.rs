//! `CHECKSUM`: sizes and digests of a folder's files in the BSD form, which `sha256sum --check` reads.
//!
//! ```text
//! # Gosling-1-x86_64-dvd.iso: 730857472 bytes
//! SHA256 (Gosling-1-x86_64-dvd.iso) = 0123…
//! ```
//! Two such lines for each file, sorted by its path as text. Lines that are empty or begin with `#` say nothing
//! on reading but the size of a file; lines of other algorithms (`MD5 (FILE) = …`) are passed over, so what Pungi
//! and Fedora write can be read. Paths have no backslash, for which coreutils has a form of its own.

use std::collections::BTreeMap;
use std::fmt;

use crate::base::{Digest, RelPath};

/// Largest `CHECKSUM` in bytes that is read.
pub const LARGEST: usize = 16 << 20;

/// The text is no list of checksums, or a file cannot be listed. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// The text is too large. Retrying cannot help.
    #[error("the list of checksums has {0} bytes, more than {LARGEST}")]
    TooLarge(usize),
    /// A line is wrong. Retrying cannot help.
    #[error("line {line} of the list of checksums: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A path that the form has no room for. Retrying cannot help.
    #[error("'{}' cannot stand in a list of checksums: {problem}", path.as_str().escape_debug())]
    Path {
        /// The path.
        path: RelPath,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Its sha256.
    pub digest: Digest,
    /// Its size in bytes; none where the list does not say.
    pub size: Option<u64>,
}

/// A list of checksums, by the files' paths relative to the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums(BTreeMap<RelPath, Checksum>);

impl Checksums {
    /// Adds a file. One that is there already is replaced.
    pub fn add(&mut self, path: RelPath, digest: Digest, size: u64) -> Result<(), ChecksumError> {
        if let Some(problem) = unfit(path.as_str()) {
            return Err(ChecksumError::Path { path, problem });
        }
        self.0.insert(path, Checksum { digest, size: Some(size) });
        Ok(())
    }

    /// The files.
    pub fn files(&self) -> &BTreeMap<RelPath, Checksum> {
        &self.0
    }

    /// Reads a list.
    pub fn parse(text: &str) -> Result<Self, ChecksumError> {
        if text.len() > LARGEST {
            return Err(ChecksumError::TooLarge(text.len()));
        }
        let mut found: BTreeMap<RelPath, Digest> = BTreeMap::new();
        let mut sizes: BTreeMap<RelPath, u64> = BTreeMap::new();
        for (place, line) in text.lines().enumerate() {
            let wrong = |problem: String| ChecksumError::Line { line: place + 1, problem };
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            if let Some(comment) = line.strip_prefix('#') {
                if let Some((path, size)) = size(comment)
                    && sizes.insert(path.clone(), size).is_some_and(|other| other != size)
                {
                    return Err(wrong(format!("another line says another size of '{path}'")));
                }
                continue;
            }
            // A path may have parentheses of its own; the last one ends it.
            let parts = line.split_once(" (").and_then(|(algorithm, rest)| {
                let (path, hex) = rest.rsplit_once(") = ")?;
                Some((algorithm, path, hex))
            });
            let (algorithm, path, hex) =
                parts.ok_or_else(|| wrong("expected 'SHA256 (FILE) = HEX'".into()))?;
            if algorithm.is_empty() || !algorithm.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(wrong(format!("'{}' names no algorithm", algorithm.escape_debug())));
            }
            if algorithm != "SHA256" {
                continue;
            }
            let path = RelPath::new(path).map_err(|error| wrong(error.to_string()))?;
            if let Some(problem) = unfit(path.as_str()) {
                return Err(wrong(format!("the path {problem}")));
            }
            let digest = Digest::from_hex(hex).map_err(|error| wrong(error.to_string()))?;
            if found.get(&path).is_some_and(|other| *other != digest) {
                return Err(wrong(format!("another line says another digest of '{path}'")));
            }
            found.insert(path, digest);
        }
        let with_size = |(path, digest): (RelPath, Digest)| {
            let size = sizes.get(&path).copied();
            (path, Checksum { digest, size })
        };
        Ok(Self(found.into_iter().map(with_size).collect()))
    }
}

/// ` FILE: SIZE bytes`
fn size(comment: &str) -> Option<(RelPath, u64)> {
    let (path, size) = comment.strip_prefix(' ')?.strip_suffix(" bytes")?.rsplit_once(": ")?;
    Some((RelPath::new(path).ok()?, size.parse().ok()?))
}

/// What is wrong with a path, if anything is.
fn unfit(path: &str) -> Option<&'static str> {
    if path.chars().any(char::is_control) {
        Some("it has a control character")
    } else if path.contains('\\') {
        Some("it has a backslash")
    } else if path.trim() != path {
        Some("it begins or ends with a blank")
    } else {
        None
    }
}

impl fmt::Display for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files: Vec<_> = self.0.iter().collect();
        // By the whole text, which is not the order of path components.
        files.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        for (path, Checksum { digest, size }) in files {
            if let Some(size) = size {
                writeln!(f, "# {path}: {size} bytes")?;
            }
            writeln!(f, "SHA256 ({path}) = {}", digest.hex())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn writes_what_it_reads() {
        let mut list = Checksums::default();
        for (name, size) in [("b.iso", 7), ("a/b.iso", 1 << 40), ("a (1).iso", 0), ("a.iso", 3), ("a: 1", 5)]
        {
            list.add(path(name), Digest::of(name), size).unwrap();
        }
        let text = list.to_string();
        let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        assert_eq!(
            names,
            [
                "a (1).iso: 0 bytes",
                "a.iso: 3 bytes",
                "a/b.iso: 1099511627776 bytes",
                "a: 1: 5 bytes",
                "b.iso: 7 bytes"
            ]
        );
        assert!(text.contains(&format!("\nSHA256 (b.iso) = {}\n", Digest::of("b.iso").hex())));
        assert_eq!(Checksums::parse(&text).unwrap(), list);
        assert_eq!(Checksums::default().to_string(), "");
    }

    #[test]
    fn reads_what_others_write() {
        let digest = Digest::of("x");
        let hex = digest.hex();
        let text = format!(
            "# Image checksums\n\n# x.iso: 1 bytes\nMD5 (x.iso) = 00\nSHA256 (x.iso) = {hex}\nSHA256 (y) = {hex}\n"
        );
        let list = Checksums::parse(&text).unwrap();
        let found: Vec<_> = list.files().iter().map(|(path, sum)| (path.as_str(), sum.size)).collect();
        assert_eq!(found, [("x.iso", Some(1)), ("y", None)]);
    }

    #[test]
    fn wrong_lines_and_paths_are_refused() {
        let hex = Digest::of("x").hex();
        let other = Digest::of("y").hex();
        for (text, line) in [
            ("SHA256 (x) = 00\n".to_owned(), 1),
            (format!("SHA256 (../x) = {hex}\n"), 1),
            (format!("SHA256 (a\\b) = {hex}\n"), 1),
            (format!("SHA256 (a\tb) = {hex}\n"), 1),
            (format!("\n{hex}  x\n"), 2),
            (format!(" (x) = {hex}\n"), 1),
            (format!("SHA256 (x) = {hex}\nSHA256 (x) = {other}\n"), 2),
            ("# x: 1 bytes\n# x: 2 bytes\n".to_owned(), 2),
        ] {
            let Err(ChecksumError::Line { line: found, .. }) = Checksums::parse(&text) else {
                panic!("{text:?} is taken")
            };
            assert_eq!(found, line, "{text:?}");
        }
        for name in ["a\\b", "a\nb", " a", "a "] {
            let Ok(path) = RelPath::new(name) else { continue };
            let added = Checksums::default().add(path, Digest::of(""), 0);
            assert!(matches!(added, Err(ChecksumError::Path { .. })), "{name:?}");
        }
    }
}
