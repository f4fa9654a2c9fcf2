//! `gander image push`.

use std::process::ExitCode;

use super::super::{Failure, Global};

/// Push an image to a registry.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
