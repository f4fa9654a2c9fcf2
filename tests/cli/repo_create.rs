//! `gander repo create`: its options, its errors, and what a kill leaves.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gander::base::Digest;
use gander::format::repodata::{Content, Packages, Repomd};

use super::bench::{Bench, Output, has_peers, run};
use super::sample;

fn bench() -> Bench {
    let bench = Bench::new();
    for (path, name) in [("r/b/goose.rpm", "goose"), ("r/a/swan.rpm", "swan"), ("r/.hidden.rpm", "heron")] {
        bench.write(path, sample::installable(name, "1"));
    }
    bench.write("r/c.xml", "<comps><group><id>core</id></group></comps>\n");
    bench.write("r/notes.txt", "no package");
    bench
}

fn create(bench: &Bench, arguments: &[&str]) -> Output {
    bench.run(["repo", "create", "r"].iter().chain(arguments))
}

fn repomd(folder: &Path) -> Repomd {
    Repomd::parse(&fs::read(folder.join("repodata/repomd.xml")).unwrap()).unwrap()
}

/// The lists of a repository are whole.
fn packages(folder: &Path) -> Result<usize, String> {
    let repomd = repomd(folder);
    for data in &repomd.data {
        let bytes = fs::read(data.location.below(folder)).map_err(|error| error.to_string())?;
        if (Digest::of(&bytes).into(), Some(bytes.len() as u64)) != (data.checksum, data.size) {
            return Err(format!("{} is another file", data.location));
        }
    }
    let primary = fs::read(repomd.find("primary").unwrap().location.below(folder)).unwrap();
    let packages = Packages::read(Content::open(&primary[..], None).unwrap());
    packages.map(|packages| packages.iter().count()).map_err(|error| error.to_string())
}

fn primary(folder: &Path) -> String {
    let bytes = fs::read(repomd(folder).find("primary").unwrap().location.below(folder)).unwrap();
    std::io::read_to_string(Content::open(&bytes[..], None).unwrap()).unwrap()
}

