//! Who each process has become.
//!
//! With one id nobody can become another user. The supervisor answers as if that had happened and remembers it:
//! for the thread that asked, and for all that it starts afterwards. A table has every thread that was there at
//! the last change; one that is not in it was started later, and is who its parent is.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, Mode, OFlags};

use super::calls::Which;
use super::record::Owner;

/// Ids from here on are nobody's, in this mode as in the others.
pub(super) const IDS: u32 = 65_536;
/// Leave it as it is.
pub(super) const KEEP: u32 = u32::MAX;

/// Real, effective, saved, and for files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Set {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
    pub file: u32,
}

impl Set {
    fn has(&self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    const fn is_root(&self) -> bool {
        self.real == 0 && self.effective == 0 && self.saved == 0 && self.file == 0
    }
}

/// Who a thread is.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Who {
    pub user: Set,
    pub group: Set,
    /// Further groups, sorted.
    pub groups: Vec<u32>,
    /// Whether it may become anybody.
    capable: bool,
    /// Whether it still may when it is root no more.
    keeps: bool,
}

impl Who {
    /// Root; with the right to become another user or without any.
    pub fn root(capable: bool) -> Self {
        Self { capable, ..Self::default() }
    }

    /// Whether it is somebody whom permissions bind in a jail with many ids, but not in this one.
    pub const fn is_bound(&self) -> bool {
        self.user.file != 0 || self.user.effective != 0
    }

    /// Whether the permissions of a file of this owner let it do this (of `0o7`).
    pub fn may(&self, owner: Owner, mode: u32, what: u32) -> bool {
        let bits = if owner.user == self.user.file {
            mode >> 6
        } else if self.is_in(owner.group) {
            mode >> 3
        } else {
            mode
        };
        bits & what == what
    }

    /// Whether it is a member of a group.
    pub fn is_in(&self, group: u32) -> bool {
        group == self.group.file || self.groups.contains(&group)
    }

    /// The same, as far as `access` asks: the real ids count.
    pub fn really(mut self) -> Self {
        (self.user.file, self.group.file) = (self.user.real, self.group.real);
        (self.user.effective, self.group.effective) = (self.user.real, self.group.real);
        self
    }

    const fn is_plain(&self) -> bool {
        self.user.is_root() && self.group.is_root()
    }

    /// Keeps its rights when it becomes another user.
    pub const fn keep(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Who it is when it runs another program, if that makes a difference: then no right is kept.
    pub fn running_another(&self) -> Option<Self> {
        let root = self.user.real == 0 || self.user.effective == 0;
        let new = Self { keeps: false, capable: self.capable && root, ..self.clone() };
        (new != *self).then_some(new)
    }

    /// Sets further groups.
    pub fn set_groups(&mut self, mut groups: Vec<u32>) -> Result<i64, i32> {
        if !self.capable {
            return Err(libc::EPERM);
        }
        if groups.iter().any(|group| *group >= IDS) {
            return Err(libc::EINVAL);
        }
        groups.sort_unstable();
        self.groups = groups;
        Ok(0)
    }

    /// What a call that sets ids does, by the rules of the kernel.
    pub fn set(&mut self, which: Which, ids: [u32; 3]) -> Result<i64, i32> {
        let users =
            matches!(which, Which::User | Which::RealAndEffectiveUser | Which::AllUsers | Which::FileUser);
        let old = if users { self.user } else { self.group };
        let mut new = old;
        let [first, second, third] = ids;
        let given: &[u32] = match which {
            Which::User | Which::Group | Which::FileUser | Which::FileGroup => &[first],
            Which::RealAndEffectiveUser | Which::RealAndEffectiveGroup => &[first, second],
            _ => &[first, second, third],
        };
        let one = given.len() == 1;
        if matches!(which, Which::FileUser | Which::FileGroup) {
            // Tells what it was, whether it works or not.
            if first < IDS && (self.capable || old.has(first) || first == old.file) {
                new.file = first;
                self.put(users, new);
            }
            return Ok(i64::from(old.file));
        }
        if given.iter().any(|id| *id >= IDS && (one || *id != KEEP)) {
            return Err(libc::EINVAL);
        }
        match which {
            Which::User | Which::Group => {
                if self.capable {
                    new = Set { real: first, effective: first, saved: first, file: first };
                } else if first == old.real || first == old.saved {
                    (new.effective, new.file) = (first, first);
                } else {
                    return Err(libc::EPERM);
                }
            }
            Which::RealAndEffectiveUser | Which::RealAndEffectiveGroup => {
                let real = first == KEEP || self.capable || first == old.real || first == old.effective;
                let effective = second == KEEP || self.capable || old.has(second);
                if !real || !effective {
                    return Err(libc::EPERM);
                }
                if first != KEEP {
                    new.real = first;
                }
                if second != KEEP {
                    new.effective = second;
                }
                if first != KEEP || (second != KEEP && second != old.real) {
                    new.saved = new.effective;
                }
                new.file = new.effective;
            }
            _ => {
                if !self.capable && given.iter().any(|id| *id != KEEP && !old.has(*id)) {
                    return Err(libc::EPERM);
                }
                for (id, place) in
                    [(first, &mut new.real), (second, &mut new.effective), (third, &mut new.saved)]
                {
                    if id != KEEP {
                        *place = id;
                    }
                }
                new.file = new.effective;
            }
        }
        self.put(users, new);
        if users && !new.has(0) && !self.keeps {
            self.capable = false;
        }
        Ok(0)
    }

    const fn put(&mut self, users: bool, set: Set) {
        if users {
            self.user = set;
        } else {
            self.group = set;
        }
    }
}

/// A thread whose origin cannot be told: its parent is gone.
#[derive(Debug)]
pub(super) struct Orphan;

/// Who all are.
#[derive(Debug)]
pub(super) struct Table {
    proc: OwnedFd,
    /// By thread: when it started, and who it is.
    known: BTreeMap<i32, (u64, Who)>,
    first: Who,
    /// Whether anybody has ever become somebody else.
    changed: bool,
}

/// What `/proc` says of a thread.
struct Task {
    start: u64,
    parent: i32,
    leader: i32,
}

impl Table {
    /// All are `first`. `proc` is the folder with the processes.
    pub fn new(proc: OwnedFd, first: Who) -> Self {
        Self { proc, known: BTreeMap::new(), first, changed: false }
    }

