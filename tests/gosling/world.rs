//! The shared first compose, ways to run gander and its peers, and a mirror on the loopback device.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use gander::store::Store;

use super::folder::Folder;

/// Says something at once, also where a test ends well.
#[allow(clippy::explicit_write, reason = "libtest holds back what the macro writes")]
pub fn say(text: impl std::fmt::Display) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

/// Skips a test, or a part of one: loudly, and not at all with `CI=true`.
pub fn skip(what: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} cannot run: {why}");
    say(format_args!("SKIPPED {what}: {why}"));
}

/// Whether these programs are here; skips the test if not.
pub fn have(test: &str, programs: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let is_there = |name: &&&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let missing: Vec<_> = programs.iter().filter(|name| !is_there(name)).copied().collect();
    if !missing.is_empty() {
        skip(test, &format!("not installed: {}", missing.join(", ")));
    }
    missing.is_empty()
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The package's own folder.
pub fn package_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// The lock that lies beside Gosling's recipe in the repository.
pub fn committed_lock() -> PathBuf {
    let folder = package_root().join("recipes/gosling.lock");
    assert!(folder.is_dir(), "{} is not there: make it with 'gander lock' and commit it", folder.display());
    folder
}

/// Where things lie. It is removed when the tests end, unless `GANDER_TEST_KEEP` is set.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let parent = std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from);
        let folder = tempfile::Builder::new().prefix("gander-gosling-").tempdir_in(parent).unwrap().keep();
        // Another user is to find his folder in it.
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_gander"), folder.join("gander")).unwrap();
        if std::env::var_os("GANDER_TEST_KEEP").is_none() {
            // Statics are never dropped, so a shell waits for the end of this process.
            let script = "while kill -0 \"$0\" 2>/dev/null; do sleep 1; done; rm -rf -- \"$1\"";
            let mut sweep = Command::new("setsid");
            sweep.args(["sh", "-c", script, &std::process::id().to_string()]).arg(&folder);
            sweep.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            drop(sweep.spawn().unwrap());
        }
        folder
    })
}

/// The gander under test: a copy in a place that any user may enter.
pub fn gander() -> PathBuf {
    scratch().join("gander")
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
}

impl Said {
    /// Everything.
    pub fn all(&self) -> String {
        format!("{:?}\n{}{}", self.code, self.out, self.err)
    }

    /// It must have ended well.
    pub fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.all());
        self
    }

    /// The steps that ran, as gander said on stderr: kind and label, sorted.
    pub fn steps(&self) -> Vec<String> {
        let step = |line: &str| -> Option<String> {
            let line = line.strip_prefix("  ")?.strip_suffix(" s)")?;
            let (kind, rest) = line.split_once(' ')?;
            let (label, seconds) = rest.rsplit_once(" (")?;
            seconds.parse::<f64>().ok()?;
            Some(format!("{kind} {}", label.trim()))
        };
        let mut steps: Vec<_> = self.err.lines().filter_map(step).collect();
        steps.sort();
        steps
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be started: {error}");
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// One copy of the recipes with its own store and output.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
}

impl Place {
    /// A folder with a copy of the recipes, without the lock.
    pub fn new(name: &str, order: Order) -> Self {
        let folder = scratch().join(name);
        fs::create_dir(&folder).unwrap();
        copy(&package_root().join("recipes"), &folder.join("recipes"), order);
        copy(&package_root().join("kickstarts"), &folder.join("kickstarts"), order);
        let place = Self { folder };
        if place.lock().exists() {
            fs::remove_dir_all(place.lock()).unwrap();
        }
        place
    }

    /// The recipe.
    pub fn recipe(&self) -> PathBuf {
        self.folder.join("recipes/gosling.toml")
    }

