//! Readers under mutated input: an answer or an error, never a panic, never an abort, and no more memory than 64 MiB
//! above what the process had at its start.
//!
//! Each subject runs in a child process whose address space is limited to that. The child says where it is after
//! each lot; where it dies, another one repeats the lot one by one, so that the seed that kills can be named:
//!
//! ```text
//! GANDER_MUTATIONS="headers 4711 1" cargo test --test mutations -- --exact child --ignored --nocapture
//! ```
//! `GANDER_MUTATIONS_COUNT` asks for more of them than the usual number.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment and start themselves")]

mod lists;
mod messages;
#[path = "../mutant/mod.rs"]
mod mutant;
#[path = "../sample/mod.rs"]
mod sample;
mod signing;
mod subjects;
mod universes;

use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use subjects::{SUBJECTS, Subject};

/// Memory that a child may take, above what it has when it starts to work.
const ROOM: u64 = 64 << 20;
const LOT: u64 = 1000;

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Limits the address space; gives the bytes that are resident.
fn limit_memory() -> u64 {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let start = status("VmSize");
    let limit = Some(start + ROOM);
    setrlimit(Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    // From here on the peak of what is resident counts (proc(5)).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS")
}

fn subject(name: &str) -> &'static Subject {
    SUBJECTS.iter().find(|subject| subject.name == name).unwrap()
}

/// What the tests below start: `GANDER_MUTATIONS` names a subject, its first seed and the number of seeds.
#[test]
#[ignore = "started by the tests beside it"]
fn child() {
    let Ok(order) = std::env::var("GANDER_MUTATIONS") else { return };
    let words: Vec<&str> = order.split(' ').collect();
    let number = |place: usize| words[place].parse::<u64>().unwrap();
    let (subject, first, count) = (subject(words[0]), number(1), number(2));
    let mut work = (subject.prepare)();
    let start = limit_memory();
    let mut accepted = 0;
    for seed in first..first + count {
        if count <= LOT {
            println!("seed {seed}");
        } else if seed % LOT == 0 {
            println!("lot {seed}");
        }
        accepted += u64::from(work(seed));
    }
    println!("accepted {accepted}");
    println!("peak {}", status("VmHWM").saturating_sub(start));
}

fn start(name: &str, first: u64, count: u64) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("GANDER_MUTATIONS", format!("{name} {first} {count}"))
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap()
}

/// The last number that a child said after a word.
fn said(output: &Output, word: &str) -> Option<u64> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).next_back()
}

/// Runs a subject; prints the figures.
fn run(name: &str) {
    let asked = std::env::var("GANDER_MUTATIONS_COUNT").ok();
    let count = asked.map_or(subject(name).count, |count| count.parse().unwrap());
    let began = Instant::now();
    let output = start(name, 0, count);
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        let again = start(name, said(&output, "lot").unwrap_or(0), LOT);
        let (seed, words) = (said(&again, "seed"), String::from_utf8_lossy(&again.stderr));
        assert!(again.status.success(), "{name}: {} at seed {seed:?}\n{words}", again.status);
    }
    assert!(output.status.success(), "{name}: {}", output.status);
    let (accepted, peak) = (said(&output, "accepted").unwrap(), said(&output, "peak").unwrap());
    println!(
        "{name}: seeds 0 to {}, {accepted} accepted, {:.0} a second, at most {} KiB above the start",
        count - 1,
        count as f64 / seconds,
        peak >> 10
    );
    // The mutations must reach what they are to test: some are taken, many are not.
    assert!(accepted > count / 100 && accepted < count - count / 100, "{name}: {accepted} of {count}");
}

#[test]
fn headers() {
    run("headers");
}

#[test]
fn payloads() {
    run("payloads");
}

#[test]
fn rich_dependencies() {
    run("rich");
}

#[test]
fn versions() {
    run("versions");
}

#[test]
fn lists_of_packages() {
    run("lists");
}

#[test]
fn forms_of_packages() {
    run("forms");
}

#[test]
fn forms_of_universes() {
    run("universes");
}

#[test]
fn packed_lists() {
    run("packed");
}

#[test]
fn messages_of_xmlrpc() {
    run("messages");
}

#[test]
fn sigul_s_wire() {
    run("wire");
}

#[test]
fn chunks_of_connections() {
    run("chunks");
}

#[test]
fn ledgers() {
    run("ledgers");
}

#[test]
fn secret_keys() {
    run("keys");
}

#[test]
fn sealed_secrets() {
    run("sealed");
}

#[test]
fn vaults() {
    run("vaults");
}

/// No bomb is accepted, and none takes more memory than anything else.
#[test]
fn bombs() {
    let output = start("bombs", 0, subject("bombs").count);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} at seed {:?}\n{words}", output.status, said(&output, "seed"));
    assert_eq!(said(&output, "accepted"), Some(0));
    println!("bombs: at most {} KiB above the start", said(&output, "peak").unwrap() >> 10);
}

/// The child must notice what it is to notice.
#[test]
fn a_child_that_takes_too_much_dies() {
    let output = start("glutton", 0, 1);
    assert!(!output.status.success(), "a child took {} MiB more than it may", ROOM >> 20);
}