    /// Whether all are who they were at the start.
    pub fn is_plain(&self) -> bool {
        !self.changed
    }

    /// Who a thread is.
    pub fn of(&self, thread: i32) -> Result<Who, Orphan> {
        if self.changed { self.trace(thread, 0) } else { Ok(self.first.clone()) }
    }

    fn trace(&self, thread: i32, depth: usize) -> Result<Who, Orphan> {
        let task = self.task(thread).ok().filter(|_| depth < 10_000).ok_or(Orphan)?;
        match self.known.get(&thread) {
            Some((start, who)) if *start == task.start => Ok(who.clone()),
            // A thread is who its process is: the C library changes all threads together.
            _ if task.leader != thread => self.trace(task.leader, depth + 1),
            // Its parent is gone, and process 1 stands in.
            _ if task.parent <= 1 => Err(Orphan),
            _ => self.trace(task.parent, depth + 1),
        }
    }

    /// Notes who a thread is from now on, and before that who all others are.
    pub fn set(&mut self, thread: i32, who: Who) -> io::Result<()> {
        if !self.changed && who.is_plain() && who.groups == self.first.groups && who.keeps == self.first.keeps
        {
            return Ok(());
        }
        let mut all = BTreeMap::new();
        for process in self.numbers(c".")? {
            let threads = std::ffi::CString::new(format!("{process}/task"))?;
            // One that ended meanwhile is missed by nobody.
            for thread in self.numbers(&threads).unwrap_or_default() {
                let Ok(task) = self.task(thread) else { continue };
                if process == 1 {
                    continue;
                }
                if let Ok(who) = self.of(thread) {
                    all.insert(thread, (task.start, who));
                }
            }
        }
        let start = self.task(thread)?.start;
        all.insert(thread, (start, who));
        self.known = all;
        self.changed = true;
        Ok(())
    }

    fn numbers(&self, folder: &std::ffi::CStr) -> io::Result<Vec<i32>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&self.proc, folder, flags, Mode::empty())?;
        let mut numbers = Vec::new();
        for entry in Dir::new(folder)? {
            numbers.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()));
        }
        Ok(numbers)
    }

    fn task(&self, thread: i32) -> io::Result<Task> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let stat = read(&self.proc, &format!("{thread}/stat"))?;
        // The name stands in parentheses and may hold any.
        let fields = stat.rsplit_once(')').ok_or_else(broken)?.1;
        let field = |index: usize| fields.split_ascii_whitespace().nth(index);
        let parent = field(1).and_then(|word| word.parse().ok()).ok_or_else(broken)?;
        let start = field(19).and_then(|word| word.parse().ok()).ok_or_else(broken)?;
        let status = read(&self.proc, &format!("{thread}/status"))?;
        let leader = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        Ok(Task { start, parent, leader: leader.ok_or_else(broken)? })
    }
}

