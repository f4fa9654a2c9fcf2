//! What takes room in a store.

use super::error::{At as _, StoreError};
use super::gc::Removed as Sum;
use super::{Store, walk};

/// How much room one kind of thing takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// The kind: `files`, `trees`, `actions`, `roots`, `images` or `scratch`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// How much room each kind of thing takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct UsageReport {
    /// One for each kind, always the same kinds in the same order.
    pub kinds: Vec<Usage>,
}

impl UsageReport {
    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.kinds.iter().map(|usage| usage.bytes).sum()
    }
}

impl Store {
    /// How much room each kind of thing takes, by the sizes of the files.
    pub fn du(&self) -> Result<UsageReport, StoreError> {
        let [mut files, mut trees, mut actions] = [Sum::default(); 3];
        for (digest, size) in self.each("objects")? {
            let tree = self.is_tree(&digest).unwrap_or(false);
            if tree { &mut trees } else { &mut files }.add(size);
        }
        self.each("actions")?.iter().for_each(|(_, size)| actions.add(*size));
        let [roots, images, scratch] = ["roots", "images", "tmp"].map(|name| self.below(name));
        let kinds = [
            ("files", files),
            ("trees", trees),
            ("actions", actions),
            ("roots", roots?),
            ("images", images?),
            ("scratch", scratch?),
        ];
        let kinds = kinds.map(|(kind, Sum { count, bytes })| Usage { kind, count, bytes });
        Ok(UsageReport { kinds: kinds.into() })
    }

    fn below(&self, name: &str) -> Result<Sum, StoreError> {
        let mut sum = Sum::default();
        let folder = self.folder(name);
        for name in walk::names(&folder).at("cannot list", &folder)? {
            // What another process removes meanwhile, or keeps to itself, does not count.
            sum.add(walk::bytes_below(&folder.join(name)).unwrap_or(0));
        }
        Ok(sum)
    }
}
