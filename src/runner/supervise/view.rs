//! Finding what a call names, as the process that calls would: from its folder, in its root, by its descriptors.
//!
//! Everything is found as a descriptor of a path only. A process in another root is followed there, and no
//! symbolic link leads out of it. Links of `/proc` to open files are not followed, but for those that a process
//! uses for its own (`/proc/self/fd/3`, `/dev/stdin`), which are taken for what they stand for.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How often a lookup is begun anew when others move folders meanwhile.
const TRIES: usize = 1000;
/// How many symbolic links the kernel follows.
const LINKS: usize = 40;

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The folder that the process is in.
    Here,
    /// The folder that it has open by this number.
    Open(i32),
}

impl Start {
    /// Of an argument.
    pub const fn argument(word: u32) -> Self {
        match word.cast_signed() {
            libc::AT_FDCWD => Self::Here,
            number => Self::Open(number),
        }
    }
}

/// A thread, and the folder with all processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub proc: BorrowedFd<'a>,
    pub thread: i32,
}

/// A name in a folder that is open.
#[derive(Debug)]
pub(super) struct Place {
    pub folder: OwnedFd,
    pub name: CString,
}

impl View<'_> {
    /// What is open by this number.
    pub fn descriptor(&self, number: i32) -> Result<OwnedFd, Errno> {
        if number < 0 {
            return Err(Errno::BADF);
        }
        self.open(&format!("{}/fd/{number}", self.thread)).map_err(|error| match error {
            Errno::NOENT => Errno::BADF,
            other => other,
        })
    }

    /// Where a path starts, open.
    pub fn start(&self, from: Start) -> Result<OwnedFd, Errno> {
        match from {
            Start::Here => self.open(&format!("{}/cwd", self.thread)),
            Start::Open(number) => self.descriptor(number),
        }
    }

    fn open(&self, path: &str) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(self.proc, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }

    fn link(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let path = format!("{}/{name}", self.thread);
        Ok(rustix::fs::readlinkat(self.proc, path, Vec::new())?.into_bytes())
    }

    /// What a path leads to; `follow`: also where a symbolic link at its end leads.
    pub fn find(&self, from: Start, path: &CStr, follow: bool) -> Result<OwnedFd, Errno> {
        let bytes = path.to_bytes();
        if bytes.is_empty() {
            return Err(Errno::NOENT);
        }
        let own = self.own(bytes);
        if let Some(own) = own.as_deref().filter(|_| follow) {
            return self.open(own);
        }
        let flags = if follow { OFlags::PATH } else { OFlags::PATH | OFlags::NOFOLLOW } | OFlags::CLOEXEC;
        let absolute = bytes.starts_with(b"/");
        let root = self.link("root")?;
        if root == b"/" {
            return if absolute {
                open_at(CWD, path, flags, ResolveFlags::empty())
            } else {
                open_at(self.start(from)?.as_fd(), path, flags, ResolveFlags::empty())
            };
        }
        if absolute {
            return open_at(
                self.open(&format!("{}/root", self.thread))?.as_fd(),
                path,
                flags,
                ResolveFlags::IN_ROOT,
            );
        }
        let name = match from {
            Start::Here => "cwd".to_owned(),
            Start::Open(number) => format!("fd/{number}"),
        };
        let start = self.link(&name)?;
        match start.strip_prefix(&*root) {
            Some(inside) if inside.is_empty() || inside.starts_with(b"/") => {
                let whole = [inside, b"/", bytes].concat();
                let whole = CString::new(whole).map_err(|_| Errno::INVAL)?;
                let root = self.open(&format!("{}/root", self.thread))?;
                open_at(root.as_fd(), &whole, flags, ResolveFlags::IN_ROOT)
            }
            // It stands outside of its root, where no symbolic link is safe to follow from here.
            _ => open_at(self.start(from)?.as_fd(), path, flags, ResolveFlags::BENEATH),
        }
    }

    /// For a path that leads to something of the process itself: the same below the folder of processes.
    fn own(&self, path: &[u8]) -> Option<String> {
        let path = std::str::from_utf8(path).ok()?;
        let thread = self.thread;
        match path {
            "/dev/stdin" => return Some(format!("{thread}/fd/0")),
            "/dev/stdout" => return Some(format!("{thread}/fd/1")),
            "/dev/stderr" => return Some(format!("{thread}/fd/2")),
            _ => {}
        }
        for (prefix, own) in [
            ("/dev/fd/", format!("{thread}/fd/")),
            ("/proc/self/", format!("{thread}/")),
            ("/proc/thread-self/", format!("{thread}/")),
        ] {
            if let Some(rest) =
                path.strip_prefix(prefix).filter(|rest| !rest.split('/').any(|part| part == ".."))
            {
                return Some(own + rest);
            }
        }
        let number = path.strip_prefix("/proc/")?;
        let (number, rest) = number.split_once('/')?;
        (number.parse::<u32>().is_ok() && !rest.split('/').any(|part| part == ".."))
            .then(|| format!("{number}/{rest}"))
    }

    /// The folder in which a path's last name stands, and that name. None where it is no name.
    pub fn place(&self, from: Start, path: &CStr) -> Result<Option<Place>, Errno> {
        let bytes = path.to_bytes();
        let end = bytes.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let bytes = bytes.get(..end).unwrap_or_default();
        let cut = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (above, name) = bytes.split_at(cut);
        if matches!(name, b"" | b"." | b"..") {
            return Ok(None);
        }
        let folder = if above.is_empty() {
            self.start(from)?
        } else {
            self.find(from, &CString::new(above).map_err(|_| Errno::INVAL)?, true)?
        };
        Ok(Some(Place { folder, name: CString::new(name).map_err(|_| Errno::INVAL)? }))
    }

    /// The same, where symbolic links that lead to nothing yet were followed: what would be created there.
    pub fn place_of_new(&self, from: Start, path: &CStr) -> Result<Option<Place>, Errno> {
        let Some(mut place) = self.place(from, path)? else { return Ok(None) };
        for _ in 0..LINKS {
            let Ok(target) = rustix::fs::readlinkat(&place.folder, &place.name, Vec::new()) else {
                return Ok(Some(place));
            };
            // What it says starts in the folder that it stands in, or at the process's root.
            let next = if target.to_bytes().starts_with(b"/") {
                self.place(Start::Here, &target)?
            } else {
                let bytes = target.to_bytes();
                let cut = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
                let (above, name) = bytes.split_at(cut);
                let above = [b"./", above].concat();
                let above = CString::new(above).map_err(|_| Errno::INVAL)?;
                let folder = open_at(
                    place.folder.as_fd(),
                    &above,
                    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                    ResolveFlags::BENEATH,
                );
                match folder {
                    // It goes up, or to another link: the long way, by its name.
                    Err(_) => {
                        let whole = [&self.inside(&place.folder)?, &b"/"[..], bytes].concat();
                        self.place(Start::Here, &CString::new(whole).map_err(|_| Errno::INVAL)?)?
                    }
                    Ok(_) if name.is_empty() => None,
                    Ok(folder) => Some(Place { folder, name: CString::new(name).map_err(|_| Errno::INVAL)? }),
                }
            };
            match next {
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
        Err(Errno::LOOP)
    }

    /// The path of an open folder as the process would write it.
    fn inside(&self, folder: &OwnedFd) -> Result<Vec<u8>, Errno> {
        let path = name_of(self.proc, folder)?;
        let root = self.link("root")?;
        if root == b"/" {
            return Ok(path);
        }
        path.strip_prefix(&*root).map(<[u8]>::to_vec).ok_or(Errno::XDEV)
    }

    /// Its command, for messages.
    pub fn command(&self) -> String {
        let name = super::who::read(self.proc, &format!("{}/comm", self.thread)).unwrap_or_default();
        printable(name.trim().as_bytes())
    }

    /// Its file mode creation mask.
    pub fn umask(&self) -> Result<u32, Errno> {
        let status = super::who::read(self.proc, &format!("{}/status", self.thread));
        let status = status.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::SRCH))?;
        let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).ok_or(Errno::SRCH)
    }
}

