//! `gander build`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Build source and binary packages from specs, hermetically.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
