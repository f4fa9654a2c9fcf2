//! The file system of a jail, mount by mount.
//!
//! Everything is done through descriptors (`open_tree`, `fsmount`, `move_mount`), so no path of the
//! host is looked up twice and no symbolic link of a root can lead a mount astray.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::request::{Bind, Cell};
use super::rights::PLACES;
use super::sys;

/// The devices that a program sees.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];
/// Limit of the file systems in memory that a program sees. Big scratch goes to `/build`.
pub(super) const TMP_SIZE: &str = "512m";
pub(super) const TMP_INODES: &str = "100k";
pub(super) const SHM_SIZE: &str = "64m";

/// What failed, in words that follow "cannot".
pub(super) struct MountError {
    pub doing: String,
    pub source: io::Error,
}

pub(super) trait Doing<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, MountError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, MountError> {
        self.map_err(|source| MountError { doing: doing(), source: source.into() })
    }
}

/// The host's side of every mount, detached from the host's tree.
pub(super) struct Sources {
    root: Option<OwnedFd>,
    binds: Vec<(OwnedFd, Bind)>,
    devices: Vec<(OwnedFd, &'static str)>,
}

/// Takes hold of what will be mounted. Done in the new mount namespace, but still with the ids of
/// the outside, for whom alone the folders may be open.
pub(super) fn open(cell: &Cell) -> Result<Sources, MountError> {
    let private = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).doing(|| "part the mounts from the host's".into())?;
    let root = cell.root.as_deref().map(host_path).transpose()?;
    let mut binds = Vec::with_capacity(cell.binds.len());
    for bind in &cell.binds {
        binds.push((host_path(&bind.source)?, bind.clone()));
    }
    let mut devices = Vec::new();
    if cell.is_program() {
        for name in DEVICES {
            devices.push((host_path(&Path::new("/dev").join(name))?, name));
        }
    }
    Ok(Sources { root, binds, devices })
}

pub(super) fn host_path(path: &Path) -> Result<OwnedFd, MountError> {
    clone(CWD, path).doing(|| format!("open '{}' for the jail", path.display()))
}

/// What is at a path, with all that is mounted there, once more and attached nowhere yet.
fn clone(folder: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(folder, path, flags)
}

