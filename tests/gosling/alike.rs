//! Two composes from empty stores, in worlds as different as can be, are the same in every file.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::world::{self, First, Order, Place, Said, first, have, is_root, run, say, skip};

/// The other user of the second compose.
const USER: &str = "goose";
/// What the second compose's clock is ahead by.
const AHEAD: &str = "+400d";

/// The library that lies about the clock.
fn faketime() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib64/faketime", "/usr/lib/faketime"];
    folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1")).find(|path| path.is_file())
}

/// User and group id of the other user, who is made where that is possible.
pub fn other_user() -> Option<(u32, u32)> {
    let number = |option| {
        let said = run(Command::new("id").args([option, USER]));
        said.out.trim().parse().ok().filter(|_| said.code == Some(0))
    };
    if number("-u").is_none() && is_root() {
        run(Command::new("useradd").args(["--create-home", USER]));
    }
    let subordinate = |file: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line.starts_with(&format!("{USER}:")))
    };
    let has_ids = subordinate("/etc/subuid") && subordinate("/etc/subgid");
    Some((number("-u")?, number("-g")?)).filter(|_| is_root() && has_ids)
}

fn give(folder: &Path, user: u32, group: u32) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            give(&entry, user, group);
        } else {
            chown(&entry, Some(user), Some(group)).unwrap();
        }
    }
    chown(folder, Some(user), Some(group)).unwrap();
}

/// The last CPU that this process may use.
fn a_cpu() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    list.rsplit([',', '-']).next().unwrap().to_owned()
}

