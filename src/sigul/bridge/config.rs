//! The bridge's configuration file, in TOML:
//!
//! ```toml
//! listen-clients = ["[::]:44334", "0.0.0.0:44334"]   # this is the default
//! listen-servers = ["[::]:44333", "0.0.0.0:44333"]   # this is the default
//! certificate = "bridge.pem"             # files, beside the configuration where the path is relative
//! key = "bridge.key"
//! authority = "ca.pem"
//! servers = ["sigul.example.org"]        # common names of the certificates of servers
//! status = "/run/gander/bridge.sock"     # where GET /metrics and /health are answered
//! log = "text"                           # or "json"
//!
//! [limits]                               # each has the default that is shown
//! pairs = 64                             # requests at a time
//! clients = 512                          # connected clients, those that wait included
//! handshakes = 256                       # connections of each side whose handshake is not over
//! spare-servers = 256                    # connections of servers that wait for a client
//! package-bytes = 10737418240            # of all packages of one sign-rpms
//! pace = 16384                           # bytes a second that a payload has to bring
//! handshake-seconds = 10                 # the head of a request included, once more
//! wait-seconds = 60                      # that a client waits for a server
//! secrets-seconds = 60                   # for what client and server say to each other, behind the payload
//! idle-seconds = 120                     # without a byte of a payload that has begun
//! answer-seconds = 600                   # until the server has to answer
//! grace-seconds = 600                    # that requests may take when the bridge is to end
//!
//! [koji.primary]                         # a hub; docs/sigul-bridge.md has all its keys
//! server = "https://koji.example.org/kojihub"
//! topurl = "https://kojipkgs.example.org"
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::base::chain;

use super::super::service::{self, FileError, Form};
use super::super::stream::{Identity, Tls};
use super::koji::{Instance, InstanceFile};

/// The port on which clients connect, as sigul has it.
const CLIENTS: u16 = 44334;
/// The port on which servers connect.
const SERVERS: u16 = 44333;

/// Why there is no configuration. Retrying helps only where a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot work like that.
    #[error("'{path}' is no configuration of a bridge: {}", .reasons.join("; "))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        reasons: Vec<String>,
    },
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect.
    pub listen_clients: Vec<SocketAddr>,
    /// Where servers connect.
    pub listen_servers: Vec<SocketAddr>,
    /// The bridge's certificate.
    pub identity: Identity,
    /// Common names of the servers' certificates.
    pub server_names: Vec<String>,
    /// The socket with the figures.
    pub status: Option<PathBuf>,
    /// How the log looks.
    pub log: Form,
    /// Requests at a time.
    pub most_pairs: usize,
    /// Connections of each side whose handshake is not over.
    pub most_handshakes: usize,
    /// Connections of servers that wait for a client.
    pub spare_servers: usize,
    /// Connected clients.
    pub most_clients: usize,
    /// Bytes of all packages of one `sign-rpms`.
    pub package_bytes: u64,
    /// Bytes a second that a payload has to bring.
    pub pace: u64,
    /// How long a handshake may take, and then the head of a request.
    pub handshake: Duration,
    /// How long a client waits for a server.
    pub wait: Duration,
    /// How long client and server may take for what they say to each other, behind the payload.
    pub secrets: Duration,
    /// How long nothing may come of a payload that has begun.
    pub idle: Duration,
    /// How long the server may take to answer.
    pub answer: Duration,
    /// How long requests may take when the bridge is to end.
    pub grace: Duration,
    /// Hubs, by the names that requests use.
    pub koji: BTreeMap<String, Instance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    listen_clients: Option<Vec<SocketAddr>>,
    listen_servers: Option<Vec<SocketAddr>>,
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    servers: Vec<String>,
    status: Option<PathBuf>,
    #[serde(default)]
    log: Form,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    koji: BTreeMap<String, InstanceFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Limits {
    pairs: u32,
    clients: u32,
    handshakes: u32,
    spare_servers: u32,
    package_bytes: u64,
    pace: u64,
    handshake_seconds: u64,
    wait_seconds: u64,
    secrets_seconds: u64,
    idle_seconds: u64,
    answer_seconds: u64,
    grace_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pairs: 64,
            clients: 512,
            handshakes: 256,
            spare_servers: 256,
            package_bytes: 10 << 30,
            pace: 16 << 10,
            handshake_seconds: 10,
            wait_seconds: 60,
            secrets_seconds: 60,
            idle_seconds: 120,
            answer_seconds: 600,
            grace_seconds: 600,
        }
    }
}

