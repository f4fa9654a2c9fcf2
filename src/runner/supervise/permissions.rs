//! Permissions, where the kernel's own check knows too little.
//!
//! To the kernel every process of the step is root and every file root's. What is different in truth is checked
//! here: for a process that has become another user every file, for a step that may not pass over permissions
//! those that belong to others. Then a call ends with the error that it would end with, or the kernel carries it
//! out. Access lists are not looked at: those of others are refused, and others are rare.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Supervisor;
use super::answers::{Asked, Halt, Judged, Verdict, fails};
use super::calls::{At, Permission};
use super::record::{Owner, look_at};
use super::view::name_of;
use super::who::Who;

/// What a step may do whoever owns a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Powers {
    /// Change owners, and become other users.
    pub owners: bool,
    /// Do everything with files.
    pub files: bool,
    /// Read everything.
    pub read: bool,
}

impl Supervisor {
    /// Whether the kernel knows all about permissions.
    pub(super) fn is_idle(&self) -> bool {
        self.table.is_plain() && (self.powers.files || self.record.is_empty())
    }

    /// Whether somebody may do this (of `0o7`) with what is open, and may reach it.
    pub(super) fn may(&self, asked: &Asked<'_>, who: &Who, file: &OwnedFd, what: u32) -> Judged<bool> {
        Ok(self.may_here(who, file, what)? && self.may_reach(asked, who, file)?)
    }

    fn may_here(&self, who: &Who, file: &OwnedFd, what: u32) -> Judged<bool> {
        let bound = who.is_bound();
        if what == 0 || (!bound && (self.powers.files || self.powers.read && what & 0o2 == 0)) {
            return Ok(true);
        }
        let (key, stat) = look_at(file)?;
        let owner = match self.record.get(&key) {
            // The kernel knows root.
            None if !bound => return Ok(true),
            owner => owner.unwrap_or(Owner::ROOT),
        };
        let mode = u32::from(stat.stx_mode);
        Ok(FileType::from_raw_mode(mode) == FileType::Symlink || who.may(owner, mode, what))
    }

    /// Whether somebody may search every folder above a file.
    fn may_reach(&self, asked: &Asked<'_>, who: &Who, file: &OwnedFd) -> Judged<bool> {
        if !who.is_bound() && (self.powers.files || self.powers.read) {
            return Ok(true);
        }
        let path = name_of(self.proc.as_fd(), file)?;
        let root = rustix::fs::readlinkat(asked.view.proc, format!("{}/root", asked.call.thread), Vec::new());
        let root = root.map_or(0, |root| if root.as_bytes() == b"/" { 0 } else { root.as_bytes().len() });
        let slashes = path.iter().enumerate().filter(|(at, byte)| **byte == b'/' && *at >= root);
        for (at, _) in slashes {
            let above = path.get(..at.max(1)).unwrap_or_default();
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // What has no path (a pipe, a file without a name) has nothing above it.
            let Ok(above) = rustix::fs::openat(CWD, above, flags, Mode::empty()) else { return Ok(true) };
            if !self.may_here(who, &above, 0o1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The same for what a call names; what is open already was reached.
    pub(super) fn may_reach_at(&self, asked: &Asked<'_>, who: &Who, at: At, file: &OwnedFd) -> Judged<bool> {
        if matches!(at, At::Fd(_)) { Ok(true) } else { self.may_reach(asked, who, file) }
    }

    /// Whether the kernel is to carry out what needs this permission.
    pub(super) fn permission(
        &self,
        asked: &Asked<'_>,
        who: &Who,
        at: At,
        file: &OwnedFd,
        what: u32,
    ) -> Judged {
        let may = self.may_here(who, file, what)? && self.may_reach_at(asked, who, at, file)?;
        Ok(if may { Verdict::Pass } else { fails(Errno::ACCESS) })
    }

    pub(super) fn access(&mut self, asked: &Asked<'_>, at: At, permission: Permission) -> Judged {
        if self.is_idle() {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        let (who, what) = match permission {
            Permission::Argument(mode) => {
                let effective = asked.flags(at) & libc::AT_EACCESS.cast_unsigned() != 0;
                (if effective { who } else { who.really() }, asked.call.word(mode) & 0o7)
            }
            Permission::Search | Permission::Root | Permission::Run => (who, 0o1),
            Permission::Reach => (who, 0),
        };
        let file = match permission {
            Permission::Reach => asked.find_link(at)?,
            _ => asked.find(at)?,
        };
        let file = file?;
        match (self.permission(asked, &who, at, &file, what)?, permission) {
            (Verdict::Pass, Permission::Root) if who.is_bound() => Ok(fails(Errno::PERM)),
            (Verdict::Pass, Permission::Run) => {
                if let Some(new) = who.running_another() {
                    self.become_who(asked, new)?;
                }
                Ok(Verdict::Pass)
            }
            (verdict, _) => Ok(verdict),
        }
    }

    /// What is in a file changes.
    pub(super) fn cut(&self, asked: &Asked<'_>, at: At) -> Judged {
        if self.is_idle() {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        let file = asked.find(at)??;
        self.permission(asked, &who, at, &file, 0o2)
    }

    /// What a file is changes.
    pub(super) fn alter(&self, asked: &Asked<'_>, at: At) -> Judged {
        if self.is_idle() {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        if !who.is_bound() && self.powers.files {
            return Ok(Verdict::Pass);
        }
        let file = asked.find(at)??;
        if !self.may_reach_at(asked, &who, at, &file)? {
            return Ok(fails(Errno::ACCESS));
        }
        Ok(if self.owner(&file)?.user == who.user.file { Verdict::Pass } else { fails(Errno::PERM) })
    }

    fn owner(&self, file: &OwnedFd) -> Judged<Owner> {
        let (key, _) = look_at(file)?;
        Ok(self.record.get(&key).unwrap_or(Owner::ROOT))
    }

    /// A name goes, and perhaps another one comes.
    pub(super) fn rename(&self, asked: &Asked<'_>, old: At, new: Option<At>) -> Judged {
        if self.is_idle() {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        if !who.is_bound() && self.powers.files {
            return Ok(Verdict::Pass);
        }
        for at in [Some(old), new].into_iter().flatten() {
            if matches!(at, At::Fd(_)) {
                continue;
            }
            let (from, path) = asked.path(at)?;
            let place = asked.view.place(from, &path)?.ok_or(Halt::Pass)?;
            if !self.may(asked, &who, &place.folder, 0o3)? {
                return Ok(fails(Errno::ACCESS));
            }
            let (_, stat) = look_at(&place.folder)?;
            let sticky = u32::from(stat.stx_mode) & libc::S_ISVTX != 0;
            let Ok(file) = super::record::hold(&place.folder, &place.name) else { continue };
            let owners = [self.owner(&file)?.user, self.owner(&place.folder)?.user];
            if sticky && !owners.contains(&who.user.file) {
                return Ok(fails(Errno::PERM));
            }
        }
        Ok(Verdict::Pass)
    }
}