fn places(folder: &Path) -> Vec<String> {
    let text = primary(folder);
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("<location"));
    lines.map(String::from).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("repodata")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_usual_options_do_the_usual() {
    let bench = bench();
    let r = bench.path("r");
    create(&bench, &[]).exits(0).says("metadata of 3 packages").says("2026-11-01T00:00:00Z");
    let found = repomd(&r);
    let kinds: Vec<_> = found.data.iter().map(|data| data.kind.as_str()).collect();
    assert_eq!((kinds, found.revision.as_str()), (vec!["primary", "filelists", "other"], "1793491200"));
    let plain = |path: &str| format!("<location href=\"{path}\"/>");
    assert_eq!(places(&r), [".hidden.rpm", "a/swan.rpm", "b/goose.rpm"].map(plain));
    for (arguments, expected) in [
        (&["-x", "a/*"][..], &[".hidden.rpm", "b/goose.rpm"][..]),
        (&["--excludes", "swan*", "--excludes", ".h*"], &["b/goose.rpm"]),
        (&["--includepkg", "a/swan.rpm"], &["a/swan.rpm"]),
        (&["--cut-dirs", "1", "--location-prefix", "x/"], &["x/.hidden.rpm", "x/swan.rpm", "x/goose.rpm"]),
    ] {
        create(&bench, arguments).exits(0);
        let expected: Vec<_> = expected.iter().map(|path| plain(path)).collect();
        assert_eq!(places(&r), expected, "{arguments:?}");
    }
    bench.write("list", "b/goose.rpm\n\n./a/swan.rpm\n");
    create(&bench, &["-i", "list", "-u", "https://h/?a&b"]).exits(0);
    let based = |path: &str| format!("<location xml:base=\"https://h/?a&amp;b\" href=\"{path}\"/>");
    assert_eq!(places(&r), ["a/swan.rpm", "b/goose.rpm"].map(based));

    let tags = ["--content", "binary", "--repo", "r", "--distro", "cpe:/o:x,X 1", "--distro", "Y"];
    create(&bench, &[&tags[..], &["--revision", "7", "-g", "c.xml"]].concat()).exits(0);
    let found = repomd(&r);
    assert_eq!((found.revision.as_str(), found.data[0].timestamp), ("7", 1_793_491_200));
    assert_eq!((&found.tags.content[..], &found.tags.repo[..]), (&["binary".into()][..], &["r".into()][..]));
    assert_eq!(found.tags.distro, [(Some("cpe:/o:x".into()), "X 1".into()), (None, "Y".into())]);
    let group = found.find("group").unwrap();
    assert!(group.location.as_str().ends_with("-c.xml.zst"), "{}", group.location);
    let bytes = fs::read(group.location.below(&r)).unwrap();
    assert_eq!(zstd::decode_all(&bytes[..]).unwrap(), fs::read(r.join("c.xml")).unwrap());

    // What createrepo_c is called with and has no effect here.
    let before = fs::read(r.join("repodata/repomd.xml")).unwrap();
    let idle = [
        "-p",
        "-c",
        "cache",
        "--skip-stat",
        "--update-md-path",
        "old",
        "--local-sqlite",
        "--checksum",
        "sha256",
    ];
    create(&bench, &[&tags[..], &["--revision", "7", "-g", "c.xml"], &idle].concat()).exits(0);
    assert_eq!(fs::read(r.join("repodata/repomd.xml")).unwrap(), before);
    // The lists stay as they are: --xz is for all else.
    create(&bench, &["--xz", "-g", "c.xml"]).exits(0);
    let found = repomd(&r);
    let ends = |kind: &str, end: &str| found.find(kind).unwrap().location.as_str().ends_with(end);
    assert!(ends("group", "-c.xml.xz") && ends("primary", "-primary.xml.zst"));

    for date in [
        &["--source-date", "2027-01-02T03:04:05Z"][..],
        &["--revision", "1798859045", "--set-timestamp-to-revision"],
    ] {
        create(&bench, date).exits(0);
        let found = repomd(&r);
        assert!(found.data.iter().all(|data| data.timestamp == 1_798_859_045));
        assert!(primary(&r).contains("<time file=\"1793491200\" build=\"1793491200\"/>"));
    }
    let time = fs::metadata(r.join("repodata/repomd.xml")).unwrap().modified().unwrap();
    assert_eq!(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_798_859_045);
    run(bench.gander().args(["repo", "create", "r"]).env("SOURCE_DATE_EPOCH", "1798859046")).exits(0);
    assert_eq!(repomd(&r).revision, "1798859046");
    run(bench.gander().args(["repo", "create", "r"]).env("SOURCE_DATE_EPOCH", "soon")).exits(2);
}

