//! Steps in their jail: with each backend, and with each way of having ids.
//!
//! A test binary without the usual harness, since it is its own jail: a runner starts it as it would start
//! gander, and then it must not have threads. It runs every case by gander itself and by runc (SKIPPED where that is
//! not installed) with a range of ids, and by gander itself with one id. Started by root it does each as root and as an
//! ordinary user: one that has subordinate ids (SKIPPED where nobody has), and for one id a number that nobody has.
//! Each run starts this binary again with the word `suite`. What must be the same for all (digests, manifests, what
//! programs said) each notes in a file; then these are compared.
//!
//! A word as argument runs only the cases whose names contain it; `bench` prints what steps cost, and with
//! `GANDER_TEST_IDS=single`, what they cost with one id. All other words are for the binary itself: `jail` is the
//! inside, `probe` a program in the root of some cases, `hang`, `few` and `odd` are processes that cases start.
#![allow(clippy::disallowed_methods, reason = "tests drive programs and look at the host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows a test by its harness, and this has none"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gander::base::{Digest, RelPath, SourceDate};
use gander::plan::{Action, Executor, ResolvedInput, Rights, Step, StepIo};
use gander::runner::{self, Backend, Choice, LayOut, RunError, RunOptions, Runner};
use gander::store::Store;

#[path = "runner/bench.rs"]
mod bench;
#[path = "runner/made_roots.rs"]
mod made_roots;
#[path = "runner/owners.rs"]
mod owners;
#[path = "runner/surroundings.rs"]
mod surroundings;

type Failed = Box<dyn Error + Send + Sync>;

const TOOLS: [&str; 22] = [
    "bash", "cat", "chmod", "chown", "chroot", "cp", "env", "hostname", "id", "ln", "ls", "mkdir", "mount",
    "nproc", "rm", "setpriv", "sh", "sleep", "stat", "tar", "touch", "uname",
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("jail") => runner::enter(&native),
        Some("probe") => said(owners::probe(&arguments[1..])),
        Some("suite") => suite(&arguments[1], Path::new(&arguments[2]), backend(&arguments[3])),
        Some("hang") => surroundings::hang(Path::new(&arguments[1]), backend(&arguments[2])),
        Some("few") => said(owners::few(&World::new(backend(&arguments[1])))),
        Some("odd") => said(surroundings::odd(&World::new(backend(&arguments[1])))),
        Some("bench") => bench::bench(),
        first => everybody(first.filter(|name| !name.starts_with('-')).unwrap_or("")),
    }
}

