//! Tests of the store against a real file system.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::thread;

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, XattrFlags};
use tempfile::TempDir;

use super::*;
use crate::base::{Digest, RelPath, SourceDate};

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

fn date() -> SourceDate {
    SourceDate::from_seconds(1_793_491_200).unwrap()
}

/// The map under which files of this process belong to root: the tests run as root and as anyone else.
fn own() -> IdMap {
    IdMap::own()
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn set_time(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 999_999_999 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A folder with one of everything that a tree can hold.
fn menagerie(top: &Path) {
    fs::create_dir_all(top.join("usr/bin")).unwrap();
    fs::create_dir_all(top.join("empty/emptier")).unwrap();
    fs::write(top.join("usr/bin/su"), "su").unwrap();
    fs::write(top.join("usr/bin/[ a\tb\n\\"), "odd").unwrap();
    fs::write(top.join("usr-local"), vec![7; 3 << 20]).unwrap();
    fs::write(top.join("nothing"), "").unwrap();
    fs::write(top.join("secret"), "secret").unwrap();
    fs::hard_link(top.join("usr/bin/su"), top.join("zu")).unwrap();
    fs::hard_link(top.join("usr/bin/su"), top.join("usr/bin/asu")).unwrap();
    symlink("../no/where", top.join("dangling")).unwrap();
    symlink("usr", top.join("usrlink")).unwrap();
    set_mode(&top.join("usr/bin/su"), 0o4711);
    set_mode(&top.join("secret"), 0o000);
    set_mode(&top.join("empty"), 0o1777);
    set_mode(&top.join("empty/emptier"), 0o000);
    fs::create_dir(top.join("shut")).unwrap();
    fs::write(top.join("shut/in"), "in").unwrap();
    set_mode(&top.join("shut"), 0o400);
    for (name, seconds) in
        [("usr/bin/su", 5), ("dangling", 6), ("nothing", 4_000_000_000), ("empty/emptier", 7)]
    {
        set_time(&top.join(name), seconds);
    }
    set_time(&top.join("usr/bin"), 8);
    set_time(&top.join("usr"), 9);
}

#[test]
fn what_is_taken_in_comes_out_the_same() {
    let (folder, store) = store();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    fs::create_dir(&first).unwrap();
    menagerie(&first);
    // Without extended attributes (tmpfs of older kernels) the rest is tested all the same.
    let attributes =
        rustix::fs::setxattr(first.join("nothing"), "user.gander", b"\0goose", XattrFlags::empty()).is_ok();
    let tree = capture(&store, &first, &own(), date()).unwrap();
    let digest = store.put_tree(&tree).unwrap();
    assert_eq!(store.tree(&digest).unwrap(), tree);

    lay_out(&store, &tree, &second, &own()).unwrap();
    let again = capture(&store, &second, &own(), date()).unwrap();
    assert_eq!(again, tree);
    assert_eq!(again.digest(), digest);

    let entry = |name: &str| tree.get(&path(name)).unwrap();
    assert_eq!((entry("usr/bin/asu").mode, entry("usr/bin/asu").mtime), (0o4711, 5));
    assert_eq!(entry("usr/bin/su").kind, EntryKind::HardLink { to: path("usr/bin/asu") });
    assert_eq!(entry("zu").kind, EntryKind::HardLink { to: path("usr/bin/asu") });
    assert_eq!(entry("dangling").kind, EntryKind::Symlink { target: "../no/where".into() });
    assert_eq!((entry("empty/emptier").mode, entry("empty/emptier").mtime), (0, 7));
    assert_eq!(
        (entry("usr").mtime, entry("nothing").mtime, entry("dangling").mtime),
        (9, date().seconds(), 6)
    );
    let value = entry("nothing").xattrs.get("user.gander").cloned();
    assert_eq!(value, attributes.then(|| b"\0goose".to_vec()));
    assert_eq!((entry("secret").mode, entry("secret").uid, entry("secret").gid), (0, 0, 0));
    assert_eq!(entry("shut").mode, 0o400);
    assert_eq!(
        fs::metadata(first.join("shut")).unwrap().mode() & 0o7777,
        0o400,
        "what is taken in stays as it was"
    );
    assert_eq!(tree.entries().len(), 15);

    let stat = |name: &str| fs::symlink_metadata(second.join(name)).unwrap();
    assert_eq!((stat("usr/bin/su").nlink(), stat("usr/bin/su").mode() & 0o7777), (3, 0o4711));
    assert_eq!((stat("nothing").mtime(), stat("nothing").mtime_nsec()), (date().seconds(), 0));
    assert_eq!((stat("usr").mtime(), stat("dangling").mtime()), (9, 6));
    assert_eq!((stat(".").mode() & 0o7777, stat(".").mtime()), (0o755, date().seconds()));
    assert!(lay_out(&store, &tree, &second, &own()).is_err(), "a folder that is there is not written to");
    // An ordinary user's temporary folder would stay because of the shut ones.
    remove_tree(&first).unwrap();
    remove_tree(&second).unwrap();
}

#[test]
fn order_of_making_files_does_not_matter() {
    let (folder, store) = store();
    let names = ["b", "a-b", "a/b", "a", "é", "a/a"];
    let mut digests = Vec::new();
    for (number, order) in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]].iter().enumerate() {
        let top = folder.path().join(number.to_string());
        fs::create_dir_all(top.join("a")).unwrap();
        for name in order.iter().map(|index| names[*index]).filter(|name| *name != "a") {
            fs::write(top.join(name), name).unwrap();
        }
        digests.push(
            capture(&store, &top, &own(), SourceDate::from_seconds(315_532_800).unwrap()).unwrap().digest(),
        );
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn what_a_tree_cannot_hold_is_named() {
    let (folder, store) = store();
    let top = folder.path().join("top");
    let refuse = |name: &str, make: &dyn Fn(&Path)| {
        fs::create_dir(&top).unwrap();
        make(&top);
        let error = capture(&store, &top, &own(), date()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        remove_tree(&top).unwrap();
    };
    refuse("is a fifo", &|top| {
        rustix::fs::mknodat(CWD, top.join("pipe"), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o644), 0)
            .unwrap();
    });
    refuse("is a socket", &|top| drop(std::os::unix::net::UnixListener::bind(top.join("s")).unwrap()));
    refuse("name is not UTF-8", &|top| {
        let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"bad\xff");
        fs::write(top.join(name), "").unwrap();
    });
    refuse("text of the symbolic link is not UTF-8", &|top| {
        let text = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"bad\xff");
        symlink(text, top.join("link")).unwrap();
    });
    refuse("deeper than 128", &|top| fs::create_dir_all(top.join(vec!["d"; 200].join("/"))).unwrap());
}

