//! Confining this process itself, for good: no network, no files but those of one folder and what is named besides, no
//! rights.
//!
//! An ordinary user gets a user namespace of one id, their own. Root needs none: it makes the other namespaces as it is,
//! so that user ids of others are still told apart, and then gives up every capability.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::mounts::{self, Doing, MountError};
use super::{probe, sys};

/// Where the folder is afterwards.
const PLACE: &str = "store";

/// What ids look like that a user namespace does not map (Linux's default).
const OVERFLOW: u32 = 65_534;

/// Why this process could not be confined. Trying again cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// This machine, or the container around this process, allows no namespaces.
    #[error("this process cannot {doing}{}", listed(.reasons))]
    Forbidden {
        /// What failed, in words that follow "cannot".
        doing: &'static str,
        /// Why that may be.
        reasons: Vec<String>,
        /// What the system said.
        source: io::Error,
    },
    /// Something else failed.
    #[error("this process cannot {doing}")]
    Setup {
        /// What failed.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

fn listed(reasons: &[String]) -> String {
    reasons.iter().map(|reason| format!("; {reason}")).collect()
}

impl From<MountError> for ConfineError {
    fn from(error: MountError) -> Self {
        Self::Setup { doing: error.doing, source: error.source }
    }
}

fn setup<E: Into<io::Error>>(doing: &str) -> impl FnOnce(E) -> ConfineError + use<'_, E> {
    move |source| ConfineError::Setup { doing: doing.into(), source: source.into() }
}

/// Leaves no trace of this process's memory in core files.
pub fn leave_no_core() -> io::Result<()> {
    Ok(rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Leaves no trace of this process's memory in core files, and keeps other processes of the same user from reading it.
pub fn hide_memory() -> io::Result<()> {
    leave_no_core()?;
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Confines this process, which must have one thread, and gives the path of the folder from then on. Descriptors that are
/// open stay usable. What is named besides (folders, files, sockets, by absolute paths) stays where it is.
pub fn confine(folder: &Path, besides: &[PathBuf]) -> Result<PathBuf, ConfineError> {
    let others = UnshareFlags::NEWNS
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    let mounts = || -> Result<(), ConfineError> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(setup("part its mounts from the host's"))?;
        let source = mounts::host_path(folder)?;
        let mut others = Vec::new();
        for path in besides {
            others.push((mounts::host_path(path)?, below(path)?));
        }
        let root = mounts::memory("0755", "64k", mounts::flags(0))?;
        mounts::place(&root, CWD, "/").doing(|| "mount an empty root".into())?;
        rustix::fs::mkdirat(&root, PLACE, Mode::from_raw_mode(0o755)).map_err(setup("make a mount point"))?;
        for (other, path) in &others {
            mount_point(&root, other, path).map_err(setup("make a mount point"))?;
        }
        sys::set_mount_attributes(root.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
            .map_err(setup("make its root read-only"))?;
        for (source, path) in others.iter().map(|(other, path)| (other, &**path)).chain([(&source, PLACE)]) {
            mounts::set_attributes(source, path, true)?;
            mounts::attach(source, &root, path)?;
        }
        mounts::pivot(&root).map_err(setup("leave the host's file system"))
    };
    if sys::unshare(others).is_err() {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        sys::unshare(UnshareFlags::NEWUSER | others).map_err(|source| {
            let source = io::Error::from(source);
            let reasons = probe::forbidden(&source);
            ConfineError::Forbidden { doing: "make namespaces of its own", reasons, source }
        })?;
        if user == OVERFLOW {
            let reasons = vec!["the user 'nobody' cannot be told from all others there; use another".into()];
            let source = io::ErrorKind::Unsupported.into();
            return Err(ConfineError::Forbidden { doing: "have a user namespace", reasons, source });
        }
        let map = |file: &str, text: String| {
            std::fs::write(format!("/proc/self/{file}"), text).map_err(setup("write its map of ids"))
        };
        map("setgroups", "deny".into())?;
        map("uid_map", format!("{user} {user} 1"))?;
        map("gid_map", format!("{group} {group} 1"))?;
    }
    mounts()?;
    sys::own_keyring().map_err(setup("take a keyring of its own"))?;
    give_up_rights(CapabilitySet::empty()).map_err(setup("give up its rights"))?;
    Ok(Path::new("/").join(PLACE))
}

/// A path as it is from the root on.
fn below(path: &Path) -> Result<&str, ConfineError> {
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let below = path.strip_prefix("/").ok().filter(|below| plain && !below.starts_with(PLACE));
    below.and_then(Path::to_str).filter(|below| !below.is_empty()).ok_or_else(|| ConfineError::Setup {
        doing: format!("keep '{}': it has to be an absolute path, and none below /{PLACE}", path.display()),
        source: io::ErrorKind::InvalidInput.into(),
    })
}

/// Makes what something is to be mounted on: folders, and a file for what is none.
fn mount_point(root: &OwnedFd, source: &OwnedFd, path: &str) -> io::Result<()> {
    let is_folder = FileType::from_raw_mode(rustix::fs::fstat(source)?.st_mode) == FileType::Directory;
    let folders = path.match_indices('/').map(|(end, _)| end).chain(is_folder.then_some(path.len()));
    for end in folders {
        match rustix::fs::mkdirat(root, path.get(..end).unwrap_or(path), Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => {}
            made => made?,
        }
    }
    if !is_folder {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        drop(rustix::fs::openat(root, path, flags, Mode::from_raw_mode(0o644))?);
    }
    Ok(())
}

/// Gives up every capability but those that are kept, now and for what is executed later.
pub(super) fn give_up_rights(kept: CapabilitySet) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    for bit in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if kept.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The kernel knows no more capabilities.
            Err(Errno::INVAL) => break,
            // Without the right to, there is nothing to lose either: no new privileges come.
            Err(Errno::PERM) if kept.is_empty() => break,
            result => result?,
        }
    }
    let inheritable = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}
