//! `gander sigul bridge`.

use std::path::PathBuf;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::{Failure, Kind};
use crate::runner::hide_memory;
use crate::sigul::bridge::{Bridge, BridgeError, Config, ConfigError};
use crate::sigul::service::FileError;

/// Run a bridge: it pairs clients with connections that the server holds open.
///
/// Prints where it listens, and then a line of log for each request on stderr. SIGTERM lets requests finish, SIGHUP reads
/// the certificates again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/gander/sigul-bridge.toml")]
    config: PathBuf,
    /// Look at the configuration, and do nothing.
    #[arg(long)]
    check: bool,
    /// Listen beside a bridge that runs at the same addresses as the same user, which is then to be told to end.
    #[arg(long)]
    take_over: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    if args.check {
        return Ok(());
    }
    // The key of its certificate, and what it logs in to Koji with.
    hide_memory().map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    // Two connections a request, and those that only wait: more than the usual 1024.
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    runtime.block_on(async {
        let bridge = Bridge::listen(config, args.take_over)?;
        let (clients, servers) = bridge.addresses().map_err(BridgeError::from)?;
        for (side, addresses) in [("clients", clients), ("servers", servers)] {
            addresses.iter().for_each(|address| println!("{side} {address}"));
        }
        Ok(bridge.run().await?)
    })
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let kind = match &error {
            FileError::Read { .. } => Kind::Input,
            FileError::Malformed { .. } | FileError::Open(_) => Kind::Usage,
        };
        Self::from_error(kind, &error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::File(error) => error.into(),
            ConfigError::Wrong { .. } => Self::from_error(Kind::Usage, &error),
        }
    }
}

impl From<BridgeError> for Failure {
    fn from(error: BridgeError) -> Self {
        match error {
            BridgeError::Tls(error) => error.into(),
            BridgeError::Taken(_) | BridgeError::Listen { .. } | BridgeError::System(_) => {
                Self::from_error(Kind::Surroundings, &error)
            }
        }
    }
}
