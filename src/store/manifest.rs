//! The text form of a tree.
//!
//! UTF-8 lines, each ended by a newline; fields are separated by one TAB. The first line is `gander-tree 1`.
//! Then one line for each entry, sorted by path component by component, so that each folder comes before what
//! is in it and nothing lies between:
//!
//! ```text
//! d  MODE  UID  GID  TIME  PATH
//! f  MODE  UID  GID  TIME  PATH  SIZE  SHA256
//! l  MODE  UID  GID  TIME  PATH  TARGET
//! h  PATH  FIRST-NAME
//! x  NAME  VALUE
//! ```
//!
//! - MODE is octal without a leading 0, the other numbers are decimal, SHA256 and VALUE are lower-case
//!   hexadecimal digits.
//! - `h` is a further name of the file FIRST-NAME, and has everything else from there.
//! - `x` lines follow the entry whose extended attributes they are, sorted by name.
//! - In PATH, TARGET and NAME a backslash, a TAB and a newline are written `\\`, `\t` and `\n`; all else stands for
//!   itself.
//!
//! There is one text for each tree: what differs from it in any byte is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::tree::{Entry, EntryKind, Tree, TreeError};
use crate::base::digest::{hex, unhex};
use crate::base::{Digest, RelPath};

/// The first line.
pub(super) const MAGIC: &str = "gander-tree 1";

/// The most bytes a manifest may have: some million files.
pub(super) const MAX_BYTES: u64 = 128 << 20;

/// Whether this can be a manifest, going by its first bytes.
pub(super) fn looks_like_one(start: &[u8]) -> bool {
    start.strip_prefix(MAGIC.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'\n'))
}

/// The line as a prefix: enough to recognise a manifest.
pub(super) const START: usize = MAGIC.len() + 1;

impl Tree {
    /// Its canonical text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::with_capacity(self.entries().len() * 128 + START);
        text.push_str(MAGIC);
        text.push('\n');
        for (path, entry) in self.entries() {
            let path = escape(path.as_str());
            let Entry { mode, uid, gid, mtime, .. } = entry;
            let (letter, tail) = match &entry.kind {
                EntryKind::Directory => ('d', String::new()),
                EntryKind::File { digest, size } => ('f', format!("\t{size}\t{}", digest.hex())),
                EntryKind::Symlink { target } => ('l', format!("\t{}", escape(target))),
                EntryKind::HardLink { to } => {
                    text.extend(["h\t", &path, "\t", &escape(to.as_str()), "\n"]);
                    continue;
                }
            };
            let _ = writeln!(text, "{letter}\t{mode:o}\t{uid}\t{gid}\t{mtime}\t{path}{tail}");
            for (name, value) in &entry.xattrs {
                text.extend(["x\t", &escape(name), "\t", &hex(value), "\n"]);
            }
        }
        text.into_bytes()
    }

    /// Reads a canonical text.
    pub fn parse(bytes: &[u8]) -> Result<Self, TreeError> {
        if !looks_like_one(bytes) {
            return Err(TreeError::Magic);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TreeError::NotCanonical)?;
        let mut entries: BTreeMap<RelPath, Entry> = BTreeMap::new();
        let mut last: Option<RelPath> = None;
        for (index, line) in text.lines().enumerate().skip(1) {
            let wrong = |why| TreeError::Line { line: index + 1, why };
            if let Some(attribute) = line.strip_prefix("x\t") {
                let (name, value) =
                    attribute.split_once('\t').ok_or(wrong("an attribute has a name and a value"))?;
                let entry = last.as_ref().and_then(|path| entries.get_mut(path));
                let entry = entry.ok_or(wrong("an attribute belongs to the entry before it"))?;
                let name = unescape(name).ok_or(wrong("a name is escaped wrongly"))?;
                let value = unhex(value).ok_or(wrong("a value is not hexadecimal"))?;
                if matches!(entry.kind, EntryKind::HardLink { .. })
                    || entry.xattrs.insert(name, value).is_some()
                {
                    return Err(wrong("an attribute is repeated"));
                }
                continue;
            }
            let (path, entry) = parse_entry(line, &entries).map_err(wrong)?;
            if last.as_ref().is_some_and(|last| *last >= path) {
                return Err(wrong("the path does not come after the one before it"));
            }
            last = Some(path.clone());
            entries.insert(path, entry);
        }
        let tree = Self::new(entries)?;
        // Catches every other spelling: leading zeros, needless escapes, attributes out of order, a missing
        // newline at the end.
        if tree.to_bytes() == bytes { Ok(tree) } else { Err(TreeError::NotCanonical) }
    }
}

