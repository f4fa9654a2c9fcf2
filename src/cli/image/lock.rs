//! `gander image lock`.

use std::process::ExitCode;

use super::super::{Failure, Global};

/// Pin the Debian packages that a request names, and what they depend on.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
