//! A folder with a token of softhsm2, and gander that talks to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::{Bench, Output, has_peers, package_root, run};

/// Where Debian and Fedora have softhsm2's module.
const MODULES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
/// The user's PIN; no output may have it.
pub const PIN: &str = "a-PIN-to-find";
pub const USER: &str = "Tester <t@example.org>";
pub const MADE: &str = "2026-01-01T00:00:00Z";

pub struct World {
    pub bench: Bench,
    pub module: PathBuf,
}

/// A world, unless its programs are missing.
pub fn world(programs: &[&str]) -> Option<World> {
    has_peers(&[&["softhsm2-util"], programs].concat()).then(World::new)
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        fs::create_dir(bench.path("tokens")).unwrap();
        let tokens = bench.path("tokens");
        bench.write("softhsm2.conf", format!("directories.tokendir = {}\n", tokens.display()));
        bench.write("pin", format!("{PIN}\n"));
        let module = MODULES.iter().map(Path::new).find(|path| path.is_file());
        let world = Self { bench, module: module.expect("softhsm2-util is there, its module is not").into() };
        world.token("releases");
        world
    }

    /// Sets a token up.
    pub fn token(&self, label: &str) {
        self.softhsm(&["--init-token", "--free", "--label", label, "--so-pin", "so-PIN", "--pin", PIN]);
    }

    pub fn softhsm(&self, arguments: &[&str]) {
        let mut command = Command::new("softhsm2-util");
        command
            .args(arguments)
            .current_dir(self.bench.path(""))
            .env("SOFTHSM2_CONF", self.bench.path("softhsm2.conf"));
        run(&mut command).exits(0);
    }

    /// gander, with variables for the module.
    pub fn gander_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = self.bench.gander();
        command.env("SOFTHSM2_CONF", self.bench.path("softhsm2.conf")).envs(variables.iter().copied());
        let output = run(command.args(arguments));
        assert!(!output.to_string().contains(PIN), "the PIN is in the output\n{output}");
        output
    }

    pub fn gander(&self, arguments: &[&str]) -> Output {
        self.gander_with(&[], arguments)
    }

    /// `gander key token WHAT`, with the PIN.
    pub fn key_token(&self, what: &str, arguments: &[&str]) -> Output {
        let at = ["key", "token", what, "--module", self.module.to_str().unwrap(), "--token", "releases"];
        self.gander(&[&at, arguments, &["--pin-file", "pin"]].concat())
    }

    /// Makes a key pair; gives the certificate's fingerprint.
    pub fn new_key(&self, name: &str, algorithm: &str) -> String {
        let made =
            ["--user-id", USER, "--created", MADE, "--expires", "2040-01-01", "--algorithm", algorithm];
        let output = format!("{name}.token");
        let output =
            self.key_token("new", &[&made[..], &["--key-label", name, "-o", &output]].concat()).exits(0);
        output.stdout.trim().to_owned()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.bench.path(name)).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// gpg with a home of its own, and no agent.
    pub fn gpg(&self, arguments: &[&str]) -> Output {
        let home = self.bench.path("gpg");
        if !home.is_dir() {
            use std::os::unix::fs::DirBuilderExt as _;
            fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        }
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(home).args(["--batch", "--no-autostart", "--status-fd", "1"]);
        run(command.args(arguments).current_dir(self.bench.path("")).env("LC_ALL", "C.UTF-8"))
    }

    /// The module that hands on to softhsm2, but for what the environment says.
    pub fn shim(&self) -> String {
        let shim = self.bench.path("shim.so");
        if !shim.exists() {
            let softhsm = format!("-DSOFTHSM=\"{}\"", self.module.display());
            let mut command = Command::new("cc");
            command.args(["-shared", "-fPIC", "-w", &softhsm, "-o"]).arg(&shim);
            run(command.arg(package_root().join("tests/token/shim.c")).arg("-ldl")).exits(0);
        }
        shim.to_str().unwrap().to_owned()
    }
}
