//! A signer that runs, and how tests talk to it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gander::sign::agent::Client;
use gander::sign::agent::request::{Answer, Code, Operation, Refusal, Request, Secret};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Secrets that must be found nowhere.
pub const PASSWORD: &str = "administrators-password-9f2c";
pub const ALICE: &str = "passphrase-of-alice-71ab";
pub const BOB: &str = "passphrase-of-bob-55de";

pub fn gander() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gander"))
}

/// A signer with the administrator `root` and, if asked for, the key `k1` of alice.
pub struct Signer {
    pub folder: TempDir,
    pub runtime: Runtime,
    child: Mutex<Option<Child>>,
    options: Vec<String>,
    /// What its environment has besides.
    variables: Mutex<Vec<(String, String)>>,
}

impl Signer {
    pub fn new(options: &[&str]) -> Self {
        Self::with(options, &[])
    }

    pub fn with(options: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        Self::around(folder, &store, options, variables)
    }

    pub fn within(folder: TempDir, store: &Path, options: &[&str]) -> Self {
        Self::around(folder, store, options, &[])
    }

    fn around(folder: TempDir, store: &Path, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let file = folder.path().join("password");
        fs::write(&file, format!("{PASSWORD}\n")).unwrap();
        let made = gander()
            .args(["sigul", "administrator", "root", "--store"])
            .arg(store)
            .arg("--password-file")
            .arg(&file)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::remove_file(&file).unwrap();
        Self::run(folder, store, options, variables)
    }

    /// Over a store that somebody else made.
    pub fn over(store: &Path) -> Self {
        Self::run(tempfile::tempdir().unwrap(), store, &[], &[])
    }

    fn run(folder: TempDir, store: &Path, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let options = options.iter().map(ToString::to_string).collect();
        let (runtime, child) = (Runtime::new().unwrap(), Mutex::new(None));
        let signer = Self { folder, runtime, child, options, variables: Mutex::default() };
        signer.set(variables);
        if store != signer.store() {
            std::os::unix::fs::symlink(store, signer.store()).unwrap();
        }
        signer.start();
        signer
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().unwrap().id()
    }

    /// Gives it another environment, from the next start on.
    pub fn set(&self, variables: &[(&str, &str)]) {
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        *self.variables.lock().unwrap() = variables.iter().map(owned).collect();
    }

    pub fn start(&self) {
        self.try_start().unwrap_or_else(|log| panic!("the signer did not start: {log}"));
    }

    /// Starts it; what it said if it ended at once.
    pub fn try_start(&self) -> Result<(), String> {
        let path = self.folder.path().join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let before = self.log().len();
        let mut child = gander()
            .args(["sigul", "signer", "--store"])
            .arg(self.store())
            .arg("--socket")
            .arg(self.socket())
            .args(&self.options)
            .envs(self.variables.lock().unwrap().iter().cloned())
            .stderr(log)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let start = Instant::now();
        loop {
            let said = self.log().split_off(before);
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!("{status}: {said}"));
            }
            if said.contains("the signer is ready") {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
        *self.child.lock().unwrap() = Some(child);
        Ok(())
    }

    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it by a signal and waits.
    pub fn end(&self, name: &str) {
        self.signal(name);
        let mut child = self.child.lock().unwrap().take().unwrap();
        child.wait().unwrap();
    }

    pub fn client(&self) -> Client {
        Client::at(&self.socket())
    }

    pub fn ask(&self, user: &str, operation: Operation, secrets: &[(Secret, &str)]) -> Asked {
        let request = Request { user: user.into(), operation };
        let secrets: Vec<_> = secrets.iter().map(|(which, secret)| (*which, secret.as_bytes())).collect();
        self.runtime
            .block_on(self.client().ask(&request, &secrets))
            .unwrap()
            .map(|(answer, payload)| (answer, payload.to_vec()))
    }

    /// As the administrator.
    pub fn administer(&self, operation: Operation) -> Asked {
        self.ask("root", operation, &[(Secret::Password, PASSWORD)])
    }

    pub fn with_data(
        &self,
        user: &str,
        operation: Operation,
        secrets: &[(Secret, &str)],
        data: &[u8],
    ) -> Asked {
        let request = Request { user: user.into(), operation };
        self.runtime.block_on(async {
            let mut session = self.client().open(&request).await.unwrap();
            session.data(data).await.unwrap();
            for (which, secret) in secrets {
                session.secret(*which, secret.as_bytes()).await.unwrap();
            }
            session.finish().await.unwrap().map(|(answer, payload)| (answer, payload.to_vec()))
        })
    }

    pub fn new_user(&self, name: &str) {
        self.administer(Operation::NewUser { name: name.into(), admin: false }).unwrap();
    }

    /// The users alice and bob, and the key `k1` of alice; its certificate.
    pub fn with_key(&self, algorithm: &str) -> gander::openpgp::Certificate {
        self.new_user("alice");
        self.new_user("bob");
        let (answer, payload) = self
            .ask(
                "root",
                new_key("k1", algorithm),
                &[(Secret::Password, PASSWORD), (Secret::Passphrase, ALICE)],
            )
            .unwrap();
        assert_eq!(answer, Answer::PublicKey {});
        gander::openpgp::Certificate::parse(&payload).unwrap()
    }

    pub fn sign_data(&self, data: &[u8]) -> Asked {
        self.with_data("alice", sign_data("k1"), &[(Secret::Passphrase, ALICE)], data)
    }

    pub fn verify_ledger(&self) -> (bool, String) {
        let output =
            gander().args(["sigul", "ledger", "verify", "--store"]).arg(self.store()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn ledger(&self) -> Vec<serde_json::Value> {
        let output = gander()
            .args(["sigul", "ledger", "show", "--format", "json", "--store"])
            .arg(self.store())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

pub type Asked = Result<(Answer, Vec<u8>), Refusal>;

pub fn code(asked: Asked) -> Code {
    asked.expect_err("it was not refused").code
}

pub fn sign_data(key: &str) -> Operation {
    Operation::SignData { key: key.into(), armor: false, created: None }
}

pub fn new_key(key: &str, algorithm: &str) -> Operation {
    Operation::NewKey {
        key: key.into(),
        keytype: None,
        initial_key_admin: Some("alice".into()),
        name_real: Some("Key One".into()),
        name_comment: None,
        name_email: Some("one@example.org".into()),
        expire_date: None,
        algorithm: Some(algorithm.into()),
    }
}
