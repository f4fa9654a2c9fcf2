//! Making files for those to whom the disk cannot give them.
//!
//! A file of another user, or in a folder that hands down another's group, is made here instead of by the
//! program, and noted in the record before anybody can see it; the program gets it open.

use std::ffi::CString;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Supervisor;
use super::answers::{Asked, Halt};
use super::record::{Key, Owner, hold, look_at};
use super::view::{Place, name_of};
use super::who::Who;

/// What is to be made.
#[derive(Debug)]
pub(super) enum Kind {
    File { flags: OFlags, mode: u32 },
    Folder(u32),
    Link(CString),
    Node(u32),
}

/// What was made.
#[derive(Debug)]
pub(super) struct New {
    pub key: Key,
    pub held: OwnedFd,
    pub folder: bool,
    /// Open for the program, and whether exec is to close it.
    pub open: Option<(OwnedFd, bool)>,
}

impl Kind {
    /// Makes it; an error if its name is taken.
    pub fn make(&self, place: &Place, masked: impl Fn(u32) -> Mode) -> Result<New, Errno> {
        let Place { folder, name } = place;
        let mut open = None;
        match self {
            Self::File { flags, mode } => {
                let wanted = *flags | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = rustix::fs::openat(folder, name, wanted, masked(*mode))?;
                open = Some((file, flags.contains(OFlags::CLOEXEC)));
            }
            Self::Folder(mode) => rustix::fs::mkdirat(folder, name, masked(*mode))?,
            Self::Link(target) => rustix::fs::symlinkat(target, folder, name)?,
            Self::Node(mode) => {
                let kind = match FileType::from_raw_mode(*mode) {
                    FileType::Unknown => FileType::RegularFile,
                    kind => kind,
                };
                rustix::fs::mknodat(folder, name, kind, masked(*mode), 0)?;
            }
        }
        let held = hold(folder, name)?;
        let (key, _) = look_at(&held)?;
        Ok(New { key, held, folder: matches!(self, Self::Folder(_)), open })
    }
}

impl Supervisor {
    /// To whom belongs what somebody makes in a folder.
    pub(super) fn owner_in(&self, who: &Who, folder: &OwnedFd) -> Result<Owner, Halt> {
        let (key, stat) = look_at(folder).map_err(|_| Halt::Pass)?;
        let hands_down = u32::from(stat.stx_mode) & libc::S_ISGID != 0;
        let group = match hands_down {
            true => self.record.get(&key).map_or(0, |owner| owner.group),
            false => who.group.file,
        };
        Ok(Owner { user: who.user.file, group })
    }

    /// Whether somebody may search every folder above a file.
    pub(super) fn may_reach(&self, asked: &Asked<'_>, who: &Who, file: &OwnedFd) -> Result<bool, Halt> {
        let path = name_of(self.proc.as_fd(), file).map_err(|_| Halt::Pass)?;
        let root = name_of_root(asked);
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            if at < root {
                continue;
            }
            let above = path.get(..at.max(1)).unwrap_or_default();
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(above) = rustix::fs::openat(CWD, above, flags, Mode::empty()) else {
                return Err(Halt::Pass);
            };
            let (key, stat) = look_at(&above).map_err(|_| Halt::Pass)?;
            let owner = self.record.get(&key).unwrap_or(Owner::ROOT);
            if !who.may(owner, stat.stx_mode.into(), 0o1) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// How long the path of the process's root is.
fn name_of_root(asked: &Asked<'_>) -> usize {
    let link = format!("{}/root", asked.view.thread);
    let root = rustix::fs::readlinkat(asked.view.proc, link, Vec::new()).map(CString::into_bytes);
    root.map_or(0, |root| if root == b"/" { 0 } else { root.len() })
}
