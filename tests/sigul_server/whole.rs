//! The whole service: our bridge in the place of the test's, and clients as people use them.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use gander::sigul::client::{Client, Settings};

use super::world::{World, gander};

/// Our bridge, until it is dropped.
pub struct Bridge {
    child: Mutex<Child>,
    /// Where clients find it.
    pub clients: SocketAddr,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        drop(child.kill());
        child.wait().unwrap();
    }
}

impl Bridge {
    /// Starts it in the place of the test's, with lines behind the others of its configuration.
    pub fn start(world: &World, lines: &str) -> Self {
        Self::logging_to(world, lines, log(world))
    }

    /// The same with another log.
    pub fn logging_to(world: &World, lines: &str, log: fs::File) -> Self {
        let servers = world.address;
        let clients = TcpListener::bind((servers.ip(), 0)).unwrap().local_addr().unwrap();
        let status = world.path("bridge.status");
        let text = format!(
            "listen-clients = [\"{clients}\"]\nlisten-servers = [\"{servers}\"]\n\
            certificate = \"bridge.test.pem\"\nkey = \"bridge.test.key\"\nauthority = \"ca.pem\"\n\
            servers = [\"server.test\"]\nstatus = {status:?}\n{lines}\n"
        );
        fs::write(world.path("bridge.toml"), text).unwrap();
        world.close_bridge();
        Self { child: Mutex::new(run(world, log)), clients }
    }

    /// Whole, with the server: ready for requests.
    pub fn with_server(world: &World, lines: &str) -> Self {
        let bridge = Self::start(world, lines);
        world.start();
        bridge.ready(world);
        bridge
    }

    /// Waits until the server can be reached through it.
    pub fn ready(&self, world: &World) {
        world.wait_for("a connection", || world.status("/health").0 == 200);
    }

    /// Kills it, and starts another one in its place.
    pub fn again(&self, world: &World) {
        let mut child = self.child.lock().unwrap();
        drop(child.kill());
        child.wait().unwrap();
        *child = run(world, log(world));
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub fn log(&self, world: &World) -> String {
        fs::read_to_string(world.path("bridge.log")).unwrap()
    }

    /// A client within the test.
    pub fn client(&self, world: &World, user: &str) -> Client {
        let settings = Settings {
            bridge: (self.clients.ip().to_string(), self.clients.port()),
            bridge_name: "bridge.test".into(),
            server_name: "server.test".into(),
            user: Some(user.into()),
            identity: world.identity(user),
            patience: Duration::from_secs(300),
        };
        Client::new(settings).unwrap()
    }

    /// A client as a program that waits for its secrets.
    pub fn program(&self, world: &World, user: &str, arguments: &[&str]) -> Command {
        let config = world.path(&format!("{user}.toml"));
        let text = format!(
            "bridge = \"{}\"\nbridge-name = \"bridge.test\"\nserver = \"server.test\"\nuser = \"{user}\"\n\
            certificate = \"{user}.pem\"\nkey = \"{user}.key\"\nauthority = \"ca.pem\"\n",
            self.clients
        );
        fs::write(&config, text).unwrap();
        let mut command = gander();
        command.arg("sigul").args(arguments).args(["--batch", "--config"]).arg(config);
        command.current_dir(world.folder.path()).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same, run to its end with secrets.
    pub fn ask(&self, world: &World, user: &str, secrets: &[&str], arguments: &[&str]) -> Output {
        let mut asking = self.program(world, user, arguments).spawn().unwrap();
        give(&mut asking, secrets);
        asking.wait_with_output().unwrap()
    }
}

/// Gives a client its secrets, as with --batch.
pub fn give(asking: &mut Child, secrets: &[&str]) {
    let text: String = secrets.iter().map(|secret| format!("{secret}\0")).collect();
    drop(asking.stdin.take().unwrap().write_all(text.as_bytes()));
}

fn log(world: &World) -> fs::File {
    fs::OpenOptions::new().create(true).append(true).open(world.path("bridge.log")).unwrap()
}

fn run(world: &World, log: fs::File) -> Child {
    let mut command = gander();
    command.args(["sigul", "bridge", "--config"]).arg(world.path("bridge.toml"));
    command.stderr(log).stdout(Stdio::null()).stdin(Stdio::null()).process_group(0).spawn().unwrap()
}
