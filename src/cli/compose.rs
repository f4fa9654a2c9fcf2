//! `gander compose`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Compose a release from a recipe and its lock.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
