//! Uploads: files that clients send in pieces, below `work/` of the topdir, before they are imported.
//!
//! A piece goes to `work/FILEPATH/FILENAME` at an offset. A folder belongs to the user who uploaded to it first, which
//! its file `.user` says. No name leads elsewhere: a part of a path has no `/`, does not begin with a dot, and is never a
//! link. Unlike Koji's hub, a piece may not begin beyond the end of the file.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use openssl::hash::{Hasher, MessageDigest};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use crate::base::digest::hex;
use crate::format::xmlrpc::Fault;
use crate::hub::methods::python;
use crate::hub::methods::{generic, internal, now};

/// Fault code of a file that somebody else is writing (LockError).
const LOCK_ERROR: i64 = 1001;
/// Parts of a path, bytes of a part, bytes of a file.
const DEPTH: usize = 8;
const NAME: usize = 255;
const LARGEST: u64 = 64 << 30;

/// Seconds that an upload is kept that nobody goes on with.
const KEPT: i64 = 86_400;
/// Says whose a folder is.
const OWNER: &str = ".user";

/// Where a piece of an upload goes, as the address of its request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// `filename`.
    pub name: String,
    /// `filepath`: the folder, relative to `work/`.
    pub path: String,
    /// `fileverify`: the digest that the answer shall have.
    pub verify: String,
    /// `overwrite`: what the file has from the offset on goes away.
    pub overwrite: bool,
    /// `offset`: where the piece begins; -1 is the end of the file.
    pub offset: i64,
    /// `volume`.
    pub volume: String,
}

impl Piece {
    /// Reads the parameters of an address.
    pub fn read(parameter: impl Fn(&str) -> Option<String>) -> Result<Self, Fault> {
        let text = |name| parameter(name).unwrap_or_default();
        let offset = parameter("offset").unwrap_or_else(|| "0".to_owned());
        Ok(Self {
            name: parameter("filename").ok_or_else(|| internal("'filename'"))?,
            path: text("filepath"),
            verify: text("fileverify"),
            overwrite: !text("overwrite").is_empty(),
            offset: offset.parse().map_err(|_| generic(format!("Invalid upload offset: {offset}")))?,
            volume: parameter("volume").unwrap_or_else(|| "DEFAULT".to_owned()),
        })
    }
}

/// What a client is told of a piece that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Received {
    size: u64,
    fileverify: String,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hexdigest: Option<String>,
}

/// What `checkUpload` says of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uploaded {
    size: u64,
    /// Seconds since 1970.
    mtime: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sumlength: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hexdigest: Option<String>,
}

/// A digest that a client asks for.
enum Sum {
    Digest(Hasher),
    Adler { a: u32, b: u32 },
}

impl Sum {
    fn new(kind: &str) -> Result<Option<Self>, Fault> {
        let kind = match kind {
            "" => return Ok(None),
            "adler32" => return Ok(Some(Self::Adler { a: 1, b: 0 })),
            "md5" => MessageDigest::md5(),
            "sha256" => MessageDigest::sha256(),
            kind => return Err(generic(format!("Unsupported verify type: {kind}"))),
        };
        Ok(Some(Self::Digest(Hasher::new(kind).map_err(internal)?)))
    }

    fn update(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Digest(hasher) => hasher.update(bytes).map_err(internal)?,
            Self::Adler { a, b } => {
                for byte in bytes {
                    *a = (*a + u32::from(*byte)) % 65_521;
                    *b = (*b + *a) % 65_521;
                }
            }
        }
        Ok(())
    }

    fn hex(self) -> Result<String, Fault> {
        Ok(match self {
            Self::Digest(mut hasher) => hex(&hasher.finish().map_err(internal)?),
            Self::Adler { a, b } => format!("{:08x}", b << 16 | a),
        })
    }
}

/// The folder `work/` of a hub.
#[derive(Clone, Debug)]
pub struct Uploads {
    folder: PathBuf,
}

/// A place below `work/` that was checked: folders, and the name of a file.
struct Place<'a> {
    folders: Vec<&'a str>,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn new(path: &'a str, name: &'a str) -> Result<Self, Fault> {
        let fits = |part: &&str| {
            !part.is_empty()
                && part.len() <= NAME
                && !part.starts_with('.')
                && !part.contains(|char: char| char == '/' || char.is_control())
        };
        if !fits(&name) {
            return Err(generic(format!("Invalid upload filename: {name}")));
        }
        let folders: Vec<_> = path.split('/').collect();
        // Below tasks/ only builders write, and there are none.
        if folders.len() > DEPTH || !folders.iter().all(fits) || folders.first() == Some(&"tasks") {
            return Err(generic(format!("Invalid upload directory: {path}")));
        }
        Ok(Self { folders, name })
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.folders.join("/"), self.name)
    }
}

