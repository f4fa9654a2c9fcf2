//! `gander sigul server`.

use std::path::PathBuf;

use super::super::{Failure, Kind};
use crate::runner::hide_memory;
use crate::sigul::server::{Config, ServerError, run as serve};

/// Run a server: it takes requests from a bridge, and asks the signer.
///
/// A line of log for each request goes to stderr. SIGTERM lets requests finish, SIGHUP reads the certificates again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/gander/sigul-server.toml")]
    config: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = Config::read(&args.config)?;
    // Secrets of clients pass through it.
    hide_memory().map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Kind::Surroundings, &error))?;
    Ok(runtime.block_on(serve(config))?)
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Tls(error) => error.into(),
            ServerError::Signer(_) | ServerError::System(_) => Self::from_error(Kind::Surroundings, &error),
        }
    }
}
