//! What each call is answered.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Supervisor;
use super::calls::{self, At, Call, Which};
use super::filter::ARCHITECTURE;
use super::make::{Kind, New};
use super::notify::{self, Notification};
use super::record::{ACCESS_LISTS, Full, Owner, look_at, other_id};
use super::view::{self, Start, View, printable, shown};
use super::who::{IDS, KEEP, Who};

/// How a call ends.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The kernel carries it out.
    Pass,
    /// It was carried out, or not.
    Answer(Result<i64, i32>),
    /// It gets this descriptor; whether that is closed by exec.
    Give(OwnedFd, bool),
    /// What cannot be done exactly, in words that follow "a step".
    Refuse(String),
}

/// What keeps a call from being judged.
#[derive(Debug)]
pub(super) enum Halt {
    /// The kernel knows better what is wrong with it.
    Pass,
    /// What cannot be done exactly.
    Refuse(String),
}

impl From<Errno> for Halt {
    /// Of a failed look at what a call is about: mostly the kernel will find the same. But what only the supervisor
    /// has too little of to find out must not be answered by a kernel that knows nothing of owners.
    fn from(error: Errno) -> Self {
        match error {
            Errno::MFILE | Errno::NFILE | Errno::NOMEM => Self::Refuse(limits(&error.into())),
            _ => Self::Pass,
        }
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Self::Pass, Self::from)
    }
}

impl From<Full> for Halt {
    fn from(full: Full) -> Self {
        Self::Refuse(full.to_string())
    }
}

/// The call ends with the error that the supervisor met on its behalf.
fn ends_with(error: Errno) -> Judged {
    match Halt::from(error) {
        Halt::Pass => Ok(fails(error)),
        refused => Err(refused),
    }
}

fn limits(error: &io::Error) -> String {
    format!("meets the limits of this system ({error})")
}

pub(super) type Judged<T = Verdict> = Result<T, Halt>;

pub(super) const fn fails(error: Errno) -> Verdict {
    Verdict::Answer(Err(error.raw_os_error()))
}

fn done() -> Verdict {
    Verdict::Answer(Ok(0))
}

/// Longest value of an attribute.
const VALUE: u64 = 65_536;
/// Most groups that a process can have.
const GROUPS: u32 = 65_536;

/// A call with what is needed to speak of it.
pub(super) struct Asked<'a> {
    pub call: &'a Notification,
    pub view: View<'a>,
}

impl Supervisor {
    /// Judges a call.
    pub(super) fn judge(&mut self, call: &Notification) -> Verdict {
        let proc = match self.proc.try_clone() {
            Ok(proc) => proc,
            Err(error) => return Verdict::Refuse(limits(&error)),
        };
        let asked = Asked { call, view: View { proc: proc.as_fd(), thread: call.thread } };
        if call.architecture != ARCHITECTURE {
            let exe = view::shown_link(proc.as_fd(), &format!("{}/exe", call.thread));
            return Verdict::Refuse(format!("runs the program '{exe}', which is not one of 64 bits"));
        }
        let Some(meaning) = calls::find(call.number) else {
            return Verdict::Refuse(format!(
                "runs '{}', which makes calls of the x32 kind",
                asked.view.command()
            ));
        };
        let judged = match meaning {
            Call::Own(at, ids) => self.own(&asked, at, ids),
            Call::Stat(at, buffer) => self.stat(&asked, at, buffer, None),
            Call::Statx(at, mask) => self.stat(&asked, at, mask + 1, Some(mask)),
            Call::Open(at, flags) => {
                let (flags, mode) = (call.word(flags), call.word(flags + 1));
                self.open(&asked, at, flags.cast_signed(), mode, false)
            }
            Call::Creat(at, mode) => {
                let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
                self.open(&asked, at, flags, call.word(mode), false)
            }
            Call::Open2 => self.open2(&asked),
            Call::MakeFolder(at, mode) => self.make_named(&asked, at, |_| Ok(Kind::Folder(call.word(mode)))),
            Call::MakeLink(at) => self.make_named(&asked, at, |asked| {
                Ok(Kind::Link(notify::read_string(asked.call.thread, asked.call.long(0))?))
            }),
            Call::MakeNode(at, mode) => self.make_named(&asked, at, |_| {
                let mode = call.word(mode);
                match FileType::from_raw_mode(mode) {
                    // The kernel refuses devices to whoever is root only here.
                    FileType::CharacterDevice | FileType::BlockDevice => Err(Halt::Pass),
                    _ => Ok(Kind::Node(mode)),
                }
            }),
            Call::Attribute(at, name) => self.attribute(&asked, at, name),
            Call::Alter(at) => self.alter(&asked, at),
            Call::Cut(at) => self.cut(&asked, at),
            Call::Remove(at) => self.rename(&asked, at, None),
            Call::Name(old, new) => self.rename(&asked, old, Some(new)),
            Call::Access(at, permission) => self.access(&asked, at, permission),
            Call::Set(which) => self.set(&asked, which),
            Call::Get(which) => self.get(&asked, which),
            Call::Control => self.control(&asked),
            Call::Part(_) => Err(asked.parts()),
            Call::Clone3 => asked.clone3(),
            Call::Absent => Ok(fails(Errno::NOSYS)),
        };
        match judged {
            Ok(verdict) => verdict,
            Err(Halt::Pass) => Verdict::Pass,
            Err(Halt::Refuse(what)) => Verdict::Refuse(what),
        }
    }