#[test]
fn further_metadata_are_carried() {
    let bench = bench();
    let r = bench.path("r");
    let errata = zstd::encode_all(&b"<updates/>"[..], 3).unwrap();
    bench.write("updateinfo.xml.zst", &errata);
    bench.write("modules.yaml", "---\n");
    let both = ["--extra", "updateinfo=updateinfo.xml.zst", "--extra", "modules=modules.yaml"];
    create(&bench, &[&both[..], &["--general-compress-type", "gz", "--compress-type", "xz"]].concat())
        .exits(0);
    let found = repomd(&r);
    // What is compressed already stays as it is.
    let data = found.find("updateinfo").unwrap();
    assert_eq!(fs::read(data.location.below(&r)).unwrap(), errata);
    assert_eq!(data.open.unwrap().checksum, Digest::of("<updates/>").into());
    assert!(found.find("modules").unwrap().location.as_str().ends_with("-modules.yaml.xz"));
    assert!(found.find("primary").unwrap().location.as_str().ends_with("-primary.xml.gz"));
    packages(&r).unwrap();
    // They stay with --update, and where they are given anew, those are taken.
    bench.write("modules.yaml", "--- new\n");
    create(&bench, &["--update", "--extra", "modules=modules.yaml"]).exits(0);
    let kept = repomd(&r);
    assert_eq!(kept.find("updateinfo"), Some(data));
    assert!(kept.find("modules").unwrap().location.as_str().ends_with("-modules.yaml.zst"));
    assert_eq!(names(&r).len(), 6);
    for arguments in [&["--update", "--discard-additional-metadata"][..], &[]] {
        create(&bench, arguments).exits(0);
        assert_eq!(repomd(&r).data.len(), 3);
        assert_eq!(names(&r).len(), 4);
        create(&bench, &both).exits(0);
    }
    // A file that is not the one that repomd.xml names is not carried on.
    fs::write(repomd(&r).find("updateinfo").unwrap().location.below(&r), "damaged").unwrap();
    create(&bench, &["--update"]).exits(3).says("--discard-additional-metadata");
    for bad in ["primary=c.xml", "other_db=c.xml", "a b=c.xml"] {
        create(&bench, &["--extra", bad]).exits(2);
    }
    bench.write("bad.xml", "<comps>");
    create(&bench, &["-g", "../bad.xml"]).exits(3);
    create(&bench, &["-g", "none.xml"]).exits(3).says("none.xml");
}

#[test]
fn old_metadata_go_or_stay() {
    let bench = bench();
    let r = bench.path("r");
    create(&bench, &[]).exits(0);
    let first = names(&r);
    bench.write("r/repodata/own", "");
    bench.write("r/repodata/repomd.xml.asc", "a signature");
    create(&bench, &[]).exits(0);
    assert!(names(&r).contains(&"repomd.xml.asc".into()), "the same repomd.xml lost its signature");
    create(&bench, &["--retain-old-md", "1", "-x", "a/*"]).exits(0);
    let second = names(&r);
    assert!(first.iter().all(|name| second.contains(name)));
    assert!(second.contains(&"own".into()) && !second.contains(&"repomd.xml.asc".into()), "{second:?}");
    assert_eq!(packages(&r), Ok(2));
    // Only what repomd.xml names goes.
    create(&bench, &["-x", "b/*"]).exits(0);
    assert_eq!(names(&r).len(), first.len() + first.len());
    bench.write("r/repodata/folder/file", "");
    create(&bench, &["--simple-md-filenames"]).exits(0);
    let simple = ["filelists.xml.zst", "other.xml.zst", "primary.xml.zst", "repomd.xml"].map(String::from);
    let third = names(&r);
    assert!(simple.iter().all(|name| third.contains(name)) && third.contains(&"folder".into()), "{third:?}");
    assert!(r.join("repodata/folder/file").exists());
    create(&bench, &["--simple-md-filenames", "-x", "b/*"]).exits(0);
    assert_eq!((names(&r), packages(&r)), (third, Ok(2)));
}

