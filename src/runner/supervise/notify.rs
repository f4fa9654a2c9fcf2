//! The kernel's side of the supervisor: seccomp's user notification, and another process's memory.
#![allow(
    unsafe_code,
    reason = "seccomp, its ioctls, process_vm_readv and raw stat structures have no safe form"
)]

use std::ffi::CString;
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_long, c_void, sock_filter};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest path that the kernel takes, its end included.
const PATH_MAX: usize = 4096;
/// No page is smaller.
const PAGE: usize = 4096;

/// A system call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notification {
    /// Its name, for the answer.
    pub id: u64,
    /// The thread, as the pid namespace of whoever receives this sees it.
    pub thread: i32,
    /// The call.
    pub number: i32,
    /// Its architecture.
    pub architecture: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

impl Notification {
    /// An argument that is an `int` or an id.
    pub fn word(&self, index: usize) -> u32 {
        let low = self.arguments.get(index).copied().unwrap_or(0) & u64::from(u32::MAX);
        u32::try_from(low).unwrap_or(0)
    }

    /// An argument that is an address or a length.
    pub fn long(&self, index: usize) -> u64 {
        self.arguments.get(index).copied().unwrap_or(0)
    }
}

/// Puts a filter over this thread and what it will start; what the filter asks is answered through the
/// descriptor. The thread must have no new privileges, or be its namespace's root.
pub(super) fn install(program: &[sock_filter]) -> io::Result<OwnedFd> {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Once a call is being answered, only death is to take it away. Linux 5.19 can do that.
    let mut result = set_filter(program, listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    if matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EINVAL)) {
        result = set_filter(program, listener);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The same for a filter that asks nothing.
pub(super) fn restrict(program: &[sock_filter]) -> io::Result<()> {
    set_filter(program, 0).map(drop)
}

fn set_filter(program: &[sock_filter], flags: libc::c_ulong) -> io::Result<c_int> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program outlives the call, which copies it and does not change it.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) };
    match c_int::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Receives notifications and answers them.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

impl Listener {
    /// Of a descriptor that [`install`] made.
    pub fn new(fd: OwnedFd) -> Self {
        let listener = Self(fd);
        // Whoever asks waits for whoever answers: they may share a CPU. Linux 6.6 knows that; a hint.
        // SAFETY: this command takes its number by value.
        let _hinted = unsafe {
            libc::ioctl(listener.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1 as libc::c_ulong)
        };
        listener
    }

    /// The next one; none when nobody is left who could ask. Kernels before 5.9 do not tell that, so whoever
    /// knows it sets `stop`.
    pub fn receive(&self, stop: &AtomicBool) -> io::Result<Option<Notification>> {
        let while_waiting = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        loop {
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, Some(&while_waiting)) {
                Err(rustix::io::Errno::INTR) => continue,
                Ok(0) if stop.load(Ordering::Relaxed) => return Ok(None),
                Ok(0) => continue,
                result => result?,
            };
            let [ready] = &fds;
            if !ready.revents().contains(PollFlags::IN) {
                return Ok(None);
            }
            // SAFETY: all zeros are a value of this structure of integers, and the one that the kernel wants.
            let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
            match self.control(libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut raw) {
                Ok(_) => {}
                // It died before it was heard, or a signal came.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => continue,
                Err(error) => return Err(error),
            }
            return Ok(Some(Notification {
                id: raw.id,
                thread: raw.pid.cast_signed(),
                number: raw.data.nr,
                architecture: raw.data.arch,
                arguments: raw.data.args,
            }));
        }
    }

    /// Whether the call still waits: then the thread's number was and is that thread's.
    pub fn waits(&self, id: u64) -> bool {
        let mut id = id;
        self.control(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw mut id).is_ok()
    }

    /// Lets the kernel carry the call out as it is. That the call went away meanwhile is no error of ours.
    pub fn pass(&self, id: u64) -> io::Result<()> {
        let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or(1);
        self.send(libc::seccomp_notif_resp { id, val: 0, error: 0, flags })
    }

    /// Answers with a value, or with the number of an error.
    pub fn answer(&self, id: u64, result: Result<i64, i32>) -> io::Result<()> {
        let (val, error) = match result {
            Ok(value) => (value, 0),
            Err(errno) => (0, -errno),
        };
        self.send(libc::seccomp_notif_resp { id, val, error, flags: 0 })
    }

    /// Answers with a descriptor, which becomes one of the caller's. Linux 5.14 can do that.
    pub fn give(&self, id: u64, fd: BorrowedFd<'_>, close_on_exec: bool) -> io::Result<()> {
        let mut request = libc::seccomp_notif_addfd {
            id,
            flags: u32::try_from(libc::SECCOMP_ADDFD_FLAG_SEND).unwrap_or(2),
            srcfd: fd.as_raw_fd().cast_unsigned(),
            newfd: 0,
            newfd_flags: if close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        self.control(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut request).map(drop)
    }

    fn send(&self, mut response: libc::seccomp_notif_resp) -> io::Result<()> {
        self.control(libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response).map(drop)
    }

    fn control<T>(&self, command: libc::Ioctl, value: *mut T) -> io::Result<c_int> {
        loop {
            // SAFETY: each command is called with the structure that belongs to it, which lives through the call.
            match unsafe { libc::ioctl(self.0.as_raw_fd(), command, value) } {
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                    && command != libc::SECCOMP_IOCTL_NOTIF_RECV => {}
                -1 => return Err(io::Error::last_os_error()),
                result => return Ok(result),
            }
        }
    }
}

