//! `gander image show`.

use std::process::ExitCode;

use super::super::{Failure, Global};

/// Show what an image is made of.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
