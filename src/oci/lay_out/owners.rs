//! What a file or folder gets once it is there: owner, attributes, mode, times.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Mode, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::{LayOutError, escape};
use crate::base::RelPath;
use crate::store::IdMap;

/// What a file or folder gets once it is there.
pub(super) struct Node {
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) mtime: i64,
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

impl Node {
    /// A folder without an entry; to belong to `owner`, root's outside.
    pub(super) const fn implied(mode: u32, owner: (u32, u32)) -> Self {
        Self { mode, owner, mtime: 0, xattrs: Vec::new() }
    }
}

/// To whom files are given.
pub(super) struct Owners<'a> {
    pub(super) ids: &'a IdMap,
    /// To whom they belong when created.
    pub(super) own: (u32, u32),
}

/// Why something could not be created: an error number may mean that its name is taken.
pub(super) enum Create {
    Errno(Errno),
    Other(LayOutError),
}

impl From<Errno> for Create {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<LayOutError> for Create {
    fn from(error: LayOutError) -> Self {
        Self::Other(error)
    }
}

impl Owners<'_> {
    /// Gives away what has no open file: a link, a pipe.
    pub(super) fn give_name(
        &self,
        parent: BorrowedFd<'_>,
        path: &RelPath,
        owner: (u32, u32),
    ) -> Result<(), Create> {
        if owner == self.own {
            return Ok(());
        }
        let (uid, gid) = ids(owner);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let given = rustix::fs::chownat(parent, path.file_name(), Some(uid), Some(gid), flags);
        given.map_err(|errno| refused(path.as_str(), errno, || format!("the owner {}:{}", owner.0, owner.1)))
    }

    /// Owner first (which clears set-id bits and capabilities), then attributes, mode, and the time last.
    pub(super) fn finish(&self, fd: BorrowedFd<'_>, path: &str, node: &Node) -> Result<(), Create> {
        if node.owner != self.own {
            let (uid, gid) = ids(node.owner);
            let what = || format!("the owner {}:{}", node.owner.0, node.owner.1);
            rustix::fs::fchown(fd, Some(uid), Some(gid)).map_err(|errno| refused(path, errno, what))?;
        }
        for (name, value) in &node.xattrs {
            if name.starts_with("user.") {
                rustix::fs::fsetxattr(fd, name.as_str(), value, XattrFlags::empty())?;
            } else if name == "security.capability" {
                let value = capability(value, self.ids.users.to_outside(0).unwrap_or(0));
                rustix::fs::fsetxattr(fd, name.as_str(), &value, XattrFlags::empty())
                    .map_err(|errno| refused(path, errno, || "file capabilities".into()))?;
            }
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(node.mode))?;
        rustix::fs::futimens(fd, &times(node.mtime))?;
        Ok(())
    }
}

fn refused(path: &str, errno: Errno, what: impl FnOnce() -> String) -> Create {
    match errno {
        Errno::PERM => Create::Other(LayOutError::Privilege { path: escape(path.as_bytes()), what: what() }),
        other => Create::Errno(other),
    }
}

/// Capabilities of a file count for the namespace whose root they name (revision 3, a root id at the end);
/// without one, for the host's.
pub(super) fn capability(value: &[u8], root: u32) -> Vec<u8> {
    const REVISION_2: u32 = 0x0200_0000;
    const REVISION_3: u32 = 0x0300_0000;
    let magic = value.first_chunk().map(|magic| u32::from_le_bytes(*magic));
    match (magic, value.len()) {
        (Some(magic), 20) if magic & 0xff00_0000 == REVISION_2 && root != 0 => {
            let mut out = (magic & 0x00ff_ffff | REVISION_3).to_le_bytes().to_vec();
            out.extend(value.get(4..).unwrap_or_default());
            out.extend(root.to_le_bytes());
            out
        }
        _ => value.to_vec(),
    }
}

fn ids((uid, gid): (u32, u32)) -> (rustix::fs::Uid, rustix::fs::Gid) {
    (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid))
}

pub(super) fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