#[test]
fn owners_outside_the_map_are_refused_both_ways() {
    let (folder, store) = store();
    let top = folder.path().join("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("file"), "").unwrap();
    let nobody = IdMap::same(vec![Extent { inside: 0, outside: 4_000_000, count: 1 }]).unwrap();
    assert!(matches!(capture(&store, &top, &nobody, date()), Err(StoreError::Unmapped { what: "user", .. })));
    let tree = capture(&store, &top, &own(), date()).unwrap();
    let mut entries = tree.into_entries();
    entries.get_mut(&path("file")).unwrap().uid = 7;
    let tree = Tree::new(entries).unwrap();
    let error = lay_out(&store, &tree, &folder.path().join("out"), &own()).unwrap_err();
    assert!(matches!(error, StoreError::Unmapped { what: "user", id: 7, .. }), "{error}");
}

#[test]
fn root_lays_out_other_owners_and_capabilities() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED root_lays_out_other_owners_and_capabilities: it needs root");
        return;
    }
    let (folder, store) = store();
    let digest = store.put_bytes(b"ping").unwrap();
    let ping = Entry {
        mode: 0o2755,
        uid: 0,
        gid: 12,
        mtime: 3,
        xattrs: BTreeMap::from([(
            "security.capability".to_owned(),
            vec![1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        )]),
        kind: EntryKind::File { digest, size: 4 },
    };
    let link = Entry {
        mode: 0o777,
        kind: EntryKind::Symlink { target: "x".into() },
        xattrs: BTreeMap::new(),
        ..ping.clone()
    };
    let tree = Tree::new(BTreeMap::from([(path("link"), link), (path("ping"), ping)])).unwrap();
    let map = IdMap::same(vec![Extent { inside: 0, outside: 100_000, count: 65_536 }]).unwrap();
    for (name, map, owner) in [("id", IdMap::identity(), (0, 12)), ("map", map, (100_000, 100_012))] {
        let out = folder.path().join(name);
        match lay_out(&store, &tree, &out, &map) {
            Err(StoreError::Io { source, .. }) if source.raw_os_error() == Some(95) => {
                eprintln!("SKIPPED root_lays_out_other_owners_and_capabilities: no such attributes here");
                return;
            }
            done => done.unwrap(),
        }
        for file in ["ping", "link"] {
            let stat = fs::symlink_metadata(out.join(file)).unwrap();
            assert_eq!((stat.uid(), stat.gid()), owner);
        }
        assert_eq!(fs::metadata(out.join("ping")).unwrap().mode() & 0o7777, 0o2755);
        assert_eq!(capture(&store, &out, &map, date()).unwrap(), tree, "{name}");
    }
}

