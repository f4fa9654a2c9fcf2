//! A server that runs, and a bridge that hands its connections to the test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gander::openpgp::Certificate;
use gander::sign::agent::Client;
use gander::sign::agent::request::{Operation, Request, Secret};
use gander::sigul::authority::{Authority, Issued};
use gander::sigul::stream::{Identity, Tls};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_openssl::SslStream;

/// Secrets that must be found nowhere.
pub const PASSWORD: &str = "administrators-password-83d1";
pub const ALICE: &str = "passphrase-of-alice-c07e";
pub const BOB: &str = "passphrase-of-bob-1f92";

/// A loopback address that nobody else has: a port of it can be left and taken again, as no connection of another
/// test begins or ends there.
fn loopback() -> Ipv4Addr {
    static WORLDS: AtomicU8 = AtomicU8::new(1);
    let world = WORLDS.fetch_add(1, Ordering::Relaxed);
    assert!(world < u8::MAX, "there are no more addresses");
    let [.., high, low] = std::process::id().to_be_bytes();
    // 127.0 is what everybody uses.
    Ipv4Addr::new(127, high.max(1), low, world)
}

pub fn gander() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gander"))
}

/// The administrator root, alice with the key k1, bob with the key k2; all have certificates.
pub struct World {
    pub folder: TempDir,
    pub runtime: Runtime,
    pub authority: Authority,
    /// The certificates of k1 and k2.
    pub keys: [Certificate; 2],
    listener: Mutex<Option<Arc<TcpListener>>>,
    /// Where the bridge is.
    pub address: SocketAddr,
    tls: Tls,
    server: Mutex<Option<Child>>,
}

impl World {
    /// With lines in front of the configuration's tables, and lines of its limits.
    pub fn new(lines: &str, limits: &str) -> Self {
        let world = Self::ended(lines, limits);
        world.start();
        world
    }

