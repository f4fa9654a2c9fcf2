//! What gander does to packages instead of running their maintainer scripts: the rules, all of them.
//!
//! - **Merged /usr**: `bin`, `sbin` and the `lib*` folders at the top are links into `usr`, and what
//!   packages put there goes to `usr` ([`MERGED`]).
//! - **Left out**: manuals, translations and other documents ([`place`]); copyright files stay.
//! - **Modes**: as packaged, but for set-user-id and set-group-id. Ownership is not kept, so those
//!   bits would give an identity that the package did not mean. Sticky folders stay sticky.
//! - **Alternatives**: a generic command becomes a link to the first of its candidates that is there
//!   ([`ALTERNATIVES`]).
//! - **dpkg's database**: `var/lib/dpkg/status` says which packages the root is made of.
//! - **Folders, links and files** that base packages make in their scripts, or a root needs
//!   ([`FOLDERS`], [`LINKS`], [`FILES`]). What a package ships itself is never replaced.
//!
//! No cache of shared libraries is made: the loader knows Debian's library folders by itself.

use crate::base::RelPath;

/// Top-level folders that are links into `usr`.
pub const MERGED: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Generic commands: the link, and the candidates in order of preference (names in the same folder).
pub const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("usr/bin/automake", &["automake-1.17", "automake-1.16"]),
    ("usr/bin/aclocal", &["aclocal-1.17", "aclocal-1.16"]),
    ("usr/bin/awk", &["gawk", "mawk", "original-awk"]),
    ("usr/bin/c++", &["g++", "clang++"]),
    ("usr/bin/c89", &["c89-gcc"]),
    ("usr/bin/c99", &["c99-gcc"]),
    ("usr/bin/cc", &["gcc", "clang"]),
    ("usr/bin/fakeroot", &["fakeroot-sysv", "fakeroot-tcp"]),
    ("usr/bin/nawk", &["gawk", "mawk", "original-awk"]),
    ("usr/bin/which", &["which.debianutils", "which.gnu"]),
    ("usr/bin/yacc", &["bison.yacc", "byacc"]),
];

/// Folders that are always there.
pub const FOLDERS: &[(&str, u32)] = &[
    ("build", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("in", 0o755),
    ("out", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/sbin", 0o755),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

/// Links that are always there.
pub const LINKS: &[(&str, &str)] =
    &[("etc/mtab", "../proc/self/mounts"), ("var/lock", "../run/lock"), ("var/run", "../run")];

/// Files that are always there: path, a file of the root that is copied when it is there, and the
/// content otherwise.
pub const FILES: &[(&str, Option<&str>, &str)] = &[
    ("etc/group", Some("usr/share/base-passwd/group.master"), "root:*:0:\ntty:*:5:\nnogroup:*:65534:\n"),
    ("etc/hosts", None, "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/machine-id", None, ""),
    ("etc/nsswitch.conf", None, "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
    (
        "etc/passwd",
        Some("usr/share/base-passwd/passwd.master"),
        "root:*:0:0:root:/root:/bin/sh\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
];

/// Folders whose whole content is left out.
const LEFT_OUT: &[&str] = &[
    "usr/share/apport",
    "usr/share/bug",
    "usr/share/doc-base",
    "usr/share/gnome/help",
    "usr/share/help",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
];

/// Where an entry of a package goes; none when it is left out. What stands directly in `usr/share/doc`
/// stays, since packages share copyright files by links there.
pub fn place(path: &RelPath) -> Option<RelPath> {
    let path = merged(path);
    let text = path.as_str();
    let below = |folder: &str| text.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    if LEFT_OUT.iter().any(|folder| text == *folder || below(folder).is_some()) {
        return None;
    }
    let kept = match below("usr/share/doc") {
        None => true,
        Some(document) => document.split_once('/').is_none_or(|(_, name)| name == "copyright"),
    };
    kept.then_some(path)
}

/// The path as a merged /usr has it.
pub fn merged(path: &RelPath) -> RelPath {
    let top = path.as_str().split_once('/').map_or(path.as_str(), |(top, _)| top);
    let moved = MERGED.contains(&top).then(|| RelPath::new(format!("usr/{path}")).ok()).flatten();
    moved.unwrap_or_else(|| path.clone())
}

/// Permission bits of a file.
pub const fn file_mode(mode: u32) -> u32 {
    mode & 0o777
}

/// Permission bits of a folder.
pub const fn folder_mode(mode: u32) -> u32 {
    mode & 0o1777
}

/// Whether a link that was packaged at `path` and goes to `place` would point to itself, as links from
/// `/bin/x` to `/usr/bin/x` do once both are one folder.
pub fn points_to_itself(place: &RelPath, path: &RelPath, target: &str) -> bool {
    let mut at: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => path.as_str().rsplit_once('/').map_or(Vec::new(), |(folder, _)| folder.split('/').collect()),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                at.pop();
            }
            part => at.push(part),
        }
    }
    RelPath::new(at.join("/")).is_ok_and(|target| merged(&target) == *place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn places_entries() {
        for (from, to) in [
            ("bin/ls", Some("usr/bin/ls")),
            ("lib64/ld.so", Some("usr/lib64/ld.so")),
            ("lib", Some("usr/lib")),
            ("library/x", Some("library/x")),
            ("usr/bin/x", Some("usr/bin/x")),
            ("opt/bin/x", Some("opt/bin/x")),
            ("usr/share/man", None),
            ("usr/share/man/man1/x.1.gz", None),
            ("usr/share/manual", Some("usr/share/manual")),
            ("usr/share/doc", Some("usr/share/doc")),
            ("usr/share/doc/x", Some("usr/share/doc/x")),
            ("usr/share/doc/x/copyright", Some("usr/share/doc/x/copyright")),
            ("usr/share/doc/x/changelog.gz", None),
            ("usr/share/doc/x/examples", None),
            ("usr/share/doc/x/examples/copyright", None),
            ("usr/share/locale/de/LC_MESSAGES/x.mo", None),
        ] {
            assert_eq!(place(&path(from)).as_ref().map(RelPath::as_str), to, "{from}");
        }
    }

    #[test]
    fn modes_lose_identity_bits() {
        assert_eq!((file_mode(0o4755), file_mode(0o2755), folder_mode(0o3777)), (0o755, 0o755, 0o1777));
    }

    #[test]
    fn finds_links_that_merging_turns_on_themselves() {
        for (from, target, expected) in [
            ("bin/x", "/usr/bin/x", true),
            ("bin/x", "../usr/bin/x", true),
            ("usr/bin/x", "/bin/x", true),
            ("usr/bin/x", "../../bin/./x", true),
            ("bin/x", "y", false),
            ("sbin/x", "/bin/x", false),
            ("lib64/ld.so", "/lib/t/ld.so", false),
        ] {
            assert_eq!(
                points_to_itself(&merged(&path(from)), &path(from), target),
                expected,
                "{from} {target}"
            );
        }
    }

    #[test]
    fn every_rule_names_a_plain_path_in_order() {
        let names = |list: &mut dyn Iterator<Item = &'static str>| {
            let all: Vec<_> = list.map(path).collect();
            assert!(all.is_sorted(), "{all:?}");
        };
        names(&mut FOLDERS.iter().map(|rule| rule.0));
        names(&mut LINKS.iter().map(|rule| rule.0));
        names(&mut FILES.iter().map(|rule| rule.0));
        names(&mut LEFT_OUT.iter().copied());
    }
}
