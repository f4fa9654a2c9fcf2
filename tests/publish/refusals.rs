//! What is not published, and that DEST is as it was then.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::bench::{Bench, has_peers, run};
use super::compose::{self, TREE, files, publish, stamp, write};

/// Changes a compose, which must be refused with these words, and leaves DEST as it is.
#[track_caller]
fn refused(bench: &Bench, words: &str, change: impl FnOnce(&Path)) {
    let folder = bench.path("11");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    compose::make(&folder, 11);
    change(&folder);
    let before = files(&bench.path("www"));
    bench.run(["publish", "11", "www/goose"]).exits(3).says(words).says("hint:");
    assert_eq!(files(&bench.path("www")), before);
}

#[test]
fn half_and_damaged_composes() {
    let bench = compose::bench([10]);
    publish(&bench, 10);
    let tree = |folder: &Path| folder.join(TREE);
    let goose = |folder: &Path| tree(folder).join("Packages/g/goose-11-1.noarch.rpm");
    let list = |folder: &Path, kind: &str| {
        let entries = fs::read_dir(tree(folder).join("repodata")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.to_str().unwrap().ends_with(&format!("-{kind}.xml.zst"))).unwrap()
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    refused(&bench, "it has no COMPOSE_ID", |folder| remove(&folder.join("COMPOSE_ID")));
    refused(&bench, "goose-11-1.noarch.rpm is missing", |folder| remove(&goose(folder)));
    refused(&bench, "goose-11-1.noarch.rpm is not the file", |folder| {
        let mut bytes = fs::read(goose(folder)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        write(&goose(folder), bytes);
    });
    refused(&bench, "filelists.xml.zst is missing", |folder| remove(&list(folder, "filelists")));
    refused(&bench, "other.xml.zst is not the file", |folder| write(&list(folder, "other"), "x"));
    refused(&bench, "repomd.xml.asc is missing", |folder| {
        remove(&tree(folder).join("repodata/repomd.xml.asc"));
    });
    refused(&bench, "does not sign", |folder| {
        let stale = bench.path("10").join(TREE).join("repodata/repomd.xml.asc");
        fs::copy(stale, tree(folder).join("repodata/repomd.xml.asc")).unwrap();
    });
    refused(&bench, "it has no repository", |folder| {
        fs::remove_dir_all(tree(folder).join("repodata")).unwrap();
    });
    refused(&bench, "Goose-11.iso is missing", |folder| {
        remove(&tree(folder).with_file_name("iso").join("Goose-11.iso"));
    });
    refused(&bench, "compose/metadata/rpms.json is no JSON: EOF", |folder| {
        write(&folder.join("compose/metadata/rpms.json"), "{\"header\": [");
    });
    refused(&bench, "neither a file nor a folder", |folder| {
        std::os::unix::fs::symlink("/etc/passwd", folder.join("passwd")).unwrap();
    });
}

#[test]
fn packages_that_change_under_their_names() {
    let bench = compose::bench([10]);
    publish(&bench, 10);
    let name = |name: &str| format!("Packages/p/{name}-1-1.noarch.rpm");
    // The same name and size, other bytes.
    let mut other = fs::read(bench.path("10").join(TREE).join(name("pond"))).unwrap();
    let at = other.windows(7).rposition(|window| window == b"A bird\0").unwrap();
    other[at] = b'B';
    compose::make_of(&bench.path("11"), 11, &[(name("pond"), other.clone())].into());
    let before = files(&bench.path("www"));
    let refused = bench.run(["publish", "11", "www/goose"]).exits(1).says("--replace");
    refused.says("pond-1-1.noarch.rpm is another file in release 1");
    assert_eq!(files(&bench.path("www")), before);
    // When it is wanted, mirrors see it by its time.
    bench.run(["publish", "11", "www/goose", "--replace"]).exits(0);
    let path = format!("goose/{TREE}/{}", name("pond"));
    let after = files(&fs::canonicalize(bench.path("www/goose")).unwrap());
    let (digest, time) = after[path.strip_prefix("goose/").unwrap()];
    assert_eq!(digest, gander::base::Digest::of(&other));
    assert!(time > compose::date().seconds());
}

#[test]
fn places_that_are_not_ours() {
    let bench = compose::bench([10, 11]);
    bench.write("www/mine/file", "");
    bench.run(["publish", "10", "www/mine"]).exits(2).says("was not made by gander publish");
    bench.run(["publish", "10", "www/.."]).exits(2).says("has no name");
    for inside in ["10/goose", "10/compose/none/goose", "./10/../10/goose"] {
        bench.run(["publish", "10", inside]).exits(2).says("lies in the compose");
    }
    std::os::unix::fs::symlink("mine", bench.path("www/link")).unwrap();
    bench.run(["publish", "10", "www/link"]).exits(2).says("was not made by gander publish");
    bench.run(["publish", "--list", "www/none"]).exits(2).says("nothing is published");
    bench.run(["publish", "--rollback", "www/none"]).exits(2).says("nothing is published");
    bench.run(["publish", "www/none"]).exits(2);
    bench.run(["publish", "10", "www/none", "--rollback"]).exits(2).says("cannot be used with");
    assert!(!bench.path("www/.none.published").exists() && !bench.path("www/.mine.published").exists());
    // An empty folder is as good as none.
    fs::create_dir(bench.path("www/goose")).unwrap();
    publish(&bench, 10);
    bench.run(["publish", "www/goose", "www/goose"]).exits(2).says("lies among what is published");

    // One publisher at a time.
    let lock = fs::File::open(bench.path("www/.goose.published/lock")).unwrap();
    lock.lock().unwrap();
    bench.run(["publish", "11", "www/goose"]).exits(4).says("another gander publishes");
    drop(lock);

    // Without link or record nothing is guessed.
    let record = bench.path("www/.goose.published/record");
    let text = fs::read_to_string(&record).unwrap();
    fs::remove_file(bench.path("www/goose")).unwrap();
    let gone = bench.run(["publish", "11", "www/goose"]).exits(3);
    let gone = gone.says("hint: put it back with: ln -s '.goose.published/1' 'www/goose'");
    drop(gone);
    std::os::unix::fs::symlink(".goose.published/1", bench.path("www/goose")).unwrap();
    fs::write(&record, text.replace("sha256:", "sha256:0")).unwrap();
    bench.run(["publish", "11", "www/goose"]).exits(3).says("is damaged: line 3");
    fs::remove_file(&record).unwrap();
    bench.run(["publish", "11", "www/goose"]).exits(3).says("lacks release 1");
    fs::write(&record, text).unwrap();
    publish(&bench, 11);
    assert_eq!(compose::version(&bench, &bench.path("www/goose"), [10, 11]), 11);
}

#[test]
fn files_that_are_not_for_everybody_are_copied() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = compose::bench([10]);
    let name = format!("{TREE}/Packages/p/pond-1-1.noarch.rpm");
    let source = bench.path("10").join(&name);
    stamp(&source);
    fs::set_permissions(&source, fs::Permissions::from_mode(0o600)).unwrap();
    publish(&bench, 10).says("1 of the copies could not be hard links");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&source), mode(&bench.path("www/goose").join(name))), (0o600, 0o644));
}

