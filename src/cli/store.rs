//! `gander store`.

use std::process::ExitCode;

use super::{Failure, Global};

/// Inspect and clean the store.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_global: &Global, _args: Args) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::from_error(super::Kind::Surroundings, &error)
    }
}