#[test]
fn what_cannot_be_done_is_said() {
    let bench = bench();
    create(&bench, &["--database", "--no-database"]).exits(2);
    create(&bench, &["--checksum", "sha512"]).exits(2);
    create(&bench, &["--general-compress-type", "bz2"]).exits(2);
    create(&bench, &["--split"])
        .exits(2)
        .says("--split of createrepo_c is not done here")
        .says("hint: name the folder");
    create(&bench, &["--compatibility"]).exits(2).says("--database --general-compress-type gz");
    create(&bench, &["--extra", "modules"]).exits(2).says("modules=modules.yaml");
    bench.run(["repo", "create", "none"]).exits(3).says("none");
    bench.run(["repo", "create", "r/c.xml"]).exits(3).says("is no folder");
    bench.write("list", "../r/a/swan.rpm\nb/duck.rpm\n");
    create(&bench, &["--pkglist", "list"]).exits(3).says("2 files").says("it is listed, but it is not there");
    assert!(!bench.path("r/repodata").exists());
    fs::create_dir(bench.path("empty")).unwrap();
    bench.run(["repo", "create", "empty"]).exits(0).says("0 packages");
    assert_eq!(packages(&bench.path("empty")), Ok(0));
    // A store that cannot be used is no reason to fail.
    run(bench.gander().args(["repo", "create", "r"]).env_remove("HOME"))
        .exits(0)
        .says("nothing can be remembered");
    // What is there is no file: neither waited for nor taken for metadata.
    fs::remove_file(bench.path("r/repodata/repomd.xml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", bench.path("r/repodata/repomd.xml")).unwrap();
    create(&bench, &["--update"]).exits(3).says("it is not a file");
    fs::remove_dir_all(bench.path("r/repodata")).unwrap();
    // Two at a time.
    let lock = fs::File::open(bench.path("r")).unwrap();
    lock.lock().unwrap();
    create(&bench, &[]).exits(4).says("another process");
}

#[test]
fn links_are_followed() {
    let bench = bench();
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, bench.path(at)).unwrap();
    bench.write("elsewhere/duck.rpm", sample::installable("duck", "1"));
    link("../elsewhere", "r/linked");
    link("..", "r/a/back");
    link("a/swan.rpm", "r/again.rpm");
    create(&bench, &[]).exits(0).says("5 packages");
    create(&bench, &["--skip-symlinks"]).exits(0).says("4 packages");
}

#[test]
fn a_kill_leaves_the_old_or_the_new() {
    let bench = Bench::new();
    for number in 0..300 {
        bench.write(&format!("r/{number}.rpm"), sample::installable(&format!("bird{number}"), "1"));
    }
    let r = bench.path("r");
    let start = Instant::now();
    create(&bench, &[]).exits(0);
    let took = start.elapsed();
    let [mut old, mut new] = [0, 0];
    for round in 0..40u32 {
        // Each round has another number of packages.
        let count = 300 - (round as usize % 3) * 100;
        let list: String = (0..count).map(|number| format!("{number}.rpm\n")).collect();
        bench.write("list", list);
        let before = fs::read(r.join("repodata/repomd.xml")).unwrap();
        let mut child = bench
            .gander()
            .args(["repo", "create", "r", "--pkglist", "list", "--store", &format!("store{round}")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(took * (round + 1) / 30);
        child.kill().unwrap();
        child.wait().unwrap();
        let found = packages(&r).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let same = fs::read(r.join("repodata/repomd.xml")).unwrap() == before;
        assert!(same || found == count, "round {round}: {found} packages");
        if same { old += 1 } else { new += 1 }
    }
    println!("{old} left the old metadata, {new} the new");
    assert!(old > 0 && took > Duration::ZERO);
    create(&bench, &[]).exits(0).says("300 packages");
    assert_eq!((names(&r).len(), bench.path("r/.repodata-gander").exists()), (4, false));
}

#[test]
fn common_programs_read_lists_in_pieces() {
    if !has_peers(&["zstd", "python3"]) {
        return;
    }
    let bench = bench();
    let r = bench.path("r");
    create(&bench, &[]).exits(0);
    let file = repomd(&r).find("primary").unwrap().location.below(&r);
    let text = run(std::process::Command::new("zstd").arg("-dcq").arg(&file)).exits(0).stdout;
    assert_eq!(text, primary(&r));
    create(&bench, &["--general-compress-type", "gz"]).exits(0);
    let file = repomd(&r).find("primary").unwrap().location.below(&r);
    let code = "import gzip, sys; sys.stdout.write(gzip.open(sys.argv[1], 'rt', encoding='utf-8').read())";
    let read = run(std::process::Command::new("python3").args(["-c", code]).arg(&file)).exits(0);
    assert_eq!(read.stdout, text);
}
