//! A bridge, a server and its signer as processes of the built binary, and siguldry's driver to ask them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The administrator's password, which is no part of any message.
pub const PASSWORD: &str = "administrators-password-03be";

/// The driver, or none where this machine has none.
pub fn driver() -> Option<PathBuf> {
    let path = std::env::var_os("GANDER_PEER_SIGULDRY").map(PathBuf::from);
    if path.is_none() {
        let message = "GANDER_PEER_SIGULDRY names no driver of siguldry's client (ci/test builds it)";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("SKIPPED: {message}");
    }
    path
}

/// A signing service with the users root (the administrator) and goose, who both have certificates.
pub struct Service {
    pub folder: TempDir,
    pub port: u16,
    driver: PathBuf,
    processes: Vec<Child>,
}

impl Service {
    pub fn start(driver: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, format!("{PASSWORD}\n")).unwrap();
        let free = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let [clients, servers] = free.map(|listener| listener.local_addr().unwrap());
        let installed = gander()
            .args(["sigul", "init", "--bridge", "localhost", "--user", "root", "--user", "goose"])
            .args(["--listen-clients", &clients.to_string(), "--listen-servers", &servers.to_string()])
            .arg("--password-file")
            .arg(&password)
            .arg(folder.path().join("installed"))
            .output()
            .unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let mut service = Self { folder, port: clients.port(), driver, processes: Vec::new() };
        for part in ["bridge", "server"] {
            let log = fs::File::create(service.folder.path().join(format!("{part}.log"))).unwrap();
            let process = gander()
                .args(["sigul", part, "--config"])
                .arg(service.path(&format!("{part}/{part}.toml")))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            service.processes.push(process);
            // Servers try again after a while where there is no bridge yet: that would take its time.
            let begun = Instant::now();
            while part == "bridge" && TcpStream::connect(clients).is_err() {
                assert!(begun.elapsed() < Duration::from_secs(30), "{}", service.log(part));
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        service
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("installed").join(name)
    }

    pub fn log(&self, part: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("{part}.log"))).unwrap()
    }

    /// siguldry's client as a user, with their own certificate.
    pub fn siguldry(&self, user: &str) -> Siguldry {
        self.siguldry_with(user, &self.path(&format!("users/{user}")))
    }

    /// The same with the certificate in a folder.
    pub fn siguldry_with(&self, user: &str, folder: &Path) -> Siguldry {
        let connection = json!({
            "bridge": "localhost", "port": self.port, "server": "sigul-server", "user": user,
            "certificate": folder.join("user.pem"), "key": folder.join("user.key"),
            "authority": self.path("authority/ca.pem"), "patience": 60,
        });
        Siguldry::start(&self.driver, &connection)
    }

    /// gander's own client.
    pub fn ask(&self, user: &str, secrets: &[&str], arguments: &[&str]) -> Output {
        let mut asking = gander()
            .arg("sigul")
            .args(arguments)
            .args(["--batch", "--config"])
            .arg(self.path(&format!("users/{user}/sigul.toml")))
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let text: String = secrets.iter().map(|secret| format!("{secret}\0")).collect();
        asking.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        asking.wait_with_output().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!("bridge:\n{}server:\n{}", self.log("bridge"), self.log("server"));
        }
    }
}

/// A running driver.
pub struct Siguldry {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Siguldry {
    fn start(driver: &Path, connection: &Value) -> Self {
        let mut process = Command::new(driver).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut requests = process.stdin.take().unwrap();
        writeln!(requests, "{connection}").unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, requests: Some(requests), answers }
    }

    /// Carries out an operation; gives the line of its outcome.
    pub fn outcome(&mut self, operation: &Value) -> Value {
        writeln!(self.requests.as_mut().unwrap(), "{operation}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{operation}: {line:?}: {error}"))
    }

    /// Carries out an operation that has to succeed.
    #[track_caller]
    pub fn done(&mut self, operation: Value) -> Value {
        let mut outcome = self.outcome(&operation);
        let done = outcome.get_mut("ok").map(Value::take);
        done.unwrap_or_else(|| panic!("{operation}: {outcome}"))
    }

    /// Carries out an operation that the server has to refuse; gives the name of its code.
    #[track_caller]
    pub fn refused(&mut self, operation: Value) -> String {
        let outcome = self.outcome(&operation);
        let code = outcome.pointer("/error/code").and_then(Value::as_str);
        code.unwrap_or_else(|| panic!("{operation}: {outcome}")).to_owned()
    }
}

impl Drop for Siguldry {
    fn drop(&mut self) {
        drop(self.requests.take());
        self.process.wait().unwrap();
    }
}

fn gander() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gander"))
}