impl Uploads {
    /// The uploads of a hub with this topdir.
    pub fn new(topdir: &Path) -> Self {
        Self { folder: topdir.join("work") }
    }

    /// Where an upload lies, if it does: a path that is safe to open.
    pub fn path(&self, path: &str, name: &str) -> Result<PathBuf, Fault> {
        let place = Place::new(path, name)?;
        let mut found = self.folder.clone();
        found.extend(&place.folders);
        found.push(name);
        Ok(found)
    }

    /// Opens the folder of a place, made where there is none.
    fn descend(&self, place: &Place<'_>) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        std::fs::create_dir_all(&self.folder)?;
        let mut folder = rustix::fs::openat(CWD, &self.folder, flags, Mode::empty())?;
        for name in &place.folders {
            match rustix::fs::mkdirat(&folder, *name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            folder = rustix::fs::openat(&folder, *name, flags, Mode::empty())?;
        }
        Ok(folder)
    }

    /// Whether the folder is this user's, who gets it where it is nobody's.
    fn claim(&self, folder: &OwnedFd, user: i64) -> io::Result<bool> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, OWNER, flags, Mode::from_raw_mode(0o644)) {
            Ok(file) => {
                // Who begins an upload clears away what others gave up.
                drop(sweep(&self.folder, now().micros() / 1_000_000 - KEPT));
                File::from(file).write_all(user.to_string().as_bytes()).map(|()| true)
            }
            Err(Errno::EXIST) => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut owner = String::new();
                let file = File::from(rustix::fs::openat(folder, OWNER, flags, Mode::empty())?);
                file.take(32).read_to_string(&mut owner)?;
                Ok(owner == user.to_string())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a piece of an upload from a user.
    pub fn receive(&self, user: i64, piece: &Piece, body: &mut dyn Read) -> Result<Received, Fault> {
        let place = Place::new(&piece.path, &piece.name)?;
        if piece.volume != "DEFAULT" {
            return Err(generic(format!("No such volume: {}", python::text(&piece.volume))));
        }
        let mut sum = Sum::new(&piece.verify)?;
        let folder = self.descend(&place).map_err(internal)?;
        if !self.claim(&folder, user).map_err(internal)? {
            return Err(generic(format!("Invalid upload directory, not owner: {}", piece.path)));
        }
        let shown = place.shown();
        match rustix::fs::statat(&folder, place.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() => {
                return Err(generic(format!("destination not a file: {shown}")));
            }
            Ok(_) if piece.offset == 0 && !piece.overwrite => {
                return Err(generic(format!("upload path exists: {shown}")));
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(internal(io::Error::from(error))),
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, place.name, flags, Mode::from_raw_mode(0o644))
            .map_err(|error| internal(io::Error::from(error)))?;
        let mut file = File::from(file);
        file.try_lock().map_err(|error| Fault { code: LOCK_ERROR, text: error.to_string() })?;
        let length = file.metadata().map_err(internal)?.len();
        let offset = match piece.offset {
            -1 => length,
            offset => u64::try_from(offset)
                .ok()
                .filter(|offset| *offset <= length)
                .ok_or_else(|| generic(format!("Invalid upload offset: {offset}")))?,
        };
        if piece.overwrite && piece.offset != -1 {
            file.set_len(offset).map_err(internal)?;
        }
        file.seek(SeekFrom::Start(offset)).map_err(internal)?;
        let received = copy(body, offset, &mut |bytes| {
            file.write_all(bytes).map_err(internal)?;
            sum.as_mut().map_or(Ok(()), |sum| sum.update(bytes))
        });
        let size = match received {
            Ok(size) => size,
            Err(fault) => {
                // Half a piece is worth nothing, and on a full disk it stands in the way of everything else.
                drop(file.set_len(offset));
                return Err(fault);
            }
        };
        let actual = file.metadata().map_err(internal)?.len();
        if actual != offset + size {
            let expected = offset + size;
            let text = format!("Incorrect upload length for {shown} - Expected {expected}, actual {actual}");
            return Err(generic(text));
        }
        let hexdigest = sum.map(Sum::hex).transpose()?;
        Ok(Received { size, fileverify: piece.verify.clone(), offset, hexdigest })
    }

    /// What is known of an upload, and its digest (of its last `tail` bytes, or all) where one is asked for.
    pub fn check(
        &self,
        path: &str,
        name: &str,
        verify: &str,
        tail: Option<i64>,
    ) -> Result<Option<Uploaded>, Fault> {
        let file = match File::open(self.path(path, name)?) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(internal(error)),
        };
        file.try_lock_shared().map_err(|error| Fault { code: LOCK_ERROR, text: error.to_string() })?;
        let found = file.metadata().map_err(internal)?;
        if !found.is_file() {
            return Err(generic(format!("Not a regular file: {path}/{name}")));
        }
        #[allow(clippy::cast_precision_loss, reason = "Koji gives times as doubles")]
        let mtime = found.mtime() as f64 + found.mtime_nsec() as f64 / 1e9;
        let mut uploaded = Uploaded { size: found.len(), mtime, sumlength: None, hexdigest: None };
        if let Some(mut sum) = Sum::new(verify)? {
            let tail = match tail {
                Some(tail) => {
                    u64::try_from(tail).map_err(|_| generic(format!("Invalid tail value: {tail}")))?
                }
                None => found.len(),
            };
            let mut rest = At { file: &file, place: found.len().saturating_sub(tail) };
            uploaded.sumlength = Some(copy(&mut rest, 0, &mut |bytes| sum.update(bytes))?);
            uploaded.hexdigest = Some(sum.hex()?);
        }
        Ok(Some(uploaded))
    }

    /// Removes an upload that was imported, and its folder where it is empty now.
    pub fn remove(&self, path: &str, name: &str) {
        let Ok(file) = self.path(path, name) else { return };
        // What stays is removed when the hub starts.
        drop(std::fs::remove_file(&file));
        let Some(folder) = file.parent() else { return };
        #[allow(clippy::disallowed_methods, reason = "only counted")]
        let others = std::fs::read_dir(folder)
            .map_or(true, |entries| entries.filter_map(Result::ok).any(|entry| entry.file_name() != OWNER));
        if !others {
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// Removes the files below a folder that were not written since a time (seconds since 1970), and folders that have none
/// then. Whether the folder is empty but for its owner.
fn sweep(folder: &Path, since: i64) -> io::Result<bool> {
    let mut empty = true;
    #[allow(clippy::disallowed_methods, reason = "their order means nothing")]
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        let old = found.mtime() < since;
        if found.is_dir() {
            // One that is being made is young.
            let gone = sweep(&entry.path(), since)? && old && std::fs::remove_dir_all(entry.path()).is_ok();
            empty &= gone;
        } else if entry.file_name() != OWNER {
            empty &= old && std::fs::remove_file(entry.path()).is_ok();
        }
    }
    Ok(empty)
}

/// A file from a place on, without moving its position.
struct At<'f> {
    file: &'f File,
    place: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.place)?;
        self.place += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

/// Hands on all that a reader has, up to the bound of a file; the number of bytes.
fn copy(
    reader: &mut dyn Read,
    offset: u64,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<u64, Fault> {
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(internal(error)),
        };
        size += u64::try_from(read).unwrap_or(u64::MAX);
        if size.saturating_add(offset) > LARGEST {
            return Err(generic("Upload too large"));
        }
        take(buffer.get(..read).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(offset: i64, overwrite: bool) -> Piece {
        Piece {
            name: "a.rpm".into(),
            path: "cli-import/1.x".into(),
            verify: "adler32".into(),
            overwrite,
            offset,
            volume: "DEFAULT".into(),
        }
    }

    #[test]
    fn what_was_given_up_is_swept_away() {
        let world = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(world.path());
        uploads.receive(7, &piece(0, true), &mut &b"x"[..]).unwrap();
        let folder = world.path().join("work");
        let later = now().micros() / 1_000_000 + 10;
        assert!(!sweep(&folder, later - KEPT).unwrap());
        assert!(folder.join("cli-import/1.x/a.rpm").exists(), "it is young");
        assert!(sweep(&folder, later).unwrap());
        assert!(!folder.join("cli-import").exists());
    }

    #[test]
    fn a_piece_that_does_not_arrive_leaves_nothing() {
        struct Broken(u8);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                buffer.fill(b'x');
                if self.0 > 3 { Err(io::Error::other("gone")) } else { Ok(buffer.len()) }
            }
        }
        let world = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(world.path());
        uploads.receive(7, &piece(0, true), &mut &b"whole"[..]).unwrap();
        assert!(uploads.receive(7, &piece(5, true), &mut Broken(0)).is_err());
        assert_eq!(std::fs::read(world.path().join("work/cli-import/1.x/a.rpm")).unwrap(), b"whole");
    }

    #[test]
    fn pieces_make_a_file() {
        let world = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(world.path());
        let received = uploads.receive(7, &piece(0, true), &mut &b"Wikipedia"[..]).unwrap();
        // The value that Wikipedia gives for its own name.
        assert_eq!(received.hexdigest.as_deref(), Some("11e60398"));
        assert_eq!((received.size, received.offset), (9, 0));
        uploads.receive(7, &piece(9, true), &mut &b" and more"[..]).unwrap();
        let path = world.path().join("work/cli-import/1.x/a.rpm");
        assert_eq!(std::fs::read(&path).unwrap(), b"Wikipedia and more");
        uploads.receive(7, &piece(9, true), &mut &b"!"[..]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"Wikipedia!");
        uploads.receive(7, &piece(-1, false), &mut &b"?"[..]).unwrap();

        let checked = uploads.check("cli-import/1.x", "a.rpm", "md5", Some(1)).unwrap().unwrap();
        assert_eq!((checked.size, checked.sumlength), (11, Some(1)));
        assert_eq!(checked.hexdigest.as_deref(), Some("d1457b72c3fb323a2671125aef3eab5d"));
        assert_eq!(uploads.check("cli-import/1.x", "b.rpm", "", None).unwrap(), None);
        uploads.remove("cli-import/1.x", "a.rpm");
        assert!(!world.path().join("work/cli-import/1.x").exists());
    }

    #[test]
    fn hostile_uploads_are_refused() {
        let world = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(&world.path().join("top"));
        uploads.receive(7, &piece(0, true), &mut &b"x"[..]).unwrap();
        let refused = |user: i64, change: &dyn Fn(&mut Piece)| {
            let mut piece = piece(0, true);
            change(&mut piece);
            let fault = uploads.receive(user, &piece, &mut &b"y"[..]).unwrap_err();
            assert!([1, 1000].contains(&fault.code), "{fault}");
            fault.text
        };
        let long = "x".repeat(256);
        for name in ["", ".", "..", ".user", "../a", "a/b", "/etc/passwd", "a\0b", "a\nb", &long] {
            assert!(refused(7, &|piece| piece.name = name.into()).starts_with("Invalid upload filename"));
        }
        for path in
            ["", ".", "..", "../x", "/etc", "a/../b", "a//b", "a/.b", "a\0", "1/2/3/4/5/6/7/8/9", "tasks/1/1"]
        {
            assert!(refused(7, &|piece| piece.path = path.into()).starts_with("Invalid upload directory"));
        }
        for offset in [2, i64::MAX, -2, i64::MIN] {
            assert!(refused(7, &|piece| piece.offset = offset).starts_with("Invalid upload offset"));
        }
        assert!(refused(8, &|_| {}).contains("not owner"));
        assert!(refused(7, &|piece| piece.overwrite = false).contains("exists"));
        assert!(refused(7, &|piece| piece.verify = "crc".into()).contains("verify type"));
        assert!(refused(7, &|piece| piece.volume = "slow".into()).contains("volume"));

        // A link in the place of a file or of a folder leads nowhere.
        let work = world.path().join("top/work");
        std::fs::write(world.path().join("outside"), "safe").unwrap();
        std::os::unix::fs::symlink("../../../../outside", work.join("cli-import/1.x/link")).unwrap();
        refused(7, &|piece| piece.name = "link".into());
        std::os::unix::fs::symlink("../..", work.join("up")).unwrap();
        refused(7, &|piece| piece.path = "up".into());
        assert_eq!(std::fs::read(world.path().join("outside")).unwrap(), b"safe");

        // One who is still writing is not disturbed.
        let other = File::open(work.join("cli-import/1.x/a.rpm")).unwrap();
        other.lock().unwrap();
        let fault = uploads.receive(7, &piece(0, true), &mut &b"y"[..]).unwrap_err();
        assert_eq!(fault.code, LOCK_ERROR);
    }

    #[test]
    fn the_address_says_where_a_piece_goes() {
        let ask = |name: &str| (name != "volume" && name != "overwrite").then(|| "5".to_owned());
        let read = Piece::read(ask).unwrap();
        assert_eq!((read.offset, read.overwrite, read.volume.as_str()), (5, false, "DEFAULT"));
        assert!(Piece::read(|_| None).is_err());
        assert!(Piece::read(|name| (name != "x").then(|| "1e9".into())).is_err());
    }
}
