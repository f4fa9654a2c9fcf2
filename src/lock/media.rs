//! `media`: what packages the media are made of, one a line, sorted. The file is there where there are media.
//!
//! ```text
//! gander-media 1
//! VARIANT  ARCH  NAME  PART  NEVRA
//! ```
//!
//! `PART` is `repository` (offered on a DVD) or `system` (installed in the live image, or in what starts from the
//! DVD). Every package is one of the file `packages`, selected for the tree of that variant and arch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::packages::Packages;
use super::{LockError, TreeKind, TreeRef, field, records};
use crate::base::Nevra;

pub(super) const FILE: &str = "media";
const FIRST: &str = "gander-media 1";

/// A medium by variant, arch and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediumRef {
    /// The variant.
    pub variant: String,
    /// The arch.
    pub arch: String,
    /// The medium's name.
    pub name: String,
}

impl fmt::Display for MediumRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}/{}", self.name, self.variant, self.arch)
    }
}

/// What packages are on a medium for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// They are offered to be installed.
    Repository,
    /// They are installed in the system that starts from the medium.
    System,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repository => "repository",
            Self::System => "system",
        })
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "repository" => Ok(Self::Repository),
            "system" => Ok(Self::System),
            _ => Err(format!("'{text}' is no part of a medium")),
        }
    }
}

/// The packages of every part of every medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaPackages(pub BTreeMap<(MediumRef, Part), BTreeSet<Nevra>>);

impl MediaPackages {
    /// The packages of a part of a medium.
    pub fn of(&self, medium: &MediumRef, part: Part) -> impl Iterator<Item = &Nevra> {
        self.0.get(&(medium.clone(), part)).into_iter().flatten()
    }

    /// Finds a line whose package is not one of the tree of its medium's variant and arch.
    pub(super) fn check(&self, packages: &Packages) -> Result<(), LockError> {
        for ((medium, part), nevra) in
            self.0.iter().flat_map(|(of, all)| all.iter().map(move |one| (of, one)))
        {
            let tree = TreeRef::new(&medium.variant, TreeKind::Binary(&medium.arch));
            let selected = packages.0.get(nevra).is_some_and(|package| package.trees.contains_key(&tree));
            if !selected {
                let of = format!("{part} of {medium}");
                return Err(LockError::Unselected { of, nevra: nevra.to_string() });
            }
        }
        Ok(())
    }

    /// Parses the file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let mut found = Self::default();
        for (line, fields) in records(FILE, FIRST, text)? {
            let [variant, arch, name, part, nevra] = fields.as_slice() else {
                return Err(LockError::Line { file: FILE, line, problem: "expected 5 fields".into() });
            };
            let medium = MediumRef { variant: (*variant).into(), arch: (*arch).into(), name: (*name).into() };
            let part = field(FILE, line, part)?;
            found.0.entry((medium, part)).or_default().insert(field(FILE, line, nevra)?);
        }
        Ok(found)
    }
}

impl fmt::Display for MediaPackages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST}")?;
        for ((MediumRef { variant, arch, name }, part), packages) in &self.0 {
            for nevra in packages {
                writeln!(f, "{variant}\t{arch}\t{name}\t{part}\t{nevra}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn the_text_form_round_trips() {
        let medium =
            |name: &str| MediumRef { variant: "Base".into(), arch: "x86_64".into(), name: name.into() };
        let packages = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let media = MediaPackages(BTreeMap::from([
            ((medium("dvd"), Part::Repository), packages(&["a-0:1-1.noarch", "b-0:1-1.x86_64"])),
            ((medium("dvd"), Part::System), packages(&["a-0:1-1.noarch"])),
            ((medium("live"), Part::System), packages(&["b-0:1-1.x86_64"])),
        ]));
        let text = media.to_string();
        assert_eq!(text.lines().nth(1), Some("Base\tx86_64\tdvd\trepository\ta-0:1-1.noarch"));
        assert_eq!(MediaPackages::parse(&text).unwrap(), media);
        assert_eq!(media.of(&medium("dvd"), Part::System).count(), 1);
        for wrong in ["Base\tx86_64\tdvd\tother\ta-0:1-1.noarch\n", "Base\tx86_64\tdvd\tsystem\n"] {
            assert!(MediaPackages::parse(&format!("{FIRST}\n{wrong}")).is_err(), "{wrong}");
        }
    }
    #[test]
    fn packages_that_the_tree_does_not_have_are_refused() {
        let digest = Digest::of("").hex();
        let record = |nevra: &str, tree: &str| {
            format!("{nevra}\t{digest}\t{digest}\t{digest}\t1\t-\tdir:x.rpm\t{tree}=\n")
        };
        let packages = ["a-0:1-1.noarch", "b-0:1-1.noarch"].iter().zip(["Base/x86_64", "Base/aarch64"]);
        let packages: String = packages.map(|(nevra, tree)| record(nevra, tree)).collect();
        let packages = Packages::parse(&format!("gander-packages 1\n{packages}")).unwrap();
        let check = |nevra: &str| {
            let media = MediaPackages::parse(&format!("{FIRST}\nBase\tx86_64\tdvd\tsystem\t{nevra}\n"));
            media.unwrap().check(&packages)
        };
        check("a-0:1-1.noarch").unwrap();
        // Of another tree, and of none.
        for nevra in ["b-0:1-1.noarch", "c-0:1-1.noarch"] {
            let error = check(nevra).unwrap_err().to_string();
            let expected = format!(
                "its file 'media' has {nevra} for the system of dvd of Base/x86_64, but 'packages' does not have it \
                 in that tree"
            );
            assert_eq!(error, expected);
        }
    }
}
