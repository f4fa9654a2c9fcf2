//! `gander plan`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Print the steps of a compose without running any.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
