//! A folder with a recipe, a store and the built binary.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::base::{Base, builder_lock};

/// No attack waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of its own, gone at the end of the test.
pub struct Bench {
    folder: TempDir,
}

/// How a run of gander ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A run of gander that is under way.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

/// Everything that can be seen of a folder: mode, time, link target or content of each path.
pub type Seen = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::Builder::new().prefix("gander-attack-").tempdir_in("/var/tmp").unwrap() }
    }

    /// One with the small recipe.
    pub fn with_recipe(base: &Base) -> Self {
        let bench = Self::new();
        bench.write("goose.toml", recipe(base));
        bench.write("builder.lock", builder_lock());
        bench.write("comps.xml", COMPS);
        bench.write("specs/goose.spec", GOOSE);
        bench.write("specs/pond.spec", POND);
        bench.write("sources/goose.txt", "honk\n");
        bench
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Changes a file's text.
    pub fn edit(&self, below: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(below)).unwrap();
        assert!(text.contains(old), "{below} has no '{old}'");
        self.write(below, text.replacen(old, new, 1));
    }

    /// Gives it a store with the builder's packages and image, so that only what is attacked takes time.
    pub fn seed(&self, base: &Base) {
        seed(&base.store, &self.path("store"));
    }

    /// The built binary, with a store and a home of its own.
    pub fn gander(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .args(["--store", "store"])
            .stdin(Stdio::null());
        command
    }

    /// Runs the built binary.
    pub fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Ran {
        ran(self.gander().args(arguments))
    }

    /// Runs the built binary, which must end well; gives what it said.
    #[track_caller]
    pub fn good<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    }

    /// Starts the built binary and lets it run.
    pub fn start<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Running {
        let mut child =
            self.gander().args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Running { child, lines }
    }

    /// What gander said, with the names of this run's folders taken out.
    pub fn plain(&self, text: &str) -> String {
        let mut text = text.replace(self.folder.path().to_str().unwrap(), "BENCH");
        for (start, end, name) in
            [("/var/tmp/gander-attack-key-", "/", "KEYS/"), ("127.0.0.1:", "/", "MIRROR/")]
        {
            while let Some(place) = text.find(start) {
                let length = text[place + start.len()..].find(end).unwrap();
                text.replace_range(place..place + start.len() + length + end.len(), name);
            }
        }
        text
    }

    /// Fails unless the store is clean: verified, nothing in the scratch folder, no process still at work in it.
    #[track_caller]
    pub fn assert_clean(&self) {
        let verified = self.run(["store", "verify"]);
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        assert_eq!(names(&self.path("store/tmp")), [""; 0], "left in the store's tmp");
        let left: Vec<_> =
            names(self.folder.path()).into_iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(left, [""; 0], "left beside recipe and output");
        assert_eq!(self.strays(), [""; 0], "still running");
    }

    /// Processes in a jail of this bench's store; given a moment to end.
    pub fn strays(&self) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(10);
        let store = self.path("store").to_str().unwrap().to_owned();
        loop {
            let mut strays = Vec::new();
            for pid in names(Path::new("/proc")).into_iter().filter(|name| name.parse::<u32>().is_ok()) {
                let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                let (mounts, command) = (read("mountinfo"), read("cmdline"));
                let home = format!("HOME={}", self.path("home").display());
                if contains(&mounts, &format!("{store}/tmp")) || contains(&read("environ"), &home) {
                    strays.push(format!("{pid} {}", String::from_utf8_lossy(&command).replace('\0', " ")));
                }
            }
            if strays.is_empty() || Instant::now() > end {
                return strays;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Running {
    /// Waits for a line that begins so (spaces aside); false if the run ended first.
    pub fn wait_for(&self, start: &str) -> bool {
        let end = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if line.trim_start().starts_with(start) {
                return true;
            }
        }
        false
    }

    /// Waits until something holds; false if the run ended first.
    pub fn wait_until(&mut self, holds: impl Fn() -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            if holds() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() || Instant::now() > end {
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// Kills gander itself, and nothing that it started; whether it was still running.
    pub fn kill(mut self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal() == Some(9)
    }
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The names in a folder, sorted; none if it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Everything that can be seen of a folder.
pub fn seen(folder: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_dir() {
            open.extend(names(&path).into_iter().map(|name| path.join(name)));
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        seen.insert(path.strip_prefix(folder).unwrap().into(), (found.mode(), found.mtime(), content));
    }
    seen
}

/// The same without modes and times, which a lock does not promise.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    seen(folder).into_iter().map(|(path, (_, _, content))| (path, content)).collect()
}

/// A copy of a store, by links where that goes.
pub fn seed(from: &Path, to: &Path) {
    let copy = |how: &str| {
        let mut command = Command::new("cp");
        command.args([how, "--no-target-directory"]).args([from, to]).stderr(Stdio::null());
        command.status().unwrap().success()
    };
    if !copy("-al") {
        fs::remove_dir_all(to).ok();
        assert!(copy("-a"), "the shared store cannot be copied");
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The small recipe.
pub fn recipe(base: &Base) -> String {
    RECIPE.replace("KEY", base.key.to_str().unwrap())
}

const RECIPE: &str = r#"[release]
name = "Goose Linux"
short = "Goose"
version = "1"
source-date = "2026-11-01T00:00:00Z"
dist = ".g1"

[builder]
image = "builder.lock"

[[source]]
build = { specs = "specs", sources = "sources", targets = ["x86_64", "i686"] }
on-unsigned = "sign"

[variant.Base]
arches = ["x86_64"]
comps = "comps.xml"
groups = ["core"]
multilib = { profile = "pungi", methods = ["devel"] }

[sign]
key-file = "KEY"
"#;

const COMPS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group>
    <id>core</id>
    <name>Core</name>
    <description>All of it</description>
    <default>true</default>
    <uservisible>true</uservisible>
    <packagelist>
      <packagereq type="mandatory">goose</packagereq>
      <packagereq type="mandatory">goose-devel</packagereq>
    </packagelist>
  </group>
</comps>
"#;

/// A package for two arches, with a -devel package.
pub const GOOSE: &str = r#"Name: goose
Version: 1
Release: 1%{?dist}
Summary: A goose
License: MIT
Source0: goose.txt
Requires: pond

%description
It is a goose.

%package devel
Summary: Its eggs
Requires: goose%{?_isa} = 1-1%{?dist}

%description devel
They are eggs.

%prep
%setup -q -c -T

%install
install -D -m 644 %{SOURCE0} %{buildroot}%{_libdir}/goose/goose.txt
install -D -m 644 %{SOURCE0} %{buildroot}%{_includedir}/goose-%{_arch}.h

%files
%{_libdir}/goose

%files devel
%{_includedir}/goose-%{_arch}.h
"#;

/// A package for all arches, of some megabytes that no compressor makes smaller.
const POND: &str = r#"Name: pond
Version: 2
Release: 1%{?dist}
Summary: A pond
License: MIT
BuildArch: noarch

%description
It is a pond.

%prep
%setup -q -c -T

%install
mkdir -p %{buildroot}/usr/share/pond
openssl=1; i=0
while [ $i -lt 200 ]; do echo "$i" | sha512sum; i=$((i + 1)); done > %{buildroot}/usr/share/pond/water

%files
/usr/share/pond
"#;
