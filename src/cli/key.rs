//! `gander key`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Make and show signing keys.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