#[test]
fn objects_tell_nothing_of_their_making() {
    let (_folder, store) = store();
    let digest = store.put_bytes(b"goose").unwrap();
    let stat = fs::metadata(store.object_path(&digest)).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.mtime(), stat.mtime_nsec()), (0o444, 1, 0));
    assert_eq!(store.read_object(&digest, 5).unwrap(), b"goose");
    assert!(matches!(store.read_object(&digest, 4), Err(StoreError::TooLarge { size: 5, .. })));
    assert!(matches!(store.read_object(&Digest::of("duck"), 4), Err(StoreError::Missing { .. })));
    assert_eq!(store.size(&digest).unwrap(), 5);
}

#[test]
fn a_writer_leaves_nothing_but_what_was_expected() {
    let (_folder, store) = store();
    let mut writer = store.writer().unwrap();
    writer.write_all(b"duck").unwrap();
    assert!(matches!(writer.finish(Some(&Digest::of("goose"))), Err(StoreError::Unexpected { .. })));
    drop(store.writer().unwrap());
    assert!(!store.has(&Digest::of("duck")) && !store.has(&Digest::of("")));
    assert_eq!(walk::names(store.0.unfinished.path()).unwrap().len(), 0);

    let big = vec![1; (1 << 20) + 1];
    assert_eq!(store.put_reader(&big[..]).unwrap(), (Digest::of(&big), big.len() as u64));
    assert_eq!(store.read_object(&Digest::of(&big), u64::MAX).unwrap(), big);
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("torn cable"))
        }
    }
    assert!(store.put_reader(io::Read::chain(&big[..], Broken)).is_err());
    assert_eq!(walk::names(store.0.unfinished.path()).unwrap().len(), 0);
    assert!(store.verify(false).unwrap().faults.is_empty());
}

#[test]
fn a_full_disk_leaves_no_half_object() {
    // /dev/full answers each write as a full disk does.
    let (_folder, store) = store();
    let mut writer = store.writer().unwrap();
    writer.replace_file_for_test(File::options().write(true).open("/dev/full").unwrap());
    let error = writer.write_all(b"goose").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    drop(writer);
    assert_eq!(walk::names(store.0.unfinished.path()).unwrap().len(), 0);
    assert!(!store.has(&Digest::of("goose")));
}

#[test]
fn many_writers_of_one_object_agree() {
    let (folder, _store) = store();
    let root = folder.path().join("store");
    let bytes = vec![3; 2 << 20];
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = Store::open(&root).unwrap();
                for _ in 0..5 {
                    assert_eq!(store.put_reader(&bytes[..]).unwrap().0, Digest::of(&bytes));
                    store.put_bytes(b"small").unwrap();
                }
            });
        }
    });
    let report = Store::open(&root).unwrap().verify(false).unwrap();
    assert_eq!((report.objects.count, report.faults), (2, vec![]));
}

fn simple_tree(store: &Store, content: &str) -> Digest {
    let kind =
        EntryKind::File { digest: store.put_bytes(content.as_bytes()).unwrap(), size: content.len() as u64 };
    let entry = Entry { mode: 0o644, uid: 0, gid: 0, mtime: 1, xattrs: BTreeMap::new(), kind };
    store.put_tree(&Tree::new(BTreeMap::from([(path("file"), entry)])).unwrap()).unwrap()
}

fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The tree that an action made, as the store answers.
fn done(store: &Store, key: &Digest) -> Option<Digest> {
    store.action(key).unwrap().map(|(digest, _)| digest)
}

