//! The bridge's configuration file, in TOML:
//!
//! ```toml
//! certificate = "bridge.pem"              # files, beside the configuration where the path is relative
//! key = "bridge.key"
//! authority = "ca.pem"
//! server-names = ["sigul.example.org"]    # a name in the certificate of each server that may be one
//!
//! [listen]
//! clients = ["0.0.0.0:44334", "[::]:44334"]
//! servers = ["0.0.0.0:44333", "[::]:44333"]
//! status = "/run/gander/bridge.sock"      # health and metrics; none without it
//!
//! [limits]
//! handshakes = 256                        # unfinished ones on each side; more throw out the oldest
//! clients = 512                           # connected clients
//! requests = 64                           # requests that are passed on at once
//! servers = 256                           # idle connections of servers
//! packages = 10737418240                  # bytes of packages in one sign-rpms
//! pace = 16384                            # bytes a second that a payload has to bring
//!
//! [seconds]
//! handshake = 20                          # for TLS
//! request = 30                            # for the head of a request
//! server = 300                            # until a server has to be free
//! secrets = 60                            # for what client and server say to each other, behind the payload
//! idle = 120                              # without a byte of a payload
//! answer = 900                            # until the server has to answer
//! ending = 600                            # for running requests, where the bridge is told to end
//!
//! [koji.primary]                          # see docs/sigul-bridge.md
//! server = "https://koji.example.org/kojihub"
//! topurl = "https://kojipkgs.example.org"
//! ```

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::koji::{Instance, InstanceFile};
use crate::sigul::stream::{Identity, Tls};

/// The port on which clients connect, as sigul has it.
pub const CLIENTS: u16 = 44334;
/// The port on which servers connect.
pub const SERVERS: u16 = 44333;
/// Bytes of a configuration file.
const LARGEST: u64 = 1 << 20;

/// Why there is no configuration. Retrying helps only where a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the file '{path}' cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is wrong with it, one line each.
    #[error("'{path}' is no configuration of a bridge: {}", .reasons.join("; "))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong.
        reasons: Vec<String>,
    },
}

/// How a bridge works.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bridge's certificate.
    pub identity: Identity,
    /// Common or alternative names of servers.
    pub server_names: Vec<String>,
    /// Where it listens.
    pub listen: Listen,
    /// How much it takes.
    pub limits: Limits,
    /// How long it waits.
    pub seconds: Seconds,
    /// Where packages come from and signatures go to.
    pub koji: BTreeMap<String, Instance>,
}

/// Where a bridge listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Listen {
    /// For clients.
    pub clients: Vec<SocketAddr>,
    /// For servers.
    pub servers: Vec<SocketAddr>,
    /// A Unix socket for health and metrics.
    pub status: Option<PathBuf>,
}

impl Default for Listen {
    fn default() -> Self {
        let all = |port| vec![([0; 4], port).into(), ([0_u16; 8], port).into()];
        Self { clients: all(CLIENTS), servers: all(SERVERS), status: None }
    }
}

/// How much a bridge takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Unfinished handshakes on each side.
    pub handshakes: usize,
    /// Connected clients.
    pub clients: usize,
    /// Requests that are passed on at once.
    pub requests: usize,
    /// Idle connections of servers.
    pub servers: usize,
    /// Bytes of packages in one `sign-rpms`.
    pub packages: u64,
    /// Bytes a second that a payload has to bring.
    pub pace: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshakes: 256, clients: 512, requests: 64, servers: 256, packages: 10 << 30, pace: 16 << 10 }
    }
}

/// How long a bridge waits, in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Seconds {
    handshake: u64,
    request: u64,
    server: u64,
    secrets: u64,
    idle: u64,
    answer: u64,
    ending: u64,
}

impl Default for Seconds {
    fn default() -> Self {
        Self { handshake: 20, request: 30, server: 300, secrets: 60, idle: 120, answer: 900, ending: 600 }
    }
}

