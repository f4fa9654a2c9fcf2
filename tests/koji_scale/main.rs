//! What `ci/bench koji` measures of a large tag: 2,000 builds of 6 packages, which the embedded hub serves behind a proxy
//! that holds each request back for 20 ms.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the environment names folders and programs, no content")]

mod proxy;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Packages of a build of the corpus.
const PARTS: usize = 6;
/// What the proxy adds to each request.
const DELAY: Duration = Duration::from_millis(20);

/// A hub that is served, until it is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn gander() -> Command {
    let mut command = Command::new(std::env::var_os("GANDER").unwrap_or(env!("CARGO_BIN_EXE_gander").into()));
    command.stdin(Stdio::null()).arg("--quiet");
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn packages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for letter in fs::read_dir(folder.join("Packages")).unwrap() {
        found.extend(fs::read_dir(letter.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
#[ignore = "a measurement: wants the packages of tests/corpus in GANDER_CORPUS and a folder to work in, GANDER_SCALE"]
fn a_tag_of_many_builds() {
    let corpus = PathBuf::from(std::env::var_os("GANDER_CORPUS").expect("GANDER_CORPUS"));
    let work = PathBuf::from(std::env::var_os("GANDER_SCALE").expect("GANDER_SCALE"));
    fs::create_dir_all(&work).unwrap();
    let packages = packages(&corpus);
    assert!(!packages.is_empty() && packages.len().is_multiple_of(PARTS), "{} packages", packages.len());
    let hub = work.join("hub");
    if !hub.is_dir() {
        let began = Instant::now();
        succeed(gander().args(["hub", "import"]).arg(&hub).args(["--tag", "scale-1"]).args(&packages));
        println!("imported {} packages in {:.1} s", packages.len(), began.elapsed().as_secs_f64());
    }

    let mut serve = gander();
    serve.args(["hub", "serve"]).arg(&hub).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut served = Served(serve.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(served.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").trim_end_matches("/kojihub").parse().unwrap();
    let (proxy, counts) = proxy::start(address, DELAY);

    let recipe = work.join("scale.toml");
    drop(fs::remove_dir_all(work.join("scale.lock")));
    drop(fs::remove_dir_all(work.join("store")));
    // Few are selected: headers of all are read, files of those only.
    let first = packages.first().unwrap().file_stem().unwrap().to_string_lossy().into_owned();
    let name = first.rsplitn(3, '-').last().unwrap();
    let text = format!(
        r#"
[release]
name = "Scale"
short = "Scale"
version = "1"

[[source]]
koji = {{ hub = "http://{proxy}/kojihub", files = "http://{proxy}/kojifiles", tag = "scale-1" }}
on-unsigned = "allow"

[variant.All]
arches = ["x86_64"]
packages = ["{name}"]
"#
    );
    fs::write(&recipe, text).unwrap();
    for round in ["first", "again"] {
        let (asked, bytes) =
            (counts.requests.swap(0, Ordering::Relaxed), counts.bytes.swap(0, Ordering::Relaxed));
        assert!(round != "first" || asked + bytes == 0);
        let began = Instant::now();
        let store = work.join("store");
        succeed(gander().arg("--store").arg(&store).args(["lock", "--update"]).arg(&recipe));
        // `ci/bench koji` reads this.
        println!(
            "resolve {round}: {:.2} s, {} requests, {:.1} MB of answers, {} connections",
            began.elapsed().as_secs_f64(),
            counts.requests.load(Ordering::Relaxed),
            counts.bytes.load(Ordering::Relaxed) as f64 / 1e6,
            counts.most.load(Ordering::Relaxed),
        );
        if round == "first" {
            let asked = counts.requests.load(Ordering::Relaxed);
            assert!(asked >= packages.len(), "{asked} requests for {} headers", packages.len());
        }
    }
}