#[test]
fn an_action_answers_only_if_all_is_there() {
    let (_folder, store) = store();
    let (key, tree) = (Digest::of("key"), simple_tree(&store, "content"));
    assert_eq!(done(&store, &key), None);
    let record = store.action_path(&key);
    let (object, manifest) = (store.object_path(&Digest::of("content")), store.object_path(&tree));
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cases: [(&str, &Path, Change<'_>); 5] = [
        ("a torn record", &record, &|bytes| bytes.truncate(bytes.len() - 1)),
        ("a flipped record", &record, &|bytes| bytes[40] ^= 1),
        ("an empty record", &record, &|bytes| bytes.clear()),
        ("a damaged manifest", &manifest, &|bytes| bytes[20] ^= 1),
        ("an object of another size", &object, &|bytes| bytes.truncate(3)),
    ];
    for (why, path, change) in cases {
        simple_tree(&store, "content");
        store.record_action(&key, &tree).unwrap();
        assert_eq!(done(&store, &key), Some(tree), "before {why}");
        damage(path, change);
        assert_eq!(done(&store, &key), None, "{why}");
        assert!(!store.verify(true).unwrap().faults.is_empty(), "{why}");
    }
    simple_tree(&store, "content");
    store.record_action(&key, &tree).unwrap();
    fs::remove_file(&object).unwrap();
    assert_eq!(done(&store, &key), None, "a missing object");
    // A record that was moved to another key is none.
    let other = Digest::of("other");
    store.record_action(&other, &tree).unwrap();
    fs::rename(&record, store.action_path(&other)).unwrap();
    simple_tree(&store, "content");
    assert_eq!(done(&store, &other), None);
}

#[test]
fn verify_finds_a_flipped_byte_and_repairs() {
    let (_folder, store) = store();
    let (key, tree) = (Digest::of("key"), simple_tree(&store, "content"));
    store.record_action(&key, &tree).unwrap();
    store.set_root("kept", &[tree]).unwrap();
    assert_eq!(store.verify(false).unwrap().faults, []);
    let content = Digest::of("content");
    damage(&store.object_path(&content), |bytes| bytes[0] ^= 1);
    let faults = store.verify(false).unwrap().faults;
    assert_eq!(faults, [Fault::DamagedObject { digest: content }]);
    assert_eq!(done(&store, &key), Some(tree), "sizes alone do not tell");
    let report = store.verify(true).unwrap();
    assert!(report.repaired >= 1 && report.faults.contains(&Fault::DamagedObject { digest: content }));
    assert_eq!(done(&store, &key), None);
    assert_eq!(simple_tree(&store, "content"), tree);
    store.record_action(&key, &tree).unwrap();
    assert_eq!(store.verify(false).unwrap().faults, []);
    damage(&store.folder("roots").join("kept"), |bytes| bytes.truncate(30));
    assert_eq!(store.verify(false).unwrap().faults, [Fault::DamagedRoot { name: "kept".into() }]);
    assert!(matches!(store.gc(&GcOptions::default()), Err(StoreError::DamagedRoot { .. })));
    assert!(store.has(&content));
}

#[test]
fn gc_keeps_what_is_rooted_and_only_that() {
    let (_folder, store) = store();
    let (kept, lost) = (simple_tree(&store, "kept"), simple_tree(&store, "lost"));
    let (image, other) = (store.put_bytes(b"manifest").unwrap(), store.put_bytes(b"other").unwrap());
    store.record_action(&Digest::of("a"), &kept).unwrap();
    store.record_action(&Digest::of("b"), &lost).unwrap();
    store.set_root("release-1", &[kept, image, image]).unwrap();
    for digest in [image, other] {
        fs::create_dir_all(store.images().join(format!("{}-0", digest.hex())).join("usr")).unwrap();
    }
    let dry = store.gc(&GcOptions { dry_run: true, wait: false }).unwrap();
    assert!(store.has(&lost) && store.images().join(format!("{}-0", other.hex())).exists());
    let report = store.gc(&GcOptions::default()).unwrap();
    assert_eq!(report, dry);
    assert_eq!((report.objects.count, report.actions.count, report.images.count), (3, 1, 1));
    assert_eq!((report.kept.count, report.missing.len(), report.stuck.len()), (3, 0, 0));
    assert_eq!(done(&store, &Digest::of("a")), Some(kept));
    assert_eq!(done(&store, &Digest::of("b")), None);
    assert!(store.has(&image) && !store.has(&other) && !store.has(&lost) && !store.has(&Digest::of("lost")));
    assert!(store.images().join(format!("{}-0", image.hex())).exists());

    fs::remove_file(store.object_path(&Digest::of("kept"))).unwrap();
    assert_eq!(store.gc(&GcOptions::default()).unwrap().missing, [Digest::of("kept")]);
    assert_eq!(
        store.roots().unwrap(),
        BTreeMap::from([("release-1".into(), {
            let mut digests = vec![kept, image];
            digests.sort_unstable();
            digests
        })])
    );
    assert!(store.remove_root("release-1").unwrap() && !store.remove_root("release-1").unwrap());
    store.gc(&GcOptions::default()).unwrap();
    assert_eq!(store.du().unwrap().kinds.iter().take(5).map(|usage| usage.count).sum::<u64>(), 0);
}

#[test]
fn gc_waits_for_no_one_unless_told() {
    let (_folder, store) = store();
    let other = Store::open(store.root()).unwrap();
    assert!(matches!(store.gc(&GcOptions::default()), Err(StoreError::Busy { .. })));
    assert!(matches!(store.verify(true), Err(StoreError::Busy { .. })));
    let waiting = thread::spawn({
        let store = store.clone();
        move || store.gc(&GcOptions { dry_run: false, wait: true })
    });
    drop(other);
    waiting.join().unwrap().unwrap();
    drop(Store::open(store.root()).unwrap());
}

#[test]
fn names_of_roots_stay_in_their_folder() {
    let (_folder, store) = store();
    for bad in ["", ".", "..", "a/b", "../a", ".hidden", "a b", "é", "a\n"] {
        assert!(matches!(store.set_root(bad, &[]), Err(StoreError::RootName { .. })), "{bad:?}");
    }
    store.set_root("gosling-1_x86.64+a@b", &[]).unwrap();
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let (folder, store) = store();
    let alive = store.scratch("my label/..").unwrap();
    fs::write(alive.path().join("file"), "").unwrap();
    assert_eq!(fs::metadata(alive.path()).unwrap().mode() & 0o7777, 0o700);
    // A killed process leaves its folder without a lock: hostile modes, links, and a depth of which no path can speak.
    let dead = store.root().join("tmp/run-1-0-step");
    fs::create_dir_all(dead.join("a/b")).unwrap();
    fs::write(dead.join("a/b/file"), "").unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "").unwrap();
    symlink(&outside, dead.join("a/link")).unwrap();
    let mut deep = File::open(&dead).unwrap();
    for _ in 0..500 {
        rustix::fs::mkdirat(&deep, "deepdeep", Mode::from_raw_mode(0o700)).unwrap();
        deep = rustix::fs::openat(&deep, "deepdeep", walk::FOLDER, Mode::empty()).unwrap().into();
    }
    set_mode(&dead.join("a/b"), 0o000);
    set_mode(&dead.join("a"), 0o500);
    set_mode(&dead, 0o000);
    let again = Store::open(store.root()).unwrap();
    assert!(!dead.exists() && again.leftovers().is_empty());
    assert!(alive.path().join("file").exists() && outside.join("precious").exists());
    let names = walk::names(&store.root().join("tmp")).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    let gone = alive.path().to_owned();
    drop(alive);
    assert!(!gone.exists());
    drop((store, again));
    assert_eq!(walk::names(&folder.path().join("store/tmp")).unwrap().len(), 0);
}

