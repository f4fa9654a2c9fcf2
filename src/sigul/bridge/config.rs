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
//! handshakes = 256                       # connections of each side whose handshake is not over
//! spare-servers = 256                    # connections of servers that wait for a client
//! handshake-seconds = 10
//! wait-seconds = 60                      # that a client waits for a server
//! idle-seconds = 600                     # in which something has to happen between the two
//! grace-seconds = 600                    # that requests may take when the bridge is to end
//! ```

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::super::service::{self, FileError, Form};
use super::super::stream::Identity;

/// Why there is no configuration. Retrying helps only where a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No server could ever connect.
    #[error("'{0}' names no server: every client would wait in vain")]
    NoServers(PathBuf),
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
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a client waits for a server.
    pub wait: Duration,
    /// How long nothing may happen between the two.
    pub idle: Duration,
    /// How long requests may take when the bridge is to end.
    pub grace: Duration,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Limits {
    pairs: usize,
    handshakes: usize,
    spare_servers: usize,
    handshake_seconds: u64,
    wait_seconds: u64,
    idle_seconds: u64,
    grace_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pairs: 64,
            handshakes: 256,
            spare_servers: 256,
            handshake_seconds: 10,
            wait_seconds: 60,
            idle_seconds: 600,
            grace_seconds: 600,
        }
    }
}

/// A port on every address of this machine.
fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
}

impl Config {
    /// Reads a configuration.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file: File = service::read(path, "configuration of a bridge")?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let beside = |file: PathBuf| folder.join(file);
        let identity = Identity {
            certificate: beside(file.certificate),
            key: beside(file.key),
            authority: beside(file.authority),
        };
        service::private(&identity.key)?;
        if file.servers.is_empty() {
            return Err(ConfigError::NoServers(path.into()));
        }
        let seconds = |number: u64| Duration::from_secs(number.max(1));
        Ok(Self {
            listen_clients: file.listen_clients.unwrap_or_else(|| everywhere(44334)),
            listen_servers: file.listen_servers.unwrap_or_else(|| everywhere(44333)),
            identity,
            server_names: file.servers,
            status: file.status,
            log: file.log,
            most_pairs: file.limits.pairs.clamp(1, 1 << 16),
            most_handshakes: file.limits.handshakes,
            spare_servers: file.limits.spare_servers.max(1),
            handshake: seconds(file.limits.handshake_seconds),
            wait: seconds(file.limits.wait_seconds),
            idle: seconds(file.limits.idle_seconds),
            grace: seconds(file.limits.grace_seconds),
        })
    }
}
