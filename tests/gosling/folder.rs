//! Folders by content, kind, mode, links and time, and the first differences of two in detail.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gander::base::Digest;
use gander::rpm::Headers;

/// How many differences are shown in detail.
const SHOWN: usize = 20;

/// What a path is. Owners are left out: they are the composing user's.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    kind: &'static str,
    mode: u32,
    links: u64,
    size: u64,
    /// Seconds and nanoseconds.
    time: (i64, i64),
    /// Digest of a file, text of a link.
    content: String,
}

/// A folder, itself included (as `.`).
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    records: BTreeMap<PathBuf, Record>,
}

impl Folder {
    /// Reads all of it.
    pub fn read(root: &Path) -> Self {
        let mut records = BTreeMap::new();
        let mut open = vec![PathBuf::from(".")];
        while let Some(path) = open.pop() {
            let full = root.join(&path);
            let found = fs::symlink_metadata(&full).unwrap_or_else(|error| panic!("{full:?}: {error}"));
            let (kind, content) = if found.is_dir() {
                let above = if path == Path::new(".") { Path::new("") } else { &path };
                open.extend(fs::read_dir(&full).unwrap().map(|entry| above.join(entry.unwrap().file_name())));
                ("folder", String::new())
            } else if found.is_symlink() {
                ("link", fs::read_link(&full).unwrap().display().to_string())
            } else {
                assert!(found.is_file(), "{full:?} is neither file nor folder nor link");
                ("file", Digest::of(fs::read(&full).unwrap()).to_string())
            };
            let is_folder = kind == "folder";
            let record = Record {
                kind,
                mode: found.mode(),
                // What these say of a folder is the file system's affair.
                links: if is_folder { 0 } else { found.nlink() },
                size: if is_folder { 0 } else { found.size() },
                time: (found.mtime(), found.mtime_nsec()),
                content,
            };
            records.insert(path, record);
        }
        Self { root: root.into(), records }
    }

    /// Only names and contents, for folders that a person works in.
    pub fn contents(root: &Path) -> Self {
        let mut folder = Self::read(root);
        for record in folder.records.values_mut() {
            (record.mode, record.time, record.links) = (0, (0, 0), 0);
        }
        folder
    }

    /// How many files it has.
    pub fn files(&self) -> usize {
        self.records.values().filter(|record| record.kind == "file").count()
    }

    /// The paths of its files that end so.
    pub fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
        let ends = move |path: &&PathBuf| path.to_string_lossy().ends_with(ending);
        self.records.keys().filter(ends).map(|path| self.root.join(path))
    }

    /// Fails with the first differences in detail, if there are any.
    pub fn assert_same(&self, other: &Self) {
        let text = self.differences(other);
        assert!(text.is_empty(), "{} and {} differ:\n{text}", self.root.display(), other.root.display());
    }

    fn differences(&self, other: &Self) -> String {
        let paths: std::collections::BTreeSet<_> = self.records.keys().chain(other.records.keys()).collect();
        let mut text = String::new();
        let mut count = 0;
        for path in paths {
            let (left, right) = (self.records.get(path), other.records.get(path));
            if left == right {
                continue;
            }
            count += 1;
            if count <= SHOWN {
                let name = path.display();
                match (left, right) {
                    (Some(left), Some(right)) => self.describe(&mut text, path, left, right, other).unwrap(),
                    (Some(_), None) => writeln!(text, "{name}: only in the first").unwrap(),
                    _ => writeln!(text, "{name}: only in the second").unwrap(),
                }
            }
        }
        if count > SHOWN {
            writeln!(text, "… {count} paths differ in all").unwrap();
        }
        text
    }

    fn describe(
        &self,
        text: &mut String,
        path: &Path,
        left: &Record,
        right: &Record,
        other: &Self,
    ) -> fmt::Result {
        let name = path.display();
        if left.kind != right.kind {
            return writeln!(text, "{name}: {} | {}", left.kind, right.kind);
        }
        if left.mode != right.mode {
            writeln!(text, "{name}: mode {:o} | {:o}", left.mode, right.mode)?;
        }
        if left.links != right.links {
            writeln!(text, "{name}: {} hard links | {}", left.links, right.links)?;
        }
        if left.time != right.time {
            writeln!(text, "{name}: time {:?} | {:?}", left.time, right.time)?;
        }
        if left.content != right.content && left.kind == "file" {
            let read = |root: &Path| fs::read(root.join(path)).unwrap_or_default();
            let detail = content(path, &read(&self.root), &read(&other.root));
            writeln!(text, "{name}: {} bytes | {} bytes; {detail}", left.size, right.size)?;
        } else if left.content != right.content {
            writeln!(text, "{name}: leads to {} | {}", left.content, right.content)?;
        }
        Ok(())
    }
}

/// Where two contents part.
fn content(path: &Path, left: &[u8], right: &[u8]) -> String {
    let unpack = |bytes: &[u8]| {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).map(|_| plain)
    };
    let at = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    if path.extension().is_some_and(|extension| extension == "rpm") {
        let part = match Headers::read(left) {
            Ok(headers) if (at as u64) < headers.main_range().start => "the lead or the signature header",
            Ok(headers) if (at as u64) < headers.main_range().end => "the main header",
            Ok(_) => "the payload",
            Err(_) => "what is no package",
        };
        return format!("first at byte {at}, in {part}");
    }
    let (left, right) = match (unpack(left), unpack(right)) {
        (Ok(left), Ok(right)) if left != right => (left, right),
        (Ok(_), Ok(_)) => return format!("the same inside, compressed otherwise, first at byte {at}"),
        _ => (left.to_vec(), right.to_vec()),
    };
    match (std::str::from_utf8(&left), std::str::from_utf8(&right)) {
        (Ok(left), Ok(right)) => {
            let pairs = left.lines().zip(right.lines()).enumerate();
            let parted = pairs.clone().find(|(_, (left, right))| left != right);
            match parted {
                Some((line, (left, right))) => format!("line {}:\n  - {left}\n  + {right}", line + 1),
                None => format!("one ends at line {}", pairs.count()),
            }
        }
        _ => format!("first at byte {at}"),
    }
}

#[test]
fn differences_are_found_and_named() {
    let scratch = tempfile::tempdir().unwrap();
    let (left, right) = (scratch.path().join("left"), scratch.path().join("right"));
    for root in [&left, &right] {
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("same"), "x").unwrap();
        fs::write(root.join("sub/text"), "one\ntwo\n").unwrap();
        std::os::unix::fs::symlink("same", root.join("link")).unwrap();
    }
    let compare = || Folder::contents(&left).differences(&Folder::contents(&right));
    assert_eq!(compare(), "");
    fs::write(right.join("sub/text"), "one\n2\n").unwrap();
    fs::write(right.join("more"), "").unwrap();
    fs::remove_file(right.join("link")).unwrap();
    std::os::unix::fs::symlink("other", right.join("link")).unwrap();
    assert_eq!(
        compare(),
        "link: leads to same | other\nmore: only in the second\n\
         sub/text: 8 bytes | 6 bytes; line 2:\n  - two\n  + 2\n"
    );
    let file = fs::File::options().write(true).open(right.join("same")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let all = Folder::read(&left).differences(&Folder::read(&right));
    assert!(all.contains("\nsame: time (") && all.contains("| (0, 0)\n"), "{all}");
}
