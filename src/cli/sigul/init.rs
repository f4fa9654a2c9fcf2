//! `gander sigul init`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::super::{Failure, Global, Kind};
use crate::sign::key::read_passphrase;
use crate::sign::vault::{Options, Vault};
use crate::sigul::init::{InitError, Plan, init};

/// Make a first installation in a new folder: an authority, certificates, configurations, and a signer's store.
///
/// There is a folder for each machine: bridge, server, and one for each user. The first user administers the store.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder, which is made.
    folder: PathBuf,
    /// The bridge's host name.
    #[arg(long, value_name = "HOST")]
    bridge: String,
    /// Where the bridge listens for clients (default: everywhere, port 44334).
    #[arg(long, value_name = "ADDRESS:PORT", requires = "listen_servers")]
    listen_clients: Option<SocketAddr>,
    /// Where the bridge listens for servers (default: everywhere, port 44333).
    #[arg(long, value_name = "ADDRESS:PORT", requires = "listen_clients")]
    listen_servers: Option<SocketAddr>,
    /// The server's name in its certificate.
    #[arg(long, value_name = "NAME", default_value = "sigul-server")]
    server: String,
    /// Users who get a certificate (can be repeated); the first is the administrator.
    #[arg(long = "user", value_name = "NAME", required = true)]
    users: Vec<String>,
    /// The file whose first line is the administrator's password.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

/// Runs the command.
pub fn run(global: &Global, args: &Args) -> Result<(), Failure> {
    let password = read_passphrase(&args.password_file)?;
    let plan = Plan {
        bridge: args.bridge.clone(),
        listen: args.listen_clients.zip(args.listen_servers).map(|(clients, servers)| [clients, servers]),
        server: args.server.clone(),
        users: args.users.clone(),
    };
    let store = init(&args.folder, &plan)?;
    let vault = Vault::open(&store, Options::default())?;
    let administrator = args.users.first().map_or("", String::as_str);
    vault
        .set_administrator(administrator, &password)
        .map_err(|refusal| Failure::new(Kind::Usage, refusal.to_string()))?;
    for line in [
        "bridge: gander sigul bridge --config bridge/bridge.toml",
        "server: gander sigul server --config server/server.toml",
    ] {
        global.say(line);
    }
    for user in &args.users {
        global.say(format_args!("{user}: gander sigul list-users --config users/{user}/sigul.toml"));
    }
    Ok(())
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let kind = match &error {
            InitError::File { .. } => Kind::Surroundings,
            InitError::Authority(_) | InitError::User(_) => Kind::Usage,
        };
        Self::from_error(kind, &error)
    }
}
