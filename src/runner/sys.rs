//! The few system calls that no safe wrapper offers. All unsafe code of gander is in this file and in
//! `supervise/notify.rs`.
#![allow(
    unsafe_code,
    reason = "fork, personality, signals, keyctl, descriptors of systemd and mount_setattr have no safe form"
)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// The execution domain of a 32-bit machine (linux/personality.h).
const PER_LINUX32: libc::c_int = 0x0008;

/// Which of the two processes returns from [`fork`].
pub(super) enum Fork {
    Parent(Pid),
    Child,
}

/// Forks a process that has one thread.
pub(super) fn fork() -> io::Result<Fork> {
    // SAFETY: the jail's processes are single-threaded when they call this (a native step starts its
    // threads later, in a process that never forks through here), so the child holds no lock that a
    // lost thread had taken.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(Fork::Child),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).map(Fork::Parent).ok_or_else(io::Error::last_os_error),
    }
}

/// Kills every process of this pid namespace but its process 1, which must be the caller.
pub(super) fn kill_others() {
    if rustix::process::getpid() == Pid::INIT {
        // SAFETY: the call takes integers and touches no memory of ours.
        unsafe { libc::kill(-1, libc::SIGKILL) };
    }
}

/// Moves this process into new namespaces.
pub(super) fn unshare(namespaces: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: only the flag FILES can part threads from descriptors, and nobody passes it.
    unsafe { rustix::thread::unshare_unsafe(namespaces.difference(UnshareFlags::FILES)) }
}

/// Sets the execution domain: addresses are not randomised; `uname -m` says i686 if `bits32`.
pub(super) fn personality(bits32: bool) -> io::Result<()> {
    let persona = libc::ADDR_NO_RANDOMIZE | if bits32 { PER_LINUX32 } else { 0 };
    // SAFETY: the call takes an integer and touches no memory of ours.
    match unsafe { libc::personality(persona.cast_unsigned().into()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// What terminal signals do to this process while a step has the terminal.
pub(super) fn terminal_signals(ignored: bool) {
    let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: both actions are constants; no handler of ours is installed.
        unsafe { libc::signal(signal, action) };
    }
}

/// Heeds all signals as a new process does: what whoever started gander ignores (`nohup` does) or blocks, steps would
/// ignore and block, too.
pub(super) fn heed_signals() {
    /// Bytes of the kernel's set of signals.
    const SET: usize = 8;
    // The kernel's own structure begins with the handler and is smaller. The C library's call hides two signals.
    let (default, mut now) = ([libc::SIG_DFL; 8], [0_usize; 8]);
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the call only fills what lives through it.
        let known = unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, std::ptr::null::<usize>(), now.as_mut_ptr(), SET)
        };
        // SIGPIPE is ignored by this program itself, and heeded by those that it becomes.
        if known == 0 && now.first() == Some(&libc::SIG_IGN) && signal != libc::SIGPIPE {
            // SAFETY: the call only reads what lives through it; all zeros is the default action.
            unsafe {
                libc::syscall(
                    libc::SYS_rt_sigaction,
                    signal,
                    default.as_ptr(),
                    std::ptr::null_mut::<usize>(),
                    SET,
                )
            };
        }
    }
    // SAFETY: the set is filled before it is read, and lives through both calls.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Gives this process and what it will start a session keyring of its own, in place of that of whoever started gander,
/// whose keys steps could read and change.
pub(super) fn own_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: no name is given, and nothing else that the kernel would read.
    let joined =
        unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    match io::Error::last_os_error() {
        // Without keyrings, or where a filter forbids them (as in containers), steps have none either.
        error if joined == -1 && !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Closes every descriptor but the standard ones. Call it before opening any.
pub(super) fn close_inherited() -> io::Result<()> {
    close_from(3)
}

/// Closes every descriptor from a number on. Call it before opening any.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: called first thing in a process that has opened no descriptor yet, so no owner of one
    // is betrayed; what is closed came from whoever started gander.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The descriptor that systemd passes first (sd_listen_fds(3)).
pub(super) fn first_passed() -> OwnedFd {
    const SD_LISTEN_FDS_START: i32 = 3;
    // SAFETY: who asks has looked into the environment that systemd made it for this process, takes it out of there and
    // asks only once, before it opens anything; so the descriptor is open and nobody else's.
    unsafe { OwnedFd::from_raw_fd(SD_LISTEN_FDS_START) }
}

/// Sets mount attributes (`MOUNT_ATTR_*`) of the mount behind a descriptor, and makes it private.
pub(super) fn set_mount_attributes(
    mount: BorrowedFd<'_>,
    attributes: u64,
    below_too: bool,
) -> io::Result<()> {
    let request =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if below_too { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string, the structure lives through the call and its size is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
