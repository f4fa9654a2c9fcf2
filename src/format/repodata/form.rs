//! Which files the metadata of a repository are.

use serde::{Deserialize, Serialize};

/// The form of a release's metadata. By default: compressed with Zstandard, and no databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Form {
    /// What the lists and the groups are compressed with.
    pub compression: Compression,
    /// Whether the lists are there as SQLite databases, too.
    pub database: bool,
}

impl Form {
    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a file of the metadata is compressed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Zstandard: small and fast; clients since EL 8 read it.
    #[default]
    #[serde(rename = "zstd")]
    Zstd,
    /// gzip: every client reads it.
    #[serde(rename = "gz")]
    Gzip,
    /// xz: the smallest and the slowest.
    #[serde(rename = "xz")]
    Xz,
}

impl Compression {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Gzip, Self::Xz];

    /// Its name in recipes, locks and plans, which is that of createrepo_c (1.2): `zstd`, `gz` or `xz`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gz",
            Self::Xz => "xz",
        }
    }

    /// Finds one by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }

    /// The ending of a file's name.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Zstd => "zst",
            Self::Gzip => "gz",
            Self::Xz => "xz",
        }
    }
}