/// A small file of `/proc`.
pub(super) fn read(proc: impl AsFd, path: &str) -> io::Result<String> {
    let file = rustix::fs::openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::from(file), 1 << 16), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [u32; 3] = [KEEP; 3];

    fn ids(set: Set) -> [u32; 4] {
        [set.real, set.effective, set.saved, set.file]
    }

    #[test]
    fn ids_change_by_the_rules_of_the_kernel() {
        let mut who = Who::root(true);
        assert_eq!(who.set(Which::AllGroups, [7, 7, 7]), Ok(0));
        assert_eq!(who.set_groups(vec![9, 8]), Ok(0));
        assert_eq!(who.groups, [8, 9]);
        assert_eq!(ids(who.group), [7; 4]);
        assert!(!who.is_bound());
        assert_eq!(who.set(Which::AllUsers, [KEEP, 5, KEEP]), Ok(0));
        assert_eq!(ids(who.user), [0, 5, 0, 5]);
        assert_eq!(who.set(Which::User, [IDS, 0, 0]), Err(libc::EINVAL));
        assert_eq!(who.set(Which::AllUsers, ALL), Ok(0));
        assert_eq!(who.set(Which::RealAndEffectiveUser, [0, 0, 0]), Ok(0));
        assert_eq!(ids(who.user), [0; 4]);
        assert_eq!(who.set(Which::User, [5, 0, 0]), Ok(0));
        for (which, ids) in [
            (Which::User, [0, 0, 0]),
            (Which::RealAndEffectiveUser, [KEEP, 0, 0]),
            (Which::AllUsers, [5, 5, 0]),
            (Which::Group, [0, 0, 0]),
        ] {
            assert_eq!(who.set(which, ids), Err(libc::EPERM), "{which:?}");
        }
        assert_eq!(who.set_groups(vec![]), Err(libc::EPERM));
        assert_eq!(who.set(Which::AllUsers, [5, 5, 5]), Ok(0));
    }

    #[test]
    fn whoever_has_no_right_stays_root() {
        let mut who = Who::root(false);
        assert_eq!(who.set(Which::User, [5, 0, 0]), Err(libc::EPERM));
        assert_eq!(who.set(Which::User, [0, 0, 0]), Ok(0));
        assert_eq!(who.set(Which::FileUser, [5, 0, 0]), Ok(0));
        assert_eq!(who.set(Which::FileUser, [KEEP, 0, 0]), Ok(0));
        assert_eq!(who, Who::root(false));
    }

    #[test]
    fn permissions_are_those_of_the_first_that_fits() {
        let mut who = Who::root(true);
        who.set_groups(vec![9]).unwrap();
        who.set(Which::AllGroups, [7; 3]).unwrap();
        who.set(Which::AllUsers, [5; 3]).unwrap();
        let owner = |user, group| Owner { user, group };
        for (owner, mode, what, may) in [
            (owner(5, 7), 0o300, 0o3, true),
            (owner(5, 7), 0o077, 0o1, false),
            (owner(0, 7), 0o730, 0o3, true),
            (owner(0, 9), 0o707, 0o1, false),
            (owner(0, 0), 0o775, 0o2, false),
            (owner(0, 0), 0o1777, 0o3, true),
        ] {
            assert_eq!(who.may(owner, mode, what), may, "{owner:?} {mode:o}");
        }
    }

    #[test]
    fn no_right_is_kept_by_another_program() {
        let mut who = Who::root(true);
        assert_eq!(who.running_another(), None);
        who.keep(true);
        who.set(Which::AllUsers, [5; 3]).unwrap();
        assert_eq!(who.clone().set(Which::AllUsers, [0; 3]), Ok(0));
        let mut other = who.running_another().unwrap();
        assert_eq!(other.set(Which::AllUsers, [0; 3]), Err(libc::EPERM));
        assert_eq!(other.running_another(), None);
    }

    #[test]
    fn the_user_for_files_is_set_alone() {
        let mut who = Who::root(true);
        assert_eq!(who.set(Which::FileUser, [5, 0, 0]), Ok(0));
        assert_eq!(who.set(Which::FileUser, [0, 0, 0]), Ok(5));
        assert!(!who.is_bound());
    }

    #[test]
    fn children_are_who_their_parent_was() {
        let proc = || rustix::fs::open("/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut table = Table::new(proc(), Who::root(true));
        let me = rustix::process::getpid().as_raw_nonzero().get();
        assert!(table.is_plain());
        table.set(me, Who::root(true)).unwrap();
        assert!(table.is_plain(), "nothing has changed");
        let mut goose = Who::root(true);
        goose.set(Which::User, [5, 0, 0]).unwrap();
        table.set(me, goose.clone()).unwrap();
        assert_eq!(table.of(me).unwrap(), goose);
        let thread = std::thread::scope(|scope| {
            let thread = || table.of(rustix::thread::gettid().as_raw_nonzero().get());
            scope.spawn(thread).join().unwrap()
        });
        assert_eq!(thread.unwrap(), goose);
        assert!(table.of(1).is_err());
    }
}
