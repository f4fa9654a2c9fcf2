//! Which system calls the supervisor has a say in, and where their arguments are.

use libc::c_long;

use super::filter::Level;

/// How a call names the file that it is about. Numbers are positions of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// By a path; a symbolic link at its end is followed.
    Path(usize),
    /// By a path; a symbolic link at its end is meant itself.
    Link(usize),
    /// By a descriptor.
    Fd(usize),
    /// By a path that starts at a folder; flags may say that a link is meant, or the descriptor itself.
    Below { folder: usize, path: usize, flags: Option<usize> },
}

/// Which ids a call sets or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    User,
    Group,
    EffectiveUser,
    EffectiveGroup,
    RealAndEffectiveUser,
    RealAndEffectiveGroup,
    AllUsers,
    AllGroups,
    FileUser,
    FileGroup,
    Groups,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Changes the owner; the user's position, and the group's after it.
    Own(At, usize),
    /// Tells what a file is, into a `struct stat` at this position.
    Stat(At, usize),
    /// Tells what a file is, into a `struct statx`; the mask's position, and the buffer's after it.
    Statx(At, usize),
    /// Opens a file; the flags' position, and the mode's after it.
    Open(At, usize),
    /// `creat`: the mode's position.
    Creat(At, usize),
    /// `openat2`.
    Open2,
    /// Makes a folder; the mode's position.
    MakeFolder(At, usize),
    /// Makes a symbolic link with the text at the first position.
    MakeLink(At),
    /// Makes a pipe, a socket, a device or a file; the mode's position, and the device's after it.
    MakeNode(At, usize),
    /// Sets an extended attribute; the name's position, then the value's and its size's.
    Attribute(At, usize),
    /// Changes what a file is: its owner may.
    Alter(At),
    /// Changes what is in a file.
    Cut(At),
    /// Removes a name.
    Remove(At),
    /// Gives a file another name, or one more: the old and the new one.
    Name(At, At),
    /// Asks for permission, or for what needs one; where it is said for what, or the permission itself.
    Access(At, Permission),
    /// Sets ids of the process.
    Set(Which),
    /// Tells ids of the process.
    Get(Which),
    /// `prctl`: only `PR_SET_KEEPCAPS` and `PR_SET_CHILD_SUBREAPER` are looked at.
    Control,
    /// Makes namespaces, for itself or for whom it starts; the flags' position.
    Part(usize),
    /// `clone3`, whose flags are in memory.
    Clone3,
    /// Is answered as if this kernel did not know it.
    Absent,
}

/// What one may do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// What this argument says, as the real user or, if the flags say so, as the effective one.
    Argument(usize),
    /// Look for names in it.
    Search,
    /// Make it its root.
    Root,
    /// Run it.
    Run,
    /// See where it leads or what it is: only the folders above count.
    Reach,
}

/// When a call comes to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Each time.
    Always,
    /// When the argument has one of these bits.
    Bits(usize, u32),
    /// When one of these arguments is neither 0 nor -1.
    OtherIds { first: usize, count: usize },
    /// When the argument is one of these.
    In(usize, &'static [u32]),
}

impl Call {
    /// Where the call is about the file itself and has an effect only through other ids than root's.
    const fn ids(self) -> Option<(usize, usize)> {
        match self {
            Self::Own(_, first) => Some((first, 2)),
            Self::Set(which) => match which {
                Which::User | Which::Group | Which::FileUser | Which::FileGroup => Some((0, 1)),
                Which::RealAndEffectiveUser | Which::RealAndEffectiveGroup => Some((0, 2)),
                Which::AllUsers | Which::AllGroups => Some((0, 3)),
                _ => None,
            },
            _ => None,
        }
    }

