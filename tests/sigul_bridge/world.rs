//! A bridge that runs, with an authority and certificates for everybody.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gander::sigul::authority::Authority;
use gander::sigul::client::{Client, Outcome, Package, RpmsOptions, Settings};
use gander::sigul::stream::{Divided, Identity, Tls, TlsError, divide};
use tempfile::TempDir;
use tokio::net::TcpStream;

pub const BRIDGE: &str = "bridge.example.org";
pub const SERVER: &str = "sigul.example.org";
pub const USER: &str = "goose";
/// How long nothing may happen in a test.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn gander() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gander"))
}

/// Runs a future to its end, which has to come.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let done = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(240), future).await });
    runtime.shutdown_background();
    done.unwrap_or_else(|_| panic!("it takes too long"))
}

/// A file that only its owner may read.
pub fn write_secret(path: &Path, bytes: &[u8]) {
    let mut file =
        fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// Certificates in a folder.
pub struct Parties {
    pub folder: TempDir,
    pub authority: Authority,
}

impl Parties {
    pub fn new() -> Self {
        let parties =
            Self { folder: tempfile::tempdir().unwrap(), authority: Authority::create("CA", 2).unwrap() };
        fs::write(parties.path("ca.pem"), parties.authority.to_pem().unwrap().certificate).unwrap();
        for name in [BRIDGE, SERVER, USER] {
            parties.issue(name, 2);
        }
        parties
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a certificate, or another one in its place.
    pub fn issue(&self, name: &str, days: u32) {
        let issued = self.authority.issue(name, days).unwrap();
        self.put(name, &issued.certificate, &issued.key);
    }

    pub fn put(&self, name: &str, certificate: &[u8], key: &[u8]) {
        fs::write(self.path(&format!("{name}.pem")), certificate).unwrap();
        write_secret(&self.path(&format!("{name}.key")), key);
    }

    pub fn identity(&self, name: &str) -> Identity {
        Identity {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            authority: self.path("ca.pem"),
        }
    }

    /// The bridge's configuration; `limits` are lines of its table, `more` comes behind all.
    pub fn configure(&self, listen: [&str; 2], limits: &str, more: &str) -> PathBuf {
        let [clients, servers] = listen;
        let status = self.path("status");
        let text = format!(
            "listen-clients = [{clients}]\nlisten-servers = [{servers}]\ncertificate = \"{BRIDGE}.pem\"\n\
             key = \"{BRIDGE}.key\"\nauthority = \"ca.pem\"\nservers = [\"{SERVER}\"]\nstatus = {status:?}\n\
             [limits]\n{limits}\n{more}\n"
        );
        let path = self.path("bridge.toml");
        fs::write(&path, text).unwrap();
        path
    }
}

/// A bridge, until it is dropped.
pub struct Bridge {
    pub parties: Arc<Parties>,
    pub clients: SocketAddr,
    pub servers: SocketAddr,
    log: Arc<Mutex<String>>,
    child: Child,
}

const ANYWHERE: &str = "\"127.0.0.1:0\"";

impl Bridge {
    pub fn new() -> Self {
        Self::with("")
    }

    /// One with other limits.
    pub fn with(limits: &str) -> Self {
        Self::of(Arc::new(Parties::new()), limits, "")
    }

    pub fn of(parties: Arc<Parties>, limits: &str, more: &str) -> Self {
        let config = parties.configure([ANYWHERE; 2], limits, more);
        Self::start(parties, &config)
    }

    pub fn start(parties: Arc<Parties>, config: &Path) -> Self {
        Self::start_with(parties, config, &[])
    }

    /// With more options.
    pub fn start_with(parties: Arc<Parties>, config: &Path, options: &[&str]) -> Self {
        let mut child = gander()
            .args(["sigul", "bridge", "--config"])
            .arg(config)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<String>>::default();
        let (told, mut stderr) = (log.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                told.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut address = |side: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix(side).unwrap_or_else(|| panic!("{line:?} {log:?}"));
            address.trim().parse().unwrap()
        };
        let [clients, servers] = [address("clients"), address("servers")];
        Self { parties, clients, servers, log, child }
    }

    /// What it told until now.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line has all of these.
    pub fn told(&self, parts: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| parts.iter().all(|part| line.contains(part))) {
                return line.into();
            }
            assert!(begun.elapsed() < PATIENCE, "{parts:?} is not in {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The log has a text so often, not more often; it comes a little later than what it tells.
    pub fn told_times(&self, times: usize, text: &str) {
        let begun = Instant::now();
        while self.log().matches(text).count() < times && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.log().matches(text).count(), times, "{}", self.log());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits until it has ended: its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks the local socket, which is there when it has started.
    pub fn status(&self, what: &str) -> String {
        self.told(&["event=started"]);
        let mut stream = UnixStream::connect(self.parties.path("status")).unwrap();
        write!(stream, "GET {what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Waits until the local socket's answer has a text: figures come a little later than what they count.
    pub fn shows(&self, what: &str, text: &str) {
        let begun = Instant::now();
        loop {
            let answer = self.status(what);
            if answer.contains(text) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{text:?} is not in {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Most memory that it ever had, in KiB.
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A client of ours.
    pub fn client(&self) -> Client {
        self.client_of(USER)
    }

    pub fn client_of(&self, name: &str) -> Client {
        Client::new(Settings {
            bridge: (self.clients.ip().to_string(), self.clients.port()),
            bridge_name: BRIDGE.into(),
            server_name: SERVER.into(),
            user: Some(name.into()),
            identity: self.parties.identity(name),
            patience: PATIENCE,
        })
        .unwrap()
    }

    /// Connects, and makes the outer handshake.
    pub async fn connect(&self, to: SocketAddr, identity: &Identity) -> Result<Divided, TlsError> {
        let tcp = TcpStream::connect(to).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Ok(divide(Tls::new(identity)?.connect(BRIDGE, tcp).await?, PATIENCE))
    }

    /// A client's connection, whose sender does with it what it wants.
    pub async fn raw_client(&self) -> Divided {
        self.connect(self.clients, &self.parties.identity(USER)).await.unwrap()
    }
}

/// Has packages signed: what became of each.
pub async fn signed(
    client: &Client,
    key: &str,
    options: &RpmsOptions,
    packages: &[Package],
    folder: &Path,
) -> BTreeMap<usize, Outcome> {
    let mut outcomes = BTreeMap::new();
    let told = |place, outcome| drop(outcomes.insert(place, outcome));
    client.sign_rpms(key, b"honk", options, packages, folder, told).await.unwrap();
    outcomes
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            println!("the bridge told:\n{}", self.log());
        }
    }
}