/// A port on every address of this machine.
fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
}

impl Config {
    /// Reads a configuration, and looks at the files that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once; only what is no TOML, or of the wrong type, stands alone.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file: File = service::read(path, "configuration of a bridge")?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut reasons = Vec::new();
        let config = file.check(folder, &mut reasons);
        if reasons.is_empty() { Ok(config) } else { Err(ConfigError::Wrong { path: path.into(), reasons }) }
    }
}

/// Refuses a secret that others may read.
pub(super) fn private(path: &Path, reasons: &mut Vec<String>) {
    if let Err(error) = service::private(path) {
        reasons.push(chain(&error));
    }
}

impl File {
    fn check(self, folder: &Path, reasons: &mut Vec<String>) -> Config {
        let beside = |file: PathBuf| folder.join(file);
        let identity = Identity {
            certificate: beside(self.certificate),
            key: beside(self.key),
            authority: beside(self.authority),
        };
        private(&identity.key, reasons);
        if let Err(error) = Tls::new(&identity) {
            reasons.push(chain(&error));
        }
        if self.servers.is_empty() || self.servers.iter().any(String::is_empty) {
            reasons.push("'servers' has to name the servers, or every client would wait in vain".into());
        }
        let listen_clients = self.listen_clients.unwrap_or_else(|| everywhere(CLIENTS));
        let listen_servers = self.listen_servers.unwrap_or_else(|| everywhere(SERVERS));
        for (name, all) in [("clients", &listen_clients), ("servers", &listen_servers)] {
            if all.is_empty() {
                reasons.push(format!("'listen-{name}' has no address"));
            }
        }
        let limits = self.limits;
        let mut number = |name: &str, value: u64, most: u64| {
            if !(1..=most).contains(&value) {
                reasons.push(format!("'limits.{name}' is {value}, and has to be from 1 to {most}"));
            }
            value
        };
        let mut count = |name: &str, value: u32| {
            usize::try_from(number(name, value.into(), 1 << 16)).unwrap_or(usize::MAX)
        };
        let [most_pairs, most_clients] = [count("pairs", limits.pairs), count("clients", limits.clients)];
        let most_handshakes = count("handshakes", limits.handshakes);
        let spare_servers = count("spare-servers", limits.spare_servers);
        let package_bytes = number("package-bytes", limits.package_bytes, 1 << 40);
        let pace = number("pace", limits.pace, 1 << 30);
        let mut seconds = |name: &str, value: u64| {
            Duration::from_secs(number(&format!("{name}-seconds"), value, 24 * 60 * 60))
        };
        let [handshake, wait] =
            [seconds("handshake", limits.handshake_seconds), seconds("wait", limits.wait_seconds)];
        let [secrets, idle] =
            [seconds("secrets", limits.secrets_seconds), seconds("idle", limits.idle_seconds)];
        let [answer, grace] =
            [seconds("answer", limits.answer_seconds), seconds("grace", limits.grace_seconds)];
        let mut koji = BTreeMap::new();
        for (name, file) in self.koji {
            if let Some(instance) = file.check(&name, folder, reasons) {
                koji.insert(name, instance);
            }
        }
        Config {
            listen_clients,
            listen_servers,
            identity,
            server_names: self.servers,
            status: self.status,
            log: self.log,
            most_pairs,
            most_clients,
            most_handshakes,
            spare_servers,
            package_bytes,
            pace,
            handshake,
            wait,
            secrets,
            idle,
            answer,
            grace,
            koji,
        }
    }
}