/// Reads a thread's memory; fewer bytes if its memory ends.
pub(super) fn read_memory(thread: i32, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast::<c_void>(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: pointer(address), iov_len: buffer.len() };
    // SAFETY: the local side is the buffer; the remote side is another process's, of which the kernel checks all.
    let read = unsafe { libc::process_vm_readv(thread, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Writes all of this into a thread's memory.
pub(super) fn write_memory(thread: i32, address: u64, bytes: &[u8]) -> io::Result<()> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: pointer(address), iov_len: bytes.len() };
    // SAFETY: the local side is only read; the remote side is another process's, of which the kernel checks all.
    let written = unsafe { libc::process_vm_writev(thread, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(written) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn pointer(address: u64) -> *mut c_void {
    // An address of another process; here it leads nowhere.
    std::ptr::without_provenance_mut(usize::try_from(address).unwrap_or(0))
}

/// Reads a string of at most a path's length that ends with a NUL.
pub(super) fn read_string(thread: i32, address: u64) -> io::Result<CString> {
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() < PATH_MAX {
        // Up to the end of the page at most: the next one may not be there.
        let rest = PAGE - usize::try_from(at).unwrap_or(0) % PAGE;
        let mut piece = [0; PAGE];
        let Some(piece) = piece.get_mut(..rest.min(256)) else { break };
        let read = read_memory(thread, at, piece)?;
        let piece = piece.get(..read).unwrap_or_default();
        if piece.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            bytes.extend(piece.get(..end).unwrap_or_default());
            return CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT));
        }
        bytes.extend(piece);
        at = at.saturating_add(u64::try_from(read).unwrap_or(0));
    }
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// What the kernel says about an open file, in the form that programs get, with these owners in it.
pub(super) fn stat(file: impl AsFd, owner: (u32, u32)) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; size_of::<libc::stat>()];
    // SAFETY: the buffer has the size of the structure, which on the machines that this runs on is the kernel's.
    let result = unsafe { libc::syscall(libc::SYS_fstat, file.as_fd().as_raw_fd(), bytes.as_mut_ptr()) };
    patched(result, bytes, owner, offset_of!(libc::stat, st_uid), offset_of!(libc::stat, st_gid))
}

/// The same as `statx` gives it.
pub(super) fn statx(file: impl AsFd, flags: u32, mask: u32, owner: (u32, u32)) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; size_of::<libc::statx>()];
    let flags = flags | libc::AT_EMPTY_PATH.cast_unsigned();
    // SAFETY: the path is a C string and the buffer has the size of the structure.
    let result = unsafe {
        let folder = file.as_fd().as_raw_fd();
        libc::syscall(libc::SYS_statx, folder, c"".as_ptr(), flags, mask, bytes.as_mut_ptr())
    };
    patched(result, bytes, owner, offset_of!(libc::statx, stx_uid), offset_of!(libc::statx, stx_gid))
}

fn patched(
    result: c_long,
    mut bytes: Vec<u8>,
    (user, group): (u32, u32),
    user_at: usize,
    group_at: usize,
) -> io::Result<Vec<u8>> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    for (at, id) in [(user_at, user), (group_at, group)] {
        if let Some(place) = bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&id.to_ne_bytes());
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_a_process_are_read_up_to_their_end() {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let long = CString::new(vec![b'x'; 4095]).unwrap();
        let endless = vec![b'y'; 5000];
        for text in [c"".to_owned(), c"/etc/passwd".to_owned(), long] {
            assert_eq!(read_string(me, text.as_ptr() as u64).unwrap(), text);
        }
        let error = read_string(me, endless.as_ptr() as u64).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
        assert_eq!(read_string(me, 8).unwrap_err().raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn memory_of_a_process_is_written() {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let mut place = [0_u8; 4];
        write_memory(me, place.as_mut_ptr() as u64, b"gozo").unwrap();
        assert_eq!(std::hint::black_box(&mut place), b"gozo");
        assert!(write_memory(me, 16, b"x").is_err());
    }

    #[test]
    fn stat_tells_the_owners_that_it_is_given() {
        use std::os::unix::fs::MetadataExt as _;
        let file = std::fs::File::open("/").unwrap();
        let bytes = stat(&file, (70_001, 70_002)).unwrap();
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(word(offset_of!(libc::stat, st_uid)), 70_001);
        assert_eq!(word(offset_of!(libc::stat, st_gid)), 70_002);
        assert_eq!(word(offset_of!(libc::stat, st_mode)), file.metadata().unwrap().mode());
        let bytes = statx(&file, 0, libc::STATX_BASIC_STATS, (5, 6)).unwrap();
        let at = offset_of!(libc::statx, stx_gid);
        assert_eq!(bytes[at..at + 4], 6_u32.to_ne_bytes());
    }
}
