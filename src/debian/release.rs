//! Release files (`InRelease`): what a suite consists of, signed by the archive's keys.
//!
//! The file is a clear-signed paragraph. Only what the signature covers is read. Its `Codename` or
//! `Suite` must be the wanted one, or a mirror could serve another, older or weaker, suite under a
//! name; its `SHA256` field lists size and digest of every index.

use std::collections::BTreeMap;

use super::control::{ControlError, Paragraphs};
use crate::base::Digest;

/// The most bytes that a release file may have; Debian's have less than 300 KiB.
pub const MAX_SIZE: u64 = 8 << 20;

/// The most bytes that an index may have before it is decompressed.
const MAX_INDEX: u64 = 256 << 20;

/// A verified release file.
#[derive(Clone, Debug)]
pub struct Release {
    /// The suite's role, such as `stable`; changes over time.
    pub suite: String,
    /// Its code name.
    pub codename: String,
    /// Indexes by path below the suite's folder.
    files: BTreeMap<String, (u64, Digest)>,
}

/// What is wrong with a release file. Retrying can help when a mirror is being updated.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No key of the archive vouches for it.
    #[error("the release file '{url}' is not signed by a known key of the Debian archive")]
    Signature {
        /// Where it came from.
        url: String,
        /// What verification says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The text is malformed.
    #[error("the release file is malformed")]
    Control(#[from] ControlError),
    /// A field is missing or has no meaning.
    #[error("the release file has no valid field '{0}'")]
    Field(&'static str),
    /// It belongs to another suite.
    #[error("the release file is that of '{codename}' ('{suite}'), not of '{wanted}'")]
    OtherSuite {
        /// What was wanted.
        wanted: String,
        /// Its code name.
        codename: String,
        /// Its suite.
        suite: String,
    },
    /// It lists no index of this kind.
    #[error("the suite has no package index for component '{component}' and architecture '{arch}'")]
    NoIndex {
        /// The component.
        component: String,
        /// The architecture.
        arch: String,
    },
}

impl Release {
    /// Parses the content that a signature covers and checks that it is the wanted suite's.
    pub fn parse(content: &[u8], wanted: &str) -> Result<Self, ReleaseError> {
        let paragraph = Paragraphs::new(content).next_paragraph()?.ok_or(ReleaseError::Field("Codename"))?;
        let field = |name: &'static str| paragraph.get(name).ok_or(ReleaseError::Field(name));
        let (codename, suite) = (field("Codename")?, field("Suite")?);
        if wanted != codename && wanted != suite {
            let (wanted, codename, suite) = (wanted.into(), codename.into(), suite.into());
            return Err(ReleaseError::OtherSuite { wanted, codename, suite });
        }
        let mut files = BTreeMap::new();
        for line in field("SHA256")?.lines().filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let mut entry = || {
                let digest = Digest::from_hex(words.next()?).ok()?;
                let size = words.next()?.parse().ok()?;
                Some((words.next()?.to_owned(), (size, digest)))
            };
            let (path, file) = entry().ok_or(ReleaseError::Field("SHA256"))?;
            files.insert(path, file);
        }
        Ok(Self { suite: suite.into(), codename: codename.into(), files })
    }

    /// Path, size and digest of the compressed package index of a component and architecture.
    pub fn index(&self, component: &str, arch: &str) -> Result<(String, u64, Digest), ReleaseError> {
        let path = format!("{component}/binary-{arch}/Packages.xz");
        match self.files.get(&path) {
            Some((size, digest)) if *size <= MAX_INDEX => Ok((path, *size, *digest)),
            _ => Err(ReleaseError::NoIndex { component: component.into(), arch: arch.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_indexes_of_the_wanted_suite_only() {
        let digest = Digest::of("x");
        let text = format!(
            "Origin: Debian\nSuite: oldstable\nCodename: goose\nMD5Sum:\n abc 1 main/x\nSHA256:\n {} 12 main/binary-amd64/Packages.xz\n",
            digest.hex()
        );
        for wanted in ["goose", "oldstable"] {
            let release = Release::parse(text.as_bytes(), wanted).unwrap();
            let path = "main/binary-amd64/Packages.xz".to_owned();
            assert_eq!(release.index("main", "amd64").unwrap(), (path, 12, digest));
            assert!(matches!(release.index("main", "i386"), Err(ReleaseError::NoIndex { .. })));
        }
        assert!(matches!(Release::parse(text.as_bytes(), "swan"), Err(ReleaseError::OtherSuite { .. })));
        let broken = text.replace(" 12 ", " x ");
        assert!(matches!(Release::parse(broken.as_bytes(), "goose"), Err(ReleaseError::Field("SHA256"))));
        assert!(matches!(Release::parse(b"", "goose"), Err(ReleaseError::Field(_))));
    }
}