    /// When it matters.
    pub(super) const fn when(self, level: Level) -> Option<When> {
        const WRITES: u32 =
            (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;
        match self {
            Self::Absent | Self::Attribute(..) | Self::Get(Which::Groups) | Self::Set(Which::Groups) => {
                Some(When::Always)
            }
            Self::Own(..) | Self::Set(_) if matches!(level, Level::Bare) => match self.ids() {
                Some((first, count)) => Some(When::OtherIds { first, count }),
                None => Some(When::Always),
            },
            _ if matches!(level, Level::Bare) => None,
            Self::Open(_, flags) if matches!(level, Level::Full) => Some(When::Bits(flags, WRITES)),
            Self::Control => {
                const OPTIONS: &[u32] = &[libc::PR_SET_KEEPCAPS as u32, libc::PR_SET_CHILD_SUBREAPER as u32];
                Some(When::In(0, OPTIONS))
            }
            Self::Part(flags) => Some(When::Bits(flags, libc::CLONE_NEWUSER as u32)),
            _ => Some(When::Always),
        }
    }
}

const fn below(folder: usize, path: usize) -> At {
    At::Below { folder, path, flags: None }
}

const fn flagged(folder: usize, path: usize, flags: usize) -> At {
    At::Below { folder, path, flags: Some(flags) }
}

/// The calls that every machine has. Numbers that libc does not know yet are the same on all machines.
const COMMON: &[(c_long, Call)] = &[
    (libc::SYS_fchown, Call::Own(At::Fd(0), 1)),
    (libc::SYS_fchownat, Call::Own(flagged(0, 1, 4), 2)),
    (libc::SYS_fstat, Call::Stat(At::Fd(0), 1)),
    (libc::SYS_newfstatat, Call::Stat(flagged(0, 1, 3), 2)),
    (libc::SYS_statx, Call::Statx(flagged(0, 1, 2), 3)),
    (libc::SYS_openat, Call::Open(below(0, 1), 2)),
    (libc::SYS_openat2, Call::Open2),
    (libc::SYS_mkdirat, Call::MakeFolder(below(0, 1), 2)),
    (libc::SYS_symlinkat, Call::MakeLink(below(1, 2))),
    (libc::SYS_mknodat, Call::MakeNode(below(0, 1), 2)),
    (libc::SYS_setxattr, Call::Attribute(At::Path(0), 1)),
    (libc::SYS_lsetxattr, Call::Attribute(At::Link(0), 1)),
    (libc::SYS_fsetxattr, Call::Attribute(At::Fd(0), 1)),
    (libc::SYS_removexattr, Call::Alter(At::Path(0))),
    (libc::SYS_lremovexattr, Call::Alter(At::Link(0))),
    (libc::SYS_fremovexattr, Call::Alter(At::Fd(0))),
    (libc::SYS_unlinkat, Call::Remove(below(0, 1))),
    (libc::SYS_renameat2, Call::Name(below(0, 1), below(2, 3))),
    (libc::SYS_linkat, Call::Name(At::Fd(0), below(2, 3))),
    (libc::SYS_fchmod, Call::Alter(At::Fd(0))),
    (libc::SYS_fchmodat, Call::Alter(below(0, 1))),
    (FCHMODAT2, Call::Alter(flagged(0, 1, 3))),
    (libc::SYS_utimensat, Call::Alter(flagged(0, 1, 3))),
    (libc::SYS_truncate, Call::Cut(At::Path(0))),
    (libc::SYS_faccessat, Call::Access(below(0, 1), Permission::Argument(2))),
    (libc::SYS_faccessat2, Call::Access(flagged(0, 1, 3), Permission::Argument(2))),
    (libc::SYS_chdir, Call::Access(At::Path(0), Permission::Search)),
    (libc::SYS_chroot, Call::Access(At::Path(0), Permission::Root)),
    (libc::SYS_execve, Call::Access(At::Path(0), Permission::Run)),
    (libc::SYS_execveat, Call::Access(flagged(0, 1, 4), Permission::Run)),
    (libc::SYS_readlinkat, Call::Access(below(0, 1), Permission::Reach)),
    (libc::SYS_setuid, Call::Set(Which::User)),
    (libc::SYS_setgid, Call::Set(Which::Group)),
    (libc::SYS_setreuid, Call::Set(Which::RealAndEffectiveUser)),
    (libc::SYS_setregid, Call::Set(Which::RealAndEffectiveGroup)),
    (libc::SYS_setresuid, Call::Set(Which::AllUsers)),
    (libc::SYS_setresgid, Call::Set(Which::AllGroups)),
    (libc::SYS_setfsuid, Call::Set(Which::FileUser)),
    (libc::SYS_setfsgid, Call::Set(Which::FileGroup)),
    (libc::SYS_setgroups, Call::Set(Which::Groups)),
    (libc::SYS_getuid, Call::Get(Which::User)),
    (libc::SYS_getgid, Call::Get(Which::Group)),
    (libc::SYS_geteuid, Call::Get(Which::EffectiveUser)),
    (libc::SYS_getegid, Call::Get(Which::EffectiveGroup)),
    (libc::SYS_getresuid, Call::Get(Which::AllUsers)),
    (libc::SYS_getresgid, Call::Get(Which::AllGroups)),
    (libc::SYS_getgroups, Call::Get(Which::Groups)),
    (libc::SYS_prctl, Call::Control),
    (libc::SYS_unshare, Call::Part(0)),
    (libc::SYS_clone, Call::Part(0)),
    (libc::SYS_clone3, Call::Clone3),
    (libc::SYS_io_uring_setup, Call::Absent),
    (libc::SYS_io_uring_enter, Call::Absent),
    (libc::SYS_io_uring_register, Call::Absent),
    (SETXATTRAT, Call::Absent),
    (REMOVEXATTRAT, Call::Absent),
    (FILE_SETATTR, Call::Absent),
];

const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const FILE_SETATTR: c_long = 469;

/// The older calls, which newer machines never had.
#[cfg(target_arch = "x86_64")]
const OLD: &[(c_long, Call)] = &[
    (libc::SYS_chown, Call::Own(At::Path(0), 1)),
    (libc::SYS_lchown, Call::Own(At::Link(0), 1)),
    (libc::SYS_stat, Call::Stat(At::Path(0), 1)),
    (libc::SYS_lstat, Call::Stat(At::Link(0), 1)),
    (libc::SYS_open, Call::Open(At::Path(0), 1)),
    (libc::SYS_creat, Call::Creat(At::Path(0), 1)),
    (libc::SYS_mkdir, Call::MakeFolder(At::Link(0), 1)),
    (libc::SYS_symlink, Call::MakeLink(At::Link(1))),
    (libc::SYS_mknod, Call::MakeNode(At::Link(0), 1)),
    (libc::SYS_access, Call::Access(At::Path(0), Permission::Argument(1))),
    (libc::SYS_readlink, Call::Access(At::Link(0), Permission::Reach)),
    (libc::SYS_unlink, Call::Remove(At::Link(0))),
    (libc::SYS_rmdir, Call::Remove(At::Link(0))),
    (libc::SYS_rename, Call::Name(At::Link(0), At::Link(1))),
    (libc::SYS_renameat, Call::Name(below(0, 1), below(2, 3))),
    (libc::SYS_link, Call::Name(At::Fd(0), At::Link(1))),
    (libc::SYS_chmod, Call::Alter(At::Path(0))),
    (libc::SYS_utime, Call::Alter(At::Path(0))),
    (libc::SYS_utimes, Call::Alter(At::Path(0))),
    (libc::SYS_futimesat, Call::Alter(below(0, 1))),
];

#[cfg(target_arch = "aarch64")]
const OLD: &[(c_long, Call)] = &[(libc::SYS_renameat, Call::Name(below(0, 1), below(2, 3)))];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OLD: &[(c_long, Call)] = &[];

/// All calls, by their numbers on this machine.
pub(super) fn all() -> impl Iterator<Item = (u32, Call)> {
    COMMON.iter().chain(OLD).filter_map(|(number, call)| Some((u32::try_from(*number).ok()?, *call)))
}

/// What the call of this number does, if it is one of them.
pub(super) fn find(number: i32) -> Option<Call> {
    let number = u32::try_from(number).ok()?;
    all().find_map(|(known, call)| (known == number).then_some(call))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_number_stands_for_two_calls() {
        let numbers: BTreeSet<_> = all().map(|(number, _)| number).collect();
        assert_eq!(numbers.len(), all().count());
        assert_eq!(find(libc::SYS_fchown as i32), Some(Call::Own(At::Fd(0), 1)));
        assert_eq!(find(libc::SYS_read as i32), None);
        assert_eq!(find(-1), None);
    }

    #[test]
    fn bare_steps_ask_only_for_other_ids() {
        assert_eq!(Call::Own(At::Fd(0), 1).when(Level::Bare), Some(When::OtherIds { first: 1, count: 2 }));
        assert_eq!(Call::Stat(At::Fd(0), 1).when(Level::Bare), None);
        assert_eq!(Call::Stat(At::Fd(0), 1).when(Level::Full), Some(When::Always));
        assert!(matches!(Call::Open(At::Path(0), 1).when(Level::Full), Some(When::Bits(1, _))));
    }
}