fn said(outcome: Result<(), Failed>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

const CAPABILITY: &str = "security.capability";
/// cap_net_raw=ep, in the second version.
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Native steps of these tests.
fn native(kind: &str, io: &StepIo) -> Result<(), Box<dyn Error>> {
    let list = |path: &str| -> Result<String, std::io::Error> {
        let mut names: Vec<_> = fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_, std::io::Error>>()?;
        names.sort();
        Ok(names.join(" "))
    };
    match kind {
        "nothing" => Ok(()),
        "look" => {
            let input = fs::read_to_string(io.inputs.join("a/hello"))?;
            fs::write(io.scratch.join("scratch"), "x")?;
            let refused = fs::write(io.inputs.join("new"), "x").is_err() && fs::write("/new", "x").is_err();
            let seen =
                format!("{} | {} | {input} | {:?} | refused {refused}", list("/")?, list("/in")?, io.params);
            Ok(fs::write(io.output.join("seen"), seen)?)
        }
        "fail" => Err(Box::new(
            fs::read("/no/such/file")
                .map(|_| Digest::of(""))
                .map_err(|error| {
                    let wrapped: Box<dyn Error> = format!("the goose is gone ({error})").into();
                    std::io::Error::other(wrapped.to_string())
                })
                .unwrap_err(),
        )),
        "capability" => {
            rustix::fs::setxattr(
                io.output.join("bin/ping"),
                CAPABILITY,
                &NET_RAW,
                rustix::fs::XattrFlags::empty(),
            )?;
            Ok(fs::write(io.output.join("etc/motd"), "honk\n")?)
        }
        "panic" => panic!("the goose panics"),
        kind => Err(format!("unknown kind {kind}").into()),
    }
}

/// All cases, as root and as an ordinary user, with each backend.
fn everybody(filter: &str) -> ExitCode {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let mut failed = false;
    let mut skip = |what: &str| {
        eprintln!("SKIPPED: runner {what}");
        failed |= ci;
    };
    let mut backends = vec!["embedded"];
    match has_runc() {
        true => backends.push("runc"),
        false => skip("with runc: it is not installed (apt install runc)"),
    }
    let folder = tempfile::Builder::new().prefix("gander-runner-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let this = std::env::current_exe().unwrap();
    // A copy that an ordinary user can reach.
    let copy = folder.path().join("runner");
    let mut users = vec![None];
    // Anybody can have one id.
    let mut alone = vec![None];
    if rustix::process::geteuid().is_root() {
        fs::copy(&this, &copy).unwrap();
        alone.push(Some("12345".to_owned()));
        match ordinary_user() {
            Some(user) => users.push(Some(user)),
            None => skip("as an ordinary user: nobody here has subordinate ids (useradd -m goose)"),
        }
    }
    let mut runs: Vec<(&str, &str, &Option<String>)> = Vec::new();
    for backend in &backends {
        runs.extend(users.iter().map(|user| (*backend, "range", user)));
    }
    runs.extend(alone.iter().map(|user| ("embedded", "single", user)));
    let mut first: Option<String> = None;
    for (backend, ids, user) in runs {
        let binary = if user.is_some() { &copy } else { &this };
        let name = user.as_deref().unwrap_or("this user");
        println!("as {name}, {backend}, {ids}:");
        let record = folder.path().join(format!("{backend}-{ids}-{name}"));
        failed |= !run_suite(binary, filter, user.as_deref(), ids, &record, backend);
        let record = fs::read_to_string(record).unwrap_or_default();
        let expected = first.get_or_insert_with(|| record.clone());
        if *expected != record {
            println!("{name} made other trees with {backend}, {ids}; lines that differ, the first's first:");
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
            let (first, now) = (lines(expected), lines(&record));
            first.difference(&now).for_each(|line| println!("- {line}"));
            now.difference(&first).for_each(|line| println!("+ {line}"));
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn has_runc() -> bool {
    ["/usr/sbin/runc", "/usr/bin/runc"].iter().any(|runc| Path::new(runc).exists())
}

fn backend(name: &str) -> Backend {
    if name == "runc" { Backend::Runc } else { Backend::Embedded }
}

fn run_suite(
    binary: &Path,
    filter: &str,
    user: Option<&str>,
    ids: &str,
    record: &Path,
    backend: &str,
) -> bool {
    let mut command = match user {
        None => Command::new(binary),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(binary);
            command
        }
    };
    let command = command.env(IDS, ids).args(["suite", filter]).arg(record).arg(backend).current_dir("/");
    command.status().unwrap().success()
}

/// The variable that says which ids steps get.
const IDS: &str = "GANDER_TEST_IDS";

fn single() -> bool {
    std::env::var(IDS).as_deref() == Ok("single")
}

fn ordinary_user() -> Option<String> {
    let subuid = fs::read_to_string("/etc/subuid").ok()?;
    let subgid = fs::read_to_string("/etc/subgid").ok()?;
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let known = |text: &str, name: &str| text.lines().any(|line| line.split(':').next() == Some(name));
    let name = |line: &str| line.split(':').next().map(str::to_owned);
    subuid
        .lines()
        .filter_map(name)
        .find(|name| known(&subgid, name) && known(&passwd, name) && name != "root")
}

fn suite(filter: &str, record: &Path, backend: Backend) -> ExitCode {
    let mut failures = 0;
    let world = World { record: Some(record.to_owned()), ..World::new(backend) };
    fs::write(record, "").unwrap();
    for (name, case) in CASES.into_iter().chain(owners::CASES) {
        if !name.contains(filter) {
            continue;
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(&world)));
        println!("  {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failures += i32::from(outcome.is_err());
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    runner: Runner,
    backend: Backend,
    /// Whether steps have one id.
    single: bool,
    /// Digests that have to be the same for everybody.
    record: Option<PathBuf>,
}

impl World {
    fn new(backend: Backend) -> Self {
        let folder = tempfile::Builder::new().prefix("gander-runner-").tempdir_in("/var/tmp").unwrap();
        let (store, runner) = at(&folder.path().join("store"), backend);
        Self { _folder: folder, store, runner, backend, single: single(), record: None }
    }

    /// Runs this binary once more, with the same backend, by a program that starts others.
    fn again(&self, words: &[&str], by: &[&str]) -> Output {
        let this = std::env::current_exe().unwrap();
        let mut line: Vec<_> = by.iter().chain(words).map(OsString::from).collect();
        line.insert(by.len(), this.into());
        let backend = format!("{:?}", self.backend).to_lowercase();
        Command::new(&line[0]).args(&line[1..]).arg(backend).output().unwrap()
    }

    fn run(&self, action: &Action) -> Result<Digest, RunError> {
        self.run_with(action, &RunOptions::default())
    }

    fn run_with(&self, action: &Action, options: &RunOptions) -> Result<Digest, RunError> {
        let outcome = self.runner.run(action, options);
        // Nothing of any id is left, whatever happened.
        let left: Vec<_> = fs::read_dir(self.store.root().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with("-objects"))
            .collect();
        assert_eq!(left, [] as [String; 0]);
        Ok(outcome?.tree)
    }

    /// Notes a tree that has to be the same whoever runs this.
    fn same_for_all(&self, name: &str, tree: &Digest) {
        let record = self.record.as_ref().unwrap();
        let known = fs::read_to_string(record).unwrap();
        let manifest = String::from_utf8(self.store.tree(tree).unwrap().to_bytes()).unwrap();
        fs::write(record, format!("{known}{name}: {tree}\n{manifest}")).unwrap();
    }

    /// Notes a text that has to be the same whoever runs this.
    fn note(&self, text: &str) {
        let record = self.record.as_ref().unwrap();
        let known = fs::read_to_string(record).unwrap();
        fs::write(record, format!("{known}{text}\n")).unwrap();
    }

    fn output(&self, tree: &Digest, name: &str) -> String {
        let (file, _) = self.store.tree(tree).unwrap().file(&path(name)).unwrap();
        String::from_utf8(self.store.read_object(&file, 1 << 20).unwrap()).unwrap()
    }
}

fn at(path: &Path, backend: Backend) -> (Store, Runner) {
    let store = Store::open(path).unwrap();
    let lay_out: LayOut = Arc::new(|_, image, dest, _| {
        small_root(dest, &TOOLS)?;
        if *image == probe_root() { owners::more_programs(dest) } else { Ok(()) }
    });
    let choice = if single() { Choice::Single } else { Choice::Range };
    let runner = Runner::with_ids(&store, std::env::current_exe().unwrap(), choice).unwrap();
    let runner = runner.with_roots(lay_out).with_backend(backend).unwrap();
    (store, runner)
}

/// The root of the tests of owners.
fn probe_root() -> Digest {
    Digest::of("probe root")
}

/// Programs of this host, by name or path, and the libraries that they need.
fn put_programs(dest: &Path, tools: &[&str]) -> Result<(), Failed> {
    let mut files = Vec::new();
    for tool in tools {
        let mut places = ["/usr/bin", "/bin", "/usr/sbin"].iter().map(|folder| Path::new(folder).join(tool));
        let path = places.find(|path| path.exists());
        let path = path.ok_or(format!("this host has no {tool}"))?;
        let libraries = Command::new("ldd").arg(&path).stderr(Stdio::null()).output()?;
        let text = String::from_utf8(libraries.stdout)?;
        files.extend(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
        fs::copy(&path, dest.join("usr/bin").join(path.file_name().unwrap()))?;
    }
    for file in files {
        let copy = dest.join(file.strip_prefix("/")?);
        fs::create_dir_all(copy.parent().unwrap())?;
        fs::copy(file, copy)?;
    }
    Ok(())
}

/// A root of a few tools of this host and the libraries that they need.
fn small_root(dest: &Path, tools: &[&str]) -> Result<(), Failed> {
    for folder in ["usr/bin", "var/tmp", "etc"] {
        fs::create_dir_all(dest.join(folder))?;
    }
    for (folder, mode) in gander::oci::MOUNTPOINTS {
        fs::create_dir(dest.join(folder))?;
        fs::set_permissions(dest.join(folder), fs::Permissions::from_mode(mode))?;
    }
    symlink("usr/bin", dest.join("bin"))?;
    put_programs(dest, tools)?;
    let locale = Path::new("usr/lib/locale/C.utf8");
    for folder in [locale.to_owned(), locale.join("LC_MESSAGES")] {
        fs::create_dir_all(dest.join(&folder))?;
        for entry in fs::read_dir(Path::new("/").join(&folder))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), dest.join(&folder).join(entry.file_name()))?;
            }
        }
    }
    Ok(())
}

fn program(script: &str) -> Action {
    action(
        "test",
        Executor::Program(["bash", "-c", script].map(String::from).into()),
        Some(Digest::of("small root")),
    )
}

fn action(kind: &str, executor: Executor, root: Option<Digest>) -> Action {
    let step = Step {
        kind: kind.into(),
        label: "goose".into(),
        params: BTreeMap::from([("colour".into(), "grey".into())]),
        inputs: BTreeMap::new(),
        root: None,
        base: None,
        rights: Rights::Plain,
        platform: "x86_64".into(),
        source_date: SourceDate::from_seconds(1_700_000_000).unwrap(),
        executor,
    };
    Action { step, inputs: BTreeMap::new(), root: root.map(ResolvedInput::File), base: None }
}

fn with_inputs(world: &World, mut action: Action) -> Action {
    let file = world.store.put_bytes(b"hello").unwrap();
    action.inputs.insert(RelPath::new("a/hello").unwrap(), ResolvedInput::File(file));
    action
}

fn makes_root(mut action: Action) -> Action {
    action.step.rights = Rights::MakeRoot;
    action
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Whether a process with this in its command line exists, other than this one.
fn exists(marker: &str) -> bool {
    fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).split('\0').any(|word| word == marker)
    })
}

