//! `gander lock`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Resolve a recipe into its lock, or update it.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
