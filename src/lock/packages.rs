//! `packages`: one package a line, sorted by NEVRA.
//!
//! ```text
//! gander-packages 1
//! NEVRA  CONTENT  HEADER  UNSIGNED  SIZE  KEYS  ORIGINS  TREES
//! ```
//!
//! (a TAB where two spaces stand here; several values of one field have single spaces between them)
//!
//! - `CONTENT`: sha256 of everything after the signature header, equal for every signed copy
//! - `HEADER`: sha256 of the main header, which is what a header signature covers
//! - `UNSIGNED`, `SIZE`: sha256 and size in bytes of the file that signatures are inserted into
//! - `KEYS`: the fingerprints wanted, `-` for a package that is shipped as it is; `=` before them: the signatures
//!   that the file came with go
//! - `ORIGINS`: where it comes from, in order: `build:SPEC:TARGET:PATH`, `dir:PATH`,
//!   `repo:ID:PATH`, `koji:ID:PATH` or `koji-signed:ID:PATH:HEADER`
//! - `TREES`: what it was selected for: `VARIANT/ARCH=FLAG,FLAG`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::{LockError, TreeRef, field, records};
use crate::base::{Digest, Nevra, RelPath};

const FILE: &str = "packages";
const FIRST: &str = "gander-packages 1";

/// All packages of a lock by NEVRA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages(pub BTreeMap<Nevra, Package>);

/// One package: its identity, where it comes from, what it was selected for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Digest of everything after the signature header.
    pub content: Digest,
    /// Digest of the main header.
    pub header: Digest,
    /// Digest of the file that signatures are inserted into.
    pub unsigned: Digest,
    /// That file's size in bytes.
    pub size: u64,
    /// Fingerprints of the keys that must have signed it.
    pub keys: Vec<String>,
    /// Whether the signatures that the file came with go when theirs are inserted.
    pub replaced: bool,
    /// Where it comes from, in order.
    pub origins: Vec<Origin>,
    /// The trees that it was selected for, each with its flags.
    pub trees: BTreeMap<TreeRef, BTreeSet<String>>,
}

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An output of a build.
    Build {
        /// The spec's path, relative to the recipe.
        spec: RelPath,
        /// The arch that it is built for.
        target: String,
        /// The file in the build's output.
        path: RelPath,
    },
    /// A file below the recipe's folder.
    Dir(RelPath),
    /// A file of a repository.
    Repo {
        /// The repository's id in the lock's header.
        repository: String,
        /// The file, from a folder that holds `repodata`.
        path: RelPath,
    },
    /// A file of a Koji hub.
    Koji {
        /// The source's id in the lock's header.
        source: String,
        /// The file, below the hub's files.
        path: RelPath,
    },
    /// A file of a Koji hub that gets another signature header.
    KojiSigned {
        /// The source's id in the lock's header.
        source: String,
        /// The file, below the hub's files.
        path: RelPath,
        /// The signature header, an object.
        header: Digest,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { spec, target, path } => {
                write!(f, "build:{}:{target}:{}", escape(spec.as_str()), escape(path.as_str()))
            }
            Self::Dir(path) => write!(f, "dir:{}", escape(path.as_str())),
            Self::Repo { repository, path } => write!(f, "repo:{repository}:{}", escape(path.as_str())),
            Self::Koji { source, path } => write!(f, "koji:{source}:{}", escape(path.as_str())),
            Self::KojiSigned { source, path, header } => {
                write!(f, "koji-signed:{source}:{}:{}", escape(path.as_str()), header.hex())
            }
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = |text: &str| RelPath::new(unescape(text)?).map_err(|error| error.to_string());
        match text.split(':').collect::<Vec<_>>().as_slice() {
            ["build", spec, target, output] => {
                Ok(Self::Build { spec: path(spec)?, target: (*target).into(), path: path(output)? })
            }
            ["dir", file] => Ok(Self::Dir(path(file)?)),
            ["repo", repository, file] => {
                Ok(Self::Repo { repository: (*repository).into(), path: path(file)? })
            }
            ["koji", source, file] => Ok(Self::Koji { source: (*source).into(), path: path(file)? }),
            ["koji-signed", source, file, header] => Ok(Self::KojiSigned {
                source: (*source).into(),
                path: path(file)?,
                header: Digest::from_hex(header).map_err(|error| error.to_string())?,
            }),
            _ => Err(format!("'{text}' is no origin that this gander knows")),
        }
    }
}

/// Makes a path fit between separators: `%`, `:`, white space and control characters become `%XX`.
fn escape(path: &str) -> String {
    path.chars()
        .map(|found| match found {
            '%' | ':' | ' ' => format!("%{:02X}", found as u32),
            found if found.is_ascii_control() => format!("%{:02X}", found as u32),
            found => found.to_string(),
        })
        .collect()
}

fn unescape(text: &str) -> Result<String, String> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (Some(code), Some(rest)) = (code.filter(u8::is_ascii), part.get(2..)) else {
            return Err(format!("'{text}' has a broken escape"));
        };
        out.push(char::from(code));
        out.push_str(rest);
    }
    Ok(out)
}