/// Everything that is otherwise for the second compose, up to the program to run.
fn other_world(home: &Path, user: Option<(u32, u32)>, faketime: Option<&Path>) -> Command {
    let mut command = Command::new(if user.is_some() { "setpriv" } else { "env" });
    if let Some((user, group)) = user {
        let ids = [format!("--reuid={user}"), format!("--regid={group}"), "--init-groups".into()];
        command.args(ids).args(["--", "env"]);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.arg("-i").arg(format!("HOME={}", home.display())).arg(format!("PATH={path}"));
    command.args(["LC_ALL=de_DE.UTF-8", "LANG=de_DE.UTF-8", "TZ=Asia/Tokyo", "SOURCE_DATE_EPOCH=1"]);
    if let Some(library) = faketime {
        command.arg(format!("LD_PRELOAD={}", library.display())).arg(format!("FAKETIME={AHEAD}"));
        // Only the clock on the wall is to lie. Waiting is by the other one, and in the kernel, which is not
        // lied to.
        command.args(["DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]);
    }
    command.args(["taskset", "-c", &a_cpu(), "sh", "-c", "umask 077; exec \"$0\" \"$@\""]);
    command
}

/// What was seen of the native steps of one gander while it ran.
#[derive(Debug, Default)]
struct Seen {
    with: usize,
    without: Vec<String>,
}

/// Looks at processes that execute a native step of the gander in this folder: its own code as a process in
/// a jail whose root has nothing but the step's folders (programs run in the root of an image). What is
/// preloaded into them is mapped, and their environment says what it is to do.
fn watch(gander: &Path, user: u32, seen: &mut Seen) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten().map(|entry| entry.path()) {
        let read = |name: &str| fs::read_to_string(process.join(name)).unwrap_or_default();
        let status = read("status");
        let mut ids = status.lines().filter_map(|line| line.strip_prefix("NSpid:"));
        let in_jail = ids.next().is_some_and(|line| line.split_whitespace().count() > 1);
        let owned = status.lines().any(|line| line.starts_with(&format!("Uid:\t{user}\t")));
        if !in_jail || !owned || !read("cmdline").starts_with("gander\0jail\0") {
            continue;
        }
        let inside = |name: &str| process.join("root").join(name).is_dir();
        if !inside("in") || !inside("out") || inside("usr") || !same_file(&process.join("exe"), gander) {
            continue;
        }
        let (environment, maps) = (read("environ"), read("maps"));
        // A process that ends while it is looked at has neither any more.
        if environment.is_empty() || !maps.contains("[stack]") {
            continue;
        }
        let told = environment.split('\0').any(|line| line == format!("FAKETIME={AHEAD}"));
        if told && maps.contains("libfaketimeMT") {
            seen.with += 1;
        } else {
            seen.without.push(format!("{status}\n{environment:?}\n{maps}"));
        }
    }
}

fn same_file(left: &Path, right: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    id(left).is_some() && id(left) == id(right)
}

/// The clock of gander itself, by the creation time of a key that it makes.
fn day_of_a_new_key(mut world: Command, key: &Path) -> i64 {
    world.arg(world::gander()).args(["key", "new", "--user-id", "Clock <clock@example.org>"]);
    run(world.arg("--output").arg(key)).good();
    let show = run(Command::new(world::gander()).args(["key", "show", "--format", "json"]).arg(key)).good();
    let shown: serde_json::Value = serde_json::from_str(&show.out).unwrap();
    let created = shown[0]["created"].as_str().unwrap_or_else(|| panic!("{}", show.out)).to_owned();
    let date = run(Command::new("date").args(["-u", "+%s", "-d", &created])).good();
    date.out.trim().parse::<i64>().unwrap() / 86_400
}

fn second(first: &First) -> Place {
    let test = "the second compose";
    let place = Place::new("second.ü", Order::Backward);
    let home = place.folder.join("home");
    fs::create_dir(&home).unwrap();
    let user = other_user();
    match user {
        Some((user, group)) => give(&place.folder, user, group),
        None => skip(test, &format!("as another user: no '{USER}' with subordinate ids, or not root")),
    }
    let library = faketime();
    if library.is_none() {
        skip(test, "by another clock: libfaketime is not installed");
    }
    if library.is_some() {
        let keys = tempfile::tempdir().unwrap();
        let today = day_of_a_new_key(other_world(&home, None, None), &keys.path().join("now"));
        let there = day_of_a_new_key(other_world(&home, None, library.as_deref()), &keys.path().join("then"));
        assert!((399..=401).contains(&(there - today)), "the clock does not lie: {today}, {there}");
    }
    // A second that differs in no figure but the last would hide a clock that is read by the minute.
    std::thread::sleep(Duration::from_secs(61).saturating_sub(first.began.elapsed()));

    let began = Instant::now();
    let mut command = other_world(&home, user, library.as_deref());
    command.arg(world::gander()).arg("--store").arg(place.store()).args(["--debian-mirror", &first.mirror]);
    // Elsewhere, at another depth, by a name of another length.
    let output = place.output().join("somewhere/else/altogether");
    command.args(["compose", "--jobs", "3"]);
    if ["/usr/sbin/runc", "/usr/bin/runc"].iter().any(|runc| Path::new(runc).exists()) {
        command.args(["--runner", "runc"]);
    } else {
        skip(test, "by runc: it is not installed");
    }
    command.arg(place.recipe()).arg("--output").arg(&output);
    command.current_dir(&home);
    let done = AtomicBool::new(false);
    let (said, seen): (Said, Seen) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = Seen::default();
            while !done.load(Ordering::Relaxed) {
                let user = user.map_or(rustix::process::geteuid().as_raw(), |(user, _)| user);
                watch(&world::gander(), user, &mut seen);
                std::thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        let said = run(command.stdin(Stdio::null()));
        done.store(true, Ordering::Relaxed);
        (said, watcher.join().unwrap())
    });
    let said = said.good();
    let (seconds, steps) = (began.elapsed().as_secs_f64(), said.steps().len());
    say(format_args!(
        "second compose: {seconds:.1} s on one CPU, {steps} steps; native steps seen: {seen:?}"
    ));
    if library.is_some() {
        assert!(seen.with > 0 && seen.without.is_empty(), "libfaketime did not reach native steps: {seen:?}");
    }
    place
}

#[test]
fn two_composes_from_empty_stores_are_the_same() {
    if !have("two_composes_from_empty_stores_are_the_same", &["setpriv", "taskset", "env", "useradd"]) {
        return;
    }
    let first = first();
    let second = second(first);
    let composed = Folder::read(&first.place.output());
    assert!(composed.files() > 399, "{} files", composed.files());
    composed.assert_same(&Folder::read(&second.output().join("somewhere/else/altogether")));
    Folder::contents(&first.place.lock()).assert_same(&Folder::contents(&second.lock()));
    fs::remove_dir_all(second.folder).unwrap();
}
