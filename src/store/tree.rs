//! Trees: what a folder holds, as a manifest with one digest. The text form is in `manifest.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Digest, RelPath};

/// What a folder holds below itself. The folder itself is no part of it: whoever lays a tree out makes the top
/// folder 0755, of user and group 0, with the time of the tree's newest entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<RelPath, Entry>,
}

/// One name in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The twelve mode bits; 0777 for a symbolic link.
    pub mode: u32,
    /// The owner inside the id map.
    pub uid: u32,
    /// The group inside the id map.
    pub gid: u32,
    /// Seconds since 1970, at most 2106.
    pub mtime: i64,
    /// Extended attributes, capabilities and access lists among them (see `attributes.rs`); none for a
    /// symbolic link.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// What it is.
    pub kind: EntryKind,
}

/// What a name in a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file, whose bytes are an object.
    File {
        /// The object.
        digest: Digest,
        /// Number of bytes.
        size: u64,
    },
    /// A folder.
    Directory,
    /// A symbolic link; where it leads is nobody's concern.
    Symlink {
        /// Its text.
        target: String,
    },
    /// Another name of a file that comes before it in the tree; everything else is as the file's entry says.
    HardLink {
        /// The first name of the file.
        to: RelPath,
    },
}

/// Something is no tree. Retrying cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The first line is not that of a manifest that this gander reads.
    #[error("it does not begin with the line '{}'", super::manifest::MAGIC)]
    Magic,
    /// A line cannot be read.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// It means a tree, but is not written as that tree is.
    #[error("it is not in canonical form")]
    NotCanonical,
    /// An entry cannot be where it is or as it is.
    #[error("'{path}': {why}")]
    Entry {
        /// The entry.
        path: RelPath,
        /// What is wrong.
        why: &'static str,
    },
}

/// Deeper folders are refused, so that whoever walks a tree can hold one open folder per level.
pub(super) const MAX_DEPTH: usize = 128;
pub(super) const MAX_TARGET: usize = 4095;
const MAX_XATTR_NAME: usize = 255;
/// Linux allows no longer value.
const MAX_XATTR_VALUE: usize = 65_536;

impl Entry {
    /// The same metadata for another kind; a symbolic link loses what it cannot have.
    pub(super) fn as_link_to(&self, to: RelPath) -> Self {
        Self { kind: EntryKind::HardLink { to }, ..self.clone() }
    }

    fn same_inode(&self, other: &Self) -> bool {
        (self.mode, self.uid, self.gid, self.mtime, &self.xattrs)
            == (other.mode, other.uid, other.gid, other.mtime, &other.xattrs)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.mode > 0o7777 {
            return Err("the mode has more than twelve bits");
        }
        if !(0..=i64::from(u32::MAX)).contains(&self.mtime) {
            return Err("the time is before 1970 or after 2106");
        }
        if self.xattrs.iter().any(|(name, value)| {
            !matches!(name.len(), 1..=MAX_XATTR_NAME) || name.contains('\0') || value.len() > MAX_XATTR_VALUE
        }) {
            return Err("an extended attribute is too long or has no name");
        }
        if let EntryKind::Symlink { target } = &self.kind {
            if !matches!(target.len(), 1..=MAX_TARGET) || target.contains('\0') {
                return Err("the symbolic link has no possible text");
            }
            if self.mode != 0o777 || !self.xattrs.is_empty() {
                return Err("a symbolic link has mode 0777 and no extended attributes");
            }
        }
        Ok(())
    }
}

impl Tree {
    /// A tree of these entries. Every folder above an entry must be there too, and a hard link must lead to a
    /// file whose name comes before its own.
    pub fn new(entries: BTreeMap<RelPath, Entry>) -> Result<Self, TreeError> {
        for (path, entry) in &entries {
            let wrong = |why| TreeError::Entry { path: path.clone(), why };
            entry.check().map_err(wrong)?;
            if path.as_str().split('/').count() > MAX_DEPTH {
                return Err(wrong("it lies deeper than 128 folders"));
            }
            match path.parent().map(|parent| entries.get(&parent).map(|entry| &entry.kind)) {
                None | Some(Some(EntryKind::Directory)) => {}
                Some(None) => return Err(wrong("the folder above it is missing")),
                Some(Some(_)) => return Err(wrong("what is above it is not a folder")),
            }
            if let EntryKind::HardLink { to } = &entry.kind {
                match entries.get(to) {
                    Some(file) if to < path && matches!(file.kind, EntryKind::File { .. }) => {
                        if !entry.same_inode(file) {
                            return Err(wrong(
                                "its metadata differ from those of the file that it is a name of",
                            ));
                        }
                    }
                    _ => return Err(wrong("the hard link does not lead to a file that comes before it")),
                }
            }
        }
        Ok(Self { entries })
    }

    /// Its entries, each folder before what is in it.
    pub fn entries(&self) -> &BTreeMap<RelPath, Entry> {
        &self.entries
    }

    /// Its entries, to be changed and made a tree again.
    pub fn into_entries(self) -> BTreeMap<RelPath, Entry> {
        self.entries
    }

    /// One entry.
    pub fn get(&self, path: &RelPath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The object and the size of the file with this name, also where the name is a hard link.
    pub fn file(&self, path: &RelPath) -> Option<(Digest, u64)> {
        match &self.entries.get(path)?.kind {
            EntryKind::File { digest, size } => Some((*digest, *size)),
            EntryKind::HardLink { to } => match self.entries.get(to)?.kind {
                EntryKind::File { digest, size } => Some((digest, size)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The objects that it needs, with their sizes.
    pub fn objects(&self) -> BTreeSet<(Digest, u64)> {
        self.entries
            .values()
            .filter_map(|entry| match entry.kind {
                EntryKind::File { digest, size } => Some((digest, size)),
                _ => None,
            })
            .collect()
    }

    /// The time of its newest entry, which is also the top folder's; 1 for an empty tree.
    pub fn newest(&self) -> i64 {
        self.entries.values().map(|entry| entry.mtime).max().unwrap_or(1)
    }

    /// The digest of its canonical form, which is its identity.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_bytes())
    }
}
