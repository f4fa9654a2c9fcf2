//! Mirrors that rsync makes at random moments of 20 switches, and dnf at them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bench::{Bench, has_peers, run};
use super::clients::{install, url_of};
use super::compose::{self, TREE, publish, version};

const SWITCHES: std::ops::Range<u32> = 11..31;

/// What the mirrors of the project are told to run, again where a switch came in between: rsync 3.5 looks twice where the
/// link leads, and where that differs it transfers nothing, with this error.
fn sync(bench: &Bench, mirror: &Path) {
    for _ in 0..100 {
        let mut command = Command::new("rsync");
        command.args(["-a", "--delay-updates", "--delete-delay", "www/goose/"]).arg(mirror);
        let output = run(command.current_dir(bench.path("")));
        let switched = "/www/goose/.\" failed: Too many levels of symbolic links";
        if output.code != Some(23) || !output.stderr.contains(switched) {
            output.exits(0);
            return;
        }
    }
    panic!("rsync never came to an end");
}

#[test]
fn mirrors_have_one_release_whenever_they_were_made() {
    if !has_peers(&["rsync", "dnf"]) {
        return;
    }
    let bench = compose::bench(10..31);
    publish(&bench, 10);
    let done = AtomicBool::new(false);
    // Each round takes another time, so the moments drift through the switches.
    let mirrors = std::thread::scope(|scope| {
        let updated = scope.spawn(|| {
            let (mirror, mut seen) = (bench.path("updated"), Vec::new());
            while !done.load(Ordering::SeqCst) {
                sync(&bench, &mirror);
                seen.push(version(&bench, &mirror, 10..31));
            }
            seen
        });
        let fresh = scope.spawn(|| {
            let mut made = Vec::new();
            while !done.load(Ordering::SeqCst) {
                let mirror = bench.path(&format!("mirror{}", made.len()));
                sync(&bench, &mirror);
                made.push(mirror);
                std::thread::sleep(Duration::from_millis(7 * (made.len() as u64 % 5)));
            }
            made
        });
        for version in SWITCHES {
            publish(&bench, version);
            std::thread::sleep(Duration::from_millis(u64::from(version * 13 % 40)));
        }
        done.store(true, Ordering::SeqCst);
        let seen = updated.join().unwrap();
        println!("one mirror, updated {} times: {seen:?}", seen.len());
        assert!(seen.is_sorted(), "it went back");
        fresh.join().unwrap()
    });
    let versions: Vec<u32> = mirrors.iter().map(|mirror| version(&bench, mirror, 10..31)).collect();
    println!("{} mirrors: {versions:?}", mirrors.len());
    assert!(versions.len() > 4 && versions.is_sorted());

    // One that was killed in the middle, and one whose files were all touched: the next update mends them.
    sync(&bench, &bench.path("updated"));
    assert_eq!(version(&bench, &bench.path("updated"), 10..31), 30);
    for place in [0, mirrors.len() / 2, mirrors.len() - 1] {
        let home = format!("home{place}");
        let got = install(&bench, &url_of(&mirrors[place]), &home);
        assert_eq!(got.unwrap_or_else(|said| panic!("{said}")), versions[place]);
    }
}

/// Sizes and source dates of all releases are the same, so only our times tell rsync what changed; a signature that
/// stayed behind would not fit.
#[test]
fn no_signature_stays_behind() {
    if !has_peers(&["rsync"]) {
        return;
    }
    let bench = compose::bench(10..13);
    let (mirror, asc) = (bench.path("mirror"), format!("{TREE}/repodata/repomd.xml.asc"));
    let length = |folder: &Path| fs::metadata(folder.join(&asc)).unwrap().len();
    for version in [10, 11, 12] {
        publish(&bench, version);
        sync(&bench, &mirror);
        assert_eq!(compose::version(&bench, &mirror, 10..13), version);
        assert_eq!(length(&mirror), length(&bench.path("10")));
    }
    // Without times of our own it would stay: the trap is there.
    let bare = bench.path("bare");
    for version in ["10/", "11/"] {
        let mut command = Command::new("rsync");
        command.args(["-a", "--delay-updates", "--delete-delay", version]).arg(&bare);
        run(command.current_dir(bench.path(""))).exits(0);
    }
    let read = |folder: &Path| fs::read(folder.join(&asc)).unwrap();
    assert_eq!(read(&bare), read(&bench.path("10")), "rsync sees what it did not see before");

    bench.run(["publish", "--rollback=1", "www/goose"]).exits(0);
    sync(&bench, &mirror);
    assert_eq!(compose::version(&bench, &mirror, 10..13), 10);
}
