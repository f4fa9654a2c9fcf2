//! A first installation in a folder: an authority, and for each party a folder with what its machine needs.
//!
//! | folder | for |
//! |---|---|
//! | `authority` | whoever makes further certificates; belongs offline |
//! | `bridge` | `bridge.toml` and the bridge's certificate |
//! | `server` | `server.toml`, the server's certificate, and the signer's store |
//! | `users/NAME` | `sigul.toml` and the user's certificate |

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::authority::{Authority, AuthorityError, Issued};

/// How long certificates are valid, in days: the authority's, and the parties'.
const DAYS: [u32; 2] = [3650, 825];

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The bridge's host name, as certificates have it and clients look it up.
    pub bridge: String,
    /// Where the bridge listens for clients and for servers; else everywhere, at sigul's ports.
    pub listen: Option<[SocketAddr; 2]>,
    /// The server's name in its certificate.
    pub server: String,
    /// Users who get a certificate.
    pub users: Vec<String>,
}

/// Why nothing was installed. Retrying helps where a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A file cannot be written, or is there already.
    #[error("'{path}' cannot be made")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate cannot be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A user's name cannot be that of a folder.
    #[error(
        "'{0}' cannot be a user here: a name begins with a letter or digit and goes on with these, '.', '-', '_' and '@'"
    )]
    User(String),
}

/// Makes everything but the signer's store, in a folder that is not there yet. Gives where the store is to be.
pub fn init(folder: &Path, plan: &Plan) -> Result<PathBuf, InitError> {
    for user in &plan.users {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_@".contains(c);
        if !user.starts_with(|c: char| c.is_ascii_alphanumeric()) || !user.chars().all(plain) {
            return Err(InitError::User(user.escape_debug().take(100).collect()));
        }
    }
    let authority = Authority::create("Signing service", DAYS[0])?;
    make(folder)?;
    let pem = authority.to_pem()?;
    let place = |name: &str| folder.join(name);
    make(&place("authority"))?;
    write(&place("authority/ca.pem"), 0o644, &pem.certificate)?;
    write(&place("authority/ca.key"), 0o600, &pem.key)?;
    let [clients, servers] =
        plan.listen.map_or([44334, 44333], |listen| listen.map(|address| address.port()));

    let listen = plan.listen.map_or_else(String::new, |[clients, servers]| {
        format!("listen-clients = [\"{clients}\"]\nlisten-servers = [\"{servers}\"]\n")
    });
    let identity =
        |name: &str| format!("certificate = \"{name}.pem\"\nkey = \"{name}.key\"\nauthority = \"ca.pem\"\n");
    let party = |folder: &Path, name: &str, issued: &Issued, config: [&str; 2]| -> Result<(), InitError> {
        make(folder)?;
        write(&folder.join("ca.pem"), 0o644, &pem.certificate)?;
        write(&folder.join(format!("{name}.pem")), 0o644, &issued.certificate)?;
        write(&folder.join(format!("{name}.key")), 0o600, &issued.key)?;
        write(&folder.join(config[0]), 0o644, config[1].as_bytes())
    };
    let text = format!("{listen}{}servers = [\"{}\"]\n", identity("bridge"), plan.server);
    let issued = authority.issue(&plan.bridge, DAYS[1])?;
    party(&place("bridge"), "bridge", &issued, ["bridge.toml", &text])?;

    let text = format!("bridge = \"{}:{servers}\"\n{}store = \"store\"\n", plan.bridge, identity("server"));
    let issued = authority.issue(&plan.server, DAYS[1])?;
    party(&place("server"), "server", &issued, ["server.toml", &text])?;

    make(&place("users"))?;
    for user in &plan.users {
        let address = format!("bridge = \"{}:{clients}\"\nserver = \"{}\"\n", plan.bridge, plan.server);
        let issued = authority.issue(user, DAYS[1])?;
        let text = format!("{address}{}", identity("user"));
        party(&place("users").join(user), "user", &issued, ["sigul.toml", &text])?;
    }
    Ok(place("server/store"))
}

fn make(folder: &Path) -> Result<(), InitError> {
    let made = DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|source| InitError::File { path: folder.into(), source })
}

fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), InitError> {
    let failed = |source| InitError::File { path: path.into(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}
