//! A hub that serves, and the programs that use it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gander::format::xmlrpc::{Arguments, Fault, Limits, Value, read_answer, write_call};

use super::bench::{Bench, Output, run};

/// The folder of a data set, and the koji command line; none (said loudly) where one is missing.
pub fn peers(test: &str) -> Option<(PathBuf, PathBuf)> {
    let koji = std::env::var_os("GANDER_PEER_KOJI")
        .map(|python| Path::new(&python).with_file_name("koji"))
        .filter(|koji| koji.is_file());
    let oracle = std::env::var_os("GANDER_ORACLE").map(|oracle| Path::new(&oracle).join("koji"));
    let why = match (koji, oracle) {
        (Some(koji), Some(oracle)) => return Some((koji, oracle)),
        (None, _) => "there is no koji beside GANDER_PEER_KOJI; ci/test installs it",
        (_, None) => "GANDER_ORACLE is not set",
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("SKIPPED {test}: {why}");
    None
}

/// A hub that serves, until it is dropped.
pub struct Serving {
    child: Option<Child>,
    pub port: u16,
}

impl Serving {
    /// Serves the hub in a folder of the bench.
    pub fn start(bench: &Bench, folder: &str) -> Self {
        Self::run(bench, &["hub", "serve", folder])
    }

    /// Serves what a lock keeps of a tag.
    pub fn replay(bench: &Bench, lock: &str) -> Self {
        Self::run(bench, &["--store", "store", "hub", "replay", lock])
    }

    fn run(bench: &Bench, arguments: &[&str]) -> Self {
        Self::spawn(bench.gander().args(arguments))
    }

    /// A program that serves a hub, and says where on its first line.
    pub fn spawn(program: &mut Command) -> Self {
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.trim().strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/kojihub"));
        let port = port.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Self { child: Some(child), port }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        run(Command::new("kill").arg("-9").arg(child.id().to_string())).exits(0);
        child.wait().unwrap();
    }

    /// Ends it as an administrator does; its exit code.
    pub fn end(mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        run(Command::new("kill").arg(child.id().to_string())).exits(0);
        child.wait().unwrap().code()
    }

    /// Sends a request as it is, and reads what comes back until the connection ends.
    pub fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A server that has said no may not read to the end.
        drop(stream.write_all(request));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Posts a body with headers (each with its line end); status line and headers, and the body.
    pub fn post(&self, target: &str, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
        self.exchange(target, headers, body).unwrap()
    }

    /// The same with a hub that may be gone.
    fn exchange(&self, target: &str, headers: &str, body: &[u8]) -> std::io::Result<(String, Vec<u8>)> {
        let length = body.len();
        let mut request = format!(
            "POST {target} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        drop(stream.write_all(&request));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
        let body = answer.get(end + 4..).unwrap_or_default().to_vec();
        Ok((String::from_utf8_lossy(&answer[..end]).to_lowercase(), body))
    }

    /// Calls a method.
    pub fn call(
        &self,
        session: Option<&Session>,
        method: &str,
        arguments: Arguments,
    ) -> Result<Value, Fault> {
        let headers = session.map(Session::headers).unwrap_or_default();
        let call = write_call(method, &arguments.into_params());
        let (head, body) = self.post("/kojihub", &format!("Content-Type: text/xml\r\n{headers}"), &call);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        read_answer(&*body, &Limits::default()).unwrap()
    }

    /// Logs in.
    pub fn login(&self, user: &str, password: &str) -> Result<Session, Fault> {
        let answer = self.call(None, "login", Arguments::of(user).and(password))?;
        let (Some(Value::Int(id)), Some(Value::Text(key))) =
            (answer.get("session-id"), answer.get("session-key"))
        else {
            panic!("{answer:?}")
        };
        Ok(Session { id: *id, key: key.clone(), call: None })
    }

    /// Uploads a file in one piece, and imports it.
    pub fn import(&self, session: &Session, folder: &str, file: &Path) -> Result<Value, Fault> {
        let name = file.file_name().unwrap().to_str().unwrap();
        let target =
            format!("/kojihub?filename={name}&filepath={folder}&fileverify=adler32&offset=0&overwrite=1");
        let (head, body) = self.upload(session, &target, &std::fs::read(file).unwrap());
        assert!(head.starts_with("http/1.1 200"), "{head}");
        read_answer::<Value>(&*body, &Limits::default()).unwrap()?;
        self.call(Some(session), "importRPM", Arguments::of(folder).and(name))
    }

    /// Imports a file by a hub that may be gone in the middle: whether it said that it has the file.
    pub fn try_import(&self, session: &Session, folder: &str, file: &Path) -> Option<bool> {
        let name = file.file_name()?.to_str()?;
        let target =
            format!("/kojihub?filename={name}&filepath={folder}&fileverify=adler32&offset=0&overwrite=1");
        let headers = format!("Content-Type: application/octet-stream\r\n{}", session.headers());
        self.exchange(&target, &headers, &std::fs::read(file).unwrap()).ok()?;
        let call = write_call("importRPM", &Arguments::of(folder).and(name).into_params());
        let headers = format!("Content-Type: text/xml\r\n{}", session.headers());
        let (_, body) = self.exchange("/kojihub", &headers, &call).ok()?;
        Some(read_answer::<Value>(&*body, &Limits::default()).ok()?.is_ok())
    }

    /// Posts a piece of an upload.
    pub fn upload(&self, session: &Session, target: &str, body: &[u8]) -> (String, Vec<u8>) {
        let headers = format!("Content-Type: application/octet-stream\r\n{}", session.headers());
        self.post(target, &headers, body)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A session of a user.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: i64,
    pub key: String,
    pub call: Option<i64>,
}

impl Session {
    fn headers(&self) -> String {
        let Self { id, key, call } = self;
        let call = call.map(|call| format!("Koji-Session-Callnum: {call}\r\n")).unwrap_or_default();
        format!("Koji-Session-Id: {id}\r\nKoji-Session-Key: {key}\r\n{call}")
    }
}

/// Gives a hub an administrator `kojiadmin` with the password `honk`.
pub fn administrator(bench: &Bench, folder: &str) {
    let password = bench.write("password", "honk\n");
    let password = password.to_str().unwrap();
    bench.run(["hub", "user", folder, "kojiadmin", "--admin", "--password-file", password]).exits(0);
}

/// Runs the koji command line against a port of this machine.
pub fn koji(bench: &Bench, program: &Path, port: u16, arguments: &[&str]) -> Output {
    run(&mut koji_command(bench, program, port, arguments))
}

/// The same, to be run.
pub fn koji_command(bench: &Bench, program: &Path, port: u16, arguments: &[&str]) -> Command {
    let config = bench.write(
        &format!("koji-{port}.conf"),
        format!(
            "[hub]\nserver = http://127.0.0.1:{port}/kojihub\ntopurl = http://127.0.0.1:{port}/kojifiles\nmax_retries = 1\n"
        ),
    );
    let downloads = bench.path("downloads");
    std::fs::create_dir_all(&downloads).unwrap();
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", bench.path("home"))
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .current_dir(downloads)
        .stdin(Stdio::null())
        .arg("-c")
        .arg(config)
        .args(["-p", "hub", "--authtype=password", "--user=kojiadmin", "--password=honk"])
        .args(arguments);
    command
}

/// A source package of this name, for binaries that were built elsewhere.
pub fn source_package(bench: &Bench, name: &str, version: &str, release: &str) -> PathBuf {
    let spec = bench.write(
        &format!("{name}.spec"),
        format!("Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: x\nLicense: MIT\n%description\nx\n"),
    );
    let folder = bench.path("sources");
    let define = |name: &str| format!("{name} {}", folder.display());
    run(Command::new("rpmbuild")
        .args(["-bs", "--define", &define("_topdir"), "--define", &define("_srcrpmdir")])
        .arg(spec))
    .exits(0);
    folder.join(format!("{name}-{version}-{release}.src.rpm"))
}

/// A source package NAME-1-1 with so many MiB that no compression makes less.
pub fn large_source_package(bench: &Bench, name: &str, size: usize) -> PathBuf {
    let mut noise = vec![0; size << 20];
    openssl::rand::rand_bytes(&mut noise).unwrap();
    bench.write("sources/noise", noise);
    let spec = bench.write(
        &format!("large-{name}.spec"),
        format!("Name: {name}\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nSource0: noise\n%description\nx\n"),
    );
    let folder = bench.path("sources");
    let define = |name: &str| format!("{name} {}", folder.display());
    run(Command::new("rpmbuild")
        .args(["-bs", "--define", "_source_payload w1.gzdio", "--define", &define("_topdir")])
        .args(["--define", &define("_srcrpmdir"), "--define", &define("_sourcedir")])
        .arg(spec))
    .exits(0);
    folder.join(format!("{name}-1-1.src.rpm"))
}

/// Files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