fn eventually(what: impl Fn() -> bool) -> bool {
    (0..200).any(|_| {
        what() || {
            std::thread::sleep(Duration::from_millis(50));
            false
        }
    })
}

type Case = (&'static str, fn(&World));

const CASES: [Case; 20] = [
    ("environment", environment),
    ("odd_surroundings", surroundings::odd_surroundings),
    ("file_system", file_system),
    ("input_below_an_input", surroundings::input_below_an_input),
    ("rights", rights),
    ("network", network),
    ("root_file_system", made_roots::root_file_system),
    ("base_of_a_plain_step", made_roots::base_of_a_plain_step),
    ("tree_as_root", made_roots::tree_as_root),
    ("mount_points_that_mislead", made_roots::mount_points_that_mislead),
    ("owners_of_inputs", made_roots::owners_of_inputs),
    ("output_is_the_same_for_all", output_is_the_same_for_all),
    ("failure", failure),
    ("signal", signal),
    ("deadline", deadline),
    ("death_of_the_parent", surroundings::death_of_the_parent),
    ("native_step", native_step),
    ("native_failure", native_failure),
    ("missing_program", missing_program),
    ("command", surroundings::command),
];

fn environment(world: &World) {
    let script = "while read -r line; do echo \"$line\"; done < <(env) > /out/env; { hostname; nproc; id; pwd; umask; \
                  cat /proc/self/uid_map | (read a b c; echo $a $c); ulimit -c; uname -m; } > /out/seen; cat > /out/stdin";
    let tree = world.run(&program(script)).unwrap();
    let mut lines: Vec<_> = world.output(&tree, "env").lines().map(str::to_owned).collect();
    // These three are the shell's own.
    lines.retain(|line| !["PWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own)));
    lines.sort();
    let expected = [
        "HOME=/build",
        "LC_ALL=C.UTF-8",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "SOURCE_DATE_EPOCH=1700000000",
        "TMPDIR=/tmp",
        "TZ=UTC",
    ];
    assert_eq!(lines, expected);
    let seen = world.output(&tree, "seen");
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[..5], ["gander", "1", "uid=0 gid=0 groups=0", "/build", "0022"]);
    assert!(lines[5].starts_with("0 "), "{seen}");
    assert_eq!(lines[6..], ["0", "x86_64"]);
    assert_eq!(world.output(&tree, "stdin"), "");
}

fn file_system(world: &World) {
    let script = "set -e; ls / > /out/root; ls /dev > /out/dev; \
                  for p in /x /in/x /dev/x /etc/x; do if (echo x > $p) 2>/dev/null; then echo $p is writable; exit 1; fi; done; \
                  for p in /tmp/x /var/tmp/x /build/x /dev/shm/x; do echo x > $p; done; \
                  echo x > /dev/null; cat /in/a/hello > /out/hello; stat -c '%a %Y' /in/a/hello /in/a /in > /out/stat; \
                  ls /proc/self/fd > /out/fds; echo said > /dev/stderr; echo said > /dev/stdout; \
                  if test $$ != 1 && cat /proc/1/environ; then exit 1; fi";
    let _inherited = fs::File::open("/").unwrap();
    let tree = world.run(&with_inputs(world, program(script))).unwrap();
    let root = world.output(&tree, "root");
    assert!(!root.contains("home") && root.contains("build"), "{root}");
    let dev = world.output(&tree, "dev");
    assert_eq!(
        dev.split_whitespace().collect::<Vec<_>>(),
        "fd full null random shm stderr stdin stdout urandom zero".split(' ').collect::<Vec<_>>()
    );
    assert_eq!(world.output(&tree, "hello"), "hello");
    assert_eq!(world.output(&tree, "stat"), "444 1\n755 1\n755 1\n");
    assert_eq!(world.output(&tree, "fds"), "0\n1\n2\n3\n");
}

fn rights(world: &World) {
    let script = "touch /out/f; if chown 5:6 /out/f || mount -t tmpfs none /tmp || setpriv --reuid 7 true; then exit 1; fi; \
                  while read -r line; do case $line in Cap*|NoNew*) echo $line;; esac; done < /proc/self/status > /out/status";
    let tree = world.run(&program(script)).unwrap();
    let none = "0000000000000000";
    let expected = format!(
        "CapInh: {none}\nCapPrm: {none}\nCapEff: {none}\nCapBnd: {none}\nCapAmb: {none}\nNoNewPrivs: 1\n"
    );
    assert_eq!(world.output(&tree, "status"), expected);
    for (path, entry) in world.store.tree(&tree).unwrap().entries() {
        assert_eq!((entry.uid, entry.gid), (0, 0), "{path}");
    }
}

fn network(world: &World) {
    let script = "cat /proc/net/dev > /out/dev; cat /proc/net/route > /out/route; \
                  if (echo > /dev/tcp/127.0.0.1/22) 2> /out/refused; then exit 1; fi";
    let tree = world.run(&program(script)).unwrap();
    let devices = world.output(&tree, "dev");
    assert!(devices.lines().skip(2).all(|line| line.trim_start().starts_with("lo:")), "{devices}");
    assert!(world.output(&tree, "route").lines().count() <= 1);
    assert!(world.output(&tree, "refused").contains("Network is unreachable"));
}

fn output_is_the_same_for_all(world: &World) {
    let script = "mkdir /out/d; echo goose > /out/d/f; touch -d @1 /out/d/old; chmod 600 /out/d/f; cat /proc/self/status \
                  | while read -r line; do case $line in Uid*|Gid*|Groups*|CapBnd*) echo $line;; esac; done > /out/status";
    let tree = world.run(&program(script)).unwrap();
    // Changes only if the jail or the tree's form does.
    assert_eq!(tree.to_string(), SAME);
    let key = program(script).key();
    assert_eq!(world.store.action(&key).unwrap().map(|(digest, _)| digest), Some(tree));
}

const SAME: &str = "sha256:ee962143c887e9db4c9b0d1734c9496f76fe0f04b7ecf23410f6c490093d095f";

fn failure(world: &World) {
    let error = world.run(&program("echo first; echo the last line >&2; exit 3")).unwrap_err();
    let RunError::Program(failure) = &error else { panic!("{error:?}") };
    // A runtime copies stdout and stderr from two pipes, so either line may be the first (src/runner/bundle.rs).
    let expected = match world.backend {
        Backend::Runc if failure.tail.starts_with("the") => "the last line\nfirst\n",
        Backend::Runc | Backend::Embedded => "first\nthe last line\n",
    };
    assert_eq!((failure.ended.code(), failure.tail.as_str()), (3, expected));
    let log = failure.log.clone().unwrap();
    let command = "command: bash -c 'echo first; echo the last line >&2; exit 3'\n";
    assert_eq!(fs::read_to_string(log).unwrap(), format!("{expected}{command}"));
    let text = error.to_string();
    assert!(text.contains(command), "{text}");
    // Of a script of several lines, the message tells only how many; the log has them.
    let error = world.run(&program("echo first\nexit 3")).unwrap_err();
    let RunError::Program(failure) = &error else { panic!("{error:?}") };
    let log = fs::read_to_string(failure.log.as_ref().unwrap()).unwrap();
    assert_eq!(log, "first\ncommand: bash -c 'echo first\nexit 3'\n");
    let text = error.to_string();
    assert!(text.contains("command: bash -c <script of 2 lines, at the end of the log>"), "{text}");
    let error =
        world.run(&program("for ((i = 0; i < 3000; i++)); do echo line $i; done; exit 1")).unwrap_err();
    let RunError::Program(failure) = &error else { panic!("{error:?}") };
    assert!(failure.tail.len() <= 4096 && failure.tail.ends_with("line 2999\n"));
}

fn signal(world: &World) {
    // With runc the program is process 1, which nothing in its jail can kill; a runtime says it by an exit code.
    let error =
        world.run(&program("bash -c 'kill -TERM $$'; code=$?; kill -TERM $$; exit $code")).unwrap_err();
    let RunError::Program(failure) = &error else { panic!("{error:?}") };
    let expected = match world.backend {
        Backend::Embedded => runner::Ended::Signalled(15),
        Backend::Runc => runner::Ended::Exited(143),
    };
    assert_eq!(failure.ended, expected);
}

fn deadline(world: &World) {
    let options = RunOptions { deadline: Duration::from_millis(700) };
    let script = "echo started; (sleep 98761 &) ; trap '' TERM; sleep 98761";
    let start = Instant::now();
    let error = world.run_with(&program(script), &options).unwrap_err();
    assert!(matches!(&error, RunError::Deadline { tail, .. } if tail == "started\n"), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(!exists("98761"), "a process outlived the deadline");
}

fn native_step(world: &World) {
    let tree = world.run(&with_inputs(world, action("look", Executor::Native(1), None))).unwrap();
    let expected = "build in out | a | hello | {\"colour\": \"grey\"} | refused true";
    assert_eq!(world.output(&tree, "seen"), expected);
}

fn native_failure(world: &World) {
    let error = world.run(&action("fail", Executor::Native(1), None)).unwrap_err();
    assert!(
        matches!(&error, RunError::Native { message, .. } if message.contains("the goose is gone")),
        "{error:?}"
    );
    let error = world.run(&action("panic", Executor::Native(1), None)).unwrap_err();
    assert!(error.to_string().contains("the goose panics"), "{error}");
}

fn missing_program(world: &World) {
    let mut missing = program("");
    missing.step.executor = Executor::Program(vec!["no-such-program".into()]);
    let error = world.run(&missing).unwrap_err();
    match world.backend {
        Backend::Embedded => assert!(matches!(error, RunError::Execute { .. }), "{error:?}"),
        Backend::Runc => assert!(matches!(error, RunError::Runtime { .. }), "{error:?}"),
    }
    assert!(error.to_string().contains("no-such-program"), "{error}");
}
