//! The packages that `ci/bench repo` makes repositories of and `ci/bench koji` tags. The ignored tests write them into the folder that
//! GANDER_CORPUS names, the others hold that they come out the same every time and are good packages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the environment names a folder, no content")]

mod debian;
mod package;
mod tagged;
mod tiny;
#[path = "../sample/mod.rs"]
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use package::Package;

/// How many small packages there are.
const TINY: usize = 30_000;

/// How often one of them changes.
const EDITIONS: u32 = 20;

fn folder() -> PathBuf {
    let folder = std::env::var_os("GANDER_CORPUS").expect("GANDER_CORPUS names the folder to write");
    fs::create_dir_all(&folder).unwrap();
    folder.into()
}

/// Writes a package below the letter that its name begins with, with the time when it was built.
fn write(folder: &Path, package: &Package) {
    let folder = folder.join("Packages").join(&package.name[..1]);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(package.file_name());
    fs::write(&path, package.bytes()).unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(package.built.into());
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
}

/// Does something for each number below `count`, two at a time.
fn each(count: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            work(number);
        }
    };
    thread::scope(|scope| {
        scope.spawn(worker);
        worker();
    });
}

#[test]
#[ignore = "writes 30,000 packages"]
fn write_tiny() {
    let folder = folder();
    each(TINY, |number| write(&folder, &tiny::package(number, TINY, 0)));
}

/// Builds of one of the small packages, each below a folder of its number; the first is the one that [`write_tiny`]
/// writes.
#[test]
#[ignore = "writes packages"]
fn write_changed() {
    let folder = folder();
    for edition in 0..=EDITIONS {
        write(&folder.join(edition.to_string()), &tiny::package(TINY / 2, TINY, edition));
    }
}

#[test]
#[ignore = "downloads 416 MB"]
fn write_real() {
    let folder = folder();
    let debs = debian::fetch(&folder.with_extension("store"));
    each(debs.len(), |place| write(&folder, &debian::package(&debs[place])));
}

/// The packages of GANDER_BUILDS builds (2,000).
#[test]
#[ignore = "writes 600 MB"]
fn write_tagged() {
    let builds = std::env::var("GANDER_BUILDS").map_or(2_000, |builds| builds.parse().unwrap());
    let folder = folder();
    each(builds * tagged::PARTS, |number| {
        write(&folder, &tagged::package(number / tagged::PARTS, number % tagged::PARTS));
    });
}

#[test]
fn tagged_packages_are_good_and_have_large_headers() {
    for build in [0, 7, 1_999] {
        for part in 0..tagged::PARTS {
            let package = tagged::package(build, part);
            let bytes = package.bytes();
            let headers = gander::rpm::Headers::read(&bytes[..]).unwrap();
            assert_eq!(headers.package().unwrap().nevra.file_name(), package.file_name());
            let length = headers.main.bytes().len();
            assert!((48_000..56_000).contains(&length), "{}: {length} bytes", package.file_name());
        }
    }
}

#[test]
fn packages_are_good_and_the_same_every_time() {
    for number in (0..TINY).step_by(TINY / 40) {
        let package = tiny::package(number, TINY, 0);
        let bytes = package.bytes();
        assert_eq!(bytes, tiny::package(number, TINY, 0).bytes());
        assert_ne!(bytes, tiny::package(number, TINY, 1).bytes());
        let headers = gander::rpm::Headers::read(&bytes[..]).unwrap();
        assert_eq!(headers.package().unwrap().nevra.file_name(), package.file_name());
    }
}