/// Builds the jail's file system and makes it `/`. Done by process 1 of the jail as its root.
pub(super) fn enter(sources: Sources, cell: &Cell) -> Result<(), MountError> {
    let own_root = sources.root.is_some();
    let root = match sources.root {
        Some(root) => {
            set_attributes(&root, "", false)?;
            root
        }
        None => memory("0755", "64k", flags(0))?,
    };
    place(&root, CWD, "/").doing(|| "mount the root".into())?;
    if !own_root {
        for (_, bind) in &sources.binds {
            rustix::fs::mkdirat(&root, bind.target.as_str(), Mode::from_raw_mode(0o755))
                .doing(|| format!("make the mount point /{}", bind.target))?;
        }
        sys::set_mount_attributes(root.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
            .doing(|| "make the root read-only".into())?;
    }
    let program = cell.is_program();
    if program {
        attach(&proc()?, &root, "proc")?;
        attach(&memory("1777", TMP_SIZE, flags(libc::MOUNT_ATTR_NODEV))?, &root, "tmp")?;
        if is_folder(&root, "var/tmp") {
            attach(&memory("1777", TMP_SIZE, flags(libc::MOUNT_ATTR_NODEV))?, &root, "var/tmp")?;
        }
        attach_devices(&root, &sources.devices)?;
    }
    for (mount, bind) in &sources.binds {
        set_attributes(mount, bind.target.as_str(), bind.writable)?;
        attach(mount, &root, bind.target.as_str())?;
        if cell.makes_root() && bind.target.as_str() == "out" {
            make_places(mount)?;
            if program {
                furnish(mount, &root)?;
            }
        }
    }
    pivot(&root).doing(|| "leave the host's file system".into())
}

/// Makes a mount the root, and lets go of the old one.
pub(super) fn pivot(root: &OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    // The old root now lies over the new one, at the folder we are in.
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Makes the folders that a root file system being made is mounted on, where they are not there.
pub(super) fn make_places(out: &OwnedFd) -> Result<(), MountError> {
    for (path, mode) in PLACES {
        let make = || -> io::Result<()> {
            let (above, name) = match path.rsplit_once('/') {
                Some((above, name)) => (inside(out, above)?, name),
                None => (rustix::io::fcntl_dupfd_cloexec(out, 0)?, path),
            };
            match rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o700)) {
                Err(rustix::io::Errno::EXIST) => return Ok(()),
                made => made?,
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let made = rustix::fs::openat(&above, name, flags, Mode::empty())?;
            // A folder above may hand its group down.
            rustix::fs::fchown(&made, Some(Uid::ROOT), Some(Gid::ROOT))?;
            Ok(rustix::fs::fchmod(&made, Mode::from_raw_mode(mode))?)
        };
        make().doing(|| format!("make the folder '/out/{path}'"))?;
    }
    Ok(())
}

/// Mounts what programs need that enter the root file system which they make.
fn furnish(out: &OwnedFd, root: &OwnedFd) -> Result<(), MountError> {
    let put = |mount: &OwnedFd, name: &str| {
        let place = inside(out, name).doing(|| format!("find the mount point '{name}' in /out"))?;
        place_at(mount, &place).doing(|| format!("mount '{name}' in /out"))
    };
    for name in ["dev", "proc"] {
        let again = clone(root, name).doing(|| format!("open /{name} for /out"))?;
        put(&again, name)?;
    }
    let no_devices = flags(libc::MOUNT_ATTR_NODEV);
    let sys = memory("0555", "4k", flags(libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_RDONLY))?;
    put(&sys, "sys")?;
    put(&memory("0755", TMP_SIZE, no_devices)?, "run")?;
    put(&memory("1777", TMP_SIZE, no_devices)?, "tmp")?;
    put(&memory("1777", TMP_SIZE, no_devices)?, "var/tmp")
}

pub(super) fn set_attributes(mount: &OwnedFd, target: &str, writable: bool) -> Result<(), MountError> {
    let read_only = if writable { 0 } else { libc::MOUNT_ATTR_RDONLY };
    let attributes = read_only | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    sys::set_mount_attributes(mount.as_fd(), attributes, true)
        .doing(|| format!("set the attributes of /{target}"))
}

/// Covers a folder with an empty one in memory, and `/proc` with that of this PID namespace.
pub(super) fn over(folder: &Path) -> Result<OwnedFd, MountError> {
    place(&proc()?, CWD, "/proc").doing(|| "mount '/proc'".into())?;
    let memory = memory("0755", SHM_SIZE, flags(libc::MOUNT_ATTR_NODEV))?;
    move_mount(&memory, "", CWD, folder, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .doing(|| format!("mount '{}'", folder.display()))?;
    Ok(memory)
}

/// Mounts what an OCI runtime mounts for a step: the root, the devices, the binds by their number. It follows
/// symbolic links of a root, so all that it mounts on must be folders. Whether the root has a `/var/tmp`.
pub(super) fn furnish_bundle(sources: Sources, cell: &Cell, folder: &OwnedFd) -> Result<bool, MountError> {
    let Some(root) = sources.root else {
        return Err(io::Error::from(io::ErrorKind::NotFound)).doing(|| "find the root".into());
    };
    set_attributes(&root, "", false)?;
    attach(&root, folder, "root")?;
    for name in ["proc", "dev", "tmp"] {
        check_folder(&root, name, "in the root")?;
    }
    attach_devices(folder, &sources.devices)?;
    for (number, (mount, bind)) in sources.binds.iter().enumerate() {
        check_folder(&root, bind.target.as_str(), "in the root")?;
        set_attributes(mount, bind.target.as_str(), bind.writable)?;
        attach(mount, folder, &format!("bind-{number}"))?;
        if cell.makes_root() && bind.target.as_str() == "out" {
            make_places(mount)?;
            for (name, _) in PLACES {
                check_folder(mount, name, "in /out")?;
            }
        }
    }
    Ok(is_folder(&root, "var/tmp"))
}

fn check_folder(folder: &OwnedFd, name: &str, place: &str) -> Result<(), MountError> {
    let check = || -> io::Result<()> {
        let stat = rustix::fs::fstat(inside(folder, name)?)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(()),
            _ => Err(rustix::io::Errno::NOTDIR.into()),
        }
    };
    check().doing(|| format!("find the mount point '{name}' {place}"))
}

fn attach_devices(root: &OwnedFd, devices: &[(OwnedFd, &str)]) -> Result<(), MountError> {
    let dev = memory("0755", "64k", flags(libc::MOUNT_ATTR_NOEXEC))?;
    let fill = || -> io::Result<()> {
        for (_, name) in devices {
            let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(rustix::fs::openat(&dev, *name, create, Mode::from_raw_mode(0o666))?);
        }
        let links = [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
        for (name, target) in links {
            rustix::fs::symlinkat(target, &dev, name)?;
        }
        Ok(rustix::fs::mkdirat(&dev, "shm", Mode::from_raw_mode(0o755))?)
    };
    fill().doing(|| "fill /dev".into())?;
    attach(&dev, root, "dev")?;
    for (device, name) in devices {
        // Its mode and owner are the host's to change, also where the host's root is the jail's (in a container).
        let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
        sys::set_mount_attributes(device.as_fd(), attributes, false)
            .doing(|| format!("set the attributes of /dev/{name}"))?;
        attach(device, &dev, name)?;
    }
    attach(&memory("1777", SHM_SIZE, flags(libc::MOUNT_ATTR_NODEV))?, &dev, "shm")?;
    sys::set_mount_attributes(dev.as_fd(), libc::MOUNT_ATTR_RDONLY, false)
        .doing(|| "make /dev read-only".into())
}

pub(super) fn flags(more: u64) -> MountAttrFlags {
    let bits = u32::try_from(more | libc::MOUNT_ATTR_NOSUID).unwrap_or_default();
    MountAttrFlags::from_bits_retain(bits)
}

/// A new file system in memory, attached nowhere yet.
pub(super) fn memory(mode: &str, size: &str, attributes: MountAttrFlags) -> Result<OwnedFd, MountError> {
    let make = || -> io::Result<OwnedFd> {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(context.as_fd(), "mode", mode)?;
        fsconfig_set_string(context.as_fd(), "size", size)?;
        fsconfig_set_string(context.as_fd(), "nr_inodes", TMP_INODES)?;
        fsconfig_create(context.as_fd())?;
        Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
    };
    make().doing(|| "make a file system in memory".into())
}

/// The `/proc` of this PID namespace, attached nowhere yet.
pub(super) fn proc() -> Result<OwnedFd, MountError> {
    let make = || -> io::Result<OwnedFd> {
        let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(context.as_fd())?;
        let attributes = flags(libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC);
        Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
    };
    make().doing(|| "mount a fresh /proc (a container that masks parts of /proc forbids it)".into())
}

pub(super) fn place(mount: &OwnedFd, folder: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    if path.is_empty() {
        flags |= MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    }
    Ok(move_mount(mount, "", folder, path, flags)?)
}

/// Attaches a mount at a path below a folder that no symbolic link is part of.
pub(super) fn attach(mount: &OwnedFd, folder: &OwnedFd, path: &str) -> Result<(), MountError> {
    let found = inside(folder, path).doing(|| format!("find the mount point '{path}' in the root"))?;
    place_at(mount, &found).doing(|| format!("mount '{path}'"))
}

fn place_at(mount: &OwnedFd, folder: &OwnedFd) -> io::Result<()> {
    place(mount, folder.as_fd(), "")
}

fn inside(folder: &OwnedFd, path: &str) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(folder, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn is_folder(root: &OwnedFd, path: &str) -> bool {
    let stat = inside(root, path).and_then(|found| rustix::fs::fstat(&found));
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}