    /// Who asks.
    pub(super) fn who(&self, asked: &Asked<'_>) -> Judged<Who> {
        self.table.of(asked.call.thread).map_err(|_| {
            let command = asked.view.command();
            self.unless_dead(
                asked,
                format!(
                    "became another user, and whether the process '{command}' did too cannot be told, since the \
                     process that started it has ended"
                ),
            )
        })
    }

    fn own(&mut self, asked: &Asked<'_>, at: At, first: usize) -> Judged {
        let (user, group) = (asked.call.word(first), asked.call.word(first + 1));
        let plain = |id| id == 0 || id == KEEP;
        let nothing_new = plain(user) && plain(group) && self.record.is_empty() && self.table.is_plain();
        if nothing_new || (user == KEEP && group == KEEP) {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        let file = match asked.find(at)? {
            Ok(file) => file,
            Err(Errno::LOOP | Errno::XDEV) => {
                return Err(asked.refuse(at, "changes the owner of", "through a link of /proc"));
            }
            Err(error) => return ends_with(error),
        };
        if !self.may_reach_at(asked, &who, at, &file)? {
            return Ok(fails(Errno::ACCESS));
        }
        let (key, stat) = look_at(&file)?;
        if [user, group].iter().any(|id| *id != KEEP && *id >= IDS) {
            return Ok(fails(Errno::INVAL));
        }
        let now = self.record.get(&key).unwrap_or(Owner::ROOT);
        let or = |id, now| if id == KEEP { now } else { id };
        let new = Owner { user: or(user, now.user), group: or(group, now.group) };
        let own = who.user.file == now.user;
        let may = (user == KEEP || own && new.user == now.user)
            && (group == KEEP || own && (new.group == now.group || who.is_in(new.group)));
        if !may && (!self.powers.owners || who.is_bound()) {
            return Ok(fails(Errno::PERM));
        }
        if !self.listener.waits(asked.call.id) {
            return Ok(Verdict::Pass);
        }
        if let Err(error) = view::clear(&file) {
            return ends_with(error);
        }
        self.record.set(&stat, new, file)?;
        Ok(done())
    }

    fn stat(&self, asked: &Asked<'_>, at: At, buffer: usize, mask: Option<usize>) -> Judged {
        if self.record.is_empty() && self.table.is_plain() {
            return Ok(Verdict::Pass);
        }
        let file = asked.find(at)??;
        if !self.is_idle() && !self.may_reach_at(asked, &self.who(asked)?, at, &file)? {
            return Ok(fails(Errno::ACCESS));
        }
        let (key, _) = look_at(&file)?;
        let Some(Owner { user, group }) = self.record.get(&key) else { return Ok(Verdict::Pass) };
        let told = match mask {
            None => notify::stat(&file, (user, group)),
            Some(mask) => {
                let flags = asked.flags(at) & libc::AT_STATX_SYNC_TYPE.cast_unsigned();
                notify::statx(&file, flags, asked.call.word(mask), (user, group))
            }
        };
        asked.write(buffer, &told?)
    }

    fn open2(&mut self, asked: &Asked<'_>) -> Judged {
        let mut how = [0; 24];
        let read = notify::read_memory(asked.call.thread, asked.call.long(2), &mut how);
        if asked.call.long(3) < 24 || !matches!(read, Ok(24)) {
            return Ok(Verdict::Pass);
        }
        let part = |index: usize| {
            let bytes = how.get(index * 8..).and_then(|rest| rest.first_chunk());
            u64::from_le_bytes(bytes.copied().unwrap_or_default())
        };
        let flags = i32::try_from(part(0)).map_err(|_| Halt::Pass)?;
        let mode = u32::try_from(part(1)).map_err(|_| Halt::Pass)?;
        let at = At::Below { folder: 0, path: 1, flags: None };
        self.open(asked, at, flags, mode, part(2) != 0)
    }

    fn open(&mut self, asked: &Asked<'_>, at: At, flags: i32, mode: u32, resolves: bool) -> Judged {
        let has = |flag: i32| flags & flag == flag;
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || has(libc::O_TRUNC);
        let creates = has(libc::O_CREAT) || has(libc::O_TMPFILE);
        if self.is_idle() && !(creates && self.record.hands_down_groups()) {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        let (from, path) = asked.path(at)?;
        let new = has(libc::O_CREAT) && has(libc::O_EXCL);
        let follow = !new && !has(libc::O_NOFOLLOW);
        match asked.view.find(from, &path, follow) {
            Ok(folder) if has(libc::O_TMPFILE) => match self.owner_in(&who, &folder)? {
                Owner::ROOT if !who.is_bound() => Ok(Verdict::Pass),
                owner => Err(Halt::Refuse(format!(
                    "makes a file without a name in '{}' that belongs to {}:{}",
                    shown(self.proc.as_fd(), &folder),
                    owner.user,
                    owner.group
                ))),
            },
            Ok(file) => {
                let read = if flags & libc::O_ACCMODE == libc::O_WRONLY { 0 } else { 0o4 };
                let write = if writes { 0o2 } else { 0 };
                let path_only = has(libc::O_PATH) || new;
                let wanted = if path_only { 0 } else { read | write };
                self.permission(asked, &who, at, &file, wanted)
            }
            Err(Errno::NOENT) if has(libc::O_CREAT) => {
                let place =
                    if follow { asked.view.place_of_new(from, &path) } else { asked.view.place(from, &path) };
                let place = place?.ok_or(Halt::Pass)?;
                if resolves && (who.is_bound() || self.owner_in(&who, &place.folder)? != Owner::ROOT) {
                    return Err(asked.refuse(at, "makes", "for another user, by an unusual way"));
                }
                let flags = OFlags::from_bits_retain(flags.cast_unsigned());
                self.make(asked, &who, place, &Kind::File { flags, mode })
            }
            _ => Ok(Verdict::Pass),
        }
    }

    fn make_named(
        &mut self,
        asked: &Asked<'_>,
        at: At,
        kind: impl FnOnce(&Asked<'_>) -> Judged<Kind>,
    ) -> Judged {
        if self.is_idle() && !self.record.hands_down_groups() {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        let (from, path) = asked.path(at)?;
        let place = asked.view.place(from, &path)?.ok_or(Halt::Pass)?;
        let kind = kind(asked)?;
        self.make(asked, &who, place, &kind)
    }

    fn make(&mut self, asked: &Asked<'_>, who: &Who, place: view::Place, kind: &Kind) -> Judged {
        let owner = self.owner_in(who, &place.folder)?;
        if !self.may(asked, who, &place.folder, 0o3)? {
            return Ok(fails(Errno::ACCESS));
        }
        if owner == Owner::ROOT || !self.listener.waits(asked.call.id) {
            return Ok(Verdict::Pass);
        }
        let umask = asked.view.umask()?;
        let umask = if view::has_default_list(self.proc.as_fd(), &place.folder) { 0 } else { umask };
        let masked = |mode: u32| Mode::from_raw_mode(mode & 0o7777 & !umask);
        match kind.make(&place, masked) {
            Err(Errno::EXIST) => Ok(Verdict::Pass),
            Err(error) => ends_with(error),
            Ok(New { stat, held, open }) => {
                self.record.set(&stat, owner, held)?;
                Ok(match open {
                    Some((file, close_on_exec)) => Verdict::Give(file, close_on_exec),
                    None => done(),
                })
            }
        }
    }

    fn attribute(&self, asked: &Asked<'_>, at: At, name: usize) -> Judged {
        let call = asked.call;
        let text = notify::read_string(call.thread, call.long(name))?;
        if ACCESS_LISTS.iter().any(|name| name.as_bytes() == text.to_bytes()) {
            let length = usize::try_from(call.long(name + 2).min(VALUE)).map_err(|_| Halt::Pass)?;
            let mut value = vec![0; length];
            let read = notify::read_memory(call.thread, call.long(name + 1), &mut value);
            value.truncate(read?);
            if let Some(id) = other_id(&value) {
                let why = format!("an access list that names the id {id}");
                return Err(asked.refuse(at, "gives", &why));
            }
        }
        match text.to_bytes() {
            name if name.starts_with(b"user.") => self.cut(asked, at),
            b"security.capability" if !self.table.is_plain() && self.who(asked)?.is_bound() => {
                Ok(fails(Errno::PERM))
            }
            _ => self.alter(asked, at),
        }
    }

    fn set(&mut self, asked: &Asked<'_>, which: Which) -> Judged {
        let call = asked.call;
        let mut who = self.who(asked)?;
        let result = if which == Which::Groups {
            if call.word(0) > GROUPS {
                return Ok(fails(Errno::INVAL));
            }
            let mut bytes = vec![0; usize::try_from(call.word(0)).unwrap_or(0) * 4];
            if !bytes.is_empty() {
                let read = notify::read_memory(call.thread, call.long(1), &mut bytes);
                if read.ok() != Some(bytes.len()) {
                    return Ok(fails(Errno::FAULT));
                }
            }
            let group = |word: &[u8]| word.first_chunk().map(|word| u32::from_ne_bytes(*word));
            who.set_groups(bytes.chunks_exact(4).filter_map(group).collect())
        } else {
            who.set(which, [call.word(0), call.word(1), call.word(2)])
        };
        if result.is_ok() {
            self.become_who(asked, who)?;
        }
        Ok(Verdict::Answer(result))
    }

    pub(super) fn become_who(&mut self, asked: &Asked<'_>, who: Who) -> Judged<()> {
        self.table.set(asked.call.thread, who).map_err(|error| {
            let what = format!("became another user, and its processes cannot be told apart ({error})");
            self.unless_dead(asked, what)
        })
    }

    /// Refuses, unless whoever asked was killed meanwhile: that is why nothing can be told of it.
    fn unless_dead(&self, asked: &Asked<'_>, what: String) -> Halt {
        if self.listener.waits(asked.call.id) { Halt::Refuse(what) } else { Halt::Pass }
    }

    fn get(&self, asked: &Asked<'_>, which: Which) -> Judged {
        let call = asked.call;
        if self.table.is_plain() && which != Which::Groups {
            return Ok(Verdict::Pass);
        }
        let who = self.who(asked)?;
        let three = |set: super::who::Set| -> Judged {
            for (index, id) in [set.real, set.effective, set.saved].into_iter().enumerate() {
                if !matches!(asked.write(index, &id.to_ne_bytes())?, Verdict::Answer(Ok(_))) {
                    return Ok(fails(Errno::FAULT));
                }
            }
            Ok(done())
        };
        Ok(Verdict::Answer(Ok(i64::from(match which {
            Which::User => who.user.real,
            Which::Group => who.group.real,
            Which::EffectiveUser => who.user.effective,
            Which::EffectiveGroup => who.group.effective,
            Which::AllUsers => return three(who.user),
            Which::AllGroups => return three(who.group),
            Which::Groups => {
                let count = u32::try_from(who.groups.len()).unwrap_or(u32::MAX);
                if call.word(0) == 0 || count == 0 {
                    return Ok(Verdict::Answer(Ok(i64::from(count))));
                }
                if call.word(0) < count {
                    return Ok(fails(Errno::INVAL));
                }
                let bytes: Vec<u8> = who.groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
                if !matches!(asked.write(1, &bytes)?, Verdict::Answer(Ok(_))) {
                    return Ok(fails(Errno::FAULT));
                }
                count
            }
            _ => return Ok(Verdict::Pass),
        }))))
    }

    fn control(&mut self, asked: &Asked<'_>) -> Judged {
        if !self.powers.owners {
            // Nobody here can become another user: nothing depends on it.
            return Ok(Verdict::Pass);
        }
        let (option, value) = (asked.call.word(0), asked.call.long(1));
        if option == libc::PR_SET_CHILD_SUBREAPER.cast_unsigned() {
            // Whom it took over would be taken for its own.
            return if value == 0 { Ok(Verdict::Pass) } else { Err(asked.does("takes over orphans")) };
        }
        let mut who = self.who(asked)?;
        who.keep(value == 1);
        self.become_who(asked, who)?;
        Ok(Verdict::Pass)
    }
}

impl Asked<'_> {
    pub(super) fn flags(&self, at: At) -> u32 {
        match at {
            At::Below { flags: Some(flags), .. } => self.call.word(flags),
            _ => 0,
        }
    }

    /// Where a path starts, and the path.
    pub(super) fn path(&self, at: At) -> Judged<(Start, CString)> {
        let (from, path) = match at {
            At::Path(path) | At::Link(path) => (Start::Here, path),
            At::Below { folder, path, .. } => (Start::argument(self.call.word(folder)), path),
            At::Fd(fd) => return Ok((Start::argument(self.call.word(fd)), CString::default())),
        };
        let address = self.call.long(path);
        // Newer kernels take no path for an empty one.
        if address == 0 && self.flags(at) & libc::AT_EMPTY_PATH.cast_unsigned() != 0 {
            return Ok((from, CString::default()));
        }
        match notify::read_string(self.call.thread, address) {
            Ok(path) => Ok((from, path)),
            Err(error) => Err(match error.raw_os_error() {
                Some(libc::EPERM) => Halt::Refuse(format!(
                    "runs the process '{}', into which gander may not look ({error}); the setting \
                     kernel.yama.ptrace_scope may be 3",
                    self.view.command()
                )),
                _ => Halt::Pass,
            }),
        }
    }

    /// What the call is about.
    pub(super) fn find(&self, at: At) -> Judged<Result<OwnedFd, Errno>> {
        if let At::Fd(fd) = at {
            return Ok(self.view.descriptor(self.call.word(fd).cast_signed()));
        }
        let (from, path) = self.path(at)?;
        let flags = self.flags(at).cast_signed();
        if path.is_empty() && flags & libc::AT_EMPTY_PATH != 0 {
            return Ok(self.view.start(from));
        }
        let follow = !matches!(at, At::Link(_)) && flags & libc::AT_SYMLINK_NOFOLLOW == 0;
        Ok(self.view.find(from, &path, follow))
    }

    /// The same; a link at the end is meant itself.
    pub(super) fn find_link(&self, at: At) -> Judged<Result<OwnedFd, Errno>> {
        let (from, path) = self.path(at)?;
        Ok(self.view.find(from, &path, false))
    }

    /// Writes where an argument points.
    fn write(&self, argument: usize, bytes: &[u8]) -> Judged {
        match notify::write_memory(self.call.thread, self.call.long(argument), bytes) {
            Ok(()) => Ok(done()),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(Halt::Refuse(format!(
                "runs the process '{}', into which gander may not look ({error})",
                self.view.command()
            ))),
            Err(_) => Ok(fails(Errno::FAULT)),
        }
    }

    /// `clone3`: as `clone`, by what it says in memory.
    fn clone3(&self) -> Judged {
        let mut flags = [0; 8];
        notify::read_memory(self.call.thread, self.call.long(0), &mut flags)?;
        let user = u64::from(libc::CLONE_NEWUSER.cast_unsigned());
        if u64::from_ne_bytes(flags) & user == 0 { Ok(Verdict::Pass) } else { Err(self.parts()) }
    }

    /// In a user namespace of its own a process has other rights and ids, and can have other mounts.
    fn parts(&self) -> Halt {
        self.does("makes a user namespace")
    }

    /// Says what cannot be done exactly.
    fn does(&self, what: &str) -> Halt {
        Halt::Refuse(format!("{what} (in the process '{}')", self.view.command()))
    }

    /// Says what cannot be done exactly: `doing` 'PATH' `why`.
    pub(super) fn refuse(&self, at: At, doing: &str, why: &str) -> Halt {
        let path = match self.find(at) {
            Ok(Ok(file)) => shown(self.view.proc, &file),
            _ => self.path(at).map_or_else(|_| "a file".to_owned(), |(_, path)| printable(path.to_bytes())),
        };
        self.does(&format!("{doing} '{path}' {why}"))
    }
}

/// Whether the answer reached nobody, because the call went away.
pub(super) fn unheard(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINPROGRESS))
}
