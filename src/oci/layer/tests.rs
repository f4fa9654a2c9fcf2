use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use super::*;
use crate::base::Digest;
use crate::oci::tar_stream::{Kind, Reader};

const DATE: i64 = 1_767_225_600;

fn written(root: &Path) -> Result<Vec<u8>, LayerError> {
    let mut out = Vec::new();
    write(root, SourceDate::from_seconds(DATE).unwrap(), &mut out)?;
    Ok(out)
}

fn set_time(path: &Path, seconds: i64) {
    let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 5 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// The same tree, its parts made in the given order, with later times than the source date.
fn tree(root: &Path, order: &[usize], later: i64) {
    let long = format!("{}/{}", "p".repeat(60), "q".repeat(60));
    let folder = |path: &str| {
        let path = root.join(path);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let file = |path: &str, content: &[u8], mode: u32| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let parts: [&dyn Fn(); 7] = [
        &|| file("b", b"bee", 0o4755),
        &|| file("a/x", &[7; 1000], 0o600),
        &|| file("a-b", b"", 0o644),
        &|| symlink("a/x", root.join("link")).unwrap(),
        &|| file(&long, b"long", 0o644),
        &|| file("ü", b"u", 0o644),
        &|| folder("empty"),
    ];
    for &index in order {
        parts[index]();
    }
    fs::hard_link(root.join("b"), root.join("hard")).unwrap();
    for name in ["a", "ü", &"p".repeat(60)] {
        if root.join(name).is_dir() {
            folder(name);
        }
    }
    for name in ["b", "a/x", "a-b", "link", &long, "ü", "empty", "a", &"p".repeat(60)] {
        set_time(&root.join(name), DATE + later);
    }
    set_time(&root.join("a-b"), 12);
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    tree(&one, &[0, 1, 2, 3, 4, 5, 6], 10);
    tree(&two, &[6, 5, 4, 3, 2, 1, 0], 99_999);
    let bytes = written(&one).unwrap();
    assert_eq!(Digest::of(&bytes), Digest::of(written(&two).unwrap()));
    fs::set_permissions(two.join("a-b"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_ne!(Digest::of(&bytes), Digest::of(written(&two).unwrap()), "a mode counts");
}

#[test]
fn entries_stand_in_order_and_say_what_the_files_are() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path(), &[0, 1, 2, 3, 4, 5, 6], 10);
    let bytes = written(folder.path()).unwrap();
    let mut reader = Reader::new(&bytes[..]);
    let mut found = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        assert_eq!((entry.uid, entry.gid), (0, 0));
        found.push((String::from_utf8(entry.path).unwrap(), entry.kind, entry.mode, entry.mtime, entry.size));
    }
    let (p, long) = ("p".repeat(60) + "/", format!("{}/{}", "p".repeat(60), "q".repeat(60)));
    let expected = [
        ("a/", Kind::Directory, 0o755, DATE, 0),
        ("a/x", Kind::File, 0o600, DATE, 1000),
        ("a-b", Kind::File, 0o644, 12, 0),
        ("b", Kind::File, 0o4755, DATE, 3),
        ("empty/", Kind::Directory, 0o755, DATE, 0),
        ("hard", Kind::HardLink, 0o4755, DATE, 0),
        ("link", Kind::Symlink, 0o777, DATE, 0),
        (&p, Kind::Directory, 0o755, DATE, 0),
        (&long, Kind::File, 0o644, DATE, 4),
        ("ü", Kind::File, 0o644, DATE, 1),
    ];
    let mut expected =
        expected.map(|(path, kind, mode, time, size)| (path.to_owned(), kind, mode, time, size));
    expected[..3].sort_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
    found[..3].sort_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
    assert_eq!(found, expected);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the judge is GNU tar")]
fn gnu_tar_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    tree(&root, &[0, 1, 2, 3, 4, 5, 6], 10);
    let archive = folder.path().join("layer.tar");
    fs::write(&archive, written(&root).unwrap()).unwrap();
    let output =
        Command::new("tar").arg("--compare").arg("-f").arg(&archive).arg("-C").arg(&root).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // Times and owners were changed on purpose; contents, modes and links must be the same.
    let other: Vec<_> = text
        .lines()
        .filter(|line| !line.ends_with("differs") || line.contains("Contents") || line.contains("Mode"))
        .collect();
    assert!(
        other.is_empty() && !text.contains("No such"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn names_that_need_pax_records_come_back() {
    for path in [
        "a".repeat(100),
        "a".repeat(101),
        format!("{}/{}", "a".repeat(155), "b".repeat(100)),
        format!("{}/{}", "a".repeat(156), "b".repeat(100)),
        format!("{}/", "a".repeat(100)),
        "é".into(),
    ] {
        let head = Head {
            path: path.clone(),
            kind: b'0',
            mode: 0o644,
            mtime: 1,
            size: 9 << 30,
            link: String::new(),
            xattrs: BTreeMap::from([("user.n".into(), b"1\n2".to_vec())]),
        };
        let mut out = Vec::new();
        let mut writer = Writer {
            out: &mut out,
            clamp: SourceDate::from_seconds(DATE).unwrap(),
            links: BTreeMap::new(),
            buffer: Vec::new(),
        };
        writer.head(&head).unwrap();
        let entry = Reader::new(&out[..]).next_entry().unwrap().unwrap();
        assert_eq!(String::from_utf8(entry.path).unwrap(), path);
        assert_eq!((entry.uid, entry.gid, entry.size), (0, 0, 9 << 30));
        assert_eq!(entry.xattrs, [("user.n".to_owned(), b"1\n2".to_vec())]);
    }
}

#[test]
fn sockets_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    assert!(matches!(written(folder.path()), Err(LayerError::Special { .. })));
}

#[test]
fn pax_records_count_their_own_digits() {
    for length in 0..2000 {
        let record = record("k", &vec![b'v'; length]);
        let digits = record.split(|&byte| byte == b' ').next().unwrap();
        assert_eq!(std::str::from_utf8(digits).unwrap().parse(), Ok(record.len()));
    }
}
