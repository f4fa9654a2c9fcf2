//! `repo::create`: the same bytes whatever does not matter, and with or without what is remembered of earlier runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gander::base::Digest;
use gander::format::repodata::{Compression, Content, Packages, Repomd};
use gander::repo::create::{CreateError, Options, Reason, create};

use super::sample;

pub fn options(workers: usize) -> Options {
    Options { workers, ..Options::default() }
}

fn name(number: usize) -> String {
    format!("bird{}", number * 7919 % 100_003)
}

fn put(folder: &Path, number: usize, version: &str) {
    let name = name(number);
    let path = folder.join(&name[4..5]).join(format!("{name}.rpm"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, sample::installable(&name, version)).unwrap();
}

/// All files of the metadata below a folder, which are what repomd.xml says.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder.join("repodata")).unwrap() {
        let path = entry.unwrap().path();
        files.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
    }
    let repomd = Repomd::parse(&files["repomd.xml"]).unwrap();
    assert_eq!(files.len(), repomd.data.len() + 1);
    for data in &repomd.data {
        let bytes = &files[data.location.file_name()];
        assert_eq!((data.checksum, data.size), (Digest::of(bytes).into(), Some(bytes.len() as u64)));
        let open = data.open.unwrap();
        let mut content = Content::open(&bytes[..], open.size).unwrap().verifying(open.checksum);
        std::io::copy(&mut content, &mut std::io::sink()).unwrap();
    }
    files
}

fn list(files: &BTreeMap<String, Vec<u8>>, kind: &str) -> Vec<u8> {
    let repomd = Repomd::parse(&files["repomd.xml"]).unwrap();
    files[repomd.find(kind).unwrap().location.file_name()].clone()
}

/// How many pieces a list of Zstandard frames has.
fn pieces(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let mut decoder = zstd::Decoder::with_buffer(bytes).unwrap().single_frame();
        std::io::copy(&mut decoder, &mut std::io::sink()).unwrap();
        bytes = decoder.finish();
        count += 1;
    }
    count
}

#[test]
fn nothing_but_packages_and_paths_decides_the_bytes() {
    const COUNT: usize = 2500;
    let scratch = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| scratch.path().join(name));
    (0..COUNT).for_each(|number| put(&first, number, "1"));
    (0..COUNT).rev().for_each(|number| put(&second, number, "1"));
    for entry in fs::read_dir(second.join("1")).unwrap() {
        let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(7)).unwrap();
    }
    for compression in [Compression::Zstd, Compression::Gzip, Compression::Xz] {
        let run = |folder: &Path, workers| {
            let options = Options { compression, ..options(workers) };
            assert_eq!(create(folder, &options, None).unwrap().packages, COUNT);
            files(folder)
        };
        let whole = run(&first, 1);
        for workers in [2, 5] {
            assert!(run(&second, workers) == whole, "{compression:?}, {workers} threads");
        }
        if compression == Compression::Zstd {
            let primary = list(&whole, "primary");
            assert!(pieces(&primary) > 3, "{}", pieces(&primary));
            let packages = Packages::read(Content::open(&primary[..], None).unwrap()).unwrap();
            assert_eq!(packages.iter().count(), COUNT);
        }
    }
}

#[test]
fn what_is_remembered_changes_no_byte() {
    const COUNT: usize = 2500;
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    let (packages, memory) = (at("packages"), at("memory"));
    (0..COUNT).for_each(|number| put(&packages, number, "1"));
    fs::create_dir(&memory).unwrap();
    // How many packages are read; the bytes are those of a run that remembers nothing.
    let run = |workers: usize| {
        let into = |name: &str| Options { output: Some(at(name)), ..options(workers) };
        let created = create(&packages, &into("with"), Some(&memory)).unwrap();
        create(&packages, &into("without"), None).unwrap();
        assert!(files(&at("with")) == files(&at("without")), "{} were read", created.read);
        created.read
    };
    assert_eq!(run(2), COUNT);
    // Files that are as young as the run may have changed after it without looking so.
    put(&packages, 5, "1");
    assert!(run(2) > 0);
    assert!(run(2) > 0);
    let settle = || std::thread::sleep(Duration::from_millis(3100));
    settle();
    run(2);
    assert_eq!(run(2), 0);
    // One changes, one goes, one comes.
    put(&packages, 77, "2");
    fs::remove_file(packages.join(&name(1500)[4..5]).join(format!("{}.rpm", name(1500)))).unwrap();
    put(&packages, COUNT, "1");
    assert_eq!(run(1), 2);
    // Back to an older state in all but the time of change; what came is young, unless the run was slow.
    put(&packages, 77, "1");
    assert!((1..=2).contains(&run(3)));
    settle();
    run(2);
    assert_eq!(run(2), 0);
    // What is damaged counts for nothing, and is made anew.
    let remembered: Vec<PathBuf> =
        fs::read_dir(&memory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(remembered.len(), 4, "{remembered:?}");
    for path in &remembered {
        let bytes = fs::read(path).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(path, &damaged).unwrap();
        assert_eq!(run(2), COUNT, "{}", path.display());
        assert_eq!(run(2), 0);
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(run(2), COUNT);
        fs::remove_file(path).unwrap();
        assert_eq!(run(2), COUNT);
    }
}

#[test]
fn all_problems_are_found_and_nothing_is_written() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    (0..20).for_each(|number| put(folder, number, "1"));
    create(folder, &options(2), None).unwrap();
    let before = files(folder);
    fs::write(folder.join("text.rpm"), "no package").unwrap();
    fs::write(folder.join("short.rpm"), &sample::package()[..5000]).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("link.rpm")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(folder.join("fifo.rpm")).status().unwrap();
    assert!(fifo.success());
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.rpm");
    fs::write(folder.join(odd), sample::package()).unwrap();
    let Err(CreateError::Problems(problems)) = create(folder, &options(2), None) else {
        panic!("it was written")
    };
    let found: Vec<_> = problems.iter().map(|problem| (problem.path.to_str(), &problem.reason)).collect();
    assert!(
        matches!(
            found[..],
            [
                (Some("fifo.rpm"), Reason::NoFile),
                (Some("link.rpm"), Reason::Dangling),
                (Some("short.rpm"), Reason::Package(_)),
                (Some("text.rpm"), Reason::Package(_)),
                (None, Reason::NotUtf8)
            ]
        ),
        "{found:?}"
    );
    assert!(files(folder) == before);
    assert!(!folder.join(".repodata-gander").exists());
}
