//! Making files for those to whom the disk cannot give them.
//!
//! A file of another user, or in a folder that hands down another's group, is made here instead of by the
//! program, and noted in the record before anybody can see it; the program gets it open.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Mode, OFlags, Statx};
use rustix::io::Errno;

use super::Supervisor;
use super::answers::Halt;
use super::record::{Owner, hold, look_at};
use super::view::Place;
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
    pub stat: Statx,
    pub held: OwnedFd,
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
        let (_, stat) = look_at(&held)?;
        Ok(New { stat, held, open })
    }
}

impl Supervisor {
    /// To whom belongs what somebody makes in a folder.
    pub(super) fn owner_in(&self, who: &Who, folder: &OwnedFd) -> Result<Owner, Halt> {
        let (key, stat) = look_at(folder)?;
        let hands_down = u32::from(stat.stx_mode) & libc::S_ISGID != 0;
        let group = match hands_down {
            true => self.record.get(&key).map_or(0, |owner| owner.group),
            false => who.group.file,
        };
        Ok(Owner { user: who.user.file, group })
    }
}