impl fmt::Display for Packages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}")?;
        for (nevra, package) in &self.0 {
            let keys = match package.keys.join(" ") {
                keys if keys.is_empty() => "-".to_owned(),
                keys if package.replaced => format!("={keys}"),
                keys => keys,
            };
            let origins: Vec<_> = package.origins.iter().map(Origin::to_string).collect();
            let trees: Vec<_> = package
                .trees
                .iter()
                .map(|(tree, flags)| {
                    format!("{tree}={}", flags.iter().map(String::as_str).collect::<Vec<_>>().join(","))
                })
                .collect();
            let (content, header, unsigned) =
                (package.content.hex(), package.header.hex(), package.unsigned.hex());
            let (size, origins, trees) = (package.size, origins.join(" "), trees.join(" "));
            writeln!(f, "{nevra}\t{content}\t{header}\t{unsigned}\t{size}\t{keys}\t{origins}\t{trees}")?;
        }
        Ok(())
    }
}

impl Packages {
    /// Parses the file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut packages = BTreeMap::new();
        for (line, fields) in records(FILE, FIRST, text)? {
            let problem = |problem: String| LockError::Line { file: FILE, line, problem };
            let [nevra, content, header, unsigned, size, keys, origins, trees] = fields.as_slice() else {
                return Err(problem(format!("expected 8 fields, found {}", fields.len())));
            };
            let digest = |text: &str| Digest::from_hex(text).map_err(|error| problem(error.to_string()));
            let mut chosen = BTreeMap::new();
            for tree in trees.split(' ').filter(|tree| !tree.is_empty()) {
                let (tree, flags) = tree.split_once('=').unwrap_or((tree, ""));
                let flags = flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
                chosen.insert(field(FILE, line, tree)?, flags);
            }
            let (keys, replaced) = keys.strip_prefix('=').map_or((*keys, false), |keys| (keys, true));
            let package = Package {
                content: digest(content)?,
                header: digest(header)?,
                unsigned: digest(unsigned)?,
                size: field(FILE, line, size)?,
                keys: keys.split(' ').filter(|key| *key != "-").map(str::to_owned).collect(),
                replaced,
                origins: origins
                    .split(' ')
                    .map(|origin| field(FILE, line, origin))
                    .collect::<Result<_, _>>()?,
                trees: chosen,
            };
            if packages.insert(field(FILE, line, nevra)?, package).is_some() {
                return Err(problem(format!("'{nevra}' stands there twice")));
            }
        }
        Ok(Self(packages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let package = Package {
            content: Digest::of("content"),
            header: Digest::of("header"),
            unsigned: Digest::of("unsigned"),
            size: 7,
            keys: vec!["AB".into(), "CD".into()],
            replaced: false,
            origins: vec![
                Origin::Build {
                    spec: RelPath::new("specs/a b:c%.spec").unwrap(),
                    target: "x86_64".into(),
                    path: RelPath::new("x86_64/bash-1-1.x86_64.rpm").unwrap(),
                },
                Origin::Dir(RelPath::new("rpms/é.rpm").unwrap()),
                Origin::Repo {
                    repository: "app-stream".into(),
                    path: RelPath::new("Packages/a%20b:c.rpm").unwrap(),
                },
                Origin::Koji {
                    source: "f42".into(),
                    path: RelPath::new("packages/a/1/1,draft_2/noarch/a-1-1.noarch.rpm").unwrap(),
                },
                Origin::KojiSigned {
                    source: "f42".into(),
                    path: RelPath::new("packages/a/1/1/noarch/a-1-1.noarch.rpm").unwrap(),
                    header: Digest::of("signature header"),
                },
            ],
            trees: BTreeMap::from([(
                TreeRef { variant: "BaseOS".into(), arch: "x86_64".into() },
                BTreeSet::from(["group".into(), "input".into()]),
            )]),
        };
        let replaced = Package { keys: vec!["AB".into()], replaced: true, ..package.clone() };
        let packages = Packages(BTreeMap::from([
            ("bash-0:1-1.x86_64".parse().unwrap(), package),
            ("bash-0:2-1.x86_64".parse().unwrap(), replaced),
        ]));
        let text = packages.to_string();
        assert_eq!(Packages::parse(&text).unwrap(), packages);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("\tAB CD\t") && text.contains("\t=AB\t"), "{text}");
    }

    #[test]
    fn malformed_lines_are_named() {
        let digest = Digest::of("").hex();
        for (text, line) in [
            ("", 1),
            ("gander-packages 2\n", 1),
            ("gander-packages 1\nx", 2),
            ("gander-packages 1\nx\ty\n", 2),
            (
                &format!(
                    "gander-packages 1\nx-0:1-1.noarch\t{digest}\t{digest}\t{digest}\t1\t-\tftp:x\tA/b=\n"
                ),
                2,
            ),
            (
                &format!(
                    "gander-packages 1\nx-0:1-1.noarch\t{digest}\t{digest}\t{digest}\t1\t-\tdir:../x\tA/b=\n"
                ),
                2,
            ),
        ] {
            match Packages::parse(text) {
                Err(LockError::Line { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