    /// The same with a server that does not run.
    pub fn ended(lines: &str, limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create("Test CA", 30).unwrap();
        let put = |name: &str, bytes: &[u8]| write(&folder.path().join(name), bytes);
        put("ca.pem", &authority.to_pem().unwrap().certificate);
        for name in ["bridge.test", "server.test", "root", "alice", "bob", "robot"] {
            issue(folder.path(), name, &authority.issue(name, 30).unwrap());
        }
        let runtime = Runtime::new().unwrap();
        let keys = fill(folder.path(), &runtime);
        let listener = runtime.block_on(TcpListener::bind((loopback(), 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Tls::new(&identity(folder.path(), "bridge.test")).unwrap();
        fs::create_dir(folder.path().join("spool")).unwrap();
        let status = folder.path().join("status");
        let text = format!(
            "bridge = \"{address}\"\nbridge-name = \"bridge.test\"\ncertificate = \"server.test.pem\"\n\
            key = \"server.test.key\"\nauthority = \"ca.pem\"\nstore = \"store\"\nspool = \"spool\"\n\
            status = {status:?}\n{lines}\n[limits]\n{limits}\n"
        );
        put("server.toml", text.as_bytes());
        let (listener, server) = (Mutex::new(Some(Arc::new(listener))), Mutex::new(None));
        Self { folder, runtime, authority, keys, listener, address, tls, server }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Starts the server, and waits until its signer is ready.
    pub fn start(&self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let before = self.log().len();
        self.start_logging_to(log);
        self.wait_for("signer-ready", || self.log()[before..].contains("signer-ready"));
    }

    /// Starts the server, and waits for nothing.
    pub fn start_logging_to(&self, log: fs::File) {
        let mut command = gander();
        command.args(["sigul", "server", "--config"]).arg(self.path("server.toml"));
        let child = command.stderr(log).stdin(Stdio::null()).process_group(0).spawn().unwrap();
        *self.server.lock().unwrap() = Some(child);
    }

    /// Waits for something, not for ever.
    pub fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_secs(40), "{what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn pid(&self) -> u32 {
        self.server.lock().unwrap().as_ref().unwrap().id()
    }

    /// The signer that the server started.
    pub fn signer(&self) -> Option<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let children = tasks.flat_map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
        });
        // A killed process looks like a zombie while threads of it still end; it can be waited for when they have.
        let alive = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let zombie = |rest: &str| rest.trim().starts_with('Z');
            let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
            stat.rsplit(')').next().is_some_and(|rest| !zombie(rest) || threads() > 1)
        };
        children.filter(alive).min()
    }

    /// Kills the signer, and waits until it is no more: which.
    pub fn kill_signer(&self) -> u32 {
        let signer = self.signer().expect("there is a signer");
        self.signal("KILL", signer);
        self.wait_for("the signer's end", || self.signer() != Some(signer));
        signer
    }

    pub fn signal(&self, name: &str, pid: u32) {
        let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the server's end.
    pub fn ended_well(&self) -> bool {
        let mut child = self.server.lock().unwrap().take().unwrap();
        child.wait().unwrap().success()
    }

    pub fn identity(&self, name: &str) -> Identity {
        identity(self.folder.path(), name)
    }

    /// A connection that the server holds open.
    pub async fn connection(&self) -> SslStream<TcpStream> {
        let taking = async {
            loop {
                let listener = self.listener.lock().unwrap().clone().expect("the bridge is open");
                let accepted = listener.accept().await.unwrap().0;
                accepted.set_nodelay(true).unwrap();
                // Others are what a server left that is dead.
                if let Ok(Ok(stream)) =
                    tokio::time::timeout(Duration::from_secs(10), self.tls.accept(accepted)).await
                {
                    return stream;
                }
            }
        };
        let taken = tokio::time::timeout(Duration::from_secs(30), taking).await;
        taken.unwrap_or_else(|_| panic!("no connection came\n{}", self.log()))
    }

    /// Several, for what goes on at the same time.
    pub async fn connections(&self, number: usize) -> Vec<SslStream<TcpStream>> {
        let mut all = Vec::new();
        for _ in 0..number {
            all.push(self.connection().await);
        }
        all
    }

    /// The bridge goes away, with what waited there.
    pub fn close_bridge(&self) {
        drop(self.listener.lock().unwrap().take());
    }

    /// And comes back.
    pub fn open_bridge(&self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).unwrap();
        *self.listener.lock().unwrap() = Some(Arc::new(listener));
    }

    /// What the socket for people says: status and text.
    pub fn status(&self, path: &str) -> (u16, String) {
        let mut stream = UnixStream::connect(self.path("status")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.into())
    }

    pub fn ledger(&self) -> String {
        let shown = gander()
            .args(["sigul", "ledger", "show", "--format", "json", "--store"])
            .arg(self.path("store"))
            .output();
        String::from_utf8(shown.unwrap().stdout).unwrap()
    }

    /// Signatures that the ledger knows.
    pub fn signatures(&self) -> usize {
        self.ledger().matches("\"event\":\"signature\"").count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        if !std::thread::panicking() {
            let log = self.log();
            for secret in [PASSWORD, ALICE, BOB] {
                assert!(!log.contains(secret), "{log}");
            }
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Writes a certificate and its key.
pub fn issue(folder: &Path, name: &str, issued: &Issued) {
    write(&folder.join(format!("{name}.pem")), &issued.certificate);
    write(&folder.join(format!("{name}.key")), &issued.key);
}

fn identity(folder: &Path, name: &str) -> Identity {
    Identity {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
        authority: folder.join("ca.pem"),
    }
}

/// Makes users and keys, by a signer of its own.
fn fill(folder: &Path, runtime: &Runtime) -> [Certificate; 2] {
    let (store, password, socket) = (folder.join("store"), folder.join("password"), folder.join("socket"));
    write(&password, PASSWORD.as_bytes());
    let made = gander()
        .args(["sigul", "administrator", "root", "--store"])
        .arg(&store)
        .arg("--password-file")
        .arg(&password)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::remove_file(&password).unwrap();
    let mut command = gander();
    command.args(["sigul", "signer", "--store"]).arg(&store).arg("--socket").arg(&socket);
    let mut signer = command.stderr(Stdio::null()).process_group(0).spawn().unwrap();
    let start = Instant::now();
    while UnixStream::connect(&socket).is_err() {
        assert!(start.elapsed() < Duration::from_secs(40), "the signer did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let client = Client::at(&socket);
    let ask = |operation, secrets: &[(Secret, &[u8])]| {
        let request = Request { user: "root".into(), operation };
        runtime.block_on(client.ask(&request, secrets)).unwrap().unwrap().1
    };
    let keys = [("alice", "k1", ALICE), ("bob", "k2", BOB)].map(|(user, key, passphrase)| {
        let password = (Secret::Password, PASSWORD.as_bytes());
        ask(Operation::NewUser { name: user.into(), admin: false }, &[password]);
        let new_key = Operation::NewKey {
            key: key.into(),
            keytype: None,
            initial_key_admin: Some(user.into()),
            name_real: None,
            name_comment: None,
            name_email: None,
            expire_date: None,
            algorithm: Some("ed25519".into()),
        };
        Certificate::parse(&ask(new_key, &[password, (Secret::Passphrase, passphrase.as_bytes())])).unwrap()
    });
    signer.kill().unwrap();
    signer.wait().unwrap();
    fs::remove_file(&socket).unwrap();
    keys
}