/// The path of something open, as this process sees it.
pub(super) fn name_of(proc: BorrowedFd<'_>, file: impl AsFd) -> Result<Vec<u8>, Errno> {
    use std::os::fd::AsRawFd as _;
    let link = format!("self/fd/{}", file.as_fd().as_raw_fd());
    Ok(rustix::fs::readlinkat(proc, link, Vec::new())?.into_bytes())
}

fn open_at(folder: BorrowedFd<'_>, path: &CStr, flags: OFlags, how: ResolveFlags) -> Result<OwnedFd, Errno> {
    let mut tries = 0;
    loop {
        let opened =
            rustix::fs::openat2(folder, path, flags, Mode::empty(), how | ResolveFlags::NO_MAGICLINKS);
        match opened {
            Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// The same for messages.
pub(super) fn shown(proc: BorrowedFd<'_>, file: impl AsFd) -> String {
    printable(&name_of(proc, file).unwrap_or_default())
}

/// Where a link of `/proc` leads, for messages.
pub(super) fn shown_link(proc: BorrowedFd<'_>, link: &str) -> String {
    let target = rustix::fs::readlinkat(proc, link, Vec::new()).map(CString::into_bytes);
    printable(&target.unwrap_or_default())
}

/// Bytes of others, for messages: they may not steer a terminal.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|char| !char.is_control()).collect()
}

/// Whether an access list is handed down to what is made in this folder: then the mask does not count.
pub(super) fn has_default_list(proc: BorrowedFd<'_>, folder: impl AsFd) -> bool {
    use std::os::fd::AsRawFd as _;
    // A descriptor of a path only gives no attributes; its name does.
    let opened = rustix::fs::openat(
        proc,
        format!("self/fd/{}", folder.as_fd().as_raw_fd()),
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    opened.is_ok_and(|folder| {
        let mut nothing = [0_u8; 0];
        rustix::fs::fgetxattr(&folder, "system.posix_acl_default", &mut nothing[..]).is_ok()
    })
}

/// Clears what a change of owner clears: set-id bits and capabilities.
pub(super) fn clear(file: impl AsFd) -> Result<(), Errno> {
    rustix::fs::chownat(file, c"", None, None, AtFlags::EMPTY_PATH)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn proc() -> OwnedFd {
        rustix::fs::open("/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    fn inode(fd: &OwnedFd) -> u64 {
        rustix::fs::fstat(fd).unwrap().st_ino
    }

    #[test]
    fn what_a_process_names_is_found() {
        use std::os::fd::AsRawFd as _;
        let proc = proc();
        let view = View { proc: proc.as_fd(), thread: rustix::process::getpid().as_raw_nonzero().get() };
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::write(top.join("f"), "x").unwrap();
        symlink("f", top.join("link")).unwrap();
        symlink("/proc/self/fd/0", top.join("magic")).unwrap();
        let file = fs::metadata(top.join("f")).unwrap().ino();
        let link = fs::symlink_metadata(top.join("link")).unwrap().ino();
        let open = File::open(top).unwrap();
        let from = Start::Open(open.as_raw_fd());
        let path = |name: &str| CString::new(top.join(name).to_str().unwrap()).unwrap();
        for (from, path, follow, wanted) in [
            (Start::Here, path("f"), true, file),
            (Start::Here, path("link"), true, file),
            (Start::Here, path("link"), false, link),
            (from, c"link".to_owned(), true, file),
            (from, c"./link".to_owned(), false, link),
        ] {
            assert_eq!(inode(&view.find(from, &path, follow).unwrap()), wanted, "{path:?} {follow}");
        }
        assert_eq!(view.find(from, c"magic", true).unwrap_err(), Errno::LOOP);
        assert_eq!(view.find(from, c"none", true).unwrap_err(), Errno::NOENT);
        assert_eq!(view.find(from, c"", true).unwrap_err(), Errno::NOENT);
        let own = CString::new(format!("/proc/self/fd/{}", open.as_raw_fd())).unwrap();
        assert_eq!(inode(&view.find(Start::Here, &own, true).unwrap()), open.metadata().unwrap().ino());
        assert_eq!(view.descriptor(9999).unwrap_err(), Errno::BADF);
        assert!(view.umask().unwrap() <= 0o777);
    }

    #[test]
    fn what_would_be_made_has_a_folder_and_a_name() {
        use std::os::fd::AsRawFd as _;
        let proc = proc();
        let view = View { proc: proc.as_fd(), thread: rustix::process::getpid().as_raw_nonzero().get() };
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::create_dir_all(top.join("a/b")).unwrap();
        symlink("b/new", top.join("a/below")).unwrap();
        symlink("../other", top.join("a/up")).unwrap();
        symlink("below", top.join("a/twice")).unwrap();
        symlink(top.join("a/b/abs"), top.join("absolute")).unwrap();
        symlink("ring", top.join("ring")).unwrap();
        let open = File::open(top).unwrap();
        let from = Start::Open(open.as_raw_fd());
        let at = |name: &str| fs::metadata(top.join(name)).unwrap().ino();
        for (path, folder, name) in [
            ("a/x", at("a"), "x"),
            ("x", at("."), "x"),
            ("a//x//", at("a"), "x"),
            ("a/below", at("a/b"), "new"),
            ("a/up", at("."), "other"),
            ("a/twice", at("a/b"), "new"),
            ("absolute", at("a/b"), "abs"),
        ] {
            let place = view.place_of_new(from, &CString::new(path).unwrap()).unwrap().unwrap();
            assert_eq!((inode(&place.folder), place.name.to_str().unwrap()), (folder, name), "{path}");
        }
        assert_eq!(view.place_of_new(from, c"ring").unwrap_err(), Errno::LOOP);
        assert_eq!(view.place(from, c"none/x").unwrap_err(), Errno::NOENT);
        assert!(view.place(from, c"a/..").unwrap().is_none());
        assert!(view.place(from, c"/").unwrap().is_none());
    }
}
