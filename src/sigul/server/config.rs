//! The server's configuration file, in TOML:
//!
//! ```toml
//! bridge = "bridge.example.org"          # or with a port: "bridge.example.org:44333"
//! bridge-name = "bridge.example.org"     # the name in its certificate, where that is another
//! certificate = "server.pem"             # files, beside the configuration where the path is relative
//! key = "server.key"
//! authority = "ca.pem"
//! store = "/var/lib/gander/signer"       # the signer's, which is then started from here; or
//! signer = "/run/gander/signer.sock"     # where a signer listens
//! spool = "/var/spool/gander"            # for packages while they are signed (default: /var/tmp)
//! status = "/run/gander/server.sock"     # where GET /metrics and /health are answered
//! log = "text"                           # or "json"
//! lenient-username-check = false         # users need not be who their certificate says
//! proxy-usernames = []                   # certificates that may ask for any user
//!
//! [limits]                               # each has the default that is shown
//! requests = 64                          # at a time
//! spare = 8                              # connections that wait at the bridge
//! handshake-seconds = 30
//! spool-mebibytes = 20480                # for packages and texts of all requests, on disk
//! memory-mebibytes = 32                  # and, for small ones, in memory
//! idle-seconds = 600                     # in which something has to happen
//! grace-seconds = 600                    # that requests may take when the server is to end
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::super::client::address;
use super::super::service::{self, FileError, Form};
use super::super::stream::Identity;

/// The port on which bridges expect servers.
const PORT: u16 = 44333;

/// Where the signer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerAt {
    /// It listens at a path.
    Socket(PathBuf),
    /// It is started from here, with this store.
    Store(PathBuf),
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host and port of the bridge.
    pub bridge: (String, u16),
    /// The name in its certificate.
    pub bridge_name: String,
    /// The server's certificate.
    pub identity: Identity,
    /// Where the signer is.
    pub signer: SignerAt,
    /// The folder for packages while they are signed.
    pub spool: PathBuf,
    /// The socket with the figures.
    pub status: Option<PathBuf>,
    /// How the log looks.
    pub log: Form,
    /// Users need not be who their certificate says.
    pub lenient: bool,
    /// Certificates that may ask for any user.
    pub proxies: Vec<String>,
    /// Requests at a time.
    pub requests: usize,
    /// Connections that wait at the bridge.
    pub spare: usize,
    /// Bytes that all requests may keep on disk.
    pub spool_disk: u64,
    /// Bytes that they may keep in memory before they go to disk.
    pub spool_memory: u64,
    /// How long a handshake may take, but the bridge's, which may wait for a client.
    pub handshake: Duration,
    /// How long nothing may happen in a request.
    pub idle: Duration,
    /// How long requests may take when the server is to end.
    pub grace: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    bridge: String,
    bridge_name: Option<String>,
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    store: Option<PathBuf>,
    signer: Option<PathBuf>,
    spool: Option<PathBuf>,
    status: Option<PathBuf>,
    #[serde(default)]
    log: Form,
    #[serde(default)]
    lenient_username_check: bool,
    #[serde(default)]
    proxy_usernames: Vec<String>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Limits {
    requests: usize,
    spare: usize,
    spool_mebibytes: u64,
    memory_mebibytes: u64,
    handshake_seconds: u64,
    idle_seconds: u64,
    grace_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 64,
            spare: 8,
            spool_mebibytes: 20 << 10,
            memory_mebibytes: 32,
            handshake_seconds: 30,
            idle_seconds: 600,
            grace_seconds: 600,
        }
    }
}

impl Config {
    /// Reads a configuration.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let what = "configuration of a signing server";
        let file: File = service::read(path, what)?;
        let malformed = |reason: String| FileError::Malformed { path: path.into(), what, reason };
        let folder = path.parent().unwrap_or(Path::new("."));
        let beside = |file: PathBuf| folder.join(file);
        let (host, port) = address(&file.bridge, PORT)
            .ok_or_else(|| malformed(format!("'{}' is no host, or host and port", file.bridge)))?;
        let identity = Identity {
            certificate: beside(file.certificate),
            key: beside(file.key),
            authority: beside(file.authority),
        };
        service::private(&identity.key)?;
        let signer = match (file.store, file.signer) {
            (Some(store), None) => SignerAt::Store(beside(store)),
            (None, Some(socket)) => SignerAt::Socket(beside(socket)),
            _ => return Err(malformed("it has to have either 'store' or 'signer'".into())),
        };
        let seconds = |number: u64| Duration::from_secs(number.max(1));
        Ok(Self {
            bridge_name: file.bridge_name.unwrap_or_else(|| host.clone()),
            bridge: (host, port),
            identity,
            signer,
            spool: file.spool.map_or_else(|| "/var/tmp".into(), beside),
            status: file.status,
            log: file.log,
            lenient: file.lenient_username_check,
            proxies: file.proxy_usernames,
            requests: file.limits.requests.clamp(1, 1 << 16),
            spare: file.limits.spare.clamp(1, 1 << 10),
            spool_disk: file.limits.spool_mebibytes.saturating_mul(1 << 20),
            spool_memory: file.limits.memory_mebibytes.saturating_mul(1 << 20),
            handshake: seconds(file.limits.handshake_seconds),
            idle: seconds(file.limits.idle_seconds),
            grace: seconds(file.limits.grace_seconds),
        })
    }
}
