//! `gander man`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Failure, Kind};

/// Write the man pages of all commands into a folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write into; made when missing.
    dir: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(super::command(), &args.dir))
        .map_err(|error| {
        Failure::new(
            Kind::Surroundings,
            format!("cannot write man pages to '{}': {error}", args.dir.display()),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