/// A signature with an end keeps those who freeze a mirror from serving it for ever; past its end it must not be published.
#[test]
fn signatures_past_their_end() {
    if !has_peers(&["gpg"]) {
        return;
    }
    let bench = compose::bench([10]);
    // The socket of gpg's agent has a path of at most 107 bytes.
    let home = tempfile::tempdir_in("/tmp").unwrap();
    let gpg = |words: &[&str]| {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--yes", "--passphrase", "", "--faked-system-time", "20261102T000000!"]);
        run(gpg.args(words).env("GNUPGHOME", home.path()).current_dir(bench.path("10").join(TREE))).exits(0);
    };
    gpg(&["--quick-gen-key", "goose@example.org", "ed25519", "sign", "never"]);
    gpg(&["--armor", "--output", "RPM-GPG-KEY-Ends", "--export"]);
    gpg(&["--armor", "--default-sig-expire", "2d", "--detach-sign", "repodata/repomd.xml"]);
    // The folder goes when the agent has ended.
    run(Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", home.path())).exits(0);
    let late = bench.run(["publish", "10", "www/goose", "--time", "2026-11-04T00:00:01Z"]).exits(3);
    late.says("repomd.xml.asc does not sign").says("Expired on 2026-11-04");
    assert!(!bench.path("www/goose").exists());
    bench.run(["publish", "10", "www/goose", "--time", "2026-11-03T23:59:59Z"]).exits(0);
}

#[test]
fn a_full_disk_leaves_the_old_release() {
    let mut command = Command::new("unshare");
    if run(command.args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"])).code != Some(0) {
        eprintln!("SKIPPED: a small disk cannot be mounted here");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "on CI nothing may be skipped");
        return;
    }
    let bench = compose::bench([10, 11]);
    fs::create_dir_all(bench.path("www")).unwrap();
    let gander = bench.gander();
    let gander = format!("'{}' publish", gander.get_program().to_str().unwrap());
    // A compose takes about 20 files of at most a few KiB; the disk is filled up to four pages.
    let script = format!(
        "mount -t tmpfs -o size=1m none www && {gander} 10 www/goose >&2 || exit 90
         head -c 2m /dev/zero > www/full; truncate -s -16k www/full
         {gander} 11 www/goose; echo $?
         readlink www/goose; ls -A www/.goose.published
         rm www/full && {gander} 11 www/goose >&2 || exit 91
         readlink www/goose; cp -a www/goose/. whole"
    );
    let said = run(Command::new("unshare").args(["-m", "sh", "-c", &script]).current_dir(bench.path("")));
    let said = said.exits(0).says("No space left on device").says("the disk of the release is full");
    let lines = "4\n.goose.published/1\n1\n1.files\nlock\nrecord\n.goose.published/2\n";
    assert_eq!(said.stdout, lines);
    assert_eq!(compose::version(&bench, &bench.path("whole"), [10, 11]), 11);
}
