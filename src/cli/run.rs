//! `gander run`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Run a command inside an image.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
