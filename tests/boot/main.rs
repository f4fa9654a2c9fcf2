//! `gander boot` with media of a few bytes, as root and as an ordinary user.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may panic, and start programs, read folders and the environment"
)]

mod media;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gander::boot::{LOCK, MARKER};
use gander::debian::Lock;
use tempfile::TempDir;

/// The ordinary user as whom root's tests run again.
const USER: &str = "goose";
/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A store with QEMU's packages and image; none, said loudly, where they cannot be had.
fn store(test: &str) -> Option<&'static Path> {
    static STORE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = STORE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boot");
        fs::create_dir_all(&folder).unwrap();
        // Another run of these tests may be making it.
        let guard = File::create(folder.join("guard")).unwrap();
        guard.lock().unwrap();
        let store = folder.join("store");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
        command
            .arg("--store")
            .arg(&store)
            .args(["image", "build"])
            .arg(root().join("recipes/images/boot.lock"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(store) } else { Err(why) }
    });
    match made {
        Ok(store) => Some(store),
        Err(why) if why.contains("downloaded") || why.contains("mirror") => {
            skip(test, why);
            None
        }
        Err(why) => panic!("{why}"),
    }
}

/// How a run ended.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "not said: {text}\n{self:?}");
        self
    }
}

/// A folder that any user may enter.
struct Bench {
    folder: TempDir,
    store: PathBuf,
}

impl Bench {
    fn new(test: &str) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let store = store(test)?.to_owned();
        let folder = tempfile::Builder::new().prefix("gander-boot-").tempdir_in("/var/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { folder, store })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn gander(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
        command.current_dir(self.folder.path()).arg("--store").arg(&self.store).arg("--offline");
        command.arg("boot").stdin(Stdio::null());
        command
    }

