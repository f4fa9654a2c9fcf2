//! The client's configuration file, in TOML:
//!
//! ```toml
//! bridge = "bridge.example.org"           # or with a port: "bridge.example.org:44334"
//! bridge-name = "bridge.example.org"      # the name in its certificate, where that is another
//! server = "sigul.example.org"            # the name in the server's certificate
//! user = "release"                        # else the common name of the certificate
//! certificate = "release.pem"             # files, beside the configuration where the path is relative
//! key = "release.key"
//! authority = "ca.pem"
//! patience = 600                          # seconds in which something has to happen
//! head-signing = true                     # of packages only signature headers come back when a release is signed
//!
//! [passphrases]                           # files whose first line is the passphrase for a key
//! gosling-1 = "gosling-1.passphrase"
//!
//! [koji.primary]                          # a hub of the bridge; only where packages are named instead of sent
//! profile = "koji"                        # of Koji's own configuration, or
//! server = "https://koji.example.org/kojihub"
//! serverca = "koji-ca.pem"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::Settings;
use super::koji::{HubFile, Hubs};
use crate::sigul::service::{self, FileError};
use crate::sigul::stream::Identity;

/// The port on which bridges expect clients.
pub const PORT: u16 = 44334;

/// A configuration that was read.
#[derive(Clone, Debug)]
pub struct Config {
    /// For [`super::Client::new`].
    pub settings: Settings,
    /// Files with the passphrases of keys.
    pub passphrases: BTreeMap<String, PathBuf>,
    /// Whether only signature headers come back of packages when a release is signed.
    pub head_signing: bool,
    /// Where packages that are named are looked for.
    pub hubs: Hubs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    bridge: String,
    bridge_name: Option<String>,
    server: String,
    user: Option<String>,
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    patience: Option<u64>,
    head_signing: Option<bool>,
    #[serde(default)]
    passphrases: BTreeMap<String, PathBuf>,
    #[serde(default)]
    koji: BTreeMap<String, HubFile>,
}

impl Config {
    /// Reads a configuration.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let what = "configuration of a signing client";
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
        for secret in file.passphrases.values() {
            service::private(&beside(secret.clone()))?;
        }
        let settings = Settings {
            bridge_name: file.bridge_name.unwrap_or_else(|| host.clone()),
            bridge: (host, port),
            server_name: file.server,
            user: file.user,
            identity,
            patience: Duration::from_secs(file.patience.unwrap_or(600).max(1)),
        };
        let passphrases = file.passphrases.into_iter().map(|(key, file)| (key, beside(file))).collect();
        let hubs = Hubs::new(file.koji, folder).map_err(malformed)?;
        Ok(Self { settings, passphrases, head_signing: file.head_signing.unwrap_or(true), hubs })
    }
}

/// Host and port, or the port that is usual; an address of IPv6 with a port stands in brackets.
pub fn address(text: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').or(Some("").filter(|_| port.is_empty()))?)
        }
        None if text.matches(':').count() > 1 => (text, ""),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = if port.is_empty() { usual } else { port.parse().ok()? };
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| (host.into(), port))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_bridge_is_a_host_and_perhaps_a_port() {
        let known = |text| address(text, PORT).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(known("b.example.org").as_deref(), Some("b.example.org 44334"));
        assert_eq!(known("b.example.org:1").as_deref(), Some("b.example.org 1"));
        assert_eq!(known("[::1]:2").as_deref(), Some("::1 2"));
        assert_eq!(known("::1").as_deref(), Some("::1 44334"));
        assert_eq!(known("[::1]").as_deref(), Some("::1 44334"));
        for bad in ["", ":1", "b:x", "b:70000", "[::1]x", "a b"] {
            assert_eq!(known(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let authority = crate::sigul::authority::Authority::create("CA", 1).unwrap();
        let user = authority.issue("goose", 1).unwrap();
        for (name, bytes) in [
            ("ca.pem", authority.to_pem().unwrap().certificate),
            ("user.pem", user.certificate),
            ("user.key", user.key.to_vec()),
            ("pass", b"x".to_vec()),
        ] {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let path = folder.path().join("client.toml");
        let text = "bridge = \"b:1\"\nserver = \"s\"\ncertificate = \"user.pem\"\nkey = \"user.key\"\n\
            authority = \"ca.pem\"\n[passphrases]\nk = \"pass\"\n";
        std::fs::write(&path, text).unwrap();
        let open = |name: &str, mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path().join(name), permissions).unwrap();
        };
        for (closed, still_open) in [("user.key", "user.key"), ("pass", "pass")] {
            let refused = Config::read(&path);
            assert!(
                matches!(&refused, Err(FileError::Open(file)) if file.ends_with(still_open)),
                "{refused:?}"
            );
            open(closed, 0o600);
        }
        let config = Config::read(&path).unwrap();
        assert_eq!(config.settings.bridge_name, "b");
        assert_eq!(super::super::Client::new(config.settings).unwrap().user(), "goose");
        std::fs::write(&path, format!("other = 1\n{text}")).unwrap();
        assert!(matches!(Config::read(&path), Err(FileError::Malformed { .. })));
    }
}