#[test]
fn access_lists_of_the_host_reach_no_tree() {
    let (_top, store) = store();
    // Version 2; tag, permissions and id of: owner, user 12345, group, mask, others.
    let mut list = vec![2, 0, 0, 0];
    for (tag, permissions, id) in
        [(1_u16, 7_u16, u32::MAX), (2, 7, 12_345), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 5, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let tmp = store.root().join("tmp");
    let none = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&tmp, "system.posix_acl_default", &list, none).is_err() {
        eprintln!("SKIPPED: this file system has no access lists");
        return;
    }
    let scratch = store.scratch("acl").unwrap();
    let out = scratch.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("file"), "x").unwrap();
    let tree = capture(&store, &out, &own(), date()).unwrap();
    assert!(tree.entries().values().all(|entry| entry.xattrs.is_empty()), "{tree:?}");
}

#[test]
fn a_store_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/store");
    drop(Store::open(&root).unwrap());
    fs::write(root.join("version"), "gander-store 2\n").unwrap();
    assert!(matches!(Store::open(&root), Err(StoreError::Newer { found: 2, .. })));
    fs::write(root.join("version"), "gander-store x\n").unwrap();
    assert!(matches!(Store::open(&root), Err(StoreError::NotAStore { .. })));
    assert!(matches!(Store::open(folder.path()), Err(StoreError::NotAStore { .. })));
    // A process killed while it made the store leaves a part of it.
    fs::remove_file(root.join("version")).unwrap();
    fs::write(root.join("version.77"), "gand").unwrap();
    Store::open(&root).unwrap();
}