    fn boot(&self, arguments: &[&str]) -> Ran {
        ran(self.gander().args(arguments))
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The command lines of processes that have this word.
fn processes(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let mut line = Vec::new();
        if let Ok(mut file) = File::open(entry.path().join("cmdline")) {
            file.read_to_end(&mut line).ok();
        }
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(word) {
            found.push(line);
        }
    }
    found
}

#[test]
fn the_lock_answers_the_request() {
    let request = fs::read(root().join("recipes/images/boot.toml")).unwrap();
    let lock = Lock::parse(LOCK).unwrap();
    assert_eq!(
        lock.request,
        gander::base::Digest::of(request),
        "refresh it: gander image lock recipes/images/boot.toml"
    );
    assert!(lock.packages.iter().all(|package| package.path.as_str().starts_with("pool/main/")));
}

#[test]
fn the_text_ends_the_boot() {
    let Some(bench) = Bench::new("the_text_ends_the_boot") else { return };
    let text = "\x1b]0;evil\x07one\r\n\x1b[1mGANDER\x1b[0m-BOOT-OK fw=bios\r\nmore\r\n";
    bench.write("a.iso", &media::bios_writes(text));
    let ran = bench.boot(&["a.iso", "--serial", "log"]).exits(0).says("'GANDER-BOOT-OK' appeared after");
    assert!(ran.out.starts_with("one\nGANDER-BOOT-OK fw=bios\n"), "{ran:?}");
    let raw = fs::read_to_string(bench.folder.path().join("log")).unwrap();
    assert!(raw.starts_with(&text[..text.len() - 6]), "{raw:?}");
    bench.boot(&["a.iso", "--until", "one"]).exits(0);
}

#[test]
fn uefi_boots() {
    let Some(bench) = Bench::new("uefi_boots") else { return };
    bench.write("a.iso", &media::uefi_writes("GANDER-BOOT-OK fw=uefi\r\n"));
    let ran = bench.boot(&["a.iso", "--firmware", "uefi", "--memory", "256"]).exits(0);
    assert!(ran.out.ends_with("GANDER-BOOT-OK fw=uefi\n"), "{ran:?}");
    bench.boot(&["a.iso"]).exits(3).says("cannot be booted by BIOS").says("--firmware uefi");
}

#[test]
fn a_boot_without_the_text_is_a_verdict() {
    let Some(bench) = Bench::new("a_boot_without_the_text_is_a_verdict") else { return };
    bench.write("a.iso", &media::bios_writes("GANDER-BOOT-O\r\n"));
    let start = Instant::now();
    let ran = bench.boot(&["a.iso", "--timeout", "2"]).exits(1).says("within 2 s").says("console=ttyS0");
    assert!(start.elapsed() >= Duration::from_secs(2) && ran.out == "GANDER-BOOT-O\n", "{ran:?}");
    bench.write("off.iso", &media::bios(media::BIOS_OFF));
    bench.boot(&["off.iso"]).exits(1).says("without showing 'GANDER-BOOT-OK'");
}

#[test]
fn what_is_no_medium_is_refused_at_once() {
    let Some(bench) = Bench::new("what_is_no_medium_is_refused_at_once") else { return };
    let whole = media::bios_writes(MARKER);
    bench.write("text", b"no image");
    bench.write("half.iso", &whole[..whole.len() - 1]);
    let mut plain = whole.clone();
    plain[17 * 2048..20 * 2048].fill(0);
    bench.write("plain.iso", &plain);
    bench.boot(&["missing.iso"]).exits(3).says("'missing.iso' cannot be opened");
    bench.boot(&["."]).exits(3).says("no regular file");
    bench.boot(&["text"]).exits(3).says("it is no ISO 9660 image");
    bench.boot(&["half.iso"]).exits(3).says("cut off");
    bench.boot(&["plain.iso"]).exits(3).says("cannot be booted by BIOS");
    bench.write("a.iso", &whole);
    bench.boot(&["a.iso", "--firmware", "uefi"]).exits(3).says("--firmware bios");
    bench.boot(&["a.iso", "--until", ""]).exits(2);
    bench.boot(&["a.iso", "--until", "a\nb"]).exits(2);
    bench.boot(&["a.iso", "--timeout", "0"]).exits(2);
    bench.boot(&["a.iso", "--serial", "no/such/folder/log"]).exits(4).says("'no/such/folder/log'");
}

#[test]
fn nothing_of_a_machine_outlives_gander() {
    let Some(bench) = Bench::new("nothing_of_a_machine_outlives_gander") else { return };
    bench.write("a.iso", &media::bios_writes("up\r\n"));
    for (name, signal, memory) in
        [("INT", libc::SIGINT, "71"), ("KILL", libc::SIGKILL, "73"), ("PIPE", 0, "79")]
    {
        // No other machine has that much memory.
        let mut child = bench.gander();
        child.args(["a.iso", "--until", "never", "--timeout", "10", "--memory", memory]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        let mut start = [0; 2];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"up");
        let line = format!("-m {memory} ");
        assert_eq!(processes(&line).len(), 1, "{name}");
        let pid = rustix::process::Pid::from_child(&child);
        match signal {
            // A reader that goes away ends nothing: how the boot ends still matters.
            0 => drop(stdout),
            libc::SIGINT => rustix::process::kill_process_group(pid, rustix::process::Signal::INT).unwrap(),
            _ => rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap(),
        }
        let status = child.wait().unwrap();
        if signal == 0 {
            assert_eq!(status.code(), Some(1), "{name}");
        } else {
            assert!(!status.success(), "{name}");
        }
        let end = Instant::now() + PATIENCE;
        while !processes(&line).is_empty() {
            assert!(Instant::now() < end, "{name}: a machine is left: {:?}", processes(&line));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn an_ordinary_user_boots() {
    let test = "an_ordinary_user_boots";
    let Some(mut bench) = Bench::new(test) else { return };
    if !rustix::process::geteuid().is_root() {
        return; // As whom all tests run.
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let found = passwd.lines().find(|line| line.starts_with(&format!("{USER}:")));
    let Some(ids) = found.and_then(|line| {
        Some((line.split(':').nth(2)?.parse().ok()?, line.split(':').nth(3)?.parse().ok()?))
    }) else {
        return skip(test, "there is no user goose; ci/test makes it");
    };
    // A store of the user's own, with the packages and the image in it.
    let own = bench.folder.path().join("store");
    fs::create_dir(&own).unwrap();
    for part in ["actions", "objects", "roots", "version"] {
        let copied = Command::new("cp").arg("-r").arg(bench.store.join(part)).arg(&own).status().unwrap();
        assert!(copied.success());
    }
    let binary = bench.folder.path().join("gander");
    fs::copy(env!("CARGO_BIN_EXE_gander"), &binary).unwrap();
    bench.write("a.iso", &media::bios_writes("GANDER-BOOT-OK\r\n"));
    let owned = Command::new("chown").arg("-R").arg(USER).arg(bench.folder.path()).status().unwrap();
    assert!(owned.success());
    bench.store = own;
    let (user, group): (u32, u32) = ids;
    let mut command = Command::new(binary);
    command.current_dir(bench.folder.path()).arg("--store").arg(&bench.store).args([
        "--offline",
        "boot",
        "a.iso",
    ]);
    let ran = ran(command.uid(user).gid(group).stdin(Stdio::null())).exits(0);
    assert_eq!(ran.out, "GANDER-BOOT-OK\n", "{ran:?}");
    // Files of the map's ids are removed by the map's root.
    let remove = bench.folder.path().join("store");
    fs::remove_dir_all(remove).ok();
}