fn parse_entry(line: &str, before: &BTreeMap<RelPath, Entry>) -> Result<(RelPath, Entry), &'static str> {
    let fields: Vec<&str> = line.split('\t').take(9).collect();
    let path = |text: &str| {
        let path = unescape(text).ok_or("a path is escaped wrongly")?;
        RelPath::new(path).map_err(|_| "the path is not a plain relative path")
    };
    if let ["h", name, first] = fields[..] {
        let (name, first) = (path(name)?, path(first)?);
        let file = before.get(&first).ok_or("the hard link does not lead to a file that comes before it")?;
        return Ok((name, file.as_link_to(first)));
    }
    let [letter, mode, uid, gid, mtime, name, ref tail @ ..] = fields[..] else {
        return Err("the line has too few fields");
    };
    let kind = match (letter, tail) {
        ("d", []) => EntryKind::Directory,
        ("f", [size, digest]) => EntryKind::File {
            digest: Digest::from_hex(digest).map_err(|_| "the digest is none")?,
            size: size.parse().map_err(|_| "the size is no number")?,
        },
        ("l", [target]) => {
            EntryKind::Symlink { target: unescape(target).ok_or("a target is escaped wrongly")? }
        }
        _ => return Err("the kind of entry is unknown or has other fields"),
    };
    let number = |text: &str| text.parse::<u32>().map_err(|_| "an owner is no number");
    let entry = Entry {
        mode: u32::from_str_radix(mode, 8).map_err(|_| "the mode is no octal number")?,
        uid: number(uid)?,
        gid: number(gid)?,
        mtime: mtime.parse().map_err(|_| "the time is no number")?,
        xattrs: BTreeMap::new(),
        kind,
    };
    Ok((path(name)?, entry))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
    out
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        out.push(match letter {
            '\\' => match letters.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn manifest(lines: &[&str]) -> String {
        let lines = lines.iter().map(|line| line.replace("HEX", HEX) + "\n");
        format!("gander-tree 1\n{}", lines.collect::<String>()).replace("  ", "\t")
    }

    #[test]
    fn one_text_for_each_tree() {
        let text = manifest(&[
            "d  755  0  0  1793491200  usr",
            "f  4711  0  12  1  usr/a  0  HEX",
            "x  security.capability  0100000200200000000000000000000000000000",
            "x  user.empty  ",
            "h  usr/b  usr/a",
            "l  777  0  0  2  usr/c  ../x\\ty",
            "d  1777  65534  65534  0  usr/é\\n\\\\",
        ]);
        let tree = Tree::parse(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(tree.to_bytes()).unwrap(), text);
        assert_eq!(tree.entries().len(), 5);
        assert_eq!(tree.file(&RelPath::new("usr/b").unwrap()), Some((Digest::of(""), 0)));
        assert_eq!(tree.newest(), 1_793_491_200);
        // A change of the form changes every tree's name: it needs another first line, and all action keys
        // that trees enter into change with it.
        assert_eq!(tree.digest().hex(), "d797c3e3e741f7503726feb8e4f67a83c8f053332cf53412b084dc3de3db799f");
    }

    #[test]
    fn the_empty_tree_is_a_tree() {
        assert_eq!(Tree::parse(b"gander-tree 1\n"), Ok(Tree::default()));
    }

    #[test]
    fn hostile_manifests_are_refused() {
        let dir = "d  755  0  0  1  a";
        for (why, lines) in [
            ("leaves the root", vec!["d  755  0  0  1  .."]),
            ("leaves the root further down", vec![dir, "d  755  0  0  1  a/../b"]),
            ("absolute", vec!["d  755  0  0  1  /a"]),
            ("empty part", vec![dir, "d  755  0  0  1  a//b"]),
            ("twice", vec![dir, dir]),
            ("unsorted", vec!["d  755  0  0  1  b", dir]),
            ("below nothing", vec!["d  755  0  0  1  a/b"]),
            ("below a file", vec!["f  644  0  0  1  a  0  HEX", "d  755  0  0  1  a/b"]),
            ("below a symbolic link", vec!["l  777  0  0  1  a  /etc", "f  644  0  0  1  a/passwd  0  HEX"]),
            ("below a hard link", vec!["f  644  0  0  1  a  0  HEX", "h  b  a", "d  755  0  0  1  b/c"]),
            ("hard link to nothing", vec!["h  a  b"]),
            ("hard link to itself", vec!["h  a  a"]),
            ("hard link to a folder", vec![dir, "h  b  a"]),
            ("hard link to a hard link", vec!["f  644  0  0  1  a  0  HEX", "h  b  a", "h  c  b"]),
            ("hard link to a later file", vec!["h  a  b", "f  644  0  0  1  b  0  HEX"]),
            ("hard link with attributes", vec!["f  644  0  0  1  a  0  HEX", "h  b  a", "x  user.a  00"]),
            ("hard link out of the tree", vec!["h  a  ../b"]),
            ("mode too large", vec!["d  17777  0  0  1  a"]),
            ("mode not octal", vec!["d  789  0  0  1  a"]),
            ("leading zero", vec!["d  0755  0  0  1  a"]),
            ("plus sign", vec!["d  755  +0  0  1  a"]),
            ("owner too large", vec!["d  755  4294967296  0  1  a"]),
            ("time too late", vec!["d  755  0  0  4294967296  a"]),
            ("time too early", vec!["d  755  0  0  -1  a"]),
            ("size too large", vec!["f  644  0  0  1  a  18446744073709551616  HEX"]),
            ("no digest", vec!["f  644  0  0  1  a  0  abc"]),
            ("unknown kind", vec!["c  644  0  0  1  a  1  3"]),
            ("missing field", vec!["d  755  0  0  1"]),
            ("further field", vec!["d  755  0  0  1  a  b"]),
            ("symbolic link without text", vec!["l  777  0  0  1  a  "]),
            ("symbolic link with a mode", vec!["l  755  0  0  1  a  b"]),
            ("symbolic link with an attribute", vec!["l  777  0  0  1  a  b", "x  user.a  00"]),
            ("attribute before all", vec!["x  user.a  00"]),
            ("attributes unsorted", vec![dir, "x  user.b  00", "x  user.a  00"]),
            ("attribute twice", vec![dir, "x  user.a  00", "x  user.a  00"]),
            ("attribute in upper case", vec![dir, "x  user.a  AA"]),
            ("attribute with half a byte", vec![dir, "x  user.a  0"]),
            ("wrong escape", vec!["d  755  0  0  1  \\a"]),
            ("empty line", vec![""]),
        ] {
            assert!(Tree::parse(manifest(&lines).as_bytes()).is_err(), "{why}");
        }
        let good = manifest(&[dir]);
        assert!(Tree::parse(good.as_bytes()).is_ok());
        assert_eq!(Tree::parse(good.trim_end().as_bytes()), Err(TreeError::NotCanonical));
        assert_eq!(Tree::parse(good.replace('\n', "\r\n").as_bytes()), Err(TreeError::Magic));
        assert_eq!(Tree::parse(b"gander-tree 2\n"), Err(TreeError::Magic));
        assert_eq!(Tree::parse(b"gander-tree 1\n\xff"), Err(TreeError::NotCanonical));
        let deep = (1..=129).map(|depth| format!("d\t755\t0\t0\t1\t{}\n", vec!["a"; depth].join("/")));
        assert!(Tree::parse(format!("gander-tree 1\n{}", deep.collect::<String>()).as_bytes()).is_err());
    }

    #[test]
    fn mutated_manifests_never_panic_and_never_pass_as_another_text() {
        let text =
            manifest(&[dir_line(), "f  4711  0  12  1  usr/a  0  HEX", "x  user.a  00ff", "h  usr/b  usr/a"]);
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            for byte in [0, b'\t', b'\n', b'/', b'.', b'0', b'\\', 0xff, bytes[at] ^ 1] {
                let mut mutated = bytes.to_vec();
                mutated[at] = byte;
                if let Ok(tree) = Tree::parse(&mutated) {
                    assert_eq!(tree.to_bytes(), mutated);
                }
                let _ = Tree::parse(&bytes[..at]).is_ok();
            }
        }
    }

    fn dir_line() -> &'static str {
        "d  755  0  0  1793491200  usr"
    }
}