    /// The lock beside it.
    pub fn lock(&self) -> PathBuf {
        self.folder.join("recipes/gosling.lock")
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Where the compose goes.
    pub fn output(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// The tree of binary packages.
    pub fn binary(&self) -> PathBuf {
        self.output().join("compose/BaseOS/x86_64/os")
    }

    /// The packages of a tree, without those of addons within it.
    pub fn packages(tree: &Path) -> BTreeSet<PathBuf> {
        let addons = tree.join("addons");
        Folder::read(tree).ending(".rpm").filter(|path| !path.starts_with(&addons)).collect()
    }

    /// The tree of source packages.
    pub fn source(&self) -> PathBuf {
        self.output().join("compose/BaseOS/source/tree")
    }

    /// Gander with this place's store, by this mirror.
    pub fn gander(&self, mirror: Option<&str>) -> Command {
        let mut command = Command::new(gander());
        command.arg("--store").arg(self.store());
        if let Some(mirror) = mirror {
            command.args(["--debian-mirror", mirror]);
        }
        command
    }

    /// The arguments of a compose to here.
    pub fn compose(&self) -> Vec<std::ffi::OsString> {
        vec!["compose".into(), self.recipe().into(), "--output".into(), self.output().into()]
    }
}

/// In which order copies are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By name, with the times of now.
    Forward,
    /// Against the order of the names, with the times of long ago.
    Backward,
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path, order: Order) {
    fs::create_dir(to).unwrap();
    let mut names: Vec<_> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    if order == Order::Backward {
        names.reverse();
    }
    for name in names {
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to, order);
        } else {
            fs::copy(&from, &to).unwrap();
            if order == Order::Backward {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(999_999_999);
                let file = File::options().write(true).open(&to).unwrap();
                file.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
                fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}

/// The first compose: from an empty store, by the host's mirrors, with a lock made on the way.
#[derive(Debug)]
pub struct First {
    /// Where it lies.
    pub place: Place,
    /// When it began.
    pub began: Instant,
    /// A mirror that serves what it downloaded.
    pub mirror: String,
}

/// The first compose, made when it is asked for first.
pub fn first() -> &'static First {
    static FIRST: OnceLock<Result<First, String>> = OnceLock::new();
    let first = FIRST.get_or_init(|| {
        if let Some(folder) = std::env::var_os("GANDER_TEST_COMPOSED") {
            let place = Place { folder: folder.into() };
            let mirror = serve(place.store());
            return Ok(First { place, began: Instant::now(), mirror });
        }
        let place = Place::new("first", Order::Forward);
        let began = Instant::now();
        let mirror = std::env::var("GANDER_TEST_MIRROR").ok();
        let said = run(place.gander(mirror.as_deref()).args(place.compose()));
        if said.code != Some(0) {
            return Err(said.all());
        }
        let (seconds, steps) = (began.elapsed().as_secs_f64(), said.steps().len());
        say(format_args!("first compose: {seconds:.1} s with its downloads, {steps} steps"));
        let mirror = serve(place.store());
        Ok(First { place, began, mirror })
    });
    first.as_ref().unwrap_or_else(|why| panic!("the first compose failed: {why}"))
}

/// Serves the Debian packages of a store by their paths in the pool.
fn serve(store: PathBuf) -> String {
    let store = Store::open(&store).unwrap();
    let mut files = BTreeMap::new();
    for list in ["recipes/gosling/debian.lock", "recipes/images/builder.lock"] {
        for line in fs::read_to_string(package_root().join(list)).unwrap().lines() {
            if let [_, _, _, _, path, _, sum] = line.split('\t').collect::<Vec<_>>()[..] {
                let digest = format!("sha256:{sum}").parse().unwrap();
                files.insert(format!("/{path}"), store.object_path(&digest));
            }
        }
    }
    let files = Arc::new(files);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let files = Arc::clone(&files);
            // Whoever asks sees a broken transfer and says so.
            std::thread::spawn(move || answer(stream, &files).unwrap_or_default());
        }
    });
    address
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let file = request.split(' ').nth(1).and_then(|path| files.get(path)).map(File::open);
    let Some(Ok(mut file)) = file else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let length = file.metadata()?.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    std::io::copy(&mut file, &mut stream).map(drop)
}
