//! `gander image pull`.

use std::process::ExitCode;

use super::super::{Failure, Global};

/// Pull an image from a registry by digest.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
