//! The trees of a compose: their names, and what each of them holds.
//!
//! A tree is named `VARIANT/ARCH`, that of source packages `VARIANT/source`, that of debugging packages `VARIANT/ARCH-debug`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, RelPath};

/// The arch that a tree of source packages goes by.
const SOURCE: &str = "source";
/// What stands behind the arch of a tree of debugging packages.
const DEBUG: &str = "-debug";

/// A tree by variant and arch, as the lock writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeRef {
    /// The variant.
    pub variant: String,
    /// The arch, with what tells other trees of it apart: see [`TreeRef::kind`].
    pub arch: String,
}

/// What a tree holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TreeKind<'t> {
    /// Packages to be installed, for this arch.
    Binary(&'t str),
    /// Debugging packages for this arch.
    Debug(&'t str),
    /// Source packages.
    Source,
}

impl<'t> TreeKind<'t> {
    fn of(arch: &'t str) -> Self {
        match (arch, arch.strip_suffix(DEBUG)) {
            (SOURCE, _) => Self::Source,
            (_, Some(arch)) => Self::Debug(arch),
            (arch, None) => Self::Binary(arch),
        }
    }

    /// The arch that a tree of this kind goes by in a lock.
    pub fn name(self) -> String {
        match self {
            Self::Binary(arch) => arch.into(),
            Self::Debug(arch) => format!("{arch}{DEBUG}"),
            Self::Source => SOURCE.into(),
        }
    }
}

impl TreeRef {
    /// The tree of this kind of a variant.
    pub fn new(variant: &str, kind: TreeKind<'_>) -> Self {
        Self { variant: variant.into(), arch: kind.name() }
    }

    /// The tree that debugging packages beside those of this one go into: `own` says whether the variant has trees for them.
    #[must_use]
    pub fn of_debug(&self, own: bool) -> Self {
        match self.kind() {
            TreeKind::Binary(arch) if own => Self::new(&self.variant, TreeKind::Debug(arch)),
            _ => self.clone(),
        }
    }

    /// What it holds.
    pub fn kind(&self) -> TreeKind<'_> {
        TreeKind::of(&self.arch)
    }
}

impl fmt::Display for TreeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.variant, self.arch)
    }
}

impl FromStr for TreeRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((variant, arch)) if !variant.is_empty() && !arch.is_empty() => {
                Ok(Self { variant: variant.into(), arch: arch.into() })
            }
            _ => Err(format!("'{text}' is not VARIANT/ARCH")),
        }
    }
}

/// A tree of packages to make: one variant for one arch, its debugging packages, or its source packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tree {
    /// The variant.
    pub variant: String,
    /// The arch, as in [`TreeRef`].
    pub arch: String,
    /// The comps file that its repository carries, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comps: Option<Digest>,
    /// The recipe's comps file, an object, where the repository carries but a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comps_source: Option<Digest>,
    /// What its repository says of modules, an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<Digest>,
    /// The folder of its repository below `compose/`, where that is not as Pungi has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<RelPath>,
    /// The folder of its packages within such a one; without it they lie beside `repodata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<RelPath>,
    /// Whether its packages lie in folders by the first letter of their names.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub hashed: bool,
}

fn yes() -> bool {
    true
}

impl Tree {
    /// A tree whose repository carries nothing but packages.
    pub fn new(variant: &str, kind: TreeKind<'_>) -> Self {
        Self {
            variant: variant.into(),
            arch: kind.name(),
            comps: None,
            comps_source: None,
            modules: None,
            folder: None,
            packages: None,
            hashed: true,
        }
    }

    /// Its name.
    pub fn name(&self) -> TreeRef {
        TreeRef { variant: self.variant.clone(), arch: self.arch.clone() }
    }

    /// The tree that debugging packages beside those of this one go into: `own` says whether the variant has trees for them.
    #[must_use]
    pub fn of_debug(&self, own: bool) -> Self {
        match self.kind() {
            TreeKind::Binary(arch) if own => Self::new(&self.variant, TreeKind::Debug(arch)),
            _ => self.clone(),
        }
    }

    /// What it holds.
    pub fn kind(&self) -> TreeKind<'_> {
        TreeKind::of(&self.arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_tree_holds() {
        for (text, kind) in [
            ("Base/x86_64", TreeKind::Binary("x86_64")),
            ("Base/x86_64-debug", TreeKind::Debug("x86_64")),
            ("Base/source", TreeKind::Source),
        ] {
            let tree: TreeRef = text.parse().unwrap();
            assert_eq!((tree.kind(), tree.to_string().as_str()), (kind, text));
            assert_eq!(TreeRef::new("Base", kind), tree);
            assert_eq!(Tree::new("Base", kind).name(), tree);
        }
        assert!("Base".parse::<TreeRef>().is_err());
    }

    #[test]
    fn a_tree_says_only_what_is_not_as_by_default() {
        let tree = Tree::new("Base", TreeKind::Binary("x86_64"));
        let text = toml::to_string(&tree).unwrap();
        assert_eq!(text, "variant = \"Base\"\narch = \"x86_64\"\n");
        assert_eq!(toml::from_str::<Tree>(&text).unwrap(), tree);
        let flat = Tree { hashed: false, ..tree };
        let text = toml::to_string(&flat).unwrap();
        assert!(text.ends_with("hashed = false\n"), "{text}");
        assert_eq!(toml::from_str::<Tree>(&text).unwrap(), flat);
        let path = |text: &str| Some(RelPath::new(text).unwrap());
        let elsewhere = Tree { folder: path("x86_64/os"), packages: path("Packages"), ..flat };
        let text = toml::to_string(&elsewhere).unwrap();
        assert!(text.contains("folder = \"x86_64/os\"\npackages = \"Packages\"\n"), "{text}");
        assert_eq!(toml::from_str::<Tree>(&text).unwrap(), elsewhere);
    }
}
