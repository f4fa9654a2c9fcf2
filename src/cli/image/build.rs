//! `gander image build`.

use std::process::ExitCode;

use super::super::{Failure, Global};

/// Build a builder image from its lock.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