impl Seconds {
    /// For the handshake of TLS.
    pub fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake)
    }

    /// For the head of a request.
    pub fn request(&self) -> Duration {
        Duration::from_secs(self.request)
    }

    /// Until a server has to be free.
    pub fn server(&self) -> Duration {
        Duration::from_secs(self.server)
    }

    /// For what client and server say to each other behind the payload.
    pub fn secrets(&self) -> Duration {
        Duration::from_secs(self.secrets)
    }

    /// Without a byte of a payload.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle)
    }

    /// Until the server has to answer.
    pub fn answer(&self) -> Duration {
        Duration::from_secs(self.answer)
    }

    /// For running requests, where the bridge is told to end.
    pub fn ending(&self) -> Duration {
        Duration::from_secs(self.ending)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    server_names: Vec<String>,
    #[serde(default)]
    listen: Listen,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    seconds: Seconds,
    #[serde(default)]
    koji: BTreeMap<String, InstanceFile>,
}

impl Config {
    /// Reads a configuration, and looks at the files that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once; only what makes the file no TOML, or has the wrong type, stands
    /// alone.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
            .map_err(|source| ConfigError::File { path: path.into(), source })?;
        let wrong = |reasons| ConfigError::Wrong { path: path.into(), reasons };
        let file: File = toml::from_str(&text).map_err(|error| wrong(vec![error.to_string()]))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut reasons = Vec::new();
        let config = file.check(folder, &mut reasons);
        if reasons.is_empty() { Ok(config) } else { Err(wrong(reasons)) }
    }
}

impl File {
    fn check(self, folder: &Path, reasons: &mut Vec<String>) -> Config {
        let identity = Identity {
            certificate: folder.join(self.certificate),
            key: folder.join(self.key),
            authority: folder.join(self.authority),
        };
        private(&identity.key, reasons);
        if let Err(error) = Tls::new(&identity) {
            reasons.push(error.to_string());
        }
        if self.server_names.is_empty() || self.server_names.iter().any(String::is_empty) {
            reasons.push("'server-names' has to name the servers".into());
        }
        for (what, addresses) in [("clients", &self.listen.clients), ("servers", &self.listen.servers)] {
            if addresses.is_empty() {
                reasons.push(format!("'listen.{what}' names no address"));
            }
        }
        let Limits { handshakes, clients, requests, servers, packages, pace } = self.limits;
        let limits = [
            ("handshakes", handshakes as u64, 1 << 16),
            ("clients", clients as u64, 1 << 16),
            ("requests", requests as u64, 1 << 16),
            ("servers", servers as u64, 1 << 16),
            ("packages", packages, 1 << 40),
            ("pace", pace, 1 << 30),
        ];
        for (name, value, most) in limits {
            if !(1..=most).contains(&value) {
                reasons.push(format!("'limits.{name}' is {value}, and has to be from 1 to {most}"));
            }
        }
        let Seconds { handshake, request, server, secrets, idle, answer, ending } = self.seconds;
        let seconds = [
            ("handshake", handshake),
            ("request", request),
            ("server", server),
            ("secrets", secrets),
            ("idle", idle),
            ("answer", answer),
            ("ending", ending),
        ];
        for (name, value) in seconds {
            if !(1..=86_400).contains(&value) {
                reasons.push(format!("'seconds.{name}' is {value}, and has to be from 1 to 86400"));
            }
        }
        let mut koji = BTreeMap::new();
        for (name, file) in self.koji {
            if let Some(instance) = file.check(&name, folder, reasons) {
                koji.insert(name, instance);
            }
        }
        Config {
            identity,
            server_names: self.server_names,
            listen: self.listen,
            limits: self.limits,
            seconds: self.seconds,
            koji,
        }
    }
}

/// A secret has to be there, and nobody but its owner and the superuser may read it.
pub(super) fn private(path: &Path, reasons: &mut Vec<String>) {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o077 == 0 => {}
        Ok(_) => reasons.push(format!(
            "others than its owner may read '{}'; take that from them with chmod 600",
            path.display()
        )),
        Err(error) => reasons.push(format!("'{}' cannot be read: {error}", path.display())),
    }
}
