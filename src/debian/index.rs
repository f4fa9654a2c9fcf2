//! Package indexes (`Packages`): which packages a component of a suite has for an architecture.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::control::{ControlError, Paragraph, Paragraphs};
use super::depends::{self, Relation, RelationError, is_package_name};
use super::lock::pool_path;
use super::version::Version;
use crate::base::{Digest, RelPath};

/// The most packages that all indexes of one request may have; Debian's main has some 64,000 for one
/// architecture.
pub const MAX_PACKAGES: usize = 1_000_000;

/// One package of an index, with what resolving needs. Relations are parsed when they are looked at:
/// few packages of an index ever are.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name.
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
    depends: [Option<String>; 2],
}

impl Candidate {
    /// What it needs: Pre-Depends, then Depends.
    pub fn depends(&self) -> Result<Vec<Relation>, RelationError> {
        let mut all = Vec::new();
        for field in self.depends.iter().flatten() {
            all.extend(depends::parse(field)?);
        }
        Ok(all)
    }
}

/// What is wrong with an index. Retrying can help only where the cause is reading.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The paragraphs are malformed.
    #[error("the package index is malformed")]
    Control(#[from] ControlError),
    /// A paragraph lacks a field, or the field has no meaning.
    #[error("the package index is malformed: the paragraph that ends at line {line} has no valid {field}")]
    Field {
        /// The line, from 1.
        line: u64,
        /// The field.
        field: &'static str,
    },
    /// There are too many.
    #[error("the package indexes have more than {MAX_PACKAGES} packages")]
    TooMany,
}

/// The packages of some indexes of one suite, for one architecture (and `all`).
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// By name; of two versions of a package the later.
    packages: BTreeMap<String, Candidate>,
    /// Provided name → (provider, version if it has one), sorted by provider.
    providers: BTreeMap<String, Vec<(String, Option<Version>)>>,
}

impl Index {
    /// Adds the packages of one index, read as a stream. `arch` is the architecture that it is for.
    pub fn add(&mut self, reader: impl BufRead, arch: &str) -> Result<(), IndexError> {
        let mut paragraphs = Paragraphs::new(reader);
        while let Some(paragraph) = paragraphs.next_paragraph()? {
            let line = paragraphs.line();
            let (candidate, provides) =
                read(&paragraph, arch).map_err(|field| IndexError::Field { line, field })?;
            if self.packages.len() >= MAX_PACKAGES {
                return Err(IndexError::TooMany);
            }
            match self.packages.get(&candidate.name) {
                Some(known) if known.version >= candidate.version => continue,
                Some(_) => self.providers.values_mut().for_each(|list| {
                    list.retain(|(provider, _)| *provider != candidate.name);
                }),
                None => {}
            }
            for (name, version) in provides {
                self.providers.entry(name).or_default().push((candidate.name.clone(), version));
            }
            self.packages.insert(candidate.name.clone(), candidate);
        }
        self.providers.values_mut().for_each(|list| list.sort_by(|a, b| a.0.cmp(&b.0)));
        Ok(())
    }

    /// The package of this name.
    pub fn get(&self, name: &str) -> Option<&Candidate> {
        self.packages.get(name)
    }

    /// Who provides this name, sorted, with the version provided.
    pub fn providers(&self, name: &str) -> impl Iterator<Item = (&str, Option<&Version>)> {
        self.providers
            .get(name)
            .into_iter()
            .flatten()
            .map(|(name, version)| (name.as_str(), version.as_ref()))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }
}

type Provides = Vec<(String, Option<Version>)>;

fn read(paragraph: &Paragraph, index_arch: &str) -> Result<(Candidate, Provides), &'static str> {
    let field = |name: &'static str| paragraph.get(name).ok_or(name);
    let name = field("Package")?;
    if !is_package_name(name) {
        return Err("Package");
    }
    let arch = field("Architecture")?;
    if arch != index_arch && arch != "all" {
        return Err("Architecture");
    }
    let provides = match paragraph.get("Provides") {
        None => Vec::new(),
        Some(field) => depends::parse(field)
            .map_err(|_| "Provides")?
            .into_iter()
            .flat_map(|relation| relation.0)
            .map(|provided| (provided.name, provided.version.map(|(_, version)| version)))
            .collect(),
    };
    let candidate = Candidate {
        name: name.into(),
        version: field("Version")?.parse().map_err(|_| "Version")?,
        arch: arch.into(),
        path: pool_path(field("Filename")?).map_err(|_| "Filename")?,
        size: field("Size")?.parse().map_err(|_| "Size")?,
        digest: Digest::from_hex(field("SHA256")?).map_err(|_| "SHA256")?,
        depends: ["Pre-Depends", "Depends"].map(|name| paragraph.get(name).map(str::to_owned)),
    };
    Ok((candidate, provides))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An index of `name version | depends | provides` lines.
    pub(crate) fn index(lines: &[&str]) -> Index {
        let mut text = String::new();
        for line in lines {
            let mut parts = line.split(" / ");
            let (name, version) = parts.next().unwrap().split_once(' ').unwrap();
            let digest = Digest::of(line).hex();
            text += &format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nSize: 7\nSHA256: {digest}\n\
                 Filename: pool/main/{name}_{version}.deb\n"
            );
            for field in parts {
                text += &format!("{field}\n");
            }
            text += "\n";
        }
        let mut index = Index::default();
        index.add(text.as_bytes(), "amd64").unwrap();
        index
    }

    #[test]
    fn keeps_the_latest_version_and_its_provides() {
        let found = index(&[
            "ab 1 / Provides: old",
            "ab 2 / Provides: xx (= 5), yy",
            "cc 1 / Provides: xx",
            "ab 1.5",
        ]);
        assert_eq!(found.get("ab").unwrap().version.as_str(), "2");
        let providers: Vec<_> =
            found.providers("xx").map(|(name, version)| (name, version.is_some())).collect();
        assert_eq!(providers, [("ab", true), ("cc", false)]);
        assert_eq!(found.providers("old").count(), 0);
    }

    #[test]
    fn refuses_what_is_malformed() {
        let good = format!(
            "Package: ab\nVersion: 1\nArchitecture: all\nSize: 7\nSHA256: {}\nFilename: pool/a.deb\nProvides: xx\n",
            Digest::of("").hex()
        );
        let add = |text: &str| Index::default().add(text.as_bytes(), "amd64");
        add(&good).unwrap();
        for (from, to) in [
            ("Package: ab", "Package: ../ab"),
            ("Version: 1", "Version: -"),
            ("Architecture: all", "Architecture: i386"),
            ("Size: 7", "Size: x"),
            ("SHA256: e", "SHA256: x"),
            ("pool/a.deb", "pool/../../a.deb"),
            ("Provides: xx", "Provides: x x"),
            ("Version: 1\n", ""),
        ] {
            assert!(matches!(add(&good.replace(from, to)), Err(IndexError::Field { .. })), "{from} → {to}");
        }
    }
}
