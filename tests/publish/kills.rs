//! A kill at every system call that changes something leaves the old or the new release, and the next run goes on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::bench::{Bench, has_peers};
use super::compose::{self, files, publish, version};

/// The calls that change something; each is counted for itself.
const CALLS: [&str; 12] = [
    "mkdir",
    "link,linkat",
    "symlink,symlinkat",
    "rename,renameat,renameat2",
    "rmdir",
    "unlink",
    "unlinkat",
    "syncfs",
    "fsync",
    "write",
    "utimensat",
    "flock",
];

/// Starts a command that is killed when it makes one of these calls for the so many-th time; gives whether it was.
fn killed(bench: &Bench, calls: &str, at: usize, words: &[&str]) -> bool {
    let gander = bench.gander();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={calls}"));
    command.arg("-e").arg(format!("inject={calls}:signal=SIGKILL:when={at}"));
    command.arg(gander.get_program()).args(words).current_dir(bench.path(""));
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    status.code() != Some(0)
}

/// What there is beside releases and record.
fn leftovers(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| matches!(name.as_str(), "new" | "next" | "part")).collect()
}

/// Copies the whole place, links as links.
fn set_back(bench: &Bench) {
    let www = bench.path("www");
    if www.exists() {
        fs::remove_dir_all(&www).unwrap();
    }
    let copied = Command::new("cp").arg("-a").arg(bench.path("before")).arg(&www).status().unwrap();
    assert!(copied.success());
}

fn at_every_call(bench: &Bench, old: u32, new: u32, words: &[&str]) {
    let public = bench.path("www/goose");
    fs::rename(bench.path("www"), bench.path("before")).unwrap();
    set_back(bench);
    bench.run(words).exits(0);
    let whole = files(&fs::canonicalize(&public).unwrap());
    let (mut before, mut after) = (0, 0);
    for calls in CALLS {
        let mut switched = false;
        for at in 1.. {
            set_back(bench);
            let was_killed = killed(bench, calls, at, words);
            let found = version(bench, &public, 10..13);
            // The switch is one moment: what is new stays new.
            assert!(found == new || (found == old && !switched), "{calls} {at}: {found}");
            switched = found == new;
            if !was_killed {
                assert!(switched, "{calls} {at}");
                break;
            }
            *(if switched { &mut after } else { &mut before }) += 1;
            bench.run(words).exits(0);
            assert_eq!(version(bench, &public, 10..13), new, "{calls} {at}");
            let there = files(&fs::canonicalize(&public).unwrap());
            assert!(there.keys().eq(whole.keys()), "{calls} {at}");
            assert!(leftovers(&bench.path("www/.goose.published")).is_empty(), "{calls} {at}");
        }
    }
    println!("killed at {before} moments before the switch and {after} after it");
    assert!(before > 20 && after > 3, "{before} {after}");
}

#[test]
fn while_a_release_is_published() {
    if !has_peers(&["strace"]) {
        return;
    }
    let bench = compose::bench(10..13);
    (10..12).for_each(|version| drop(publish(&bench, version)));
    at_every_call(
        &bench,
        11,
        12,
        &["publish", "12", "www/goose", "--keep", "1", "--days", "0", "--time", "2090-01-01T00:00:00Z"],
    );
}

#[test]
fn while_an_earlier_one_comes_back() {
    if !has_peers(&["strace"]) {
        return;
    }
    let bench = compose::bench(10..13);
    (10..12).for_each(|version| drop(publish(&bench, version)));
    at_every_call(&bench, 11, 10, &["publish", "--rollback=1", "www/goose"]);
}
