//! `gander image`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Lock, build, pull, push and show builder images.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
